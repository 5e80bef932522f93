// One reactor: live values, charts that join live to history, settings, acts, calibration, events.

import { get } from "./api.js";
import { Chart } from "./chart.js";
import { fill, h, icon, look, say } from "./dom.js";
import * as fleet from "./fleet.js";
import { age, moment, number, quality, value, words } from "./format.js";
import { TargetCard } from "./target.js";

const SPANS = [["10 min", 600], ["1 h", 3600], ["6 h", 21600], ["1 day", 86400], ["1 week", 604800], ["1 month", 2678400], ["1 year", 31622400]];
const COLORS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"];
const LIVES = { ok: "live", stale: "no word for some seconds", lost: "away" };
const MOST_POINTS = 700; // across a chart
const LIVE_DAY = 86000; // seconds that live readings are kept
const STEADY = 12; // readings that tell how steady a value is

/** Show a reactor; returns what ends it. */
export async function showReactor(main, me, name) {
  const described = await get(`/reactors/${name}`);
  const view = new ReactorView(described, me);
  fill(main, view.element);
  document.title = `${described.label} · Reactorium`;
  await view.begin();
  return () => view.end();
}

class ReactorView {
  constructor(described, me) {
    this.me = me;
    this.name = described.name;
    this.element = h("div", { class: "reactor" });
    this.chosen = new Set(described.sensors.filter((one) => !isMachine(one)).slice(0, 2).map((one) => `${one.name}.${one.quantities[0]?.name}`));
    this.span = 3600;
    this.until = null; // none while it follows the present
    this.recent = new Map();
    this.build(described);
  }

  build(described) {
    this.described = described;
    this.chart?.close();
    this.life = h("span", { class: "life" });
    this.heard = h("span", { class: "quiet" });
    this.banner = h("div", { class: "banner", role: "alert", hidden: true });
    this.tiles = new Map();
    const tiles = (sensors) => sensors.flatMap((sensor) => sensor.quantities.map((quantity) => this.tile(sensor, quantity)));
    const values = tiles(described.sensors.filter((one) => !isMachine(one)));
    const machine = tiles(described.sensors.filter(isMachine));
    const canvas = h("canvas", { tabindex: "0", role: "img", "aria-label": "Chart of the chosen sensors. Arrow keys move, plus and minus zoom." });
    const holder = h("div", { class: "canvas" }, canvas);
    this.chart = new Chart(canvas, { onZoom: (from, until) => this.zoom(from, until) });
    this.spans = h("div", { class: "counts", role: "group", "aria-label": "Time shown" });
    this.chartNote = h("p", { class: "note" });
    this.csv = h("a", { class: "button plain", download: "" }, "CSV");
    this.cards = [
      ...described.devices.map((device) => new TargetCard(this.name, device, this.me)),
    ];
    const sensors = described.sensors.filter((one) => !isMachine(one) && (one.settings.length || one.acts.length));
    this.probes = sensors.map((sensor) => {
      const card = new TargetCard(this.name, sensor, this.me, { first: false });
      const steady = h("p", { class: "steady" });
      card.element.querySelector(".head").after(steady);
      return { sensor, card, steady };
    });
    this.events = h("div", { class: "events" });
    this.history = h("div", { class: "events" });
    fill(this.element,
      h("div", { class: "toolbar" }, h("a", { class: "back", href: "/", "aria-label": "All reactors" }, icon("back")),
        h("h1", {}, described.label), this.life, this.heard, h("span", { class: "grow" }),
        h("span", { class: "quiet" }, [described.software, described.live.manager].filter(Boolean).join(" · "))),
      this.banner,
      h("section", { "aria-label": "Readings", class: "now" }, values),
      h("section", { class: "card chart", "aria-label": "Chart" }, h("div", { class: "head" }, this.spans, h("span", { class: "grow" }), this.csv), holder, this.chartNote),
      this.cards.length ? h("h2", {}, "Devices") : null,
      h("div", { class: "targets" }, this.cards.map((one) => one.element)),
      this.probes.length ? h("details", {}, h("summary", {}, "Sensors: settings and calibration"), h("div", { class: "targets" }, this.probes.map((one) => one.card.element))) : null,
      machine.length ? h("details", {}, h("summary", {}, "The computer and the process"), h("div", { class: "now small" }, machine)) : null,
      h("div", { class: "halves" },
        h("section", {}, h("h2", {}, "Changes"), this.history), h("section", {}, h("h2", {}, "Events"), this.events)));
    this.showSpans();
  }

  tile(sensor, quantity) {
    const key = `${sensor.name}.${quantity.name}`;
    const text = h("span", { class: "number" }, "–");
    const state = h("span", { class: "quality" });
    const element = h("button", { class: "reading", "aria-pressed": String(this.chosen.has(key)), title: "Show in the chart", onclick: () => this.choose(key) },
      h("span", { class: "label" }, sensor.quantities.length > 1 || sensor.name === "self" ? `${sensor.label}: ${words(quantity.name).toLowerCase()}` : sensor.label),
      h("span", {}, text, h("small", {}, ` ${quantity.unit}`)), state);
    this.tiles.set(key, { element, text, state, sensor, quantity });
    return element;
  }

  async begin() {
    fleet.look(this.name);
    this.stop = fleet.listen((names) => { if (names.has(this.name)) this.hear(); });
    this.timer = setInterval(() => this.tick(), 1000);
    this.take(this.described.live);
    await Promise.all([this.load(), this.loadEvents()]);
  }

  end() {
    fleet.look();
    this.stop?.();
    clearInterval(this.timer);
    this.chart.close();
  }

  async hear() {
    const known = fleet.reactors.get(this.name);
    if (!known) return;
    if (known.sensors.length !== this.described.sensors.length || known.devices.length !== this.described.devices.length || known.label !== this.described.label) {
      this.build(await get(`/reactors/${this.name}`));
      this.load();
    }
    this.take(known.live);
  }

  take(live) {
    const before = this.live;
    this.live = live;
    look(this.life, `life ${live.life}`);
    say(this.life, LIVES[live.life]);
    const trouble = live.life === "lost"
      ? "This reactor is away. It goes on by itself; what you change is kept, and applied when it is back."
      : live.troubles.join(" · ");
    this.banner.hidden = !trouble;
    look(this.banner, `banner ${live.life === "lost" ? "lost" : ""}`);
    say(this.banner, trouble);
    for (const reading of live.readings) this.read(reading);
    for (const card of this.cards) card.update(live);
    for (const { sensor, card, steady } of this.probes) {
      card.update(live);
      this.tellSteady(sensor, steady);
    }
    if (!before || before.targets.some((one) => one.revision !== live.targets.find((other) => other.name === one.name)?.revision)) {
      clearTimeout(this.later);
      this.later = setTimeout(() => { this.loadEvents(); this.loadBands(); }, before ? 2500 : 0);
    }
    if (this.until === null) this.follow();
    this.tick();
  }

  read(reading) {
    const key = `${reading.sensor}.${reading.quantity}`;
    const tile = this.tiles.get(key);
    if (!tile) return;
    say(tile.text, number(reading.value, tile.quantity.decimals));
    say(tile.state, quality(reading.quality));
    look(tile.element, `reading ${reading.quality}${this.live.life === "ok" ? "" : " old"}`);
    const at = Date.parse(reading.taken);
    const recent = this.recent.get(key) ?? [];
    if (recent.length && recent.at(-1)[0] >= at) return;
    recent.push([at, reading.value, reading.value, reading.value]);
    this.recent.set(key, recent.slice(-1000));
    const series = this.chart.series.find((one) => one.key === key);
    if (series && (!series.points.length || series.points.at(-1)[0] < at)) series.points.push(recent.at(-1));
  }

  tellSteady(sensor, steady) {
    const quantity = sensor.quantities[0];
    const values = (this.recent.get(`${sensor.name}.${quantity?.name}`) ?? []).slice(-STEADY).map((one) => one[1]).filter((one) => one !== null);
    if (!quantity || !values.length) return say(steady, "No value yet");
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const spread = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
    const calm = values.length >= 5 && spread <= 3 * 10 ** -quantity.decimals;
    say(steady, `Now ${number(values.at(-1), quantity.decimals)} ${quantity.unit}${values.length < 5 ? "" : `, ± ${number(spread, quantity.decimals + 1)} over the last ${values.length} readings: ${calm ? "steady" : "still moving"}`}`);
    look(steady, `steady ${calm ? "good" : ""}`);
  }

  tick() {
    say(this.heard, this.live?.heard ? `${age(fleet.since(this.live.heard))} ago` : "");
    if (this.until === null) this.follow();
  }

  follow() {
    const until = fleet.now();
    this.chart.show(until - this.span * 1000, until);
    for (const band of this.chart.bands) band.until = until;
  }

  choose(key) {
    if (this.chosen.has(key)) this.chosen.delete(key);
    else this.chosen.add(key);
    this.tiles.get(key).element.setAttribute("aria-pressed", String(this.chosen.has(key)));
    this.load();
  }

  zoom(from, until) {
    const end = Math.min(until, fleet.now());
    this.span = Math.min(SPANS.at(-1)[1], Math.max(60, Math.round((end - from) / 1000)));
    this.until = fleet.now() - end < 3000 ? null : end;
    this.showSpans();
    this.load();
  }

  showSpans() {
    fill(this.spans, SPANS.map(([title, seconds]) => h("button", { class: "chip", "aria-pressed": String(this.until === null && this.span === seconds),
      onclick: () => { this.span = seconds; this.until = null; this.showSpans(); this.load(); } }, title)),
    this.until === null ? null : h("button", { class: "chip", onclick: () => { this.until = null; this.showSpans(); this.load(); } }, "Now"));
  }

  async load() {
    const request = (this.request = Symbol("request"));
    const until = this.until ?? fleet.now();
    const from = until - this.span * 1000;
    const wanted = [...this.tiles].filter(([key]) => this.chosen.has(key)).slice(0, COLORS.length);
    const color = (key) => COLORS[[...this.tiles.keys()].indexOf(key) % COLORS.length];
    try {
      const series = await Promise.all(wanted.map(async ([key, tile]) => ({
        key, label: tile.sensor.label, unit: tile.quantity.unit, decimals: tile.quantity.decimals, color: color(key),
        ...(await this.points(tile, from, until)),
      })));
      if (this.request !== request) return;
      this.chart.series = series.map((one) => this.join(one));
      say(this.chartNote, wanted.length ? "" : "Choose a reading above to see it here.");
    } catch (error) {
      if (this.request !== request) return;
      this.chart.series = wanted.map(([key, tile]) => this.join({ key, label: tile.sensor.label, unit: tile.quantity.unit, decimals: tile.quantity.decimals, color: color(key), gap: 30000, points: [] }));
      say(this.chartNote, `History: ${error.message}. What arrives live is shown.`);
    }
    const [first] = wanted;
    this.csv.hidden = !first;
    if (first) {
      const query = new URLSearchParams({ sensor: first[1].sensor.name, quantity: first[1].quantity.name, from: iso(from), until: iso(until), format: "csv" });
      this.csv.href = `/api/reactors/${this.name}/samples?${query}`;
    }
    this.chart.show(from, until);
    this.loadBands();
  }

  async points(tile, from, until) {
    const live = fleet.now() - from < LIVE_DAY * 1000 && this.span <= 21600;
    const pace = live ? tile.sensor.live_interval : tile.sensor.sample_interval;
    const interval = Math.max(1, Math.ceil(this.span / MOST_POINTS));
    const whole = interval > 2 * pace;
    const found = await get(`/reactors/${this.name}/samples`, {
      sensor: tile.sensor.name, quantity: tile.quantity.name, from: iso(from), until: iso(until), source: live ? "readings" : "samples",
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

  async loadBands() {
    const until = this.until ?? fleet.now();
    const from = until - this.span * 1000;
    const wanted = this.described.devices.flatMap((device) => {
      const setting = device.settings.find((one) => one.kind === "number" && one.name !== "frequency") ?? device.settings.find((one) => one.kind === "switch");
      return setting ? [{ device, setting }] : [];
    }).slice(0, 5);
    const bands = await Promise.all(wanted.map(async ({ device, setting }) => {
      const levels = await get(`/reactors/${this.name}/settings/${device.name}/levels`, { setting: setting.name, from: iso(from), until: iso(until) }).catch(() => []);
      return { label: device.label, unit: setting.unit, high: setting.high, until, levels: levels.map((one) => [Date.parse(one.ts), one.number]) };
    }));
    this.chart.bands = bands.filter((one) => one.levels.length);
    this.chart.draw();
  }

  async loadEvents() {
    const from = iso(fleet.now() - 30 * 86400000);
    const [events, changes] = await Promise.all([
      get("/events", { reactor: this.name, from, limit: 30 }).catch(() => null),
      get(`/reactors/${this.name}/settings`, { from, limit: 200 }).catch(() => null),
    ]);
    fill(this.events, list(events, (one) => h("li", {}, h("time", {}, moment(one.ts)), h("span", {}, h("b", {}, one.kind), ` ${one.source}`), one.text ? h("span", { class: "quiet" }, one.text) : null)));
    // What a reactor applies by itself when it starts is nobody's change.
    const asked = changes?.changes.filter((one) => one.author || one.state === "rejected") ?? null;
    fill(this.history, list(asked, (one) => h("li", { class: one.state }, h("time", {}, moment(one.ts)),
      h("span", {}, h("b", {}, `${words(one.device)}: ${words(one.setting).toLowerCase()}`), ` ${one.number === null ? one.value : value(one.number)}`), h("span", { class: "quiet" }, `${one.state}${one.author ? ` · ${one.author}` : ""}`))));
  }
}

function list(rows, row) {
  if (rows === null) return h("p", { class: "quiet" }, "The database does not answer.");
  return rows.length ? h("ul", {}, rows.map(row)) : h("p", { class: "quiet" }, "Nothing in the last 30 days.");
}

/** Tell whether it measures the computer or the process beside the vessel, not the vessel. */
const isMachine = (sensor) => sensor.name === "self" || sensor.driver === "host";

const iso = (time) => new Date(time).toISOString();
