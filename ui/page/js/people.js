// Who may log in, and the tokens of programs.

import { get, post, put, remove } from "./api.js";
import { fill, h, opened, sure, toast } from "./dom.js";
import { moment } from "./format.js";
import { ListTable } from "./table.js";

const ACCESSES = [["viewer", "look"], ["operator", "change things"]];
const SHORTEST = 10; // characters of a password
const NAME = "[a-z][a-z0-9._\\-]{0,31}";
const NAME_HINT = "a-z, then a-z 0-9 . _ -";
const SECRET = { name: "password", label: "Password", hint: `${SHORTEST} characters or more`, type: "password", minlength: String(SHORTEST), maxlength: "200", autocomplete: "new-password" };
const nameField = (label) => ({ name: "name", label, hint: NAME_HINT, pattern: NAME, title: NAME_HINT, maxlength: "32", autocapitalize: "none", autocomplete: "off" });

/** Show people and tokens. */
export async function showPeople(main, me) {
  const people = new ListTable([
    { title: "Name", value: (user) => user.name },
    { title: "May", value: (user) => user.access, cell: (user) => access(user.access, `What ${user.name} may do`, (chosen) => run(() => put(`/users/${user.name}`, { access: chosen }))) },
    { title: "Change", sorts: false, value: () => "", cell: (user) => h("div", { class: "buttons" },
      h("button", { onclick: () => newPassword(user) }, "New password"),
      h("button", { class: "plain", disabled: user.name === me.name, title: user.name === me.name ? "That is you" : null, "aria-label": `Remove ${user.name}`,
        onclick: () => sure(`Let ${user.name} in no more?`, "Remove", () => run(() => remove(`/users/${user.name}`))) }, "Remove")) },
  ], { none: "Nobody may log in.", label: "People", order: 0 });
  const tokens = new ListTable([
    { title: "What for", value: (one) => one.name },
    { title: "May", value: (one) => ACCESSES.find(([name]) => name === one.access)[1] },
    { title: "Made", value: (one) => one.made, cell: (one) => moment(one.made) },
    { title: "Change", sorts: false, value: () => "", cell: (one) => h("button", { class: "plain", "aria-label": `Remove the token of ${one.name}`,
      onclick: () => sure(`Make the token of ${one.name} worthless?`, "Remove", () => run(() => remove(`/tokens/${one.id}`))) }, "Remove") },
  ], { none: "No program has a token.", label: "Tokens", order: 0 });
  const made = h("div", { class: "banner good", role: "status", hidden: true });

  fill(main,
    h("div", { class: "toolbar" }, h("h1", {}, "People"), h("span", { class: "grow" }), h("button", { class: "primary", onclick: () => ask("Let somebody in", [nameField("Name"), SECRET], true, add) }, "Let somebody in")),
    people.element,
    h("div", { class: "toolbar section" }, h("h2", {}, "Tokens for programs"), h("span", { class: "grow" }), h("button", { onclick: () => ask("Make a token", [nameField("What for")], true, mint) }, "Make a token")),
    made, tokens.element);

  async function add(wish) {
    if (people.all.some((user) => user.name === wish.name)) throw new Error(`${wish.name} is in already.`);
    await put(`/users/${encodeURIComponent(wish.name)}`, { access: wish.access, password: wish.password });
    toast(`${wish.name} may log in`);
    await load();
  }

  async function mint(wish) {
    const token = await post("/tokens", wish);
    made.hidden = false;
    fill(made, h("p", {}, `The token of ${token.name}, shown this once:`), h("code", { class: "secret" }, token.token));
    await load();
  }

  function newPassword(user) {
    ask(`A new password for ${user.name}`, [SECRET], false, async ({ password }) => {
      await put(`/users/${user.name}`, { access: user.access, password });
      toast(`${user.name} logs in with the new password from now on`);
      if (user.name === me.name) location.reload(); // a new password ends every session
    });
  }

  async function load() {
    const [users, programs] = await Promise.all([get("/users"), get("/tokens")]);
    people.rows(users);
    tokens.rows(programs);
  }

  async function run(act) {
    try {
      await act();
    } catch (error) {
      toast(error.message, "bad");
    }
    await load();
  }
  await load();
}

function access(chosen, label, change = null) {
  return h("select", { name: "access", "aria-label": label, onchange: change && ((event) => change(event.target.value)) },
    ACCESSES.map(([value, title]) => h("option", { value, selected: value === chosen }, title)));
}

/** Ask for some texts in a dialog, and for what somebody may do; `send` gets them, and may throw. */
function ask(title, fields, withAccess, send) {
  const inputs = fields.map(({ label, hint, ...attributes }) => ({ label, hint, input: h("input", { id: `ask-${attributes.name}`, required: true, type: "text", ...attributes }) }));
  const may = withAccess ? access("viewer", "May") : null;
  const said = h("p", { class: "note bad", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    fill(said);
    try {
      const texts = Object.fromEntries(inputs.map(({ input }) => [input.name, input.value]));
      await send(may ? { ...texts, access: may.value } : texts);
      dialog.close();
    } catch (error) {
      fill(said, error.message);
    }
  };
  const dialog = opened(title, h("form", { class: "asked", onsubmit: submit },
    inputs.map(({ label, hint, input }) => h("label", {}, h("span", {}, label), input, h("small", {}, hint))),
    may ? h("label", {}, h("span", {}, "May"), may) : null, said,
    h("div", { class: "buttons" }, h("button", { class: "primary" }, title.split(" ").length > 3 ? "Set it" : title), h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"))));
}
