"""How well two processes are used: the time of bare likelihood calls over that of the run."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from figure import Figure
from models import NAMES, Busy

from epsie.pools import InterruptiblePool
from epsie.samplers import MetropolisHastingsSampler

CHAINS = 8
PROCESSES = 2
STRETCHES = (400, 100, 10)
LIMITS = {(1e-3, 10): 0.9}
"""What is due, by seconds of the likelihood and iterations in a run."""


@contextmanager
def _own() -> Iterator[Any]:
    with closing(InterruptiblePool(PROCESSES)) as pool:
        yield pool


@contextmanager
def _multiprocessing() -> Iterator[Any]:
    with multiprocessing.get_context("forkserver").Pool(PROCESSES) as pool:
        yield pool


@contextmanager
def _executor() -> Iterator[Any]:
    context = multiprocessing.get_context("forkserver")
    with concurrent.futures.ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        yield pool


POOLS = {
    "pool=2": _own,
    "multiprocessing.Pool(2)": _multiprocessing,
    "ProcessPoolExecutor(2)": _executor,
}


def figures(quick: bool) -> Iterator[Figure]:
    """Eight chains on two processes, for pools, likelihoods and lengths of a run."""
    repeats = 3 if quick else 7
    for title, make in POOLS.items():
        with make() as pool:
            for seconds in (1e-3, 1e-4):
                yield from _on(title, pool, seconds, repeats)


def _on(title: str, pool: Any, seconds: float, repeats: int) -> Iterator[Figure]:
    model = Busy(seconds)
    sampler = MetropolisHastingsSampler(NAMES[:2], model, CHAINS, seed=1, pool=pool)
    sampler.start_position = dict.fromkeys(NAMES[:2], [0.0] * CHAINS)
    sampler.run(20)
    found: dict[int, list[tuple[float, float]]] = {stretch: [] for stretch in STRETCHES}
    for _ in range(repeats):
        for stretch, efficiencies in found.items():
            efficiencies.append(_efficiencies(sampler, pool, model, stretch))
    for stretch, efficiencies in found.items():
        against_two, against_one = zip(*efficiencies)
        yield Figure(
            f"parallel: {title}, {seconds * 1e3:g} ms, run({stretch})",
            median(against_two),
            "",
            LIMITS.get((seconds, stretch)),
            at_least=True,
            remark=f"serial / 2 x wall: {median(against_one):.2f}, best {max(against_one):.2f}",
        )


def _efficiencies(
    sampler: MetropolisHastingsSampler, pool: Any, model: Busy, stretch: int
) -> tuple[float, float]:
    """The part of the wall time that two bare loops in the pool need, and half of what one does.

    They are the same on an idle machine. Only the first says something on one that other programs
    keep busy.
    """
    iterations = max(stretch, round(0.1 / model.seconds))
    ncalls = iterations * CHAINS
    serial = calls_of(model, ncalls // 8) * 8
    bare = _in_pool(pool, model, ncalls // 2)
    start = perf_counter()
    for _ in range(iterations // stretch):
        sampler.run(stretch)
    elapsed = perf_counter() - start
    bare += _in_pool(pool, model, ncalls // 2)
    return bare / elapsed, serial / (PROCESSES * elapsed)


def _in_pool(pool: Any, model: Busy, ncalls: int) -> float:
    """Seconds that the pool's processes need for bare calls, dealt out evenly."""
    start = perf_counter()
    list(pool.map(partial(calls_of, model), [ncalls // PROCESSES] * PROCESSES))
    return perf_counter() - start


def calls_of(model: Busy, ncalls: int) -> float:
    """Seconds for bare calls of the model, by name as every sampler makes them."""
    x = dict.fromkeys(NAMES[:2], 0.0)
    start = perf_counter()
    for _ in range(ncalls):
        model(**x)
    return perf_counter() - start
