"use strict";
// ---- data, and how it is written

const data = JSON.parse(document.getElementById("data").textContent);
const COSTS = data.costs;
const byId = (id) => document.getElementById(id);

const metricOf = (name) => data.metrics[name] ?? { percent: true, higher: true };
const scale = (metric) => (metricOf(metric).percent ? 100 : 1);
const amount = (value, metric) => (value == null ? "" : metricOf(metric).percent ? (100 * value).toFixed(1) : String(Number(value.toPrecision(3))));
const interval = (mean, halfWidth, metric) => amount(mean, metric) + (halfWidth == null ? "" : " ± " + amount(halfWidth, metric));
const pValue = (value) => (value == null ? "" : value < 0.001 ? "< 0.001" : value.toFixed(3));
const spaced = (text) => text.replaceAll("_", " ");
const isOk = (row) => row.status === "ok";
const settingOf = (row) => [row.task, row.base, row.quantization].join(" · ");

// As tables print it: 1.23M, 45.6kB, 1,234.6s, 12.3ms.
function cost(value, unit) {
  if (value == null) return "";
  if (unit === "s" && value !== 0 && Math.abs(value) < 1) return String(Number((1000 * value).toPrecision(3))) + "ms";
  if (unit === "s") return value.toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 }) + "s";
  const suffix = unit.length > 1 ? " " + unit : unit;
  for (const [prefix, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]])
    if (Math.abs(value) >= size) {
      const scaled = value / size;
      return (Math.abs(scaled) < 1000 ? String(Number(scaled.toPrecision(3))) : Math.round(scaled).toLocaleString("en")) + prefix + suffix;
    }
  return (unit === "B" ? String(Math.round(value)) : String(Number(value.toPrecision(3)))) + suffix;
}

// What a reader types for a quantity: 1 GB, 300k, 100 s, 20 ms, 0.5; NaN where it is none.
function parseAmount(text, unit) {
  if (unit === "s" && /ms\s*$/i.test(text)) return parseAmount(text.replace(/ms\s*$/i, ""), unit) / 1000;
  const found = /^\s*(-?[\d.,]+(?:e[+-]?\d+)?)\s*([kmg]?)(i?)\s*(.*?)\s*$/i.exec(text);
  if (!found || (found[4] && found[4].toLowerCase() !== unit.toLowerCase())) return NaN;
  const step = found[3] ? 1024 : 1000;
  return Number(found[1].replaceAll(",", "")) * step ** " kmg".indexOf(found[2].toLowerCase() || " ");
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const LABELS = [...new Set(data.cells.map((cell) => cell.label))].sort();
