// Every reactor a tile: readings, devices, trouble, age. Made to stay quick with 500.

import { fill, h, icon, look, say } from "./dom.js";
import * as fleet from "./fleet.js";
import { age, number, quality, value } from "./format.js";

const ORDERS = {
  trouble: (a, b) => rank(b) - rank(a) || byName(a, b),
  name: byName,
  oldest: (a, b) => fleet.since(b.live.heard) - fleet.since(a.live.heard) || byName(a, b),
  backlog: (a, b) => (b.live.backlog?.waiting ?? 0) - (a.live.backlog?.waiting ?? 0) || byName(a, b),
};
const state = { search: "", only: "all", order: "trouble" };
const collator = new Intl.Collator(undefined, { numeric: true });
const LIVES = { ok: "live", stale: "stale", lost: "away" };

/** Show the overview; returns what ends it. */
export async function showOverview(main) {
  await fleet.ready();
  const tiles = new Map();
  const grid = h("div", { class: "tiles" });
  const none = h("div", { class: "empty", hidden: true });
  const counts = h("div", { class: "counts", role: "group", "aria-label": "Show" });
  const search = h("input", { type: "search", placeholder: "Search  ( / )", "aria-label": "Search reactors", value: state.search,
    oninput: (event) => { state.search = event.target.value; arrange(); } });
  const order = h("select", { "aria-label": "Sort by", onchange: (event) => { state.order = event.target.value; arrange(); } },
    [["trouble", "Trouble first"], ["name", "By name"], ["oldest", "Longest silent"], ["backlog", "Largest backlog"]]
      .map(([key, title]) => h("option", { value: key, selected: key === state.order }, title)));
  fill(main, h("div", { class: "toolbar" }, h("h1", {}, "Reactors"), counts, h("span", { class: "grow" }), search, order), grid, none);

  function arrange() {
    const all = [...fleet.reactors.values()];
    const wanted = state.search.toLowerCase();
    const shown = all
      .filter((one) => fits(one, state.only) && (!wanted || `${one.name} ${one.label}`.toLowerCase().includes(wanted)))
      .sort(ORDERS[state.order]);
    const nodes = shown.map((one) => {
      if (!tiles.has(one.name)) tiles.set(one.name, new Tile(one));
      return tiles.get(one.name).element;
    });
    if (nodes.length !== grid.children.length || nodes.some((node, at) => node !== grid.children[at])) grid.replaceChildren(...nodes);
    none.hidden = nodes.length > 0;
    if (!nodes.length) {
      fill(none, all.length ? h("h2", {}, "No reactor fits") : h("h2", {}, "No reactor has been here yet"),
        all.length ? null : h("p", { class: "quiet" }, "A reactor appears here as soon as it attaches to a manager."));
    }
    fill(counts, [["all", "All"], ["trouble", "Trouble"], ["lost", "Away"]].map(([key, title]) =>
      h("button", { class: "chip", "aria-pressed": String(state.only === key), onclick: () => { state.only = key; arrange(); } },
        `${title} `, h("b", {}, String(all.filter((one) => fits(one, key)).length)))));
  }

  let due = 0;
  const stop = fleet.listen((names) => {
    for (const name of names) tiles.get(name)?.update(fleet.reactors.get(name));
    if ([...names].some((name) => name && !tiles.has(name)) || performance.now() > due) {
      due = performance.now() + 1000;
      arrange();
    }
  });
  const timer = setInterval(() => { for (const tile of tiles.values()) tile.grow(); }, 1000);
  arrange();
  return () => { stop(); clearInterval(timer); };
}

class Tile {
  constructor(reactor) {
    this.element = h("a", { href: `/reactor/${reactor.name}` });
    this.update(reactor);
  }

  update(reactor) {
    if (this.reactor?.sensors !== reactor.sensors) this.build(reactor);
    this.reactor = reactor;
    const { live } = reactor;
    look(this.element, `tile ${live.life}${live.troubles.length && live.life === "ok" ? " troubled" : ""}`);
    say(this.life, LIVES[live.life]);
    const trouble = live.life === "ok" ? live.troubles.join(", ") : "";
    say(this.trouble, trouble);
    const readings = new Map(live.readings.map((one) => [`${one.sensor}.${one.quantity}`, one]));
    for (const [key, cell] of this.cells) {
      const reading = readings.get(key);
      say(cell.number, number(reading?.value, cell.decimals));
      look(cell.element, `value ${reading?.quality ?? "none"}`);
      cell.element.title = reading ? quality(reading.quality) : "no reading";
    }
    for (const target of live.targets) {
      const cell = this.devices.get(target.name);
      if (!cell) continue;
      say(cell.text, brief(target));
      look(cell.element, `device${target.fault || target.rejected ? " bad" : target.pending || target.held_by ? " waiting" : isOn(target) ? " on" : ""}`);
    }
    const waiting = live.backlog?.waiting ?? 0;
    say(this.backlog, waiting > 200 ? `${waiting} rows wait` : "");
    this.grow();
  }

  build(reactor) {
    this.cells = new Map();
    this.devices = new Map();
    this.life = h("span", { class: "life" });
    this.trouble = h("p", { class: "trouble" });
    this.age = h("span", {});
    this.backlog = h("span", {});
    const shown = reactor.sensors.filter((one) => one.name !== "self" && one.name !== "board").slice(0, 6);
    const values = shown.map((sensor) => {
      const quantity = sensor.quantities[0];
      const text = h("span", { class: "number" });
      const element = h("div", { class: "value" }, h("span", { class: "label" }, sensor.label), h("span", {}, text, h("small", {}, ` ${quantity?.unit === "pH" ? "" : quantity?.unit ?? ""}`)));
      if (quantity) this.cells.set(`${sensor.name}.${quantity.name}`, { element, number: text, decimals: quantity.decimals });
      return element;
    });
    const devices = reactor.devices.map((device) => {
      const text = h("span", {});
      const element = h("span", { class: "device", title: device.label }, icon(device.looks in KNOWN ? device.looks : "device"), text);
      this.devices.set(device.name, { element, text });
      return element;
    });
    fill(this.element,
      h("div", { class: "head" }, h("span", { class: "title" }, reactor.label), this.life),
      this.trouble, h("div", { class: "values" }, values), h("div", { class: "devices" }, devices),
      h("div", { class: "foot" }, this.age, this.backlog));
  }

  grow() {
    say(this.age, `${this.reactor.live.heard ? `${age(fleet.since(this.reactor.live.heard))} ago` : "not heard since this page's server started"}`);
  }
}

const KNOWN = { heater: 1, stirrer: 1, light: 1, air: 1, pump: 1, valve: 1 };

/** The icon of what a device is to people. */
export const iconOf = (device) => icon(device.looks in KNOWN ? device.looks : "device");

/** Tell in one word what a device does. */
function brief(target) {
  const now = { ...target.values, ...target.read_back };
  if (now.on === false) return "off";
  if (typeof now.duty === "number") return value(Math.round(now.duty), "%");
  if (now.on === true) return "on";
  return "";
}

function isOn(target) {
  const now = { ...target.values, ...target.read_back };
  return now.on === true || (now.on === undefined && now.duty > 0);
}

function fits(one, only) {
  if (only === "trouble") return one.live.troubles.length > 0;
  return only === "all" || one.live.life !== "ok";
}

function rank(one) {
  return one.live.life === "lost" ? 3 : one.live.life === "stale" ? 2 : one.live.troubles.length ? 1 : 0;
}

function byName(a, b) {
  return collator.compare(a.label, b.label) || collator.compare(a.name, b.name);
}
