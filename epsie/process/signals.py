"""Signals that ask to stop or to save, at moments that must not be cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


def _known(*names: str) -> tuple[signal.Signals, ...]:
    """Those of some signals that this system has."""
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


STOP = _known("SIGINT", "SIGTERM", "SIGHUP", "SIGXCPU", "SIGALRM")
"""Signals to stop: from a person, a batch system, a terminal that is gone, or a limit of time."""

OFTEN_ONES_OWN = _known("SIGHUP", "SIGXCPU", "SIGALRM")
"""Those of `STOP` that are left alone if they do anything but end the process."""

REPEATED = _known("SIGXCPU")
"""Those of `STOP` that the system sends every second, and that mean nothing new then."""

SAVE = _known("SIGUSR1", "SIGUSR2")
"""Signals to save."""

SENT_TO_ALL = (*STOP, *SAVE)
"""Signals that may reach all processes of a job, as SLURM's do. The one that runs the chains
decides what they mean."""


def put_back(former: dict[int, Any], mine: Any) -> None:
    """Set the handlers that were there before `mine`, all of them.

    One that is back may be called, and raise, before the next one is: that is raised in the end.
    """
    # So those that cannot raise come first.
    numbers = sorted(former, key=lambda number: callable(former[number]), reverse=True)
    try:
        while numbers:
            if signal.getsignal(numbers[-1]) == mine:
                signal.signal(numbers[-1], former[numbers[-1]])
            numbers.pop()
    except BaseException:
        put_back({number: former[number] for number in numbers}, mine)
        raise


@contextmanager
def interrupt_deferred() -> Iterator[Callable[[], None]]:
    """Let a Ctrl-C that comes inside take effect at the end; all that stops and has a handler, too.

    It gives a function to call inside, where what came so far may take effect.
    """
    handlers: dict[int, Any] = {
        number: handler for number in STOP if callable(handler := signal.getsignal(number))
    }
    arrived: list[tuple[int, FrameType | None]] = []

    def note(number: int, frame: FrameType | None) -> None:
        arrived.append((number, frame))

    def take_effect() -> None:
        if arrived:
            number, frame = arrived.pop(0)
            try:
                handlers[number](number, frame)
            finally:
                take_effect()

    if threading.current_thread() is not threading.main_thread():
        yield take_effect
        return
    try:
        for number in handlers:
            signal.signal(number, note)
        yield take_effect
    finally:
        try:
            put_back(handlers, note)
        finally:
            take_effect()
