// Asks the server once a second and shows what it says; says so plainly when it does not answer.

import { AlertTable, element, shortTime } from "/alerts.js";
import { Chart, shortNumber } from "/charts.js";

const POLL_MS = 1000;
const PATIENCE_MS = 3000;
const byId = (id) => document.getElementById(id);
const whole = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 0 });
const percent = (value) => `${+(value * 100).toPrecision(3)}`;
const millis = (value) => (value >= 10 ? value.toFixed(0) : value.toPrecision(2));

const table = new AlertTable(byId("alert-rows"));
const charts = [
  { title: "Events", unit: "events/s", tone: "accent", kind: "line", value: (point) => point.events_per_second },
  { title: "Alerts", unit: "alerts/s", tone: "amber", kind: "bars", value: (point) => point.alerts },
  { title: "Event to alert, p99", unit: "ms", tone: "violet", kind: "dots", value: (point) => point.latency_ms_p99 },
].map((settings) => new Chart(byId("charts"), settings));

let answeredAt = null;
let alertsShown = null;
let runShown = null;

/** Every tile: a label, what it shows, and a word beside it. `tone` draws the eye only to what may need a person. */
function tiles(o) {
  const latency = o.latency_ms;
  const list = [
    { label: "Events", value: whole(o.events_per_second), unit: "/s", note: `${shortNumber(o.events_total)} in total` },
    { label: "Backlog", value: shortNumber(o.backlog_records), unit: "records", note: backlogNote(o), tone: isBehind(o) ? "warn" : "" },
    { label: "Event → alert", value: latency ? millis(latency.p50) : "–", unit: latency ? "ms p50" : "", note: latency ? `p99 ${millis(latency.p99)} ms` : "no alert yet" },
    { label: "Alerts", value: whole(o.alerts_total), unit: "", note: perMillion(o) },
    { label: "Dead letters", value: whole(o.dead_letters_total), unit: "", note: "could not be read", tone: o.dead_letters_total ? "warn" : "" },
    { label: "Late events", value: whole(o.late_total), unit: "", note: "behind the watermark" },
    { label: "Entities", value: shortNumber(o.entities), unit: "", note: "remembered" },
  ];
  if (o.quality) {
    list.push(
      { label: "Precision", value: percent(o.quality.precision), unit: "%", note: "of alerts are right" },
      { label: "Recall", value: percent(o.quality.recall), unit: "%", note: "of planted anomalies" },
      { label: "False positives", value: percent(o.quality.false_positive_rate), unit: "%", note: "of normal events" });
  }
  return list;
}

/** Ten seconds of work waiting is more than a busy moment. */
function isBehind(o) {
  return o.backlog_records > Math.max(10 * o.events_per_second, 1000);
}

function backlogNote(o) {
  if (o.backlog_records === 0) return "up to date";
  const seconds = o.backlog_records / o.events_per_second;
  if (seconds < 1) return "less than 1 s behind";
  return o.events_per_second > 0 ? `${whole(seconds)} s behind` : "nothing is read";
}

function perMillion(o) {
  return o.events_total ? `${shortNumber((o.alerts_total / o.events_total) * 1e6)} per million events` : "none yet";
}

function showTiles(overview) {
  byId("tiles").classList.toggle("with-quality", Boolean(overview.quality));
  byId("tiles").replaceChildren(...tiles(overview).map(({ label, value, unit, note, tone }) => {
    const tile = element("div", "tile");
    tile.dataset.tone = tone ?? "";
    const figure = element("div", "value", value);
    if (unit) figure.append(element("span", "unit", unit));
    tile.append(element("div", "label", label), figure, element("div", "note", note));
    return tile;
  }));
}

function showHead(o) {
  document.title = `${o.pipeline} · Lapwing`;
  byId("pipeline").textContent = o.pipeline;
  const model = o.model ? `model ${o.model}` : "no model, rules only";
  const watermark = o.watermark ? ` · watermark ${shortTime(o.watermark)} UTC` : "";
  byId("run").textContent = `${model} · ${o.transport}${watermark}`;
  byId("version").textContent = `Lapwing ${o.version}, started ${shortTime(o.started)} UTC`;
}

function showPartitions(partitions) {
  byId("partition-count").textContent = `(${partitions.length})`;
  byId("partition-rows").replaceChildren(...partitions.map((p) => {
    const row = element("tr");
    row.append(element("td", "", `${p.topic}[${p.partition}]`), element("td", "number", whole(p.committed)),
      element("td", "number", whole(p.backlog_records)), element("td", "number", whole(p.entities)),
      element("td", "when", shortTime(p.watermark)));
    return row;
  }));
}

function showTypes(o) {
  const types = Object.entries(o.alerts_by_type).sort((a, b) => b[1] - a[1]);
  byId("types").replaceChildren(...types.map(([type, count]) => element("span", "chip", `${type} ${whole(count)}`)));
}

/** An empty table says why, and what to do. */
function showEmpty(o) {
  const empty = byId("empty");
  empty.hidden = o.alerts_total > 0;
  byId("alert-table").hidden = o.alerts_total === 0;
  empty.textContent = o.events_total === 0
    ? `No event has come yet. The pipeline “${o.pipeline}” waits for records (${o.transport}). Send some with “lapwing produce”, or see it all at work with “lapwing demo”.`
    : `No alert yet: ${whole(o.events_total)} events were looked at and none was strange enough.`;
}

function showStatus(state, text) {
  const status = byId("status");
  if (status.textContent !== text) status.textContent = text;
  status.dataset.state = state;
}

function showGone(problem) {
  const since = answeredAt ? `since ${answeredAt.toLocaleTimeString()}` : "so far";
  showStatus("gone", "no answer");
  document.body.classList.add("stale");
  const banner = byId("banner");
  const rest = answeredAt ? " The figures below are of that moment." : "";
  const text = problem.status === 401
    ? "The token is not accepted any more. Open the page again by its link with “?token=…”."
    : `The server has not answered ${since}.${rest} The program may have stopped; this page asks again every second.`;
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = false;
}

function showAlive(ready) {
  answeredAt = new Date();
  document.body.classList.remove("stale");
  byId("banner").hidden = true;
  showStatus(ready.status === "ready" ? "live" : "waiting", ready.status === "ready" ? "live" : (ready.reason ?? "waiting"));
}

async function ask(path, alsoFine = 200) {
  const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE_MS), cache: "no-store" });
  if (!answer.ok && answer.status !== alsoFine) throw Object.assign(new Error(path), { status: answer.status });
  return answer.json();
}

async function poll() {
  try {
    const [overview, ready] = await Promise.all([ask("/api/overview"), ask("/health/ready", 503)]);
    showHead(overview);
    showTiles(overview);
    showTypes(overview);
    showPartitions(overview.partitions);
    for (const chart of charts) chart.draw(overview.history);
    if (overview.started !== runShown) {
      table.clear();
      [runShown, alertsShown] = [overview.started, null];
    }
    if (overview.alerts_total !== alertsShown) {
      table.show((await ask("/api/alerts?limit=100")).alerts);
      alertsShown = overview.alerts_total;
    }
    showEmpty(overview);
    showAlive(ready);
  } catch (problem) {
    showGone(problem);
  }
  setTimeout(poll, POLL_MS);
}

poll();
