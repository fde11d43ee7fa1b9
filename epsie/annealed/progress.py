"""The progress of an annealed start: all that evolves of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from epsie.annealed.level import Level
from epsie.annealed.population import Population
from epsie.proposals.learned.plain import entry, malformed

FIRST_RHO = 0.8
"""The size of moves within components at the first step of a level."""

_COUNTS = ("batch", "drawn", "live", "evaluations", "steps", "gained")


class Progress(NamedTuple):
    """How far an annealed start has come: all that evolves of it.

    Parameters
    ----------
    batch : int
        The number of batches that were told.
    drawn : int
        The number of draws from the prior.
    live : int
        The number of those that have a likelihood.
    evaluations : int
        The number of positions whose likelihood was told.
    populations : tuple of Population
        The last population of each level that is done, the first of the prior where the likelihood
        does not vanish.
    population : Population
        That which moves.
    level : Level or None
        Its level; None as long as draws of the prior are made.
    rho : float
        The size of moves within components.
    steps, gained : int
        The steps at this level, and the jumps that were accepted.
    done : bool
        Whether all is done.
    """

    batch: int
    drawn: int
    live: int
    evaluations: int
    populations: tuple[Population, ...]
    population: Population
    level: Level | None = None
    rho: float = FIRST_RHO
    steps: int = 0
    gained: int = 0
    done: bool = False

    def plain(self) -> dict[str, Any]:
        """Itself as plain data."""
        found = self._asdict()
        found["populations"] = [population.plain() for population in self.populations]
        found["population"] = self.population.plain()
        found["level"] = None if self.level is None else self.level.plain()
        return found

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], ndim: int) -> Self:
        """Progress from what `plain` gave.

        Raises
        ------
        MalformedStateError
            If it is something else.
        """
        if plain.keys() != set(cls._fields):
            raise malformed("an annealed start", f"a dict of {', '.join(cls._fields)}", plain)
        level = plain["level"]
        counts = {name: entry(plain, name, int) for name in _COUNTS}
        if min(counts.values()) < 0:
            raise malformed(", ".join(_COUNTS), "at least 0", counts)
        return cls(
            **counts,
            populations=tuple(
                [Population.from_plain(p, ndim) for p in entry(plain, "populations", list)]
            ),
            population=Population.from_plain(entry(plain, "population", dict), ndim),
            level=None if level is None else Level.from_plain(entry(plain, "level", dict), ndim),
            rho=entry(plain, "rho", float),
            done=entry(plain, "done", bool),
        )
