// A sensor's card: the live value in large, how steady it is, and its calibration points.

import { h, look, say } from "./dom.js";
import { number, quality, unitBehind } from "./format.js";
import { TargetCard } from "./target.js";

const STEADY = 12; // readings that tell how steady a value is
const ENOUGH = 5; // of them, before one can tell
const CALM = 3; // times the last decimal, or
const CALM_PART = 0.001; // of the value: the spread of a steady one, whichever is more
const SHOWN = 60; // readings of the small line
const WIDE = 240;
const TALL = 48;
const SVG = "http://www.w3.org/2000/svg";

export class ProbeCard extends TargetCard {
  constructor(reactor, sensor, me) {
    super(reactor, sensor, me, { device: false });
    [this.quantity] = sensor.quantities;
    this.now = h("b", { class: "large" }, "–");
    this.steady = h("p", { class: "steady", role: "status" });
    this.path = document.createElementNS(SVG, "polyline");
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDE} ${TALL}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("class", "spark");
    svg.setAttribute("aria-hidden", "true");
    svg.append(this.path);
    if (this.quantity) this.middle.append(h("div", { class: "probe" }, h("span", {}, this.now, h("small", {}, unitBehind(this.quantity.unit, sensor.label))), svg), this.steady);
  }

  /** Show the newest value and those before: [ms, value]. */
  hear(reading, recent) {
    if (!this.quantity || !reading) return;
    const { decimals } = this.quantity;
    const shown = number(reading.value, decimals);
    say(this.now, shown);
    say(this.brief, `${shown}${unitBehind(this.quantity.unit, this.info.label)}`);
    const values = recent.map((one) => one[1]).filter((one) => one !== null);
    const last = values.slice(-STEADY);
    if (reading.value === null || last.length < ENOUGH) {
      say(this.steady, reading.value === null ? quality(reading.quality) : `${last.length} of ${ENOUGH} readings that tell how steady it is`);
      look(this.steady, "steady");
    } else {
      const mean = last.reduce((a, b) => a + b, 0) / last.length;
      const spread = Math.sqrt(last.reduce((a, b) => a + (b - mean) ** 2, 0) / last.length);
      const calm = spread <= Math.max(CALM * 10 ** -decimals, CALM_PART * Math.abs(mean));
      say(this.steady, `± ${number(spread, decimals + 1)} over the last ${last.length} readings: ${calm ? "steady" : "still moving"}`);
      look(this.steady, `steady ${calm ? "good" : ""}`);
    }
    this.draw(values.slice(-SHOWN));
  }

  draw(values) {
    const least = 10 ** -this.quantity.decimals * 4;
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const span = Math.max(high - low, least);
    const middle = (low + high) / 2;
    this.path.setAttribute("points", values.map((one, at) => `${(at / Math.max(1, values.length - 1)) * WIDE},${TALL / 2 - ((one - middle) / span) * (TALL - 8)}`).join(" "));
  }
}
