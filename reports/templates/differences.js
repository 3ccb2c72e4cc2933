// --- differences between two surfaces: what agrees, what agrees under a mapping, what differs, what is missing ---

const CLASSES = {
  differs: "differ",
  mapped: "agree under a mapping",
  agrees: "agree exactly",
  missing: "missing",
};
const RULE = "Of each function the two callables that agree best are compared, in the dtypes that both offer. They agree exactly where every value, " +
  "gradient and reduction passes on both sides, without a recorded divergence, so that each is within the bound of the exact result, and where both take the " +
  "same parameters to mean the same by default; under a mapping, where defaults, documented constants or the reduction differ and are said below; " +
  "they differ where a measurement on either side is anything but pass. Special values, properties and invalid calls stand beside it and do not count.";
const NUMBERS = ["value", "gradient", "reduction"];
let sides; // the two selects
let classOf = "";

function sideOf(name, place) {
  const all = cellRows.get(keyOf(name, place.framework, place.surface)) ?? [];
  const made = new Map();
  for (const i of all) {
    if (!made.has(rows.callable[i])) made.set(rows.callable[i], { callable: rows.callable[i], place, rows: [] });
    made.get(rows.callable[i]).rows.push(i);
  }
  for (const one of made.values()) {
    one.call = calls.find((c) => c.function === name && c.callable === one.callable && c.surface === place.surface && c.framework === place.framework);
    one.offered = new Set(one.rows.filter((i) => NUMBERS.includes(rows.aspect[i]) && rows.verdict[i] !== "unsupported").map((i) => rows.dtype[i]));
  }
  return [...made.values()];
}

// what must be written differently for the two to mean the same
function mapping(a, b) {
  if (!a.call || !b.call) return [];
  const said = [];
  if (a.call.result !== b.call.result) said.push(`result: ${a.call.result} ↔ ${b.call.result}`);
  const [own, others] = [a, b].map((one) => ({ ...JSON.parse(one.call.defaults || "{}"), ...JSON.parse(one.call.dialect || "{}") }));
  for (const key of new Set([...Object.keys(own), ...Object.keys(others)])) {
    const [mine, theirs] = [own[key], others[key]];
    const same = mine === theirs || (mine !== undefined && theirs !== undefined && mine !== "" && Number(mine) === Number(theirs));
    const fixed = [a, b].some((one) => key in JSON.parse(one.call.dialect || "{}"));
    if (!same && (fixed || (mine !== undefined && theirs !== undefined))) said.push(`${key}: ${mine ?? "the canonical default"} ↔ ${theirs ?? "the canonical default"}`);
  }
  return said;
}

function compared(a, b) {
  const shared = [...a.offered].filter((dtype) => b.offered.has(dtype));
  const of = (one, aspects) => one.rows.filter((i) => shared.includes(rows.dtype[i]) && aspects(rows.aspect[i]) && rows.verdict[i] !== "unsupported");
  const numbers = [a, b].map((one) => of(one, (aspect) => NUMBERS.includes(aspect)));
  const off = numbers.map((list) => list.filter((i) => rows.verdict[i] !== "pass"));
  const beside = [a, b].map((one) => of(one, (aspect) => !NUMBERS.includes(aspect)).filter((i) => rows.verdict[i] !== "pass"));
  const needed = mapping(a, b);
  const sort = off[0].length + off[1].length || !shared.length ? "differs" : needed.length ? "mapped" : "agrees";
  const errors = numbers.map((list) => list.reduce((top, i) => (Number.isFinite(rows.error[i]) && !(rows.error[i] <= top) ? rows.error[i] : top), NaN));
  return { sort, a, b, shared, off, beside, needed, errors };
}

function difference(name, A, B) {
  const [left, right] = [sideOf(name, A), sideOf(name, B)];
  if (!left.length && !right.length) return null;
  if (!left.length || !right.length) return { sort: "missing", name, left, right };
  const all = left.flatMap((a) => right.map((b) => compared(a, b)));
  const better = (one) => (one.shared.length ? { agrees: 0, mapped: 1, differs: 2 }[one.sort] : 3) * 1e6 + (one.off[0].length + one.off[1].length) * 100 + one.needed.length;
  return { name, left, right, ...all.reduce((best, one) => (better(one) < better(best) ? one : best)) };
}

function reasons(list) {
  const ids = new Set();
  const plain = new Map();
  for (const i of list) {
    const named = notes(rows.note[i]).filter(([record]) => record);
    if (rows.verdict[i] === "known" && named.length) for (const [record] of named) ids.add(record);
    else plain.set(rows.verdict[i], (plain.get(rows.verdict[i]) ?? 0) + 1);
  }
  const said = [...plain].sort((a, b) => rank("verdict", a[0]) - rank("verdict", b[0])).map(([verdict, count]) => mark(verdict, ` ${count}`));
  for (const id of [...ids].sort()) said.push(element("code", { className: "known verdict", title: records.get(id)?.why ?? "", textContent: id }));
  return said;
}

function line(result, A, B) {
  const { name, sort } = result;
  const link = (place) => element("a", { href: linkOf(name, place), textContent: name });
  const head = element("code", {}, link(result.left.length ? A : B));
  const call = (one) => (one ? element("code", { textContent: one.call?.call ?? one.callable }) : element("span", { className: "quiet", textContent: "not offered" }));
  if (sort === "missing") return [head, element("span", { className: "sort missing", textContent: CLASSES.missing }), call(result.left[0]), call(result.right[0]), ""];
  const what = element("ul");
  for (const [at, place] of [A, B].entries()) {
    const why = reasons(result.off[at]);
    if (why.length) what.append(element("li", {}, element("span", { className: "quiet", textContent: `${place.title}: ` }), ...why.flatMap((part) => [part, " "])));
  }
  for (const text of result.needed) what.append(element("li", { textContent: text }));
  if (!result.shared.length) what.append(element("li", { textContent: "no dtype is offered by both" }));
  if (sort !== "differs") what.append(element("li", { className: "quiet", textContent: `error at most ${number(result.errors[0])} and ${number(result.errors[1])}` }));
  const edges = reasons(result.beside.flat());
  if (edges.length) what.append(element("li", {}, element("span", { className: "quiet", textContent: "beside: " }), ...edges.flatMap((part) => [part, " "])));
  return [head, element("span", { className: `sort ${sort}`, textContent: CLASSES[sort] }), call(result.a), call(result.b), what];
}

function showDifferences() {
  const [A, B] = sides.map((select) => places[Number(select.value)]);
  const results = functions.toSorted((a, b) => (a < b ? -1 : 1)).map((name) => difference(name, A, B)).filter(Boolean);
  const counts = Object.fromEntries(Object.keys(CLASSES).map((sort) => [sort, results.filter((r) => r.sort === sort).length]));
  const tally = element("div", { className: "legend", role: "group", ariaLabel: "Show" }, ...Object.entries(CLASSES).map(([sort, words]) => {
    const chip = element("button", { type: "button", className: `chip sort ${sort}`, ariaPressed: String(classOf === sort) }, words, " ", element("small", { textContent: counts[sort] }));
    chip.dataset.sort = sort;
    chip.addEventListener("click", () => {
      classOf = classOf === sort ? "" : sort;
      showDifferences();
      document.querySelector(`#differ .chip.${sort}`).focus();
    });
    return chip;
  }));
  const order = Object.keys(CLASSES);
  const shown = results.filter((r) => !classOf || r.sort === classOf).sort((a, b) => order.indexOf(a.sort) - order.indexOf(b.sort));
  document.getElementById("differ-list").replaceChildren(tally,
    table(`${A.title} and ${B.title}`, ["function", "they", A.title, B.title, "what differs"], shown.map((r) => line(r, A, B)), "differ"));
}

// somebody has asked for these, so they are printed, too
function chosenDifferences() {
  document.getElementById("differences").dataset.chosen = "";
  showDifferences();
}

function chooseDifferences(a, b) {
  [a, b].forEach((place, at) => (sides[at].value = String(places.indexOf(place))));
  chosenDifferences();
  if (dialog.open) dialog.close();
  document.getElementById("differences").scrollIntoView();
}

function startDifferences() {
  const holder = document.getElementById("differ");
  if (places.length < 2) {
    holder.replaceChildren(element("p", { textContent: "There is one surface in this run." }));
    holder.hidden = false;
    return;
  }
  const options = places.map((place, at) => [String(at), place.title]);
  const labels = ["between", "and"].map((label) => choice(label, options, label));
  sides = labels.map((label) => label.querySelector("select"));
  const other = places.findIndex((place) => place.framework !== places.at(-1).framework);
  [sides[0].value, sides[1].value] = [String(places.length - 1), String(Math.max(0, other))];
  const form = element("form", {}, ...labels);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    const [A, B] = sides.map((select) => places[Number(select.value)]);
    history.replaceState(null, "", `#differences/${A.link}/${B.link}`);
    chosenDifferences();
  });
  const older = calls.length ? null : element("p", { className: "notice", textContent: "This run does not say how its callables are called (an older nnconform made it), so what agrees under a mapping cannot be told from what agrees exactly." });
  holder.replaceChildren(form, element("p", { className: "quiet", textContent: RULE }), ...[older].filter(Boolean), element("div", { id: "differ-list" }));
  holder.hidden = false;
  showDifferences();
}
