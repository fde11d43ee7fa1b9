"""A stretch of a chain on its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from epsie.chain.adaptation_history import Note
from epsie.chain.history import Rows
from epsie.tempering.swaps import SwapRows


@dataclass(slots=True)
class Segment:
    """A stretch of a chain, as it comes back from a worker."""

    state: dict[Any, Any]
    """The state at its end."""
    by_temperature: list[Rows]
    """The rows it added at each temperature, coldest first; of an ensemble those of walkers."""
    swaps: SwapRows | None = None
    """The sweeps between temperatures, if there are several."""
    contributions: list[list[Any]] = field(default_factory=list)
    """By temperature and proposal what it adds to what chains learn together; None if nothing."""
    notes: list[Note] = field(default_factory=list)
    nwalkers: int = 1
    """The number of walkers that there are at each temperature."""

    @property
    def coldest(self) -> list[Rows]:
        """The rows that it added at the coldest temperature, of each walker."""
        return self.by_temperature[: self.nwalkers]
