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

WALKERS, ENSEMBLES, PROCESSES = 32, 8, 2
NAMES = tuple("abcde")
SLEEP = 1e-3


def model(a: float, b: float, c: float, d: float, e: float) -> tuple[float, float]:
    """The normal distribution in five dimensions, by name."""
    return -0.5 * (a * a + b * b + c * c + d * d + e * e), 0.0


def log_density(x: np.ndarray) -> float:
    """The same of an array."""
    a, b, c, d, e = x
    return -0.5 * (a * a + b * b + c * c + d * d + e * e)


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


def made(target: Any, nensembles: int, pool: Any = None) -> EnsembleSampler:
    """A sampler that has made some iterations."""
    starts = np.random.default_rng(0).normal(size=(len(NAMES), nensembles, WALKERS))
    sampler = EnsembleSampler(NAMES, target, nensembles, WALKERS, seed=1, pool=pool)
    sampler.start_position = dict(zip(NAMES, starts, strict=True))
    sampler.run(2)
    return sampler


def theirs(target: Any, pool: Any = None) -> Any:
    """One of emcee that has made some iterations."""
    sampler = emcee.EnsembleSampler(WALKERS, len(NAMES), target, pool=pool)
    sampler.run_mcmc(np.random.default_rng(0).normal(size=(WALKERS, len(NAMES))), 2)
    return sampler


def scalar(repeats: int) -> list[Any]:
    """Processor time for each evaluation, over emcee's."""
    mine, other, n = made(model, 1), theirs(log_density), 300
    ratios, times = [], []
    for _ in range(repeats):
        first = timed(time.process_time, lambda: mine.run(n))
        second = timed(time.process_time, lambda: other.run_mcmc(None, n))
        mine.clear()
        other.reset()
        ratios.append(first / second)
        times.append((first * 1e6 / n / WALKERS, second * 1e6 / n / WALKERS))
    ours, emcees = np.median(times, axis=0)
    remark = f"{ours:.1f} over {emcees:.1f} us"
    return ["an evaluation, 32 walkers, 5-D, over emcee", median(ratios), "x", 0.8, False, remark]


def parallel(repeats: int) -> list[Any]:
    """The time of bare calls on two processes over that of a run."""
    n = 10
    steps = n * ENSEMBLES
    calls = steps * WALKERS
    found, others = [], []
    with multiprocessing.get_context("forkserver").Pool(PROCESSES) as pool:
        mine, other = made(slow_model, ENSEMBLES, pool), theirs(slow_log_density, pool)
        for _ in range(repeats):
            bare = timed(time.perf_counter, lambda: pool.map(sleeps, [calls // 2] * 2, 1))
            found.append(bare / timed(time.perf_counter, lambda: mine.run(n)))
            others.append(bare / timed(time.perf_counter, lambda: other.run_mcmc(None, steps)))
    remark = f"emcee, 32 walkers: {median(others):.2f}"
    title = "efficiency, 8 on 2 processes, 1 ms"
    return [title, median(found), "", 0.95, True, remark]


if __name__ == "__main__":
    repeats = int(sys.argv[1])
    print(json.dumps([scalar(repeats), parallel(max(3, repeats // 3))]))
