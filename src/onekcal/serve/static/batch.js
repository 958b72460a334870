// Many molecules: a file or a list, answered in the background; rows come in as they are ready.

import {ask, download, follow, jobAction, removeJob} from "./api.js";
import {busy, count, el, energy, factor, fill, formula, known, level, number, say, time, trouble, unit} from "./dom.js";
import {histogram} from "./histogram.js";
import {Table} from "./table.js";

const STATES = {waiting: "waiting", running: "running", done: "done", cancelled: "cancelled", failed: "failed"};
const KINDS = {batch: "batch", predict: "G4(MP2)", react: "reaction", bonds: "bonds"};
// A number of a row; energies come in kcal/mol unless the API was asked for another unit.
const UNITS = [["kcal_per_mol", 1], ["kJ_per_mol", 1 / 4.184], ["eV", 23.0605478]];
const value = key => row => {
  for (const [slug, scale] of UNITS) {
    const cell = row.cells[key.replace("kcal_per_mol", slug)];
    if (cell !== "" && cell !== undefined) return Number(cell) * (key.endsWith("kcal_per_mol") ? scale : 1);
  }
  return null;
};

const standing = job => [STATES[job.state], job.kind === "batch" ? `${job.done.toLocaleString("en")} of ${count(job.total, "molecule")}` : KINDS[job.kind], job.step, job.reason]
  .filter(Boolean).join(" · ");
// Half of the interval of ΔfH(298 K).
const half = row => {
  const [low, high] = ["lower", "upper"].map(end => value(`formation_298K_${end}_kcal_per_mol`)(row));
  return known(low) && known(high) ? (high - low) / 2 : null;
};

export class Batch {
  constructor(box, frame) {
    this.frame = frame;
    this.list = el("textarea", {id: "list", spellcheck: "false", placeholder: "CCO ethanol\nc1ccccc1 benzene\n…"});
    this.compute = el("input", {type: "checkbox", id: "compute-all"});
    const file = el("input", {type: "file", id: "batch-file", class: "unseen", accept: ".xyz,.extxyz,.sdf,.mol,.smi,.smiles,.csv,.tsv", "aria-label": "A file of molecules",
      onchange: event => { const [one] = event.target.files; if (one) this.upload(one, one.name); event.target.value = ""; }});
    this.lines = new Map(); // a job → what its line says
    this.jobs = el("ul", {class: "jobs", id: "jobs"});
    this.result = el("div", {id: "batch-answer"});
    fill(box, el("div", {class: "two"},
      el("div", {class: "card inputs"}, el("h2", {}, "Many molecules"),
        el("p", {class: "soft small"}, "Drop a file (csv or tsv with a SMILES column, smi, sdf, xyz), or write a SMILES and a name a line. Ids and further columns are kept."),
        el("label", {class: "field"}, "SMILES and name, one a line", this.list),
        el("div", {class: "bar chosen"}, el("button", {type: "button", class: "main", id: "send", onclick: () => this.send()}, "Predict"),
          el("button", {type: "button", onclick: () => file.click()}, "Choose a file …"), file),
        el("label", {class: "check small"}, this.compute, "compute with G4(MP2) what the model does not know (this can take hours)")),
      el("div", {class: "card"}, el("h2", {}, "Jobs on this machine"), this.jobs)), this.result);
    document.addEventListener("unit", () => this.redraw());
  }

  opened() { this.refresh(); }

  // a text that begins with a line break is a list; anything else the id of a job
  arrive(text) {
    if (text.startsWith("\n")) this.list.value = text.trim();
    else if (text) this.watch(text);
    this.refresh();
  }

  send() {
    const text = this.list.value.trim();
    if (!text) { fill(this.result, trouble("write at least one SMILES")); return; }
    const table = /(^|[,;\t])\s*smiles\s*([,;\t]|$)/i.test(text.split("\n")[0]) && /[,;\t]/.test(text.split("\n")[0]);
    this.upload(new Blob([text]), table ? "list.csv" : "list.smi");
  }

  async upload(file, name) {
    fill(this.result, el("div", {class: "card"}, busy(`reading ${name} …`)));
    try {
      const asked = new URLSearchParams({file: name, ...(this.compute.checked ? {compute: "true"} : {})});
      this.watch((await ask(`batch?${asked}`, file instanceof File ? new Blob([file]) : file)).id);
    } catch (problem) {
      fill(this.result, el("div", {class: "card"}, trouble(problem.message)));
    }
    this.refresh();
  }

  async refresh() {
    try {
      const jobs = await ask("jobs");
      fill(this.jobs, jobs.length ? jobs.slice(0, 30).map(job => this.line(job)) : el("li", {class: "soft"}, "none yet"));
    } catch (problem) {
      fill(this.jobs, el("li", {}, trouble(problem.message)));
    }
  }

  line(job) {
    const live = ["waiting", "running"].includes(job.state);
    const act = (title, deed) => el("button", {type: "button", class: "quiet", "aria-label": `${title}: ${job.name}`, onclick: async () => {
      try { await deed(); } catch (problem) { say(problem.message); }
      this.refresh();
    }}, title);
    const told = el("div", {class: "soft small"}, standing(job));
    this.lines.set(job.id, told);
    return el("li", {class: "bar apart"}, el("div", {class: "grow"}, this.link(job), told),
      el("span", {class: "bar"}, live ? act("Cancel", () => jobAction(job.id, "cancel"))
        : [job.state !== "done" && act("Go on", async () => { await jobAction(job.id, "resume"); if (job.id === this.id) this.watch(job.id); }), act("Remove", async () => { await removeJob(job.id); if (job.id === this.id) { this.stop?.abort(); this.id = ""; fill(this.result); } })]));
  }

  link(job) {
    return el("button", {type: "button", class: "link", onclick: () => {
      const smiles = job.name.replace(/^bonds of /, "");
      if (job.kind === "batch") this.watch(job.id);
      else if (job.kind === "predict") this.frame.open("molecule", smiles);
      else this.frame.open(job.kind === "react" ? "reaction" : "bonds", smiles);
    }}, job.name);
  }

  watch(id) {
    this.stop?.abort();
    const mine = this.stop = new AbortController();
    this.id = id;
    this.frame.address("job", id);
    this.table = new Table(this.columns(), row => Boolean(row.cells.problem));
    this.since = null;
    this.parts = {head: el("div", {}), bar: el("progress", {max: "1", value: "0", "aria-label": "progress"}), told: el("p", {class: "soft small", id: "progress"}), plot: el("div", {}), buttons: el("div", {class: "bar"})};
    const {head, bar, told, plot, buttons} = this.parts;
    fill(this.result, el("div", {class: "card"}, head, bar, told, buttons, plot, this.table.box));
    let drawn = 0;
    follow(id, (job, rows) => {
      for (const row of rows) this.table.rows.push(row);
      this.state(job);
      const now = performance.now();
      if (rows.length && (now - drawn > 900 || job.state !== "running")) { this.redraw(); drawn = now; }
    }, mine.signal).then(job => {
      if (mine.signal.aborted || !job) return;
      this.redraw();
      this.refresh();
      say(`${job.name}: ${job.state}`);
    }).catch(problem => { if (!mine.signal.aborted) fill(this.result, el("div", {class: "card"}, trouble(problem.message))); });
  }

  columns() {
    const cells = row => row.cells;
    return [
      {name: "#", value: row => row.row + 1, numeric: true},
      {name: "molecule", clip: true, value: row => cells(row).name || cells(row).smiles || cells(row).source,
       show: (row, text) => cells(row).smiles && !cells(row).problem ? el("button", {type: "button", class: "link", onclick: () => this.frame.open("molecule", cells(row).smiles)}, text) : String(text)},
      {name: () => `ΔfH(298 K), ${unit.name}`, numeric: true, value: value("formation_298K_kcal_per_mol"), show: (row, x) => energy(x)},
      {name: "±", numeric: true, value: half, show: (row, x) => energy(x)},
      {name: "formula", phone: "spare", value: row => formula(cells(row).formula || "")},
      {name: "novelty", phone: "spare", numeric: true, value: value("novelty"), show: (row, x) => number(x, 3)},
      {name: "by", phone: "spare", value: row => cells(row).problem ? "" : cells(row).rung, show: (row, text) => text === "learned" ? "model" : level(text || "–")},
      {name: "remark", clip: true, phone: "fold", value: row => cells(row).problem || cells(row).remarks || ""},
    ];
  }

  state(job) {
    const {head, bar, told, buttons} = this.parts;
    this.job = job;
    fill(this.lines.get(job.id) || el("div"), standing(job));
    fill(head, el("div", {class: "bar apart"}, el("h2", {}, job.name), el("span", {class: "chip"}, STATES[job.state])));
    bar.max = Math.max(1, job.total);
    bar.value = job.done;
    if (job.state === "running") this.since ??= [performance.now(), job.done];
    const speed = this.since && job.done > this.since[1] ? (job.done - this.since[1]) / (performance.now() - this.since[0]) * 1000 : 0;
    const left = job.state === "running" && speed > 0 ? `, about ${time((job.total - job.done) / speed)} left` : "";
    told.textContent = `${job.done.toLocaleString("en")} of ${count(job.total, "molecule")}, ${job.failed} without an answer${left}${job.reason ? `; ${job.reason}` : ""}`;
    const live = ["waiting", "running"].includes(job.state), state = `${job.state}${job.done > 0}`;
    if (buttons.dataset.state === state) return;
    buttons.dataset.state = state;
    const act = (title, action) => el("button", {type: "button", id: action, onclick: () => jobAction(job.id, action).then(() => { if (action === "resume") this.watch(job.id); this.refresh(); }).catch(problem => say(problem.message))}, title);
    const save = ending => el("a", {href: download(job.id, ending), download: "", id: `save-${ending}`}, ending.toUpperCase());
    fill(buttons, live && act("Cancel", "cancel"), ["cancelled", "failed"].includes(job.state) && act("Go on", "resume"),
      job.done > 0 && [el("span", {class: "soft small"}, "Download:"), save("csv"), save("sdf"), save("json")]);
  }

  redraw() {
    if (!this.table || !this.parts) return;
    this.table.heads();
    this.table.draw();
    const heats = this.table.rows.map(value("formation_298K_kcal_per_mol")).filter(known).map(x => x * factor());
    fill(this.parts.plot, heats.length > 4 && histogram(heats, `ΔfH(298 K), ${unit.name}`, this.parts.plot.clientWidth || 640));
  }
}
