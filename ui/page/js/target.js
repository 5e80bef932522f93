// A device or sensor: desired, applied and read back side by side; changing it; what it doses; acts.

import { ActForm, Doses, lastActs } from "./acts.js";
import { get, put } from "./api.js";
import { fill, h, icon, look, say, toast } from "./dom.js";
import { measured, number, value, words } from "./format.js";
import { brief, iconOf } from "./overview.js";

const FIRST_SETTINGS = 2; // are always to be seen; the others when they are not as usual, or asked for
const FIRST = ["live_interval", "sample_interval"]; // of a sensor's settings, the more important one last
const SOON = 20; // milliseconds

/** What stands above: a device's settings as its driver has them, a sensor's intervals before its label and address. */
const rank = (setting) => FIRST.indexOf(setting.name);

/** The card of one device, or of one sensor. `update(live)` shows what is new. */
export class TargetCard {
  constructor(reactor, info, me, { device = true } = {}) {
    this.reactor = reactor;
    this.info = info;
    this.device = device;
    this.may = me.access === "operator";
    this.edits = {};
    this.base = null; // the revision that the edits were begun on
    this.theirs = null; // what somebody else did meanwhile
    this.controls = {};
    this.pill = h("span", { class: "pill" });
    this.brief = h("span", { class: "brief" });
    this.note = h("p", { class: "note", role: "status" });
    this.rows = info.settings.toSorted((a, b) => rank(b) - rank(a)).map((setting) => this.row(setting));
    this.first = info.limits ? 0 : FIRST_SETTINGS;
    this.more = this.rows.length > FIRST_SETTINGS + 1 || (info.limits && this.rows.length)
      ? h("button", { class: "plain more", "aria-expanded": "false", onclick: () => { this.all = !this.all; this.paint(); } }) : null;
    this.apply = h("button", { class: "primary", onclick: () => this.send() }, "Apply");
    this.discard = h("button", { onclick: () => this.forget() }, "Discard");
    this.undo = h("button", { class: "plain", title: "Go back to what was wanted before", onclick: () => this.takeBack() }, icon("undo"), "Undo last change");
    this.buttons = h("div", { class: "buttons" }, this.apply, this.discard, h("span", { class: "grow" }), this.undo);
    this.conflict = h("div", { class: "conflict", role: "alert", hidden: true });
    this.doses = info.limits ? new Doses(info) : null;
    this.reported = h("dl", { class: "reported" });
    this.acts = info.acts.map((act) => new ActForm(reactor, info, act, this.may));
    this.last = h("ul", { class: "acts" });
    this.fold = h("button", { class: "plain fold", "aria-expanded": "false", "aria-label": `Show ${info.label}`, onclick: () => this.open(!this.isOpen) }, icon("fold"));
    this.table = h("div", { class: "scroll" }, h("table", { class: "settings" },
      h("thead", {}, h("tr", {}, ["Setting", "Desired", "Applied", ...(device ? ["Read back"] : [])].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, this.rows.map((row) => row.element))));
    const [near, far] = shared(this.acts);
    this.middle = h("div", { class: "middle" }); // for what a probe shows besides
    this.element = h("section", { class: "card target folded", "aria-label": info.label, id: `target-${info.name}` },
      h("div", { class: "head", onclick: (event) => { if (!event.target.closest("button")) this.open(!this.isOpen); } },
        device ? iconOf(info) : null, h("h3", {}, info.label), this.brief, this.pill, this.fold),
      this.note, this.conflict, this.middle, this.doses?.element,
      near.map((one) => one.element),
      info.settings.length ? this.table : null,
      this.more,
      info.settings.length && this.may ? this.buttons : null,
      this.reported,
      far.length ? h("details", { class: "others" }, h("summary", {}, "More to do"), far.map((one) => one.element)) : null,
      this.last,
      info.rules?.length ? h("ul", { class: "rules" }, info.rules.map((rule) => h("li", {}, rule))) : null);
  }

  /** On a phone a card is one line until somebody opens it; on a desk it is always open. */
  open(isOpen) {
    this.isOpen = isOpen;
    this.element.classList.toggle("folded", !isOpen);
    this.fold.setAttribute("aria-expanded", String(isOpen));
  }

  row(setting) {
    const id = `${this.info.name}-${setting.name}`;
    const control = this.may ? this.control(setting, id) : h("span", { id });
    const applied = h("td", { "data-title": "Applied" });
    const readBack = h("td", { "data-title": "Read back" });
    this.controls[setting.name] = control;
    const element = h("tr", {}, h("th", { scope: "row" }, h("label", { for: id }, words(setting.name)),
      setting.kind === "number" ? h("small", {}, `${value(setting.low)} to ${value(setting.high, setting.unit)}`) : null),
    h("td", { "data-title": "Desired" }, setting.kind === "number" && this.may ? this.stepper(setting, control) : control), applied, this.device ? readBack : null);
    return { setting, element, applied, readBack };
  }

  control(setting, id) {
    const edit = (found) => this.edit(setting, found);
    if (setting.kind === "switch") {
      return h("input", { type: "checkbox", role: "switch", class: "switch", id, onchange: (event) => edit(event.target.checked) });
    }
    if (setting.kind === "choice") {
      return h("select", { id, onchange: (event) => edit(event.target.value) }, setting.choices.map((one) => h("option", { value: one }, one)));
    }
    if (setting.kind === "text") return h("input", { id, maxlength: "200", oninput: (event) => edit(event.target.value) });
    return h("input", { type: "number", inputmode: "decimal", step: "any", id,
      oninput: (event) => edit(event.target.value === "" ? null : Number(event.target.value)),
      onkeydown: (event) => { if (event.key === "Enter") this.send(); } });
  }

  stepper(setting, control) {
    const turn = (sign) => {
      const now = this.wanted(setting) ?? setting.default;
      this.edit(setting, Math.min(setting.high, Math.max(setting.low, Number((Number(now) + sign * setting.step).toPrecision(12)))));
    };
    return h("span", { class: "stepper" },
      h("button", { "aria-label": `less ${setting.name}`, onclick: () => turn(-1) }, "−"), control,
      h("button", { "aria-label": `more ${setting.name}`, onclick: () => turn(1) }, "+"),
      h("span", { class: "unit" }, setting.unit));
  }

  edit(setting, found) {
    if (!Object.keys(this.edits).length) this.base = this.revision();
    if (found === (this.desired()[setting.name] ?? setting.default)) delete this.edits[setting.name];
    else this.edits[setting.name] = found;
    if (!Object.keys(this.edits).length) this.forget();
    else this.paint();
  }

  forget() {
    this.edits = {};
    this.base = this.theirs = null;
    this.problem = "";
    this.paint();
  }

  /** What is desired of a setting, an edit that was not sent included. */
  wanted(setting) {
    if (setting.name in this.edits) return this.edits[setting.name];
    return this.desired()[setting.name] ?? setting.default;
  }

  desired() {
    return this.target?.desired?.values ?? this.target?.values ?? {};
  }

  revision() {
    return this.target?.desired?.revision ?? this.target?.revision ?? 0;
  }

  update(live) {
    this.live = live;
    this.target = live.targets.find((one) => one.name === this.info.name);
    if (this.base !== null && !this.sending && this.target?.desired?.revision > this.base) this.theirs = this.target.desired;
    this.paint();
  }

  // painting

  paint() {
    const target = this.target;
    const edits = Object.keys(this.edits).length > 0;
    for (const [at, row] of this.rows.entries()) this.paintRow(row, at);
    this.table.hidden = this.rows.every(({ element }) => element.hidden);
    if (this.more) {
      say(this.more, this.all ? "Fewer settings" : this.first ? "More settings" : "Settings");
      this.more.setAttribute("aria-expanded", String(Boolean(this.all)));
    }
    this.element.classList.toggle("past", this.live?.life === "lost");
    const [state, text] = stateOf(target, this.live);
    look(this.pill, `pill ${state}`);
    say(this.pill, text);
    if (this.device) say(this.brief, brief(target));
    this.apply.disabled = !edits || this.sending;
    say(this.apply, this.theirs ? "Apply mine" : this.sending ? "Applying…" : "Apply");
    this.discard.hidden = !edits;
    say(this.discard, this.theirs ? "Take theirs" : "Discard");
    this.undo.hidden = !target?.desired || edits;
    this.buttons.hidden = !edits && this.undo.hidden && this.table.hidden;
    this.conflict.hidden = !this.theirs;
    if (this.theirs) say(this.conflict, `${this.theirs.author || "Somebody"} changed it meanwhile to ${this.spelled(this.theirs.values)}. Your edit is still here.`);
    this.paintNote(target);
    this.doses?.update(target, this.acts);
    this.paintReported(target);
    lastActs(this.last, this.live?.acts.filter((one) => one.target === this.info.name) ?? []);
  }

  paintRow({ setting, element, applied, readBack }, at) {
    const target = this.target;
    const control = this.controls[setting.name];
    const wanted = this.wanted(setting);
    const edited = setting.name in this.edits;
    element.hidden = Boolean(this.more) && !this.all && at >= this.first && !edited && (wanted === setting.default || !this.first);
    if (!this.may) say(control, value(wanted, setting.unit));
    else if (setting.kind === "switch") control.checked = wanted === true;
    else if (document.activeElement !== control || !edited) {
      const text = wanted === null ? "" : String(wanted);
      if (control.value !== text) control.value = text;
    }
    look(element, edited ? "edited" : "");
    // Without a document it follows its file, whose value is the default.
    const done = target?.values[setting.name] ?? (target?.revision ? undefined : setting.default);
    say(applied, value(done, setting.unit));
    look(applied, !edited && target?.pending && done !== wanted ? "waits" : "");
    say(readBack, measured(target?.read_back[setting.name], setting.unit));
    look(readBack, differs(target?.values[setting.name], target?.read_back[setting.name]) && !target.held_by ? "differs" : "");
  }

  paintNote(target) {
    if (this.problem) return this.said(this.problem, "bad");
    if (target?.rejected) return this.said(`Rejected: ${target.rejected.reason}`, "bad");
    if (target?.fault) return this.said(target.fault, "bad");
    if (target?.held_by) return this.said(`Held by ${target.held_by}. It returns to its setting by itself when that is over.`, "waiting");
    return this.said(target?.doing ? `Now: ${target.doing}` : "");
  }

  said(text, kind = "") {
    say(this.note, text);
    look(this.note, `note ${kind}`);
  }

  paintReported(target) {
    const known = new Set([...this.info.settings.map((one) => one.name), ...(this.doses?.shown ?? [])]);
    const more = Object.entries(target?.read_back ?? {}).filter(([name]) => !known.has(name));
    const text = JSON.stringify(more);
    if (this.told === text) return;
    this.told = text;
    fill(this.reported, more.map(([name, found]) => {
      const quantity = this.info.reported?.find((one) => one.name === name);
      return h("div", {}, h("dt", {}, words(name)), h("dd", {}, typeof found === "number" && quantity ? `${number(found, quantity.decimals)} ${quantity.unit}` : value(found)));
    }));
  }

  spelled(values) {
    const units = new Map(this.info.settings.map((one) => [one.name, one.unit]));
    const before = this.target?.values ?? {};
    const others = Object.entries(values).filter(([name, one]) => name in this.edits || one !== before[name]);
    return (others.length ? others : Object.entries(values)).map(([name, one]) => `${words(name).toLowerCase()} ${value(one, units.get(name))}`).join(", ");
  }

  // changing

  async send() {
    if (!Object.keys(this.edits).length || this.sending) return;
    const wanted = Object.fromEntries(this.info.settings.map((one) => [one.name, this.wanted(one)]));
    if (Object.values(wanted).includes(null)) {
      this.problem = "A number is missing.";
      this.paint();
      return;
    }
    await this.put(wanted, this.theirs?.revision ?? this.base);
  }

  async put(values, base) {
    this.sending = true;
    this.problem = "";
    const wait = setTimeout(() => this.paint(), SOON);
    try {
      const settled = await put(`/reactors/${this.reactor}/settings/${this.info.name}`, { base, values });
      this.forget();
      toast(settled.delivered ? `${this.info.label}: ${settled.held_by ? "kept, and held" : "applied"}` : `${this.info.label}: kept until the reactor is back`);
    } catch (error) {
      const { current, mistakes } = error.problem ?? {};
      if (error.status === 409 && current) this.theirs = current;
      else this.problem = mistakes?.length ? mistakes.map(mistaken).join("; ") : error.message;
    } finally {
      clearTimeout(wait);
      this.sending = false;
      this.paint();
    }
  }

  async takeBack() {
    try {
      const [newest, before] = await get(`/reactors/${this.reactor}/settings/${this.info.name}/history`, { limit: 2 });
      const defaults = Object.fromEntries(this.info.settings.map((one) => [one.name, one.default]));
      if (newest) await this.put({ ...defaults, ...before?.values }, this.revision());
    } catch (error) {
      this.problem = error.message;
      this.paint();
    }
  }
}

/** What is always to be seen of acts, and what is behind "More to do". */
function shared(acts) {
  if (acts.length < 4) return [acts, []];
  const near = acts.filter(({ act }, at) => act.name === "stop" || (at < 4 && (act.name.startsWith("calibrate") || act.name === "dose")));
  return near.length ? [near, acts.filter((one) => !near.includes(one))] : [acts.slice(0, 2), acts.slice(2)];
}

const mistaken = (one) => `${words(one.name)} ${one.value} ${one.unit}: ${one.limit.startsWith("must") ? one.limit : `must be ${one.limit}`}`;

function stateOf(target, live) {
  if (!target) return ["", ""];
  if (target.rejected) return ["bad", "rejected"];
  if (target.fault) return ["bad", "fault"];
  if (target.pending) return ["waiting", live.life === "lost" ? "waits for the reactor" : "on its way"];
  if (target.held_by) return ["waiting", "held"];
  if (live.life === "lost") return ["", "as last heard"];
  if (target.revision) return ["good", `applied · ${target.author}`];
  return ["", "default"];
}

function differs(applied, readBack) {
  if (applied === undefined || readBack === undefined) return false;
  return typeof applied === "number" && typeof readBack === "number" ? Math.abs(applied - readBack) > Math.max(0.5, Math.abs(applied) * 0.02) : applied !== readBack;
}
