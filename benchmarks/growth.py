"""How costs grow: ``python benchmarks/growth.py [--quick] [names...]``, some minutes for each name.

What is compared is timed in turns, slice by slice, so that what else the machine does hits all
alike; figures are ratios, with quartiles over slices or seeds. What each part finds is kept in
``cached/growth.json``, if it is not `quick`; pictures of the documentation are made from that.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import re
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import date
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import mpi
import mpi_job
import numpy as np
import saving
import traffic
from bare import walk
from figure import rounded
from models import Heavy, gaussian, names_of, scale

from epsie.pools import InterruptiblePool
from epsie.proposals import ATAdaptiveNormal, Learned, Normal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

CACHE = Path(__file__).parent / "cached" / "growth.json"

Points = list[list[float]]
"""Of a curve: where, and the lower quartile, median and upper quartile there."""
Part = dict[str, Any]
"""What is along the axes, and curves by their names."""

OVER_BARE = "time of a step over the bare loop's"


def seconds(act: Callable[[], object], clock: Callable[[], float] = process_time) -> float:
    """The seconds of an action, with what garbage there was collected before."""
    gc.collect()
    began = clock()
    act()
    return clock() - began


def point(where: float, ratios: Any) -> list[float]:
    """A point of a curve."""
    return [where, *(float(f"{q:.4g}") for q in np.quantile(ratios, [0.25, 0.5, 0.75]))]


def bare(ndim: int) -> float:
    """The seconds of a step of the bare loop, now."""
    arguments = gaussian, names_of(ndim), (0.0,) * ndim, (scale(ndim),) * ndim, 4000
    return seconds(lambda: walk(*arguments, np.random.default_rng(1))) / 4000


def each(sampler: Any, steps: int) -> float:
    """The seconds of a step of each chain and temperature in so many, which are not kept."""
    taken = seconds(lambda: sampler.run(steps))
    sampler.clear()
    return taken / steps / sampler.nchains / getattr(sampler, "ntemps", 1)


def over_bare(ndim: int, samplers: list[Any], steps: int, slices: int) -> list[list[float]]:
    """What a step of each sampler costs over one of the bare loop, by slices."""
    rows = []
    for _ in range(slices):
        loop = bare(ndim)
        rows.append([each(sampler, steps) / loop for sampler in samplers])
    return np.array(rows).T.tolist()


def at_first(ndim: int, make: Callable[[int], Any], steps: int, seeds: int) -> list[float]:
    """What each of the first steps costs over one of the bare loop, lessons included, by seeds."""
    return [each(make(seed), steps) / min(bare(ndim), bare(ndim)) for seed in range(seeds)]


def sampler_of(
    ndim: int, nchains: int, proposal: Any = None, seed: int = 1, **settings: Any
) -> MetropolisHastingsSampler:
    """Chains that begin; with the default proposal, if there is none given."""
    names = names_of(ndim)
    parts = None if proposal is None else [proposal(names)]
    sampler = MetropolisHastingsSampler(names, gaussian, nchains, parts, seed=seed, **settings)
    sampler.start_position = dict(zip(names, np.random.default_rng(1).normal(size=(ndim, nchains))))
    return sampler


def jumping(names: list[str]) -> Normal:
    """Jumps of a width that suits."""
    return Normal(names, scale(len(names)) ** 2)


def andrieu_thoms(names: list[str]) -> ATAdaptiveNormal:
    """A covariance that is learned all the time."""
    return ATAdaptiveNormal(names, 10**7)


def dimensions(quick: bool) -> Part:
    """One chain in 2 to 100 dimensions."""
    first, slices = (3000, 5) if quick else (10_000, 25)
    begun, *names = (
        f"Learned, the first {first:,} steps with lessons",
        "Learned, when it has learned",
        "ATAdaptiveNormal, learning",
        "Normal",
    )
    curves: dict[str, Points] = {name: [] for name in (begun, *names)}
    frozen = partial(Learned, adaptation_duration=first)
    for ndim in (2, 5, 10, 20, 50) if quick else (2, 5, 10, 20, 50, 100):
        late = sampler_of(ndim, 1, frozen)
        ratios = at_first(ndim, lambda seed: sampler_of(ndim, 1, seed=seed), first, 2)  # noqa: B023
        ratios += at_first(ndim, lambda _: late, first + 1, 1)  # noqa: B023
        curves[begun].append(point(ndim, ratios))
        samplers = [late, *(sampler_of(ndim, 1, made) for made in (andrieu_thoms, jumping))]
        for name, ratios in zip(names, over_bare(ndim, samplers, 2000, slices), strict=True):
            curves[name].append(point(ndim, ratios))
    return {"x": "parameters", "y": OVER_BARE, "curves": curves}


def chains(quick: bool) -> Part:
    """From one chain to 10,000, in two dimensions."""
    begun = ["Learned, the first 300 steps with lessons", "the same, vectorize=True"]
    names = ["Normal", "Normal, vectorize=True"]
    curves: dict[str, Points] = {name: [] for name in begun + names}
    for nchains in (1, 10, 100, 1000) if quick else (1, 10, 100, 1000, 10_000):
        few = nchains < 1000
        for name, vectorize in zip(begun, (False, True), strict=True):
            if nchains <= 1000:
                make = partial(sampler_of, 2, nchains, None, vectorize=vectorize)
                ratios = at_first(2, lambda seed: make(seed=seed), 300, 3 if few else 1)  # noqa: B023
                curves[name].append(point(nchains, ratios))
        samplers = [sampler_of(2, nchains, jumping, vectorize=one) for one in (False, True)]
        steps = max(4000 // nchains, 100), 15 if few else 3
        for name, ratios in zip(names, over_bare(2, samplers, *steps), strict=True):
            curves[name].append(point(nchains, ratios))
    return {"x": "chains", "y": OVER_BARE, "curves": curves}


def temperatures(quick: bool) -> Part:
    """One chain of up to 64 temperatures, with a sweep after each step."""
    steps = 1000 if quick else 3000
    begun = f"Learned, the first {steps:,} steps with lessons"
    curves: dict[str, Points] = {begun: [], "Normal": []}

    def tempered(ntemps: int, proposals: Any, seed: int) -> ParallelTemperedSampler:
        betas = np.geomspace(1, 0.01, ntemps)
        made = ParallelTemperedSampler(
            names_of(2), gaussian, 1, betas, proposals=proposals, seed=seed
        )
        made.start_position = dict.fromkeys(names_of(2), np.zeros((ntemps, 1)))
        return made

    for ntemps in (1, 2, 4, 8, 16, 32, 64):
        ratios = at_first(2, lambda seed: tempered(ntemps, None, seed), steps, 3)  # noqa: B023
        curves[begun].append(point(ntemps, ratios))
        plain = tempered(ntemps, [jumping(names_of(2))], 1)
        (ratios,) = over_bare(2, [plain], max(4000 // ntemps, 100), 5 if quick else 15)
        curves["Normal"].append(point(ntemps, ratios))
    return {"x": "temperatures", "y": OVER_BARE, "curves": curves}


def processes(quick: bool) -> Part:
    """One to eight workers, or ranks beside the one that deals, with a likelihood that sleeps."""
    repeats, counts = (1, (1, 4)) if quick else (3, (1, 2, 4, 8))
    curves: dict[str, Points] = {"pool=n": [], "n + 1 ranks of MPI": []}
    with tempfile.TemporaryDirectory() as folder:
        job = mpi.Environment(Path(folder), "mpich")
        for workers in counts:
            with closing(InterruptiblePool(workers)) as pool:
                sampler = mpi_job.started(pool, 64, mpi_job.Sleeping(mpi.SECONDS))
                own = [mpi_job.speed(pool, workers, sampler, 50) for _ in range(repeats)]
            ranks = [mpi.measured(job, workers + 1, 64, 50, costs=False) for _ in range(repeats)]
            for name, found in zip(curves, (own, ranks)):
                curves[name].append(
                    point(workers, [one["elapsed"] / one["bare together"] for one in found])
                )
        costs = mpi.measured(job, mpi.RANKS, 200 if quick else 500)
    how = {name: costs[name] for name in mpi.HOW}
    label = "wall time over that of bare loops"
    return {"x": "workers", "y": label, "curves": curves, "rank 0": how}


def history(quick: bool) -> Part:
    """Calls of `run(500)`, four parameters, saves of them, and bytes, after ever longer runs."""
    ages = (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000)
    calls, saves, sent = [], [], []
    with tempfile.TemporaryDirectory() as folder, forked_pool() as workers:
        runs = [_aged(age, Path(folder) / str(age), traffic.CountingPool(workers)) for age in ages]
        for _ in range(5 if quick else 25):
            calls.append([seconds(lambda run=run: run[0].run(500)) for run in runs])
            saves.append([sum(saving.timed(run[1], 500, run[2], 500)[1]) for run in runs])
            sent.append([traffic.one_call(run[3], run[3].pool).piped for run in runs])
    curves = {
        "a call of run(500)": over(calls, calls, ages),
        "saving 500 iterations": over(saves, saves, ages),
        "bytes to workers and back": over(sent, sent, ages),
    }
    return {"x": "iterations before", "y": "over that after 10,000", "curves": curves}


def _aged(age: int, place: Path, pool: Any) -> tuple[Any, ...]:
    """Samplers that have made so many iterations: in memory, in a directory, and on a pool."""
    plain, saved, sent = (sampler_of(4, n, jumping) for n in (1, 1, 2))
    sent.pool = pool
    plain.run(age)
    saved.run(age, directory=place, every=500)
    sent.run(age)
    return plain, saved, place, sent


def data(quick: bool) -> Part:
    """`run(100)` of eight chains on two processes, of a model with ever more data."""
    sizes = (10**3, 10**5, 10**7) if quick else (10**3, 10**5, 10**7, 10**8)
    first, later, sent = [], [], []
    with forked_pool() as workers:
        sampler, models = sampler_of(2, 8, jumping), [Heavy(size) for size in sizes]
        sampler.pool = pool = traffic.CountingPool(workers)
        for _ in range(3 if quick else 15):
            rows: list[list[float]] = [[], [], []]
            for sampler.model in models:
                rows[0].append(seconds(lambda: sampler.run(100), perf_counter))
                rows[2].append(traffic.one_call(sampler, pool).total)
                rows[1].append(seconds(lambda: sampler.run(100), perf_counter))
            for found, row in zip((first, later, sent), rows, strict=True):
                found.append(row)
    curves = {
        "time of the first call": over(first, later, sizes),
        "time of a later call": over(later, later, sizes),
        "bytes of a later call": over(sent, sent, sizes),
    }
    return {"x": "bytes of data", "y": "over a later call with 1 kB", "curves": curves}


def forked_pool() -> Any:
    """Two processes that can have no model from this one, as none is made yet."""
    return multiprocessing.get_context("fork").Pool(2)


def over(values: Any, others: Any, where: Iterable[float]) -> Points:
    """A curve of values over the first of others, slice by slice."""
    ratios = np.array(values) / np.array(others)[:, :1]
    return [point(x, column) for x, column in zip(where, ratios.T, strict=True)]


PARTS: dict[str, Callable[[bool], Part]] = {
    part.__name__: part for part in (dimensions, chains, temperatures, processes, history, data)
}


def read() -> dict[str, Part]:
    """What is kept."""
    return json.loads(CACHE.read_text()) if CACHE.exists() else {}


def keep(parts: dict[str, Part]) -> None:
    """Keep what was found beside the rest, a line for each point."""
    lines = json.dumps(read() | parts, indent=1)
    CACHE.write_text(re.sub(r"\[\s+([^][]*?)\s+\]", _in_a_line, lines) + "\n")


def _in_a_line(found: re.Match[str]) -> str:
    return f"[{' '.join(found[1].split())}]"


def main() -> None:
    """Measure what is asked for, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter slices, not kept")
    options = parser.parse_args()
    if unknown := sorted(set(options.names) - set(PARTS)):
        parser.error(f"unknown: {', '.join(unknown)}; choose from {', '.join(PARTS)}")
    for name in options.names or PARTS:
        part = PARTS[name](options.quick) | {"date": date.today().isoformat()}
        print(f"\n{name}: {part['y']!r} by {part['x']}, lower quartile, median, upper quartile")
        for label, points in part["curves"].items():
            for x, *quartiles in points:
                print(f"{label:28} {x:>11,} {' '.join(f'{rounded(q):>8}' for q in quartiles)}")
        if not options.quick:
            keep({name: part})


if __name__ == "__main__":
    main()
