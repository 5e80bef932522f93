// Elements without innerHTML: whatever a name or text holds, it is text.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: `h("button", {class: "x", onclick: f}, "text", child)`; nothing is made of null and false. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...flat(children));
  return element;
}

/** Put these children in place of what is there. */
export function fill(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

/** Set a text, if it is another. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set a class list, if it is another. */
export function look(element, classes) {
  if (element.className !== classes) element.className = classes;
}

/** Make one of the icons. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/page/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** Tell the person something that goes away again. */
export function toast(text, kind = "good") {
  const note = h("div", { class: `toast ${kind}` }, text);
  document.getElementById("toasts").append(note);
  setTimeout(() => note.remove(), kind === "bad" ? 9000 : 4500);
}

/** Ask whether somebody is sure of what cannot be taken back. */
export function sure(question, title, act) {
  const dialog = opened(question, h("div", { class: "buttons" },
    h("button", { class: "danger", onclick: () => { dialog.close(); act(); } }, title), h("button", { onclick: () => dialog.close() }, "Cancel")));
}

/** Open a dialog over the page; it is gone when it is closed. */
export function opened(title, ...content) {
  const dialog = h("dialog", { class: "card", "aria-label": title, onclose: () => dialog.remove() }, h("h2", {}, title), content);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

function flat(children) {
  return children.flat(3).filter((child) => child !== null && child !== undefined && child !== false);
}
