// What models doubt: curves of risk, coverage by fifths, and error quantiles against each signal.
"use strict";

const runs = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const COLORS = ["--accent", "--second", "--third", "--fourth", "--fifth", "--pull"], DASHES = ["solid", "dash"];
const line = (k, more = {}) => ({color: style(COLORS[k % COLORS.length]), width: 2, dash: DASHES[Math.floor(k / COLORS.length) % 2], ...more});

function logarithmic(values) {  // with a label a decade, or at 1, 2 and 5 of few
  const some = values.filter(v => v > 0 && v < Infinity);
  if (!some.length) return {};
  const range = [Math.log10(Math.min(...some)) - 0.05, Math.log10(Math.max(...some)) + 0.05];
  return {type: "log", range, dtick: range[1] - range[0] > 1.5 ? 1 : "D2"};
}

function drawRisk(run) {
  const percent = curve => ({x: curve.map(point => 100 * point[0]), y: curve.map(point => point[1])});
  plot($("risk"), () => [
    {x: [0, 100], y: [run.mae, run.mae], mode: "lines", line: {color: style("--line"), width: 2}, hoverinfo: "skip", showlegend: false},
    ...run.signals.map((signal, k) => ({...percent(signal.curve), mode: "lines", name: signal.name, line: line(k),
      hovertemplate: `${signal.name}, %{x:.0f} % answered: MAE %{y:.3f} ${run.unit}<extra></extra>`})),
    {...percent(run.oracle), mode: "lines", name: "the true error", line: {color: style("--soft"), width: 2, dash: "dot"}, hoverinfo: "skip"}],
    {showlegend: true, xaxis: {title: {text: "molecules answered (%)"}, range: [0, 101]},
     yaxis: {title: {text: `MAE (${run.unit})`}, rangemode: "tozero"}});
}

function drawParts(run) {
  const signal = run.signals.find(one => one.name === $("signal").value), count = signal.parts.length;
  plot($("parts"), () => [
    {x: [0.7, count + 0.3], y: [100 * run.coverage, 100 * run.coverage], mode: "lines", line: {color: style("--soft"), width: 1.5}, name: "promised", hoverinfo: "skip"},
    ...[["plain", 1, "one width for all"], ["parts", 0, `follows ${signal.name}`]].map(([key, k, name]) => (
      {x: signal[key].map((_, part) => part + 1), y: signal[key].map(share => 100 * share), mode: "lines+markers", name,
       line: line(k), marker: {size: 8}, hovertemplate: `${name}: %{y:.1f} % inside<extra></extra>`}))],
    {showlegend: true, xaxis: {title: {text: `fifths by ${signal.name}`}, dtick: 1, range: [0.7, count + 0.3]},
     yaxis: {title: {text: "molecules inside (%)"}}});
}

function drawFigures(run, r) {
  run.signals.forEach((signal, k) => {
    const varied = signal.at.length > 1 && Math.max(...signal.at) > 3 * Math.min(...signal.at) && Math.min(...signal.at) > 0;
    plot($(`figure-${r}-${k}`), () => signal.sizes.map((sizes, q) => (
      {x: signal.at, y: sizes, mode: "lines+markers", name: `${100 * run.levels[q]} %`, line: {color: style(COLORS[q]), width: 2}, marker: {size: 5},
       hovertemplate: `${100 * run.levels[q]} % below %{y:.3f} ${run.unit}<extra></extra>`})),
      {showlegend: k === 0, xaxis: {title: {text: signal.unit ? `${signal.name} (${signal.unit})` : signal.name}, ...(varied ? logarithmic(signal.at) : {})},
       yaxis: {title: {text: `|error| (${run.unit})`}, ...logarithmic(signal.sizes.flat())}});
  });
}

let current = 0;
function select(r) {
  current = r;
  $("signal").replaceChildren(...runs[r].signals.map(signal => new Option(signal.name)));
  document.querySelectorAll("[data-run]").forEach(part => { part.hidden = Number(part.dataset.run) !== r; });
  drawRisk(runs[r]);
  drawParts(runs[r]);
  drawFigures(runs[r], r);
}

$("run")?.addEventListener("change", event => select(Number(event.target.value)));
$("signal").addEventListener("change", () => drawParts(runs[current]));
select(0);
document.documentElement.dataset.ready = "yes";
