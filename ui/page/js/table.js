// A table that sorts, searches and turns pages; on a phone each row is a small card.

import { fill, h, say } from "./dom.js";

const ROWS = 100; // on a page
const collator = new Intl.Collator(undefined, { numeric: true });

/**
 * `columns`: {title, value(row) for sorting and searching, cell(row) for what is shown, else the value; sorts: false}.
 * `rows(all)` shows others; `none` is said when there are none. Order, search and page stay as they are.
 */
export class ListTable {
  constructor(columns, { none, order = null, down = false, label }) {
    this.columns = columns;
    this.none = none;
    this.all = [];
    this.order = order;
    this.down = down;
    this.wanted = "";
    this.page = 0;
    this.heads = columns.map((column, at) => h("th", { scope: "col" },
      column.sorts === false ? column.title : h("button", { class: "plain sort", onclick: () => this.orderBy(at) }, column.title)));
    this.body = h("tbody", {});
    this.empty = h("p", { class: "quiet" });
    this.card = h("div", { class: "scroll card flat" }, h("table", { class: "list", "aria-label": label }, h("thead", {}, h("tr", {}, this.heads)), this.body));
    this.count = h("span", { class: "quiet", role: "status" });
    this.newer = h("button", { onclick: () => this.turn(-1) }, "Before");
    this.older = h("button", { onclick: () => this.turn(1) }, "Next");
    this.pager = h("div", { class: "pager" }, this.count, h("span", { class: "grow" }), this.newer, this.older);
    this.element = h("div", {}, this.card, this.empty, this.pager);
  }

  /** A search field for it. */
  search(label) {
    return h("input", { type: "search", placeholder: "Search  ( / )", "aria-label": label, oninput: (event) => {
      this.wanted = event.target.value.toLowerCase();
      this.page = 0;
      this.paint();
    } });
  }

  rows(all) {
    this.all = all;
    this.paint();
  }

  orderBy(at) {
    this.down = this.order === at && !this.down;
    this.order = at;
    this.page = 0;
    this.paint();
  }

  turn(pages) {
    this.page += pages;
    this.paint();
    this.element.scrollIntoView({ block: "nearest" });
  }

  /** Those that fit what is searched for, in order. */
  fitting() {
    const text = (row) => this.columns.map((column) => column.value(row) ?? "").join(" ").toLowerCase();
    const found = this.wanted ? this.all.filter((row) => text(row).includes(this.wanted)) : this.all;
    const column = this.columns[this.order];
    return column ? found.toSorted((a, b) => (this.down ? -1 : 1) * compare(column.value(a), column.value(b))) : found;
  }

  paint() {
    const found = this.fitting();
    this.page = Math.max(0, Math.min(this.page, Math.ceil(found.length / ROWS) - 1));
    const first = this.page * ROWS;
    const shown = found.slice(first, first + ROWS);
    for (const [at, head] of this.heads.entries()) {
      if (at === this.order) head.setAttribute("aria-sort", this.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    fill(this.body, shown.map((row) => h("tr", {}, this.columns.map((column) => cellOf(column, row)))));
    this.card.hidden = !shown.length;
    this.empty.hidden = shown.length > 0;
    say(this.empty, this.all.length ? "Nothing fits." : this.none);
    say(this.count, found.length > ROWS ? `${first + 1} to ${first + shown.length} of ${found.length}` : "");
    this.pager.hidden = found.length <= ROWS;
    this.newer.disabled = this.page === 0;
    this.older.disabled = first + ROWS >= found.length;
  }
}

function cellOf(column, row) {
  const content = column.cell ? column.cell(row) : column.value(row);
  return h("td", { "data-title": column.title }, typeof content === "number" ? String(content) : content ?? "–");
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return collator.compare(String(a ?? ""), String(b ?? ""));
}
