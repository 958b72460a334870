// The report of one run or several: a point chosen in the parity plot is a molecule shown beside it.
"use strict";

const told = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const COLORS = ["--accent", "--second", "--third", "--fourth", "--fifth"];
const color = k => style(COLORS[k % COLORS.length]);
const runs = told.runs.map(run => ({...run, error: unpack(run.error), forces: unpack(run.forces), energies: unpack(run.energies),
  doubt: unpack(run.doubt)}));
const reference = unpack(told.reference), referenceForces = unpack(told.forces);
const molecules = told.molecules ? new Molecules(told.molecules, told.elements) : null;
const count = reference.length, places = Array.from({length: count}, (_, m) => m);
const owner = m => told.owners ? told.owners[m] : m;
const unit = told.unit;
let current = 0, chosen = 0, order = [], rankOf = [], scene = null, means = null;

function predicted(run) { return reference.map((value, m) => value + run.error[m]); }

function decades(values) {  // a logarithmic axis that holds all, with a label a decade, or at 1, 2 and 5 of few
  let low = Infinity, high = -Infinity;
  for (const v of values) if (v > 0 && v < Infinity) { low = Math.min(low, v); high = Math.max(high, v); }
  const range = low > high ? [-1, 1] : [Math.log10(low) - 0.1, Math.log10(high) + 0.1];
  return {type: "log", range, dtick: range[1] - range[0] > 1.5 ? 1 : "D2"};
}

function ordered() {  // molecules by error, the largest first; without a prediction last
  const size = m => Number.isFinite(runs[current].error[m]) ? Math.abs(runs[current].error[m]) : -1;
  order = places.slice().sort((a, b) => size(b) - size(a));
  rankOf = [];
  order.forEach((m, k) => { rankOf[m] = k; });
}

function drawParity() {
  const run = runs[current], ys = predicted(run);
  let low = Infinity, high = -Infinity;
  for (let m = 0; m < count; m++) for (const v of [reference[m], ys[m]]) if (Number.isFinite(v)) { low = Math.min(low, v); high = Math.max(high, v); }
  const room = 0.03 * (high - low) || 1, ends = [low - room, high + room];
  cloud.fill(reference, ys, COLORS[current % COLORS.length]);
  plot($("parity"), () => [{x: ends, y: ends, mode: "lines", line: {color: style("--line"), width: 2}, hoverinfo: "skip"}],
    {xaxis: {title: {text: `reference (${unit})`}, range: ends}, yaxis: {title: {text: `predicted (${unit})`}, range: ends}, uirevision: current});
}

function drawErrors() {
  const single = runs.length === 1;
  plot($("histogram"), () => runs.map((run, k) => {
    const reach = told.reach, bins = 60, heights = new Array(bins).fill(0);
    for (const e of run.error) if (Number.isFinite(e)) heights[Math.max(0, Math.min(bins - 1, Math.floor((e + reach) / (2 * reach) * bins)))]++;
    const x = heights.map((_, b) => -reach + (b + 0.5) * 2 * reach / bins);
    return single ? {type: "bar", x, y: heights, marker: {color: color(k)}, name: run.name, hovertemplate: "%{x:+.2f}: %{y} molecules<extra></extra>"}
      : {type: "scatter", mode: "lines", line: {shape: "hvh", width: 2, color: color(k)}, x, y: heights, name: run.name};
  }), {bargap: 0.04, showlegend: !single, xaxis: {title: {text: `predicted − reference (${unit})`}}, yaxis: {title: {text: "molecules"}},
       shapes: unit === "kcal/mol" && told.reach > 1 ? [-1, 1].map(x => ({type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: {dash: "dot", width: 1.5, color: style("--soft")}})) : []});
  plot($("tail"), () => runs.map((run, k) => {
    const sizes = Array.from(run.error).filter(Number.isFinite).map(Math.abs).sort((a, b) => a - b), n = sizes.length;
    const step = Math.max(1, Math.floor(n / 400)), kept = sizes.map((_, i) => i).filter(i => i % step === 0 || i > n - 50);
    return {x: kept.map(i => Math.max(sizes[i], 1e-4)), y: kept.map(i => 100 * (n - i) / n), mode: n > 1 ? "lines" : "markers", name: run.name, line: {width: 2, color: color(k)},
            hovertemplate: "%{y:.1f} % have an error above %{x:.2f} " + unit + "<extra></extra>"};
  }), {showlegend: !single, xaxis: {title: {text: `|error| (${unit})`}, ...decades(runs.flatMap(run => Array.from(run.error, e => Math.max(Math.abs(e), told.reach / 1000))))},
       yaxis: {title: {text: "share with a larger error (%)"}, ...decades([100, 100 / count])},
       shapes: unit === "kcal/mol" ? [{type: "line", x0: 1, x1: 1, yref: "paper", y0: 0, y1: 1, line: {dash: "dot", width: 1.5, color: style("--soft")}}] : []});
}

function drawTrust() {
  const calibrated = runs.some(run => run.calibration.length), doubted = runs.some(run => run.risk.length);
  $("trust").hidden = !calibrated && !doubted;
  $("calibration-box").hidden = !calibrated;
  $("risk-box").hidden = $("doubt-box").hidden = !doubted;
  if (calibrated) plot($("calibration"), () => [
    {x: [0, 100], y: [0, 100], mode: "lines", line: {color: style("--line"), width: 2}, hoverinfo: "skip", showlegend: false},
    ...runs.map((run, k) => ({x: run.calibration.map(c => 100 * c[0]), y: run.calibration.map(c => 100 * c[1]), mode: "lines+markers", name: run.name,
      line: {color: color(k), width: 2}, hovertemplate: "%{x:.0f} % promised, %{y:.1f} % held<extra></extra>"}))],
    {showlegend: runs.length > 1, xaxis: {title: {text: "nominal coverage (%)"}, range: [0, 100]}, yaxis: {title: {text: "molecules inside (%)"}, range: [0, 100]}});
  if (!doubted) return;
  plot($("risk"), () => runs.flatMap((run, k) => !run.risk.length ? [] : [
    {x: run.risk.map(r => 100 * r[0]), y: run.risk.map(r => r[1]), mode: "lines", name: `${run.name}, by ${run.doubtName}`, line: {color: color(k), width: 2},
     hovertemplate: "%{x:.0f} % answered: MAE %{y:.3f} " + unit + "<extra></extra>"},
    {x: run.risk.map(r => 100 * r[0]), y: run.risk.map(r => r[2]), mode: "lines", name: "by the true error", showlegend: false, line: {color: color(k), width: 1.5, dash: "dot"}, hoverinfo: "skip"}]),
    {showlegend: true, xaxis: {title: {text: "molecules answered (%)"}, range: [0, 101]}, yaxis: {title: {text: `MAE (${unit})`}, rangemode: "tozero"}});
  const run = runs[current].doubt ? runs[current] : null;
  $("doubt-box").hidden = !run;
  if (!run) return;
  const sizes = run.error.map(Math.abs);
  doubts.fill(run.doubt, sizes, COLORS[current % COLORS.length]);
  plot($("doubt"), () => [], {xaxis: {title: {text: run.doubtName}, ...decades(run.doubt)},
    yaxis: {title: {text: `|error| (${unit})`}, ...decades(sizes)}, uirevision: current});
}

function drawTraining() {
  const trained = runs.filter(run => run.epochs.length);
  $("training").hidden = !trained.length;
  if (!trained.length) return;
  const lines = (keys, dashes) => runs.flatMap((run, k) => run.epochs.flatMap(table => keys.filter(key => table[key]).map((key, d) => (
    {x: table.epoch, y: table[key], name: `${run.name}: ${key.replaceAll("_", " ")}`, mode: "lines", line: {color: color(k), width: 2, dash: dashes[d]},
     hovertemplate: "epoch %{x}: %{y:.4g}<extra></extra>"}))));
  const log = title => ({showlegend: true, xaxis: {title: {text: "epoch"}}, yaxis: {type: "log", title: {text: title}}});
  plot($("loss"), () => lines(["loss", "valid_loss"], ["solid", "dot"]), log("loss"));
  plot($("score"), () => lines(["valid_mae", "valid_force_mae"], ["solid", "dash"]), log(`validation MAE (${unit}${trained.some(run => run.epochs.some(table => table.valid_force_mae)) ? ", forces /Å" : ""})`));
}

// --- the molecule chosen ---------------------------------------------------------------------------------------------

function elementMeans(energies) {  // of each element, over all molecules: what is left tells surroundings apart
  const sums = {}, counts = {};
  molecules.numbers.forEach((z, a) => { if (Number.isFinite(energies[a])) { sums[z] = (sums[z] || 0) + energies[a]; counts[z] = (counts[z] || 0) + 1; } });
  return Object.fromEntries(Object.keys(sums).map(z => [z, sums[z] / counts[z]]));
}

function choose(m, scroll = false) {
  chosen = m;
  const run = runs[current];
  cloud.mark(m);
  $("rank").textContent = `number ${number(rankOf[m] + 1, 0)} of ${number(count, 0)} by error`;
  const facts = [["molecule", told.names[m]]];
  if (molecules) facts.push(["formula", molecules.formula(owner(m))]);
  facts.push(["reference", `${number(reference[m])} ${unit}`], ["predicted", `${number(reference[m] + run.error[m])} ${unit}`],
    ["error", `${number(run.error[m])} ${unit}`]);
  if (run.interval) facts.push(["interval", `± ${number(run.interval)} ${unit}: ${Math.abs(run.error[m]) <= run.interval ? "holds" : "does not hold"}`]);
  if (run.doubt) facts.push([run.doubtName, rough(run.doubt[m])]);
  $("facts").replaceChildren(...facts.flatMap(([name, value]) => {
    const head = document.createElement("dt"), cell = document.createElement("dd");
    head.textContent = name;
    cell.textContent = value;
    return [head, cell];
  }));
  $("molecule").dataset.chosen = told.names[m];
  if (molecules && $("parity").dataset.drawn) requestAnimationFrame(drawMolecule);
  if (scroll) $("parity-head").scrollIntoView({behavior: "smooth", block: "start"});
}

function drawMolecule() {
  const run = runs[current], {offsets} = molecules, shown = owner(chosen), first = offsets[shown], last = offsets[shown + 1];
  scene ??= new Scene($("scene"), molecules);
  $("arrows").hidden = !referenceForces;
  $("predicted-arrows").hidden = !run.forces;
  const arrows = [];
  if (referenceForces && $("reference-forces").checked) arrows.push({values: referenceForces, color: style("--pull")});
  if (run.forces && $("predicted-forces").checked) arrows.push({values: run.forces, color: style("--second")});
  let longest = 0;
  for (const values of [referenceForces, run.forces]) if (values)
    for (let a = first; a < last; a++) longest = Math.max(longest, Math.hypot(values[3 * a], values[3 * a + 1], values[3 * a + 2]) || 0);
  $("longest").textContent = longest ? `longest ${rough(longest)} ${unit}/Å` : "";
  $("coloring").hidden = !run.energies;
  let colors = null;
  if (run.energies && $("atom-energies").checked) {
    means = elementMeans(run.energies);
    const off = Array.from({length: last - first}, (_, k) => run.energies[first + k] - means[molecules.numbers[first + k]]);
    const reach = Math.max(...off.map(Math.abs));
    colors = off.map(value => diverging(value, reach));
    $("atom-energies-key").textContent = `blue ${rough(-reach)} … red +${rough(reach)} ${unit}, against the element's mean`;
  } else $("atom-energies-key").textContent = "";
  scene.show(shown, {arrows: longest ? arrows : [], longest, colors, label: `${told.names[chosen]}, ${molecules.formula(shown)}, in three dimensions`});
}

function select(k) {
  current = k;
  ordered();
  document.querySelectorAll("[data-run]").forEach(part => { part.hidden = Number(part.dataset.run) !== k; });
  drawParity();
  drawTrust();
  choose(order[0]);
}

const named = m => [told.names[m], `reference ${number(reference[m])}`, `predicted ${number(reference[m] + runs[current].error[m])}`,
  `error ${number(runs[current].error[m])} ${unit}`];
const cloud = new Cloud($("parity"), named, m => choose(m));
const doubts = new Cloud($("doubt"), m => [told.names[m], `${runs[current].doubtName} ${rough(runs[current].doubt[m])}`, `error ${number(runs[current].error[m])} ${unit}`],
  m => choose(m, true));
$("parity").addEventListener("drawn", () => {
  performance.mark("parity");
  if (molecules) requestAnimationFrame(drawMolecule);  // after the plot: a page of points stands before its first molecule does
});
select(0);
drawErrors();
drawTraining();
$("worse").addEventListener("click", () => choose(order[Math.max(0, rankOf[chosen] - 1)]));
$("better").addEventListener("click", () => choose(order[Math.min(count - 1, rankOf[chosen] + 1)]));
for (const id of ["scene", "parity"]) $(id).addEventListener("keydown", event => {
  const step = {ArrowLeft: $("worse"), ArrowRight: $("better")}[event.key];
  if (!step) return;
  event.preventDefault();
  step.click();
});
darkness.addEventListener("change", () => { if (scene) drawMolecule(); });
for (const id of ["reference-forces", "predicted-forces", "atom-energies"]) $(id).addEventListener("change", () => choose(chosen));
document.querySelectorAll("[data-molecule]").forEach(button => button.addEventListener("click", () => choose(Number(button.dataset.molecule), true)));
$("run")?.addEventListener("change", event => select(Number(event.target.value)));
document.documentElement.dataset.ready = "yes";
