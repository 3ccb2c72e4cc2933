// --- all measurements: one row each ---

const SHOWN = ["verdict", "function", "callable", "dtype", "aspect", "reduction", "error", "max_ulp", "note"];
const CHOICES = ["verdict", "function", "framework", "surface", "dtype", "aspect"];
const PAGE = 100;

function startMeasurements() {
  const columns = rows;
  const count = columns.verdict.length;
  const numeric = new Set(data.numbers);
  const path = (i) => (columns.callable[i].startsWith(columns.surface[i] + ".") ? columns.callable[i] : `${columns.surface[i]}.${columns.callable[i]}`);
  const cellOf = (column, i) => (column === "callable" ? path(i) : columns[column][i]);
  const words = (i) => SHOWN.filter((c) => !numeric.has(c)).concat("framework", "version").map((c) => cellOf(c, i)).join("\n").toLowerCase();
  let these = [], page = 0, sorted = null, descending = false;

  const search = element("input", { type: "search", name: "search", placeholder: "words in any column", ariaLabel: "Search the measurements" });
  const form = element("form", { role: "search", ariaLabel: "Filter the measurements" }, search, ...CHOICES.map((column) => {
    const values = [...new Set(columns[column])].filter(Boolean).sort((a, b) => rank(column, a) - rank(column, b) || (a < b ? -1 : 1));
    return choice(column, [["", "all"], ...values]);
  }), element("button", { type: "reset", textContent: "Reset" }));
  const status = element("p", { role: "status", className: "quiet" });
  const head = element("tr", {}, element("td"));
  const body = element("tbody");
  const previous = element("button", { type: "button", textContent: "Previous" });
  const next = element("button", { type: "button", textContent: "Next" });

  function compare(a, b) {
    let order;
    if (numeric.has(sorted)) {
      const [x, y] = [columns[sorted][a], columns[sorted][b]];
      order = Number.isNaN(x) ? (Number.isNaN(y) ? 0 : 1) : Number.isNaN(y) ? -1 : 0;
      if (order || Number.isNaN(x)) return order; // nothing measured comes last, either way
      order = x < y ? -1 : x > y ? 1 : 0;
    } else {
      const [x, y] = [cellOf(sorted, a), cellOf(sorted, b)];
      order = rank(sorted, x) - rank(sorted, y) || (x < y ? -1 : x > y ? 1 : 0);
    }
    return descending ? -order : order;
  }

  function filter() {
    const sought = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = CHOICES.filter((column) => form.elements[column].value);
    these = [];
    for (let i = 0; i < count; i++) {
      if (chosen.every((c) => columns[c][i] === form.elements[c].value) && (!sought.length || sought.every((w) => words(i).includes(w)))) these.push(i);
    }
    if (sorted) these.sort(compare);
    page = 0;
    show();
  }

  function show() {
    const from = page * PAGE, to = Math.min(these.length, from + PAGE);
    body.replaceChildren(...these.slice(from, to).map(row));
    status.textContent = these.length
      ? `${(from + 1).toLocaleString("en")}–${to.toLocaleString("en")} of ${plural(these.length, "measurement")}` + (these.length < count ? `, out of ${count.toLocaleString("en")}` : "")
      : "No measurement matches.";
    previous.disabled = page === 0;
    next.disabled = to === these.length;
  }

  function row(i) {
    const more = element("button", { type: "button", className: "more", ariaLabel: "Worst case and reproducer", ariaExpanded: "false" });
    const made = element("tr", {}, element("td", {}, more));
    more.addEventListener("click", () => {
      const opened = more.ariaExpanded === "true";
      more.ariaExpanded = String(!opened);
      if (opened) made.nextSibling.remove();
      else made.after(detail(i));
    });
    for (const column of SHOWN) {
      const value = cellOf(column, i);
      if (numeric.has(column)) made.append(element("td", { className: "n", textContent: number(value) }));
      else if (column === "verdict") made.append(element("td", {}, mark(value)));
      else if (column === "note") made.append(element("td", { className: "note", title: value, textContent: value.split("\n")[0] }));
      else made.append(element("td", { textContent: value }));
    }
    return made;
  }

  function detail(i) {
    const list = data.order.filter((c) => !["worst", "reproducer"].includes(c) && (c === "note" || !SHOWN.includes(c)) && columns[c][i] !== "" && !Number.isNaN(columns[c][i]))
      .map((c) => [c, numeric.has(c) ? number(columns[c][i]) : columns[c][i]]);
    if (columns.worst[i]) list.push(["worst", element("code", { textContent: columns.worst[i] })]);
    return element("tr", { className: "detail" }, element("td", { colSpan: SHOWN.length + 1 }, pairs(list), columns.reproducer[i] ? code(columns.reproducer[i]) : null));
  }

  for (const column of SHOWN) {
    const button = element("button", { type: "button", textContent: column });
    const cell = element("th", { scope: "col", className: numeric.has(column) ? "n" : "" }, button);
    button.addEventListener("click", () => {
      descending = sorted === column ? !descending : numeric.has(column);
      sorted = column;
      for (const other of head.children) other.removeAttribute("aria-sort");
      cell.ariaSort = descending ? "descending" : "ascending";
      filter();
    });
    head.append(cell);
  }
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  previous.addEventListener("click", () => { page--; show(); });
  next.addEventListener("click", () => { page++; show(); });

  const caption = element("caption", { textContent: "One row a measurement; a heading sorts, a row’s button shows its worst case and reproducer" });
  const holder = document.getElementById("rows");
  holder.replaceChildren(form, status,
    element("div", { className: "scroll", role: "region", ariaLabel: "All measurements", tabIndex: 0 }, element("table", { id: "table" }, caption, element("thead", {}, head), body)),
    element("p", { className: "pages" }, previous, " ", next));
  holder.hidden = false;
  filter();
}
