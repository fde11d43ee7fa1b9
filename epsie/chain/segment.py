"""A segment: the yield of a stretch of a chain."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from epsie.chain.history import Rows
from epsie.chain.notes import Note
from epsie.tempering.swaps import SwapRows


@dataclass(slots=True)
class Segment:
    """A stretch of a chain, as it comes back from a worker."""

    state: dict[Any, Any]
    """Where it stands now."""
    by_temperature: list[Rows]
    """The rows it added at each temperature, coldest first."""
    swaps: SwapRows | None = None
    """The sweeps between temperatures, if there are several."""
    notes: list[Note] = field(default_factory=list)
