"""What confines a worker process: it ends with its driver, and cannot take all memory."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time


def confine(gibibytes: float, parent: int) -> None:
    """Limit what this process may allocate, and tie its life to a parent's; 0 leaves either."""
    if gibibytes and sys.platform != "win32":
        import resource

        # what is written to, not address space: accelerators reserve terabytes of that
        limit, (_, most) = int(gibibytes * 2**30), resource.getrlimit(resource.RLIMIT_DATA)
        if most == resource.RLIM_INFINITY or limit < most:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
    if parent:
        _die_with(parent)


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        import ctypes

        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)
    else:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
