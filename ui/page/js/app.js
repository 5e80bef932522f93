// The page: who is logged in, which view is shown, the bar above it.

import { ApiError, get, post, remove, whenStranger } from "./api.js";
import { fill, h, icon, opened, say, toast } from "./dom.js";
import * as fleet from "./fleet.js";
import { showHealth } from "./health.js";
import { showEvents, showInventory } from "./lists.js";
import { showOverview } from "./overview.js";
import { showPeople } from "./people.js";
import { showReactor } from "./reactor.js";

const VIEWS = [
  { path: /^\/$/, show: showOverview, title: "Reactors" },
  { path: /^\/reactor\/([a-z][a-z0-9_-]*)$/, show: showReactor, title: "Reactor" },
  { path: /^\/events$/, show: showEvents, title: "Events" },
  { path: /^\/inventory$/, show: showInventory, title: "Inventory" },
  { path: /^\/health$/, show: showHealth, title: "Health" },
  { path: /^\/people$/, show: showPeople, title: "People" },
];
const LINKS = [["/", "Reactors"], ["/events", "Events"], ["/inventory", "Inventory"], ["/health", "Health"], ["/people", "People"]];
const KEYS = [["/", "search"], ["Esc", "back to all reactors"], ["?", "these keys"], ["Tab", "on to the next"],
  ["← →", "chart: earlier, later"], ["+ −", "chart: closer, wider"], ["0", "chart: back to now"]];
const main = document.getElementById("main");
const bar = document.getElementById("bar");
let me = null;
let leave = () => {};

function theme(next) {
  if (next) localStorage.setItem("theme", next);
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

const isHere = (path) => (path === "/" ? /^\/($|reactor)/.test(location.pathname) : location.pathname === path);

function showBar() {
  const links = LINKS.filter(([path]) => path !== "/people" || me.access === "operator");
  fill(
    bar,
    h("a", { class: "brand", href: "/" }, h("img", { src: "/page/icon.svg", alt: "", width: "26", height: "26" }), "Reactorium"),
    h("nav", { "aria-label": "Main" }, links.map(([path, title]) =>
      h("a", { href: path, "aria-current": isHere(path) ? "page" : null }, icon(title.toLowerCase()), h("span", {}, title)))),
    h("span", { id: "connection", class: fleet.connection.up ? "" : "down" }, fleet.connection.up ? "" : "no connection"),
    h("button", { class: "plain", title: "Light or dark", "aria-label": "Light or dark", onclick: () => { theme(isDark() ? "light" : "dark"); dispatchEvent(new Event("theme")); } }, icon("sun")),
    h("span", { class: "me" }, `${me.name}${me.access === "viewer" ? " (viewer)" : ""}`),
    h("button", { class: "plain", onclick: logOut }, "Log out"),
  );
}

async function route() {
  leave();
  leave = () => {};
  if (!me) return showLogin();
  const view = VIEWS.find(({ path }) => path.test(location.pathname));
  showBar();
  scrollTo(0, 0);
  if (!view) return fill(main, h("div", { class: "empty" }, h("h1", {}, "Nothing is here"), h("a", { href: "/" }, "To the reactors")));
  document.title = `${view.title} · Reactorium`;
  say(document.getElementById("where"), view.title);
  fill(main, h("p", { class: "quiet loading" }, "Loading…"));
  try {
    leave = (await view.show(main, me, ...location.pathname.match(view.path).slice(1))) ?? (() => {});
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    fill(main, h("div", { class: "empty" }, h("h1", {}, error.message), h("p", { class: "quiet" }, error.status === 404 ? "It may have another name now." : "What is measured meanwhile is kept all the same."), h("button", { onclick: route }, "Try again")));
  }
}

function showKeys() {
  opened("Keys", h("dl", { class: "keys" }, KEYS.map(([key, what]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)])),
    h("form", { method: "dialog" }, h("button", { class: "primary" }, "Close")));
}

function go(path) {
  if (path !== location.pathname) history.pushState(null, "", path);
  main.focus({ preventScroll: true });
  route();
}

function showLogin(problem = "") {
  fleet.end();
  document.title = "Log in · Reactorium";
  fill(bar);
  const name = h("input", { id: "name", name: "username", autocomplete: "username", autocapitalize: "none", required: true });
  const password = h("input", { id: "password", type: "password", name: "password", autocomplete: "current-password", required: true });
  const said = h("p", { class: "problem", role: "alert" }, problem);
  const button = h("button", { class: "primary" }, "Log in");
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    fill(said);
    try {
      me = await post("/session", { name: name.value, password: password.value });
      begin();
    } catch (error) {
      fill(said, error.message);
      button.disabled = false;
      password.select();
    }
  };
  fill(main, h("form", { class: "login card", onsubmit: submit },
    h("img", { src: "/page/icon.svg", alt: "", width: "44", height: "44" }), h("h1", {}, "Reactorium"),
    h("label", { for: "name" }, "Name"), name, h("label", { for: "password" }, "Password"), password, said, button));
  name.focus();
}

async function logOut() {
  await remove("/session").catch(() => {});
  me = null;
  route();
}

function begin() {
  fleet.begin();
  fleet.refresh();
  route();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='/']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || link.hasAttribute("download") || link.href.includes("/api/")) return;
  event.preventDefault();
  go(link.getAttribute("href"));
});
document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    event.preventDefault();
    document.querySelector("input[type=search]")?.focus();
  } else if (event.key === "?" && me) {
    showKeys();
  } else if (event.key === "Escape" && location.pathname !== "/") go("/");
});
addEventListener("popstate", route);
whenStranger(() => {
  if (!me) return;
  me = null;
  toast("The session is over: log in again.", "bad");
  route();
});
fleet.listen((names) => {
  const mark = names.has("") && document.getElementById("connection");
  if (!mark) return;
  mark.className = fleet.connection.up ? "" : "down";
  mark.textContent = fleet.connection.up ? "" : "no connection";
});

theme();
get("/session").then((found) => { me = found; begin(); }, () => showLogin());
