// Results as text, CSV, JSON and a link, for the clipboard or as a file.

import {el, say} from "./dom.js";

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // a page that is not served from this machine has no clipboard
    const box = el("textarea", {value: text, class: "unseen", "aria-hidden": "true"});
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
  say(`${what} copied`);
}

function save(text, name, kind) {
  const link = el("a", {href: URL.createObjectURL(new Blob([text], {type: kind})), download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const safe = name => name.replace(/[^A-Za-z0-9._-]+/g, "_").slice(0, 60) || "onekcal";

// A cell that a spreadsheet would take for a formula is text.
function cell(value) {
  const text = value === null || value === undefined ? "" : String(value);
  const plain = typeof value === "string" && /^[=+@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
export const csv = rows => rows.map(row => row.map(cell).join(",") + "\n").join("");

// name, json: of the result; text(), rows(): what is copied, rows an array of arrays; bibtex: what to cite, where that is known
export function share({name, text, rows, json, bibtex}) {
  const button = (title, label, act) => el("button", {type: "button", class: "quiet", "aria-label": label, onclick: event => {
    act();
    const box = event.currentTarget;
    box.textContent = "✓ done";
    setTimeout(() => { box.textContent = title; }, 1200);
  }}, title);
  return el("div", {class: "bar share", role: "group", "aria-label": "Share the result"}, [
    button("Copy text", "Copy the result as text", () => copy(text(), "text")),
    button("Copy CSV", "Copy the result as CSV", () => copy(csv(rows()), "CSV")),
    button("Copy JSON", "Copy the result as JSON", () => copy(JSON.stringify(json, null, 1), "JSON")),
    bibtex && button("Copy BibTeX", "Copy what to cite as BibTeX", () => copy(bibtex, "BibTeX")),
    button("Save JSON", "Save the result as a JSON file", () => save(JSON.stringify(json, null, 1), `${safe(name)}.json`, "application/json")),
    button("Copy link", "Copy a link to this result", () => copy(location.href, "link"))]);
}
