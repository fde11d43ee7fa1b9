"""Bytes that travel to the workers and back, counted on real pipes and files."""

from __future__ import annotations

import multiprocessing
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

from figure import Figure
from models import NAMES, Heavy, gaussian_2

from epsie.samplers import MetropolisHastingsSampler

CHAINS = 8
WORKERS = 2
LIMIT = 200.0
"""kB a call."""


@dataclass
class Traffic:
    """Bytes of one call of `map`: through the pipes, and read from files by each worker."""

    piped: int = 0
    read: dict[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All of them."""
        return self.piped + sum(self.read.values())


class CountingPool:
    """A pool that counts: what it sends and gets is pickled here, so its length is known.

    Parameters
    ----------
    pool : multiprocessing.Pool
        Does the work.
    """

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.calls: list[Traffic] = []

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """The results, in the order of the items."""
        sent = [pickle.dumps((function, item)) for item in items]
        answers = self.pool.map(_call, sent, chunksize=1)
        traffic = Traffic(sum(map(len, sent)) + sum(len(body) for body, _, _ in answers))
        for _, worker, nread in answers:
            traffic.read[worker] = traffic.read.get(worker, 0) + nread
        self.calls.append(traffic)
        return [pickle.loads(body) for body, _, _ in answers]


def _call(sent: bytes) -> tuple[bytes, int, int]:
    """Do an item in a worker: the result pickled, who did it and how much it read meanwhile."""
    before = _bytes_read()
    function, item = pickle.loads(sent)
    body = pickle.dumps(function(item))
    return body, os.getpid(), _bytes_read() - before


def _bytes_read() -> int:
    """What this process has read from files so far; 0 where the system does not tell."""
    try:
        first = Path("/proc/self/io").read_text().split("\n", 1)[0]
    except OSError:
        return 0
    return int(first.removeprefix("rchar: "))


def figures(quick: bool) -> Iterator[Figure]:
    """Calls of ``run(100)`` with eight chains on a pool of two forked before the model was made."""
    with multiprocessing.get_context("fork").Pool(WORKERS) as workers:
        yield from _over_history(workers, 10_000 if quick else 100_000)
        yield from _over_model(workers, 10 if quick else 100)


def started(model: Any, workers: Pool) -> tuple[MetropolisHastingsSampler, CountingPool]:
    pool = CountingPool(workers)
    sampler = MetropolisHastingsSampler(NAMES[:2], model, CHAINS, seed=1, pool=pool)
    sampler.start_position = dict.fromkeys(NAMES[:2], [0.0] * CHAINS)
    return sampler, pool


def one_call(sampler: MetropolisHastingsSampler, pool: CountingPool) -> Traffic:
    before = len(pool.calls)
    sampler.run(100)
    calls = pool.calls[before:]
    total = Traffic(sum(call.piped for call in calls))
    for call in calls:
        for worker, nread in call.read.items():
            total.read[worker] = total.read.get(worker, 0) + nread
    return total


def _over_history(workers: Pool, long: int) -> Iterator[Figure]:
    sampler, pool = started(gaussian_2, workers)
    sampler.run(1000)
    short = one_call(sampler, pool)
    sampler.run(long - sampler.niterations)
    after = one_call(sampler, pool)
    rows = 100 * CHAINS * (8 * 5 + 1) / 1000
    yield _kilobytes(
        "traffic: run(100), 8 chains, after 1000 iterations", short, f"{rows:.0f} of them samples"
    )
    yield _kilobytes(
        f"traffic: run(100), 8 chains, after {long} iterations",
        after,
        f"{after.total / short.total:.3f} x as many as after 1000",
    )


def _over_model(workers: Pool, megabytes: int) -> Iterator[Figure]:
    sampler, pool = started(Heavy(megabytes * 10**6), workers)
    for _ in range(2):
        one_call(sampler, pool)
    later = one_call(sampler, pool)
    read: dict[int, int] = {}
    for call in pool.calls:
        for worker, nread in call.read.items():
            read[worker] = read.get(worker, 0) + nread
    piped = max(call.piped for call in pool.calls)
    what = f"model with {megabytes} MB"
    yield Figure(
        f"traffic: {what}, read by a worker in all",
        max(read.values()) / 1e6,
        "MB",
        1.01 * megabytes,
        remark=f"{len(read)} workers; at most {piped / 1000:.0f} kB through the pipes of one call",
    )
    yield _kilobytes(f"traffic: {what}, later run(100), 8 chains", later, "pipes and files")


def _kilobytes(name: str, traffic: Traffic, remark: str) -> Figure:
    return Figure(name, traffic.total / 1000, "kB", LIMIT, remark=remark)
