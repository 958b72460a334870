// The frame of the page: tabs, the unit of energies, links that can be shared, files that are dropped.

import {ask, wait} from "./api.js";
import {Batch} from "./batch.js";
import {Bonds} from "./bonds.js";
import {$, el, fill, setUnit, unit} from "./dom.js";
import {MoleculePage} from "./molecule.js";
import {ReactionPage} from "./reaction.js";
import {Runs} from "./runs.js";

const PAGES = [["molecule", "Molecule", MoleculePage], ["reaction", "Reaction", ReactionPage], ["bonds", "Bonds", Bonds], ["batch", "Batch", Batch], ["runs", "Runs", Runs]];
const SINGLE = /\.(xyz|extxyz|sdf|mol)$/i;
const pages = {};
let shown = "";

// What the address says: ?smiles=… is a molecule, ?reaction=… a reaction, ?bonds=…, ?job=…, ?tab=runs.
function where() {
  const asked = new URLSearchParams(location.search);
  for (const [key, tab] of [["smiles", "molecule"], ["reaction", "reaction"], ["bonds", "bonds"], ["job", "batch"]])
    if (asked.has(key)) return [tab, asked.get(key)];
  return [pages[asked.get("tab")] ? asked.get("tab") : "molecule", ""];
}

function select(name, focus = false) {
  shown = name;
  for (const [key] of PAGES) {
    const tab = $(`tab-${key}`), on = key === name;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
    $(`page-${key}`).hidden = !on;
    if (on && focus) tab.focus();
  }
  pages[name].opened?.();
}

// Called by the pages: where a link to what is shown leads to.
export function address(key, value) {
  const next = value ? `/?${new URLSearchParams({[key]: value})}` : key === "tab" || !key ? "/" : `/?tab=${shown}`;
  if (next !== location.pathname + location.search) history.pushState(null, "", next);
}

function arrive() {
  const [tab, value] = where();
  select(tab);
  pages[tab].arrive?.(value);
}

function frame() {
  for (const [key, title, Page] of PAGES) {
    $("tabs").append(el("button", {
      role: "tab", id: `tab-${key}`, "aria-controls": `page-${key}`, type: "button",
      onclick: () => { select(key); history.pushState(null, "", key === "molecule" ? "/" : `/?tab=${key}`); pages[key].arrive?.(""); },
    }, title));
    const box = el("section", {role: "tabpanel", id: `page-${key}`, "aria-labelledby": `tab-${key}`});
    $("main").append(box);
    pages[key] = new Page(box, {address, open});
  }
  $("tabs").addEventListener("keydown", event => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!step) return;
    const names = PAGES.map(([key]) => key);
    select(names[(names.indexOf(shown) + step + names.length) % names.length], true);
    event.preventDefault();
  });
  for (const name of ["kcal/mol", "kJ/mol"]) $("units").append(el("button", {type: "button", "aria-pressed": String(name === unit.name), onclick: () => setUnit(name)}, name));
  document.addEventListener("unit", () => [...$("units").children].forEach(box => box.setAttribute("aria-pressed", String(box.textContent === unit.name))));
}

// Another tab with something in it: open("bonds", "CCO").
function open(name, value) {
  select(name);
  pages[name].arrive(value);
}

function dropping() {
  let depth = 0;
  const files = event => [...event.dataTransfer.types].includes("Files");
  addEventListener("dragenter", event => { if (files(event)) { depth += 1; $("drop").hidden = false; } });
  addEventListener("dragleave", event => { if (files(event) && (depth -= 1) <= 0) $("drop").hidden = true; });
  addEventListener("dragover", event => { if (files(event)) event.preventDefault(); });
  addEventListener("drop", event => {
    depth = 0;
    $("drop").hidden = true;
    if (!files(event)) return;
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
}

// A file of one molecule is shown; any other is a batch.
async function take(file) {
  if (!file) return;
  if (shown === "molecule" && SINGLE.test(file.name) && file.size < 100000 && await pages.molecule.file(file)) return;
  select("batch");
  pages.batch.upload(file, file.name);
}

async function about() {
  for (;;) {
    const told = await ask("about").catch(() => null);
    if (told?.problem) {
      $("trouble").textContent = told.problem;
      $("trouble").hidden = false;
    }
    if (told?.ready) {
      const scope = told.scope;
      const most = scope.heavy ? `, up to ${scope.heavy} heavy atoms` : "";
      fill($("about"), `onekcal ${told.version} · model ${told.model}: ${scope.elements.join(", ")}${most}; G4(MP2) beyond`);
      document.documentElement.dataset.ready = "yes";
      return;
    }
    await wait(500);
  }
}

frame();
dropping();
addEventListener("popstate", arrive);
arrive();
about();
