// Events and inventory.

import { get } from "./api.js";
import { fill, h, say } from "./dom.js";
import * as fleet from "./fleet.js";
import { moment, words } from "./format.js";
import { ListTable } from "./table.js";

const KINDS = ["started", "attached", "lost", "fault", "act", "held", "migration"];
const SPANS = [[1, "Last day"], [7, "Last week"], [30, "Last month"], [366, "Last year"]];
const PAGE = 100; // events
const MOST_IN_CSV = 10_000;
const TYPING = 300; // milliseconds without a key before a search is asked
const EVERY = 5000; // milliseconds between two looks at the inventory

/** A link to a reactor. */
export const link = (name) => h("a", { href: `/reactor/${name}` }, name);

/** How an event looks: good when something is over, bad when something begins. */
function mood({ kind, text }) {
  if (kind === "lost") return "bad";
  if (kind === "fault") return isOver(text) ? "good" : "bad";
  if (kind === "held") return isOver(text) ? "good" : "waiting";
  if (kind === "act") return /: (done|begun)\b/.test(text) ? "good" : "bad";
  return "";
}

const isOver = (text) => text.startsWith("over after") || text.startsWith("no longer");

/** An event's kind as a pill. */
export const kindOf = (event) => h("span", { class: `pill ${mood(event)}` }, isOver(event.text) ? `${event.kind}: over` : event.kind);

/** Show what happened, everywhere. */
export async function showEvents(main) {
  await fleet.ready();
  const asked = { offset: 0, until: null };
  const again = () => { asked.offset = 0; load(); };
  let timer = 0;
  const choice = (label, options) => h("select", { "aria-label": label, onchange: again }, options.map(([value, title]) => h("option", { value: String(value) }, title)));
  const reactor = choice("Reactor", [["", "Every reactor"], ...[...fleet.reactors.keys()].toSorted().map((name) => [name, name])]);
  const kind = choice("Kind", [["", "Everything"], ...KINDS.map((one) => [one, words(one)])]);
  const days = choice("Time", SPANS);
  const search = h("input", { type: "search", placeholder: "Search  ( / )", "aria-label": "Search events", maxlength: "100", oninput: () => { clearTimeout(timer); timer = setTimeout(again, TYPING); } });
  const csv = h("a", { class: "button", download: "" }, "CSV");
  const table = new ListTable([
    { title: "When", value: (one) => moment(one.ts), sorts: false },
    { title: "Reactor", value: (one) => one.reactor, cell: (one) => link(one.reactor), sorts: false },
    { title: "Source", value: (one) => one.source, sorts: false },
    { title: "Kind", value: (one) => one.kind, cell: kindOf, sorts: false },
    { title: "What", value: (one) => one.text, sorts: false },
  ], { none: "Nothing happened in this time.", label: "Events" });
  const problem = h("div", { class: "empty", hidden: true });
  const where = h("span", { class: "quiet", role: "status" });
  const newer = h("button", { onclick: () => turn(-PAGE) }, "Newer");
  const older = h("button", { onclick: () => turn(PAGE) }, "Older");
  fill(main, h("div", { class: "toolbar" }, h("h1", {}, "Events"), h("span", { class: "grow" }), search, reactor, kind, days, csv),
    problem, table.element, h("div", { class: "pager" }, where, h("span", { class: "grow" }), newer, older));

  function turn(by) {
    asked.offset = Math.max(0, asked.offset + by);
    load();
    scrollTo(0, 0);
  }

  async function load() {
    if (!asked.offset) asked.until = fleet.now(); // so that pages do not move while one turns them
    const from = new Date(asked.until - Number(days.value) * 86400000).toISOString();
    const question = { reactor: reactor.value, kind: kind.value, text: search.value.trim(), from, until: new Date(asked.until).toISOString() };
    const request = (asked.request = Symbol("request"));
    csv.href = `/api/events?${new URLSearchParams({ ...question, format: "csv", limit: MOST_IN_CSV })}`;
    try {
      const rows = await get("/events", { ...question, limit: PAGE + 1, offset: asked.offset });
      if (asked.request !== request) return;
      problem.hidden = true;
      table.rows(rows.slice(0, PAGE));
      say(where, rows.length ? `${asked.offset + 1} to ${asked.offset + Math.min(PAGE, rows.length)}, the newest first` : "");
      older.disabled = rows.length <= PAGE;
      newer.disabled = !asked.offset;
    } catch (error) {
      if (asked.request !== request) return;
      problem.hidden = false;
      fill(problem, h("h2", {}, error.message), h("button", { onclick: load }, "Try again"));
    }
  }
  await load();
  return () => clearTimeout(timer);
}

const column = (title, name, cell) => ({ title, value: (one) => one[name], cell });

/** Show everything that is or was wired, and what is added meanwhile; returns what ends it. */
export async function showInventory(main) {
  const table = new ListTable([
    column("Reactor", "reactor", (one) => link(one.reactor)),
    column("Kind", "kind"),
    column("Name", "name"),
    column("Label", "label"),
    column("Driver", "driver"),
    column("Address", "address", (one) => h("code", {}, one.address)),
    column("Described", "ts", (one) => moment(one.ts)),
  ], { none: "Nothing was ever wired.", label: "Inventory", order: 0 });
  const count = h("span", { class: "quiet" });
  let shown = "";

  async function load() {
    const rows = await get("/inventory");
    if (JSON.stringify(rows) === shown) return; // what somebody marks to copy stays marked
    shown = JSON.stringify(rows);
    say(count, `${rows.length} sensors and devices`);
    table.rows(rows);
  }
  await load();
  fill(main, h("div", { class: "toolbar" }, h("h1", {}, "Inventory"), count, h("span", { class: "grow" }),
    table.search("Search inventory"), h("a", { class: "button", download: "", href: "/api/inventory?format=csv" }, "CSV")), table.element);
  const timer = setInterval(() => load().catch(() => say(count, "The server does not answer; this is what was known.")), EVERY);
  return () => clearInterval(timer);
}
