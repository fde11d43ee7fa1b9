"""Work given up: by a run, whose workers stop within a step, or by what comes from outside."""

from __future__ import annotations

import mmap
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from types import CodeType
from typing import Any

from epsie.process.sharedfile import SharedFile, opened

NEVER: tuple[Sequence[int], int] = ((0,), 1)
"""For a chain whose run is never given up but by an exception in its own process."""

SIZE = 8
"""Bytes that a stop sign takes at the beginning of a file."""


class StopSign:
    """Says up to which of its runs a sampler wants no more results.

    In threads it is a list; other processes of this host see it at the beginning of a file.
    """

    def __init__(self) -> None:
        self.run = 0
        """The number of the present run."""
        self.here = [0]
        self.file: SharedFile | None = None
        """The file in which others see it. Without one workers finish what they do."""

    def stop(self) -> None:
        """Give up all runs so far."""
        self.here[0] = self.run
        if self.file is not None:
            with suppress(OSError, ValueError):
                self.file.overwrite(self.run.to_bytes(SIZE, "little"))

    def close(self) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()


@lru_cache(maxsize=4)
def sign_at(path: str, key: str) -> Sequence[int]:
    """The sign that a file shows, before a key; one that never changes if it cannot be read."""
    try:
        with opened(path) as file:
            if file.read(SIZE + len(key))[SIZE:] != key.encode():
                return NEVER[0]
            shown = mmap.mmap(file.fileno(), SIZE, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return NEVER[0]
    return memoryview(shown).cast("q")


class GivenUp(BaseException):
    """The run was given up; nobody waits for this chain."""


def is_interrupt(error: BaseException) -> bool:
    """Whether it came from outside: Ctrl-C, a run that is given up, or the handler of a signal.

    Of what handlers raise only what is no `Exception` counts, as `SystemExit`: a model may set an
    alarm to end what takes too long.
    """
    if isinstance(error, KeyboardInterrupt | GivenUp):
        return True
    if isinstance(error, Exception):
        return False
    handlers = set(_handlers())
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in handlers:
            return True
        trace = trace.tb_next
    return False


def _handlers() -> Iterator[CodeType]:
    """The code of the handlers of all signals that are written in Python."""
    for number in signal.valid_signals():
        handler: Any = signal.getsignal(number)
        handler = getattr(handler, "func", handler)  # of a partial
        code = getattr(handler, "__code__", None)
        if code is None and callable(handler):
            code = getattr(type(handler).__call__, "__code__", None)
        if code is not None:
            yield code
