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
    const of = (value, digits) => known(value) ? number(value, digits) : "–";
    const columns = [
      ["run", null, run => run.name],
      ["MAE", "num", run => of(run.mae, 2)],
      ["unit", null, run => typeof run.unit === "string" ? run.unit : ""],
      ["training molecules", "num fold", run => of(run.train, 0)],
      ["test molecules", "num fold", run => of(run.count, 0)],
      ["coverage", "num fold", run => known(run.coverage) ? `${number(100 * run.coverage, 0)} %` : "–"],
      ["finished", "fold", run => new Date(1000 * run.when).toLocaleDateString("en-CA")],
      ["report", "fold", run => run.report ? el("button", {type: "button", class: "quiet", "aria-label": `Report of ${run.name}`, onclick: () => this.show(run)}, "Report") : el("span", {class: "soft small"}, "no report yet")],
    ];
    return el("div", {class: "wide"}, el("table", {class: "folded runs"}, el("thead", {}, el("tr", {}, columns.map(([name, look]) => el("th", {class: look}, name)))),
      el("tbody", {}, runs.map(run => el("tr", {}, columns.map(([name, look, cell]) => el("td", {class: look, "data-name": name === "report" ? null : name}, cell(run))))))));
  }

  show(run) {
    const address = `/runs/${encodeURIComponent(run.id)}`;
    fill(this.report, el("div", {class: "card"}, el("div", {class: "bar apart"}, el("h2", {}, run.name), el("a", {href: address, target: "_blank", rel: "noopener"}, "in a window of its own")),
      el("iframe", {class: "report", src: address, title: `report of ${run.name}`, sandbox: "allow-scripts"})));
    this.report.scrollIntoView({behavior: "smooth"});
  }
}
