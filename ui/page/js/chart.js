// Panels over one time axis on a canvas: a line with its range for each series, a band for each setting.

import { number, value } from "./format.js";

const PANEL = 132;
const BAND = 34;
const GAP = 14;
const LEFT = 58;
const RIGHT = 12;
const AXIS = 26;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000];

/** `series`: {label, unit, decimals, color, gap, points: [[ms, mean, low, high]]}; `bands`: {label, unit, levels: [[ms, number]]}. */
export class Chart {
  constructor(canvas, { onZoom }) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.series = [];
    this.bands = [];
    this.from = 0;
    this.until = 1;
    this.cursor = null;
    this.drag = null;
    this.onZoom = onZoom;
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(canvas.parentElement);
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", () => this.release());
    canvas.addEventListener("pointerleave", () => { if (!this.drag) { this.cursor = null; this.draw(); } });
    canvas.addEventListener("keydown", (event) => this.key(event));
    this.retheme = () => this.draw();
    addEventListener("theme", this.retheme);
  }

  close() {
    this.observer.disconnect();
    removeEventListener("theme", this.retheme);
  }

  show(from, until) {
    this.from = from;
    this.until = until;
    this.draw();
  }

  x(time) {
    return LEFT + ((time - this.from) / (this.until - this.from)) * (this.width - LEFT - RIGHT);
  }

  time(x) {
    return this.from + ((x - LEFT) / (this.width - LEFT - RIGHT)) * (this.until - this.from);
  }

  press(event) {
    this.drag = { from: event.offsetX, to: event.offsetX };
    this.canvas.setPointerCapture(event.pointerId);
  }

  move(event) {
    this.cursor = Math.min(Math.max(event.offsetX, LEFT), this.width - RIGHT);
    if (this.drag) this.drag.to = this.cursor;
    this.draw();
  }

  release() {
    const { from, to } = this.drag ?? { from: 0, to: 0 };
    this.drag = null;
    if (Math.abs(to - from) > 8) this.onZoom(this.time(Math.min(from, to)), this.time(Math.max(from, to)));
    else this.draw();
  }

  key(event) {
    const span = this.until - this.from;
    const moves = { ArrowLeft: [-0.25, -0.25], ArrowRight: [0.25, 0.25], "+": [0.25, -0.25], "-": [-0.5, 0.5] };
    const found = moves[event.key];
    if (!found) return;
    event.preventDefault();
    this.onZoom(this.from + found[0] * span, this.until + found[1] * span);
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    const height = this.series.length * (PANEL + GAP) + this.bands.length * (BAND + GAP / 2) + AXIS;
    const ratio = devicePixelRatio || 1;
    this.width = this.canvas.parentElement.clientWidth;
    this.canvas.style.height = `${height}px`;
    if (this.canvas.width !== Math.round(this.width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(this.width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    const c = this.context;
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, this.width, height);
    const style = getComputedStyle(this.canvas);
    this.colors = Object.fromEntries(["ink", "faint", "line", "accent", "back"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    c.font = `12px ${style.fontFamily}`;
    this.ticks(height);
    let top = 0;
    for (const one of this.series) {
      this.panel(one, top, style);
      top += PANEL + GAP;
    }
    for (const band of this.bands) {
      this.band(band, top);
      top += BAND + GAP / 2;
    }
    this.overlay(height);
  }

  ticks(height) {
    const c = this.context;
    const wanted = (this.until - this.from) / 1000 / Math.max(2, Math.floor((this.width - LEFT) / 110));
    const step = (STEPS.find((one) => one >= wanted) ?? STEPS.at(-1)) * 1000;
    const zone = new Date(this.from).getTimezoneOffset() * 60000;
    const spell = new Intl.DateTimeFormat(undefined, step >= 86400000
      ? { month: "short", day: "numeric" }
      : step >= 60000 ? { hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", second: "2-digit" });
    c.textAlign = "center";
    c.textBaseline = "alphabetic";
    for (let at = Math.ceil((this.from - zone) / step) * step + zone; at <= this.until; at += step) {
      const x = Math.round(this.x(at)) + 0.5;
      c.strokeStyle = this.colors.line;
      c.beginPath();
      c.moveTo(x, 0);
      c.lineTo(x, height - AXIS);
      c.stroke();
      c.fillStyle = this.colors.faint;
      if (x > LEFT + 12 && x < this.width - 24) c.fillText(spell.format(at), x, height - 8);
    }
  }

  panel(one, top, style) {
    const c = this.context;
    const seen = one.points.filter(([time]) => time >= this.from - one.gap && time <= this.until + one.gap);
    const lows = seen.map((point) => point[2]).filter((found) => found !== null);
    const highs = seen.map((point) => point[3]).filter((found) => found !== null);
    let low = lows.reduce((a, b) => Math.min(a, b), Infinity);
    let high = highs.reduce((a, b) => Math.max(a, b), -Infinity);
    c.fillStyle = this.colors.ink;
    c.textAlign = "left";
    c.textBaseline = "top";
    c.fillText(`${one.label}${one.unit && one.unit !== one.label ? `, ${one.unit}` : ""}`, LEFT + 4, top);
    const upper = top + 20;
    const lower = top + PANEL;
    c.strokeStyle = this.colors.line;
    c.beginPath();
    c.moveTo(LEFT, lower + 0.5);
    c.lineTo(this.width - RIGHT, lower + 0.5);
    c.stroke();
    if (!lows.length) {
      c.fillStyle = this.colors.faint;
      c.fillText("nothing in this time", LEFT + 4, top + PANEL / 2);
      return;
    }
    const least = 10 ** -one.decimals * 4;
    if (high - low < least) [low, high] = [(low + high - least) / 2, (low + high + least) / 2];
    const margin = (high - low) * 0.08;
    one.scale = (found) => lower - ((found - low + margin) / (high - low + 2 * margin)) * (lower - upper);
    this.marks(one, low, high);
    const color = style.getPropertyValue(one.color).trim();
    c.save();
    c.beginPath();
    c.rect(LEFT, top, this.width - LEFT - RIGHT, PANEL);
    c.clip();
    for (const run of runs(seen, one.gap)) {
      c.beginPath();
      run.forEach(([time, , , most], at) => c[at ? "lineTo" : "moveTo"](this.x(time), one.scale(most)));
      [...run].reverse().forEach(([time, , least_]) => c.lineTo(this.x(time), one.scale(least_)));
      c.globalAlpha = 0.18;
      c.fillStyle = color;
      c.fill();
      c.globalAlpha = 1;
      c.beginPath();
      run.forEach(([time, mean], at) => c[at ? "lineTo" : "moveTo"](this.x(time), one.scale(mean)));
      if (run.length === 1) c.arc(this.x(run[0][0]), one.scale(run[0][1]), 1.5, 0, 7);
      c.lineWidth = 1.75;
      c.lineJoin = "round";
      c.strokeStyle = color;
      c.stroke();
      c.lineWidth = 1;
    }
    c.restore();
  }

  marks(one, low, high) {
    const c = this.context;
    const raw = (high - low) / 3;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((factor) => factor * power).find((found) => found >= raw);
    const decimals = Math.min(9, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
    c.textAlign = "right";
    c.textBaseline = "middle";
    c.fillStyle = this.colors.faint;
    for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) {
      c.fillText(number(at, decimals), LEFT - 8, one.scale(at));
      c.strokeStyle = this.colors.line;
      c.beginPath();
      c.moveTo(LEFT, Math.round(one.scale(at)) + 0.5);
      c.lineTo(this.width - RIGHT, Math.round(one.scale(at)) + 0.5);
      c.stroke();
    }
  }

  band(band, top) {
    const c = this.context;
    const most = band.levels.reduce((a, [, level]) => Math.max(a, level), band.high || 0) || 1;
    c.fillStyle = this.colors.ink;
    c.textAlign = "right";
    c.textBaseline = "middle";
    c.save();
    c.beginPath();
    c.rect(LEFT, top, this.width - LEFT - RIGHT, BAND);
    c.clip();
    c.fillStyle = this.colors.accent;
    c.globalAlpha = 0.35;
    band.levels.forEach(([time, level], at) => {
      const begin = this.x(Math.max(time, this.from));
      const end = this.x(Math.min(band.levels[at + 1]?.[0] ?? band.until, this.until));
      const tall = (level / most) * BAND;
      if (end > begin) c.fillRect(begin, top + BAND - tall, Math.max(1, end - begin), tall);
    });
    c.restore();
    c.fillStyle = this.colors.faint;
    c.textAlign = "left";
    c.fillText(band.label, LEFT + 4, top + BAND / 2);
    c.strokeStyle = this.colors.line;
    c.strokeRect(LEFT + 0.5, top + 0.5, this.width - LEFT - RIGHT - 1, BAND);
    band.top = top;
  }

  overlay(height) {
    const c = this.context;
    if (this.drag) {
      c.fillStyle = this.colors.accent;
      c.globalAlpha = 0.15;
      c.fillRect(Math.min(this.drag.from, this.drag.to), 0, Math.abs(this.drag.to - this.drag.from), height - AXIS);
      c.globalAlpha = 1;
    }
    if (this.cursor === null) return;
    const time = this.time(this.cursor);
    c.strokeStyle = this.colors.faint;
    c.beginPath();
    c.moveTo(this.cursor, 0);
    c.lineTo(this.cursor, height - AXIS);
    c.stroke();
    this.tag(new Date(time).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" }), height - AXIS + 12);
    for (const one of this.series) {
      const point = nearest(one.points, time);
      if (!point || point[1] === null || Math.abs(point[0] - time) > one.gap * 2 || !one.scale) continue;
      this.tag(`${number(point[1], one.decimals)} ${one.unit}`, one.scale(point[1]));
    }
    for (const band of this.bands) {
      const level = band.levels.filter(([at]) => at <= time).at(-1);
      if (level) this.tag(value(level[1], band.unit), band.top + BAND / 2);
    }
  }

  tag(text, y) {
    const c = this.context;
    c.textBaseline = "middle";
    c.textAlign = "left";
    const wide = c.measureText(text).width + 10;
    const x = this.cursor + 6 + wide > this.width - RIGHT ? this.cursor - 6 - wide : this.cursor + 6;
    c.fillStyle = this.colors.ink;
    c.beginPath();
    c.roundRect(x, y - 9, wide, 18, 5);
    c.fill();
    c.fillStyle = this.colors.back;
    c.fillText(text, x + 5, y + 0.5);
  }
}

/** Split where values are missing or times too far apart. */
function runs(points, gap) {
  const found = [];
  let run = [];
  for (const point of points) {
    if (run.length && (point[1] === null || point[0] - run.at(-1)[0] > gap)) {
      found.push(run);
      run = [];
    }
    if (point[1] !== null) run.push(point);
  }
  if (run.length) found.push(run);
  return found;
}

function nearest(points, time) {
  let low = 0;
  let high = points.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < time) low = middle;
    else high = middle;
  }
  const [a, b] = [points[low], points[high]];
  return a && b && time - a[0] > b[0] - time ? b : a;
}
