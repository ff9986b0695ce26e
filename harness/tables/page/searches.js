// ---- searches: their trials are no results

const objectiveText = (study, place, value) => {
  const name = study.objectives[place];
  return COSTS[name] ? cost(value, COSTS[name].unit) : amount(value, study.metric);
};
const trialValues = (study, trial) => trial.values.map((value, place) => objectiveText(study, place, value)).join(", ");
const countOf = (study, status) => study.trials.filter((trial) => trial.status === status).length;

const studyRows = data.studies.map((study) => {
  const [best] = study.trials.filter((trial) => study.best.includes(trial.number));
  return { ...study, study, status: "ok", complete: countOf(study, "complete"), pruned: countOf(study, "pruned"), failed: countOf(study, "failed"),
    bestValue: best?.values[0] ?? null, bestText: best ? `trial ${best.number}: ${trialValues(study, best)}` : "" };
});
const studyColumns = [
  { key: "name", title: "study" }, ...axisColumns, { key: "method", title: "method" },
  { key: "metric", title: "metric on validation" }, { key: "bestValue", title: "best", number: true, text: (row) => row.bestText },
  ...["complete", "pruned", "failed"].map((key) => ({ key, title: key, number: true })),
  { key: "finished", title: "budget", text: (row) => (row.finished ? "spent" : "not spent") }, { key: "means", title: "how" },
];
const showStudies = makeTable(byId("studies-table"), studyRows, studyColumns, { onRow: (row) => { setState("study", row.name); showStudy(); } });

function showStudy() {
  const study = data.studies.find((candidate) => candidate.name === state.get("study"));
  byId("study").hidden = !study;
  if (!study) return;
  const names = [...new Set(study.trials.flatMap((trial) => Object.keys(trial.params)))].sort();
  const rows = study.trials.map((trial) => ({ ...trial, value: trial.values[0] ?? null, ...Object.fromEntries(names.map((name) => ["param:" + name, trial.params[name] ?? null])) }));
  byId("study-title").textContent = study.name;
  makeTable(byId("trials-table"), rows, [
    { key: "number", title: "trial", number: true, classes: (trial) => (study.best.includes(trial.number) ? "best" : "") },
    { key: "status", title: "status", classes: (trial) => (trial.status === "failed" ? "bad" : "") },
    { key: "value", title: study.objectives.map(spaced).join(", "), number: true, text: (trial) => trialValues(study, trial) },
    ...names.map((name) => ({ key: "param:" + name, title: name, number: true, text: (trial) => { const value = trial.params[name]; return typeof value === "number" ? Number(value.toPrecision(4)) : value ?? ""; } })),
    { key: "seconds", title: "seconds", number: true, text: (trial) => cost(trial.seconds, "s") },
    { key: "reason", title: "why it failed" },
  ])(() => true);
  drawStudy(study);
}

function drawStudy(study) {
  const isCost = COSTS[study.objectives[0]];
  const times = isCost ? 1 : scale(study.metric);
  const traces = ["complete", "pruned", "failed"].map((status, place) => {
    const own = study.trials.filter((trial) => trial.status === status && trial.values.length);
    return { name: status, mode: "markers", x: own.map((trial) => trial.number), y: own.map((trial) => times * trial.values[0]),
      marker: { color: look(place).color, symbol: ["circle", "circle-open", "x"][place], size: 8 },
      text: own.map((trial) => plain(JSON.stringify(trial.params))), hovertemplate: "trial %{x}: %{y:.3~f}<br>%{text}<extra></extra>" };
  }).filter((trace) => trace.x.length);
  const title = isCost ? COSTS[study.objectives[0]].name : metricTitle([study.metric], "validation");
  Plotly.react("study-plot", traces, frame({ xaxis: { title: { text: "trial" } }, yaxis: { title: { text: title } } }), options());
}
