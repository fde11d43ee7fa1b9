"""Bytes kept for every stored sample. numpy tells tracemalloc what it allocates."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

from figure import Figure
from models import GAUSSIANS, NAMES

from epsie.proposals import Normal
from epsie.samplers import MetropolisHastingsSampler

NDIM = 4
Parts = Callable[[], Any]
"""Makes the proposals."""
FEW = 10_000
"""Samples from which on what they do not depend on is small."""
LATE = 300_000, 500_000
"""Samples between which records do not grow any more."""


def figures(quick: bool) -> Iterator[Figure]:
    """One chain with four parameters: seven floats and a bool, 57 bytes, are due.

    The default has records to learn from besides, which do not grow for ever.
    """
    yield from _kept("Normal", lambda: [Normal(NAMES[:NDIM])], quick)
    yield from _kept("Learned, the default", lambda: None, quick)
    if not quick:
        yield _late("Learned, the default", lambda: None)


def _kept(title: str, parts: Parts, quick: bool) -> Iterator[Figure]:
    """What is kept of a sample after one run, and after many."""
    rows = 100_000
    few, (many, peak) = _once(rows // 10, parts)[0], _once(rows, parts)
    # What does not depend on the number of samples cancels.
    kept = (many - few) / (rows - rows // 10)
    yield Figure(
        f"memory: {title}, kept a sample, one run({rows})",
        round(kept, 1),
        "B",
        57,
        remark=f"peak {peak / rows:.0f}; {many / 1e6 - 57e-6 * rows:.1f} MB beside the samples",
    )
    rows = 30_000 if quick else 110_000
    most, last, highest = _growing(rows, parts)
    yield Figure(
        f"memory: {title}, kept a sample, growing to {rows} by run(100)",
        round(most, 1),
        "B",
        75,
        remark=f"the most; {last:.1f} at the end, peak {highest:.0f}",
    )


def _late(title: str, parts: Parts) -> Figure:
    """What further samples add when records have reached their size."""
    sampler, kept, (first, last) = _started(parts), [], LATE
    tracemalloc.start()
    for length in (first, last - first):
        sampler.run(length)
        kept.append(_traced()[0])
    tracemalloc.stop()
    return Figure(
        f"memory: {title}, kept a sample, from {first:,} to {last:,}",
        round((kept[1] - kept[0]) / (last - first), 1),
        "B",
        57,
        remark=f"{kept[1] / 1e6 - 57e-6 * last:.1f} MB beside the samples at the end",
    )


def _started(parts: Parts) -> MetropolisHastingsSampler:
    """A sampler that has run, so that only what further samples add is counted."""
    sampler = MetropolisHastingsSampler(NAMES[:NDIM], GAUSSIANS[NDIM], 1, parts(), seed=1)
    sampler.start_position = {name: [0.0] for name in NAMES[:NDIM]}
    sampler.run(300)
    sampler.clear()
    gc.collect()
    return sampler


def _traced() -> tuple[int, int]:
    """Bytes in use now, and the most since the last reset."""
    peak = tracemalloc.get_traced_memory()[1]
    gc.collect()  # The interpreter's lists of free tuples are none of ours.
    return tracemalloc.get_traced_memory()[0], peak


def _once(rows: int, parts: Parts) -> tuple[int, int]:
    sampler = _started(parts)
    tracemalloc.start()
    sampler.run(rows)
    kept, peak = _traced()
    tracemalloc.stop()
    return kept, peak


def _growing(rows: int, parts: Parts) -> tuple[float, float, float]:
    """The most and the last kept a sample, and the highest peak, from `FEW` samples on."""
    sampler = _started(parts)
    tracemalloc.start()
    kept, peaks = [], []
    for length in range(100, rows + 1, 100):
        tracemalloc.reset_peak()
        sampler.run(100)
        if length >= FEW:
            now, peak = _traced()
            kept.append(now / length)
            peaks.append(peak / length)
    tracemalloc.stop()
    return max(kept), kept[-1], max(peaks)
