// A reaction: both sides, and one interval for it as a whole.

import {ask} from "./api.js";
import {busy, el, energy, factor, fill, known, level, number, plusMinus, say, span, trouble, unit} from "./dom.js";
import {Editor} from "./editor.js";
import {watch} from "./higher.js";
import {share} from "./share.js";

const EXAMPLES = [["ethanol to dimethyl ether", "CCO", "COC"], ["hydrogenation", "C=C + [H][H]", "CC"], ["esterification", "CCO + CC(=O)O", "CCOC(C)=O + O"]];

export class ReactionPage {
  constructor(box, frame) {
    this.frame = frame;
    this.asked = 0;
    const side = (id, label, hint) => el("input", {type: "text", id, "aria-label": label, placeholder: hint, autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: "900"});
    this.left = side("left", "Reactants, with + between them", "C=C + [H][H]");
    this.right = side("right", "Products, with + between them", "CC");
    this.temperature = el("input", {type: "number", id: "temperature", value: "298.15", min: "1", max: "5000", step: "any"});
    this.pressure = el("input", {type: "number", id: "pressure", value: "1", min: "0.0001", max: "100000", step: "any"});
    this.drawing = el("div", {class: "editor", "aria-label": "Molecule editor", role: "application"});
    this.editor = new Editor(this.drawing, () => {});
    const add = input => () => {
      const smiles = this.editor.smiles();
      if (smiles) input.value = input.value.trim() ? `${input.value.trim()} + ${smiles}` : smiles;
    };
    const details = el("details", {ontoggle: event => { if (event.target.open) this.editor.open(""); }}, el("summary", {}, "Draw a species"),
      this.drawing, el("div", {class: "bar chosen"},
        el("button", {type: "button", onclick: add(this.left)}, "Add to the left"), el("button", {type: "button", onclick: add(this.right)}, "Add to the right")));
    this.result = el("div", {class: "card", id: "reaction-answer"}, el("p", {class: "empty"}, "Write both sides. Coefficients are found where there is one way to balance it."));
    fill(box, el("div", {class: "card inputs"}, el("h2", {}, "Reaction"),
      el("form", {onsubmit: event => { event.preventDefault(); this.go(); }},
        el("div", {class: "sides"}, el("label", {class: "field"}, "left", this.left), el("span", {class: "arrow", "aria-hidden": "true"}, "→"), el("label", {class: "field"}, "right", this.right)),
        el("div", {class: "conditions"},
          el("label", {class: "field"}, "temperature (K)", el("br"), this.temperature),
          el("label", {class: "field"}, "pressure (bar)", el("br"), this.pressure),
          el("button", {type: "submit", class: "main", id: "react"}, "Compute"))),
      el("div", {class: "chosen"}, EXAMPLES.map(([name, left, right]) => el("button", {type: "button", class: "quiet", onclick: () => this.set(`${left} >> ${right}`)}, name))),
      details), this.result);
    document.addEventListener("unit", () => { if (this.told) this.show(this.told); });
  }

  arrive(text) { if (text && text !== this.text()) this.set(text); }

  set(text) {
    [this.left.value, this.right.value] = text.split(/>>|→|->/).map(side => side.trim()).concat("");
    this.go();
  }

  text() { return `${this.left.value.trim()} >> ${this.right.value.trim()}`.trim(); }

  question() { return {reaction: this.text(), temperature: Number(this.temperature.value), pressure: Number(this.pressure.value)}; }

  async go() {
    const mine = ++this.asked, question = this.question();
    this.told = null;
    this.frame.address("reaction", question.reaction);
    fill(this.result, busy("energies and frequencies of every species …"));
    try {
      const told = await ask("react", question);
      if (mine === this.asked) this.show(told, question);
    } catch (problem) {
      if (mine === this.asked) fill(this.result, trouble(problem.message));
    }
  }

  show(told, question = this.question()) {
    this.told = told;
    if (told.problem) {
      const box = el("div", {});
      const needed = /would take about/.test(told.problem);
      fill(this.result, trouble(told.problem), needed && fill(box, el("button", {type: "button", onclick: () => this.compute(question, box)}, "Compute it in the background")));
      return;
    }
    const against = told.against === "experiment" ? "against experiment" : `of the model against ${level(told.against)}`;
    const big = (name, value, half) => el("div", {}, el("dt", {}, name), el("dd", {}, `${energy(value)} ${half ? plusMinus(told.half) : ""}`, el("small", {}, unit.name)));
    const per = unit.name === "kJ/mol" ? "J/mol/K" : "cal/mol/K";
    fill(this.result, el("p", {class: "title"}, told.balanced.replace(" >> ", " → ")),
      el("p", {class: "what"}, `ΔrH(${told.temperature_K} K)`),
      el("p", {class: "headline"}, energy(told.enthalpy), " ", el("span", {class: "half"}, plusMinus(told.half)), " ", el("span", {class: "unit"}, unit.name)),
      known(told.half) && el("p", {class: "soft small"}, `joint ${number(100 * told.coverage, 0)} % interval ${span(told.enthalpy, told.half)}, ${against}; it holds no error of the thermal parts`),
      el("dl", {class: "tiles"}, big("ΔrE(0 K)", told.energy_0, true), big(`ΔrG(${told.temperature_K} K)`, told.free_energy, true),
        el("div", {}, el("dt", {}, "ΔrS"), el("dd", {}, number(told.entropy_cal_per_mol_K * factor()), el("small", {}, per)))),
      el("div", {class: "bar apart"}, el("h3", {}, "Species"), share({name: "reaction", text: () => this.words(told, against), rows: () => this.rows(told), json: told})),
      this.table(told),
      told.remarks.length > 0 && el("ul", {class: "small"}, told.remarks.map(line => el("li", {}, line))));
    say(`ΔrH ${energy(told.enthalpy)} ${unit.name}`);
  }

  table(told) {
    const head = ["species", "ν", "ΔfH(0 K)", "ΔfH(298 K)", "±", "answered by"];
    return el("div", {class: "wide"}, el("table", {class: "folded species"}, el("thead", {}, el("tr", {}, head.map((name, k) => el("th", {class: [null, "num", "num spare", "num", "num", "fold"][k]}, name)))),
      el("tbody", {}, told.species.map(one => el("tr", {},
        el("td", {}, el("button", {type: "button", class: "link", onclick: () => this.frame.open("molecule", one.answer.smiles || one.species)}, one.species)),
        el("td", {class: "num"}, number(one.coefficient, Number.isInteger(one.coefficient) ? 0 : 2)),
        el("td", {class: "num spare"}, energy(one.answer.formation_0)), el("td", {class: "num"}, energy(one.answer.formation_298)),
        el("td", {class: "num"}, one.answer.formation_half === 0 ? "exact" : energy(one.answer.formation_half)),
        el("td", {class: "from fold", "data-name": "answered by"}, one.answer.rung === "learned" ? "learned model" : level(one.answer.rung)))))));
  }

  words(told, against) {
    return `${told.balanced}\nΔrH(${told.temperature_K} K) = ${energy(told.enthalpy)} ${plusMinus(told.half)} ${unit.name} (${number(100 * told.coverage, 0)} % interval, ${against})\n`
      + `ΔrE(0 K) = ${energy(told.energy_0)} ${unit.name}\nΔrG(${told.temperature_K} K) = ${energy(told.free_energy)} ${unit.name}\n`;
  }

  rows(told) {
    return [["species", "coefficient", "formation_0K_kcal_per_mol", "formation_298K_kcal_per_mol", "half_kcal_per_mol", "rung"],
      ...told.species.map(one => [one.species, one.coefficient, one.answer.formation_0, one.answer.formation_298, one.answer.formation_half, one.answer.rung])];
  }

  async compute(question, box) {
    try {
      watch(await ask("jobs", {react: question}), row => this.show(row, question), box);
    } catch (problem) {
      fill(box, trouble(problem.message));
    }
  }
}
