"""The long counts: ``python benchmarks/soak.py [--count N] [names...]``.

Each entry repeats something so often that chance has little say, and prints what it found against
what is due. The tests make about a tenth. The exit code is 1 if a limit is missed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from figure import Figure, table

sys.path.insert(0, str(Path(__file__).parent.parent))

import soak_adaptation
import soak_damage
import soak_mpi
import soak_pools
import soak_saving

from tests import tempering_targets as tempering


class Entry(NamedTuple):
    """A long count."""

    count: int
    """How many repeats are due."""

    figures: Callable[[int], Iterator[Figure]]
    """What so many repeats give."""


# ---- parallel tempering


def evidence(count: int) -> Iterator[Figure]:
    """Calibration of log Z and its error: 4 chains, 8 temperatures, 4,000 iterations."""
    for target in (tempering.Gaussian(10), tempering.LinearRegression()):
        title = f"evidence, {type(target).__name__}, {count} repeats"
        found = tempering.calibration(target, range(count), 4000, 1000)
        remark = f"bias {found.bias:.3f}, sd {found.sd:.3f}"
        yield Figure(f"{title}: coverage", found.coverage, "", 0.5, True, remark)
        yield Figure(f"{title}: coverage", found.coverage, "", 0.85)
        yield Figure(f"{title}: spread of pulls", found.spread, "", 0.7, True)
        yield Figure(f"{title}: spread of pulls", found.spread, "", 1.5)


def mixture(count: int) -> Iterator[Figure]:
    """Two peaks in 4-D, 2e5 evaluations: the weight of one, and log Z."""
    target = tempering.Mixture()
    found = [tempering.mixture_weight(number) for number in range(count)]
    off = np.array([weight for weight, _ in found]) - target.weight
    close = [abs(evidence.log_z - target.log_z) < 0.15 for _, evidence in found]
    title = f"mixture, {count} seeds"
    yield Figure(f"{title}: rms error of the weight", float(np.sqrt(np.mean(off**2))), "", 0.03)
    yield Figure(f"{title}: log Z within 0.15", float(np.mean(close)), "", 0.85, at_least=True)


def ladder(count: int) -> Iterator[Figure]:
    """How unequal the rejections of tuned ladders are, over 20,000 sweeps."""
    for name, target, ntemps, interval in (
        ("20-D Gaussian", tempering.Gaussian(20), 16, 5),
        ("mixture", tempering.Mixture(), 8, 1),
    ):
        ranges = [
            float(np.ptp(tempering.tuned_rejections(target, ntemps, 10_000, 20_000, i, interval)))
            for i in range(count)
        ]
        title = f"ladder, {name}, {count} seeds: largest range of rejections"
        yield Figure(title, max(ranges), "", 0.05, remark=f"median {np.median(ranges):.3f}")


def round_trips(count: int) -> Iterator[Figure]:
    """Round trips per evaluation: tuned ladders of 8 temperatures against geometric ones."""
    cases = (
        ("mixture", tempering.Mixture(), (0.1, 0.05, 0.03, 0.02, 0.01), 1e-4),
        ("10-D Gaussian", tempering.Gaussian(10), (0.1, 0.05, 0.03, 0.02, 0.01), 1e-5),
    )
    for name, target, smallest, too_small in cases:
        ladders = [np.append(np.geomspace(1, beta, 7), 0) for beta in smallest]
        fixed = [_trips(target, betas, count, annealed=False) for betas in ladders]
        tuned = _trips(target, ladders[-1], count, annealed=True)
        remark = f"{tuned:.3g} over {max(fixed):.3g} per 1,000 evaluations"
        title = f"round trips, {name}: tuned over the best geometric ladder"
        yield Figure(title, tuned / max(fixed), "x", 0.9, True, remark)
        hot = np.geomspace(1, too_small, 8)
        plain, tuned = (_trips(target, hot, count, annealed=on) for on in (False, True))
        remark = f"{tuned:.3g} over {plain:.3g} per 1,000 evaluations"
        title = f"round trips, {name}: tuned over hottest 100 times too hot"
        yield Figure(title, tuned / plain, "x", 1.4, True, remark)


def _trips(target: object, betas: np.ndarray, count: int, annealed: bool) -> float:
    rates = [
        tempering.round_trip_rate(target, betas, 4000, 10_000, number, annealed)
        for number in range(count)
    ]
    return float(np.mean(rates))


ENTRIES: dict[str, Entry] = {
    "mixing": Entry(5, soak_adaptation.mixing),
    "evidence": Entry(100, evidence),
    "mixture": Entry(20, mixture),
    "ladder": Entry(3, ladder),
    "round-trips": Entry(2, round_trips),
    "kills": Entry(200, soak_saving.kills),
    "kills-while-learning": Entry(100, soak_saving.kills_while_learning),
    "kills-in-files": Entry(200, soak_saving.kills_in_files),
    "mpi": Entry(30, soak_mpi.jobs),
    "worker-kills": Entry(30, soak_pools.worker_kills),
    "dask-worker-kills": Entry(30, soak_pools.dask_worker_kills),
    "interrupts": Entry(50, soak_pools.interrupts),
    "double-signals": Entry(1000, soak_pools.double_signals),
    "openmpi": Entry(30, soak_mpi.openmpi_jobs),
    "corruptions": Entry(10_000, soak_saving.corruptions),
    "damage": Entry(20_000, soak_damage.damage),
    "failing-calls": Entry(1_200, soak_damage.failing_calls),
}
"""The long counts by name."""


def main() -> int:
    """Make the counts that are asked for, all by default."""
    parser = argparse.ArgumentParser(description="Make the long counts.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(ENTRIES)}")
    parser.add_argument("--count", type=int, help="repeats instead of the full number")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(ENTRIES))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; choose from {', '.join(ENTRIES)}")
    entries = [ENTRIES[name] for name in options.names or ENTRIES]
    return table(
        figure for entry in entries for figure in entry.figures(options.count or entry.count)
    )


if __name__ == "__main__":
    sys.exit(main())
