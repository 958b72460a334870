// Elements from text that may be hostile: nothing here ever reads HTML.

export const $ = id => document.getElementById(id);

// el("p", {class: "soft", onclick: f}, "text", child): properties that start with "on" are listeners.
export function el(tag, given = {}, ...children) {
  const box = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) box.addEventListener(name.slice(2), value);
    else if (name === "value") box.value = value;
    else box.setAttribute(name, value === true ? "" : value);
  }
  box.append(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return box;
}

export function fill(box, ...children) {
  box.replaceChildren(...children.flat().filter(child => child !== null && child !== undefined && child !== false));
  return box;
}

export const busy = words => el("p", {class: "busy", role: "status"}, words);
export const trouble = words => el("p", {class: "trouble", role: "alert"}, words);
export const say = words => { $("said").textContent = words; };

// --- numbers -----------------------------------------------------------------------------------

export const unit = {name: localStorage.getItem("unit") === "kJ/mol" ? "kJ/mol" : "kcal/mol"};
export const factor = () => unit.name === "kJ/mol" ? 4.184 : 1;

export function setUnit(name) {
  unit.name = name;
  localStorage.setItem("unit", name);
  document.dispatchEvent(new Event("unit"));
}

export const known = x => typeof x === "number" && Number.isFinite(x);
export const number = (x, digits = 2) => !known(x) ? "–"
  : x.toLocaleString("en", {minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: Math.abs(x) >= 10000})
    .replace("-", "−");
export const energy = (x, digits = 2) => number(known(x) ? x * factor() : x, digits);
export const plusMinus = half => known(half) ? `± ${energy(half)}` : "";
export const span = (value, half) => known(half) && half > 0 ? `${energy(value - half)} … ${energy(value + half)}` : "";
export const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
export const formula = text => text.replace(/\d/g, digit => "₀₁₂₃₄₅₆₇₈₉"[digit]);
export const level = name => name === "g4mp2" ? "G4(MP2)" : name || "its reference";

export function time(seconds) {
  if (!known(seconds)) return "–";
  return seconds < 100 ? `${seconds.toFixed(0)} s` : seconds < 5400 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
