// Small time charts as SVG: one series over the last ten minutes, with axes and units.

const SVG = "http://www.w3.org/2000/svg";
const SPAN_MS = 600_000;
const HEIGHT = 170;
const EDGE = { left: 46, right: 8, top: 12, bottom: 22 };

function svg(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent?.append(element);
  return element;
}

/** Smallest of 1, 2, 5 times a power of ten that divides `range` into at most `parts` steps. */
export function niceStep(range, parts) {
  const power = 10 ** Math.floor(Math.log10(range / parts));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => range / step <= parts);
}

export function shortNumber(value) {
  if (value >= 1e6) return `${+(value / 1e6).toPrecision(3)} M`;
  if (value >= 10_000) return `${+(value / 1e3).toPrecision(3)} k`;
  return `${+value.toPrecision(3)}`;
}

/** A chart that owns one `<figure>`; `draw` replaces its picture. `kind` is `line`, `bars` or `dots`. */
export class Chart {
  constructor(parent, { title, unit, tone, kind, value }) {
    Object.assign(this, { title, unit, tone, kind, value, points: [], cursor: null });
    this.figure = document.createElement("figure");
    this.figure.className = "chart";
    const caption = document.createElement("figcaption");
    const name = document.createElement("span");
    name.textContent = `${title} (${unit})`;
    this.reading = document.createElement("span");
    this.reading.className = "reading";
    caption.append(name, this.reading);
    this.picture = svg("svg", { role: "img" });
    this.figure.append(caption, this.picture);
    parent.append(this.figure);
    this.picture.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.picture.addEventListener("pointerleave", () => this.point(null));
    new ResizeObserver(() => this.paint()).observe(this.figure);
  }

  draw(points) {
    this.points = points.filter((point) => this.value(point) !== null);
    this.end = points.length ? points[points.length - 1].t : 0;
    this.paint();
  }

  point(x) {
    this.cursor = x;
    this.paint();
  }

  paint() {
    const width = Math.max(this.picture.clientWidth, 160);
    this.picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    this.picture.replaceChildren();
    this.plotWidth = width - EDGE.left - EDGE.right;
    this.plotHeight = HEIGHT - EDGE.top - EDGE.bottom;
    const highest = Math.max(...this.points.map(this.value), 0);
    const step = highest > 0 ? niceStep(highest, 4) : 1;
    this.step = this.kind === "bars" ? Math.max(step, 1) : step;
    this.top = Math.max(Math.ceil(highest / this.step), 1) * this.step;
    this.paintAxes();
    if (this.points.length) this.paintSeries();
    this.describe(highest);
  }

  x(t) {
    return EDGE.left + this.plotWidth * (1 - (this.end - t) / SPAN_MS);
  }

  y(value) {
    return EDGE.top + this.plotHeight * (1 - value / this.top);
  }

  paintAxes() {
    const right = EDGE.left + this.plotWidth;
    const bottom = this.y(0);
    for (let value = 0; value <= this.top * 1.0001; value += this.step) {
      const y = this.y(value);
      svg("line", { x1: EDGE.left, x2: right, y1: y, y2: y, class: value ? "grid" : "axis" }, this.picture);
      const label = svg("text", { x: EDGE.left - 6, y: y + 4, "text-anchor": "end" }, this.picture);
      label.textContent = shortNumber(value);
    }
    for (const minutes of this.plotWidth < 420 ? [10, 5, 0] : [10, 8, 6, 4, 2, 0]) {
      const x = EDGE.left + this.plotWidth * (1 - minutes / 10);
      const anchor = minutes === 0 ? "end" : minutes === 10 ? "start" : "middle";
      const label = svg("text", { x, y: bottom + 16, "text-anchor": anchor }, this.picture);
      label.textContent = minutes === 0 ? "now" : `−${minutes} min`;
    }
  }

  paintSeries() {
    const tone = `tone-${this.tone}`;
    const bottom = this.y(0);
    if (this.kind === "bars") {
      const width = Math.max(this.plotWidth / 600, 1.4);
      for (const point of this.points.filter((point) => this.value(point) > 0)) {
        const y = this.y(this.value(point));
        svg("rect", { x: this.x(point.t) - width, y, width, height: bottom - y, class: `bar ${tone}` }, this.picture);
      }
      return;
    }
    if (this.kind === "dots") {
      for (const point of this.points) {
        svg("circle", { cx: this.x(point.t), cy: this.y(this.value(point)), r: 1.8, class: `bar ${tone}` }, this.picture);
      }
      return;
    }
    const line = this.points.map((point) => `${this.x(point.t).toFixed(1)},${this.y(this.value(point)).toFixed(1)}`);
    const [first, last] = [this.points[0], this.points[this.points.length - 1]];
    const area = `${this.x(first.t)},${bottom} ${line.join(" ")} ${this.x(last.t)},${bottom}`;
    svg("polygon", { points: area, class: `series-area ${tone}` }, this.picture);
    svg("polyline", { points: line.join(" "), class: `series-line ${tone}` }, this.picture);
  }

  /** What the pointer is on, else the newest value; and the same as a sentence for those who do not see it. */
  describe(highest) {
    const newest = this.points[this.points.length - 1];
    let shown = newest;
    if (this.cursor !== null && newest) {
      const distance = (point) => Math.abs(this.x(point.t) - this.cursor);
      shown = this.points.reduce((best, point) => (distance(point) < distance(best) ? point : best));
      const x = this.x(shown.t);
      svg("line", { x1: x, x2: x, y1: EDGE.top, y2: this.y(0), class: "cursor" }, this.picture);
    }
    const text = shown ? shortNumber(this.value(shown)) : "no data yet";
    const seconds = shown ? Math.round((this.end - shown.t) / 1000) : 0;
    this.reading.textContent = seconds > 0 ? `${text}, ${seconds} s ago` : text;
    const spoken = newest ? `now ${shortNumber(this.value(newest))}, at most ${shortNumber(highest)}` : "no data yet";
    this.picture.setAttribute("aria-label", `${this.title} in ${this.unit} over the last ten minutes: ${spoken}`);
  }
}
