// The geometry of an answer: its conformers to go through, colours of the atoms, and a surface around it.

import {ask} from "./api.js";
import {el, energy, factor, fill, known, number, unit} from "./dom.js";
import {diverging, Scene} from "./scene.js";

const SURFACES = [["", "no surface"], ["lol", "LOL: bonds and lone pairs"], ["elf", "ELF: bonds and lone pairs"], ["esp", "electrostatic potential"]];

// What is shown of an answer; the learned model adds it to answers of other rungs.
const SHOWN = ["symbols", "positions", "conformers", "atom_energies"];

export class Shapes {
  constructor(answer, question) {
    this.answer = answer;
    this.question = question;
    this.at = 0;
    this.asked = 0;
    this.note = "";
    this.made = new Map(); // "conformer kind" → a surface that was computed
    this.view = el("div", {class: "scene", id: "scene", role: "img", tabindex: "0", "aria-label": "molecule in three dimensions"});
    this.scene = new Scene(this.view);
    this.words = el("span", {class: "soft small grow", id: "conformer", "aria-live": "polite"});
    this.told = el("span", {class: "soft small", id: "surface-told", role: "status"});
    this.colours = el("input", {type: "checkbox", id: "atoms", onchange: () => this.draw(true)});
    this.chosen = el("select", {id: "surface", onchange: () => this.draw(true)}, SURFACES.map(([kind, name]) => el("option", {value: kind}, name)));
    this.bars = el("div", {});
    this.box = el("div", {}, this.view, this.bars);
    this.view.addEventListener("keydown", event => {
      const by = {ArrowLeft: -1, ArrowRight: 1}[event.key];
      if (by && this.several) this.step(by);
    });
    this.controls();
  }

  get several() { return (this.answer.conformers?.positions?.length ?? 0) > 1; }

  step(by) {
    const {count} = this.answer.conformers;
    this.at = (this.at + by + count) % count;
    this.draw();
  }

  controls() {
    const {answer} = this;
    const turn = (id, label, by, sign) => this.several && el("button", {type: "button", class: "quiet", id, "aria-label": label, onclick: () => this.step(by)}, sign);
    fill(this.bars,
      el("div", {class: "bar stepper"}, turn("previous", "previous conformer", -1, "‹"), turn("following", "next conformer", 1, "›"), this.words),
      answer.symbols && el("div", {class: "bar stepper"},
        el("label", {class: "small"}, "surface ", this.chosen), this.told,
        answer.atom_energies && el("label", {class: "small"}, this.colours, " learned energy of each atom: ", this.scale())));
  }

  get reach() { return Math.max(...this.answer.atom_energies.map(Math.abs)); }

  scale() {
    const end = energy(this.reach, 1);
    return el("span", {class: "ends"}, `−${end} `, el("span", {class: "key", "aria-hidden": "true"}), ` +${end} ${unit.name}`);
  }

  async open() {
    await this.draw();
    if (this.answer.rung !== "learned" && this.answer.symbols?.length > 1) await this.complete();
  }

  // An answer that was computed has one geometry; the learned model knows conformers and atoms.
  async complete() {
    this.words.textContent = this.note = "looking for conformers …";
    const {problem, ...found} = await ask("predict", {...this.question, rung: "learned"}).catch(reason => ({problem: reason.message}));
    if (problem) {
      this.words.textContent = this.note = `No conformers and no energies of atoms: ${problem}.`;
      return;
    }
    this.answer = {...this.answer, ...Object.fromEntries(SHOWN.map(key => [key, found[key]]))};
    this.made = new Map();
    this.controls();
    await this.draw();
  }

  get positions() {
    const all = this.answer.conformers;
    return this.at && all?.positions ? all.positions[this.at] : this.answer.positions;
  }

  async draw(keep = false) {
    const {answer, at, made} = this, mine = ++this.asked;
    if (!answer.symbols) return;
    const parts = answer.atom_energies;
    const colours = this.colours.checked && parts && at === 0 ? parts.map(x => diverging(x, this.reach)) : null;
    this.words.textContent = this.caption();
    this.colours.disabled = at > 0; // the learned energies are those of the lowest
    const kind = this.chosen.value, key = `${at} ${kind}`;
    const show = surface => this.scene.show(answer.symbols, this.positions, {colours, keep, surface, label: `${answer.formula}, ${answer.label}, in three dimensions${surface ? `, with ${surface.title}` : ""}`});
    fill(this.told, kind && !made.has(key) ? "computing …" : "");
    try {
      await show(made.get(key) || null);
      if (!kind) return;
      if (!made.has(key)) made.set(key, await ask("surface", {kind, geometry: this.xyz()}));
      if (mine !== this.asked) return;
      keep = true;
      await show(made.get(key));
      fill(this.told, ...this.legend(made.get(key)));
    } catch (problem) {
      if (mine === this.asked) this.told.textContent = problem.message;
    }
  }

  // Which conformer is shown, or why there is only this geometry.
  caption() {
    const {at} = this, all = this.answer.conformers;
    if (this.several) return `conformer ${at + 1} of ${all.count}: ${at ? `${energy(all.relative[at])} ${unit.name} above the lowest` : "the lowest"} by ${all.by}, weight ${number(100 * all.weights[at], 0)} % at 298 K`;
    if (known(all?.count)) return "one conformer";
    return this.question.geometry ? "the conformer of the file" : this.note;
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
