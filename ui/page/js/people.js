// Who may log in, and the tokens of programs.

import { get, post, put, remove } from "./api.js";
import { fill, h, toast } from "./dom.js";
import { moment } from "./format.js";
import { table } from "./lists.js";

/** Show people and tokens. */
export async function showPeople(main, me) {
  const people = h("div", {});
  const tokens = h("div", {});
  const made = h("div", { class: "banner good", role: "status", hidden: true });
  fill(main, h("div", { class: "toolbar" }, h("h1", {}, "People")),
    people, form("Let somebody in", [["name", "Name", "text"], ["password", "Password, 10 characters or more", "password"]], async ({ name, password, access }) => {
      await put(`/users/${encodeURIComponent(name)}`, { access, password });
      toast(`${name} may log in`);
      await load();
    }),
    h("h2", {}, "Tokens for programs"), made, tokens, form("Make a token", [["name", "What for", "text"]], async ({ name, access }) => {
      const token = await post("/tokens", { name, access });
      made.hidden = false;
      fill(made, h("p", {}, `The token of ${name}, shown this once:`), h("code", { class: "secret" }, token.token));
      await load();
    }));

  async function load() {
    const [users, programs] = await Promise.all([get("/users"), get("/tokens")]);
    fill(people, table(["Name", "May", ""], users.map((user) => [user.name,
      h("select", { "aria-label": `What ${user.name} may do`, onchange: (event) => run(() => put(`/users/${user.name}`, { access: event.target.value })) },
        accesses(user.access)),
      h("button", { class: "plain", disabled: user.name === me.name, onclick: () => confirm(`Let ${user.name} in no more?`) && run(() => remove(`/users/${user.name}`)) }, "Remove")]), "Nobody"));
    fill(tokens, table(["What for", "May", "Made", ""], programs.map((one) => [one.name, one.access === "operator" ? "change things" : "look", moment(one.made),
      h("button", { class: "plain", onclick: () => confirm(`Make the token of ${one.name} worthless?`) && run(() => remove(`/tokens/${one.id}`)) }, "Remove")]), "No program has a token."));
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

function accesses(chosen) {
  return [["viewer", "look"], ["operator", "change things"]].map(([value, title]) => h("option", { value, selected: value === chosen }, title));
}

function form(title, fields, send) {
  const inputs = fields.map(([name, label, type]) => h("input", { name, type, required: true, "aria-label": label, placeholder: label, autocomplete: type === "password" ? "new-password" : "off", autocapitalize: "none" }));
  const access = h("select", { "aria-label": "May" }, accesses("viewer"));
  const said = h("p", { class: "note bad", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    fill(said);
    try {
      await send({ ...Object.fromEntries(inputs.map((input) => [input.name, input.value])), access: access.value });
      event.target.reset();
    } catch (error) {
      fill(said, error.message);
    }
  };
  return h("form", { class: "inline", onsubmit: submit }, inputs, access, h("button", { class: "primary" }, title), said);
}
