"""The documents: what they show is run, what they promise exists, what they link to is there."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.S | re.M)


def prose(path: Path) -> str:
    """The text without its fenced and indented code."""
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.S | re.M)
    return re.sub(r"^    .*$", "", text, flags=re.M)


def run(*command: str, path: Path | str, cwd: Path) -> str:
    """The output of ``python -m …`` with ``path`` first on the import path."""
    environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTEST_XDIST_WORKER", None)
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


# -- examples ----------------------------------------------------------------------------------------


def sessions() -> list[Any]:
    """The documents with sessions, each about the framework that it uses."""
    texts = {path: "\n".join(blocks(path, "pycon")) for path in DOCUMENTS}
    used = pytest.mark.framework("torch")
    return [
        pytest.param(path, id=path.name, marks=[used] if 'adapter("torch")' in text else [])
        for path, text in texts.items()
        if text
    ]


@pytest.mark.parametrize("path", sessions())
def test_sessions_print_what_they_show(path: Path) -> None:
    text = "\n".join(blocks(path, "pycon"))
    session = doctest.DocTestParser().get_doctest(text, {}, path.name, str(path), 0)
    said: list[str] = []
    doctest.DocTestRunner(optionflags=FLAGS).run(session, out=said.append)
    assert not said, "".join(said)


def edited(root: Path, block: str) -> None:
    """Make the edit that a block describes in its first line: ``# FILE`` or ``# FILE, LIST``."""
    head, body = block.split("\n", 1)
    name, _, where = head.removeprefix("# ").partition(", ")
    text = (root / name).read_text("utf-8")
    if where:
        opening = rf'^{where}\b[^\n]*= (?:surface\(\n\s*"[^"]*",\n\s*\[|\{{)\n'
        found = re.search(opening, text, re.M)
        assert found, head
        text = text[: found.end()] + body + text[found.end() :]
    else:
        text = f"{text.rstrip()}\n\n\n{body}"
    (root / name).write_text(text, "utf-8")


@pytest.mark.slow
@pytest.mark.framework("torch", "tensorflow", "keras")
def test_the_function_of_the_example_can_be_added(tmp_path: Path) -> None:
    root = tmp_path / "nnconform"
    for folder in ("reference", "adapters", "conformance", "reports", "tests"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    guide = ROOT / "docs" / "add-a-function.md"
    for block in [*blocks(guide, "python"), *blocks(guide, "toml")]:
        edited(root, block)
    said = run("nnconform", "certify", "arcsinh", "--reduced", path=tmp_path, cwd=root)
    assert "It holds" in said
    run("pytest", "-q", "tests/test_oracle.py", "-k", "arcsinh", path=tmp_path, cwd=root)
    measured = ("--pyargs", "nnconform.conformance", "--functions", "arcsinh")
    said = run(
        *("pytest", "-q", "-p", "no:cacheprovider", *measured),
        *("--dtypes", "float32", "--hypothesis-profile", "nnconform-quick"),
        path=tmp_path,
        cwd=tmp_path,
    )
    rows = [line.split() for line in said.splitlines() if " keras.ops " in line]
    counts = dict(zip(("known", "limited", "unsupported", "pass"), rows[0][-4:], strict=True))
    assert counts["known"] == "1", said
    assert {"torch", "tf.math"} <= {word for line in said.splitlines() for word in line.split()}


def template(folder: Path) -> Path:
    """The template of an adapter, as pip would install it."""
    shutil.copytree(ROOT / "examples" / "adapter-template", folder, dirs_exist_ok=True)
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    name, version = project["name"], project["version"]
    information = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8"
    )
    points = project["entry-points"]["nnconform.adapters"]
    lines = ["[nnconform.adapters]", *(f"{key} = {value}" for key, value in points.items())]
    (information / "entry_points.txt").write_text("\n".join(lines), "utf-8")
    return folder


@pytest.mark.slow
def test_the_template_judges_as_the_guide_shows(tmp_path: Path) -> None:
    guide = ROOT / "docs" / "add-a-framework.md"
    path = os.pathsep.join([str(template(tmp_path / "template")), *map(str, sys.path)])
    command = next(line for line in blocks(guide, "sh")[0].splitlines() if "pytest" in line)
    said = run(
        *command.split()[2:],
        *("-q", "-p", "no:cacheprovider"),
        path=path,
        cwd=tmp_path,
    )
    shown = [line.split() for line in blocks(guide, "text")[0].splitlines()]
    got = [line.split() for line in said.splitlines()]
    assert all(row in got for row in shown), said
    (code,) = blocks(guide, "python")
    module = tmp_path / "template" / "nnconform_myframework" / "__init__.py"
    assert code in module.read_text("utf-8")


@pytest.mark.slow
def test_the_template_certifies_its_adapter(tmp_path: Path) -> None:
    folder = template(tmp_path / "template")
    path = os.pathsep.join([str(folder), *map(str, sys.path)])
    options = ("-q", "-p", "no:cacheprovider", "--import-mode=importlib", "--rootdir", str(folder))
    said = run("pytest", *options, str(folder / "tests"), path=path, cwd=tmp_path)
    assert re.search(r"\b8 passed", said), said


# -- promises ----------------------------------------------------------------------------------------


def commands() -> tuple[str, str]:
    """The README's two commands: the main job and the tests."""
    lines = [b.strip() for b in blocks(ROOT / "README.md", "sh") if "python3 -m venv" in b]
    assert len(lines) == 2, lines
    return lines[0], lines[1]


def test_the_two_commands_name_what_exists() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    for command in commands():
        (extras,) = re.findall(r'"\.\[([\w,]+)\]"', command)
        for extra in extras.split(","):
            assert re.search(rf"^{extra} = \[", pyproject, re.M)
        for constraints in re.findall(r"-c (\S+)", command):
            assert (ROOT / constraints).is_file()
    assert commands()[1] in (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def test_ci_calls_the_second_command() -> None:
    script = ROOT / ".ci" / "run"
    if not script.is_file():
        pytest.skip("no .ci/run here")
    asked = re.search(r"\$\(readme_command '([^']+)'\)", script.read_text("utf-8"))
    assert asked
    readme = (ROOT / "README.md").read_text("utf-8")
    assert re.findall(rf"^python3 .*{asked[1]}$", readme, re.M) == [commands()[1]]


def test_every_field_of_a_record_is_explained() -> None:
    from nnconform.conformance.divergences import _NUMPY, Record

    text = (ROOT / "docs" / "divergences.md").read_text("utf-8")
    table = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    named = set(re.findall(r"`(\w+)`", table))
    assert {f.name for f in fields(Record) if not f.name.startswith("_")} <= named
    assert " ".join(_NUMPY) in " ".join(text.split())


def test_every_column_verdict_and_aspect_is_explained() -> None:
    from nnconform.reports.table import COLUMNS, ORDERS, VERDICTS

    text = (ROOT / "docs" / "reading-the-table.md").read_text("utf-8")
    first = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = re.findall(r"`(\w+)`", " ".join(first))
    assert [n for n in named if n in VERDICTS] == list(VERDICTS)
    assert {*COLUMNS, *ORDERS["aspect"]} <= set(named)


def test_options_that_are_shown_exist() -> None:
    shown = {
        option
        for path in DOCUMENTS
        for line in "\n".join(blocks(path, "sh")).splitlines()
        if "nnconform.conformance" in line
        for option in re.findall(r"--[\w-]+", line)
    }
    known = run("pytest", "--help", path=ROOT / "docs", cwd=ROOT)
    known += "--junitxml"  # an alias that the help does not show
    assert {o for o in shown if o not in known} == set()


@each_document
def test_links_resolve(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if not re.match(r"https?://|mailto:", target):
            assert (path.parent / target.partition("#")[0]).exists(), target


@each_document
def test_files_that_are_named_exist(path: Path) -> None:
    named = re.findall(
        r"`((?:reference|adapters|conformance|reports|tests|docs|benchmarks)/[\w./]*)`", prose(path)
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


@each_document
def test_no_path_of_one_machine(path: Path) -> None:
    assert not re.search(r"(?<![\w.])/(?:work|opt|home|root|tmp|Users)/", path.read_text("utf-8"))


def test_the_workflow_runs_commands_that_exist() -> None:
    """`docs/nnconform.yml` is YAML with the keys of a workflow; each of its commands parses."""
    import click

    from nnconform.conformance.cli import cli

    yaml = pytest.importorskip("yaml")
    workflow = yaml.safe_load((ROOT / "docs" / "nnconform.yml").read_text("utf-8"))
    assert {"name", "permissions", "jobs"} <= set(workflow)
    steps = workflow["jobs"]["compare"]["steps"]
    assert all(("run" in step) != ("uses" in step) for step in steps)
    text = "\n".join(step.get("run", "") for step in steps)
    commands = [line.split("||")[0].split() for line in text.splitlines() if "nnconform " in line]
    assert [words[1] for words in commands] == ["run", "compare", "compare", "compare"]
    written, named = set(), set()
    for _, name, *arguments in commands:
        command = cli.commands[name]
        given = command.make_context(name, arguments, resilient_parsing=False).params
        written |= {str(given["out"])} if given["out"] else set()
        named |= {str(given[n]) for n in ("old", "new") if n in given}
        assert isinstance(command, click.Command)
    assert named == {"baseline", "run"}
    assert {"run", "comment.md", "comparison.html"} <= written | named
    assert "--body-file comment.md" in text


def test_kinds_of_change_and_columns_are_explained() -> None:
    from nnconform.conformance.answers import CONVENTIONS
    from nnconform.reports.comparison import CHANGES, COLUMNS, FORMATS

    text = (ROOT / "docs" / "compare.md").read_text("utf-8")
    first = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    named = re.findall(r"`([^`]+)`", " ".join(first))
    assert [n for n in named if n in CHANGES] == list(CHANGES)
    assert {*CONVENTIONS, *FORMATS} <= set(named)
    assert set(COLUMNS) <= set(re.findall(r"`(\w+)`", text))
