"""Two loops timed in turns, so that what else the machine does hits both alike.

The time is that of the processor: waiting for other programs is not counted.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from statistics import median
from time import process_time
from typing import NamedTuple

import numpy as np
from bare import walk
from models import GAUSSIANS, NAMES, scale


class Pair(NamedTuple):
    """Medians over all slices: seconds per step of each loop, and of their ratio."""

    bare: float
    loop: float
    ratio: float


def seconds(run: Callable[[int], object], n: int) -> float:
    """Seconds per step. What garbage there is from before is collected first."""
    gc.collect()
    start = process_time()
    kept = run(n)
    elapsed = process_time() - start
    del kept
    return elapsed / n


def against_bare(
    ndim: int,
    run: Callable[[int], object],
    slices: int,
    steps: int = 4096,
    tidy: Callable[[], object] = lambda: None,
) -> Pair:
    """Time ``run(n)`` and the bare loop in turns.

    Parameters
    ----------
    ndim : int
        The dimensions of the bare loop.
    run : callable
        Makes so many steps.
    slices : int
        How many pairs of slices.
    steps : int, optional
        Steps of `run` in a slice. The bare loop makes more of them if it is much faster.
    tidy : callable, optional
        Called after each slice, untimed: drops what `run` has stored.
    """
    widths = (scale(ndim),) * ndim
    generator = np.random.default_rng(1)

    def bare(n: int) -> object:
        return walk(GAUSSIANS[ndim], NAMES[:ndim], (0.0,) * ndim, widths, n, generator)

    for warm in (run, bare):
        warm(steps // 4)
    pairs = []
    for _ in range(slices):
        pairs.append((seconds(bare, 4096), seconds(run, steps)))
        tidy()
    return Pair(
        median([one for one, _ in pairs]),
        median([other for _, other in pairs]),
        median([other / one for one, other in pairs]),
    )
