// What a chart paints: time axis, a panel for each series, a strip for each setting, what stands under the cursor.

import { number, value } from "./format.js";

export const LEFT = 58;
export const RIGHT = 12;
export const AXIS = 26;
export const STRIP = 30;
const STRIP_GAP = 6;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000, 7776000];
const DAY = 86400;

/** How tall so many strips are. */
export const tallStrips = (count) => count * (STRIP + STRIP_GAP);

/** Make a canvas fit its place, and give what to paint on it with. */
export function begin(canvas, width, height) {
  const ratio = devicePixelRatio || 1;
  canvas.style.height = `${height}px`;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  c.font = `12px ${style.fontFamily}`;
  c.color = (name) => style.getPropertyValue(name).trim();
  return c;
}

/** Lines and times of the axis, from `top` to `bottom`; spelled below when `named`. */
export function axis(c, view, bottom, named) {
  const wanted = (view.until - view.from) / 1000 / Math.max(2, Math.floor((view.width - LEFT) / 110));
  const step = STEPS.find((one) => one >= wanted) ?? STEPS.at(-1);
  const zone = new Date(view.from).getTimezoneOffset() * 60000;
  const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" });
  const time = new Intl.DateTimeFormat(undefined, step >= 60 ? { hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  c.textAlign = "center";
  c.textBaseline = "alphabetic";
  c.strokeStyle = c.color("--line");
  for (let at = Math.ceil((view.from - zone) / (step * 1000)) * step * 1000 + zone; at <= view.until; at += step * 1000) {
    const x = Math.round(view.x(at)) + 0.5;
    line(c, x, 0, x, bottom);
    const midnight = step >= DAY || (at - zone) % (DAY * 1000) === 0;
    c.fillStyle = c.color(midnight ? "--ink" : "--faint");
    if (named && x > LEFT + 12 && x < view.width - 24) c.fillText((midnight ? day : time).format(at), x, bottom + 18);
  }
}

/** A line with its range; returns nothing, but leaves in `one.scale` where a value stands. */
export function panel(c, view, one, top, tall) {
  const seen = one.points.filter(([time]) => time >= view.from - one.gap && time <= view.until + one.gap);
  const values = seen.filter((point) => point[1] !== null);
  const color = c.color(one.color);
  const lower = top + tall;
  const upper = top + 22;
  heading(c, one, top, color);
  c.strokeStyle = c.color("--edge");
  line(c, LEFT, lower + 0.5, view.width - RIGHT, lower + 0.5);
  one.scale = null;
  if (!values.length) {
    c.fillStyle = c.color("--faint");
    c.fillText(one.loading ? "loading…" : "nothing in this time", LEFT + 4, top + tall / 2 + 8);
    return;
  }
  let low = Math.min(...lows(values));
  let high = Math.max(...highs(values));
  const least = 10 ** -one.decimals * 4;
  if (high - low < least) [low, high] = [(low + high - least) / 2, (low + high + least) / 2];
  const margin = (high - low) * 0.08;
  one.scale = (found) => lower - ((found - low + margin) / (high - low + 2 * margin)) * (lower - upper);
  marks(c, view, one, low, high);
  c.save();
  c.beginPath();
  c.rect(LEFT, top, view.width - LEFT - RIGHT, tall);
  c.clip();
  for (const run of runs(seen, one.gap)) curve(c, view, one, run, color);
  c.restore();
  const last = values.at(-1);
  if (view.following && last[0] <= view.until && view.until - last[0] < one.gap) {
    c.fillStyle = color;
    c.beginPath();
    c.arc(view.x(last[0]), one.scale(last[1]), 3, 0, 7);
    c.fill();
  }
}

const lows = (points) => thinned(points).map((point) => point[2]);
const highs = (points) => thinned(points).map((point) => point[3]);

/** So few that they fit into a call's arguments: by the hundred thousand they do not. */
function thinned(points) {
  return points.length > 50_000 ? points.filter((_, at) => at % Math.ceil(points.length / 50_000) === 0) : points;
}

function heading(c, one, top, color) {
  c.textAlign = "left";
  c.textBaseline = "middle";
  c.fillStyle = color;
  c.beginPath();
  c.roundRect(LEFT + 4, top + 5, 10, 10, 3);
  c.fill();
  c.fillStyle = c.color("--ink");
  c.fillText(`${one.label}${one.unit && one.unit !== one.label ? `, ${one.unit}` : ""}`, LEFT + 20, top + 11);
}

function curve(c, view, one, run, color) {
  if (run.some((point) => point[2] !== point[3])) {
    c.beginPath();
    run.forEach(([time, , , most], at) => c[at ? "lineTo" : "moveTo"](view.x(time), one.scale(most)));
    for (const [time, , least] of run.toReversed()) c.lineTo(view.x(time), one.scale(least));
    c.globalAlpha = 0.2;
    c.fillStyle = color;
    c.fill();
    c.globalAlpha = 1;
  }
  c.beginPath();
  run.forEach(([time, mean], at) => c[at ? "lineTo" : "moveTo"](view.x(time), one.scale(mean)));
  if (run.length === 1) c.arc(view.x(run[0][0]), one.scale(run[0][1]), 1.5, 0, 7);
  c.lineWidth = 1.75;
  c.lineJoin = "round";
  c.strokeStyle = color;
  c.stroke();
  c.lineWidth = 1;
}

function marks(c, view, one, low, high) {
  const raw = (high - low) / 3;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((found) => found >= raw);
  const decimals = Math.min(9, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  c.textAlign = "right";
  c.textBaseline = "middle";
  for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) {
    const y = Math.round(one.scale(at)) + 0.5;
    c.fillStyle = c.color("--faint");
    c.fillText(number(at, decimals, 9), LEFT - 8, y);
    c.strokeStyle = c.color("--line");
    line(c, LEFT, y, view.width - RIGHT, y);
  }
}

/** A setting over time: the higher the fuller. Where `one.levels` ends, it goes on to the present. */
export function strip(c, view, one, at) {
  const top = at * (STRIP + STRIP_GAP);
  const most = one.levels.reduce((a, [, level]) => Math.max(a, level), one.high || 0) || 1;
  const end = Math.min(view.until, view.now);
  c.save();
  c.beginPath();
  c.rect(LEFT, top, view.width - LEFT - RIGHT, STRIP);
  c.clip();
  c.fillStyle = c.color("--accent");
  c.globalAlpha = 0.35;
  one.levels.forEach(([time, level], index) => {
    const left = view.x(Math.max(time, view.from));
    const right = view.x(Math.min(one.levels[index + 1]?.[0] ?? end, end));
    const tall = (level / most) * STRIP;
    if (right > left) c.fillRect(left, top + STRIP - tall, Math.max(1, right - left), tall);
  });
  c.restore();
  c.strokeStyle = c.color("--line");
  c.strokeRect(LEFT + 0.5, top + 0.5, view.width - LEFT - RIGHT - 1, STRIP - 1);
  c.textAlign = "left";
  c.textBaseline = "middle";
  c.fillStyle = c.color("--ink");
  c.fillText(one.label, LEFT + 8, top + STRIP / 2);
  c.textAlign = "right";
  c.fillStyle = c.color("--faint");
  const now = levelAt(one, view.cursor === null ? end : view.time(view.cursor));
  c.fillText(now === null ? "–" : one.switched ? (now ? "on" : "off") : value(now), LEFT - 8, top + STRIP / 2);
}

/** What a setting was at a time. */
function levelAt(one, time) {
  return one.levels.findLast(([at]) => at <= time)?.[1] ?? null;
}

/** A line at the cursor, with time and values on the panels. */
export function cursor(c, view, series, bottom) {
  if (view.cursor === null) return;
  const time = view.time(view.cursor);
  c.strokeStyle = c.color("--faint");
  line(c, view.cursor, 0, view.cursor, bottom);
  if (!series) return;
  tag(c, view, new Date(time).toLocaleString(undefined, { dateStyle: "short", timeStyle: "medium" }), bottom + 13);
  for (const one of series) {
    const point = nearest(one.points, time);
    if (!point || point[1] === null || !one.scale || Math.abs(point[0] - time) > one.gap * 2) continue;
    tag(c, view, `${number(point[1], one.decimals)} ${one.unit}`, one.scale(point[1]));
  }
}

/** What is being chosen by dragging. */
export function selection(c, { from, to }, bottom) {
  c.fillStyle = c.color("--accent");
  c.globalAlpha = 0.15;
  c.fillRect(Math.min(from, to), 0, Math.abs(to - from), bottom);
  c.globalAlpha = 1;
}

function tag(c, view, text, y) {
  c.textBaseline = "middle";
  c.textAlign = "left";
  const wide = c.measureText(text).width + 10;
  const x = view.cursor + 6 + wide > view.width - RIGHT ? view.cursor - 6 - wide : view.cursor + 6;
  c.fillStyle = c.color("--ink");
  c.beginPath();
  c.roundRect(x, y - 9, wide, 18, 5);
  c.fill();
  c.fillStyle = c.color("--back");
  c.fillText(text, x + 5, y + 0.5);
}

function line(c, x1, y1, x2, y2) {
  c.beginPath();
  c.moveTo(x1, y1);
  c.lineTo(x2, y2);
  c.stroke();
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
