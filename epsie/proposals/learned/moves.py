"""The moves of a learned kernel: each draws, and has its own Hastings term.

All that was learned is frozen, so that each leaves the target invariant by itself.
"""

from __future__ import annotations

from epsie.proposals.learned.archive_moves import Difference, Snooker
from epsie.proposals.learned.mixture_moves import CrankNicolson, Independence, Local
from epsie.proposals.learned.move import Move
from epsie.proposals.learned.random_walk import RandomWalk

MOVES: tuple[Move, ...] = (
    Independence(),
    CrankNicolson(),
    Difference(),
    Snooker(),
    Local(),
    RandomWalk(),
)
"""All of them, in the order of their weights."""

WALK = len(MOVES) - 1
"""The place of the random walk: the only move before anything was learned."""
