// What happened to one reactor: changes with who made them, and events.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import * as fleet from "./fleet.js";
import { moment, value, words } from "./format.js";
import { kindOf } from "./lists.js";

const DAYS = 30;
const CHANGES = 400; // settings that are asked for
const EVENTS = 40;

export class Happenings {
  constructor(described) {
    this.name = described.name;
    this.labels = new Map([...described.devices, ...described.sensors].map((one) => [one.name, one.label]));
    this.units = new Map([...described.devices, ...described.sensors].flatMap((one) => one.settings.map((setting) => [`${one.name}.${setting.name}`, setting])));
    this.changes = h("div", { class: "events" });
    this.events = h("div", { class: "events" });
    this.element = h("div", { class: "halves" },
      h("section", {}, h("div", { class: "toolbar section" }, h("h2", {}, "Changes"), h("span", { class: "grow" }), h("a", { download: "", href: `/api/reactors/${this.name}/settings?format=csv&limit=10000&from=${since()}` }, "CSV")), this.changes),
      h("section", {}, h("div", { class: "toolbar section" }, h("h2", {}, "Events"), h("span", { class: "grow" }), h("a", { href: "/events" }, "All events")), this.events));
  }

  async load() {
    const from = since();
    const [events, changes] = await Promise.all([
      get("/events", { reactor: this.name, from, limit: EVENTS }).catch(() => null),
      get(`/reactors/${this.name}/settings`, { from, limit: CHANGES }).catch(() => null),
    ]);
    fill(this.events, list(events, (one) => h("li", {}, h("time", {}, moment(one.ts)),
      h("span", {}, kindOf(one), ` ${this.labels.get(one.source) ?? one.source}`), one.text ? h("span", { class: "quiet" }, one.text) : null)));
    fill(this.changes, list(changes && together(changes.changes), (one) => h("li", { class: one.state }, h("time", {}, moment(one.ts)),
      h("span", {}, h("b", {}, this.labels.get(one.device) ?? one.device), ` ${one.settings.map((each) => this.spelled(one.device, each)).join(", ")}`),
      h("span", { class: "quiet" }, `${one.state} · ${one.author || "nobody"}`))));
  }

  spelled(device, { setting, value: text, number }) {
    const info = this.units.get(`${device}.${setting}`);
    const spelt = info?.kind === "switch" ? value(number === 1) : number === null ? text : value(number, info?.unit);
    return `${words(setting).toLowerCase()} ${spelt}`;
  }
}

/** Put together what changed with one document; what it only repeats is left out, as is what a reactor applies by itself. */
function together(rows) {
  const groups = new Map();
  for (const row of rows) {
    const key = `${row.device} ${row.revision} ${row.state}`;
    if (!groups.has(key)) groups.set(key, { ...row, settings: [] });
    const group = groups.get(key);
    group.ts = row.ts; // a reactor that starts again says it again: the first time counts
    if (!group.settings.some((one) => one.setting === row.setting)) group.settings.push(row);
  }
  const known = new Map();
  const found = [];
  for (const group of [...groups.values()].toSorted((a, b) => (a.ts < b.ts ? -1 : 1))) {
    const settings = group.settings.filter((one) => known.get(`${group.device}.${one.setting}`) !== one.value);
    if (group.state === "applied") for (const one of group.settings) known.set(`${group.device}.${one.setting}`, one.value);
    if (group.author || group.state === "rejected") found.push({ ...group, settings: settings.length ? settings : group.settings });
  }
  return found.toSorted((a, b) => (a.ts < b.ts ? 1 : -1));
}

const since = () => new Date(fleet.now() - DAYS * 86400000).toISOString();

function list(rows, row) {
  if (rows === null) return h("p", { class: "quiet" }, "The database does not answer.");
  return rows.length ? h("ul", { tabindex: "0" }, rows.map(row)) : h("p", { class: "quiet" }, `Nothing in the last ${DAYS} days.`);
}
