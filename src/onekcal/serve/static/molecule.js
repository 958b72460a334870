// The first page: one molecule, drawn or written, and everything that is known of it.

import {headline, ledger, novelty, remarks, rows, text, tiles} from "./answer.js";
import {ask} from "./api.js";
import {busy, el, energy, fill, known, say, trouble, unit} from "./dom.js";
import {Editor} from "./editor.js";
import {higher} from "./higher.js";
import {Shapes} from "./shapes.js";
import {share} from "./share.js";
import {thermo} from "./thermo.js";

const EXAMPLES = [["ethanol", "CCO"], ["benzene", "c1ccccc1"], ["acetone", "CC(C)=O"], ["alanine", "CC(N)C(=O)O"]];

export class MoleculePage {
  constructor(box, frame) {
    this.frame = frame;
    this.asked = 0;
    this.question = null;
    this.input = el("input", {type: "text", id: "smiles", autocomplete: "off", autocapitalize: "off", spellcheck: "false", placeholder: "CCO", maxlength: "1000"});
    this.drawing = el("div", {class: "editor", id: "editor", "aria-label": "Molecule editor", role: "application"});
    this.editor = new Editor(this.drawing, smiles => { this.input.value = smiles; if (smiles) this.go({smiles}); });
    this.drawing.hidden = true;
    this.draw = el("button", {type: "button", id: "draw", "aria-expanded": "false", onclick: () => this.toggle()}, "Draw");
    this.file = this.file.bind(this);
    const file = el("input", {type: "file", id: "file", class: "unseen", accept: ".xyz,.extxyz,.sdf,.mol", "aria-label": "A file with one molecule", onchange: event => this.file(event.target.files[0])});
    this.answer = el("div", {class: "card", id: "answer"}, el("p", {class: "empty"}, "Draw a molecule, write its SMILES, or drop a file."));
    this.more = el("div", {id: "more"});
    fill(box, el("div", {class: "two"},
      el("div", {class: "card inputs"}, el("h2", {}, "Molecule"),
        el("form", {onsubmit: event => { event.preventDefault(); this.go({smiles: this.input.value.trim()}); }},
          el("label", {class: "field", for: "smiles"}, "SMILES"),
          el("div", {class: "bar"}, el("div", {class: "grow"}, this.input), el("button", {type: "submit", class: "main", id: "go"}, "Predict"), this.draw)),
        el("div", {class: "chosen"}, EXAMPLES.map(([name, smiles]) => el("button", {type: "button", class: "quiet", onclick: () => this.go({smiles})}, name)),
          el("button", {type: "button", class: "quiet", onclick: () => file.click()}, "a file …")), file,
        this.drawing),
      this.answer), this.more);
    this.input.addEventListener("paste", event => {
      const lines = event.clipboardData.getData("text").split(/\r?\n/).filter(line => line.trim());
      if (lines.length < 2) return;
      event.preventDefault();
      frame.open("batch", `\n${lines.join("\n")}`);
    });
    document.addEventListener("unit", () => { if (this.told) this.show(this.told); });
  }

  opened() { if (!this.opening && matchMedia("(min-width: 861px)").matches) { this.opening = true; this.toggle(true); } }

  arrive(smiles) { if (smiles && smiles !== this.question?.smiles) this.go({smiles}); }

  toggle(on = this.drawing.hidden) {
    this.drawing.hidden = !on;
    this.draw.setAttribute("aria-expanded", String(on));
    this.draw.textContent = on ? "Hide editor" : "Draw";
    if (on) this.editor.open(this.input.value.trim());
  }

  // A file with one molecule; false where it holds several, which are a batch.
  async file(file) {
    if (!file) return true;
    const geometry = await file.text(), format = /\.(sdf|mol)$/i.test(file.name) ? "sdf" : "xyz";
    if (!geometry.trim()) {
      fill(this.answer, trouble(`${file.name} is empty; expected at least one molecule`));
      return true;
    }
    const answer = await this.go({geometry, format});
    return !/expected one molecule/.test(answer?.problem || "");
  }

  async go(question) {
    if (!question.smiles && !question.geometry) { fill(this.answer, trouble("write a SMILES or draw a molecule first")); return null; }
    const mine = ++this.asked;
    this.question = question;
    this.told = null;
    if (question.smiles) {
      this.input.value = question.smiles;
      if (!this.drawing.hidden) this.editor.set(question.smiles);
    }
    this.frame.address("smiles", question.smiles);
    fill(this.answer, busy("conformers, relaxation, energy …"));
    fill(this.more);
    try {
      const answer = await ask("predict", question);
      if (mine === this.asked) this.show(answer);
      return answer;
    } catch (problem) {
      if (mine === this.asked) fill(this.answer, trouble(problem.message));
      return null;
    }
  }

  // A second route to ΔfH(298 K), when it is asked for.
  second(answer, question) {
    if (answer.isodesmic || question.route || !known(answer.formation_298) || answer.half === 0) return null;
    const box = el("p", {});
    return fill(box, el("button", {type: "button", class: "quiet", id: "route", onclick: async () => {
      fill(box, busy("small species …"));
      try {
        const found = await ask("predict", {...question, rung: answer.rung, route: "both"});
        if (question === this.question) this.show(found.problem ? answer : found);
        if (found.problem) say(found.problem);
      } catch (problem) {
        fill(box, trouble(problem.message));
      }
    }}, "Check it by a second route"));
  }

  show(answer) {
    this.told = answer;
    const question = this.question;
    const up = higher(answer.next, question, found => { if (question === this.question) this.show(found); });
    if (answer.problem) {
      say(answer.problem);
      fill(this.answer, el("h2", {}, answer.label || "No answer"), trouble(answer.problem));
      fill(this.more, up);
      return;
    }
    const scene = new Shapes(answer, question);
    fill(this.answer, headline(answer), scene.box, tiles(answer));
    fill(this.more,
      el("div", {class: "card"}, el("div", {class: "bar apart"}, el("h2", {}, "How it comes about"),
        share({name: answer.label, text: () => text(answer), rows: () => rows(answer), json: answer, bibtex: answer.bibtex})), ledger(answer),
      remarks(answer), this.second(answer, question), novelty(answer), thermo(question.rung ? question : {...question, ...(answer.rung !== "learned" ? {rung: answer.rung} : {})}),
      answer.smiles && el("p", {}, el("button", {type: "button", class: "link", onclick: () => this.frame.open("bonds", answer.smiles)}, "Its bonds and what breaks them"))),
      up);
    scene.open();
    say(`${answer.label}: ${energy(answer.formation_298)} ${unit.name}`);
  }
}
