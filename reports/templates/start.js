// --- once the page is painted ---

const theme = document.getElementById("theme");
theme.hidden = false;
const dark = matchMedia("(prefers-color-scheme: dark)");
let themed = "";
function nameTheme() {
  theme.textContent = (themed || (dark.matches ? "dark" : "light")) === "dark" ? "Light" : "Dark";
  theme.ariaLabel = `${theme.textContent} theme`;
}
theme.addEventListener("click", () => {
  themed = (themed || (dark.matches ? "dark" : "light")) === "dark" ? "light" : "dark";
  document.documentElement.style.colorScheme = themed;
  nameTheme();
});
dark.addEventListener("change", nameTheme);
nameTheme();

const ready = new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))).then(async () => {
  if (!("DecompressionStream" in window)) throw new Error("this browser is older than DecompressionStream (2023)");
  take(await decoded());
  startMatrix();
  startDifferences();
  startMeasurements();
  addEventListener("hashchange", route);
  route();
  document.documentElement.dataset.ready = "true";
});
ready.catch((error) => {
  const trouble = document.getElementById("trouble");
  trouble.hidden = false;
  trouble.textContent = `Details, filters and differences are not available: ${error.message}. The tables below are complete; measurements.csv, in the same folder, has every row.`;
});
