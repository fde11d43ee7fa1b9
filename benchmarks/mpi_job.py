"""The job of `mpi.py`, for mpiexec: prints what it measured as JSON.

``python mpi_job.py chains iterations seconds``: a likelihood that sleeps for so long.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from epsie.pools import MPIPool, choose_pool
from epsie.samplers import MetropolisHastingsSampler

NAMES = ("x", "y")
STRETCHES = (10, 100, 1000)


class Sleeping:
    """A likelihood that sleeps.

    Parameters
    ----------
    seconds : float
        For how long.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, x: float, y: float) -> tuple[float, float]:
        """A Gaussian."""
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


def measured(pool: MPIPool, nchains: int, niterations: int, seconds: float) -> dict[str, Any]:
    """Wall times of a run and of bare loops, bytes, and what a chain costs the master."""
    model = Sleeping(seconds)
    one = bare((model, 1000)) / 1000
    ncalls = nchains * niterations // pool.size
    share = min(1.0, 5 / (ncalls * one))
    started = time.perf_counter()
    pool.map(bare, [(model, int(share * ncalls))] * pool.size)
    together = (time.perf_counter() - started) / share
    sampler = MetropolisHastingsSampler(NAMES, model, nchains, seed=1, pool=pool)
    sampler.start_position = dict.fromkeys(NAMES, np.zeros(nchains))
    sampler.run(1)
    started = time.perf_counter()
    first = _traffic(sampler, pool, niterations)
    elapsed = time.perf_counter() - started
    sampler.model = Sleeping(0.0)
    # Up to where chains hold as many variates in hand, which come in blocks of 128.
    sampler.run(128 * 10 - niterations)
    return {
        "workers": pool.size,
        "elapsed": elapsed,
        "bare": one * nchains * niterations / pool.size,
        "bare together": together,
        "bytes": first,
        "bytes later": _traffic(sampler, pool, niterations),
        "master": {stretch: _cost(sampler, stretch) / nchains for stretch in STRETCHES},
    }


def _traffic(sampler: MetropolisHastingsSampler, pool: MPIPool, niterations: int) -> int:
    before = sum(pool.traffic)
    sampler.run(niterations)
    return sum(pool.traffic) - before


def _cost(sampler: MetropolisHastingsSampler, stretch: int) -> float:
    """Processor seconds that the master needs for a run of all chains."""
    sampler.clear()
    started = time.process_time()
    sampler.run(stretch)
    return time.process_time() - started


if __name__ == "__main__":
    with choose_pool(mpi=True) as pool:
        found = measured(pool, int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
        print(json.dumps(found), flush=True)
