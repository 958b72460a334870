// One answer: the number, its interval and where it comes from.

import {el, energy, formula, known, level, number, plusMinus, span, unit} from "./dom.js";

export const RUNGS = {learned: "the learned model", b3lyp: "a model on computed B3LYP", g4mp2: "G4(MP2), computed"};
export const rung = answer => RUNGS[answer.rung] || answer.rung;

const whose = answer => answer.corrected ? "against experiment"
  : answer.rung === "g4mp2" ? `of ${level(answer.rung)} against experiment` : `of the model against ${level(answer.level)}`;
// half of the interval of the main number: a heat of formation, or else the energy
const mainHalf = answer => known(answer.formation_298) ? answer.formation_half : answer.half;
const percent = answer => `${Number((100 * answer.coverage).toFixed(2))} %`;
const main = answer => known(answer.formation_298)
  ? ["ΔfH(298.15 K)", answer.formation_298] : [`${answer.kind} energy, ${answer.at}`, answer[answer.kind]?.value];

export function headline(answer) {
  const [what, value] = main(answer), half = mainHalf(answer), ends = span(value, half);
  const names = [...new Set([answer.name, answer.smiles].filter(Boolean))];
  return el("div", {},
    el("p", {class: "title"}, names[0] || formula(answer.formula), " ", names[0] && el("span", {class: "soft"}, formula(answer.formula))),
    names.length > 1 && el("p", {class: "soft small"}, names[1]),
    el("p", {class: "what"}, what),
    el("p", {class: "headline", id: "headline"}, energy(value), " ",
      el("span", {class: "half"}, half === 0 ? "exact" : plusMinus(half)), " ", el("span", {class: "unit"}, unit.name)),
    ends ? el("p", {class: "soft small"}, `${percent(answer)} interval ${ends}, ${whose(answer)}`)
      : half !== 0 && el("p", {class: "soft small"}, "no interval can be given; the remarks say why"),
    el("ul", {class: "chips", "aria-label": "Where it comes from"},
      el("li", {class: "chip"}, `answered by ${rung(answer)}`),
      (answer.conformers?.count ?? 0) > 1 && el("li", {class: "chip"}, `${answer.conformers.count} conformers`)));
}

export function novelty(answer) {
  if (!known(answer.novelty) || !known(answer.novelty_limit)) return null;
  const share = Math.min(1, answer.novelty / answer.novelty_limit);
  const inside = el("span", {});
  inside.style.width = `${Math.max(2, 100 * share).toFixed(1)}%`;
  return el("div", {}, el("h3", {}, "Novelty"),
    el("div", {class: "meter", role: "img", "aria-label": `novelty ${number(answer.novelty, 3)} of at most ${number(answer.novelty_limit, 3)}`}, inside),
    el("p", {class: "soft small"}, `${number(answer.novelty, 3)}: how unlike the training molecules its atoms are; beyond ${number(answer.novelty_limit, 3)} the model refuses`));
}

export function tiles(answer) {
  const pairs = [
    known(answer.formation_0) && ["ΔfH(0 K)", answer.formation_0, answer.formation_half],
    known(answer.formation_298) && known(answer[answer.kind]?.value) && ["atomization energy, 0 K", answer[answer.kind].value, answer.half],
  ].filter(Boolean);
  return el("dl", {class: "tiles"}, pairs.map(([name, value, half]) => el("div", {},
    el("dt", {}, name), el("dd", {}, `${energy(value)} ${plusMinus(half)}`, el("small", {}, span(value, half) || unit.name)))));
}

// The ledger: every line with its source.
export function ledger(answer) {
  const rows = answer.lines.map(line => el("tr", {class: line.result ? "sum" : null},
    el("td", {}, line.result ? line.label : line.label.replace(/^(?![+−])/, "+ ")),
    el("td", {class: "num"}, energy(line.value)),
    el("td", {class: "num half"}, known(line.error) ? `± ${energy(line.error)}` : ""),
    el("td", {class: "from"}, line.source || "sum of the lines above")));
  const remark = answer.terms.filter(term => term.section === "remark");
  return el("div", {},
    el("table", {class: "ledger"}, el("caption", {class: "unseen"}, "The energy ledger"),
      el("thead", {}, el("tr", {}, el("th", {}, "term"), el("th", {class: "num"}, unit.name), el("th", {class: "num"}, "±"), el("th", {}, "source"))),
      el("tbody", {}, rows)),
    remark.map(term => el("p", {class: "soft small"},
      known(term.uncertainty) ? `${level(answer.level)} itself: ± ${energy(term.uncertainty)} ${unit.name} against experiment; ${term.source}` : `${term.label}; ${term.source}`)));
}

// What else the answer says: a second route, geometry, remarks.
export function remarks(answer) {
  const lines = [...(answer.remarks || [])];
  const route = answer.isodesmic;
  return el("div", {},
    route && el("p", {class: route.apart ? "trouble" : null, id: "second"}, `By a second route, ${route.kind} with experimental partners (${route.reaction}), ΔfH(298.15 K) is ${energy(route.formation_298)} ${plusMinus(route.half)} ${unit.name} against experiment.`),
    answer.made && el("p", {class: "soft small"}, `Geometry${/^(of|made) /.test(answer.made) ? "" : ":"} ${answer.made}.`),
    lines.length > 0 && el("ul", {class: "small"}, lines.map(line => el("li", {}, line))));
}

export function text(answer) {
  const [what, value] = main(answer), half = mainHalf(answer), ends = span(value, half);
  return [
    `${answer.name || answer.smiles || answer.formula} (${answer.formula})`,
    `${what} = ${energy(value)} ${plusMinus(half)} ${unit.name}${ends ? ` (${percent(answer)} interval ${ends}, ${whose(answer)})` : ""}`,
    known(answer.formation_0) && `ΔfH(0 K) = ${energy(answer.formation_0)} ${plusMinus(answer.formation_half)} ${unit.name}`,
    `answered by ${rung(answer)}`,
    ...answer.lines.map(line => `${line.result ? "=" : " "} ${line.label}: ${energy(line.value)} ${line.source ? `[${line.source}]` : ""}`.trimEnd()),
  ].filter(Boolean).join("\n") + "\n";
}

export function rows(answer) {
  return [
    ["term", `value (${unit.name})`, `± (${unit.name})`, "source"],
    ...answer.lines.map(line => [line.label, energyCell(line.value), energyCell(line.error), line.source || "sum of the lines above"]),
  ];
}
const energyCell = x => known(x) ? Number((x * (unit.name === "kJ/mol" ? 4.184 : 1)).toFixed(4)) : "";
