// The geometry of an answer: its conformers to go through, colours of the atoms, and a surface around it.

import {ask} from "./api.js";
import {el, energy, factor, fill, known, number, unit} from "./dom.js";
import {diverging, Scene} from "./scene.js";

const SURFACES = [["", "no surface"], ["lol", "LOL: bonds and lone pairs"], ["elf", "ELF: bonds and lone pairs"], ["esp", "electrostatic potential"]];

export class Shapes {
  constructor(answer) {
    this.answer = answer;
    this.at = 0;
    this.asked = 0;
    this.made = new Map(); // "conformer kind" → a surface that was computed
    this.view = el("div", {class: "scene", id: "scene", role: "img", tabindex: "0", "aria-label": "molecule in three dimensions"});
    this.scene = new Scene(this.view);
    this.words = el("span", {class: "soft small grow", "aria-live": "polite"});
    this.told = el("span", {class: "soft small", id: "surface-told", role: "status"});
    const all = answer.conformers, several = all?.positions && all.positions.length > 1;
    this.colours = el("input", {type: "checkbox", id: "atoms", onchange: () => this.draw(true)});
    this.chosen = el("select", {id: "surface", onchange: () => this.draw(true)}, SURFACES.map(([kind, name]) => el("option", {value: kind}, name)));
    const step = by => () => { this.at = (this.at + by + all.count) % all.count; this.draw(); };
    this.box = el("div", {}, this.view,
      el("div", {class: "bar stepper"},
        several && el("button", {type: "button", class: "quiet", id: "previous", "aria-label": "previous conformer", onclick: step(-1)}, "‹"),
        several && el("button", {type: "button", class: "quiet", id: "following", "aria-label": "next conformer", onclick: step(1)}, "›"),
        this.words),
      answer.symbols && el("div", {class: "bar stepper"},
        el("label", {class: "small"}, "surface ", this.chosen), this.told,
        answer.atom_energies && el("label", {class: "small"}, this.colours, " learned energy of each atom ", el("span", {class: "key", "aria-hidden": "true"}))));
    if (several) this.view.addEventListener("keydown", event => {
      if (event.key === "ArrowLeft") step(-1)();
      if (event.key === "ArrowRight") step(1)();
    });
  }

  get positions() {
    const all = this.answer.conformers;
    return this.at && all?.positions ? all.positions[this.at] : this.answer.positions;
  }

  async draw(keep = false) {
    const {answer, at} = this, all = answer.conformers, mine = ++this.asked;
    if (!answer.symbols) return;
    const parts = answer.atom_energies, reach = parts ? Math.max(...parts.map(Math.abs)) : 0;
    const colours = this.colours.checked && parts && at === 0 ? parts.map(x => diverging(x, reach)) : null;
    this.words.textContent = all?.positions && all.count > 1
      ? `conformer ${at + 1} of ${all.count}: ${energy(all.relative[at])} ${unit.name} above the lowest (GFN2-xTB), weight ${number(100 * all.weights[at], 0)} % at 298 K`
      : known(all?.count) ? "one conformer" : "";
    const kind = this.chosen.value, key = `${at} ${kind}`;
    const show = surface => this.scene.show(answer.symbols, this.positions, {colours, keep, surface, label: `${answer.formula}, ${answer.label}, in three dimensions${surface ? `, with ${surface.title}` : ""}`});
    fill(this.told, kind && !this.made.has(key) ? "computing …" : "");
    try {
      await show(this.made.get(key) || null);
      if (!kind) return;
      if (!this.made.has(key)) this.made.set(key, await ask("surface", {kind, geometry: this.xyz()}));
      if (mine !== this.asked) return;
      keep = true;
      await show(this.made.get(key));
      fill(this.told, ...this.legend(this.made.get(key)));
    } catch (problem) {
      if (mine === this.asked) this.told.textContent = problem.message;
    }
  }

  // What the page sends for the conformer that is shown.
  xyz() {
    const {symbols, charge, spin} = this.answer;
    const lines = symbols.map((symbol, k) => [symbol, ...this.positions[k].map(x => x.toFixed(5))].join(" "));
    return `${symbols.length}\ncharge=${charge} spin=${spin}\n${lines.join("\n")}\n`;
  }

  legend(surface) {
    if (surface.problem) return [surface.problem];
    if (surface.kind !== "esp") return [`where it is ${surface.level}`];
    const end = number(surface.limit * factor(), 0);
    return [`−${end} `, el("span", {class: "key potential", "aria-hidden": "true"}), ` +${end} ${unit.name} per unit charge, where the density is ${surface.level} e/Bohr³`];
  }
}
