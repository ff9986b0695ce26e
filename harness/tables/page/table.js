// ---- tables: columns are {key, title, number?, text?(row), classes?(row), notes?(row)}

function download(name, text, type = "text/csv") {
  const link = element("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// A cell that begins as a formula does is text to a spreadsheet behind an apostrophe.
const csvCell = (value) => {
  const text = String(value ?? "");
  const safe = /^\s*[=+\-@]|^\t/.test(text) && !/^[+-]?[\d.]+(e[+-]?\d+)?$/i.test(text) ? "'" + text : text;
  return /[",\n]/.test(safe) ? '"' + safe.replaceAll('"', '""') + '"' : safe;
};

const textOf = (column, row) => (column.text ? column.text(row) : row[column.key] ?? "");
const csvOf = (columns, rows) => [columns.map((c) => csvCell(c.title)), ...rows.map((row) => columns.map((c) => csvCell(c.number && typeof row[c.key] === "number" ? row[c.key] : textOf(c, row))))]
  .map((cells) => cells.join(",")).join("\n") + "\n";

function tableRow(row, columns, onRow) {
  const line = element("tr", {}, ...columns.map((column) => {
    const classes = [column.number ? "number" : "", column.classes?.(row) ?? ""].join(" ").trim();
    const cell = element("td", { textContent: textOf(column, row), className: classes });
    for (const note of column.notes?.(row) ?? []) cell.append(element("span", { className: "note", textContent: note }));
    return cell;
  }));
  if (onRow) {
    line.className = "clickable";
    line.tabIndex = 0;
    line.onclick = () => onRow(row);
    line.onkeydown = (event) => { if (event.key === "Enter") onRow(row); };
  }
  return line;
}

// Fills a holder; returns a function that shows the rows to keep, anew where their texts may have changed.
function makeTable(holder, rows, columns, { onRow, stateKey } = {}) {
  const body = element("tbody");
  const heads = columns.map((column) => {
    const head = element("th", { scope: "col", textContent: column.title, className: column.number ? "number" : "", tabIndex: 0 });
    head.dataset.key = column.key;
    head.onclick = () => sort(column, head);
    head.onkeydown = (event) => { if (event.key === "Enter") sort(column, head); };
    return head;
  });
  let lines = rows.map((row) => ({ row, line: tableRow(row, columns, onRow) }));
  let sorted = null;

  function order() {
    if (!sorted) return;
    const { key, sign } = sorted;
    lines.sort((a, b) => {
      const [x, y] = [a.row[key], b.row[key]];
      if (x == null || y == null) return (x == null) - (y == null);
      return sign * (typeof x === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true }));
    });
    body.append(...lines.map((item) => item.line));
  }

  function sort(column, head, descending = head.getAttribute("aria-sort") === "ascending") {
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    sorted = { key: column.key, sign: descending ? -1 : 1 };
    if (stateKey) setState(stateKey, (descending ? "-" : "") + column.key);
    order();
  }

  const empty = element("div", { className: "empty", textContent: "nothing to show" });
  const save = element("button", { type: "button", className: "save", textContent: "CSV", title: "Download what is shown" });
  save.onclick = () => download(holder.id + ".csv", csvOf(columns, lines.filter((item) => !item.line.hidden).map((item) => item.row)));
  body.append(...lines.map((item) => item.line));
  holder.replaceChildren(element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body), empty);
  holder.parentElement.querySelector(`.save[data-of="${holder.id}"]`)?.remove();
  save.dataset.of = holder.id;
  holder.before(save);
  const asked = stateKey && state.get(stateKey);
  if (asked) {
    const place = columns.findIndex((column) => column.key === asked.replace(/^-/, ""));
    if (place >= 0) sort(columns[place], heads[place], asked.startsWith("-"));
  }

  return (keep, isAnew = false) => {
    if (isAnew) {
      lines = lines.map(({ row }) => ({ row, line: tableRow(row, columns, onRow) }));
      body.replaceChildren(...lines.map((item) => item.line));
      order();
    }
    let shown = 0;
    for (const { row, line } of lines) shown += !(line.hidden = !keep(row));
    empty.hidden = shown > 0;
    save.hidden = !shown;
    return shown;
  };
}

const axisColumns = ["task", "base", "quantization"].map((key) => ({ key, title: key }));
const costColumns = Object.entries(COSTS).map(([key, { name, unit }]) => ({ key, title: name, number: true, text: (row) => cost(row[key], unit) }));
