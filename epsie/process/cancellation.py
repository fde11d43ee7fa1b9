"""Workers stop within a step when the run that they work for is given up."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache

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
        """Where others see it. Without one workers finish what they do."""

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
