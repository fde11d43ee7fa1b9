"""How far a run is: rounds of a few seconds, and a bar."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from typing import Any


class Progress:
    """Cuts a run into rounds and shows a bar of them; neither changes any result.

    Parameters
    ----------
    show : bool
        Whether there is a bar. Without one a run is a single round.
    """

    seconds = 1.0
    """How long a round should take."""

    def __init__(self, show: bool = False) -> None:
        self.show = show

    def rounds(self, niterations: int) -> Generator[int]:
        """The lengths of the rounds, whose sum is `niterations`."""
        if not self.show or niterations == 0:
            yield niterations
            return
        from tqdm.auto import tqdm

        with tqdm(total=niterations, unit="it", disable=None) as bar:
            yield from self._timed_rounds(niterations, bar)

    def _timed_rounds(self, niterations: int, bar: Any) -> Generator[int]:
        done, length = 0, 1
        while done < niterations:
            length = min(length, niterations - done)
            started = time.perf_counter()
            yield length
            elapsed = time.perf_counter() - started
            done += length
            bar.update(length)
            # At most four times as long as the last, as the first are dominated by starting up.
            length = max(1, min(4 * length, int(length * self.seconds / max(elapsed, 1e-9))))


class NoBar:
    """Stands for a bar that is not shown."""

    def update(self, n: int) -> None:
        """Do nothing."""


def bar_of(show: bool, niterations: int) -> AbstractContextManager[Any]:
    """A bar of so many iterations, or one that is not shown."""
    if not show:
        return nullcontext(NoBar())
    from tqdm.auto import tqdm

    bar: AbstractContextManager[Any] = tqdm(total=niterations, unit="it", disable=None)
    return bar
