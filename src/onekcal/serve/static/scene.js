// A molecule in three dimensions, drawn by 3Dmol, which is loaded when it is first needed.

import {el} from "./dom.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const ELEMENTS = {H: "#c3cdd5", C: "#6b7680", N: "#3f6fd8", O: "#d8433a", F: "#3fa35c", Cl: "#3fa35c", S: "#c9a227", P: "#d9822b", Si: "#b39b7d", B: "#d99a8a"};

let loading = null;
function load() {
  loading ??= new Promise((done, failed) => {
    document.head.append(el("script", {src: "/static/vendor/3Dmol-min.js", onload: done, onerror: () => failed(new Error("3Dmol could not be loaded"))}));
  });
  return loading;
}

// Blue below, grey at, red above the middle.
export function diverging(value, reach) {
  const t = Math.max(-1, Math.min(1, reach ? value / reach : 0)), to = t < 0 ? [33, 102, 172] : [178, 24, 43];
  return "#" + to.map(c => Math.round(200 + (c - 200) * Math.abs(t)).toString(16).padStart(2, "0")).join("");
}

// A surface as 3Dmol takes it.
function triangles({points, normals, triangles, colors}) {
  const threes = rows => rows.map(([x, y, z]) => ({x, y, z}));
  return {
    vertexArr: threes(points), normalArr: threes(normals), faceArr: triangles.flat(),
    color: colors.map(rgb => new window.$3Dmol.Color(...rgb.map(c => c / 255))),
  };
}

export class Scene {
  constructor(box) {
    this.box = box;
    this.viewer = null;
    this.asked = 0;
  }

  // colours: a colour for each atom, or null for those of the elements; keep: the view stays as it is turned;
  // surface: an answer of /api/surface
  async show(symbols, positions, {colours = null, keep = false, label = "", surface = null} = {}) {
    const mine = ++this.asked;
    await load();
    if (mine !== this.asked) return;
    if (!this.viewer) {
      this.viewer = window.$3Dmol.createViewer(this.box, {backgroundColor: colour("--card"), antialias: true});
      dark.addEventListener("change", () => { this.viewer.setBackgroundColor(colour("--card")); this.viewer.render(); });
      new ResizeObserver(() => { if (this.box.clientWidth) { this.viewer.resize(); this.viewer.render(); } }).observe(this.box);
      // a page that is scrolled on does not zoom the molecule; with Ctrl it does
      this.box.addEventListener("wheel", event => { if (!event.ctrlKey) event.stopPropagation(); }, true);
    }
    const view = keep && this.shown ? this.viewer.getView() : null;
    this.viewer.removeAllModels();
    this.viewer.removeAllShapes();
    const lines = symbols.map((symbol, k) => `${symbol} ${positions[k].map(x => x.toFixed(4)).join(" ")}`);
    const model = this.viewer.addModel(`${symbols.length}\n\n${lines.join("\n")}`, "xyz");
    const scheme = colours ? {colorfunc: atom => colours[atom.index]} : {colorfunc: atom => ELEMENTS[atom.elem] || "#9b7fc4"};
    model.setStyle({}, {stick: {radius: 0.12, ...scheme}, sphere: {scale: 0.27, ...scheme}});
    if (surface?.points) this.viewer.addCustom({...triangles(surface), alpha: 0.72});
    if (view) this.viewer.setView(view);
    else { this.viewer.zoomTo(); this.viewer.zoom(symbols.length > 4 ? 1.15 : 0.8); }
    this.shown = true;
    this.viewer.render();
    this.box.setAttribute("aria-label", label || "molecule in three dimensions");
    this.box.dataset.shown = symbols.length;
    this.box.dataset.surface = surface?.kind || "";
  }
}
