"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const columns = data.columns;
const numeric = new Set(data.numbers);
for (const column of data.numbers) columns[column] = columns[column].map((v) => (v === null ? NaN : Number(v)));

const SHOWN = ["verdict", "function", "callable", "dtype", "aspect", "reduction", "error", "max_ulp", "note"];
const CHOICES = ["verdict", "function", "framework", "surface", "dtype", "aspect"];
const PAGE = 100;
columns.callable = columns.callable.map((name, i) => {
  const prefix = columns.surface[i] + ".";
  return name.startsWith(prefix) ? name : prefix + name;
});
const count = columns.verdict.length;
const texts = Object.keys(columns).filter((column) => !numeric.has(column) && column !== "worst");
const haystack = Array.from({ length: count }, (_, i) => texts.map((c) => columns[c][i]).join("\n").toLowerCase());
const form = document.getElementById("filters");
const table = document.getElementById("table");
const previous = document.getElementById("previous");
const next = document.getElementById("next");
let rows = [], page = 0, sorted = null, descending = false;

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function number(value) {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return value.toLocaleString("en");
  const size = Math.abs(value);
  if (size >= 1e5 || (size < 1e-3 && size > 0)) return value.toExponential(2);
  return size >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

function compare(a, b) {
  let order;
  if (numeric.has(sorted)) {
    order = Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : 0;
    if (order || Number.isNaN(a)) return order; // nothing measured comes last, either way
    order = a < b ? -1 : a > b ? 1 : 0;
  } else if (sorted === "verdict") order = data.verdicts.indexOf(a) - data.verdicts.indexOf(b);
  else order = a < b ? -1 : a > b ? 1 : 0;
  return descending ? -order : order;
}

function filter() {
  const words = form.search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = CHOICES.filter((column) => form.elements[column].value);
  rows = [];
  for (let i = 0; i < count; i++) {
    if (chosen.every((c) => columns[c][i] === form.elements[c].value) && words.every((w) => haystack[i].includes(w))) rows.push(i);
  }
  if (sorted) rows.sort((a, b) => compare(columns[sorted][a], columns[sorted][b]));
  page = 0;
  show();
}

function show() {
  const from = page * PAGE, to = Math.min(rows.length, from + PAGE);
  table.tBodies[0].replaceChildren(...rows.slice(from, to).map(line));
  document.getElementById("status").textContent = rows.length
    ? `${(from + 1).toLocaleString("en")}–${to.toLocaleString("en")} of ${rows.length.toLocaleString("en")} measurements` + (rows.length < count ? `, out of ${count.toLocaleString("en")}` : "")
    : "No measurement matches.";
  previous.disabled = page === 0;
  next.disabled = to === rows.length;
}

function line(i) {
  const row = element("tr");
  const more = element("button", { type: "button", className: "more" });
  more.setAttribute("aria-label", "Worst case and reproducer");
  more.setAttribute("aria-expanded", "false");
  more.addEventListener("click", () => {
    const open = more.getAttribute("aria-expanded") === "true";
    more.setAttribute("aria-expanded", String(!open));
    if (open) row.nextSibling.remove();
    else row.after(detail(i));
  });
  row.append(element("td", {}, more));
  for (const column of SHOWN) {
    const value = columns[column][i];
    const cell = element("td");
    if (numeric.has(column)) {
      cell.className = "n";
      cell.textContent = number(value);
    } else if (column === "verdict") {
      cell.append(document.querySelector(`.legend .verdict.${value}`).cloneNode(true));
    } else if (column === "note") {
      cell.className = "note";
      cell.textContent = value.split("\n")[0];
      cell.title = value;
    } else cell.textContent = value;
    row.append(cell);
  }
  return row;
}

function detail(i) {
  const list = element("dl");
  for (const column of Object.keys(columns)) {
    const value = columns[column][i];
    if (column === "worst" || column === "reproducer" || (SHOWN.includes(column) && column !== "note")) continue;
    if (value === "" || Number.isNaN(value)) continue;
    list.append(element("dt", { textContent: column }), element("dd", { textContent: numeric.has(column) ? number(value) : value }));
  }
  if (columns.worst[i]) list.append(element("dt", { textContent: "worst" }), element("dd", {}, element("code", { textContent: columns.worst[i] })));
  const cell = element("td", { colSpan: SHOWN.length + 1 }, list);
  if (columns.reproducer[i]) {
    const code = element("pre", {}, element("code", { textContent: columns.reproducer[i] }));
    cell.append(element("div", { className: "code" }, element("button", { type: "button", className: "copy", textContent: "Copy" }), code));
  }
  return element("tr", { className: "detail" }, cell);
}

function copy(button) {
  const code = button.parentNode.querySelector("code");
  const done = () => {
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };
  const select = () => {
    getSelection().selectAllChildren(code);
    if (document.execCommand("copy")) done();
  };
  if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, select);
  else select();
}

for (const column of CHOICES) {
  const values = [...new Set(columns[column])].filter(Boolean);
  if (column === "verdict") values.sort((a, b) => data.verdicts.indexOf(a) - data.verdicts.indexOf(b));
  else if (column !== "aspect" && column !== "dtype") values.sort();
  const choice = element("select", { name: column }, element("option", { value: "", textContent: "all" }));
  choice.append(...values.map((value) => element("option", { value, textContent: value })));
  const label = element("label", { textContent: column + " " });
  label.append(choice);
  form.append(label);
}
form.append(element("button", { type: "reset", textContent: "Reset" }));
form.addEventListener("input", filter);
form.addEventListener("reset", () => setTimeout(filter));
form.addEventListener("submit", (event) => event.preventDefault());
previous.addEventListener("click", () => { page--; show(); });
next.addEventListener("click", () => { page++; show(); });

const head = element("tr", {}, element("td"));
for (const column of SHOWN) {
  const button = element("button", { type: "button", textContent: column });
  const cell = element("th", { scope: "col", className: numeric.has(column) ? "n" : "" }, button);
  button.addEventListener("click", () => {
    descending = sorted === column ? !descending : numeric.has(column);
    sorted = column;
    for (const other of head.children) other.removeAttribute("aria-sort");
    cell.setAttribute("aria-sort", descending ? "descending" : "ascending");
    filter();
  });
  head.append(cell);
}
table.tHead.append(head);

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.copy");
  if (button) copy(button);
  const cell = event.target.closest("a[data-function]");
  if (cell) {
    for (const field of ["search", ...CHOICES]) form.elements[field].value = "";
    form.elements.function.value = cell.dataset.function;
    form.elements.surface.value = cell.dataset.surface;
    filter();
  }
});
filter();
