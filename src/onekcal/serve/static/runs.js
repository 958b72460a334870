// Finished runs on this machine and their reports; nothing here changes them.

import {ask} from "./api.js";
import {busy, el, fill, known, number, trouble} from "./dom.js";

export class Runs {
  constructor(box) {
    this.list = el("div", {id: "runs"});
    this.report = el("div", {});
    fill(box, el("div", {class: "card"}, el("h2", {}, "Runs on this machine"), this.list), this.report);
  }

  async opened() {
    fill(this.list, busy("looking …"));
    try {
      const runs = await ask("runs");
      fill(this.list, runs.length ? this.table(runs) : el("p", {class: "empty"}, "No finished run in the folders that this server shows. `onekcal train` makes one; `--runs FOLDER` says where they are."));
    } catch (problem) {
      fill(this.list, trouble(problem.message));
    }
  }

  table(runs) {
    const of = (run, value, digits = 2) => known(value) ? number(value, digits) : "–";
    return el("div", {class: "wide"}, el("table", {}, el("thead", {}, el("tr", {}, ["run", "MAE", "unit", "training molecules", "test molecules", "coverage", "finished", ""].map((name, k) => el("th", {class: [1, 3, 4, 5].includes(k) ? "num" : null}, name)))),
      el("tbody", {}, runs.map(run => el("tr", {},
        el("td", {}, run.name), el("td", {class: "num"}, of(run, run.mae)), el("td", {}, typeof run.unit === "string" ? run.unit : ""),
        el("td", {class: "num"}, of(run, run.train, 0)), el("td", {class: "num"}, of(run, run.count, 0)),
        el("td", {class: "num"}, known(run.coverage) ? `${number(100 * run.coverage, 0)} %` : "–"),
        el("td", {}, new Date(1000 * run.when).toLocaleDateString("en-CA")),
        el("td", {}, run.report ? el("button", {type: "button", class: "quiet", onclick: () => this.show(run)}, "Report") : el("span", {class: "soft small"}, "no report yet")))))));
  }

  show(run) {
    const address = `/runs/${encodeURIComponent(run.id)}`;
    fill(this.report, el("div", {class: "card"}, el("div", {class: "bar apart"}, el("h2", {}, run.name), el("a", {href: address, target: "_blank", rel: "noopener"}, "in a window of its own")),
      el("iframe", {class: "report", src: address, title: `report of ${run.name}`, sandbox: "allow-scripts"})));
    this.report.scrollIntoView({behavior: "smooth"});
  }
}
