"""The utilisation of a run's workers, and the number of chains to give each at once next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil, inf


@dataclass(slots=True)
class Utilisation:
    """The utilisation of a run's workers: the part of the time for which each stepped chains.

    A figure well below 1 means that chains do not divide evenly among workers, that some take
    longer than others, or that runs are so short that dealing them out is what costs.
    """

    elapsed: float = 0.0
    """Seconds that runs took."""
    busy: dict[str, float] = field(default_factory=dict)
    """Seconds for which each worker stepped chains, by its name. Workers without any are not in."""

    def add(self, elapsed: float, worked: Iterable[tuple[str, float]]) -> None:
        """Add a round: how long it took, and for each chain who worked on it for how long."""
        self.elapsed += elapsed
        for worker, seconds in worked:
            self.busy[worker] = self.busy.get(worker, 0.0) + seconds

    @property
    def workers(self) -> dict[str, float]:
        """For each worker the part of the time for which it stepped chains, from 0 to 1."""
        return {name: busy / max(self.elapsed, 1e-9) for name, busy in self.busy.items()}

    @property
    def mean(self) -> float:
        """The mean over the workers."""
        return sum(self.workers.values()) / max(len(self.busy), 1)

    def __str__(self) -> str:
        parts = self.workers
        each = ", ".join(f"{name} {part:.0%}" for name, part in parts.items())
        if len(parts) > _LISTED:
            each = f"{min(parts.values()):.0%} to {max(parts.values()):.0%}"
        return f"{len(parts)} workers busy {self.mean:.0%} of {self.elapsed:.3g} s: {each}"


_LISTED = 16
"""The most workers that are listed one by one."""


_SECONDS = 0.1
"""The most seconds that a portion of several chains should take."""

_UNLIKE = 1.5
"""Chains are alike if the longest takes at most so many times the mean."""

_SLACK = 2e-3
"""Seconds that do not count: a worker may wait as long for its core."""


_CHEAP = 50e-6
"""Seconds of a point of which arrays save at least a twentieth, of most proposals far more."""

_AS_ARRAYS = 512
"""The most chains at once as arrays: the gain of more is a few percent."""

_FIRST = 64
"""The steps after which it is looked at how long chains take."""


class Portions:
    """The number of chains to give a worker at once: one, or several if they are short and alike.

    Given one by one, no worker is idle while there is work. But to hand over a chain and its result
    takes parent and worker about a millisecond, most of it because what ran before has emptied
    their caches. So chains that took a few milliseconds each in the last run are dealt in portions,
    at most an equal share for each worker. Those that are stepped as arrays, which pays if a step
    takes little, are dealt in equal shares.
    """

    def __init__(self) -> None:
        self._longest = inf
        """Seconds that a step of the slowest chain took."""
        self._mean = inf
        self._shortest = inf
        """Seconds of a point that one of the fastest took, however loaded the machine is."""
        self._length = 0
        """The number of steps in the last run."""

    def saw(self, length: int, seconds: Sequence[float], npoints: int = 1) -> None:
        """Take in how long each chain took for so many steps, of so many points each."""
        self._length, self._shortest = length, min(seconds) / length / npoints
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

    def share(self, nchains: int, nworkers: int | None, fewest: float) -> int:
        """The number of chains to give at once, to be stepped as arrays; 0 if that does not pay.

        Parameters
        ----------
        nchains : int
            The number of chains.
        nworkers : int or None
            The number of workers, if it is known.
        fewest : float
            From how many chains on arrays are faster.
        """
        share = 0 if nworkers is None else min(ceil(nchains / nworkers), _AS_ARRAYS)
        return share if share >= fewest and self._shortest < _CHEAP else 0

    def stretch(self, length: int, nchains: int, nworkers: int | None, fewest: float) -> int:
        """The number of steps, of so many, after which to look how to deal chains.

        Few as long as nothing is known, as many may be as arrays that were not: chains that still
        search for the size of their jumps are not.
        """
        if nworkers is None or ceil(nchains / nworkers) < fewest or _CHEAP <= self._shortest < inf:
            return length
        return min(length, max(_FIRST, 4 * self._length))


def evenly(n: int, size: int) -> list[range]:
    """So many chains in portions of a size."""
    return [range(first, min(first + size, n)) for first in range(0, n, size)]
