// ---- pairs, and two cells example by example

const pairColumns = [
  ...axisColumns,
  { key: "a", title: "a" },
  { key: "b", title: "b" },
  { key: "difference", title: "a − b", number: true, text: (row) => interval(row.difference, row.half_width, row.metric), classes: (row) => (row.holm <= 0.05 ? "best" : "") },
  { key: "n", title: "seeds", number: true },
  { key: "p", title: "p", number: true, text: (row) => pValue(row.p) },
  { key: "holm", title: "p (Holm)", number: true, text: (row) => pValue(row.holm) },
  { key: "mcnemar", title: "McNemar, vote", number: true, text: (row) => pValue(row.mcnemar) },
  { key: "mcnemar_seeds", title: "McNemar, seeds", text: (row) => (row.mcnemar_seeds.length ? pValue(Math.min(...row.mcnemar_seeds)) + " to " + pValue(Math.max(...row.mcnemar_seeds)) : "") },
];
const cellBy = new Map(data.cells.map((cell) => [JSON.stringify([settingOf(cell), cell.label]), cell]));
const cellNamed = (setting, label) => cellBy.get(JSON.stringify([setting, label]));
const keepsPair = (pair) => [pair.a, pair.b].some((label) => { const cell = cellNamed(settingOf(pair), label); return cell && keepsCell(cell); });
const showPairs = makeTable(byId("pairs-table"), data.pairs, pairColumns, {
  stateKey: "pairs", onRow: (pair) => { compare(settingOf(pair), pair.a, pair.b); byId("answers").scrollIntoView(); },
});

const MOST_EXAMPLES = 200;
const answering = data.cells.filter((cell) => cell.votes);
const choosers = Object.fromEntries(["setting", "a", "b"].map((name) => [name, byId("compare-" + name)]));
choosers.setting.append(...[...new Set(answering.map(settingOf))].map((value) => element("option", { value, textContent: value })));

function fillLabels() {
  const labels = answering.filter((cell) => settingOf(cell) === choosers.setting.value).map((cell) => cell.label);
  for (const name of ["a", "b"]) choosers[name].replaceChildren(...labels.map((value) => element("option", { value, textContent: value })));
  if (labels.length > 1) choosers.b.value = labels[1];
}

// The labels that a text of digits stands for.
function decode(text, digits) {
  return Array.from({ length: text.length / digits }, (_, place) => parseInt(text.slice(place * digits, (place + 1) * digits), 36));
}

function compare(setting, a, b) {
  choosers.setting.value = setting;
  fillLabels();
  [choosers.a.value, choosers.b.value] = [a, b];
  setState("compare", [setting, a, b].map(encodeURIComponent).join("|"));
  showAnswers();
}

function showAnswers() {
  const [a, b] = ["a", "b"].map((name) => cellNamed(choosers.setting.value, choosers[name].value));
  if (!a?.votes || !b?.votes) return;
  const examples = data.answers[a.examples];
  const nameOf = (label) => examples.labels[label] ?? String(label);
  const targets = decode(examples.targets, examples.digits);
  const matrices = [a, b].map((cell) => confusionTable(cell, examples, targets, nameOf));
  byId("confusions").replaceChildren(...(a === b ? matrices.slice(0, 1) : matrices));
  const isSame = a.examples === b.examples;
  const [ours, theirs] = [a, b].map((cell) => decode(cell.votes, examples.digits));
  const rows = isSame ? targets.map((target, place) => ({ id: examples.ids[place], text: examples.texts?.[place], target: nameOf(target), a: nameOf(ours[place]), b: nameOf(theirs[place]),
    right: ours[place] === target ? "a" : theirs[place] === target ? "b" : "neither" })).filter((row, place) => ours[place] !== theirs[place]) : [];
  const only = (which) => rows.filter((row) => row.right === which).length;
  byId("answers-summary").textContent = isSame
    ? `${rows.length} of ${targets.length} test examples answered differently: only a is right on ${only("a")}, only b on ${only("b")}, neither on ${only("neither")}. Answers are the majority vote over seeds.`
    : "These two answered other test examples.";
  byId("answers-more").textContent = rows.length > MOST_EXAMPLES ? `the first ${MOST_EXAMPLES} of ${rows.length}; the CSV has all` : "";
  const columns = [{ key: "id", title: "example" }, ...(examples.texts ? [{ key: "text", title: "text", classes: () => "text" }] : []), { key: "target", title: "true label" }, { key: "a", title: "a: " + a.label },
    { key: "b", title: "b: " + b.label }, { key: "right", title: "right" }];
  makeTable(byId("answers-table"), rows.slice(0, MOST_EXAMPLES), columns)(() => true);
  byId("answers").querySelector('.save[data-of="answers-table"]').onclick = () => download("answers.csv", csvOf(columns, rows));
}

function confusionTable(cell, examples, targets, nameOf) {
  const votes = decode(cell.votes, examples.digits);
  const used = [...new Set([...targets, ...votes])].sort((x, y) => x - y);
  const counts = new Map();
  targets.forEach((target, place) => { const key = target + "," + votes[place]; counts.set(key, (counts.get(key) ?? 0) + 1); });
  const head = element("tr", {}, element("th", { textContent: "true \\ answered" }), ...used.map((label) => element("th", { scope: "col", textContent: nameOf(label) })));
  const lines = used.map((target) => {
    const total = used.reduce((sum, label) => sum + (counts.get(target + "," + label) ?? 0), 0);
    return element("tr", {}, element("th", { scope: "row", textContent: nameOf(target) }), ...used.map((label) => {
      const n = counts.get(target + "," + label) ?? 0;
      const shade = element("td", { className: "number" + (label === target ? " right" : ""), textContent: n });
      shade.style.setProperty("--share", total ? n / total : 0);
      return shade;
    }));
  });
  return element("figure", {}, element("figcaption", { textContent: cell.label }),
    element("div", { className: "scroll" }, element("table", { className: "confusion" }, element("thead", {}, head), element("tbody", {}, ...lines))));
}

for (const name of ["a", "b"]) choosers[name].onchange = () => compare(choosers.setting.value, choosers.a.value, choosers.b.value);
choosers.setting.onchange = () => { fillLabels(); compare(choosers.setting.value, choosers.a.value, choosers.b.value); };
