"""The share of a run's time for which each worker was busy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Utilisation:
    """How busy the workers of a run were.

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
