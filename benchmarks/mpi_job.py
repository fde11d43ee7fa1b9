"""The job of `mpi.py`, for mpiexec: prints what it measured as JSON.

``python mpi_job.py chains iterations seconds [costs]``: a likelihood that sleeps so long, and what
chains cost rank 0.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from epsie.execution import utilisation
from epsie.pools import MPIPool, choose_pool
from epsie.proposals import Normal
from epsie.samplers import MetropolisHastingsSampler

NAMES = ("x", "y")
STRETCHES = (10, 100, 1000)
TOGETHER = 512
"""Points of a call of a model that takes many."""


class Sleeping:
    """A likelihood that sleeps.

    Parameters
    ----------
    seconds : float
        For how long.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, x: Any, y: Any) -> tuple[Any, float]:
        """A Gaussian, of one point or of many."""
        if self.seconds:
            time.sleep(self.seconds)
        return -0.5 * (x * x + y * y), 0.0


def bare(task: tuple[Sleeping, int]) -> float:
    """Seconds for bare calls of the model."""
    model, ncalls = task
    started = time.perf_counter()
    for _ in range(ncalls):
        model(x=0.0, y=0.0)
    return time.perf_counter() - started


def started(pool: Any, nchains: int, model: Sleeping, **settings: Any) -> MetropolisHastingsSampler:
    """A sampler that has made a step; of chains that do not learn, if nothing else is said."""
    settings = {"proposals": [Normal(NAMES)], "seed": 1, "pool": pool} | settings
    sampler = MetropolisHastingsSampler(NAMES, model, nchains, **settings)
    sampler.start_position = dict.fromkeys(NAMES, np.zeros(nchains))
    sampler.run(1)
    return sampler


def speed(
    pool: Any, workers: int, sampler: MetropolisHastingsSampler, niterations: int
) -> dict[str, float]:
    """Wall times of a run, of a bare loop over the workers, and of as many bare loops at once.

    The latter are made half before and half after, as other work on the machine comes and goes.
    """
    model = sampler.model
    one = bare((model, 1000)) / 1000
    ncalls = sampler.nchains * niterations // workers
    share = min(0.5, 3 / (ncalls * one))

    def loops() -> float:
        began = time.perf_counter()
        list(pool.map(bare, [(model, int(share * ncalls))] * workers))
        return (time.perf_counter() - began) / share / 2

    together = loops()
    began = time.perf_counter()
    sampler.run(niterations)
    elapsed = time.perf_counter() - began
    return {"elapsed": elapsed, "bare": one * ncalls, "bare together": together + loops()}


def measured(pool: MPIPool, nchains: int, niterations: int, seconds: float) -> dict[str, Any]:
    """Wall times of a run and of bare loops."""
    return speed(pool, pool.size, started(pool, nchains, Sleeping(seconds)), niterations)


def costs(pool: MPIPool, nchains: int, niterations: int) -> dict[str, Any]:
    """Bytes of a run, and what a chain costs the master in several ways to deal them out."""
    free = Sleeping(0.0)
    sampler = started(pool, nchains, free)
    found: dict[str, Any] = {"workers": pool.size, "bytes": _traffic(sampler, pool, niterations)}
    # Up to where chains hold as many variates in hand, which come in blocks of 128.
    sampler.run(128 * 10 - niterations)
    found["bytes later"] = _traffic(sampler, pool, niterations)
    found["portions"] = _costs(sampler, pool)
    found["together"] = _costs(started(pool, nchains, free, vectorize=TOGETHER), pool)
    learning = started(pool, nchains, free, proposals=None)
    learning.run(128 * 10)
    found["learning"] = _costs(learning, pool)
    utilisation._SECONDS = 0.0  # Chains are dealt out one by one, as if each took long.
    found["one by one"] = _costs(sampler, pool)
    return found


def _traffic(sampler: MetropolisHastingsSampler, pool: MPIPool, niterations: int) -> int:
    before = sum(pool.traffic)
    sampler.run(niterations)
    return sum(pool.traffic) - before


def _costs(sampler: MetropolisHastingsSampler, pool: MPIPool) -> dict[int, tuple[float, float]]:
    """Processor seconds that the master needs for a chain, and bytes of it, by stretch."""
    found = {}
    for stretch in STRETCHES:
        sampler.clear()
        began = time.process_time()
        nbytes = _traffic(sampler, pool, stretch)
        seconds = time.process_time() - began
        found[stretch] = (seconds / sampler.nchains, nbytes / sampler.nchains)
    return found


if __name__ == "__main__":
    with choose_pool(mpi=True) as pool:
        nchains, niterations, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
        found = measured(pool, nchains, niterations, seconds)
        if "costs" in sys.argv:
            found |= costs(pool, nchains, niterations)
        print(json.dumps(found), flush=True)
