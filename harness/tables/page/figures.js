// ---- figures

const PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
const SYMBOLS = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "x", "triangle-left"];
const DASHES = ["solid", "dash", "dot", "dashdot"];
const MAX_CURVES = 60;
const isDark = matchMedia("(prefers-color-scheme: dark)");

// The same look as in figures on paper; black is white on a dark page.
function look(place) {
  const color = PALETTE[place % PALETTE.length];
  return {
    color: color === "#000000" && isDark.matches ? "#ffffff" : color,
    symbol: SYMBOLS[place % SYMBOLS.length],
    dash: DASHES[Math.floor(place / PALETTE.length) % DASHES.length],
  };
}
const lookOf = (label) => look(LABELS.indexOf(label));

const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;"); // Plotly reads tags and links
const options = () => ({ displaylogo: false, responsive: true, modeBarButtonsToRemove: ["lasso2d", "select2d"], toImageButtonOptions: { format: "svg" } });
function frame(changes = {}) {
  const style = getComputedStyle(document.documentElement);
  const [ink, line] = ["--ink", "--line"].map((name) => style.getPropertyValue(name).trim());
  const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true };
  const { xaxis = {}, yaxis = {}, yaxis2, ...rest } = changes;
  return {
    margin: { l: 55, r: 10, t: 10, b: 45 }, hovermode: "closest", legend: { orientation: "h", y: -0.25 }, font: { size: 12, color: ink },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: line, activecolor: ink },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis },
    ...(yaxis2 ? { yaxis2: { ...axis, ...yaxis2 } } : {}), ...rest,
  };
}

// What an axis of these metrics says.
function metricTitle(metrics, split) {
  const names = [...new Set(metrics)];
  const units = new Set(names.map((name) => metricOf(name).percent));
  const unit = units.size > 1 ? " (percent, or in its own unit)" : units.has(false) ? "" : " (percent)";
  const lower = names.length && names.every((name) => !metricOf(name).higher) ? ", lower is better" : "";
  return (names.length === 1 ? spaced(names[0]) : "metric") + " on " + split + unit + lower;
}

function drawScatter(kept) {
  const key = byId("cost").value;
  const cells = kept.filter((cell) => shown(cell).mean != null && cell[key] != null);
  const positive = cells.map((cell) => cell[key]).filter((value) => value > 0);
  const isLog = positive.length && Math.max(...positive) > 30 * Math.min(...positive) && cells.every((cell) => cell[key] >= 0);
  const zero = isLog ? Math.min(...positive) / 5 : 0; // where nothing is spent a logarithm has no place
  const traces = LABELS.map((label) => {
    const own = cells.filter((cell) => cell.label === label);
    const { color, symbol } = lookOf(label);
    return {
      name: plain(label), mode: "markers", marker: { color, symbol, size: 9, opacity: 0.85 },
      x: own.map((cell) => cell[key] || zero), y: own.map((cell) => scale(shown(cell).metric) * shown(cell).mean),
      error_y: { array: own.map((cell) => scale(shown(cell).metric) * (shown(cell).half_width ?? 0)), thickness: 1, width: 3 },
      text: own.map((cell) => cost(cell[key], COSTS[key].unit) + "<br>" + plain(settingOf(cell)) + "<br>" + shown(cell).n + " seeds"),
      hovertemplate: "%{fullData.name}: %{y:.3~f}<br>%{text}<extra></extra>",
    };
  }).filter((trace) => trace.x.length);
  const atEdge = isLog && cells.some((cell) => cell[key] === 0) ? ", 0 at the left edge" : "";
  Plotly.react("scatter", traces, frame({
    xaxis: { title: { text: COSTS[key].name + atEdge }, type: isLog ? "log" : "linear", exponentformat: "SI", ticksuffix: COSTS[key].unit },
    yaxis: { title: { text: metricTitle(cells.map((cell) => shown(cell).metric), "test") } },
  }), options());
}

function drawCurves(kept) {
  const cells = kept.filter((cell) => cell.curve);
  const drawn = cells.length <= MAX_CURVES ? cells : [];
  const named = new Set();
  const traces = drawn.map((cell) => {
    const first = !named.has(cell.label);
    named.add(cell.label);
    const { color, symbol, dash } = lookOf(cell.label);
    return {
      name: plain(cell.label), legendgroup: cell.label, showlegend: first, mode: "lines+markers", line: { color, dash, width: 1.5 },
      marker: { size: 5, symbol }, x: cell.curve.step, y: cell.curve.mean.map((value) => (value == null ? null : scale(cell.metric) * value)),
      text: plain(settingOf(cell)), hovertemplate: "%{fullData.name}: %{y:.3~f}<br>step %{x}<br>%{text}<extra></extra>",
    };
  });
  const annotations = drawn.length === cells.length ? [] : [{ text: cells.length + " curves: filter to " + MAX_CURVES + " or fewer", showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5 }];
  Plotly.react("curves", traces, frame({ annotations, xaxis: { title: { text: "step" } }, yaxis: { title: { text: metricTitle(drawn.map((cell) => cell.metric), "validation") } } }), options());
}

byId("cost").append(...Object.entries(COSTS).map(([value, { name }]) => element("option", { value, textContent: name })));
if (COSTS[state.get("cost")]) byId("cost").value = state.get("cost");
byId("cost").onchange = () => { setState("cost", byId("cost").value); drawScatter(data.cells.filter(keepsCell)); };
