"""Workers stop within a step when the run that they work for is given up."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

NEVER: tuple[Sequence[int], int] = ((0,), 1)
"""For a chain whose run is never given up but by an exception in its own process."""

_SIZE = 8


class StopSign:
    """Says up to which of its runs a sampler wants no more results.

    In threads it is a list; other processes of this host see it in a file.
    """

    def __init__(self) -> None:
        self.run = 0
        """The number of the present run."""
        self.here = [0]
        self._path: Path | None = None

    def write_to(self, path: str) -> None:
        """Also show it in a file. Where that cannot be, workers finish what they do."""
        with suppress(OSError):
            Path(path).write_bytes(bytes(_SIZE))
            self._path = Path(path)

    def stop(self) -> None:
        """Give up all runs so far."""
        self.here[0] = self.run
        if self._path is not None:
            with suppress(OSError), self._path.open("r+b") as file:
                file.write(self.run.to_bytes(_SIZE, "little"))

    def remove(self) -> None:
        """Remove the file."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


@lru_cache(maxsize=4)
def sign_at(path: str) -> Sequence[int]:
    """The sign that a file shows; one that never changes if it cannot be read."""
    try:
        with open(path, "rb") as file:
            shown = mmap.mmap(file.fileno(), _SIZE, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        return NEVER[0]
    return memoryview(shown).cast("q")


class GivenUp(BaseException):
    """The run was given up; nobody waits for this chain."""
