// ---- filters: values of axes (several at once), limits on quantities, a search over every field

const VARYING = ["method", "recipe", "task", "base", "quantization", "status", "role"]
  .filter((axis) => ["method", "task", "base", "quantization", "status"].includes(axis) || new Set(data.runs.map((run) => run[axis])).size > 1);

const filters = Object.fromEntries(VARYING.map((axis) => {
  const values = [...new Set(data.runs.map((run) => run[axis]))].sort();
  const boxes = values.map((value) => element("input", { type: "checkbox", value }));
  const summary = element("summary");
  const holder = element("details", { id: "filter-" + axis, className: "filter" }, summary,
    element("div", { className: "choices" }, ...boxes.map((box) => element("label", {}, box, " " + spaced(box.value)))));
  const show = () => {
    const chosen = listed(axis);
    for (const box of boxes) box.checked = chosen.has(box.value);
    summary.textContent = axis + ": " + (chosen.size ? [...chosen].map(spaced).join(", ") : "all");
  };
  holder.onchange = () => {
    setListed(axis, boxes.filter((box) => box.checked).map((box) => box.value));
    show();
    update();
  };
  return [axis, { holder, show }];
}));
document.addEventListener("click", (event) => {
  for (const { holder } of Object.values(filters)) if (!holder.contains(event.target)) holder.open = false;
});

// A limit is a largest value, or a smallest one of a quantity of which more is better.
const limitKey = (name) => (COSTS[name].higher ? "min." : "max.") + name;
const limitNames = () => Object.keys(COSTS).filter((name) => state.has(limitKey(name)));
const opened = new Set(limitNames()); // has an input, perhaps an empty one
const limits = element("span", { id: "limits" });
const addLimit = element("select", { id: "add-limit" }, element("option", { value: "", textContent: "add a limit…" }),
  ...Object.entries(COSTS).map(([value, { name, higher }]) => element("option", { value, textContent: name + (higher ? " ≥" : " ≤") })));
addLimit.onchange = () => {
  if (!addLimit.value) return;
  const name = addLimit.value;
  addLimit.value = "";
  opened.add(name);
  showLimits();
  byId("limit-" + name).focus();
};

function showLimits() {
  limits.replaceChildren(...[...opened].map((name) => {
    const input = element("input", { id: "limit-" + name, value: state.get(limitKey(name)) ?? "", placeholder: "such as " + cost(COSTS[name].unit === "B" ? 1e9 : 100, COSTS[name].unit) });
    const mark = () => input.classList.toggle("wrong", input.value !== "" && Number.isNaN(parseAmount(input.value, COSTS[name].unit)));
    input.oninput = () => {
      setState(limitKey(name), input.value.trim());
      mark();
      update();
    };
    mark();
    const remove = element("button", { type: "button", textContent: "×", title: "remove" });
    remove.onclick = () => { setState(limitKey(name), null); opened.delete(name); showLimits(); update(); };
    return element("label", { className: "limit" }, COSTS[name].name + (COSTS[name].higher ? " ≥ " : " ≤ "), input, remove);
  }));
}

// Whether a row is within every limit; a value that is not known is not, and nothing is within what is no amount.
function isWithin(row) {
  return limitNames().every((name) => {
    const bound = parseAmount(state.get(limitKey(name)), COSTS[name].unit);
    return !Number.isNaN(bound) && row[name] != null && (COSTS[name].higher ? row[name] >= bound : row[name] <= bound);
  });
}

// Every field of a run as one text, made when it is first searched.
const searched = new Map();
function searchText(run) {
  if (!searched.has(run)) {
    const { curve, spec, environment, source, ...own } = run;
    const parts = [own, data.specs[spec], data.environments[environment], data.sources[source]];
    const words = (value) => (value && typeof value === "object" ? Object.entries(value).map(([key, inner]) => key + "=" + words(inner)).join(" ") : String(value));
    searched.set(run, (parts.map(words).join(" ") + " " + spaced(run.status)).toLowerCase());
  }
  return searched.get(run);
}

const terms = () => (state.get("search") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
const isFound = (run) => terms().every((term) => searchText(run).includes(term));

const keepsAxes = (row, axes) => axes.every((axis) => row[axis] === undefined || !listed(axis).size || listed(axis).has(row[axis]));
const keepsRun = (run) => keepsAxes(run, VARYING) && isWithin(run) && isFound(run);
const keepsCell = (cell) => keepsAxes(cell, VARYING) && isWithin(cell) && cell.runs.some((place) => isFound(data.runs[place]));

const search = element("input", { id: "search", type: "search", placeholder: "any field of a run", value: state.get("search") ?? "" });
search.oninput = () => { setState("search", search.value); update(); };
const metricChoice = element("select", { id: "metric" }, element("option", { value: "", textContent: "each task's primary one" }),
  ...Object.keys(data.metrics).map((value) => element("option", { value, textContent: spaced(value) })));
metricChoice.onchange = () => { setState("metric", metricChoice.value); update(); };
const reset = element("button", { type: "button", textContent: "Reset" });
reset.onclick = () => {
  for (const key of [...state.keys()]) if (!["run", "compare"].includes(key)) setState(key, null);
  showFilters();
  update();
};
const count = element("span", { id: "count", className: "hint" });
byId("filters").append(...Object.values(filters).map(({ holder }) => holder), addLimit, limits,
  element("label", {}, "metric ", metricChoice), element("label", {}, "search ", search), reset, count);

function showFilters() {
  for (const { show } of Object.values(filters)) show();
  opened.clear();
  limitNames().forEach((name) => opened.add(name));
  showLimits();
  search.value = state.get("search") ?? "";
  metricChoice.value = data.metrics[state.get("metric")] ? state.get("metric") : "";
}

// The metric that a cell shows: its primary one, or the one that was chosen, untested.
function shownOf(cell) {
  const name = metricChoice.value;
  if (!name || name === cell.metric) return { metric: cell.metric, mean: cell.mean, half_width: cell.half_width, n: cell.n, standing: cell.standing };
  const [mean, half_width, n] = cell.others[name] ?? [null, null, 0];
  return { metric: name, mean, half_width, n, standing: "" };
}
