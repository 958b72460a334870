// Molecules in three dimensions: unpacking, and a 3Dmol viewer with forces as arrows and values of atoms as colours.
"use strict";

function unpack(packed) {
  if (!packed) return null;
  const text = atob(packed.data), bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k++) bytes[k] = text.charCodeAt(k);
  if (packed.kind === "f4") return new Float32Array(bytes.buffer);
  if (packed.kind === "i4") return new Int32Array(bytes.buffer);
  if (packed.kind === "i2") return Float32Array.from(new Int16Array(bytes.buffer), step => step * packed.scale);
  return bytes;
}

const style = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const number = (x, digits = 2) => x === null || !Number.isFinite(x) ? "–"
  : x.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits}).replace("-", "−");
const rough = x => x === null || !Number.isFinite(x) ? "–" : x === 0 ? "0" : Math.abs(x) >= 1000 ? number(x, 0) : String(+x.toPrecision(3)).replace("-", "−");
const darkness = window.matchMedia("(prefers-color-scheme: dark)");

class Molecules {
  constructor(packed, elements) {
    this.numbers = unpack(packed.numbers);
    this.positions = unpack(packed.positions);
    this.offsets = unpack(packed.offsets);
    this.elements = elements;
  }
  get count() { return this.offsets.length - 1; }
  symbol(atom) { return this.elements.symbols[this.numbers[atom]]; }
  formula(m) {
    const counts = {};
    for (let a = this.offsets[m]; a < this.offsets[m + 1]; a++) counts[this.symbol(a)] = (counts[this.symbol(a)] || 0) + 1;
    const order = Object.keys(counts).sort();
    const first = counts.C ? ["C", "H"].filter(s => counts[s]) : [];
    return [...first, ...order.filter(s => !first.includes(s))].map(s => s + (counts[s] > 1 ? counts[s] : "")).join("");
  }
  xyz(m) {
    const lines = [String(this.offsets[m + 1] - this.offsets[m]), ""];
    for (let a = this.offsets[m]; a < this.offsets[m + 1]; a++)
      lines.push([this.symbol(a), ...[0, 1, 2].map(k => this.positions[3 * a + k].toFixed(4))].join(" "));
    return lines.join("\n");
  }
}

// Arrows: the longest of all that are shown together is LONGEST Å.
const LONGEST = 2.4;

class Scene {
  constructor(box, molecules) {
    this.box = box;
    this.molecules = molecules;
    start3Dmol();
    this.viewer = $3Dmol.createViewer(box, {backgroundColor: style("--card"), antialias: true});
    this.at = null;
    darkness.addEventListener("change", () => { this.viewer.setBackgroundColor(style("--card")); this.viewer.render(); });
    new ResizeObserver(() => { this.viewer.resize(); this.viewer.render(); }).observe(box);
  }
  // arrows: [{values (3 an atom), color}], longest: kcal/mol/Å of the longest arrow; colors: a color an atom, or null
  show(m, {arrows = [], longest = 0, colors = null, keep = false, label = ""} = {}) {
    const view = keep && this.at !== null ? this.viewer.getView() : null, {offsets, positions} = this.molecules;
    this.viewer.removeAllModels();
    this.viewer.removeAllShapes();
    const model = this.viewer.addModel(this.molecules.xyz(m), "xyz");
    const palette = {};
    this.molecules.elements.symbols.forEach((symbol, z) => { palette[symbol] = this.molecules.elements.colors[z]; });
    const scheme = colors ? {colorfunc: atom => colors[atom.index]} : {colorscheme: {prop: "elem", map: palette}};
    model.setStyle({}, {stick: {radius: 0.11, ...scheme}, sphere: {scale: arrows.length ? 0.2 : 0.27, ...scheme}});
    for (const {values, color} of arrows)
      for (let a = offsets[m]; a < offsets[m + 1]; a++) {
        const pull = [0, 1, 2].map(k => values[3 * a + k] * LONGEST / longest);
        if (!pull.every(Number.isFinite) || Math.hypot(...pull) < 0.03) continue;
        const start = {x: positions[3 * a], y: positions[3 * a + 1], z: positions[3 * a + 2]};
        this.viewer.addArrow({start, end: {x: start.x + pull[0], y: start.y + pull[1], z: start.z + pull[2]},
                              radius: 0.055, radiusRatio: 2.2, mid: 0.78, color});
      }
    if (view) this.viewer.setView(view); else { this.viewer.zoomTo(); this.viewer.zoom(1.4); }
    this.at = m;
    this.viewer.render();
    this.box.setAttribute("aria-label", label || `molecule ${this.molecules.formula(m)} in three dimensions`);
  }
}

// Blue below, grey at, red above the middle; `reach` is where the colour is full.
function diverging(value, reach) {
  const t = Math.max(-1, Math.min(1, reach ? value / reach : 0)), to = t < 0 ? [33, 102, 172] : [178, 24, 43];
  return "#" + to.map(c => Math.round(200 + (c - 200) * Math.abs(t)).toString(16).padStart(2, "0")).join("");
}

// One look for all plots: colours of the page, also after the reader's system turns dark.
function plot(box, traces, layout, config = {}) {
  const draw = () => {
    const axis = {gridcolor: style("--line"), zerolinecolor: style("--line"), linecolor: style("--line"), automargin: true, exponentformat: "none", separatethousands: true};
    const dressed = {
      font: {family: "system-ui, sans-serif", size: 13, color: style("--ink")}, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      margin: {l: 55, r: 15, t: 10, b: 45}, showlegend: false, dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom", hoverlabel: {bgcolor: style("--card"), font: {color: style("--ink")}},
      legend: {orientation: "h", y: 1.08, x: 0, yanchor: "bottom"}, ...layout,
      xaxis: {...axis, ...layout.xaxis}, yaxis: {...axis, ...layout.yaxis},
    };
    return Plotly.react(box, traces(), dressed, {responsive: true, displayModeBar: false, ...config});
  };
  waiting.set(box, draw);
  if (!watched.has(box)) {
    watched.add(box);
    sight.observe(box);
    new ResizeObserver(() => { if (box.offsetParent && box._fullLayout && !waiting.has(box)) Plotly.Plots.resize(box); }).observe(box);
  }
  if (box.dataset.seen) look(box);
}
async function look(box) {
  const draw = waiting.get(box);
  waiting.delete(box);
  if (!draw) return;
  shown.set(box, draw);
  await draw();
  if (box.dataset.drawn) return;
  box.dataset.drawn = "yes";
  if (clicks.has(box)) box.on("plotly_click", clicks.get(box));
  if (drawn.has(box)) { box.on("plotly_afterplot", drawn.get(box)); drawn.get(box)(); }
  box.dispatchEvent(new Event("drawn"));
}
// A plot is drawn when it first comes into sight, each in a turn of its own: a long page opens at once.
const waiting = new Map(), shown = new Map(), clicks = new Map(), drawn = new Map(), watched = new Set();
const sight = new IntersectionObserver(entries => entries.forEach(({target, isIntersecting}) => {
  if (!isIntersecting || target.dataset.seen) return;
  target.dataset.seen = "yes";
  setTimeout(() => look(target));
}), {rootMargin: "200px"});
darkness.addEventListener("change", () => shown.forEach(draw => draw()));

// 3Dmol takes a moment to start: it lies in the page as text until a molecule is drawn.
function start3Dmol() {
  if (window.$3Dmol) return;
  const code = document.createElement("script");
  code.textContent = document.getElementById("3Dmol").textContent;
  document.head.append(code);
}
