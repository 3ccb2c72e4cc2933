"""The command line. What a command needs is imported when it runs, so that help is at once there."""

from __future__ import annotations

import ast
import difflib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import __version__

if TYPE_CHECKING:
    from ..reports.comparison import Comparison
    from ..reports.table import Run
    from .driver import Progress, Worker

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its status."""
    try:
        status = cli.main(
            None if arguments is None else list(arguments),
            prog_name="nnconform",
            standalone_mode=False,
        )
    except click.ClickException as error:
        click.echo(f"nnconform: {' '.join(error.format_message().split())}", err=True)
        status = 2
    except (click.Abort, KeyboardInterrupt):
        status = INTERRUPTED
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        status = 0
    sys.exit(status)


class _Commands(click.Group):
    """A group that names the commands nearest to one that there is not."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            known = list(self.commands)
            near = difflib.get_close_matches(args[0], known, cutoff=0.5) or known
            ctx.fail(f"No such command {args[0]!r}; nearest: {', '.join(near)}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="nnconform")
@click.pass_context
def cli(context: click.Context) -> None:
    """Do a framework's losses and activations compute what they are documented to compute?"""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def _selection(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what is judged."""
    for option in (
        click.option(
            "--device",
            default="cpu",
            show_default=True,
            metavar="NAME",
            help="cpu, cuda, cuda:1, …",
        ),
        click.option("--modes", metavar="NAMES", help="eager,graph,compiled  [default: eager]"),
        click.option("--dtypes", metavar="NAMES", help="float16,bfloat16,float32,float64"),
        click.option("--functions", metavar="PATTERNS", help="For example: 'gelu,*entropy*'"),
        click.option("--frameworks", metavar="NAMES", help="For example: torch,keras"),
    ):
        command = option(command)
    return command


def _effort(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how it is judged."""
    for option in (
        click.option(
            "--jobs", type=click.IntRange(1), metavar="N", help="Processes at once. [default: CPUs]"
        ),
        click.option(
            "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the search."
        ),
        click.option(
            "--profile",
            type=click.Choice(["quick", "default", "deep"]),
            default="default",
            show_default=True,
            help="How long to search beyond the corpus.",
        ),
    ):
        command = option(command)
    return command


def _changes(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of commands that show what changed."""
    for option in (
        click.option(
            "--format",
            "form",
            type=click.Choice(["text", "markdown", "json", "html", "github"]),
            default="text",
            show_default=True,
        ),
        click.option(
            "--fail-on",
            metavar="CHANGES",
            default="",
            help="Also fail on: drifted,convention,api",
        ),
    ):
        command = option(command)
    return command


@contextmanager
def _wrong_usage(*errors: type[Exception]) -> Iterator[None]:
    """Errors that are the user's to correct become one line and exit status 2."""
    try:
        yield
    except errors as error:
        raise click.UsageError(str(error)) from None


@cli.command("list")
@click.option("--functions", metavar="PATTERNS", help="For example: 'gelu,*entropy*'")
@click.option("--frameworks", metavar="NAMES", help="For example: torch,keras")
@click.option("--parameters", is_flag=True, help="How each surface is given each parameter.")
def list_(frameworks: str | None, functions: str | None, parameters: bool) -> None:
    """Functions × surfaces, and how many callables each has there; or their parameters."""
    from ..adapters import adapter
    from ..reference import catalogue
    from .selection import UsageError, match_frameworks, match_functions, originals

    counts: dict[str, dict[str, int]] = {}
    with _wrong_usage(UsageError):
        names, named = match_functions(functions), match_frameworks(frameworks)
    known = []
    for framework in named:
        try:
            known.append(adapter(framework))
        except ValueError as error:
            click.echo(f"nnconform: {error}", err=True)
    if parameters:
        from ..reports.parameters import parameters_markdown
        from .parameters import left_out, reach

        table = reach(originals(known))
        table = table[table["function"].isin(names)]
        click.echo(parameters_markdown(table, left_out(originals(known))), nl=False)
        return
    for one in originals(known):
        for binding in one.bindings:
            if binding.function in names:
                of = counts.setdefault(binding.surface.name, {})
                of[binding.function] = of.get(binding.function, 0) + 1

    width = max(map(len, names)) + 3
    for place, surface in enumerate(counts):
        click.echo(" " * width + "│ " * place + surface)
    for kind in ("activation", "loss"):
        shown = [n for n, f in catalogue().items() if n in names and f.kind == kind]
        if shown:
            click.echo(kind.ljust(width) + " ".join("│" * len(counts)))
        for name in shown:
            cells = (str(counts[surface].get(name, "·")) for surface in counts)
            click.echo(f"  {name}".ljust(width) + " ".join(cells))


@cli.command()
@_selection
@_effort
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="nnconform-run",
    show_default=True,
    help="The run folder; an earlier run in it is replaced.",
)
@click.option(
    "--python",
    metavar="PATH",
    default=sys.executable,
    help="Judge the environment of this interpreter, where nnconform need not be installed.",
)
def run(**options: Any) -> int:
    """Judge the installed frameworks and write the run folder.

    Exit status: 0 nothing unexpected, 1 something failed, 2 wrong usage.
    """
    from . import driver
    from .selection import UsageError

    with _wrong_usage(UsageError), _progress() as progress:
        try:
            measured = driver.run(**options, progress=progress)
        except driver.Interrupted as interrupted:
            measured, status = interrupted.run, INTERRUPTED
        else:
            status = driver.exit_status(measured)
    _show(measured)
    return status


@cli.command()
@click.argument("versions", metavar="OLD NEW [MORE]...", nargs=-1, required=True)
@click.option(
    "--python",
    multiple=True,
    metavar="PATH",
    help="The interpreter that environments are made with: one, or one for each version.",
)
@click.option(
    "--with", "extra", multiple=True, metavar="PIN", help="Installed on every side, not judged."
)
@click.option("--functions", metavar="PATTERNS", help="For example: 'gelu,*entropy*'")
@click.option("--dtypes", metavar="NAMES", help="float16,bfloat16,float32,float64")
@_effort
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="nnconform-upgrade",
    show_default=True,
    help="A folder for the runs, one folder each.",
)
@_changes
@click.option(
    "--bisect", metavar="FUNCTION", help="The first release between OLD and NEW that changed it."
)
def upgrade(
    versions: Sequence[str],
    python: Sequence[str],
    extra: Sequence[str],
    out: Path,
    form: str,
    fail_on: str,
    bisect: str | None,
    functions: str | None,
    **options: Any,
) -> int:
    """What changed from one version to the next: 'keras==3.9.2' 'keras==3.15.1'.

    Environments are made with uv where there is uv, else with venv and pip, and kept. Each side is
    judged as `run` does. Several pins of a side are separated by commas: 'jax==0.6.2,jaxlib==0.6.2'.

    Exit status: 0 nothing got worse, 1 something did, 2 wrong usage, or a side could not be judged.
    """
    from . import upgrade as upgrades
    from .selection import UsageError

    began = time.monotonic()

    def tell(line: str) -> None:
        click.echo(
            line if line[:1] == " " else f"{time.monotonic() - began:5.0f} s  {line}", err=True
        )

    with _wrong_usage(UsageError):
        stricter = _strict(fail_on)
        how = upgrades.Options(functions, **options)
        if bisect is None:
            made = upgrades.upgrade(
                versions, python=python, extra=extra, options=how, out=out, tell=tell
            )
        else:
            if len(versions) != 2 or functions or len(python) > 1:
                raise UsageError(
                    "--bisect takes OLD and NEW, its own FUNCTION, and one --python at most"
                )
            found = upgrades.bisect(
                versions[0],
                versions[1],
                bisect,
                python=python[0] if python else None,
                extra=extra,
                options=how,
                out=out,
                tell=tell,
            )
            click.echo(found.render(form, stricter), nl=False)
            return found.status(stricter)
    click.echo(made.render(form, stricter), nl=False)
    for side, failure in made.failures.items():
        click.echo(f"nnconform: {side}: {failure}", err=True)
    return made.status(stricter)


@cli.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "markdown", "latex", "parquet"]),
    help="Print the table in this format instead.",
)
@click.option(
    "--columns", metavar="NAMES", default="", help="Of that table: function,dtype,verdict."
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write it there.")
def report(folder: Path, form: str | None, columns: str, out: Path | None) -> int:
    """The reports of a run again, from its tables alone; or its table, in another format.

    Exit status: that of the run, 0 nothing unexpected, 1 something failed; 2 wrong usage.
    """
    from ..reports import RunError, load, write_reports
    from ..reports.export import export
    from ..reports.table import incomplete
    from .driver import exit_status

    if form is None and (columns or out):
        raise click.UsageError(f"{'--columns' if columns else '--out'} goes with --format")
    if form == "parquet" and out is None:
        raise click.UsageError("--format parquet needs --out FILE: it is no text")
    with _wrong_usage(RunError):
        measured = load(folder)
        if form is not None:
            named = [name for part in columns.split(",") if (name := part.strip())]
            content = export(measured.table, form, named)
    with _wrong_usage(OSError, RunError):
        if form is None:
            write_reports(measured)
        elif out is not None:
            out.write_bytes(content)
            click.echo(f"written: {out}", err=True)
        else:
            click.echo(content, nl=False)
    for framework, status in incomplete(measured).items():
        click.echo(f"nnconform: {framework}: {'; '.join(status.splitlines())}", err=True)
    if form is None:
        _show(measured)
    return exit_status(measured)


@cli.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path), required=False)
@click.option(
    "--modes", metavar="A,B", help="OLD's results in mode A with NEW's, or OLD's own, in mode B."
)
@_changes
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write it there.")
def compare(
    old: Path, new: Path | None, modes: str | None, fail_on: str, form: str, out: Path | None
) -> int:
    """What changed between two runs: folders that run or baseline made. Or between two modes.

    Exit status: 0 nothing regressed, 1 something did, or changed in a way named with --fail-on,
    2 wrong usage, or a run that was not made to its end.
    """
    from .comparison import compare
    from .selection import UsageError

    kinds = _strict(fail_on)
    with _wrong_usage(UsageError):
        named = None if modes is None else [part.strip() for part in modes.split(",")]
        found = compare(old, new, modes=named)
    return show_comparison(found, form, kinds, out)


@cli.command()
@click.argument("function", required=False)
@click.option(
    "--from", "here", metavar="SURFACES", help="Or a framework: torch.nn.functional, keras"
)
@click.option("--to", "there", metavar="SURFACES", help="The same, of the other side.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
)
@click.option(
    "--run",
    "measured",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Add what a run measured.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the guides of all functions there, a page for every pair of surfaces.",
)
@click.option("--check", is_flag=True, help="Only say which pages in --out are out of date.")
def explain(
    function: str | None,
    here: str | None,
    there: str | None,
    form: str,
    measured: Path | None,
    out: Path | None,
    check: bool,
) -> int:
    """How a call of FUNCTION is written on another surface, and what stays different.

    Everything it says is measured while it runs, with the frameworks that are installed. Without
    --from and --to: what the function is, and how every surface calls it. Exit status: 0, 1 where
    --check finds pages that are out of date, 2 wrong usage.
    """
    from ..reports import RunError, load
    from .porting import explanation
    from .selection import UsageError

    if (function is None) == (out is None):
        raise click.UsageError("explain takes a FUNCTION, or --out DIR for the guides of all")
    if check and out is None:
        raise click.UsageError("--check needs --out DIR, whose pages it reads")
    with _wrong_usage(UsageError, RunError, OSError):
        if out is not None:
            return explanation.write_guides(
                out, check=check, tell=lambda line: click.echo(line, err=True)
            )
        run = load(measured) if measured else None
        assert function is not None
        made = explanation.explain(function, here, there, run)
    _show_text(made, form)
    return 0


def _show_text(made: Any, form: str) -> None:
    """Print a guide: rendered on a terminal, as Markdown, or as JSON."""
    import json

    from ..reports.porting import function_markdown, function_terminal

    if form == "json":
        click.echo(json.dumps(made, ensure_ascii=False, indent=1))
    elif form == "markdown":
        click.echo(function_markdown(made), nl=False)
    else:
        from rich.console import Console

        function_terminal(made, Console())


@cli.command()
@click.option("--from", "here", metavar="SURFACES", default="torch", show_default=True)
@click.option("--to", "there", metavar="SURFACES", default="keras", show_default=True)
@click.option("--functions", metavar="PATTERNS", help="For example: 'gelu,*entropy*'")
@click.option("--dtype", metavar="NAME", default="float32", show_default=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "markdown"]),
    default="text",
    show_default=True,
)
def tolerances(here: str, there: str, functions: str | None, dtype: str, form: str) -> None:
    """The rtol and atol with which two surfaces agree, and what habitual ones hide.

    Measured under the best mapping, over the corpus and a search, at ordinary magnitudes (a few
    units) and over the whole range.
    """
    from .porting import explanation
    from .selection import UsageError

    with _wrong_usage(UsageError):
        table = explanation.tolerances(here, there, functions, dtype)
    from ..reports.porting import tolerances_markdown, tolerances_terminal

    if form == "csv":
        click.echo(table.to_csv(index=False, lineterminator="\n"), nl=False)
    elif form == "markdown":
        click.echo(tolerances_markdown(table), nl=False)
    else:
        from rich.console import Console

        tolerances_terminal(table, Console())


def _strict(text: str) -> list[str]:
    """The changes named in ``--fail-on``."""
    from ..reports.comparison import STRICT

    kinds = list(filter(None, (part.strip() for part in text.split(","))))
    for kind in kinds:
        if kind not in STRICT:
            raise click.UsageError(f"--fail-on: unknown {kind!r}; accepted: {','.join(STRICT)}")
    return kinds


def show_comparison(
    found: Comparison, form: str = "text", fail_on: Sequence[str] = (), out: Path | None = None
) -> int:
    """Print a comparison, or write it to a file; the exit status that it makes."""
    from rich.console import Console

    from ..reports.comparison import comparison_terminal, render

    if out is not None:
        with _wrong_usage(OSError):
            out.write_text(render(found, form, fail_on), encoding="utf-8")
        click.echo(found.headline)
        click.echo(f"written: {out}", err=True)
    elif form == "text":
        comparison_terminal(found, Console())
    else:
        click.echo(render(found, form, fail_on), nl=False)
    for side, status in found.incomplete.items():
        click.echo(f"nnconform: {side} was not judged to the end: {status}", err=True)
    return found.status(fail_on)


@cli.command()
@click.argument("source", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def baseline(source: Path, folder: Path) -> None:
    """Keep of a run what a comparison needs, small enough to be committed.

    An earlier baseline in DIR is replaced.
    """
    from .baseline import baseline
    from .selection import UsageError

    with _wrong_usage(UsageError):
        made = baseline(source, folder)
    size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
    click.echo(f"{made}: {size / 1e6:.1f} MB")


@cli.command()
@click.argument("functions", metavar="[FUNCTION]...", nargs=-1)
@click.option("--reduced", is_flag=True, help="About a tenth of the points, as CI does.")
@click.option(
    "--jobs", type=click.IntRange(1), metavar="N", help="Processes at once. [default: CPUs]"
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder for certificate.csv and certificate.md.",
)
def certify(functions: Sequence[str], reduced: bool, jobs: int | None, out: Path | None) -> int:
    """The oracle against rigorous enclosures: FUNCTIONs (names or patterns), or all of them.

    Needs the extra certify (python-flint). Exit status: 0 it holds, 1 it does not, 2 wrong usage.
    """
    from rich.console import Console

    from ..reference import catalogue
    from ..reports.certificate import certificate_terminal, write_certificate
    from .enclosures import available
    from .environment import processors
    from .selection import UsageError, match_functions

    with _wrong_usage(UsageError):
        wanted = match_functions(",".join(functions) or None)
    names = [name for name in catalogue() if name in wanted]
    if not available():
        raise click.UsageError("certify needs python-flint: pip install 'nnconform[certify]'")
    from .certificate import certify

    began, done = time.monotonic(), 0

    def tell(name: str) -> None:
        nonlocal done
        done += 1
        seconds = time.monotonic() - began
        click.echo(f"{seconds:5.0f} s  {name} ({done} of {len(names)})", err=True)

    workers = min(jobs or processors(), len(names))
    table = certify(names, reduced=reduced, jobs=workers, progress=tell)
    certificate_terminal(table, Console())
    if out is not None:
        with _wrong_usage(OSError):
            for path in write_certificate(table, out):
                click.echo(f"written: {path}", err=True)
    return 0 if bool(table["holds"].all()) else 1


@cli.command()
@click.option("--frameworks", metavar="NAMES", help="For example: torch,keras")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="A folder for audit.csv."
)
def audit(frameworks: str | None, out: Path | None) -> int:
    """Public losses and activations, and their parameters, that the catalogue does not cover.

    Exit status: 0 all are bound or left out with a reason, 1 some are not, 2 wrong usage.
    """
    from .audit import audit, unexpected
    from .selection import UsageError, installed, match_frameworks, originals

    with _wrong_usage(UsageError, RuntimeError):
        chosen = originals(installed(match_frameworks(frameworks)))
        table = audit([one.name for one in chosen])
    if out is not None:
        with _wrong_usage(OSError):
            out.mkdir(parents=True, exist_ok=True)
            table.to_csv(out / "audit.csv", index=False, lineterminator="\n")
        click.echo(f"written: {out / 'audit.csv'}", err=True)
    found = unexpected(table)
    for (framework, version, surface), rows in found.groupby(
        ["framework", "version", "surface"], sort=False
    ):
        click.echo(f"{surface} ({framework} {version})")
        for status in ("missing", "uncovered"):
            if named := list(rows.loc[rows["status"] == status, "callable"]):
                click.echo(f"  {status}: {' '.join(named)}")
        for row in rows[rows["unreached"] != ""].itertuples():
            click.echo(f"  {row.callable}: parameters that no binding reaches: {row.unreached}")
    counts = table["status"].value_counts()
    said = ", ".join(f"{counts[s]:,} {s}" for s in counts.index)
    unreached = int((table["unreached"] != "").sum())
    click.echo(f"{len(table):,} public callables: {said}; {unreached:,} with parameters unreached.")
    return int(len(found) > 0)


@cli.command()
@click.argument("target", metavar="MODULE:FUNCTION")
@click.option("--like", metavar="NAME", help="What it should be, as `nnconform list` names it.")
@click.option("--kind", type=click.Choice(["loss", "activation"]), help="Where there is no --like.")
@click.option("--framework", metavar="NAME", help="torch, tensorflow, keras, jax or numpy.")
@click.option("--param", "params", metavar="NAME=VALUE", multiple=True, help="Of the oracle.")
@click.option("--reduction", metavar="NAME", help="What it promises: mean, sum, none, …")
@click.option("--dtypes", metavar="NAMES", help="float16,bfloat16,float32,float64")
@click.option("--nonnegative", is_flag=True, help="Claim that the loss is ≥ 0.")
@click.option("--zero-at-agreement", is_flag=True, help="Claim that input = target gives 0.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="For all the checks.",
)
def check(
    target: str,
    like: str | None,
    kind: str | None,
    params: Sequence[str],
    dtypes: str | None,
    timeout: float,
    **options: Any,
) -> int:
    """Check a loss or an activation of your own: module:function, or path/to/file.py:function.

    Exit status: 0 all checks hold, 1 one does not, 2 wrong usage.
    """
    from .checks.command import check
    from .selection import UsageError, match_dtypes

    if like is None and kind is None:
        raise click.UsageError("say --like NAME, or --kind loss or --kind activation")
    given: dict[str, Any] = {}
    for text in params:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.UsageError(f"--param {text!r}; accepted: NAME=VALUE")
        try:
            given[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            given[name] = value
    claims = {k: v for k, v in options.items() if v}
    with _wrong_usage(UsageError):
        if dtypes:
            claims["dtypes"] = match_dtypes(dtypes)
        return check(target, kind, {"like": like, "params": given, **claims}, timeout)


def _show(measured: Run) -> None:
    from rich.console import Console

    from ..reports import terminal

    terminal(measured, Console())


# -- progress ------------------------------------------------------------------------------------


@contextmanager
def _progress() -> Iterator[Progress]:
    """How a run goes on, on stderr: bars on a terminal, lines elsewhere."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[counts]}"),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def tell(what: str, worker: Worker) -> None:
            if what in ("skip", "crash") or (what == "end" and worker.status != "complete"):
                bars.console.print(_line(what, worker), markup=False, highlight=False)
            if what == "skip":
                return
            if worker.framework not in tasks:
                title = f"{worker.framework} {worker.version}"
                tasks[worker.framework] = bars.add_task(title, total=None, counts="")
            bars.update(
                tasks[worker.framework],
                completed=worker.done,
                total=worker.total or None,
                counts=_unexpected(worker),
            )

        yield tell


def _lines() -> Progress:
    began = time.monotonic()
    tenths: dict[str, int] = {}

    def tell(what: str, worker: Worker) -> None:
        if what == "row":
            tenth = 10 * worker.done // max(worker.total, 1)
            if tenth <= tenths.get(worker.framework, 0) or tenth >= 10:
                return
            tenths[worker.framework] = tenth
        click.echo(f"{time.monotonic() - began:5.0f} s  {_line(what, worker)}", err=True)

    return tell


def _line(what: str, worker: Worker) -> str:
    if what == "skip":
        return f"skipped: {worker.status}"
    title = f"{worker.framework} {worker.version}"
    if what == "start":
        return f"{title}: started"
    if what == "crash":
        return f"{title}: crash: {worker.crashed[-1]}"
    if what == "end" and worker.status != "complete":
        return f"{title}: cannot go on: {'; '.join(worker.status.splitlines())}"
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(worker.verdicts.items()))
    share = "done" if what == "end" else f"{worker.done} of {worker.total}"
    return f"{title}: {share}: {counts or 'nothing to measure'}"


def _unexpected(worker: Worker) -> str:
    from ..reports.table import UNEXPECTED

    bad = {v: n for v, n in sorted(worker.verdicts.items()) if v in UNEXPECTED}
    return ", ".join(f"{count} {verdict}" for verdict, count in bad.items())
