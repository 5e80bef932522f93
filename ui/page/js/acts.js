// What is done once: forms, what became of it, and what is left of a dose's limits.

import { post } from "./api.js";
import { fill, h, look, say, sure } from "./dom.js";
import { number, value, words } from "./format.js";

const ASK_CALIBRATION = "calibration"; // an act of EZO circuits that tells slope and points
const DRASTIC = /^(clear_|reset$|factory)/; // cannot be taken back
const LITTLE = 0.25; // of a limit that is left: worth a colour
const LAST = 3; // acts that are shown
const MOODS = { done: "good", begun: "waiting" };
const SAID = { begun: "under way", unknown: "unknown: nobody can tell how far it went" };
const SPANS = [["hour", "dosed_hour", "within this hour"], ["day", "dosed_day", "within this day"]];

/** Something to be done once: its numbers, a button, what became of it. */
export class ActForm {
  constructor(reactor, info, act, may) {
    this.reactor = reactor;
    this.info = info;
    this.act = act;
    this.inputs = act.arguments.map((argument) => h("input", {
      type: "number", inputmode: "decimal", step: "any", required: true, min: String(argument.low), max: String(argument.high),
      "aria-label": `${words(argument.name)} in ${argument.unit}`, placeholder: `${value(argument.low)} – ${value(argument.high)}` }));
    this.button = h("button", { disabled: !may, class: act.name === "stop" ? "danger" : null }, act.title);
    this.note = h("p", { class: "note", role: "status" });
    this.element = h("form", { class: "act", onsubmit: (event) => this.submit(event) },
      act.arguments.map((argument, at) => h("label", {}, h("span", {}, words(argument.name)), this.inputs[at], h("span", { class: "unit" }, argument.unit))),
      this.button, this.note);
  }

  /** Say how much of it may be done now; the reactor sees to it. */
  limit(ml) {
    const at = this.act.volume.length === 1 ? this.act.arguments.findIndex((one) => one.name === this.act.volume[0]) : -1;
    if (at < 0 || ml === null) return;
    const argument = this.act.arguments[at];
    this.inputs[at].placeholder = ml < argument.low ? "none left" : `${value(argument.low)} – ${value(Math.min(ml, argument.high))}`;
  }

  submit(event) {
    event.preventDefault();
    if (DRASTIC.test(this.act.name)) sure(`${this.info.label}: ${this.act.title.toLowerCase()}? This cannot be taken back.`, this.act.title, () => this.send());
    else this.send();
  }

  async send() {
    const { act, info } = this;
    const values = Object.fromEntries(act.arguments.map((argument, at) => [argument.name, Number(this.inputs[at].value)]));
    this.button.disabled = true;
    this.say("…");
    try {
      const done = await this.ask(act.name, values);
      this.say(told(done), MOODS[done.state] ?? "bad");
      if (done.state === "done" && act.name.startsWith("calibrate") && info.acts.some((one) => one.name === ASK_CALIBRATION)) {
        const now = await this.ask(ASK_CALIBRATION, {});
        this.say(`${told(done)}. The circuit now:${results(now)}`, "good");
      }
    } catch (error) {
      this.say(error.message, "bad");
    } finally {
      this.button.disabled = false;
    }
  }

  ask(kind, values) {
    return post(`/reactors/${this.reactor}/acts`, { target: this.info.name, kind, arguments: values });
  }

  say(text, kind = "") {
    say(this.note, text);
    look(this.note, `note ${kind}`);
  }
}

/** What a device may still dose: at once, within the hour, within the day. */
export class Doses {
  constructor({ limits }) {
    this.limits = limits;
    this.shown = SPANS.map(([, used]) => used);
    this.bars = new Map(SPANS.filter(([span]) => limits[span] !== null).map(([span, used, title]) => {
      const level = h("i", {});
      const meter = h("div", { class: "meter", role: "meter", "aria-valuemin": "0", "aria-valuemax": String(limits[span]), "aria-label": `Left ${title}, ml` }, level);
      const text = h("span", { class: "quiet" });
      return [span, { used, meter, level, text, element: h("div", { class: "left" }, h("span", { class: "label" }, `Left ${title}`), meter, text) }];
    }));
    const once = limits.dose === null ? "no limit" : value(limits.dose, "ml");
    this.element = h("div", { class: "doses" }, h("div", { class: "left" }, h("span", { class: "label" }, "At most at once"), h("span", { class: "quiet" }, once)), [...this.bars.values()].map((one) => one.element));
  }

  update(target, forms) {
    let least = this.limits.dose;
    for (const [span, { used, meter, level, text }] of this.bars) {
      const most = this.limits[span];
      const left = Math.max(0, most - (target?.read_back[used] ?? 0));
      meter.setAttribute("aria-valuenow", String(left));
      level.style.width = `${most ? (100 * left) / most : 0}%`;
      look(level, left < most * LITTLE ? "little" : "");
      say(text, `${number(left, 1)} of ${value(most, "ml")}`);
      least = least === null ? left : Math.min(least, left);
    }
    for (const form of forms) form.limit(least);
  }
}

/** Show the newest acts of a target, the newest first. */
export function lastActs(list, acts) {
  const shown = acts.slice(-LAST).toReversed();
  const text = JSON.stringify(shown);
  if (list.dataset.shown === text) return;
  list.dataset.shown = text;
  fill(list, shown.map((done) => h("li", {}, h("span", { class: `pill ${MOODS[done.state] ?? "bad"}` }, done.state === "begun" ? "under way" : done.state),
    h("b", {}, words(done.kind)), h("span", { class: "quiet" }, `${done.text}${results(done)}`))));
}

const told = (done) => `${SAID[done.state] ?? done.state}${done.text ? `: ${done.text}` : ""}${results(done)}`;

function results(done) {
  const found = Object.entries(done.result);
  return found.length ? ` (${found.map(([name, one]) => `${words(name).toLowerCase()} ${value(one)}`).join(", ")})` : "";
}
