"""The history of adaptation: jump widths and ladders, noted at iterations ever farther apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import log2, nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from epsie.chain.level import Level

_PER_DOUBLING = 4
"""Notes from one iteration to twice that."""


@dataclass(slots=True)
class Note:
    """The jump widths and inverse temperatures of a chain at the end of an iteration.

    Parameters
    ----------
    iteration : int
        The iteration.
    widths : list of tuple of float
        For each temperature the standard deviation of the jump of each parameter.
    betas : tuple of float
        The inverse temperatures.
    """

    iteration: int
    widths: list[tuple[float, ...]]
    betas: tuple[float, ...]


def note_of(iteration: int, levels: Sequence[Level]) -> Note:
    """The note of a chain's present jump widths, at each of its temperatures."""
    widths = []
    for level in levels:
        stds: dict[str, float] = {}
        for leaf in level.proposal_dist.leaves():
            # A user's class may lack the widths that its base has.
            with suppress(AttributeError):
                stds.update(zip(leaf.parameters, leaf.jump_stds()))
        widths.append(tuple([float(stds.get(name, nan)) for name in level.parameters]))
    return Note(iteration, widths, tuple([level.beta for level in levels]))


def noted(start: int, stop: int) -> Iterator[int]:
    """The iterations after `start` up to `stop` that are noted.

    They are powers of the fourth root of 2, rounded: which ones does not depend on how a run is
    cut, and a million iterations have 75.
    """
    last = start
    power = int(_PER_DOUBLING * log2(start)) if start else 0
    while (iteration := round(2 ** (power / _PER_DOUBLING))) <= stop:
        if iteration > last:
            yield iteration
            last = iteration
        power += 1


class AdaptationHistory(NamedTuple):
    """Jump widths and ladders of many chains, where they were noted."""

    iterations: NDArray[np.int64]
    """The iterations that were noted, shape (n,)."""

    widths: NDArray[np.float64]
    """Standard deviations of jumps, shape (n, nchains, ntemps, nparameters)."""

    betas: NDArray[np.float64]
    """Inverse temperatures, shape (n, nchains, ntemps)."""


def adaptation_history(
    chains: Sequence[Any], after: int = 0, upto: int | None = None
) -> AdaptationHistory:
    """What chains that made the same steps noted, after an iteration up to another."""
    notes = [
        [n for n in chain.notes if after < n.iteration and (upto is None or n.iteration <= upto)]
        for chain in chains
    ]
    rows = list(zip(*notes, strict=True))
    shape = (len(rows), len(chains), chains[0].ntemps)
    return AdaptationHistory(
        np.array([row[0].iteration for row in rows], dtype=np.int64),
        np.array([[note.widths for note in row] for row in rows], dtype=float).reshape(
            (*shape, len(chains[0].parameters))
        ),
        np.array([[note.betas for note in row] for row in rows], dtype=float).reshape(shape),
    )


def joined(pieces: Iterable[AdaptationHistory]) -> AdaptationHistory:
    """Notes that follow each other, as one."""
    return AdaptationHistory(*(np.concatenate(parts) for parts in zip(*pieces, strict=True)))
