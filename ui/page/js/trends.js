// The chart of one reactor: history from the database, joined by what arrives live; settings below.

import { get } from "./api.js";
import { Chart } from "./chart.js";
import { fill, h, say } from "./dom.js";
import * as fleet from "./fleet.js";
import { number, words } from "./format.js";

const SPANS = [["1 min", 60], ["10 min", 600], ["1 h", 3600], ["6 h", 21600], ["1 day", 86400], ["1 week", 604800], ["1 month", 2678400], ["1 year", 31622400]];
const SHORTEST = 60; // seconds
const LONGEST = 31622400;
const COLORS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"];
const MOST_POINTS = 700; // across a chart
const LIVE_DAY = 86000; // seconds that live readings are kept
const LIVE_SPAN = 21600; // seconds up to which they are shown, not samples
const KEPT = 1000; // readings that are remembered of each quantity
const AGAIN = 600; // seconds until the database thins what came live, for a page that stays open for days
const STILL = 250; // milliseconds without a gesture before history is asked for
const STRIPS = 5; // shown unless somebody chooses others

export class Trends {
  /** `quantities`: key -> {sensor, quantity, label}; `onChosen(colors)` hears which keys are shown, in which colours. */
  constructor(described, quantities, onChosen) {
    this.name = described.name;
    this.quantities = quantities;
    this.onChosen = onChosen;
    this.settings = settingsOf(described);
    this.chosen = [...quantities.keys()].filter((key) => !quantities.get(key).machine).slice(0, 2);
    this.below = remembered(this.name) ?? [...this.settings.values()].filter((one) => one.main).map((one) => one.key).slice(0, STRIPS);
    this.span = 3600;
    this.until = null; // none while it follows the present
    this.recent = new Map();
    this.chart = new Chart({ onView: (from, until) => this.view(from, until), onNow: () => this.follow(this.span), now: fleet.now });
    this.spans = h("div", { class: "counts", role: "group", "aria-label": "Time shown" });
    this.note = h("p", { class: "note", role: "status" });
    this.files = h("span", { class: "files" });
    this.boxes = h("div", { class: "choices" });
    this.element = h("section", { class: "card chart", "aria-label": "Chart" }, this.spans, this.chart.element, this.note,
      h("div", { class: "head" }, h("details", { class: "chooser", hidden: !this.settings.size }, h("summary", {}, "Settings below the chart"), this.boxes), h("span", { class: "grow" }), this.files));
    this.paintSpans();
    fill(this.boxes, [...this.settings.values()].map((one) => h("label", {}, h("input", { type: "checkbox", checked: this.below.includes(one.key), onchange: (event) => this.put(one.key, event.target.checked) }), one.label)));
    this.tellChosen();
  }

  close() {
    clearTimeout(this.later);
    this.chart.close();
  }

  // what is seen

  choose(key) {
    this.chosen = this.chosen.includes(key) ? this.chosen.filter((one) => one !== key) : [...this.chosen, key].slice(-COLORS.length);
    this.tellChosen();
    this.load();
  }

  tellChosen() {
    this.onChosen(new Map(this.chosen.map((key) => [key, this.color(key)])));
  }

  color(key) {
    return COLORS[[...this.quantities.keys()].indexOf(key) % COLORS.length];
  }

  put(key, wanted) {
    this.below = [...this.settings.keys()].filter((one) => (one === key ? wanted : this.below.includes(one)));
    localStorage.setItem(`strips:${this.name}`, JSON.stringify(this.below));
    this.loadStrips();
  }

  follow(span) {
    this.span = span;
    this.until = null;
    this.paintSpans();
    this.tick();
    this.load();
  }

  /** Look at a time, as far as there is one: a minute to a year, not beyond the present. */
  view(from, until) {
    const now = fleet.now();
    this.span = Math.min(LONGEST, Math.max(SHORTEST, (until - from) / 1000));
    const middle = (from + until) / 2;
    const end = this.span * 1000 === until - from ? until : middle + this.span * 500;
    const stays = this.until === null && until === this.chart.until; // zoomed with the present in its place
    this.until = stays || end >= now ? null : end;
    this.paintSpans();
    this.show();
    clearTimeout(this.later);
    this.later = setTimeout(() => this.load(), STILL);
  }

  get end() {
    return this.until ?? fleet.now();
  }

  tick() {
    if (this.until !== null) return;
    this.show();
    if (performance.now() - this.loaded > AGAIN * 1000) this.load();
  }

  show() {
    this.chart.show(this.end - this.span * 1000, this.end, this.until === null);
  }

  paintSpans() {
    fill(this.spans, SPANS.map(([title, seconds]) => h("button", { class: "chip", "aria-pressed": String(this.until === null && Math.round(this.span) === seconds), onclick: () => this.follow(seconds) }, title)),
      this.until === null ? null : h("button", { class: "chip", onclick: () => this.follow(this.span) }, "Now"));
  }

  // what is shown

  /** Take in what arrived live. */
  read(key, at, value) {
    const recent = this.recent.get(key) ?? [];
    if (recent.length && recent.at(-1)[0] >= at) return;
    recent.push([at, value, value, value]);
    this.recent.set(key, recent.slice(-KEPT));
    const series = this.chart.series.find((one) => one.key === key);
    if (series && (!series.points.length || series.points.at(-1)[0] < at)) series.points.push(recent.at(-1));
  }

  async load() {
    const request = (this.request = Symbol("request"));
    this.loaded = performance.now();
    const until = this.end;
    const from = until - this.span * 1000;
    const known = new Map(this.chart.series.map((one) => [one.key, one]));
    this.chart.series = this.chosen.map((key) => known.get(key) ?? { ...this.empty(key), loading: true });
    this.show();
    const answers = await Promise.allSettled(this.chosen.map((key) => this.points(key, from, until)));
    if (this.request !== request) return;
    this.chart.series = this.chosen.map((key, at) => this.join({ ...this.empty(key), ...(answers[at].value ?? { points: known.get(key)?.points ?? [] }) }));
    const failed = answers.find((one) => one.status === "rejected");
    say(this.note, failed ? `History: ${failed.reason.message}. What arrives live is shown.` : this.chosen.length ? "" : "Choose a reading above to see it here.");
    this.chart.canvas.setAttribute("aria-label", this.told());
    fill(this.files, this.chosen.length ? h("span", { class: "quiet" }, "CSV: ") : null, this.chosen.map((key) => this.file(key, from, until)));
    this.show();
    await this.loadStrips();
  }

  empty(key) {
    const { label, quantity } = this.quantities.get(key);
    return { key, label, unit: quantity.unit, decimals: quantity.decimals, color: this.color(key), gap: 30000, points: [] };
  }

  async points(key, from, until) {
    const { sensor, quantity } = this.quantities.get(key);
    const live = fleet.now() - from < LIVE_DAY * 1000 && this.span <= LIVE_SPAN;
    const pace = live ? sensor.live_interval : sensor.sample_interval;
    const interval = Math.max(1, Math.ceil(this.span / MOST_POINTS));
    const whole = interval > 2 * pace;
    const found = await get(`/reactors/${this.name}/samples`, {
      sensor: sensor.name, quantity: quantity.name, from: iso(from), until: iso(until), source: live ? "readings" : "samples",
      ...(whole ? { interval, aggregate: ["avg", "min", "max"] } : {}),
    });
    const points = found.rows.map(([ts, mean, low, high]) => (whole ? [Date.parse(ts), mean, low, high] : [Date.parse(ts), mean, mean, mean]));
    return { points, gap: 1000 * Math.max(3 * pace, 2.5 * (whole ? interval : 0), 20) };
  }

  join(series) {
    const last = series.points.at(-1)?.[0] ?? 0;
    const more = this.until === null ? (this.recent.get(series.key) ?? []).filter(([at]) => at > last) : [];
    return { ...series, points: [...series.points, ...more] };
  }

  file(key, from, until) {
    const { sensor, quantity, label } = this.quantities.get(key);
    const query = new URLSearchParams({ sensor: sensor.name, quantity: quantity.name, from: iso(from), until: iso(until), format: "csv" });
    return h("a", { download: "", href: `/api/reactors/${this.name}/samples?${query}` }, label);
  }

  /** The chart in words, for who does not see it. */
  told() {
    const said = this.chart.series.map(({ label, unit, decimals, points }) => {
      const values = points.map((point) => point[1]).filter((one) => one !== null);
      return values.length ? `${label} ${number(Math.min(...values), decimals)} to ${number(Math.max(...values), decimals)} ${unit}` : `${label}: nothing`;
    });
    return `Chart. ${said.join("; ")}. Arrow keys move, plus and minus zoom.`;
  }

  async loadStrips() {
    const from = this.end - this.span * 1000;
    const ask = (device, setting) => get(`/reactors/${this.name}/settings/${device}/levels`, { setting, from: iso(from), until: iso(this.end) })
      .then((rows) => rows.map((one) => [Date.parse(one.ts), one.number])).catch(() => []);
    const strips = await Promise.all(this.below.filter((key) => this.settings.has(key)).map(async (key) => {
      const { device, setting, label, gate } = this.settings.get(key);
      const [levels, gates] = await Promise.all([ask(device, setting.name), gate ? ask(device, gate) : null]);
      return { label, high: setting.high, switched: setting.kind === "switch", levels: gates ? gated(levels, gates) : levels };
    }));
    this.chart.strips = strips;
    this.chart.draw();
  }
}

const iso = (time) => new Date(time).toISOString();

/** Every setting with numbers to show; a device's level stands for the device, and is 0 while its switch is off. */
function settingsOf({ devices }) {
  const found = new Map();
  for (const device of devices) {
    for (const setting of device.settings.filter((one) => one.kind === "number" || one.kind === "switch")) {
      const main = setting.name === device.ramped || (!device.ramped && setting.name === device.cycled);
      const gate = setting.name === device.ramped && device.cycled ? device.cycled : null;
      const unit = setting.unit ? `, ${setting.unit}` : "";
      const label = main ? `${device.label}${unit}` : `${device.label}: ${words(setting.name).toLowerCase()}${unit}`;
      const key = `${device.name}.${setting.name}`;
      found.set(key, { key, device: device.name, setting, label, main, gate });
    }
  }
  return found;
}

/** Levels that are 0 while a switch is off. */
function gated(levels, gates) {
  const times = [...new Set([...levels, ...gates].map(([at]) => at))].toSorted((a, b) => a - b);
  let level = null;
  let open = 1;
  const [a, b] = [new Map(levels), new Map(gates)];
  return times.flatMap((at) => {
    level = a.get(at) ?? level;
    open = b.get(at) ?? open;
    return level === null ? [] : [[at, open ? level : 0]];
  });
}

function remembered(name) {
  try {
    const found = JSON.parse(localStorage.getItem(`strips:${name}`));
    return Array.isArray(found) ? found : null;
  } catch {
    return null;
  }
}
