"""A time limit for code that may never return, in one process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any


class OutOfTime(BaseException):
    """The time is over. No ``except Exception`` of the code that hangs catches it."""


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """What ``work()`` returns or raises. Raises OutOfTime after that many seconds.

    In the main thread, where there are POSIX timers, the work is interrupted; elsewhere it goes on in
    a thread that nobody waits for.
    """
    main = threading.current_thread() is threading.main_thread()
    if main and hasattr(signal, "setitimer"):
        return _interrupted(seconds, work)
    return _abandoned(seconds, work)


def _interrupted(seconds: float, work: Callable[[], Any]) -> Any:
    def ring(number: int, frame: Any) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, ring)
    # again every second: what swallows one is interrupted once more
    left, every = signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        return work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            signal.setitimer(signal.ITIMER_REAL, left, every)


def _abandoned(seconds: float, work: Callable[[], Any]) -> Any:
    done: list[tuple[Any, BaseException | None]] = []

    def run() -> None:
        try:
            done.append((work(), None))
        except BaseException as error:
            done.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not done:
        raise OutOfTime
    returned, error = done[0]
    if error is not None:
        raise error
    return returned
