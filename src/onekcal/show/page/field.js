// A field around a molecule: surfaces of equal value to turn, triangles that were made beforehand with a colour at each vertex;
// and beside them one layer of voxels after another.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const molecules = new Molecules(data.molecules, data.elements), scene = new Scene($("scene"), molecules);
const AXES = ["x", "y", "z"], ROOM = 40;  // pixels beside the voxels, for the scales
const fields = data.fields.map(field => ({...field, values: unpack(field.voxels), shapes: field.surfaces.map(shape)}));
let outline = null, due = 0;

function threes(values) { return Array.from({length: values.length / 3}, (_, k) => ({x: values[3 * k], y: values[3 * k + 1], z: values[3 * k + 2]})); }

function shape(surface) {
  const colors = unpack(surface.colors), color = [];
  for (let k = 0; k < colors.length; k += 3) color.push(new $3Dmol.Color(colors[k], colors[k + 1], colors[k + 2]));
  return {vertexArr: threes(unpack(surface.points)), normalArr: threes(unpack(surface.normals)), faceArr: Array.from(unpack(surface.triangles)), color};
}

function drawSurfaces() {
  const field = fields[$("field").value];
  scene.viewer.removeAllShapes();
  outline = null;
  for (const one of field.shapes) scene.viewer.addCustom({...one, alpha: $("opacity").value / 100});
  $("told").textContent = "surface at " + field.surfaces.map(surface => rough(surface.level)).join(" and ");
  scene.box.setAttribute("aria-label", `${field.title} around ${molecules.formula(0)}, ${$("told").textContent}, in three dimensions`);
}

// --- one layer ---------------------------------------------------------------------------------------------------------

// The layer chosen: the axis it is across, those to the right and up, its place in Å, and the value at (i, j).
function layer() {
  const field = fields[$("field").value], {n, box, values} = field, across = Number($("axis").value), k = Number($("layer").value);
  const [right, up] = [0, 1, 2].filter(axis => axis !== across), place = index => (index + 0.5) * box / n - box / 2;
  const steps = [n * n, n, 1], value = (i, j) => values[i * steps[right] + j * steps[up] + k * steps[across]];
  return {field, n, box, across, right, up, k, place, value};
}

function tint(field, value) {
  const t = field.signed ? 0.5 + value / (2 * field.limit) : value / field.limit, palette = data.palettes[field.signed ? "signed" : "plain"];
  return palette[Math.max(0, Math.min(palette.length - 1, Math.floor(t * palette.length)))];
}

function drawLayer() {
  const {field, n, box, across, right, up, k, place, value} = layer(), canvas = $("slice"), sharp = devicePixelRatio;
  const side = canvas.clientWidth - ROOM, pen = canvas.getContext("2d");
  canvas.width = canvas.height = canvas.clientWidth * sharp;
  pen.scale(sharp, sharp);
  const at = x => (x + box / 2) * side / box;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) {
    pen.fillStyle = tint(field, value(i, j));
    const x = Math.floor(ROOM + i * side / n), y = Math.floor(side - (j + 1) * side / n);
    pen.fillRect(x, y, Math.ceil(side / n) + 1, Math.ceil(side / n) + 1);
  }
  pen.clearRect(0, side, ROOM + side, ROOM);
  drawScales(pen, at, side, box, right, up);
  for (let a = 0; a < molecules.numbers.length; a++) {
    const r = [0, 1, 2].map(axis => molecules.positions[3 * a + axis] + data.middle[axis]), [x, y] = [ROOM + at(r[right]), side - at(r[up])];
    if (x < ROOM || x > ROOM + side || y < 0 || y > side) continue;
    pen.globalAlpha = Math.abs(r[across] - place(k)) <= box / n ? 1 : 0.35;  // atoms of other layers are faint
    pen.beginPath();
    pen.arc(x, y, 6, 0, 2 * Math.PI);
    pen.fillStyle = data.elements.colors[molecules.numbers[a]];
    pen.fill();
    for (const [strokeStyle, lineWidth] of [["white", 3.5], ["black", 1]]) {
      Object.assign(pen, {strokeStyle, lineWidth});
      pen.stroke();
    }
  }
  const words = `layer ${AXES[across]} = ${number(place(k))} Å, ${k + 1} of ${n}`;
  $("where").textContent = words;
  $("layer").setAttribute("aria-valuetext", words);
  canvas.setAttribute("aria-label", `${field.title}, ${words}; ${range(value, n)}`);
  cancelAnimationFrame(due);  // the picture of the molecule takes longer than a step of the slider
  due = requestAnimationFrame(() => frame(across, right, up, place(k)));
}

function range(value, n) {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) { low = Math.min(low, value(i, j)); high = Math.max(high, value(i, j)); }
  return `values from ${rough(low)} to ${rough(high)}`;
}

function drawScales(pen, at, side, box, right, up) {
  Object.assign(pen, {fillStyle: style("--ink"), font: "13px system-ui, sans-serif", textAlign: "center", textBaseline: "top"});
  const step = box > 14 ? 4 : 2, most = Math.floor(box / 2 / step) * step;
  for (let x = -most; x <= most; x += step) pen.fillText(rough(x), ROOM + at(x), side + 5);
  pen.fillText(`${AXES[right]} (Å)`, ROOM + side / 2, side + 22);
  Object.assign(pen, {textAlign: "right", textBaseline: "middle"});
  for (let y = -most; y <= most; y += step) pen.fillText(rough(y), ROOM - 5, side - at(y));
  pen.save();
  pen.translate(8, side / 2);
  pen.rotate(-Math.PI / 2);
  pen.textAlign = "center";
  pen.fillText(`${AXES[up]} (Å)`, 0, 0);
  pen.restore();
}

function frame(across, right, up, place) {  // where the layer lies in the molecule
  const corner = (i, j) => {
    const r = [0, 0, 0];
    [r[across], r[right], r[up]] = [place, i * data.reach, j * data.reach];
    return Object.fromEntries(AXES.map((axis, d) => [axis, r[d] - data.middle[d]]));
  };
  if (outline) scene.viewer.removeShape(outline);
  outline = scene.viewer.addShape({color: style("--soft")});
  const corners = [corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)];
  corners.forEach((start, c) => outline.addCylinder({start, end: corners[(c + 1) % 4], radius: 0.025, fromCap: 1, toCap: 1}));
  scene.viewer.render();
}

function choose() {
  const field = fields[$("field").value];
  $("layer").max = field.n - 1;
  $("layer").value = Math.floor(field.n / 2);
  const palette = data.palettes[field.signed ? "signed" : "plain"];
  $("scale").style.background = `linear-gradient(to right, ${palette.join(",")})`;
  $("least").textContent = field.signed ? rough(-field.limit) : "0";
  $("most").textContent = `${rough(field.limit)} and more`;
  $("grid").textContent = `${field.n}³ voxels of ${rough(field.box / field.n)} Å; atoms in or beside the layer are drawn full.`;
  drawSurfaces();
  drawLayer();
}

scene.show(0);
scene.viewer.setView([...scene.viewer.getView().slice(0, 4), ...data.quaternion]);
// small atoms, so that what is around them is seen
for (const [z, symbol] of data.elements.symbols.entries())
  scene.viewer.setStyle({elem: symbol}, {stick: {radius: 0.08, color: data.elements.colors[z]}, sphere: {scale: 0.14, color: data.elements.colors[z]}});
scene.viewer.zoomTo();
scene.viewer.zoom(data.zoom);
choose();
$("field").addEventListener("change", choose);
for (const id of ["axis", "layer"]) $(id).addEventListener("input", drawLayer);
$("opacity").addEventListener("input", () => { drawSurfaces(); drawLayer(); });
darkness.addEventListener("change", drawLayer);
new ResizeObserver(drawLayer).observe($("slice"));
$("slice").addEventListener("pointermove", event => {
  const {n, box, right, up, place, value} = layer(), side = $("slice").clientWidth - ROOM, cell = side / n;
  const i = Math.floor((event.offsetX - ROOM) / cell), j = Math.floor((side - event.offsetY) / cell);
  $("value").textContent = i < 0 || j < 0 || i >= n || j >= n ? "" : `${AXES[right]} ${number(place(i))}, ${AXES[up]} ${number(place(j))}: ${rough(value(i, j))}`;
});
const spin = $("spin");
spin.addEventListener("click", () => {
  const on = spin.getAttribute("aria-pressed") !== "true";
  spin.setAttribute("aria-pressed", String(on));
  scene.viewer.spin(on ? "y" : false);
});
document.documentElement.dataset.ready = "yes";
