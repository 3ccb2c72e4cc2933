// --- error against x: one line a dtype, the bound dashed ---

const superscript = (n) => String(n).replace(/[-0-9]/g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]));
const power = (exponent) => (exponent === 0 ? "1" : exponent === 1 ? "2" : `2${superscript(exponent)}`);

// the points of a curve: the sign and exponent of a bin, its largest error, what was allowed there
function pointsOf(curve) {
  const [bins, ulp, allowed] = [curve.bins, curve.ulp, curve.allowed].map((text) => text.split(" "));
  return bins.map((bin, i) => {
    const sign = bin === "0" ? 0 : bin.startsWith("-") ? -1 : 1;
    const exponent = sign === 0 ? 0 : Number(bin.split("^")[1]);
    return { sign, exponent, ulp: Number(ulp[i].replace("inf", "Infinity")), allowed: Number(allowed[i].replace("inf", "Infinity")) };
  }).filter((point) => Number.isFinite(point.ulp));
}

const range = ({ sign, exponent }) => {
  if (sign === 0) return "0";
  const [near, far] = [power(exponent), power(exponent + (Math.abs(exponent) > 8 ? 4 : 1))];
  return sign > 0 ? `[${near}, ${far})` : `(−${far}, −${near}]`;
};

function plot(title, of, drawn) {
  const [width, height, left, right, top, bottom] = [680, 300, 52, 14, 14, 44];
  const series = drawn.map((curve) => ({ dtype: curve.dtype, points: pointsOf(curve) })).filter((one) => one.points.length);
  const every = series.flatMap((one) => one.points);
  if (!every.length) return null;
  const ends = every.filter((p) => p.sign).map((p) => p.exponent);
  const [low, high] = [Math.max(-40, Math.min(-4, ...ends)), Math.max(4, ...ends)];
  // the middle of an axis that is symmetric and logarithmic: linear in the exponent up to 2^8, ever denser beyond
  const squeeze = (e) => (Math.abs(e) <= 8 ? e : Math.sign(e) * (8 + 5 * Math.log2(1 + (Math.abs(e) - 8) / 5)));
  const [near, far] = [squeeze(low) - 1.5, squeeze(high + 1)];
  const half = (width - left - right) / 2;
  const x = (sign, exponent) => left + half + sign * half * Math.max(0, (squeeze(exponent) - near) / (far - near));
  const floor = 0.05;
  const most = Math.max(16, ...every.map((p) => p.ulp)) * 1.5;
  const y = (ulp) => top + (height - top - bottom) * (1 - Math.max(0, Math.log(Math.max(ulp, floor) / floor) / Math.log(most / floor)));
  const worst = series.map(({ dtype, points }) => {
    const point = points.reduce((a, b) => (b.ulp > a.ulp ? b : a));
    return { dtype, point };
  });

  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", class: "plot" });
  const summary = worst.map(({ dtype, point }) => `${dtype}: at most ${number(point.ulp)} ULP, for ${of} in ${range(point)}`).join("; ");
  svg.append(shape("title", {}, title), shape("desc", {}, `Largest error in ULP by ${of}. ${summary}.`));
  const text = (at, words, attributes = {}) => shape("text", { x: at[0], y: at[1], ...attributes }, words);
  for (let decade = -1; 10 ** decade <= most; decade += most > 1e7 ? 3 : 1) {
    const at = y(10 ** decade);
    svg.append(shape("line", { x1: left, x2: width - right, y1: at, y2: at, class: "grid" }));
    svg.append(text([left - 6, at + 4], Math.abs(decade) > 3 ? `10${superscript(decade)}` : String(Number((10 ** decade).toPrecision(1))), { "text-anchor": "end" }));
  }
  svg.append(text([left - 6, y(floor) + 4], "0", { "text-anchor": "end" }));
  const ticks = [-32, -16, -8, -4, 0, 4, 8, 16, 32, 64, 128, 256, 512].filter((e) => e >= low && e <= high + 1);
  let last = -Infinity;
  for (const [sign, exponent] of [...ticks.toReversed().map((e) => [-1, e]), [0, 0], ...ticks.map((e) => [1, e])]) {
    const at = sign ? x(sign, exponent) : left + half;
    svg.append(shape("line", { x1: at, x2: at, y1: top, y2: height - bottom, class: sign ? "grid" : "zero" }));
    if (at - last < 36) continue;
    last = at;
    svg.append(text([at, height - bottom + 16], sign ? (sign < 0 ? "−" : "") + power(exponent) : "0", { "text-anchor": "middle" }));
  }
  svg.append(text([left + half, height - 6], of, { "text-anchor": "middle", class: "label" }));
  svg.append(text([12, top + 4], "ULP", { class: "label", transform: `rotate(-90 12 ${top + 4})`, "text-anchor": "end" }));
  const middle = (p) => (p.sign ? x(p.sign, p.exponent + (Math.abs(p.exponent) > 8 ? 2 : 0.5)) : left + half);
  const path = (points, of) => points.map((p, i) => `${i ? "L" : "M"}${middle(p).toFixed(1)},${y(of(p)).toFixed(1)}`).join("");
  for (const { dtype, points } of series) {
    const group = shape("g", { class: `dtype ${["float16", "bfloat16", "float32", "float64"].includes(dtype) ? dtype : "other"}` });
    const bounded = points.filter((p) => Number.isFinite(p.allowed));
    if (series.length === 1) group.append(shape("path", { d: path(bounded, (p) => Math.min(p.allowed, most)), class: "bound" }));
    group.append(shape("path", { d: path(points, (p) => p.ulp), class: "line" }));
    for (const point of points) {
      const dot = shape("circle", { cx: middle(point).toFixed(1), cy: y(point.ulp).toFixed(1), r: point.ulp > point.allowed ? 3.6 : 2.2, class: point.ulp > point.allowed ? "over" : "dot" });
      dot.append(shape("title", {}, `${dtype}, ${of} in ${range(point)}: ${number(point.ulp)} ULP, ${number(point.allowed)} allowed`));
      group.append(dot);
    }
    svg.append(group);
  }
  if (series.length > 1) {
    // each bin's least of what was allowed in any dtype
    const least = new Map();
    for (const p of every.filter((p) => Number.isFinite(p.allowed))) {
      const key = `${p.sign} ${p.exponent}`;
      if (!(least.get(key)?.allowed <= p.allowed)) least.set(key, p);
    }
    const ordered = [...least.values()].sort((a, b) => middle(a) - middle(b));
    svg.append(shape("path", { d: path(ordered, (p) => Math.min(p.allowed, most)), class: "bound" }));
  }
  const legend = element("p", { className: "plot-legend quiet" }, ...series.map(({ dtype }) => element("span", { className: `swatch ${dtype}`, textContent: dtype })), element("span", { className: "swatch bound", textContent: series.length > 1 ? "what the bound allows, the least of these dtypes" : "what the bound allows" }));
  const rowsOf = worst.map(({ dtype, point }) => {
    const points = series.find((one) => one.dtype === dtype).points;
    return [dtype, number(point.ulp), range(point), number(point.allowed), `${points.filter((p) => p.ulp > p.allowed).length} of ${points.length}`];
  });
  return element("figure", {}, svg, legend,
    element("details", {}, element("summary", { textContent: "The plot as a table" }), table(title, ["dtype", "largest ULP", `${of} in`, "allowed there", "bins beyond"], rowsOf)));
}
