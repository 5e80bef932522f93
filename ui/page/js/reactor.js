// One reactor: live values, charts that join live to history, settings, acts, calibration, events.

import { get } from "./api.js";
import { fill, h, icon, look, say } from "./dom.js";
import * as fleet from "./fleet.js";
import { age, number, quality, unitBehind, words } from "./format.js";
import { Happenings } from "./happenings.js";
import { ProbeCard } from "./probe.js";
import { TargetCard } from "./target.js";
import { Trends } from "./trends.js";

const LIVES = { ok: "live", stale: "no word for some seconds", lost: "away" };
const AWAY = "This reactor is away. If only its link is down it goes on by itself; if it has ended, its outputs are safe. What you change is kept, and applied when it is back.";
const SILENT = "No word for some seconds: what is shown is as last heard.";
const DIGITS = 4;
const OLD = 3; // times the interval: a reading whose age is worth saying
const WRITTEN = [2500, 10_000]; // milliseconds after which a change is in the database, of a busy one at the latest

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
    this.build(described);
  }

  build(described) {
    this.described = described;
    this.trends?.close();
    this.life = h("span", { class: "life" });
    this.heard = h("span", { class: "quiet" });
    this.where = h("span", { class: "quiet" });
    this.banner = h("div", { class: "banner", role: "alert", hidden: true });
    this.tiles = new Map();
    const tiles = (board) => described.sensors.filter((one) => isMachine(one) === board).flatMap((sensor) => sensor.quantities.map((quantity) => this.tile(sensor, quantity)));
    const [values, machine] = [tiles(false), tiles(true)];
    this.trends = new Trends(described, this.tiles, (colors) => this.mark(colors));
    this.cards = described.devices.map((device) => new TargetCard(this.name, device, this.me));
    this.probes = described.sensors.filter((one) => one.acts.length || (one.settings.length && !isMachine(one))).map((sensor) => new ProbeCard(this.name, sensor, this.me));
    const cards = (board) => this.probes.filter((one) => isMachine(one.info) === board).map((one) => one.element);
    this.happenings = new Happenings(described);
    fill(this.element,
      h("div", { class: "toolbar" }, h("a", { class: "back", href: "/", "aria-label": "All reactors" }, icon("back")),
        h("h1", {}, described.label), this.life, this.heard, h("span", { class: "grow" }), this.where),
      this.banner,
      h("section", { "aria-label": "Readings", class: "now" }, values),
      this.trends.element,
      this.cards.length ? h("h2", {}, "Devices") : null,
      h("div", { class: "targets" }, this.cards.map((one) => one.element)),
      cards(false).length ? h("details", { class: "part" }, h("summary", {}, "Sensors: settings and calibration"), h("div", { class: "targets" }, cards(false))) : null,
      machine.length ? h("details", { class: "part" }, h("summary", {}, "The computer and the process"), h("div", { class: "now small" }, machine), h("div", { class: "targets" }, cards(true))) : null,
      this.happenings.element);
  }

  tile(sensor, quantity) {
    const key = `${sensor.name}.${quantity.name}`;
    const label = sensor.quantities.length > 1 ? words(quantity.name) : sensor.label;
    const text = h("span", { class: "number" }, "–");
    const state = h("span", { class: "quality" });
    const element = h("button", { class: "reading", title: "Show in the chart, or no longer", onclick: () => this.trends.choose(key) },
      h("span", { class: "label" }, sensor.quantities.length > 1 && isMachine(sensor) ? `${sensor.label}: ${label.toLowerCase()}` : label),
      h("span", {}, text, h("small", {}, unitBehind(quantity.unit, label))), state);
    this.tiles.set(key, { element, text, state, sensor, quantity, label, machine: isMachine(sensor) });
    return element;
  }

  mark(colors) {
    for (const [key, { element }] of this.tiles) {
      element.setAttribute("aria-pressed", String(colors.has(key)));
      if (colors.has(key)) element.style.setProperty("--series", `var(${colors.get(key)})`);
    }
  }

  async begin() {
    fleet.look(this.name);
    this.stop = fleet.listen((names) => { if (names.has(this.name)) this.hear(); });
    this.timer = setInterval(() => this.tick(), 1000);
    this.take(this.described.live);
    await Promise.all([this.trends.load(), this.happenings.load()]);
  }

  end() {
    fleet.look();
    this.stop?.();
    clearInterval(this.timer);
    clearTimeout(this.later);
    this.trends.close();
  }

  async hear() {
    const known = fleet.reactors.get(this.name);
    if (!known) return;
    if (shape(known) !== shape(this.described)) {
      this.build(await get(`/reactors/${this.name}`));
      this.trends.load();
      this.happenings.load();
    }
    this.take(known.live);
  }

  take(live) {
    const before = this.live;
    this.live = live;
    look(this.life, `life ${live.life}`);
    say(this.life, LIVES[live.life]);
    say(this.where, [this.described.software, live.manager, live.backlog?.waiting ? `${number(live.backlog.waiting, 0)} rows wait` : ""].filter(Boolean).join(" · "));
    const trouble = live.life === "lost" ? AWAY : live.life === "stale" ? SILENT : live.troubles.join(" · ");
    this.banner.hidden = !trouble;
    look(this.banner, `banner ${live.life === "lost" ? "lost" : ""}`);
    say(this.banner, trouble);
    for (const reading of live.readings) this.read(reading);
    for (const card of this.cards) card.update(live);
    for (const probe of this.probes) this.tellProbe(probe, live);
    if (before && happened(before, live)) this.loadAfter(WRITTEN);
    this.tick();
  }

  loadAfter([wait, ...more]) {
    clearTimeout(this.later);
    if (wait) this.later = setTimeout(() => { this.happenings.load(); this.trends.loadStrips(); this.loadAfter(more); }, wait);
  }

  read(reading) {
    const key = `${reading.sensor}.${reading.quantity}`;
    const tile = this.tiles.get(key);
    if (!tile) return;
    tile.reading = reading;
    say(tile.text, number(reading.value, tile.quantity.decimals, DIGITS));
    look(tile.element, `reading ${reading.quality}${this.live.life === "ok" ? "" : " old"}`);
    this.trends.read(key, Date.parse(reading.taken), reading.value);
  }

  tellProbe(probe, live) {
    probe.update(live);
    const key = `${probe.info.name}.${probe.quantity?.name}`;
    probe.hear(this.tiles.get(key)?.reading, this.trends.recent.get(key) ?? []);
  }

  tick() {
    say(this.heard, this.live?.heard ? `${age(fleet.since(this.live.heard))} ago` : "");
    for (const { reading, state, sensor } of this.tiles.values()) {
      if (!reading) continue;
      const old = fleet.since(reading.taken);
      say(state, [quality(reading.quality), old > Math.max(15, OLD * sensor.live_interval) ? `${age(old)} old` : ""].filter(Boolean).join(", "));
    }
    this.trends.tick();
  }
}

/** What is wired, as far as it decides what is shown. */
const shape = ({ label, sensors, devices }) => JSON.stringify([label, ...[...sensors, ...devices].map((one) => [one.name, one.label])]);

/** Tell whether something was changed or done that the history will know. */
const happened = (before, live) => live.acts.at(-1)?.act !== before.acts.at(-1)?.act || live.acts.at(-1)?.state !== before.acts.at(-1)?.state
  || live.life !== before.life || live.troubles.join() !== before.troubles.join()
  || live.targets.some((one) => {
    const old = before.targets.find((other) => other.name === one.name);
    return old?.revision !== one.revision || old?.rejected?.revision !== one.rejected?.revision || old?.held_by !== one.held_by;
  });

/** Tell whether it measures the computer or the process beside the vessel, not the vessel. */
const isMachine = (sensor) => sensor.name === "self" || sensor.driver === "host";
