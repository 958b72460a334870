// OpenChemLib's editor, loaded when it is first needed. Molecules go in and out as SMILES.

import {busy, fill, trouble} from "./dom.js";

let library = null;
async function load() {
  library ??= import("./vendor/openchemlib.js").then(async found => {
    await found.Resources.registerFromUrl("/static/vendor/resources.json");
    return found;
  });
  return library;
}

export class Editor {
  // changed(smiles): called a moment after the reader has drawn something
  constructor(box, changed) {
    this.box = box;
    this.changed = changed;
    this.editor = null;
    this.timer = null;
    this.wanted = "";
  }

  async open(smiles = "") {
    this.wanted = smiles;
    if (this.editor) return this.set(smiles);
    if (this.box.dataset.open) return; // it is being loaded
    this.box.dataset.open = "soon";
    fill(this.box, busy("loading the editor …"));
    try {
      this.library = await load();
    } catch {
      fill(this.box, trouble("the editor could not be loaded; a SMILES works all the same"));
      delete this.box.dataset.open;
      return;
    }
    fill(this.box);
    this.editor = new this.library.CanvasEditor(this.box, {});
    this.editor.setOnChangeListener(event => {
      if (!event.isUserEvent || event.type !== "molecule") return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.changed(this.smiles()), 700);
    });
    this.set(this.wanted);
    this.box.dataset.open = "yes";
  }

  smiles() { return this.editor ? this.editor.getMolecule().toIsomericSmiles() : ""; }

  set(smiles) {
    this.wanted = smiles;
    if (!this.editor || this.smiles() === smiles) return;
    try {
      this.editor.setMolecule(smiles ? this.library.Molecule.fromSmiles(smiles) : new this.library.Molecule(0, 0));
      this.editor.moleculeChanged?.();
    } catch { /* what the editor cannot draw can still be asked */ }
  }
}
