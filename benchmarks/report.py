"""How large the report of a run is, and how soon a browser shows it: ``python benchmarks/report.py DIR``.

The report is made again in a scratch folder and opened in Chromium, afresh each round; the table gives
medians. Where the run kept no error curves, as older ones did not, every value and gradient of a
function of one element is given a made-up one of 100 bins, which is more than a run keeps.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import pandas as pd
from playwright.sync_api import Browser, sync_playwright

from nnconform.reference import catalogue
from nnconform.reports import Run, html, load
from nnconform.reports.table import KEPT, load_kept, write_kept

ROUNDS = 7
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def made_up(run: Run) -> pd.DataFrame:
    """A curve for every value and gradient, of numbers that do not compress."""
    draw = random.Random(0)
    bins = [f"-2^{e}" for e in range(40, -10, -1)] + [f"2^{e}" for e in range(-10, 40)]
    alone = [
        name
        for name, function in catalogue().items()
        if next(iter(function.inputs.values())).shape == "S" and not function.coupled
    ]
    rows = run.table[run.table["aspect"].isin(["value", "gradient"])]
    rows = rows[rows["function"].isin(alone)]
    numbers = [" ".join(f"{draw.expovariate(1):.3g}" for _ in bins) for _ in range(len(rows))]
    limits = [" ".join(f"{8 + draw.expovariate(1):.2g}" for _ in bins) for _ in range(len(rows))]
    return pd.DataFrame(
        {
            **{column: rows[column] for column in KEPT["curves"] if column in rows},
            **{"of": "x", "bins": " ".join(bins)},
            **{"ulp": numbers, "allowed": limits},
        }
    )


def opened(browser: Browser, address: str) -> dict[str, float]:
    """Milliseconds until the page paints, is ready, shows a detail, and has filtered."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(address, wait_until="commit")
    page.wait_for_selector("html[data-ready]", state="attached")
    page.wait_for_function("performance.getEntriesByType('paint').length > 1")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    ready = page.evaluate("performance.now()")
    timed = """async (act) => {
        const start = performance.now();
        act();
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        return performance.now() - start;
    }"""
    show = timed.replace("act()", "document.querySelector('#cells tbody a').click()")
    narrow = timed.replace("act()", "document.querySelector('#legend .chip').click()")
    shown = page.evaluate(show)
    page.keyboard.press("Escape")
    filtered = page.evaluate(narrow)
    page.close()
    return {"first paint": paint, "ready": ready, "a detail": shown, "a filter": filtered}


def main() -> None:
    run = load(sys.argv[1])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        curves = load_kept(run.folder, "curves")
        note = "kept by the run"
        if curves.empty:
            curves, note = made_up(run), "made up"
        for name in KEPT:
            write_kept(curves if name == "curves" else load_kept(run.folder, name), folder, name)
        began = perf_counter()
        text = html(Run(folder, run.table, run.environment))
        seconds = perf_counter() - began
        path = folder / "report.html"
        path.write_text(text, encoding="utf-8")
        print(f"{len(run.table):,} measurements, {len(curves):,} curves ({note})")
        print(f"{path.stat().st_size / 1e6:.2f} MB, made in {seconds:.1f} s")
        with sync_playwright() as driver:
            found = next(filter(None, map(shutil.which, BROWSERS)))
            browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
            rounds = [opened(browser, path.as_uri()) for _ in range(ROUNDS)]
            print(f"Chromium {browser.version}, median (slowest) of {ROUNDS}:")
            browser.close()
    for what in rounds[0]:
        times = [one[what] for one in rounds]
        print(f"{what:12} {median(times):6.0f} ms ({max(times):.0f})")


if __name__ == "__main__":
    main()
