// A device or sensor: desired, applied and read back side by side; changing it; acts.

import { get, post, put } from "./api.js";
import { fill, h, icon, look, say, toast } from "./dom.js";
import { measured, number, value, words } from "./format.js";
import { iconOf } from "./overview.js";

const FIRST_SETTINGS = 2; // are always to be seen; the others when they are not as usual, or asked for
const FIRST_ACTS = 2;
const ASK_CALIBRATION = "calibration"; // an act of EZO circuits that tells slope and points
const FIRST = ["live_interval", "sample_interval"]; // of a sensor's settings, the more important one last

/** What stands above: a device's settings as its driver has them, a sensor's intervals before its label and address. */
const rank = (setting) => FIRST.indexOf(setting.name);

/** The card of one device, or of one sensor's settings. `update(live)` shows what is new. */
export class TargetCard {
  constructor(reactor, info, me, { title, first = true } = {}) {
    this.reactor = reactor;
    this.info = info;
    this.may = me.access === "operator";
    this.edits = {};
    this.controls = {};
    this.pill = h("span", { class: "pill" });
    this.note = h("p", { class: "note", role: "status" });
    this.rows = [...info.settings].sort((a, b) => rank(b) - rank(a)).map((setting) => this.row(setting));
    this.more = this.rows.length > FIRST_SETTINGS + 1
      ? h("button", { class: "plain more", "aria-expanded": "false", onclick: () => { this.all = !this.all; this.paint(); } }) : null;
    this.apply = h("button", { class: "primary", onclick: () => this.send() }, "Apply");
    this.discard = h("button", { onclick: () => { this.edits = {}; this.paint(); } }, "Discard");
    this.undo = h("button", { class: "plain", title: "Go back to what was wanted before", onclick: () => this.takeBack() }, icon("undo"), "Undo last change");
    this.reported = h("dl", { class: "reported" });
    const few = info.acts.length > FIRST_ACTS + 1 ? FIRST_ACTS : info.acts.length;
    this.acts = info.acts.map((act) => new ActForm(reactor, info, act, this.may));
    this.last = h("p", { class: "note" });
    this.element = h("section", { class: "card target", "aria-label": info.label, id: `target-${info.name}` },
      h("div", { class: "head" }, first ? iconOf(info) : null, h("h3", {}, title ?? info.label), this.pill),
      this.note,
      info.settings.length ? h("div", { class: "scroll" }, h("table", { class: "settings" },
        h("thead", {}, h("tr", {}, ["", "Desired", "Applied", "Read back"].map((text) => h("th", { scope: "col" }, text)))),
        h("tbody", {}, this.rows.map((row) => row.element)))) : null,
      this.more,
      this.reported,
      info.settings.length && this.may ? h("div", { class: "buttons" }, this.apply, this.discard, h("span", { class: "grow" }), this.undo) : null,
      this.acts.slice(0, few).map((one) => one.element),
      this.acts.length > few ? h("details", { class: "others" }, h("summary", {}, "More to do"), this.acts.slice(few).map((one) => one.element)) : null,
      this.last,
      info.rules?.length ? h("ul", { class: "rules" }, info.rules.map((rule) => h("li", {}, rule))) : null);
  }

  row(setting) {
    const id = `${this.info.name}-${setting.name}`;
    const control = this.may ? this.control(setting, id) : h("span", { id });
    const applied = h("td", { "data-title": "Applied" });
    const readBack = h("td", { "data-title": "Read back" });
    this.controls[setting.name] = control;
    const element = h("tr", {}, h("th", { scope: "row" }, h("label", { for: id }, words(setting.name)),
      setting.kind === "number" ? h("small", {}, `${value(setting.low)} to ${value(setting.high, setting.unit)}`) : null),
    h("td", { "data-title": "Desired" }, setting.kind === "number" && this.may ? this.stepper(setting, control) : control), applied, readBack);
    return { setting, element, applied, readBack };
  }

  control(setting, id) {
    const edit = (found) => { this.edits[setting.name] = found; this.paint(); };
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
      const next = Math.min(setting.high, Math.max(setting.low, Number((Number(now) + sign * setting.step).toPrecision(12))));
      this.edits[setting.name] = next;
      this.paint();
    };
    return h("span", { class: "stepper" },
      h("button", { "aria-label": `less ${setting.name}`, onclick: () => turn(-1) }, "−"), control,
      h("button", { "aria-label": `more ${setting.name}`, onclick: () => turn(1) }, "+"),
      h("span", { class: "unit" }, setting.unit));
  }

  /** What is desired of a setting, an edit that was not sent included. */
  wanted(setting) {
    if (setting.name in this.edits) return this.edits[setting.name];
    return this.desired()[setting.name] ?? setting.default;
  }

  desired() {
    return this.target?.desired?.values ?? this.target?.values ?? {};
  }

  update(live) {
    this.live = live;
    this.target = live.targets.find((one) => one.name === this.info.name);
    this.paint();
  }

  paint() {
    const target = this.target;
    for (const [at, { setting, element, applied, readBack }] of this.rows.entries()) {
      const control = this.controls[setting.name];
      const wanted = this.wanted(setting);
      const edited = setting.name in this.edits;
      element.hidden = Boolean(this.more) && !this.all && at >= FIRST_SETTINGS && !edited && wanted === setting.default;
      if (!this.may) say(control, value(wanted, setting.unit));
      else if (setting.kind === "switch") control.checked = wanted === true;
      else if (document.activeElement !== control || !edited) {
        const text = wanted === null ? "" : String(wanted);
        if (control.value !== text) control.value = text;
      }
      look(element, edited ? "edited" : "");
      // Without a document it follows its file, whose value is the default.
      say(applied, value(target?.values[setting.name] ?? (target?.revision ? undefined : setting.default), setting.unit));
      say(readBack, measured(target?.read_back[setting.name], setting.unit));
      look(readBack, differs(target?.values[setting.name], target?.read_back[setting.name]) ? "differs" : "");
    }
    if (this.more) {
      say(this.more, this.all ? "Fewer settings" : "More settings");
      this.more.setAttribute("aria-expanded", String(Boolean(this.all)));
    }
    const [state, text] = stateOf(target, this.live);
    look(this.pill, `pill ${state}`);
    say(this.pill, text);
    const edits = Object.keys(this.edits).length > 0;
    this.apply.disabled = !edits || this.sending;
    this.discard.hidden = !edits;
    this.undo.hidden = !(target?.desired) || edits;
    if (!edits) this.said(target?.rejected ? target.rejected.reason : target?.fault || (target?.doing ? `Now: ${target.doing}` : ""), target?.rejected || target?.fault ? "bad" : "");
    const known = new Set(this.info.settings.map((one) => one.name));
    const more = Object.entries(target?.read_back ?? {}).filter(([name]) => !known.has(name));
    fill(this.reported, more.map(([name, found]) => {
      const quantity = this.info.reported?.find((one) => one.name === name);
      return h("div", {}, h("dt", {}, words(name)), h("dd", {}, typeof found === "number" && quantity ? `${number(found, quantity.decimals)} ${quantity.unit}` : value(found)));
    }));
    const done = this.live?.acts.filter((one) => one.target === this.info.name).at(-1);
    say(this.last, done ? `Last act: ${words(done.kind)}: ${done.state}${done.text ? `, ${done.text}` : ""}${results(done)}` : "");
  }

  said(text, kind = "") {
    say(this.note, text);
    look(this.note, `note ${kind}`);
  }

  async send(values = null, base = null) {
    if (!values && !Object.keys(this.edits).length) return;
    const wanted = values ?? Object.fromEntries(this.info.settings.map((one) => [one.name, this.wanted(one)]));
    if (Object.values(wanted).includes(null)) return this.said("A number is missing.", "bad");
    this.sending = true;
    this.paint();
    try {
      const path = `/reactors/${this.reactor}/settings/${this.info.name}`;
      const settled = await put(path, { base: base ?? this.base ?? this.target?.desired?.revision ?? this.target?.revision ?? 0, values: wanted });
      this.edits = {};
      this.base = null;
      toast(settled.delivered ? `${this.info.label}: applied` : `${this.info.label}: kept until the reactor is back`);
    } catch (error) {
      const { current, mistakes } = error.problem ?? {};
      if (error.status === 409 && current) {
        this.base = current.revision;
        this.said(`${error.message} to ${spelled(current.values)}. Your edit is still here: apply again to overwrite it.`, "bad");
      } else {
        this.said(mistakes?.length ? mistakes.map((one) => `${words(one.name)} ${one.value} ${one.unit}: must be ${one.limit}`).join("; ") : error.message, "bad");
      }
      if (values) toast(error.message, "bad");
    } finally {
      this.sending = false;
      this.apply.disabled = !Object.keys(this.edits).length;
    }
  }

  async takeBack() {
    try {
      const [newest, before] = await get(`/reactors/${this.reactor}/settings/${this.info.name}/history`, { limit: 2 });
      if (!newest) return this.said("There is no change to take back.", "bad");
      const defaults = Object.fromEntries(this.info.settings.map((one) => [one.name, one.default]));
      await this.send({ ...defaults, ...(before?.values ?? {}) }, this.target.desired.revision);
    } catch (error) {
      this.said(error.message, "bad");
    }
  }
}

/** Something to be done once: its numbers, a button, what became of it. */
class ActForm {
  constructor(reactor, info, act, may) {
    this.inputs = act.arguments.map((argument) => h("input", {
      type: "number", inputmode: "decimal", step: "any", required: true, min: String(argument.low), max: String(argument.high),
      "aria-label": `${words(argument.name)} in ${argument.unit}`, placeholder: `${value(argument.low)} – ${value(argument.high)}` }));
    this.button = h("button", { disabled: !may }, act.title);
    this.note = h("p", { class: "note", role: "status" });
    this.element = h("form", { class: "act", onsubmit: (event) => this.send(event, reactor, info, act) },
      act.arguments.map((argument, at) => h("label", {}, h("span", {}, words(argument.name)), this.inputs[at], h("span", { class: "unit" }, argument.unit))),
      this.button, this.note);
  }

  async send(event, reactor, info, act) {
    event.preventDefault();
    const values = Object.fromEntries(act.arguments.map((argument, at) => [argument.name, Number(this.inputs[at].value)]));
    this.button.disabled = true;
    this.say("…");
    try {
      const done = await post(`/reactors/${reactor}/acts`, { target: info.name, kind: act.name, arguments: values });
      const good = done.state === "done" || done.state === "begun";
      const told = `${done.state === "begun" ? "under way" : done.state}${done.text ? `: ${done.text}` : ""}${results(done)}`;
      this.say(told, good ? "good" : "bad");
      if (good && /^calibrate_/.test(act.name) && info.acts.some((one) => one.name === ASK_CALIBRATION)) {
        const now = await post(`/reactors/${reactor}/acts`, { target: info.name, kind: ASK_CALIBRATION, arguments: {} });
        this.say(`${told}. The circuit now:${results(now)}`, "good");
      }
    } catch (error) {
      this.say(error.message, "bad");
    } finally {
      this.button.disabled = false;
    }
  }

  say(text, kind = "") {
    say(this.note, text);
    look(this.note, `note ${kind}`);
  }
}

function results(done) {
  const found = Object.entries(done.result);
  return found.length ? ` (${found.map(([name, one]) => `${words(name).toLowerCase()} ${value(one)}`).join(", ")})` : "";
}

function spelled(values) {
  return Object.entries(values).map(([name, one]) => `${words(name).toLowerCase()} ${value(one)}`).join(", ");
}

function stateOf(target, live) {
  if (!target) return ["", ""];
  if (target.rejected) return ["bad", "rejected"];
  if (target.fault) return ["bad", "fault"];
  if (target.held_by) return ["waiting", `held by ${target.held_by}`];
  if (target.pending) return ["waiting", live.life === "lost" ? "waits for the reactor" : "on its way"];
  if (live.life === "lost") return ["", "as last heard"];
  if (target.revision) return ["good", `applied · ${target.author}`];
  return ["", "default"];
}

function differs(applied, readBack) {
  if (applied === undefined || readBack === undefined) return false;
  return typeof applied === "number" && typeof readBack === "number" ? Math.abs(applied - readBack) > Math.max(0.5, Math.abs(applied) * 0.02) : applied !== readBack;
}
