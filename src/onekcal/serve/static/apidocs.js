// The API's description for people, out of its own openapi.json.

import {$, el, fill, trouble} from "./dom.js";

$("curl").textContent = `curl '${location.origin}/api/predict?smiles=CCO'
curl ${location.origin}/api/react -H 'Content-Type: application/json' -d '{"reaction": "C=C + [H][H] >> CC"}'
curl '${location.origin}/api/batch?file=molecules.csv' -H 'Content-Type: application/octet-stream' --data-binary @molecules.csv`;
$("python").textContent = `import json
from urllib.request import urlopen

with urlopen("${location.origin}/api/predict?smiles=CCO") as reply:
    answer = json.load(reply)
print(answer["formation_298"], answer["formation_half"])  # kcal/mol`;

const kind = (schema = {}) => schema.enum ? schema.enum.map(word => JSON.stringify(word)).join(" | ")
  : schema.anyOf ? schema.anyOf.map(kind).join(" or ") : schema.$ref ? schema.$ref.split("/").pop() : schema.type || "any";

// `names` in a description stand in a typeface of their own.
const words = text => (text || "").split("`").map((part, k) => k % 2 ? el("code", {}, part) : part);

function fields(schema, all) {
  const found = schema?.$ref ? all[schema.$ref.split("/").pop()] : schema;
  return Object.entries(found?.properties || {}).map(([name, one]) => [name, one, (found.required || []).includes(name)]);
}

function table(title, rows) {
  if (!rows.length) return null;
  return el("div", {class: "wide"}, el("table", {class: "fields"}, el("caption", {}, title),
    el("thead", {}, el("tr", {}, ["name", "type", "default", "meaning"].map(name => el("th", {}, name)))),
    el("tbody", {}, rows.map(([name, one, needed]) => el("tr", {}, el("td", {}, el("code", {}, name)), el("td", {class: "soft"}, kind(one)),
      el("td", {}, needed ? "needed" : one.default === undefined ? "" : JSON.stringify(one.default)), el("td", {}, words(one.description)))))));
}

try {
  const told = await (await fetch("/api/openapi.json")).json(), all = told.components?.schemas || {};
  fill($("routes"), Object.entries(told.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) => {
    const body = one.requestBody?.content?.["application/json"]?.schema;
    return el("div", {class: "card"}, el("h2", {}, el("code", {}, `${method.toUpperCase()} ${path}`)), el("p", {}, words(one.description || one.summary)),
      table("In the address", (one.parameters || []).map(each => [each.name, {...each.schema, description: each.description || each.schema?.description}, each.required])),
      table("In the body (JSON)", fields(body, all)));
  })));
} catch (problem) {
  fill($("routes"), trouble(problem.message));
}
document.documentElement.dataset.ready = "yes";
