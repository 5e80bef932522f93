// How everything is: servers, database, every reactor's link, backlog, clock and version.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import * as fleet from "./fleet.js";
import { age, number } from "./format.js";
import { link } from "./lists.js";
import { ListTable } from "./table.js";

const EVERY = 5000; // milliseconds
const MUCH_LAG = 100; // transactions that a table may be behind
const MUCH_BACKLOG = 10000; // rows on their way
const BAD_CLOCK = 1; // seconds
const LIVES = { ok: ["good", "live"], stale: ["waiting", "stale"], lost: ["bad", "away"] };
const WORSE = { ok: 0, stale: 1, lost: 2 };

/** Show how everything is; returns what ends it. */
export async function showHealth(main) {
  await fleet.ready();
  const facts = h("div", { class: "facts" });
  const managers = new ListTable([
    { title: "Name", value: (one) => one.name },
    { title: "Endpoint", value: (one) => one.endpoint, cell: (one) => h("code", {}, one.endpoint) },
    { title: "Reactors", value: (one) => one.reactors },
    { title: "Capacity", value: (one) => one.capacity },
  ], { none: "No manager is registered.", label: "Managers", order: 0 });
  const tables = new ListTable([
    { title: "Table", value: (one) => one.name },
    { title: "State", value: (one) => (one.suspended ? "suspended" : "well"), cell: (one) => pill(one.suspended ? "bad" : "good", one.suspended ? "suspended" : "well") },
    { title: "Behind", value: (one) => one.lag, cell: (one) => `${one.lag} transactions` },
    { title: "Error", value: (one) => one.error || "none" },
  ], { none: "The database does not answer.", label: "Tables", order: 0 });
  const reactors = new ListTable([
    { title: "Reactor", value: (one) => one.name, cell: (one) => link(one.name) },
    { title: "Link", value: (one) => WORSE[one.live.life], cell: (one) => pill(...LIVES[one.live.life]) },
    { title: "Heard", value: (one) => fleet.since(one.live.heard), cell: (one) => (one.live.heard ? `${age(fleet.since(one.live.heard))} ago` : "never") },
    { title: "Manager", value: (one) => one.live.manager || "–" },
    { title: "Backlog", value: (one) => one.live.backlog?.waiting ?? -1, cell: (one) => one.live.backlog?.waiting ?? "–" },
    { title: "Oldest row", value: (one) => one.live.backlog?.oldest ?? -1, cell: (one) => (one.live.backlog ? age(one.live.backlog.oldest) : "–") },
    { title: "Refused, lost", value: (one) => (one.live.backlog ? one.live.backlog.refused + one.live.backlog.dropped : -1), cell: (one) => (one.live.backlog ? `${one.live.backlog.refused}, ${one.live.backlog.dropped}` : "–") },
    { title: "Clock", value: (one) => Math.abs(one.live.clock_offset ?? -1), cell: clock },
    { title: "Version", value: (one) => one.software || "–" },
  ], { none: "No reactor is known.", label: "Reactors", order: 1, down: true });
  const page = h("a", { class: "button", target: "_blank", rel: "noopener noreferrer", hidden: true }, "QuestDB's console");
  fill(main, h("div", { class: "toolbar" }, h("h1", {}, "Health"), h("span", { class: "grow" }), page), facts,
    h("div", { class: "toolbar section" }, h("h2", {}, "Reactors"), h("span", { class: "grow" }), reactors.search("Search reactors")), reactors.element,
    h("h2", {}, "Managers"), managers.element, h("h2", {}, "Tables"), tables.element);

  async function load() {
    const health = await get("/health");
    if (health.database.console) page.href = health.database.console;
    page.hidden = !health.database.console;
    fill(facts, factsOf(health));
    managers.rows(health.managers);
    tables.rows(health.database.tables);
    reactors.rows([...fleet.reactors.values()]);
  }
  await load();
  const timer = setInterval(() => load().catch(() => fill(facts, fact("This server", "does not answer", "bad"))), EVERY);
  return () => clearInterval(timer);
}

function factsOf({ coordinator, database, reactors, waiting, software }) {
  const suspended = database.tables.filter((one) => one.suspended).length;
  const lag = Math.max(0, ...database.tables.map((one) => one.lag));
  const state = database.error ? "does not answer" : suspended ? `${suspended} tables suspended` : "answers";
  const versions = new Set([...fleet.reactors.values()].filter((one) => one.live.life === "ok").map((one) => one.software));
  return [
    fact("Coordinator", coordinator ? "connected" : "away", coordinator ? "good" : "bad", coordinator ? "" : "Reactors and managers go on without it."),
    fact("Database", state, state === "answers" ? "good" : "bad", database.error || (database.schema && `schema ${database.schema}, ${database.identity.slice(0, 8)}`)),
    fact("Database lag", database.error ? "not known" : `${lag} transactions`, database.error ? "bad" : lag < MUCH_LAG ? "good" : "waiting", "between written and readable"),
    fact("Reactors", `${reactors.ok} live`, reactors.lost ? "bad" : reactors.stale || reactors.troubled ? "waiting" : "good", `${reactors.stale} stale, ${reactors.lost} away, ${reactors.troubled} with trouble`),
    fact("Rows on their way", number(waiting, 0), waiting < MUCH_BACKLOG ? "good" : "waiting", "in the reactors' spools"),
    fact("Versions", software.replace("reactorium ", ""), versions.size > 1 ? "waiting" : "good", versions.size > 1 ? `the reactors': ${[...versions].join(", ")}` : "everywhere the same"),
  ];
}

const pill = (mood, text) => h("span", { class: `pill ${mood}` }, text);

function clock({ live }) {
  if (live.clock_offset === null) return "–";
  const text = `${number(live.clock_offset * 1000, 0)} ms`;
  return Math.abs(live.clock_offset) > BAD_CLOCK ? pill("bad", text) : text;
}

function fact(title, text, mood, more = "") {
  return h("div", { class: `card fact ${mood}` }, h("span", { class: "label" }, title), h("b", {}, text), more ? h("small", {}, more) : null);
}
