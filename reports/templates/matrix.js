// --- the compatibility table: places, filters, sorting, keys ---

const cells = document.getElementById("cells");
const heads = [...cells.querySelectorAll("th.surface")];
const places = heads.map(({ dataset }) => ({ framework: dataset.framework, surface: dataset.surface }));
for (const place of places) {
  place.own = places.find((other) => other.surface === place.surface) === place;
  place.title = place.own ? place.surface : `${place.surface} (${place.framework})`;
  place.link = encodeURIComponent(place.surface) + (place.own ? "" : "@" + encodeURIComponent(place.framework));
}
const body = [...cells.tBodies].map((group) => ({ group, lines: [...group.rows].slice(1) }));
const functions = body.flatMap(({ lines }) => lines.map((line) => line.dataset.function));
const filters = document.getElementById("filters");
const chips = [...document.querySelectorAll("#legend .chip")];
let sortedBy = null; // a column of the table, or null

const linkOf = (name, place, dtype) => "#" + [encodeURIComponent(name), place.link, ...(dtype ? [encodeURIComponent(dtype)] : [])].join("/");

function fill(td, name, place, kept) {
  const link = td.firstElementChild;
  if (!link) return null;
  const all = cellRows.get(keyOf(name, place.framework, place.surface)) ?? [];
  const these = all.filter(kept);
  link.hidden = these.length === 0;
  if (!these.length) return null;
  const state = found(these);
  link.className = `${state.verdict} g${state.grade}`;
  link.title = `${name} · ${place.title}: ${said(state)}`;
  link.replaceChildren(element("b", { textContent: data.symbols[state.verdict] }), String(state.counts[state.verdict]), element("i", { className: "spoken", textContent: " " + state.verdict }));
  return state;
}

const FILTERS = ["framework", "dtype", "aspect", "mode", "device"];

function applyFilters() {
  const words = filters.search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const { framework, ...chosen } = Object.fromEntries(FILTERS.map((n) => [n, filters.elements[n].value]));
  const columns = Object.entries(chosen).filter(([, value]) => value);
  const verdicts = chips.filter((chip) => chip.ariaPressed === "true").map((chip) => chip.dataset.verdict);
  const kept = (i) => columns.every(([name, value]) => rows[name][i] === value) && (!verdicts.length || verdicts.includes(rows.verdict[i]));
  const narrowed = Boolean(framework || columns.length || verdicts.length);
  const shown = places.map((place) => !framework || place.framework === framework);
  for (const head of cells.querySelectorAll("th[data-framework]")) head.hidden = Boolean(framework) && head.dataset.framework !== framework;
  let count = 0, functionsShown = 0;
  for (const { group, lines } of body) {
    const states = new Map();
    let left = 0;
    for (const line of lines) {
      const name = line.dataset.function;
      const found = places.map((place, at) => {
        const td = line.cells[at + 1];
        td.hidden = !shown[at];
        return shown[at] ? fill(td, name, place, kept) : null;
      });
      states.set(line, found);
      const named = names.get(name);
      const matches = words.every((word) => named.includes(word)) && (!narrowed || found.some(Boolean));
      line.hidden = !matches;
      if (matches) { left++; count += found.filter(Boolean).length; }
    }
    group.hidden = left === 0;
    functionsShown += left;
    group.rows[0].querySelector("small").textContent = left;
    group.append(...[...lines].sort(order(states)));
  }
  document.getElementById("empty").hidden = functionsShown > 0;
  document.getElementById("status").textContent = `${plural(functionsShown, "function")}, ${plural(count, "cell")}`;
  rove();
}

// the comparison of two lines of the table, given what their cells say
function order(states) {
  const place = sortedBy === null ? null : sortedBy;
  const by = filters.sort.value || (place === null ? "" : "serious");
  const measure = (line) => {
    const here = (place === null ? states.get(line) : [states.get(line)[place]]).filter(Boolean);
    if (!here.length) return [99, 0];
    const error = Math.max(-1, ...here.map((s) => (Number.isNaN(s.error) ? -1 : s.error)));
    const worst = Math.min(...here.map((s) => rank("verdict", s.verdict)));
    const times = here.filter((s) => rank("verdict", s.verdict) === worst).reduce((sum, s) => sum + s.counts[s.verdict], 0);
    return by === "error" ? [-error, worst] : [worst, worst === rank("verdict", "pass") ? -error : -times];
  };
  return (a, b) => {
    if (by) {
      const [x, y] = [measure(a), measure(b)];
      const found = x[0] - y[0] || x[1] - y[1];
      if (found) return found;
    }
    return functions.indexOf(a.dataset.function) - functions.indexOf(b.dataset.function);
  };
}

let names; // function → what a search looks through
function startMatrix() {
  names = new Map(functions.map((name) => [name, name.toLowerCase()]));
  for (const [name, key, at] of rows.function.map((f, i) => [f, rows.callable[i].toLowerCase(), i])) {
    const text = names.get(name);
    if (!text.includes(key)) names.set(name, `${text} ${rows.surface[at].toLowerCase()}.${key}`);
  }
  for (const name of FILTERS) {
    const values = [...new Set(rows[name])].filter(Boolean).sort((a, b) => rank(name, a) - rank(name, b) || (a < b ? -1 : 1));
    filters.elements[name].append(...values.map((value) => element("option", { value, textContent: value })));
    // most runs have one mode and one device
    filters.elements[name].parentElement.hidden = ["mode", "device"].includes(name) && values.length < 2;
  }
  filters.hidden = false;
  filters.addEventListener("input", applyFilters);
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("reset", () => {
    for (const chip of chips) chip.ariaPressed = "false";
    sortedBy = null;
    for (const head of heads) head.removeAttribute("aria-sort");
    setTimeout(applyFilters);
  });
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.ariaPressed = String(chip.ariaPressed !== "true");
      applyFilters();
    });
  }
  heads.forEach((head, at) => {
    head.firstElementChild.title = `sort by ${places[at].title}`;
    head.firstElementChild.addEventListener("click", () => {
      sortedBy = sortedBy === at ? null : at;
      for (const other of heads) other.removeAttribute("aria-sort");
      if (sortedBy !== null) head.ariaSort = "descending";
      applyFilters();
    });
  });
  cells.addEventListener("keydown", arrows);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || document.querySelector("dialog[open]")) return;
    if (/^(input|select|textarea)$/i.test(event.target.tagName)) return;
    event.preventDefault();
    filters.search.focus();
  });
  rove();
}

// one stop for the tabulator key; arrows go on from there
let stop = null;
function rove(to = null) {
  const links = [...cells.querySelectorAll("tbody a")];
  const seen = (link) => link.offsetParent !== null;
  if (to === null) to = stop && seen(stop) ? stop : links.find(seen);
  for (const link of links) link.tabIndex = -1;
  if (to) to.tabIndex = 0;
  stop = to ?? null;
}

function arrows(event) {
  const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
  const link = event.target.closest("tbody a");
  if (!step || !link || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const grid = [...cells.querySelectorAll("tbody tr[data-function]")].filter((line) => line.offsetParent !== null);
  let [y, x] = [grid.indexOf(link.closest("tr")), link.closest("td").cellIndex];
  for (;;) {
    y += step[0];
    x += step[1];
    const td = grid[y]?.cells[x];
    if (!td || td.cellIndex === 0) return;
    const next = td.querySelector("a");
    if (next && next.offsetParent !== null) {
      rove(next);
      next.focus();
      next.scrollIntoView({ block: "nearest", inline: "nearest" });
      return;
    }
  }
}
