"""Measure ensembles of `epsie` and of emcee; run by `ensembles` where both are installed.

Both are timed in turns in one process; of the parallel runs a turn is one of bare calls, too. The
likelihood sleeps, so that other processes of the machine do not matter much.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import emcee
import numpy as np

from epsie import EnsembleSampler

WALKERS, MANY, ENSEMBLES, PROCESSES = 32, 512, 8, 2
NAMES = tuple("abcde")
SLEEP = 1e-3


def model(a: float, b: float, c: float, d: float, e: float) -> tuple[float, float]:
    """The normal distribution in five dimensions, by name."""
    return -0.5 * (a * a + b * b + c * c + d * d + e * e), 0.0


def log_density(x: np.ndarray) -> float:
    """The same of an array."""
    a, b, c, d, e = x
    return -0.5 * (a * a + b * b + c * c + d * d + e * e)


def many(**x: np.ndarray) -> tuple[np.ndarray, float]:
    """The same of many points at once."""
    return -0.5 * sum(v * v for v in x.values()), 0.0


def many_log_densities(x: np.ndarray) -> np.ndarray:
    """The same, of an array."""
    return -0.5 * (x * x).sum(axis=1)


def slow_model(**x: float) -> tuple[float, float]:
    """The same, slowly."""
    time.sleep(SLEEP)
    return model(**x)


def slow_log_density(x: np.ndarray) -> float:
    """The same, slowly."""
    time.sleep(SLEEP)
    return log_density(x)


def sleeps(n: int) -> None:
    """So many bare calls."""
    at = np.zeros(len(NAMES))
    for _ in range(n):
        slow_log_density(at)


def timed(clock: Callable[[], float], what: Callable[[], Any]) -> float:
    """How long it takes."""
    started = clock()
    what()
    return clock() - started


def made(target: Any, nensembles: int, nwalkers: int = WALKERS, **settings: Any) -> EnsembleSampler:
    """A sampler that has made some iterations."""
    starts = np.random.default_rng(0).normal(size=(len(NAMES), nensembles, nwalkers))
    sampler = EnsembleSampler(NAMES, target, nensembles, nwalkers, seed=1, **settings)
    sampler.start_position = dict(zip(NAMES, starts, strict=True))
    sampler.run(2)
    return sampler


def theirs(target: Any, nwalkers: int = WALKERS, **settings: Any) -> Any:
    """One of emcee that has made some iterations."""
    sampler = emcee.EnsembleSampler(nwalkers, len(NAMES), target, **settings)
    sampler.run_mcmc(np.random.default_rng(0).normal(size=(nwalkers, len(NAMES))), 2)
    return sampler


def scalar(repeats: int) -> list[Any]:
    """Processor time for each evaluation, over emcee's."""
    ratio, remark = beside(made(model, 1), theirs(log_density), 300, WALKERS, repeats)
    return ["an evaluation, 32 walkers, 5-D, over emcee", ratio, "x", 0.8, False, remark]


def vectorized(repeats: int) -> list[Any]:
    """The same of a model of many points at once."""
    mine = made(many, 1, MANY, vectorize=True)
    other = theirs(many_log_densities, MANY, vectorize=True)
    ratio, remark = beside(mine, other, 300, MANY, repeats)
    return ["the same, vectorised, 512 walkers", ratio, "x", 0.5, False, remark]


def beside(mine: Any, other: Any, n: int, walkers: int, repeats: int) -> tuple[float, str]:
    """The ratio of processor times for so many iterations, and in words both for an evaluation."""
    times = []
    for _ in range(repeats):
        first = timed(time.process_time, lambda: mine.run(n))
        times.append((first, timed(time.process_time, lambda: other.run_mcmc(None, n))))
        mine.clear()
        other.reset()
    ours, emcees = np.median(times, axis=0) * 1e6 / n / walkers
    return median(a / b for a, b in times), f"{ours:.2f} over {emcees:.2f} us"


def parallel(repeats: int) -> list[Any]:
    """The time of bare calls on two processes over that of a run."""
    n = 10
    steps = n * ENSEMBLES
    calls = steps * WALKERS
    found, others = [], []
    with multiprocessing.get_context("forkserver").Pool(PROCESSES) as pool:
        mine, other = made(slow_model, ENSEMBLES, pool=pool), theirs(slow_log_density, pool=pool)
        for _ in range(repeats):
            bare = timed(time.perf_counter, lambda: pool.map(sleeps, [calls // 2] * 2, 1))
            found.append(bare / timed(time.perf_counter, lambda: mine.run(n)))
            others.append(bare / timed(time.perf_counter, lambda: other.run_mcmc(None, steps)))
    remark = f"emcee, 32 walkers: {median(others):.2f}"
    title = "efficiency, 8 on 2 processes, 1 ms"
    return [title, median(found), "", 0.95, True, remark]


if __name__ == "__main__":
    repeats = int(sys.argv[1])
    print(json.dumps([scalar(repeats), vectorized(repeats), parallel(max(3, repeats // 3))]))
