// Entropy, heat capacity and free energy at a temperature and pressure, when they are asked for.

import {ask} from "./api.js";
import {busy, el, energy, factor, fill, number, trouble, unit} from "./dom.js";

const caloric = x => number(x * factor());

export function thermo(question) {
  const result = el("div", {"aria-live": "polite"});
  const temperature = el("input", {type: "number", value: "298.15", min: "1", max: "5000", step: "any"});
  const pressure = el("input", {type: "number", value: "1", min: "0.0001", max: "100000", step: "any"});
  const form = el("form", {class: "conditions", onsubmit: event => { event.preventDefault(); compute(); }},
    el("label", {class: "field"}, "temperature (K)", el("br"), temperature),
    el("label", {class: "field"}, "pressure (bar)", el("br"), pressure),
    el("button", {type: "submit", id: "heat"}, "Compute"));
  async function compute() {
    fill(result, busy("frequencies …"));
    try {
      const asked = {...question, thermochemistry: true, temperature: Number(temperature.value), pressure: Number(pressure.value)};
      const answer = await ask("predict", asked);
      fill(result, answer.problem ? trouble(answer.problem) : table(answer));
    } catch (problem) {
      fill(result, trouble(problem.message));
    }
  }
  return el("details", {id: "thermo"}, el("summary", {}, "Thermochemistry"), form, result);
}

function table(answer) {
  const heat = answer.thermochemistry;
  const per = `${unit.name === "kJ/mol" ? "J" : "cal"}/mol/K`;
  const tile = (name, value, of) => el("div", {}, el("dt", {}, name), el("dd", {}, value, el("small", {}, of)));
  return el("div", {},
    el("dl", {class: "tiles"},
      tile("entropy S(T)", caloric(heat.entropy_cal_per_mol_K), per),
      tile("heat capacity Cp", caloric(heat.heat_capacity_cal_per_mol_K), per),
      tile("H(T) − H(0)", energy(heat.enthalpy_kcal_per_mol), unit.name),
      tile("G(T) − H(0)", energy(heat.free_energy_kcal_per_mol), unit.name)),
    el("p", {class: "soft small"}, [answer.thermal_source, `symmetry number ${heat.symmetry_number}`].filter(Boolean).join("; ")),
    (heat.remarks || []).map(line => el("p", {class: "soft small"}, line)));
}
