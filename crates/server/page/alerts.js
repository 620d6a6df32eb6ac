// The table of alerts. All text that comes from events is set as text, never as markup.

const ROWS_MAX = 100;

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** `2026-01-02T03:04:05.678901Z` as `01-02 03:04:05.678`; anything else as it is. */
export function shortTime(text) {
  const parts = /^\d{4}-(\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d{1,3})?/.exec(text ?? "");
  return parts ? `${parts[1]} ${parts[2]}${parts[3] ?? ""}` : (text ?? "–");
}

export function plainNumber(value) {
  if (value === null || value === undefined) return "missing";
  const size = Math.abs(value);
  if (size >= 1e15 || (size > 0 && size < 1e-4)) return value.toExponential(2);
  return value.toLocaleString("en-US", size >= 1e4 ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: 4 });
}

/** Enough digits to tell one rare thing from a rarer one: `0.997`, `0.99972`, `0.9999981`. */
function scoreText(score) {
  const rarity = 1 - score;
  const digits = rarity > 0 ? Math.ceil(-Math.log10(rarity)) + 1 : 9;
  return String(+score.toFixed(Math.min(Math.max(digits, 2), 9)));
}

/** A tail probability as the odds that people can picture. */
function odds(probability) {
  const rows = 1 / probability;
  return rows < 2 ? "as common as most rows" : `1 in ${Math.round(+rows.toPrecision(3)).toLocaleString("en-US")} normal rows`;
}

function bar(name, figure, share, note, tone) {
  const row = element("div", "bar-row");
  const head = element("div", "bar-head");
  head.append(element("span", "", name), element("span", "", figure));
  const track = element("div", `track ${tone}`);
  const fill = element("div");
  fill.style.width = `${Math.min(Math.max(share, 0), 1) * 100}%`;
  track.append(fill);
  row.append(head, track, element("div", "bar-note", note));
  return row;
}

function section(title, ...content) {
  const made = element("section");
  made.append(element("h3", "", title), ...content);
  return made;
}

/** What is seen against what is usual, and how many times as much where that means something. */
function comparison(actual, expected) {
  const times = actual !== null && expected > 0 ? actual / expected : 0;
  const factor = times >= 1.5 ? ` (${+times.toPrecision(2)} ×)` : "";
  return `is ${plainNumber(actual)}, usually ${plainNumber(expected)}${factor}`;
}

function contributions(alert) {
  const rows = alert.contributions.map(({ input, share, actual, expected }) =>
    bar(input, `${(share * 100).toFixed(0)} %`, share, comparison(actual, expected), ""));
  return section("Why: inputs that had most to do with it", ...(rows.length ? rows : [element("p", "muted", "A rule decided, no model.")]));
}

function detectors(alert) {
  // Six orders of magnitude fill the bar: rarer than one in a million looks the same to people.
  const rows = alert.detectors.map(({ detector, raw, tail_probability: tail }) =>
    bar(detector, `raw ${plainNumber(raw)}`, -Math.log10(tail) / 6, odds(tail), "amber"));
  return section("What each detector said", ...(rows.length ? rows : [element("p", "muted", "None scored this event.")]));
}

const FINDINGS = { too_many: "too many", too_few: "too few", new: "new", out_of_order: "out of order" };

/** What is strange about the templates of log messages; nothing where the alert is of no log. */
function templates(alert) {
  const list = element("dl");
  for (const { template, text, finding, actual, expected, instead_of: usual } of alert.templates ?? []) {
    const lines = expected === undefined
      ? `line ${plainNumber(actual)}${usual ? `, where ${usual} usually stands` : ""}`
      : `${plainNumber(actual)} lines, usually ${plainNumber(expected)}`;
    list.append(element("dt", "", template), element("dd", "", `${FINDINGS[finding] ?? finding}: ${lines}${text ? ` — ${text}` : ""}`));
  }
  return list.children.length ? [section("Templates of its lines", list)] : [];
}

/** The lines that were kept. */
function lines(alert) {
  const list = element("ul", "positions");
  for (const { position, text, is_cut: cut } of alert.lines ?? []) {
    const item = element("li", "", `${text}${cut ? " …" : ""}`);
    item.title = `${position.topic}[${position.partition}]@${position.offset}`;
    list.append(item);
  }
  return list.children.length ? [section("First and last lines", list)] : [];
}

function origin(alert) {
  const list = element("dl");
  const facts = [
    ["alert", alert.id], ["event", alert.event_id], ["model", alert.model],
    ["score", `${scoreText(alert.score)}, flagged from ${scoreText(alert.threshold)} on`], ["raised", shortTime(alert.detected)],
    ["took", alert.latency_ms === null ? null : `${plainNumber(alert.latency_ms)} ms from readable event to alert`],
  ];
  for (const [name, value] of facts.filter(([, value]) => value)) list.append(element("dt", "", name), element("dd", "", value));
  const positions = element("ul", "positions");
  for (const { topic, partition, offset } of alert.positions) {
    const item = element("li");
    item.append(element("code", "", `${topic}[${partition}]@${offset}`));
    positions.append(item);
  }
  return section("Where it comes from", list, element("h3", "", "Raw events"), positions);
}

function detailsRow(alert, id) {
  const row = element("tr", "details");
  row.id = id;
  const cell = element("td");
  cell.colSpan = 7;
  const grid = element("div", "detail-grid");
  grid.append(...templates(alert), contributions(alert), detectors(alert), ...lines(alert), origin(alert));
  cell.append(grid);
  row.append(cell);
  return row;
}

function alertRow(alert, index) {
  const row = element("tr", "alert");
  const button = element("button", "expand");
  const id = `details-${index}`;
  button.type = "button";
  button.setAttribute("aria-expanded", "false");
  button.setAttribute("aria-label", `Details of ${alert.type} at ${alert.entity}`);
  const first = element("td");
  first.append(button);
  const severity = element("td");
  const badge = element("span", "severity", alert.severity);
  badge.dataset.severity = alert.severity;
  severity.append(badge);
  row.append(first, element("td", "when", shortTime(alert.event_time)), severity, element("td", "", alert.type),
    element("td", "entity", alert.entity), element("td", "number", scoreText(alert.score)), element("td", "summary", alert.summary));
  row.addEventListener("click", (event) => {
    // Selecting text must not close what is being read.
    if (event.target !== button && String(getSelection())) return;
    toggle(row, button, alert, id);
  });
  return row;
}

function toggle(row, button, alert, id) {
  const open = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!open));
  if (open) {
    button.removeAttribute("aria-controls");
    row.nextElementSibling.remove();
  } else {
    button.setAttribute("aria-controls", id);
    row.after(detailsRow(alert, id));
  }
}

/** Keeps the rows that are shown already, so that open details, focus and selection survive the next poll. */
export class AlertTable {
  constructor(body) {
    Object.assign(this, { body, rows: new Map(), made: 0 });
  }

  /** Another run has begun: what is open here belongs to the old one. */
  clear() {
    this.rows.clear();
    this.body.replaceChildren();
  }

  show(alerts) {
    const newest = alerts.slice(0, ROWS_MAX);
    const first = this.rows.size === 0;
    const known = new Set(newest.map((alert) => alert.id));
    for (const [id, row] of this.rows) {
      const opened = row.nextElementSibling?.className === "details";
      if (known.has(id) || opened) continue;
      row.remove();
      this.rows.delete(id);
    }
    for (const alert of [...newest].reverse()) {
      if (this.rows.has(alert.id)) continue;
      const row = alertRow(alert, this.made++);
      if (!first) row.classList.add("fresh");
      this.rows.set(alert.id, row);
      this.body.prepend(row);
    }
  }
}
