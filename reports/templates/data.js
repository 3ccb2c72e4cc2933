// --- the rows: decoded once the page is painted ---

let data; // { measurements, calls, curves, records, orders, symbols, numbers, order }

async function decoded() {
  const text = document.getElementById("data").textContent;
  const bytes = Uint8Array.fromBase64?.(text) ?? Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

// columns as arrays of cells
function unpacked(columns, numbers = []) {
  const table = {};
  for (const [name, column] of Object.entries(columns)) {
    if (numbers.includes(name)) table[name] = Float64Array.from(column, (v) => (v === null ? NaN : Number(v.toString().replace("inf", "Infinity"))));
    else table[name] = column.at.map((i) => column.values[i]);
  }
  return table;
}

const lines = (table, columns) => Array.from({ length: table[columns[0]]?.length ?? 0 }, (_, i) => Object.fromEntries(Object.keys(table).map((c) => [c, table[c][i]])));

let rows; // the measurements by column
let calls, curves, records;
const cellRows = new Map(); // key of a cell → its rows

const keyOf = (...parts) => parts.join("\u0000");
const rank = (column, value) => {
  const at = (data.orders[column] ?? []).indexOf(value);
  return at < 0 ? 99 : at;
};
const serious = (i) => rank("verdict", rows.verdict[i]);

function take(content) {
  data = content;
  rows = unpacked(data.measurements, data.numbers);
  rows.worst = rows.case.map((pair) => pair[0]);
  rows.reproducer = rows.case.map((pair) => pair[1]);
  calls = lines(unpacked(data.calls), ["function"]);
  curves = lines(unpacked(data.curves), ["function"]);
  records = new Map(lines(unpacked(data.records), ["id"]).map((record) => [record.id, record]));
  for (let i = 0; i < rows.verdict.length; i++) {
    const key = keyOf(rows.function[i], rows.framework[i], rows.surface[i]);
    if (cellRows.has(key)) cellRows.get(key).push(i);
    else cellRows.set(key, [i]);
  }
}

// a finite error of numbers that are right, as the report's digest has it
const exact = (i) => ["value", "gradient", "reduction"].includes(rows.aspect[i]) && ["pass", "limited"].includes(rows.verdict[i]) && Number.isFinite(rows.error[i]);

function found(indices) {
  const counts = {};
  let error = NaN, bound = NaN;
  for (const i of indices) {
    counts[rows.verdict[i]] = (counts[rows.verdict[i]] ?? 0) + 1;
    if (exact(i) && !(rows.error[i] <= error)) error = rows.error[i];
    if (!(rows.bound[i] <= bound)) bound = rows.bound[i];
  }
  const verdict = data.orders.verdict.find((v) => counts[v]);
  const grade = Number.isNaN(error) ? 0 : 1 + [1, bound / 2, bound].filter((limit) => error > limit).length;
  return { counts, verdict, error, grade };
}

const said = ({ counts, error }) => data.orders.verdict.filter((v) => counts[v]).map((v) => `${counts[v].toLocaleString("en")} ${v}`).join(", ") + (Number.isNaN(error) ? "" : `; error ${number(error)}`);

// the notes of a row: [record or "", text]
const notes = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
  const record = line.match(/^\[([^[\]\s]+)\]\s*(.*)$/);
  return record ? [record[1], record[2]] : ["", line];
});
