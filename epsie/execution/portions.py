"""The number of chains that a worker is given at once."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, inf

_SECONDS = 0.1
"""How long a portion of several chains should take at most."""

_UNLIKE = 1.5
"""Chains are alike if the longest takes at most so many times the mean."""

_SLACK = 2e-3
"""Seconds that do not count: a worker may wait as long for its core."""


class Portions:
    """How many chains a worker is given at once: one, or several where chains are short and alike.

    Given one by one, no worker is idle while there is work. But to hand over a chain and its result
    takes parent and worker about a millisecond, most of it because what ran before has emptied
    their caches. So chains that took a few milliseconds each in the last run are dealt in portions,
    at most an equal share for each worker.
    """

    def __init__(self) -> None:
        self._longest = inf
        """Seconds that a step of the slowest chain took."""
        self._mean = inf

    def saw(self, length: int, seconds: Sequence[float]) -> None:
        """Take in how long each chain took for so many steps."""
        self._longest, self._mean = max(seconds) / length, sum(seconds) / len(seconds) / length

    def size(self, length: int, nchains: int, nworkers: int | None) -> int:
        """The number of chains to give at once.

        Parameters
        ----------
        length : int
            The number of steps.
        nchains : int
            The number of chains.
        nworkers : int or None
            The number of workers, if it is known.
        """
        longest, mean = length * self._longest, length * self._mean
        if nworkers is None or longest > min(_SECONDS, _UNLIKE * mean + _SLACK):
            return 1
        return min(ceil(nchains / nworkers), int(_SECONDS / longest))
