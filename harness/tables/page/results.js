// ---- results: methods × tasks, the best, and every cell

const shown = (cell) => cell.shown ?? (cell.shown = shownOf(cell));
const meanText = (cell) => {
  const { mean, half_width, metric, standing } = shown(cell);
  if (mean == null) return isOk(cell) ? "–" : spaced(cell.status);
  return interval(mean, half_width, metric) + (standing === "best" ? " ★" : "");
};
const meanClasses = (cell) => (["best", "tied"].includes(shown(cell).standing) ? "best" : shown(cell).mean == null && !isOk(cell) ? "bad" : "");

const cellColumns = [
  ...axisColumns,
  { key: "label", title: "method" },
  { key: "shownMetric", title: "metric", text: (cell) => shown(cell).metric },
  { key: "shownMean", title: "mean ± 95 %", number: true, text: meanText, classes: meanClasses, notes: (cell) => (metricChoice.value && metricChoice.value !== cell.metric ? [] : cell.notes) },
  { key: "n", title: "seeds", number: true, text: (cell) => (cell.n < cell.n_planned && cell.mean != null ? cell.n + " of " + cell.n_planned : cell.n) },
  ...costColumns,
];
const showCells = makeTable(byId("cells-table"), data.cells, cellColumns, { stateKey: "cells" });

// A row for each method, base and quantization that is left, a column for each task.
function showMatrix(cells) {
  const tasks = [...new Set(cells.map((cell) => cell.task))].sort();
  const fields = ["base", "quantization"].filter((field) => new Set(cells.map((cell) => cell[field])).size > 1);
  const rows = new Map();
  for (const cell of cells) {
    const key = JSON.stringify([cell.base, cell.quantization, cell.label]);
    if (!rows.has(key)) rows.set(key, { label: cell.label, base: cell.base, quantization: cell.quantization, cells: {} });
    const row = rows.get(key);
    row.cells[cell.task] = cell;
    row["task:" + cell.task] = shown(cell).mean;
  }
  const columns = [
    ...fields.map((key) => ({ key, title: key })),
    { key: "label", title: "method" },
    ...tasks.map((task) => ({
      key: "task:" + task, number: true,
      title: task + " (" + spaced(shown(cells.find((cell) => cell.task === task && shown(cell).mean != null) ?? cells.find((cell) => cell.task === task)).metric) + ")",
      text: (row) => (row.cells[task] ? meanText(row.cells[task]) : ""), classes: (row) => (row.cells[task] ? meanClasses(row.cells[task]) : ""),
    })),
  ];
  makeTable(byId("matrix-table"), [...rows.values()], columns)(() => true);
}

// The best mean of each setting among the cells that are left.
function showBest(cells) {
  const settings = new Map();
  for (const cell of cells) settings.set(settingOf(cell), [...(settings.get(settingOf(cell)) ?? []), cell]);
  const items = [...settings].map(([setting, of]) => {
    const scored = of.filter((cell) => shown(cell).mean != null);
    const sign = metricOf(shown(of[0]).metric).higher ? 1 : -1;
    scored.sort((a, b) => sign * (shown(b).mean - shown(a).mean));
    const [best] = scored;
    const costs = best ? limitNames().map((name) => COSTS[name].name + " " + cost(best[name], COSTS[name].unit)) : [];
    const text = best ? `${best.label}, ${interval(shown(best).mean, shown(best).half_width, shown(best).metric)}` : "nothing with a score";
    return element("li", {}, setting + ": ", element("b", { textContent: text }), costs.length ? " (" + costs.join(", ") + ")" : "");
  });
  byId("best").replaceChildren(...items);
}

function showResults() {
  for (const cell of data.cells) {
    cell.shown = null;
    [cell.shownMean, cell.shownMetric] = [shown(cell).mean, shown(cell).metric];
  }
  const cells = data.cells.filter(keepsCell);
  showBest(cells);
  showMatrix(cells);
  showCells(keepsCell, true);
  return cells;
}
