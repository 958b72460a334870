// Single bonds and what it takes to break them.

import {ask} from "./api.js";
import {busy, el, energy, factor, fill, known, say, trouble, unit} from "./dom.js";
import {watch} from "./higher.js";
import {share} from "./share.js";

export class Bonds {
  constructor(box, frame) {
    this.frame = frame;
    this.asked = 0;
    this.input = el("input", {type: "text", id: "bonds-smiles", placeholder: "CCO", autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: "1000"});
    this.result = el("div", {class: "card", id: "bonds-answer"}, el("p", {class: "empty"}, "Dissociation enthalpies of the single bonds outside rings. Radicals are answered by G4(MP2)."));
    fill(box, el("div", {class: "card inputs"}, el("h2", {}, "Bonds"),
      el("form", {onsubmit: event => { event.preventDefault(); this.go(this.input.value.trim()); }},
        el("label", {class: "field", for: "bonds-smiles"}, "SMILES of a molecule without unpaired electrons"),
        el("div", {class: "bar"}, el("div", {class: "grow"}, this.input), el("button", {type: "submit", class: "main", id: "break"}, "List bonds"))),
      el("div", {class: "chosen"}, [["methanol", "CO"], ["ethane", "CC"], ["ethanol", "CCO"]].map(([name, smiles]) => el("button", {type: "button", class: "quiet", onclick: () => this.go(smiles)}, name)))), this.result);
    document.addEventListener("unit", () => { if (this.told) this.show(this.told); });
  }

  arrive(smiles) { if (smiles && smiles !== this.smiles) this.go(smiles); }

  async go(smiles) {
    if (!smiles) { fill(this.result, trouble("write a SMILES first")); return; }
    const mine = ++this.asked;
    this.smiles = this.input.value = smiles;
    this.told = null;
    this.frame.address("bonds", smiles);
    fill(this.result, busy("radicals …"));
    try {
      const told = await ask("bonds", {smiles});
      if (mine === this.asked) this.show(told);
    } catch (problem) {
      if (mine === this.asked) fill(this.result, trouble(problem.message));
    }
  }

  show(told) {
    this.told = told;
    const [only] = told;
    if (told.length === 1 && !only.bond) {
      fill(this.result, trouble(only.problem), /would take about/.test(only.problem) && this.offer([only]));
      return;
    }
    const missing = told.filter(one => one.problem);
    const widest = Math.max(1, ...told.map(one => one.dissociation_298K_kcal_per_mol || 0));
    const order = [...told].sort((a, b) => (a.dissociation_298K_kcal_per_mol ?? Infinity) - (b.dissociation_298K_kcal_per_mol ?? Infinity));
    const meter = value => {
      if (!known(value)) return "";
      const inside = el("span", {}), box = el("div", {class: "meter", "aria-hidden": "true"}, inside);
      inside.style.width = `${(100 * value / widest).toFixed(1)}%`;
      return box;
    };
    fill(this.result, el("div", {class: "bar apart"}, el("h2", {}, `D(298.15 K), ${unit.name}`),
      share({name: `bonds of ${this.smiles}`, text: () => this.words(order), rows: () => this.rows(order), json: told})),
      el("div", {class: "wide"}, el("table", {class: "folded broken"}, el("thead", {}, el("tr", {}, ["bond", "number", "D(298 K)", "±", "", "radicals"].map((name, k) => el("th", {class: [null, "num", "num", "num", "scale", "fold"][k]}, name)))),
        el("tbody", {}, order.map(one => el("tr", {},
          el("td", {}, one.bond), el("td", {class: "num"}, String(one.count)), el("td", {class: "num"}, energy(one.dissociation_298K_kcal_per_mol)),
          el("td", {class: "num"}, energy(one.half_width_kcal_per_mol)), el("td", {class: "scale"}, meter(one.dissociation_298K_kcal_per_mol)),
          el("td", {class: "from fold"}, one.problem ? `${one.fragments} – not computed yet` : one.fragments)))))),
      el("p", {class: "soft small"}, "± adds the errors of the three species as if independent. Equal bonds are one line."),
      missing.length > 0 && this.offer(missing));
    say(`${told.length} kinds of bonds`);
  }

  offer(missing) {
    const box = el("div", {}), smiles = this.smiles;
    const compute = async () => {
      try {
        watch(await ask("jobs", {bonds: {smiles}}), (_, all) => { if (smiles === this.smiles) this.show(all); }, box);
      } catch (problem) { fill(box, trouble(problem.message)); }
    };
    return fill(box, el("p", {}, missing.length > 1 ? `${missing.length} kinds of bonds leave radicals that G4(MP2) has not computed yet:` : "G4(MP2) has not computed this yet:"),
      el("ul", {class: "small"}, missing.map(one => el("li", {}, one.problem))),
      el("button", {type: "button", onclick: compute}, `Compute ${missing.length > 1 ? "them" : "it"} in the background`));
  }

  words(order) { return order.map(one => `${one.count} × ${one.bond} (${one.fragments}): ${energy(one.dissociation_298K_kcal_per_mol)} ± ${energy(one.half_width_kcal_per_mol)} ${unit.name}`).join("\n") + "\n"; }

  rows(order) {
    const scaled = x => known(x) ? Number((x * factor()).toFixed(4)) : "";
    return [["bond", "count", "radicals", `D298 (${unit.name})`, `± (${unit.name})`],
      ...order.map(one => [one.bond, one.count, one.fragments, scaled(one.dissociation_298K_kcal_per_mol), scaled(one.half_width_kcal_per_mol)])];
  }
}
