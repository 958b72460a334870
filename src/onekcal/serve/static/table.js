// A table of thousands of rows: sorted by any column, a page of them at a time.

import {el, fill} from "./dom.js";

const PAGE = 100;
const looks = (...names) => names.filter(Boolean).join(" ") || null;

export class Table {
  // columns: [{name, value(row), show(row, value), numeric, clip, phone}]; phone: "spare" is left out there, "fold" a line of
  // its own; bad(row): whether it has no answer
  constructor(columns, bad = () => false) {
    this.columns = columns;
    this.bad = bad;
    this.rows = [];
    this.by = 0;
    this.down = false;
    this.page = 0;
    this.head = el("tr", {});
    this.body = el("tbody", {});
    this.pages = el("div", {class: "bar"});
    this.box = el("div", {}, el("div", {class: "wide"}, el("table", {class: "folded rows"}, el("thead", {}, this.head), this.body)), this.pages);
    this.heads();
  }

  heads() {
    fill(this.head, this.columns.map((column, k) => el("th", {class: looks(column.numeric && "num", column.phone), "aria-sort": this.by === k ? (this.down ? "descending" : "ascending") : "none"},
      el("button", {type: "button", "data-order": this.by === k ? (this.down ? "down" : "up") : null, onclick: () => this.sort(k)}, typeof column.name === "function" ? column.name() : column.name))));
  }

  sort(k) {
    this.down = this.by === k && !this.down;
    this.by = k;
    this.page = 0;
    this.heads();
    this.draw();
  }

  sorted() {
    if (this.by === null) return this.rows;
    const {value} = this.columns[this.by], sign = this.down ? -1 : 1;
    const empty = x => x === null || x === undefined || x === "";
    return [...this.rows].sort((one, other) => {
      const a = value(one), b = value(other);
      if (empty(a) || empty(b)) return empty(a) - empty(b); // rows without a value come last, both ways
      return sign * (typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", {numeric: true}));
    });
  }

  draw() {
    const rows = this.sorted(), pages = Math.max(1, Math.ceil(rows.length / PAGE));
    this.page = Math.min(this.page, pages - 1);
    const shown = rows.slice(PAGE * this.page, PAGE * (this.page + 1));
    fill(this.body, shown.map(row => el("tr", {class: this.bad(row) ? "bad" : null}, this.columns.map(column => {
      const value = column.value(row), text = column.show ? column.show(row, value) : value ?? "";
      return el("td", {class: looks(column.numeric && "num", column.clip && "clip", column.phone), title: column.clip && typeof text === "string" ? text : null}, text);
    }))));
    const turn = by => el("button", {type: "button", class: "quiet", disabled: by < 0 ? this.page === 0 : this.page >= pages - 1, "aria-label": by < 0 ? "previous page" : "next page", onclick: () => { this.page += by; this.draw(); }}, by < 0 ? "‹" : "›");
    fill(this.pages, pages > 1 && [turn(-1), el("span", {class: "soft small"}, `rows ${PAGE * this.page + 1} to ${PAGE * this.page + shown.length} of ${rows.length.toLocaleString("en")}`), turn(1)]);
  }
}
