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
const dots = count > 3000 ? "scattergl" : "scatter";
const unit = told.unit;
let current = 0, chosen = 0, order = [], rankOf = [], scene = null, means = null;

function predicted(run) { return reference.map((value, m) => value + run.error[m]); }

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
  plot($("parity"), () => [
    {x: ends, y: ends, mode: "lines", line: {color: style("--line"), width: 2}, hoverinfo: "skip"},
    {type: dots, mode: "markers", x: reference, y: ys, customdata: run.error, text: told.names,
     marker: {size: count > 3000 ? 5 : 7, opacity: 0.65, color: color(current)},
     hovertemplate: "<b>%{text}</b><br>reference %{x:.2f}<br>predicted %{y:.2f}<br>error %{customdata:+.2f} " + unit + "<extra></extra>"},
    {mode: "markers", x: [reference[chosen]], y: [ys[chosen]], hoverinfo: "skip",
     marker: {size: 15, color: "rgba(0,0,0,0)", line: {width: 3, color: style("--second")}}},
  ], {xaxis: {title: {text: `reference (${unit})`}, range: ends}, yaxis: {title: {text: `predicted (${unit})`}, range: ends}, hovermode: "closest"});
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
  }), {showlegend: !single, xaxis: {type: "log", title: {text: `|error| (${unit})`}}, yaxis: {type: "log", title: {text: "share with a larger error (%)"}},
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
  if (run) plot($("doubt"), () => [{type: dots, mode: "markers", x: run.doubt, y: run.error.map(Math.abs), text: told.names, marker: {size: 5, opacity: 0.5, color: color(current)},
    hovertemplate: "<b>%{text}</b><br>" + run.doubtName + " %{x:.3g}<br>|error| %{y:.2f} " + unit + "<extra></extra>"}],
    {xaxis: {type: "log", title: {text: run.doubtName}}, yaxis: {type: "log", title: {text: `|error| (${unit})`}}, hovermode: "closest"});
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
  plot($("score"), () => lines(["valid_mae", "valid_force_mae"], ["solid", "dash"]), log(`validation MAE (${unit}; forces ${unit}/Å)`));
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
  drawParity();
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
  if (molecules) requestAnimationFrame(drawMolecule);
  if (scroll) $("parity-head").scrollIntoView({behavior: "smooth", block: "start"});
}

function drawMolecule() {
  const run = runs[current], {offsets} = molecules, shown = owner(chosen), first = offsets[shown], last = offsets[shown + 1];
  scene ??= new Scene($("scene"), molecules);
  $("arrows").hidden = !referenceForces;
  $("predicted-arrows").hidden = !run.forces;
  const arrows = [];
  if (referenceForces && $("reference-forces").checked) arrows.push({values: referenceForces, color: "#2166ac"});
  if (run.forces && $("predicted-forces").checked) arrows.push({values: run.forces, color: "#e08214"});
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
  drawTrust();
  choose(order[0]);
}

ordered();
drawErrors();
drawTraining();
select(0);
clicks.set($("parity"), event => { const point = event.points.find(p => p.curveNumber === 1); if (point) choose(point.pointNumber); });
clicks.set($("doubt"), event => choose(event.points[0].pointNumber, true));
$("worse").addEventListener("click", () => choose(order[Math.max(0, rankOf[chosen] - 1)]));
$("better").addEventListener("click", () => choose(order[Math.min(count - 1, rankOf[chosen] + 1)]));
$("scene").addEventListener("keydown", event => {
  if (event.key === "ArrowLeft") $("worse").click();
  if (event.key === "ArrowRight") $("better").click();
});
for (const id of ["reference-forces", "predicted-forces", "atom-energies"]) $(id).addEventListener("change", () => choose(chosen));
document.querySelectorAll("[data-molecule]").forEach(button => button.addEventListener("click", () => choose(Number(button.dataset.molecule), true)));
$("run")?.addEventListener("change", event => select(Number(event.target.value)));
document.documentElement.dataset.ready = "yes";
