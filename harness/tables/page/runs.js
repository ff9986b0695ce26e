// ---- runs, and one of them

const runColumns = [
  { key: "id", title: "run" },
  ...axisColumns,
  { key: "label", title: "method" },
  { key: "seed", title: "seed", number: true },
  { key: "status", title: "status", text: (row) => spaced(row.status), classes: (row) => (isOk(row) ? "" : "bad") },
  ...(data.studies.length ? [{ key: "role", title: "is" }] : []),
  { key: "validation", title: "validation", number: true, text: (row) => amount(row.validation, row.metric) },
  { key: "test", title: "test", number: true, text: (row) => amount(row.test, row.metric) },
  ...costColumns,
];
const showRuns = makeTable(byId("runs-table"), data.runs, runColumns, { onRow: (row) => { setState("run", row.id, { replace: false }); followRun(); }, stateKey: "runs" });

function facts(title, values) {
  const rows = Object.entries(values ?? {}).filter(([, value]) => value !== null && value !== "");
  if (!rows.length) return "";
  const body = element("tbody", {}, ...rows.map(([key, value]) =>
    element("tr", {}, element("td", { textContent: key }), element("td", { textContent: typeof value === "object" ? JSON.stringify(value) : value }))));
  return element("section", {}, element("h3", { textContent: title }), element("table", {}, body));
}

// The words of each text that was explained, shaded by what they do for the answer, or against it.
function explanations(explained) {
  if (!explained.length) return "";
  const one = ({ attribution, prediction, words, weights }) => {
    const largest = Math.max(...weights.map(Math.abs)) || 1;
    const shaded = words.map((word, at) => {
      const mark = element("mark", { textContent: word, title: weights[at].toPrecision(3), className: weights[at] < 0 ? "against" : "for" });
      mark.style.setProperty("--share", Math.abs(weights[at]) / largest);
      return [mark, " "];
    });
    return element("p", {}, element("b", { textContent: `${prediction}, by ${spaced(attribution)}: ` }), ...shaded.flat());
  };
  return element("section", { id: "explained" }, element("h3", { textContent: "Explained" }), ...explained.map(one));
}

function openRun(run) {
  byId("run-title").textContent = [run.label, run.task, run.base, run.quantization, "seed " + run.seed].join(" · ");
  byId("run-reason").textContent = isOk(run) ? "" : spaced(run.status) + (run.reason ? ": " + run.reason : "");
  byId("run-details").replaceChildren(explanations(run.explained),
    facts("Run", { id: run.id, is: run.role, status: run.status, started: run.started, device: run.device }), facts("Metrics", run.metrics),
    facts("Spec", { ...data.specs[run.spec], seed: run.seed }), facts("Parameters", run.params), facts("Cost", run.cost),
    facts("Data", data.sources[run.source]), facts("Environment", data.environments[run.environment]));
  if (!byId("run").open) byId("run").showModal();
  drawRun(run);
}

function drawRun(run) {
  const names = Object.keys(run.curve).filter((name) => name !== "step" && name !== "seconds");
  byId("run-curve").hidden = !names.length;
  const percent = (name) => (name.includes("/") && metricOf(name.split("/")[1]).percent ? 100 : 1);
  const traces = names.map((name, place) => ({
    name: plain(name), mode: "lines+markers", x: run.curve.step, y: run.curve[name].map((value) => (value == null ? null : percent(name) * value)),
    line: { color: look(place).color, dash: look(place).dash }, marker: { symbol: look(place).symbol },
    yaxis: name.includes("loss") ? "y2" : "y", hovertemplate: "%{fullData.name}: %{y:.4~g}<br>step %{x}<extra></extra>",
  }));
  const metrics = names.filter((name) => name.includes("/")).map((name) => name.split("/")[1]);
  if (names.length) Plotly.react("run-curve", traces, frame({ margin: { l: 55, r: 55, t: 10, b: 45 }, xaxis: { title: { text: "step" } },
    yaxis: { title: { text: metricTitle(metrics, "validation") } }, yaxis2: { title: { text: "loss" }, overlaying: "y", side: "right", showgrid: false } }), { ...options(), displayModeBar: false });
}

function followRun() {
  const run = data.runs.find((candidate) => candidate.id === state.get("run"));
  if (run) openRun(run); else if (byId("run").open) byId("run").close();
}

byId("close").onclick = () => byId("run").close();
byId("run").onclose = () => setState("run", null);
byId("run").onclick = (event) => { if (event.target === byId("run")) byId("run").close(); };
