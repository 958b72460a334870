// One molecule, or many that play: frames of a trajectory keep the view and one scale of arrows.
"use strict";

const told = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const molecules = new Molecules(told.molecules, told.elements), forces = unpack(told.forces), energies = unpack(told.energies);
const scene = new Scene($("scene"), molecules), PAUSE = 80;
let at = 0, timer = null;

let longest = 0;
if (forces) for (let k = 0; k < forces.length; k += 3) longest = Math.max(longest, Math.hypot(forces[k], forces[k + 1], forces[k + 2]) || 0);
if ($("longest")) $("longest").textContent = `the longest arrow of all is ${rough(longest)} kcal/mol/Å`;

function drawTrace() {
  plot($("trace"), () => [
    {x: told.rows, y: energies, mode: "lines+markers", line: {color: style("--accent"), width: 1.5}, marker: {size: 5}, text: told.names,
     hovertemplate: "<b>%{text}</b><br>%{y:.2f} kcal/mol<extra></extra>"},
    {x: [told.rows[at]], y: [energies[at]], mode: "markers", marker: {size: 14, color: "rgba(0,0,0,0)", line: {width: 3, color: style("--second")}}, hoverinfo: "skip"},
  ], {xaxis: {title: {text: "row"}}, yaxis: {title: {text: "kcal/mol"}}, hovermode: "closest"});
}

function show(m) {
  at = m;
  const drawn = longest && $("forces")?.checked ? [{values: forces, color: style("--pull")}] : [];
  const words = [told.names[m] || `molecule ${told.rows[m]}`, molecules.formula(m)];
  if (energies && Number.isFinite(energies[m])) words.push(`${told.energy} ${number(energies[m])} kcal/mol`);
  scene.show(m, {arrows: drawn, longest, keep: told.alike, label: `${words.join(", ")}, in three dimensions`});
  $("told").textContent = words.join(" · ");
  if ($("frame")) $("frame").value = m;
  if ($("trace")) drawTrace();
  $("scene").dataset.frame = m;
}

function play(on) {
  clearInterval(timer);
  timer = on ? setInterval(() => show((at + 1) % molecules.count), PAUSE) : null;
  $("play").textContent = on ? "❚❚ pause" : "▶ play";
  $("play").setAttribute("aria-pressed", String(on));
}

if ($("trace")) clicks.set($("trace"), event => { play(false); show(event.points[0].pointNumber); });
show(0);
$("frame")?.addEventListener("input", event => { play(false); show(Number(event.target.value)); });
$("play")?.addEventListener("click", () => play(timer === null));
$("forces")?.addEventListener("change", () => show(at));
$("spin").addEventListener("click", () => {
  const on = $("spin").getAttribute("aria-pressed") !== "true";
  scene.viewer.spin(on ? "y" : false);
  $("spin").setAttribute("aria-pressed", String(on));
});
darkness.addEventListener("change", () => show(at));
$("scene").addEventListener("keydown", event => {
  const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
  if (step) show((at + step + molecules.count) % molecules.count);
});
document.documentElement.dataset.ready = "yes";
