// ---- start

function update() {
  const cells = showResults();
  showPairs(keepsPair);
  showStudies((row) => keepsAxes(row, ["method", "recipe", "task", "base", "quantization"]));
  count.textContent = data.cells.length === cells.length && data.runs.every(keepsRun) ? "" : `${cells.length} of ${data.cells.length} cells, `;
  count.textContent += showRuns(keepsRun) + " of " + data.runs.length + " runs";
  drawScatter(cells);
  drawCurves(cells);
}

function restore() {
  showFilters();
  update();
  const compared = (state.get("compare") ?? "").split("|").map(decodeURIComponent);
  if (cellNamed(compared[0], compared[1]) && cellNamed(compared[0], compared[2])) compare(...compared);
  else if (answering.length) { fillLabels(); showAnswers(); }
  showStudy();
  followRun();
}

// Links to a part of the page are no state: they scroll.
for (const link of document.querySelectorAll("nav a")) link.onclick = (event) => {
  event.preventDefault();
  byId(link.hash.slice(1)).scrollIntoView();
};
window.onpopstate = () => {
  for (const key of [...state.keys()]) state.delete(key);
  for (const [key, value] of new URLSearchParams(location.hash.slice(1))) state.set(key, value);
  restore();
};
isDark.addEventListener("change", restore);

const ended = data.runs.filter(isOk).length;
byId("summary").textContent = [`${data.runs.length} runs, ${ended} ok`, `${data.cells.length} cells`, `${data.pairs.length} pairs compared`,
  ...(data.studies.length ? [`${data.studies.length} searches, whose ${data.runs.filter((run) => run.role !== "result").length} runs are no results`] : [])].join(", ");
byId("notes").append(...data.notes.map((text) => element("li", { textContent: text })));
byId("footer").append(...data.footer.map((text) => element("p", { textContent: text })));
if (data.answers_left_out) byId("answers-left-out").textContent = `Answers of ${data.answers_left_out} cells are left out: the page would be too large. Keep fewer runs with --where.`;
for (const [id, rows] of [["pairs", data.pairs], ["answers", answering], ["searches", data.studies]]) {
  byId(id).hidden = !rows.length;
  document.querySelector(`nav a[href="#${id}"]`).hidden = !rows.length;
}
restore();
