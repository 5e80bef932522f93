// Events, inventory, health.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import * as fleet from "./fleet.js";
import { age, moment, number } from "./format.js";

/** Show what happened, everywhere. */
export async function showEvents(main) {
  await fleet.ready();
  const kinds = ["", "started", "attached", "lost", "fault", "act", "held", "migration"];
  const reactor = h("select", { "aria-label": "Reactor", onchange: load }, h("option", { value: "" }, "Every reactor"),
    [...fleet.reactors.keys()].sort().map((name) => h("option", { value: name }, name)));
  const kind = h("select", { "aria-label": "Kind", onchange: load }, kinds.map((one) => h("option", { value: one }, one || "Everything")));
  const days = h("select", { "aria-label": "Time", onchange: load }, [[1, "Last day"], [7, "Last week"], [30, "Last month"], [366, "Last year"]].map(([value, title]) => h("option", { value: String(value) }, title)));
  const body = h("div", {});
  fill(main, h("div", { class: "toolbar" }, h("h1", {}, "Events"), h("span", { class: "grow" }), reactor, kind, days), body);
  async function load() {
    try {
      const from = new Date(fleet.now() - Number(days.value) * 86400000).toISOString();
      const rows = await get("/events", { reactor: reactor.value, kind: kind.value, from, limit: 500 });
      fill(body, table(["When", "Reactor", "Source", "Kind", ""], rows.map((one) => [moment(one.ts), link(one.reactor), one.source, h("span", { class: `pill ${one.kind === "fault" || one.kind === "lost" ? "bad" : ""}` }, one.kind), one.text]), "Nothing happened in this time."));
    } catch (error) {
      fill(body, h("div", { class: "empty" }, h("h2", {}, error.message)));
    }
  }
  await load();
}

/** Show everything that is or was wired. */
export async function showInventory(main) {
  const rows = await get("/inventory");
  const body = h("div", {});
  const search = h("input", { type: "search", placeholder: "Search  ( / )", "aria-label": "Search inventory", oninput: show });
  function show() {
    const wanted = search.value.toLowerCase();
    const fits = rows.filter((one) => `${one.reactor} ${one.name} ${one.label} ${one.driver} ${one.address} ${one.kind}`.toLowerCase().includes(wanted));
    fill(body, table(["Reactor", "Kind", "Name", "Label", "Driver", "Address", "Described"],
      fits.map((one) => [link(one.reactor), one.kind, one.name, one.label, one.driver, h("code", {}, one.address), moment(one.ts)]),
      rows.length ? "Nothing fits." : "Nothing was ever wired."));
  }
  fill(main, h("div", { class: "toolbar" }, h("h1", {}, "Inventory"), h("span", { class: "grow" }), search), body);
  show();
}

/** Show how everything is; returns what ends it. */
export async function showHealth(main) {
  await fleet.ready();
  const body = h("div", {});
  fill(main, h("div", { class: "toolbar" }, h("h1", {}, "Health")), body);
  async function load() {
    const health = await get("/health");
    const { database } = health;
    const suspended = database.tables.filter((one) => one.suspended);
    const lag = Math.max(0, ...database.tables.map((one) => one.lag));
    const reactors = [...fleet.reactors.values()].sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
    fill(body,
      h("div", { class: "facts" },
        fact("Coordinator", health.coordinator ? "connected" : "away", health.coordinator),
        fact("Database", database.error ? "does not answer" : suspended.length ? `${suspended.length} tables suspended` : "answers", !database.error && !suspended.length, database.error),
        fact("Database lag", `${lag} transactions`, lag < 100),
        fact("Reactors", `${health.reactors.ok} live`, !health.reactors.lost, `${health.reactors.stale} stale, ${health.reactors.lost} away, ${health.reactors.troubled} with trouble`),
        fact("Rows on their way", number(health.waiting, 0), health.waiting < 10000),
        fact("This server", health.software, true)),
      h("h2", {}, "Managers"),
      table(["Name", "Endpoint", "Reactors", "Capacity"], health.managers.map((one) => [one.name, h("code", {}, one.endpoint), one.reactors, one.capacity]), "No manager is registered."),
      h("h2", {}, "Tables"),
      table(["Table", "State", "Behind", "Error"], database.tables.map((one) => [one.name, h("span", { class: `pill ${one.suspended ? "bad" : "good"}` }, one.suspended ? "suspended" : "well"), one.lag, one.error]), database.error || "There are no tables."),
      h("h2", {}, "Reactors"),
      table(["Reactor", "Life", "Heard", "Backlog", "Oldest row", "Refused", "Clock offset", "Software"], reactors.map(({ name, software, live }) => [
        link(name), h("span", { class: `pill ${live.life === "ok" ? "good" : "bad"}` }, live.life), live.heard ? `${age(fleet.since(live.heard))} ago` : "–",
        live.backlog?.waiting ?? "–", live.backlog ? age(live.backlog.oldest) : "–", live.backlog?.refused ?? "–",
        live.clock_offset === null ? "–" : `${number(live.clock_offset * 1000, 0)} ms`, software || "–"]), "No reactor is known."));
  }
  await load();
  const timer = setInterval(() => load().catch(() => {}), 5000);
  return () => clearInterval(timer);
}

/** A table that scrolls sideways on a phone; a sentence when it is empty. */
export function table(heads, rows, none) {
  if (!rows.length) return h("p", { class: "quiet" }, none);
  return h("div", { class: "scroll card flat" }, h("table", { class: "list" },
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell) => h("td", {}, typeof cell === "number" ? String(cell) : cell)))))));
}

const link = (name) => h("a", { href: `/reactor/${name}` }, name);

function fact(title, text, good, more = "") {
  return h("div", { class: `card fact ${good ? "good" : "bad"}` }, h("span", { class: "label" }, title), h("b", {}, text), more ? h("small", {}, more) : null);
}
