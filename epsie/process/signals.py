"""Ctrl-C and SIGTERM at moments that must not be cut in two."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SENT_TO_ALL = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
]
"""What asks to stop or to save. It may reach all processes of a job, as SLURM's signals do, and the
one that runs the chains decides what it means."""


@contextmanager
def interrupt_deferred() -> Iterator[Callable[[], None]]:
    """Let a Ctrl-C that comes inside take effect at the end; SIGTERM too, if it has a handler.

    It gives a function to call inside, where what came so far may take effect.
    """
    handlers = {
        int(number): handler
        for number in (signal.SIGINT, signal.SIGTERM)
        if callable(handler := signal.getsignal(number))
    }
    arrived: list[tuple[int, FrameType | None]] = []

    def take_effect() -> None:
        while arrived:
            number, frame = arrived.pop(0)
            handlers[number](number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield take_effect
        return
    for number in handlers:
        signal.signal(number, lambda number, frame: arrived.append((number, frame)))
    try:
        yield take_effect
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        take_effect()
