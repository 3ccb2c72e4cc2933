// --- a cell in detail, and the deep links #function/surface[@framework][/dtype] ---

const dialog = document.getElementById("detail");

function placeOf(text) {
  const [surface, framework] = text.split("@").map(decodeURIComponent);
  return places.find((p) => p.surface === surface && (framework ? p.framework === framework : p.own));
}

function route() {
  const parts = location.hash.slice(1).split("/");
  let target = null;
  try {
    if (parts[0] === "differences" && parts.length === 3) {
      const [a, b] = parts.slice(1).map(placeOf);
      if (a && b) chooseDifferences(a, b);
    } else if (parts.length > 1) {
      const [name, place, dtype] = [decodeURIComponent(parts[0]), placeOf(parts[1]), parts[2] ? decodeURIComponent(parts[2]) : ""];
      if (place && cellRows.has(keyOf(name, place.framework, place.surface))) target = { name, place, dtype };
    } else if (document.getElementById(parts[0])) {
      document.getElementById(parts[0]).scrollIntoView(); // again: the page has grown since the browser did
    } else if (functions.includes(decodeURIComponent(parts[0]))) {
      const line = [...cells.querySelectorAll("tr[data-function]")].find((l) => l.dataset.function === decodeURIComponent(parts[0]));
      line.scrollIntoView({ block: "center" });
      line.querySelector("a")?.focus();
    }
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
  if (target) openCell(target);
  else if (dialog.open) dialog.close();
}

dialog.addEventListener("close", () => {
  if (location.hash.includes("/")) history.replaceState(null, "", location.pathname + location.search);
  cells.querySelector("a.current")?.classList.remove("current");
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // beside the sheet
});

// a dialog prints one page at most, so what is printed is a copy of its content
addEventListener("beforeprint", () => {
  if (dialog.open) document.body.append(element("div", { id: "printed" }, dialog.firstElementChild.cloneNode(true)));
});
addEventListener("afterprint", () => document.getElementById("printed")?.remove());

function openCell({ name, place, dtype }) {
  const all = cellRows.get(keyOf(name, place.framework, place.surface));
  const dtypes = [...new Set(all.map((i) => rows.dtype[i]))].sort((a, b) => rank("dtype", a) - rank("dtype", b));
  const chosen = dtypes.includes(dtype) ? dtype : "";
  const these = chosen ? all.filter((i) => rows.dtype[i] === chosen) : all;
  const state = found(these);
  const version = rows.version[all[0]];
  const close = element("button", { type: "button", className: "close", ariaLabel: "Close", textContent: "×" });
  close.addEventListener("click", () => dialog.close());
  const tabs = element("nav", { className: "tabs", ariaLabel: "dtype" }, ...["", ...dtypes].map((one) => {
    const tab = element("a", { href: linkOf(name, place, one), textContent: one || "all dtypes" });
    if (one === chosen) tab.ariaCurrent = "true";
    return tab;
  }));
  const parts = [
    element("header", {},
      element("h2", { id: "detail-title" }, element("code", { textContent: name }), " ", element("span", { className: "quiet", textContent: "on" }), " ", element("code", { textContent: place.surface })),
      element("p", { className: "quiet" }, `${place.framework} ${version} · ${said(state)}`),
      close, tabs),
    ...whys(these), ...grids(name, place, these), ...curvesOf(name, place, chosen), ...conventions(these), ...elsewhere(name, place),
  ];
  const sheet = element("div", { className: "sheet" }, ...parts);
  const kept = dialog.open && dialog.dataset.cell === keyOf(name, place.link) ? dialog.firstElementChild.scrollTop : 0;
  dialog.replaceChildren(sheet);
  dialog.dataset.cell = keyOf(name, place.link);
  choose(sheet, these);
  if (!dialog.open) dialog.showModal();
  sheet.scrollTop = kept;
  cells.querySelector("a.current")?.classList.remove("current");
  const link = [...cells.querySelectorAll("tbody a")].find((a) => a.getAttribute("href") === linkOf(name, place));
  if (link) {
    link.classList.add("current");
    rove(link);
  }
}

const section = (title, ...children) => element("section", {}, element("h3", { textContent: title }), ...children);

// why it differs: failures first, then the recorded divergences with their reasons, links and evidence
function whys(these) {
  const plain = new Map(), recorded = new Map();
  for (const i of [...these].sort((a, b) => serious(a) - serious(b))) {
    const verdict = rows.verdict[i];
    for (const [record, text] of notes(rows.note[i])) {
      if (record) {
        if (!recorded.has(record)) recorded.set(record, { text, rows: [] });
        recorded.get(record).rows.push(i);
      } else if (["fail", "crash", "fixed", "unsupported"].includes(verdict) || (verdict === "limited" && rows.aspect[i] !== "special")) {
        const key = keyOf(verdict, text);
        if (!plain.has(key)) plain.set(key, { verdict, text, rows: [] });
        plain.get(key).rows.push(i);
      }
    }
  }
  const where = (list) => {
    const scope = ["dtype", "aspect"].map((c) => [...new Set(list.map((i) => rows[c][i]))].sort((a, b) => rank(c, a) - rank(c, b)).join(", "));
    return element("p", { className: "quiet", textContent: `${plural(list.length, "measurement")}: ${scope.join(" · ")}` });
  };
  const articles = [...plain.values()].map(({ verdict, text, rows: list }) =>
    element("article", { className: verdict }, element("h4", {}, mark(verdict)), element("p", {}, ...prose(text)), where(list)));
  for (const [id, { text, rows: list }] of [...recorded].sort()) {
    const kept = records.get(id);
    const reason = kept?.reason ?? text.match(/^(\w+): /)?.[1] ?? "";
    const why = kept?.why ?? text.replace(/^\w+: /, "");
    articles.push(element("article", { className: "known" },
      element("h4", {}, mark("known"), " ", element("code", { textContent: id }), " ", reason ? element("span", { className: `reason ${reason}`, textContent: { bug: "bug", documented: "documented", undocumented: "by design, undocumented" }[reason] ?? reason }) : null),
      element("p", {}, ...prose(why)),
      kept?.link ? element("p", {}, "See ", ...prose(kept.link)) : null,
      where(list),
      kept?.evidence ? element("details", {}, element("summary", { textContent: "Script that shows it" }), code(kept.evidence.trim())) : null));
  }
  return articles.length ? [section("Why it differs", ...articles)] : [];
}

// for each callable its measurements, aspects by dtypes; one is chosen and shown below
function grids(name, place, these) {
  const callables = [...new Set(these.map((i) => rows.callable[i]))];
  const dtypes = [...new Set(these.map((i) => rows.dtype[i]))].sort((a, b) => rank("dtype", a) - rank("dtype", b));
  const made = callables.map((callable) => {
    const own = these.filter((i) => rows.callable[i] === callable);
    const label = (i) => rows.aspect[i] + (rows.aspect[i] === "reduction" ? `: ${rows.reduction[i]}` : "") + (["cpu", ""].includes(rows.device[i]) ? "" : ` · ${rows.device[i]}`) + (["eager", ""].includes(rows.mode[i]) ? "" : ` · ${rows.mode[i]}`);
    const labels = [...new Set([...own].sort((a, b) => rank("aspect", rows.aspect[a]) - rank("aspect", rows.aspect[b])).map(label))];
    const rowsOf = labels.map((text) => [text, ...dtypes.map((dtype) => {
      const i = own.find((j) => rows.dtype[j] === dtype && label(j) === text);
      if (i === undefined) return "";
      const figure = Number.isNaN(rows.error[i]) || rows.verdict[i] === "unsupported" ? "" : number(rows.error[i]);
      const button = element("button", { type: "button", className: `pick ${rows.verdict[i]}`, title: `${text}, ${dtype}: ${rows.verdict[i]}`, ariaPressed: "false" }, element("b", { textContent: data.symbols[rows.verdict[i]] }), element("span", { className: "spoken", textContent: ` ${rows.verdict[i]}, error ` }), " " + figure);
      button.dataset.row = i;
      return button;
    })]);
    const call = calls.find((c) => c.framework === place.framework && c.surface === place.surface && c.function === name && c.callable === callable);
    return element("div", { className: "callable" }, call ? code(call.call) : element("p", {}, element("code", { textContent: callable })), table(`Verdict and error of ${callable}, aspect by dtype`, ["", ...dtypes], rowsOf, "grid"));
  });
  const shown = element("div", { id: "chosen", ariaLive: "polite" });
  const parts = section("Measurements", element("p", { className: "quiet", textContent: "The largest error of each, in units of roundoff × (|exact value| + conditioning). Choose one to see its worst case." }), ...made, shown);
  parts.addEventListener("click", (event) => {
    const button = event.target.closest("button.pick");
    if (button) choose(parts, [Number(button.dataset.row)]);
  });
  return [parts];
}

// show the worst case of the most serious of these rows
function choose(within, these) {
  const size = (i) => (Number.isNaN(rows.error[i]) ? -1 : rows.error[i]);
  const i = [...these].sort((a, b) => serious(a) - serious(b) || Number(Boolean(rows.reproducer[b])) - Number(Boolean(rows.reproducer[a])) || size(b) - size(a))[0];
  for (const button of within.querySelectorAll("button.pick")) button.ariaPressed = String(Number(button.dataset.row) === i);
  const facts = [["error", `${number(rows.error[i])}, where ${number(rows.bound[i])} is allowed`]];
  const apart = [["max_ulp", "ULP"], ["max_rel", "relative"], ["max_abs", "absolute"]].filter(([c]) => !Number.isNaN(rows[c][i])).map(([c, unit]) => `${number(rows[c][i])} ${unit}`);
  if (apart.length) facts.push(["at most", apart.join(", ")]);
  facts.push(["measured", `${plural(rows.points[i], "number")} in ${plural(rows.cases[i], "call")}`]);
  const said = notes(rows.note[i]).filter(([record]) => !record);
  if (said.length) facts.push(["note", ...said.map(([, text]) => element("p", {}, ...prose(text)))]);
  within.querySelector("#chosen").replaceChildren(element("article", { className: rows.verdict[i] },
    element("h4", {}, mark(rows.verdict[i]), ` ${[rows.callable[i], rows.dtype[i], rows.aspect[i], rows.aspect[i] === "reduction" ? rows.reduction[i] : ""].filter(Boolean).join(" · ")}`),
    pairs(facts),
    rows.worst[i] ? element("h5", { textContent: "Worst case" }) : null,
    rows.worst[i] ? pairs(worstCase(rows.worst[i]).map(([key, value]) => [key, element("code", { textContent: value })])) : null,
    rows.reproducer[i] ? element("h5", { textContent: "Reproducer" }) : null,
    rows.reproducer[i] ? code(rows.reproducer[i]) : null));
}

// numbers stay as they are written: parsing and writing them again could round them
function worstCase(text) {
  let worst;
  try { worst = JSON.parse(text); } catch { return [["case", text]]; }
  if (worst === null || typeof worst !== "object") return [["case", text]];
  const written = (value) => (typeof value === "string" ? value : JSON.stringify(value));
  const order = ["want", "got"].filter((key) => key in worst && worst[key] !== null).map((key) => [key, written(worst[key])]);
  for (const [key, value] of Object.entries(worst)) {
    if (key === "want" || key === "got" || value === null) continue;
    if (typeof value === "object" && !Array.isArray(value)) for (const [inner, part] of Object.entries(value)) order.push([`${key === "inputs" ? "input" : key === "params" ? "parameter" : key} ${inner}`, written(part)]);
    else order.push([key, written(value)]);
  }
  return order;
}

function curvesOf(name, place, dtype) {
  const own = curves.filter((c) => c.function === name && c.surface === place.surface && c.framework === place.framework && (!dtype || c.dtype === dtype));
  if (!own.length) return [];
  const kinds = [...new Map(own.map((c) => [keyOf(c.callable, c.aspect, c.mode), [c.callable, c.aspect, c.mode]])).values()].sort((a, b) => rank("aspect", a[1]) - rank("aspect", b[1]));
  const several = new Set(own.map((c) => c.callable)).size > 1;
  const holder = element("div");
  const draw = (at) => {
    const [callable, aspect, mode] = kinds[at];
    const these = own.filter((c) => c.callable === callable && c.aspect === aspect && c.mode === mode).sort((a, b) => rank("dtype", a.dtype) - rank("dtype", b.dtype));
    const figure = plot(`Error of the ${aspect} of ${callable} against ${these[0].of}`, these[0].of, these);
    holder.replaceChildren(figure ?? element("p", { className: "quiet", textContent: "Nothing finite was measured." }));
  };
  const pick = choice("curve", kinds.map(([callable, aspect, mode], at) => [String(at), (several ? `${aspect} of ${callable}` : aspect) + (mode === "eager" ? "" : `, ${mode}`)]), "of the");
  pick.querySelector("select").addEventListener("input", (event) => draw(Number(event.target.value)));
  draw(0);
  return [section("Error against the input", kinds.length > 1 ? pick : null, holder)];
}

// what it does at the edges of its domain and with invalid arguments
function conventions(these) {
  const said = new Map();
  for (const i of these) {
    if (!["special", "invalid"].includes(rows.aspect[i]) || !["pass", "limited", "known"].includes(rows.verdict[i])) continue;
    for (const [record, text] of notes(rows.note[i])) {
      if (record) continue;
      const key = keyOf(rows.aspect[i], text);
      if (!said.has(key)) said.set(key, { aspect: rows.aspect[i], text, dtypes: new Set() });
      said.get(key).dtypes.add(rows.dtype[i]);
    }
  }
  const all = new Set(these.map((i) => rows.dtype[i])).size;
  const list = [...said.values()].sort((a, b) => rank("aspect", a.aspect) - rank("aspect", b.aspect));
  if (!list.length) return [];
  return [section("Conventions", table("At the edges of the domain, and with invalid arguments", ["aspect", "what it does", "dtypes"],
    list.map(({ aspect, text, dtypes }) => [aspect, element("span", {}, ...prose(text)), dtypes.size === all ? "all" : [...dtypes].sort((a, b) => rank("dtype", a) - rank("dtype", b)).join(", ")])))];
}

// the same function on the other surfaces
function elsewhere(name, place) {
  const others = places.filter((other) => other !== place && cellRows.has(keyOf(name, other.framework, other.surface)));
  if (!others.length) return [];
  const lines = others.map((other) => {
    const state = found(cellRows.get(keyOf(name, other.framework, other.surface)));
    const own = calls.filter((c) => c.function === name && c.surface === other.surface && c.framework === other.framework);
    const written = own.length ? element("ul", {}, ...own.map((c) => element("li", {}, element("code", { textContent: c.call })))) : "";
    const differ = element("a", { href: `#differences/${place.link}/${other.link}`, textContent: "differences" });
    return [element("a", { href: linkOf(name, other), textContent: other.title }), mark(state.verdict), written, differ];
  });
  return [section("The same elsewhere", table(`${name} on the other surfaces, in canonical words: inputs by name, parameters at the same values`, ["surface", "verdict", "call", ""], lines, "elsewhere"))];
}
