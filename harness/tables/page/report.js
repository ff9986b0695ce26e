"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const AXES = ["method", "task", "base", "quantization", "status"];
const COSTS = data.costs;
const PALETTE = ["#1f5fbf", "#e07b1a", "#2e9252", "#c2352c", "#7d4fb3", "#8a5a44", "#cf5ba6", "#6b7280", "#a3a021", "#1b9fb0"];
const MAX_CURVES = 60;
const byId = (id) => document.getElementById(id);

// ---- text

const ownUnits = new Set(data.own_units); // metrics that are no percentages
const scale = (metric) => (ownUnits.has(metric) ? 1 : 100);
const amount = (value, metric) => (value == null ? "" : ownUnits.has(metric) ? String(Number(value.toPrecision(3))) : (100 * value).toFixed(1));
const pValue = (value) => (value == null ? "" : value < 0.001 ? "< 0.001" : value.toFixed(3));
const spaced = (text) => text.replaceAll("_", " ");

function cost(value, unit) {
  if (value == null) return "";
  if (unit === "s") return value.toFixed(1) + " s";
  for (const [prefix, size] of [["G", 1e9], ["M", 1e6], ["k", 1e3]])
    if (value >= size) return Number((value / size).toPrecision(3)) + " " + prefix + unit;
  return value + (unit ? " " + unit : "");
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// ---- tables: columns are {key, title, number?, text?(row), classes?(row)}

function makeTable(holder, rows, columns, onRow) {
  const body = element("tbody");
  const heads = columns.map((column) => {
    const head = element("th", { scope: "col", textContent: column.title, className: column.number ? "number" : "", tabIndex: 0 });
    head.dataset.key = column.key;
    head.onclick = () => sort(column, head);
    head.onkeydown = (event) => { if (event.key === "Enter") sort(column, head); };
    return head;
  });
  const lines = rows.map((row) => {
    const line = element("tr", {}, ...columns.map((column) => {
      const text = column.text ? column.text(row) : row[column.key] ?? "";
      const cell = element("td", { textContent: text, className: [column.number ? "number" : "", column.classes?.(row) ?? ""].join(" ").trim() });
      for (const note of column.notes?.(row) ?? []) cell.append(element("span", { className: "note", textContent: note }));
      return cell;
    }));
    if (onRow) {
      line.className = "clickable";
      line.tabIndex = 0;
      line.onclick = () => onRow(row);
      line.onkeydown = (event) => { if (event.key === "Enter") onRow(row); };
    }
    return { row, line };
  });
  const empty = element("div", { className: "empty", textContent: "nothing to show" });

  function sort(column, head) {
    const descending = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const sign = descending ? -1 : 1;
    lines.sort((a, b) => {
      const [x, y] = [a.row[column.key], b.row[column.key]];
      if (x == null || y == null) return (x == null) - (y == null);
      return sign * (typeof x === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
    });
    body.append(...lines.map((item) => item.line));
  }

  body.append(...lines.map((item) => item.line));
  holder.replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body), empty);
  return (keep) => {
    let shown = 0;
    for (const { row, line } of lines) shown += !(line.hidden = !keep(row));
    empty.hidden = shown > 0;
    return shown;
  };
}

const axisColumns = ["task", "base", "quantization"].map((key) => ({ key, title: key }));
const costColumns = Object.entries(COSTS).map(([key, { name, unit }]) => ({ key, title: name, number: true, text: (row) => cost(row[key], unit) }));
const isOk = (row) => row.status === "ok";

const cellColumns = [
  ...axisColumns,
  { key: "label", title: "method" },
  { key: "metric", title: "metric" },
  {
    key: "mean", title: "mean ± 95 %", number: true,
    text: (row) => row.mean == null ? spaced(row.status) : amount(row.mean, row.metric) + (row.half_width == null ? "" : " ± " + amount(row.half_width, row.metric)) + (row.standing === "best" ? " ★" : ""),
    classes: (row) => row.standing === "best" || row.standing === "tied" ? "best" : row.mean == null ? "bad" : "",
    notes: (row) => row.notes,
  },
  { key: "n", title: "seeds", number: true, text: (row) => row.n < row.n_planned && row.mean != null ? row.n + " of " + row.n_planned : row.n },
  ...costColumns,
];

const pairColumns = [
  ...axisColumns,
  { key: "a", title: "a" },
  { key: "b", title: "b" },
  { key: "difference", title: "a − b", number: true, text: (row) => amount(row.difference, row.metric) + " ± " + amount(row.half_width, row.metric), classes: (row) => row.holm <= 0.05 ? "best" : "" },
  { key: "n", title: "seeds", number: true },
  { key: "p", title: "p", number: true, text: (row) => pValue(row.p) },
  { key: "holm", title: "p (Holm)", number: true, text: (row) => pValue(row.holm) },
  { key: "mcnemar", title: "McNemar, vote", number: true, text: (row) => pValue(row.mcnemar) },
  { key: "mcnemar_seeds", title: "McNemar, seeds", number: true, text: (row) => row.mcnemar_seeds.length ? pValue(Math.min(...row.mcnemar_seeds)) + " to " + pValue(Math.max(...row.mcnemar_seeds)) : "" },
];

const runColumns = [
  { key: "id", title: "run" },
  ...axisColumns,
  { key: "label", title: "method" },
  { key: "seed", title: "seed", number: true },
  { key: "status", title: "status", text: (row) => spaced(row.status), classes: (row) => isOk(row) ? "" : "bad" },
  { key: "validation", title: "validation", number: true, text: (row) => amount(row.validation, row.metric) },
  { key: "test", title: "test", number: true, text: (row) => amount(row.test, row.metric) },
  ...costColumns,
];

const showCells = makeTable(byId("cells-table"), data.cells, cellColumns);
const showPairs = makeTable(byId("pairs-table"), data.pairs, pairColumns);
const showRuns = makeTable(byId("runs-table"), data.runs, runColumns, (row) => { location.hash = "run=" + row.id; });

// ---- figures

const labels = [...new Set(data.cells.map((cell) => cell.label))].sort();
const color = (label) => PALETTE[labels.indexOf(label) % PALETTE.length];
const frame = { margin: { l: 55, r: 10, t: 10, b: 45 }, hovermode: "closest", legend: { orientation: "h", y: -0.22 }, font: { size: 12 } };
const options = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["lasso2d", "select2d"] };
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;"); // Plotly reads tags and links
const setting = (row) => plain([row.task, row.base, row.quantization].join(" · "));

function drawScatter(keep) {
  const key = byId("cost").value;
  const cells = data.cells.filter((cell) => keep(cell) && cell.mean != null && cell[key] != null);
  const traces = labels.map((label) => {
    const own = cells.filter((cell) => cell.label === label);
    return {
      name: plain(label), mode: "markers", marker: { color: color(label), size: 9, opacity: 0.8 },
      x: own.map((cell) => cell[key]), y: own.map((cell) => scale(cell.metric) * cell.mean),
      error_y: { array: own.map((cell) => scale(cell.metric) * (cell.half_width ?? 0)), thickness: 1, width: 3 },
      text: own.map((cell) => setting(cell) + "<br>" + cell.n + " seeds"),
      hovertemplate: "%{fullData.name}: %{y:.1f}<br>%{x:.4s}" + COSTS[key].unit + "<br>%{text}<extra></extra>",
    };
  }).filter((trace) => trace.x.length);
  const positive = cells.every((cell) => cell[key] > 0);
  Plotly.react("scatter", traces, { ...frame,
    xaxis: { title: { text: COSTS[key].name }, type: positive ? "log" : "linear" },
    yaxis: { title: { text: "test, percent" } } }, options);
}

function drawCurves(keep) {
  const curves = data.curves.filter((curve) => keep({ status: "ok", ...curve }));
  const shown = curves.length <= MAX_CURVES ? curves : [];
  const named = new Set();
  const traces = shown.map((curve) => {
    const first = !named.has(curve.label);
    named.add(curve.label);
    return {
      name: plain(curve.label), legendgroup: curve.label, showlegend: first, mode: "lines+markers", line: { color: color(curve.label), width: 1.5 },
      marker: { size: 4 }, x: curve.step, y: curve.mean.map((value) => scale(curve.metric) * value), text: setting(curve),
      hovertemplate: "%{fullData.name}: %{y:.1f}<br>step %{x}<br>%{text}<extra></extra>",
    };
  });
  const annotations = shown.length === curves.length ? [] : [{ text: curves.length + " curves: filter to " + MAX_CURVES + " or fewer", showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5 }];
  Plotly.react("curves", traces, { ...frame, annotations, xaxis: { title: { text: "step" } }, yaxis: { title: { text: "validation, percent" } } }, options);
}

// ---- filters

const filters = Object.fromEntries(AXES.map((axis) => {
  const values = [...new Set(data.runs.map((run) => run[axis]))].sort();
  const select = element("select", { id: "filter-" + axis }, element("option", { value: "", textContent: "all" }),
    ...values.map((value) => element("option", { value, textContent: spaced(value) })));
  byId("filters").append(element("label", {}, axis, select));
  return [axis, select];
}));
const search = element("input", { id: "search", type: "search", placeholder: "label or run" });
const reset = element("button", { type: "button", textContent: "Reset" });
const count = element("span", { id: "count", className: "hint" });
byId("filters").append(element("label", {}, "search", search), reset, count);

function keeps(row) {
  return AXES.every((axis) => !filters[axis].value || row[axis] === filters[axis].value)
    && (!search.value || [row.label, row.id].some((text) => text?.includes(search.value)));
}

function keepsPair(row) {
  const method = filters.method.value;
  return ["task", "base", "quantization"].every((axis) => !filters[axis].value || row[axis] === filters[axis].value)
    && (!method || [row.a, row.b].some((label) => label === method || label.startsWith(method + ", ")))
    && (!search.value || row.a.includes(search.value) || row.b.includes(search.value));
}

function update() {
  showCells(keeps);
  showPairs(keepsPair);
  count.textContent = showRuns(keeps) + " of " + data.runs.length + " runs";
  drawScatter(keeps);
  drawCurves(keeps);
}

reset.onclick = () => { for (const input of [...Object.values(filters), search]) input.value = ""; update(); };
byId("filters").onchange = update;
search.oninput = update;
byId("cost").append(...Object.entries(COSTS).map(([value, { name }]) => element("option", { value, textContent: name })));
byId("cost").onchange = () => drawScatter(keeps);

// ---- one run

function facts(title, values) {
  const rows = Object.entries(values).filter(([, value]) => value !== null && value !== "");
  if (!rows.length) return "";
  const body = element("tbody", {}, ...rows.map(([key, value]) =>
    element("tr", {}, element("td", { textContent: key }), element("td", { textContent: typeof value === "object" ? JSON.stringify(value) : value }))));
  return element("section", {}, element("h3", { textContent: title }), element("table", {}, body));
}

function openRun(run) {
  byId("run-title").textContent = [run.label, run.task, run.base, run.quantization, "seed " + run.seed].join(" · ");
  byId("run-reason").textContent = isOk(run) ? "" : spaced(run.status) + (run.reason ? ": " + run.reason : "");
  byId("run-details").replaceChildren(
    facts("Run", { id: run.id, status: run.status, started: run.started, device: run.device }), facts("Metrics", run.metrics),
    facts("Spec", { ...data.specs[run.spec], seed: run.seed }), facts("Parameters", run.params), facts("Cost", run.cost),
    facts("Data", data.sources[run.source]), facts("Environment", data.environments[run.environment]));
  if (!byId("run").open) byId("run").showModal();
  drawRun(run);
}

function drawRun(run) {
  const names = Object.keys(run.curve).filter((name) => name !== "step" && name !== "seconds");
  byId("run-curve").hidden = !names.length;
  const traces = names.map((name, i) => ({
    name, mode: "lines+markers", x: run.curve.step, y: run.curve[name], line: { color: PALETTE[i % PALETTE.length] },
    yaxis: name.includes("loss") ? "y2" : "y", hovertemplate: "%{fullData.name}: %{y:.4g}<br>step %{x}<extra></extra>",
  }));
  if (names.length) Plotly.react("run-curve", traces, { ...frame, margin: { ...frame.margin, r: 55 }, xaxis: { title: { text: "step" } },
    yaxis: { title: { text: "metric" } }, yaxis2: { title: { text: "loss" }, overlaying: "y", side: "right", showgrid: false } }, { ...options, displayModeBar: false });
}

function followHash() {
  const run = data.runs.find((candidate) => location.hash === "#run=" + candidate.id);
  if (run) openRun(run); else if (byId("run").open) byId("run").close();
}

byId("close").onclick = () => byId("run").close();
byId("run").onclose = () => { if (location.hash.startsWith("#run=")) history.replaceState(null, "", location.pathname + location.search); };
byId("run").onclick = (event) => { if (event.target === byId("run")) byId("run").close(); };
window.onhashchange = followHash;

// ---- start

const ended = data.runs.filter(isOk).length;
byId("summary").textContent = `${data.runs.length} runs, ${ended} ok, ${data.cells.length} cells, ${data.pairs.length} pairs compared`;
byId("notes").append(...data.notes.map((text) => element("li", { textContent: text })));
byId("footer").append(...data.footer.map((text) => element("p", { textContent: text })));
byId("pairs").hidden = !data.pairs.length;
update();
followHash();
