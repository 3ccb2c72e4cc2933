// --- making elements: text is text, whatever it contains ---

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key in made) made[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function shape(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http:" + "//www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
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

const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

// code spans and links, as the rest of the report has them
function prose(text) {
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(/`([^`]+)`|(https?:\/\/[^\s<>"'`|\])]+[^\s<>"'`|\]).,;:!?])/g)) {
    parts.push(text.slice(at, found.index));
    if (found[1]) parts.push(element("code", { textContent: found[1] }));
    else parts.push(element("a", { href: found[2], rel: "noopener noreferrer", textContent: found[2] }));
    at = found.index + found[0].length;
  }
  return [...parts, text.slice(at)];
}

function mark(verdict, ...more) {
  const symbol = element("span", { ariaHidden: "true", textContent: data.symbols[verdict] });
  return element("span", { className: `verdict ${verdict}` }, symbol, " " + verdict, ...more);
}

function pairs(list) {
  const made = element("dl");
  for (const [term, ...said] of list) made.append(element("dt", { textContent: term }), element("dd", {}, ...said));
  return made;
}

function code(text) {
  const shown = element("pre", { tabIndex: 0 }, element("code", { textContent: text }));
  return element("div", { className: "code" }, element("button", { type: "button", className: "copy", textContent: "Copy" }), shown);
}

function table(caption, heads, rows, className = "") {
  const top = heads.map((head) => element("th", { scope: "col", textContent: head }));
  const lines = rows.map(([first, ...rest]) =>
    element("tr", {}, element("th", { scope: "row" }, first), ...rest.map((cell) => (cell instanceof HTMLTableCellElement ? cell : element("td", {}, cell)))));
  return element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: caption },
    element("table", { className }, element("caption", { textContent: caption }), element("thead", {}, element("tr", {}, ...top)), element("tbody", {}, ...lines)));
}

function choice(name, values, label = name) {
  const options = values.map((value) => (typeof value === "string" ? [value, value] : value));
  const select = element("select", { name }, ...options.map(([value, text]) => element("option", { value, textContent: text })));
  return element("label", {}, element("span", { textContent: label }), " ", select);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  const shown = button.parentNode.querySelector("code");
  const done = () => {
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  };
  const select = () => {
    getSelection().selectAllChildren(shown);
    if (document.execCommand("copy")) done();
  };
  if (navigator.clipboard) navigator.clipboard.writeText(shown.textContent).then(done, select);
  else select();
});
