// Surfaces of equal value around a molecule: triangles that were made beforehand, a colour at each vertex.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const scene = new Scene(document.getElementById("scene"), new Molecules(data.molecules, data.elements));
const chosen = document.getElementById("field"), opacity = document.getElementById("opacity");

const threes = values => Array.from({length: values.length / 3}, (_, k) => ({x: values[3 * k], y: values[3 * k + 1], z: values[3 * k + 2]}));

function shape(surface) {
  const colors = unpack(surface.colors), color = [];
  for (let k = 0; k < colors.length; k += 3) color.push(new $3Dmol.Color(colors[k], colors[k + 1], colors[k + 2]));
  return {vertexArr: threes(unpack(surface.points)), normalArr: threes(unpack(surface.normals)), faceArr: Array.from(unpack(surface.triangles)), color};
}

const shapes = data.fields.map(field => field.surfaces.map(shape));

function draw() {
  const field = data.fields[chosen.value];
  scene.viewer.removeAllShapes();
  for (const surface of shapes[chosen.value]) scene.viewer.addCustom({...surface, alpha: opacity.value / 100});
  scene.viewer.render();
  document.getElementById("told").textContent = "surface at " + field.surfaces.map(surface => rough(surface.level)).join(" and ");
}

scene.show(0);
scene.viewer.setView([...scene.viewer.getView().slice(0, 4), ...data.quaternion]);
// small atoms, so that what is around them is seen
for (const [z, symbol] of data.elements.symbols.entries())
  scene.viewer.setStyle({elem: symbol}, {stick: {radius: 0.08, color: data.elements.colors[z]}, sphere: {scale: 0.14, color: data.elements.colors[z]}});
scene.viewer.zoomTo();
scene.viewer.zoom(data.zoom);
draw();
chosen.addEventListener("change", draw);
opacity.addEventListener("input", draw);
const spin = document.getElementById("spin");
spin.addEventListener("click", () => {
  const on = spin.getAttribute("aria-pressed") !== "true";
  spin.setAttribute("aria-pressed", String(on));
  scene.viewer.spin(on ? "y" : false);
});
