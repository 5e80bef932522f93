// Panels of series over one time axis, and below them strips of settings; both are looked at by mouse, fingers and keys.

import { h } from "./dom.js";
import { AXIS, axis, begin, cursor, LEFT, panel, RIGHT, selection, strip, tallStrips } from "./drawing.js";

const PANEL = 132;
const LONE = 210; // of a panel that is alone
const GAP = 14;
const DRAGGED = 8; // pixels that make a press a choice of time
const WHEEL = 0.0016; // of the span, for each pixel that a wheel turns
const HINT = "Drag to choose a time; pinch, or turn the wheel with Ctrl, to zoom; arrows move, + and − zoom, 0 is now.";

/**
 * `series`: {label, unit, decimals, color, gap, points: [[ms, mean, low, high]]}; `strips`: {label, high, switched, levels: [[ms, number]]}.
 * `onView(from, until)` hears what somebody wants to see, `onNow()` that they want to follow the present.
 */
export class Chart {
  constructor({ onView, onNow, now }) {
    this.series = [];
    this.strips = [];
    this.from = 0;
    this.until = 1;
    this.following = true;
    this.cursor = null;
    this.drag = null;
    this.fingers = new Map(); // by pointer, where they are and were
    this.clock = now;
    this.onView = onView;
    this.onNow = onNow;
    this.canvas = h("canvas", { tabindex: "0", role: "img", title: HINT, "aria-label": HINT });
    this.below = h("canvas", { "aria-hidden": "true" });
    this.scroller = h("div", { class: "strips", tabindex: "0", role: "group", "aria-label": "Settings over the same time" }, this.below);
    this.element = h("div", { class: "canvas" }, this.canvas, this.scroller);
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.element);
    for (const canvas of [this.canvas, this.below]) this.listen(canvas);
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.retheme = () => this.draw();
    addEventListener("theme", this.retheme);
  }

  close() {
    this.observer.disconnect();
    removeEventListener("theme", this.retheme);
  }

  get now() {
    return this.clock();
  }

  show(from, until, following) {
    this.from = from;
    this.until = until;
    this.following = following;
    this.draw();
  }

  x(time) {
    return LEFT + ((time - this.from) / (this.until - this.from)) * (this.width - LEFT - RIGHT);
  }

  time(x) {
    return this.from + ((x - LEFT) / (this.width - LEFT - RIGHT)) * (this.until - this.from);
  }

  // looking

  listen(canvas) {
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const over of ["pointerup", "pointercancel"]) canvas.addEventListener(over, (event) => this.release(event));
    canvas.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && !this.drag) this.point(null); });
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("dblclick", () => this.onNow());
  }

  press(event) {
    event.target.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, event.offsetX);
    if (event.pointerType === "mouse") this.drag = { from: event.offsetX, to: event.offsetX };
  }

  move(event) {
    const x = Math.min(Math.max(event.offsetX, LEFT), this.width - RIGHT);
    const before = this.fingers.get(event.pointerId);
    if (this.drag) {
      this.drag.to = x;
      this.point(x);
    } else if (before === undefined) {
      this.point(x);
    } else if (this.fingers.size === 1) {
      this.shift(before - event.offsetX);
    } else {
      this.pinch(event.pointerId, event.offsetX);
    }
    if (before !== undefined) this.fingers.set(event.pointerId, event.offsetX);
  }

  release(event) {
    this.fingers.delete(event.pointerId);
    const { drag } = this;
    this.drag = null;
    if (drag && Math.abs(drag.to - drag.from) > DRAGGED) {
      this.onView(this.time(Math.min(drag.from, drag.to)), this.time(Math.max(drag.from, drag.to)));
    } else if (event.type === "pointerup") {
      this.point(Math.min(Math.max(event.offsetX, LEFT), this.width - RIGHT));
    }
  }

  point(x) {
    this.cursor = x;
    this.draw();
  }

  /** Move by so many pixels. */
  shift(pixels) {
    if (!pixels) return;
    const by = (pixels / (this.width - LEFT - RIGHT)) * (this.until - this.from);
    this.cursor = null;
    this.onView(this.from + by, this.until + by);
  }

  /** Keep the two times that the fingers hold below them. */
  pinch(id, x) {
    const [other] = [...this.fingers].filter(([one]) => one !== id).map(([, at]) => at);
    const held = [this.time(this.fingers.get(id)), this.time(other)];
    if (Math.abs(x - other) < 24) return;
    const each = (held[1] - held[0]) / (other - x); // milliseconds a pixel
    const from = held[0] - (x - LEFT) * each;
    this.cursor = null;
    this.onView(from, from + (this.width - LEFT - RIGHT) * each);
  }

  wheel(event) {
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      this.shift(event.deltaX);
    } else if (event.ctrlKey || event.metaKey || document.activeElement === this.canvas) {
      event.preventDefault();
      this.zoom(Math.exp(event.deltaY * WHEEL * (event.ctrlKey && Math.abs(event.deltaY) < 50 ? 5 : 1)), this.time(event.offsetX));
    }
  }

  /** Show `factor` times as much, with a time staying where it is. */
  zoom(factor, time = this.until) {
    this.onView(time - (time - this.from) * factor, time + (this.until - time) * factor);
  }

  key(event) {
    const span = this.until - this.from;
    const acts = {
      ArrowLeft: () => this.onView(this.from - span / 4, this.until - span / 4),
      ArrowRight: () => this.onView(this.from + span / 4, this.until + span / 4),
      "+": () => this.zoom(0.5, this.following ? this.until : (this.from + this.until) / 2),
      "=": () => this.zoom(0.5, this.following ? this.until : (this.from + this.until) / 2),
      "-": () => this.zoom(2, this.following ? this.until : (this.from + this.until) / 2),
      0: () => this.onNow(),
    };
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  }

  // painting

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.width = this.element.clientWidth;
    if (!this.width) return;
    const tall = this.series.length === 1 ? LONE : PANEL;
    const bottom = this.series.length * (tall + GAP);
    this.canvas.hidden = !this.series.length;
    const c = begin(this.canvas, this.width, bottom + AXIS);
    axis(c, this, bottom, true);
    for (const [at, one] of this.series.entries()) panel(c, this, one, at * (tall + GAP), tall);
    if (this.drag) selection(c, this.drag, bottom);
    cursor(c, this, this.series, bottom);
    this.scroller.hidden = !this.strips.length;
    const high = tallStrips(this.strips.length);
    const b = begin(this.below, this.width, high);
    axis(b, this, high, false);
    for (const [at, one] of this.strips.entries()) strip(b, this, one, at);
    if (this.drag) selection(b, this.drag, high);
    cursor(b, this, null, high);
  }
}
