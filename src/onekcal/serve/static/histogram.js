// A histogram of one column, as SVG.

import {number} from "./dom.js";

const NS = "http://www.w3.org/2000/svg";
function svg(tag, given, text = "") {
  const box = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(given)) box.setAttribute(name, value);
  if (text) box.textContent = text;
  return box;
}

// values: numbers; title: what they are, with the unit; width: pixels
export function histogram(values, title, width) {
  const height = 190, below = 24, left = 8;
  const out = svg("svg", {viewBox: `0 0 ${width} ${height}`, class: "histogram", role: "img", "aria-label": `histogram of ${title}, ${values.length} molecules`});
  if (values.length < 2) return out;
  const low = Math.min(...values), high = Math.max(...values), bins = Math.max(5, Math.min(40, Math.round(Math.sqrt(values.length) * 1.5)));
  const step = (high - low) / bins || 1, counts = new Array(bins).fill(0);
  for (const value of values) counts[Math.min(bins - 1, Math.floor((value - low) / step))] += 1;
  const most = Math.max(...counts), wide = (width - 2 * left) / bins;
  counts.forEach((count, k) => {
    const tall = (height - below - 16) * count / most;
    const bar = svg("rect", {x: left + k * wide + 1, y: height - below - tall, width: Math.max(1, wide - 2), height: tall, rx: 2});
    bar.append(svg("title", {}, `${count} between ${number(low + k * step, 1)} and ${number(low + (k + 1) * step, 1)}`));
    out.append(bar);
  });
  out.append(svg("line", {x1: left, x2: width - left, y1: height - below, y2: height - below}));
  for (const [x, value, anchor] of [[left, low, "start"], [width / 2, (low + high) / 2, "middle"], [width - left, high, "end"]])
    out.append(svg("text", {x, y: height - 7, "text-anchor": anchor}, number(value, 1)));
  out.append(svg("text", {x: left, y: 11, "text-anchor": "start"}, `${title}; the highest bar: ${most}`));
  return out;
}
