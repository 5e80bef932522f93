// Every reactor a tile: readings, devices, trouble, link, backlog. Only tiles near the window have content, so that 500 stay quick.

import { fill, h, icon, look, say } from "./dom.js";
import * as fleet from "./fleet.js";
import { age, number, quality, unitBehind, value } from "./format.js";

const ORDERS = {
  trouble: ["Trouble first", (a, b) => rank(b) - rank(a) || byName(a, b)],
  name: ["By name", byName],
  silent: ["Longest silent", (a, b) => silence(b) - silence(a) || byName(a, b)],
  backlog: ["Largest backlog", (a, b) => waits(b) - waits(a) || byName(a, b)],
};
const FILTERS = {
  all: ["All", () => true],
  trouble: ["Trouble", (one) => one.live.troubles.length > 0],
  lost: ["Away", (one) => one.live.life !== "ok"],
};
const LIVES = { ok: "live", stale: "stale", lost: "away" };
const PACE = { backlog: 10_000 }; // milliseconds between two arrangements, so that tiles do not move under a finger
const NEAR = "500px"; // how far outside the window a tile keeps its content
const MOST_VALUES = 6;
const DIGITS = 4;
const state = { search: "", only: "all", order: "trouble" };
const collator = new Intl.Collator(undefined, { numeric: true });

/** Show the overview; returns what ends it. */
export async function showOverview(main) {
  await fleet.ready();
  const tiles = new Map();
  const grid = h("div", { class: "tiles" });
  const none = h("div", { class: "empty", hidden: true });
  const chips = Object.entries(FILTERS).map(([key, [title]]) => {
    const count = h("b", {});
    return { key, count, element: h("button", { class: "chip", onclick: () => { state.only = key; arrange(); } }, `${title} `, count) };
  });
  const search = h("input", { type: "search", placeholder: "Search  ( / )", "aria-label": "Search reactors", value: state.search,
    oninput: (event) => { state.search = event.target.value; arrange(); } });
  const order = h("select", { "aria-label": "Sort by", onchange: (event) => { state.order = event.target.value; arrange(); } },
    Object.entries(ORDERS).map(([key, [title]]) => h("option", { value: key, selected: key === state.order }, title)));
  fill(main, h("div", { class: "toolbar" }, h("h1", {}, "Reactors"), h("div", { class: "counts", role: "group", "aria-label": "Show" }, chips.map((one) => one.element)),
    h("span", { class: "grow" }), search, order), grid, none);
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) tiles.get(entry.target.dataset.name)?.near(entry.isIntersecting, entry.boundingClientRect.height);
  }, { rootMargin: NEAR });

  function tileOf(reactor) {
    if (!tiles.has(reactor.name)) {
      const tile = new Tile(reactor);
      tiles.set(reactor.name, tile);
      watcher.observe(tile.element);
    }
    return tiles.get(reactor.name).element;
  }

  function arrange() {
    const all = [...fleet.reactors.values()];
    const nodes = all.filter((one) => FILTERS[state.only][1](one) && fits(one, state.search)).toSorted(ORDERS[state.order][1]).map(tileOf);
    if (nodes.length !== grid.children.length || nodes.some((node, at) => node !== grid.children[at])) {
      const focused = grid.contains(document.activeElement) ? document.activeElement : null;
      grid.replaceChildren(...nodes);
      focused?.focus({ preventScroll: true });
    }
    none.hidden = nodes.length > 0;
    if (!nodes.length) {
      fill(none, h("h2", {}, all.length ? "No reactor fits" : "No reactor has been here yet"),
        h("p", { class: "quiet" }, all.length ? "Another search or filter shows the others." : "A reactor appears here as soon as it attaches to a manager."));
    }
    for (const { key, count, element } of chips) {
      element.setAttribute("aria-pressed", String(state.only === key));
      say(count, String(all.filter(FILTERS[key][1]).length));
    }
  }

  let due = 0;
  const stop = fleet.listen((names) => {
    for (const name of names) tiles.get(name)?.update(fleet.reactors.get(name));
    if ([...names].some((name) => name && !tiles.has(name)) || performance.now() > due) {
      due = performance.now() + (PACE[state.order] ?? 1000);
      arrange();
    }
  });
  const timer = setInterval(() => { for (const tile of tiles.values()) tile.grow(); }, 1000);
  arrange();
  return () => { stop(); clearInterval(timer); watcher.disconnect(); };
}

class Tile {
  constructor(reactor) {
    this.element = h("a", { href: `/reactor/${reactor.name}`, "data-name": reactor.name });
    this.title = h("span", { class: "title" });
    this.life = h("span", { class: "life" });
    this.head = h("div", { class: "head" }, this.title, this.life);
    this.isNear = false;
    this.update(reactor);
    fill(this.element, this.head);
  }

  /** Come near the window, or leave it: content is made, or dropped. */
  near(isNear, height) {
    if (this.isNear === isNear) return;
    this.isNear = isNear;
    this.element.style.minHeight = isNear ? "" : `${Math.round(height)}px`;
    if (isNear) {
      this.build();
      this.update(this.reactor);
    } else {
      fill(this.element, this.head);
    }
  }

  update(reactor) {
    const other = this.reactor?.sensors !== reactor.sensors;
    this.reactor = reactor;
    const { live } = reactor;
    look(this.element, `tile ${live.life}${live.troubles.length && live.life === "ok" ? " troubled" : ""}`);
    say(this.title, reactor.label);
    say(this.life, LIVES[live.life]);
    if (!this.isNear) return;
    if (other) this.build();
    say(this.trouble, live.life === "ok" ? live.troubles.join(", ") : "");
    const readings = new Map(live.readings.map((one) => [`${one.sensor}.${one.quantity}`, one]));
    for (const [key, cell] of this.cells) {
      const reading = readings.get(key);
      say(cell.number, number(reading?.value, cell.decimals, DIGITS));
      say(cell.quality, reading ? quality(reading.quality) : "no reading");
      look(cell.element, `value ${reading?.quality ?? "none"}`);
    }
    for (const target of live.targets) {
      const cell = this.devices.get(target.name);
      if (!cell) continue;
      say(cell.text, brief(target));
      look(cell.element, `device${target.fault || target.rejected ? " bad" : target.pending || target.held_by ? " waiting" : isOn(target) ? " on" : ""}`);
      cell.element.title = [cell.label, target.fault || target.rejected?.reason || (target.held_by && `held by ${target.held_by}`)].filter(Boolean).join(": ");
    }
    say(this.backlog, live.backlog?.waiting ? `${number(live.backlog.waiting, 0)} rows wait` : "");
    this.grow();
  }

  build() {
    const { reactor } = this;
    this.cells = new Map();
    this.devices = new Map();
    this.trouble = h("p", { class: "trouble" });
    this.age = h("span", {});
    this.backlog = h("span", {});
    const shown = reactor.sensors.filter((one) => one.name !== "self" && one.driver !== "host" && one.quantities.length).slice(0, MOST_VALUES);
    const values = shown.map((sensor) => {
      const [quantity] = sensor.quantities;
      const cell = { number: h("span", { class: "number" }), quality: h("span", { class: "quality" }), decimals: quantity.decimals };
      cell.element = h("div", { class: "value" }, h("span", { class: "label" }, sensor.label), h("span", {}, cell.number, h("small", {}, unitBehind(quantity.unit, sensor.label))), cell.quality);
      this.cells.set(`${sensor.name}.${quantity.name}`, cell);
      return cell.element;
    });
    const devices = reactor.devices.map((device) => {
      const text = h("span", {});
      const element = h("span", { class: "device" }, iconOf(device), text);
      this.devices.set(device.name, { element, text, label: device.label });
      return element;
    });
    fill(this.element, this.head, this.trouble, h("div", { class: "values" }, values), h("div", { class: "devices" }, devices),
      h("div", { class: "foot" }, this.age, this.backlog));
  }

  grow() {
    if (!this.isNear) return;
    const { live } = this.reactor;
    const heard = live.heard ? `${age(fleet.since(live.heard))} ago` : "not heard since this page's server started";
    say(this.age, live.manager ? `${heard} · ${live.manager}` : heard);
  }
}

const KNOWN = new Set(["heater", "stirrer", "light", "air", "pump", "valve"]);

/** The icon of what a device is to people. */
export const iconOf = (device) => icon(KNOWN.has(device.looks) ? device.looks : "device");

/** Tell in one word what a device does. */
export function brief(target) {
  const now = { ...target?.values, ...target?.read_back };
  if (now.running !== undefined) return now.running ? "runs" : "idle";
  if (now.on === false) return "off";
  if (typeof now.duty === "number") return value(Math.round(now.duty), "%");
  if (now.on === true) return "on";
  return target?.doing || "–";
}

function isOn(target) {
  const now = { ...target.values, ...target.read_back };
  return now.on === true || now.running === true || (now.on === undefined && now.duty > 0);
}

function fits(one, search) {
  const wanted = search.trim().toLowerCase();
  return !wanted || `${one.name} ${one.label} ${one.live.manager} ${one.live.troubles.join(" ")}`.toLowerCase().includes(wanted);
}

function rank(one) {
  return one.live.life === "lost" ? 3 : one.live.life === "stale" ? 2 : one.live.troubles.length ? 1 : 0;
}

/** Seconds of silence that are worth an order; who is live is not sorted by the second. */
const silence = (one) => (one.live.life === "ok" ? 0 : fleet.since(one.live.heard));

const waits = (one) => one.live.backlog?.waiting ?? 0;

function byName(a, b) {
  return collator.compare(a.label, b.label) || collator.compare(a.name, b.name);
}
