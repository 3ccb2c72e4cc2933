"""``nnconform check``: a function is imported and checked in a process of its own, which may die.

The parent starts ``python -m nnconform.conformance.checks.command`` with the request as JSON; a file
that both know tells it how far the child came.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...reference import catalogue
from ...reference.outcome import in_a_line
from ..selection import UsageError
from .api import Item
from .limits import OutOfTime, within
from .message import CheckFailed
from .trial import Trial
from .user import named

#: seconds that a child has to end by itself before it is killed
GRACE = 3.0


def check(target: str, kind: str | None, options: Mapping[str, Any], timeout: float) -> int:
    """Check ``module:function`` in another process; the exit status. Raises UsageError."""
    if not target.rpartition(":")[0] or not target.rpartition(":")[2]:
        raise UsageError(f"{target!r}: accepted: module:function or path/to/file.py:function")
    with tempfile.TemporaryDirectory(prefix="nnconform-") as folder:
        progress = Path(folder, "progress")
        request = {
            "target": target,
            "kind": kind,
            "options": {**options, "timeout": timeout},
            "progress": str(progress),
        }
        command = [sys.executable, "-P", "-m", __name__, json.dumps(request)]
        child = subprocess.Popen(command, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        try:
            return _followed(child, progress, target, timeout)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()


def _followed(child: subprocess.Popen[bytes], progress: Path, target: str, timeout: float) -> int:
    """Wait for the child as long as it may take; the exit status that it makes."""
    began, stage = time.monotonic(), ""
    while (status := child.poll()) is None:
        time.sleep(0.02)
        now = progress.read_text() if progress.exists() else ""
        if now != stage:
            began, stage = time.monotonic(), now
        if time.monotonic() - began > timeout + GRACE:
            child.kill()
            child.wait()
            if stage == "checking":
                print(f"{target}: did not answer within {timeout:g} seconds  [check: call]")
                return 1
            raise UsageError(f"{target}: cannot be imported within {timeout:g} seconds")
    stage = progress.read_text() if progress.exists() else ""
    if stage == "done":
        return status
    how = f"status {status}"
    if status < 0:
        how = signal.Signals(-status).name
    if stage == "checking":
        print(f"{target}: ended the process ({how}) when it was called  [check: call]")
        return 1
    raise UsageError(f"{target}: ended the process ({how}) when it was imported")


def load(target: str) -> Any:
    """The object that ``module:name`` or ``file.py:name`` names. Raises UsageError."""
    where, _, path = target.rpartition(":")
    try:
        if where.endswith(".py"):
            file = Path(where)
            if not file.is_file():
                raise UsageError(f"{where}: no such file")
            sys.path.insert(0, str(file.parent.absolute()))
            spec = importlib.util.spec_from_file_location(file.stem, file)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[file.stem] = module
            spec.loader.exec_module(module)
        else:
            sys.path.insert(0, str(Path.cwd()))
            module = importlib.import_module(where)
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{where} cannot be imported: {in_a_line(error)}") from None
    found: Any = module
    for name in path.split("."):
        if not hasattr(found, name):
            import difflib

            known = [n for n in dir(found) if not n.startswith("_")]
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"; nearest: {', '.join(near)}" if near else ""
            raise UsageError(f"{where} has no {path!r}{hint}")
        found = getattr(found, name)
    return found


def _child(request: Mapping[str, Any]) -> int:
    """Import and check; the exit status."""
    progress, options = Path(request["progress"]), dict(request["options"])
    timeout = options["timeout"]
    try:
        try:
            found = within(timeout, lambda: load(request["target"]))
        except OutOfTime:
            where = request["target"].rpartition(":")[0]
            raise UsageError(f"{where} cannot be imported within {timeout:g} seconds") from None
        like = options.get("like")
        kind = request["kind"] or getattr(catalogue().get(like or ""), "kind", "loss")
        item = Item(found, kind, options)
        assert isinstance(
            item.trial, Trial
        )  # what makes no sense is said before anything is called
        progress.write_text("checking")
        findings, _ = item.outcomes()
    except UsageError as error:
        print(f"nnconform: {' '.join(str(error).split())}", file=sys.stderr)
        progress.write_text("done")
        return 2
    if findings:
        others = tuple(dict.fromkeys(f.check for f in findings[1:]))
        print(CheckFailed(named(found), findings[0], others))
    else:
        print(f"{named(found)}: all checks hold")
    sys.stdout.flush()
    progress.write_text("done")
    return int(bool(findings))


if __name__ == "__main__":
    status = _child(json.loads(sys.argv[1]))
    sys.stdout.flush()
    os._exit(status)  # no thread of a framework, and nothing that hangs, keeps it
