"""The report and a comparison in a real browser: Chromium, driven by Playwright, on made-up runs."""

from __future__ import annotations

import json
import math
import random
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nnconform.reports import html, load, tabulate, write
from nnconform.reports.comparison import COLUMNS as CHANGED
from nnconform.reports.comparison import Comparison, comparison_html
from nnconform.reports.table import KEPT, VERDICTS, write_kept

from .rows import HOSTILE, row

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = pytest.mark.skipif(not BROWSER, reason="no Chromium is installed")

FAILURE = "the value is 0.26, the oracle says 0.25: error 123.4 where 8 is allowed"
SCRIPT = "import torch\nx = torch.tensor(0.5)\nprint(torch.nn.GELU()(x))  # got 0.26, want 0.25"


def rows() -> list[dict[str, Any]]:
    """gelu and huber on torch, on keras and on keras-torch."""
    gelu = {"surface": "torch.nn", "callable": "GELU"}
    keras = {"framework": "keras", "version": "3.15.1", "surface": "keras.ops"}
    huber = {"function": "huber", "kind": "loss"}
    return [
        row(error=0.5),
        row(dtype="float16", error=3.0),
        row(aspect="gradient", verdict="known", error=1e5, note="[torch-tail] bug: Lost."),
        row(aspect="special", note="subnormals become 0"),
        row(**gelu),
        row(
            **gelu,
            dtype="float16",
            verdict="fail",
            error=123.4,
            note=FAILURE,
            reproducer=SCRIPT,
            worst=json.dumps({"inputs": {"x": [0.5]}, "params": {}, "want": 0.25, "got": 0.26}),
        ),
        row(**keras, error=0.75),
        row(**(keras | {"framework": "keras-torch"}), verdict="limited", error=40.0),
        row(**huber, surface="torch.nn", callable="HuberLoss", error=0.1),
        row(**huber, **keras, callable="huber"),
        row(**huber, surface="torch.nn.functional", callable="huber_loss"),
        row(function="softplus", callable="softplus", surface="torch.nn.functional", error=7.0),
        row(function="elu", **keras, error=2.0) | {"callable": "elu"},
    ]


def kept() -> dict[str, list[dict[str, str]]]:
    def call(framework: str, surface: str, function: str, name: str, text: str, **more: str) -> Any:
        same = {"result": "unreduced", "dialect": "{}", "defaults": "{}"}
        place = {"framework": framework, "surface": surface, "function": function}
        return {**place, "callable": name, "call": text, **same, **more}

    delta = {"defaults": '{"delta": "1.0"}'}
    curve = {"framework": "torch", "surface": "torch.nn", "function": "gelu", "callable": "GELU"}
    curve |= {"mode": "eager"}
    curve |= {"aspect": "value", "of": "x", "bins": "-2^2 0 2^-12 2^2", "allowed": "9 8 8 8"}
    return {
        "calls": [
            call("torch", "torch.nn.functional", "gelu", "gelu", "torch.nn.functional.gelu(x)"),
            call("torch", "torch.nn", "gelu", "GELU", "torch.nn.GELU()(x)"),
            call("keras", "keras.ops", "gelu", "gelu", "keras.ops.gelu(x)"),
            call("torch", "torch.nn", "huber", "HuberLoss", "torch.nn.HuberLoss()", **delta),
            call(
                *("torch", "torch.nn.functional", "huber", "huber_loss"),
                "torch.nn.functional.huber_loss(input, target, delta=1.0)",
                **delta,
            ),
            call(
                *("keras", "keras.ops", "huber", "huber", "keras.ops.huber(target, input)"),
                defaults='{"delta": "2.0"}',
                result="the mean over the last axis",
            ),
        ],
        "curves": [
            {**curve, "dtype": "float16", "ulp": "246 0 0.25 0.5"},
            {**curve, "dtype": "float32", "ulp": "0.4 0 0.1 2"},
        ],
        "records": [
            {
                "id": "torch-tail",
                "reason": "bug",
                "why": "The tail is lost, as `erf` is.",
                "link": "https://example.org/1",
                "evidence": "print('tail')",
            }
        ],
    }


def made(folder: Path, rows: list[dict[str, Any]], kept: dict[str, Any], **environment: Any) -> str:
    """The address of the report of a run that is made of these."""
    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    write(tabulate(rows), folder)
    for name, lines in kept.items():
        write_kept(pd.DataFrame(lines, columns=[*KEPT[name]], dtype="str"), folder, name)
    (folder / "environment.json").write_text(json.dumps(environment))
    path = folder / "report.html"
    path.write_text(html(load(folder)), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    return made(folder, rows(), kept(), created="2026-11-21T12:00:00+00:00")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens an address; whatever was opened must not have complained, nor asked for anything."""
    contexts, said, asked = [], [], []

    def open_page(address: str, *, ready: bool = True, before: str = "", **options: Any) -> Any:
        context = chromium.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message) or dialog.dismiss())
        page.on("request", lambda request: asked.append((request.url, address)))
        if before:
            page.add_init_script(before)
        page.goto(address)
        if ready:
            page.wait_for_selector("html[data-ready]", state="attached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url, address in asked if url.split("#")[0] != address.split("#")[0]] == []


def shown(page: Any) -> dict[str, str]:
    """The visible cells of the matrix, by function and column: their text."""
    code = """() => Object.fromEntries([...document.querySelectorAll("#cells tbody a")]
        .filter((a) => a.offsetParent).map((a) => [decodeURIComponent(a.hash.slice(1)), a.innerText.replace(/\\s+/g, " ")]))"""
    return dict(page.evaluate(code))


def order(page: Any) -> list[str]:
    lines = page.locator("#cells tbody tr[data-function]")
    return [line.get_attribute("data-function") for line in lines.all() if line.is_visible()]


MATRIX = {
    "elu/keras.ops": "✓ 1 pass",
    "gelu/keras.ops": "✓ 1 pass",
    "gelu/keras.ops@keras-torch": "≈ 1 limited",
    "gelu/torch.nn": "✗ 1 fail",
    "gelu/torch.nn.functional": "≠ 1 known",
    "softplus/torch.nn.functional": "✓ 1 pass",
    "huber/keras.ops": "✓ 1 pass",
    "huber/torch.nn": "✓ 1 pass",
    "huber/torch.nn.functional": "✓ 1 pass",
}


def test_the_first_screen(visit: Callable[..., Any], report: str) -> None:
    page = visit(report, viewport={"width": 1280, "height": 800})
    assert shown(page) == MATRIX
    top = page.locator("header.top").inner_text()
    assert "torch 2.13.0" in top
    assert "2026-11-21" in top
    assert "1 fail needs attention" in top
    box = page.locator("#cells tbody a").last.bounding_box()
    assert box["y"] + box["height"] < 800
    grades = {a: page.locator(f'#cells a[href="#{a}"]').get_attribute("class") for a in MATRIX}
    assert grades["gelu/keras.ops"] == "pass g1"
    assert grades["gelu/torch.nn.functional"] == "known g2"
    assert grades["gelu/keras.ops@keras-torch"] == "limited g4"


def test_without_a_script_the_tables_are_there(visit: Callable[..., Any], report: str) -> None:
    page = visit(report, ready=False, java_script_enabled=False)
    cells = page.locator("#cells tbody a")
    assert cells.count() == len(MATRIX)
    assert page.get_by_text(FAILURE).first.is_visible()
    assert not page.locator("#filters").is_visible()


def test_a_browser_that_cannot_decompress_says_so(visit: Callable[..., Any], report: str) -> None:
    page = visit(report, ready=False, before="delete window.DecompressionStream")
    page.get_by_role("alert").wait_for()
    assert "older than DecompressionStream" in page.get_by_role("alert").inner_text()
    assert page.locator("#cells tbody a").count() == len(MATRIX)


def test_filtering(visit: Callable[..., Any], report: str) -> None:
    page = visit(report)
    filters = page.get_by_role("search", name="Filter the compatibility table")
    filters.get_by_label("framework").select_option("keras-torch")
    assert shown(page) == {"gelu/keras.ops@keras-torch": "≈ 1 limited"}
    assert page.locator("#cells th.surface:visible").all_inner_texts() == ["keras.ops"]
    filters.get_by_role("button", name="Reset").click()
    page.wait_for_function("document.querySelectorAll('#cells tbody tr[hidden]').length === 0")
    assert shown(page) == MATRIX
    filters.get_by_label("dtype").select_option("float16")
    assert shown(page) == {"gelu/torch.nn": "✗ 1 fail", "gelu/torch.nn.functional": "✓ 1 pass"}
    filters.get_by_label("aspect").select_option("gradient")
    assert shown(page) == {}
    assert page.get_by_text("No cell matches.").is_visible()
    filters.get_by_label("dtype").select_option("")
    assert shown(page) == {"gelu/torch.nn.functional": "≠ 1 known"}
    filters.get_by_label("aspect").select_option("")
    page.get_by_role("button", name="limited").click()
    assert shown(page) == {"gelu/keras.ops@keras-torch": "≈ 1 limited"}
    page.get_by_role("button", name="limited").click()
    page.get_by_label("Search functions").fill("HUBERL")
    assert order(page) == ["huber"]
    assert page.locator("#status").inner_text() == "1 function, 3 cells"


def test_sorting(visit: Callable[..., Any], report: str) -> None:
    page = visit(report)
    by = page.get_by_label("sort by").first
    assert order(page) == ["elu", "gelu", "softplus", "huber"]
    by.select_option("serious")
    assert order(page) == ["gelu", "softplus", "elu", "huber"]
    by.select_option("")
    for column, expected in (
        ("torch.nn.functional", ["gelu", "softplus", "elu", "huber"]),
        ("keras.ops", ["elu", "gelu", "softplus", "huber"]),
    ):
        head = page.locator(f'#cells th[data-surface="{column}"]').first
        head.get_by_role("button").click()
        assert head.get_attribute("aria-sort") == "descending"
        assert order(page) == expected
    by.select_option("error")
    assert order(page) == ["elu", "gelu", "softplus", "huber"], "of the column that is chosen"
    head.get_by_role("button").click()
    assert order(page) == ["gelu", "softplus", "elu", "huber"]


def test_the_keyboard_is_enough(visit: Callable[..., Any], report: str) -> None:
    page = visit(report)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "search"
    assert page.locator('#cells tbody a[tabindex="0"]').count() == 1
    page.locator('#cells tbody a[tabindex="0"]').focus()
    focused = "document.activeElement.getAttribute('href')"
    assert page.evaluate(focused) == "#elu/keras.ops"
    for key in ("ArrowUp", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert page.evaluate(focused) == "#softplus/torch.nn.functional"
    page.keyboard.press("ArrowDown")
    assert page.evaluate(focused) == "#huber/torch.nn.functional"
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="huber on torch.nn.functional")
    dialog.wait_for()
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert page.evaluate(focused) == "#huber/torch.nn.functional"
    assert "#" not in page.url


def test_a_deep_link(visit: Callable[..., Any], report: str) -> None:
    page = visit(f"{report}#gelu/torch.nn.functional/float32")
    dialog = page.get_by_role("dialog", name="gelu on torch.nn.functional")
    assert dialog.locator(".tabs [aria-current]").inner_text() == "float32"
    assert "1 known, 2 pass" in dialog.locator("header").inner_text()
    dialog.get_by_role("link", name="float16").click()
    page.wait_for_function("document.querySelector('.tabs [aria-current]').innerText === 'float16'")
    assert page.url.endswith("#gelu/torch.nn.functional/float16")
    page.evaluate("location.hash = '#gelu/keras.ops@keras-torch'")
    dialog = page.get_by_role("dialog", name="gelu on keras.ops")
    dialog.get_by_text("keras-torch 3.15.1").wait_for()
    assert "1 limited" in dialog.locator("header").inner_text()
    page.evaluate("location.hash = '#gelu/keras.ops'")
    dialog.get_by_text("keras 3.15.1").wait_for()
    page.evaluate("location.hash = '#nothing/torch.nn/%E0%A4'")
    page.wait_for_function("!document.querySelector('dialog').open")


def test_a_link_to_a_section_and_to_a_function(visit: Callable[..., Any], report: str) -> None:
    page = visit(f"{report}#unexpected", viewport={"width": 1280, "height": 500})
    heading = page.get_by_role("heading", name="Unexpected")
    page.wait_for_timeout(100)
    assert 0 <= heading.bounding_box()["y"] < 200
    page.evaluate("location.hash = '#gelu'")
    page.wait_for_function("document.activeElement.getAttribute('href') === '#gelu/keras.ops'")
    assert 0 <= page.locator("tr[data-function=gelu]").bounding_box()["y"] < 500


def test_a_failing_cell_in_detail(visit: Callable[..., Any], report: str) -> None:
    page = visit(report, permissions=["clipboard-read", "clipboard-write"])
    page.locator('#cells a[href="#gelu/torch.nn"]').click()
    dialog = page.get_by_role("dialog", name="gelu on torch.nn")
    text = dialog.inner_text()
    for part in (FAILURE, "123, where 8 is allowed", "want\n0.25", "got\n0.26", "input x\n[0.5]"):
        assert part in text
    assert "torch.nn.GELU()(x)" in text
    assert "keras.ops.gelu(x)" in dialog.locator(".elsewhere").inner_text()
    dialog.locator("#chosen .copy").click()
    dialog.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == SCRIPT
    plot = dialog.get_by_role("img")
    said = plot.locator("desc").text_content()
    assert "float16: at most 246 ULP, for x in (−2³, −2²]" in said
    assert "float32: at most 2 ULP, for x in [2², 2³)" in said
    assert plot.locator("circle").count() == 8
    assert plot.locator("circle.over").count() == 1
    dialog.get_by_text("The plot as a table").click()
    assert "1 of 4" in dialog.locator("figure table").inner_text()
    dialog.get_by_title("value, float32: pass").click()
    assert "GELU · float32 · value" in dialog.locator("#chosen").inner_text()


def test_a_known_cell_in_detail(visit: Callable[..., Any], report: str) -> None:
    page = visit(f"{report}#gelu/torch.nn.functional")
    dialog = page.get_by_role("dialog")
    assert dialog.locator("article.known").first.locator(".reason").inner_text() == "bug"
    assert dialog.get_by_text("The tail is lost, as erf is.").is_visible()
    link = dialog.get_by_role("link", name="https://example.org/1")
    assert link.get_attribute("rel") == "noopener noreferrer"
    dialog.get_by_text("Script that shows it").click()
    assert dialog.get_by_text("print('tail')").is_visible()
    conventions = dialog.get_by_role("region", name="At the edges of the domain")
    assert "special\tsubnormals become 0\tfloat32" in conventions.inner_text()


def test_differences(visit: Callable[..., Any], report: str) -> None:
    page = visit(f"{report}#differences/torch.nn.functional/keras.ops")
    found = page.locator("#differ-list tbody tr")
    texts = {line.locator("th").inner_text(): line.inner_text() for line in found.all()}
    assert "differ" in texts["gelu"]
    assert "torch-tail" in texts["gelu"]
    assert "agree under a mapping" in texts["huber"]
    assert "delta: 1.0 ↔ 2.0" in texts["huber"]
    assert "result: unreduced ↔ the mean over the last axis" in texts["huber"]
    assert "missing" in texts["softplus"]
    assert "not offered" in texts["softplus"]
    page.evaluate("location.hash = '#differences/torch.nn.functional/torch.nn'")
    page.locator("#differ-list").get_by_text("agree exactly 1").wait_for()
    page.locator("#differ-list").get_by_role("button", name="agree exactly").click()
    assert found.count() == 1
    assert "error at most 2 and 0.1" in found.inner_text()
    assert "Of each function the two callables that agree best" in page.content()


def test_all_measurements(visit: Callable[..., Any], report: str) -> None:
    page = visit(report)
    table = page.locator("#rows")
    table.scroll_into_view_if_needed()
    table.get_by_text("1–13 of 13 measurements").wait_for()
    table.get_by_label("Search the measurements").fill("gelu float16")
    table.get_by_text("1–2 of 2 measurements, out of 13").wait_for()
    table.get_by_role("button", name="error").click()
    assert "123" in table.locator("tbody tr").first.inner_text()
    table.get_by_role("button", name="Worst case and reproducer").first.click()
    assert SCRIPT in table.locator("pre").inner_text()


def background(page: Any) -> list[int]:
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return [int(part) for part in colour.strip("rgb()").split(",")]


def test_light_and_dark(visit: Callable[..., Any], report: str) -> None:
    dark = visit(report, color_scheme="dark")
    assert max(background(dark)) < 60
    dark.get_by_role("button", name="Light theme").click()
    assert min(background(dark)) > 200
    light = visit(report, color_scheme="light")
    assert min(background(light)) > 200
    contrast = """() => [...document.querySelectorAll("#cells tbody a")].map((a) => {
        const light = (c) => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
        const [x, y] = [getComputedStyle(a).color, getComputedStyle(a).backgroundColor].map(light).sort((p, q) => q - p);
        return (x + 0.05) / (y + 0.05);
    })"""
    for page in (visit(report, color_scheme="dark"), light):
        assert min(page.evaluate(contrast)) > 4.5


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def test_it_prints_and_fits_a_phone(visit: Callable[..., Any], report: str) -> None:
    page = visit(report, viewport={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.emulate_media(media="print")
    assert not page.locator("#filters").is_visible()
    assert page.locator("#cells").is_visible()
    table = page.pdf()
    page.evaluate("location.hash = '#gelu/torch.nn'")
    page.get_by_role("dialog").wait_for()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#printed").get_by_text(FAILURE).first.is_visible()
    assert not page.locator("#cells").is_visible()
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    detail = page.pdf()
    assert table.startswith(b"%PDF")
    assert 1 < pages(detail) != pages(table)
    assert page.locator("#printed").count() == 0


def test_hostile_text_stays_text(visit: Callable[..., Any], tmp_path: Path) -> None:
    every: list[dict[str, Any]] = []
    texts: dict[str, list[dict[str, str]]] = {name: [] for name in KEPT}
    hostile = [*HOSTILE, "a/b@c#d%2F?e", "__proto__"]
    for text in hostile:
        names = dict.fromkeys(("function", "framework", "surface", "callable", "dtype"), text)
        worst = json.dumps({text: text})
        every += [
            row(**names, version=text, mode=f"{v} {text}", verdict=v, reproducer=text, worst=worst)
            | {"note": f"[{text}] {text}\n{text}", "aspect": "special" if v == "pass" else "value"}
            for v in VERDICTS
        ]
        for name, columns in KEPT.items():
            texts[name].append(dict.fromkeys(columns, text))
        texts["calls"][-1] |= {"dialect": "{}", "defaults": json.dumps({text: text})}
        texts["curves"][-1] |= {"aspect": "value", "bins": "0 2^1", "ulp": "1 2", "allowed": "8 8"}
    environment = {text: text for text in hostile}
    page = visit(made(tmp_path, every, texts, created=hostile[0], **environment))
    scripts = page.locator("script").count()
    for place, text in enumerate(sorted(hostile)):
        page.locator("#cells tbody a").nth(place).click()
        assert text in page.locator("dialog[open] h2 code").first.text_content()
        assert text in page.locator("dialog .code code").first.text_content()
        for summary in page.locator("dialog summary").all():
            summary.click()
        page.keyboard.press("Escape")
    page.locator("#differences").scroll_into_view_if_needed()
    page.locator("#differ-list table").wait_for()
    assert page.locator("script").count() == scripts == 2
    assert page.locator("img").count() == 0


def test_fifteen_thousand_rows_fit_into_five_megabytes(tmp_path: Path) -> None:
    draw = random.Random(0)
    every = []
    for i in range(15_000):
        numbers = [draw.uniform(-9, 9) for _ in range(12)]
        every.append(
            row(function=f"f{i % 82}", surface=f"s{i // 82 % 17}", callable=f"c{i // 1394}")
            | {"error": draw.expovariate(1), "max_ulp": draw.expovariate(1)}
            | {"worst": json.dumps({"inputs": {"x": numbers}, "want": numbers[0]})}
            | {
                "reproducer": f"import torch\nprint(torch.nn.functional.gelu(torch.tensor({numbers})))"
            }
        )
    path = Path(made(tmp_path, every, {}).removeprefix("file://"))
    assert len(load(tmp_path).table) == 15_000
    assert path.stat().st_size < 5e6


def test_a_comparison(visit: Callable[..., Any], tmp_path: Path) -> None:
    import pandas as pd

    for side in ("old", "new"):
        made(tmp_path / side, rows(), {})
    old, new = (load(tmp_path / side) for side in ("old", "new"))
    one = {column: "" for column in CHANGED} | {
        **{c: rows()[0][c] for c in ("framework", "surface", "function", "callable", "dtype")},
        **dict.fromkeys(("results", "of", "ulp"), 1.0),
        **dict.fromkeys(("error_old", "error_new", "ulp_error_old", "ulp_error_new"), math.nan),
        **{"change": "regressed", "what": "pass → fail", "detail": HOSTILE[0]},
    }
    table = pd.DataFrame([one, {**one, "change": "drifted"}], columns=[*CHANGED])
    path = tmp_path / "comparison.html"
    path.write_text(comparison_html(Comparison(old, new, table, 10)), encoding="utf-8")
    page = visit(path.as_uri(), ready=False)
    cell = page.locator(".matrix tbody a")
    assert cell.get_attribute("title") == "gelu · torch.nn.functional: 1 regressed, 1 drifted"
    assert page.locator(".matrix .same").count() == 3
    cell.click()
    assert page.url.endswith("#regressed-1")
    assert HOSTILE[0] in page.locator("tr:target").inner_text()
    assert page.locator("script").count() == 0
