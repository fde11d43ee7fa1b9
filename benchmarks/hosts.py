"""A simulation of runs on 1, 10 and 100 hosts: ``python benchmarks/hosts.py``.

Rank 0 deals out chains and takes in what they did. Its processor time for a chain and the bytes of
it were measured by ``growth.py processes``; the network, and how much chains differ, are assumed.
What comes out is kept with what was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

import growth
import numpy as np
from figure import Figure, table
from mpi_job import TOGETHER

CORES = 64
"""Workers of a host."""
HOSTS = (1, 10, 100)
MESSAGES = 4
"""For each worker in a call, as with four chains for each."""
LATENCY = 1e-4
"""Seconds until a message is there and taken up: a waiting rank sleeps for 50 us at least."""
BANDWIDTH = 1e9
"""Bytes a second that go through the network card of rank 0."""
SPREAD = 0.05
"""The standard deviation of what a worker needs, of the mean."""
COSTS = (1e-3, 1e-2, 1e-1)
"""Seconds of a call of the model."""


@dataclass(frozen=True)
class Way:
    """How chains are dealt out.

    Parameters
    ----------
    stretch : int
        Iterations of a call.
    how : str
        One of those that were measured.
    arrays : bool
        Whether each host has a rank 0 of its own, as in a job array.
    """

    stretch: int
    how: str = "one by one"
    arrays: bool = False

    @property
    def title(self) -> str:
        """For tables and pictures."""
        how = {
            "one by one": "",
            "learning": ", chains that learn together",
            "together": f", {TOGETHER} points a call",
        }[self.how]
        return f"run({self.stretch}){how}" + (", a job for each host" if self.arrays else "")

    @property
    def points(self) -> int:
        """The points of a call, and chains of a message."""
        return TOGETHER if self.how == "together" else 1

    @property
    def busy(self) -> float:
        """Seconds for which a message and its answer keep rank 0 and its network card busy."""
        processor, nbytes = growth.read()["processes"]["rank 0"][self.how][str(self.stretch)]
        return float(self.points * (processor + nbytes / BANDWIDTH))

    def efficiency(self, cost: float, workers: int) -> float:
        """The part of their time for which workers are in calls that take `cost` seconds."""
        if self.arrays:
            workers = min(workers, CORES)
        work = self.stretch * cost
        return MESSAGES * work / elapsed(workers, MESSAGES * workers, work, self.busy)


WAYS = (
    *(Way(10), Way(100), Way(1000)),
    *(Way(100, "learning"), Way(100, arrays=True), Way(1000, "together")),
)


def elapsed(workers: int, messages: int, work: float, busy: float) -> float:
    """The wall time of a call.

    Rank 0 does one thing at a time. A worker has a message at a time, and gets the next one when
    rank 0 has taken in its answer.

    Parameters
    ----------
    workers, messages : int
        How many there are.
    work : float
        The mean of the seconds that a worker needs for a message.
    busy : float
        Seconds that rank 0 needs for it, half of them to send it.
    """
    each = iter(work * np.random.default_rng(1).normal(1, SPREAD, messages).clip(0.5))
    now, arrivals = 0.0, list[float]()

    def send() -> None:
        nonlocal now
        seconds = next(each, None)
        if seconds is not None:
            now += busy / 2
            heappush(arrivals, now + seconds + 2 * LATENCY)

    for _ in range(workers):
        send()
    while arrivals:
        now = max(now, heappop(arrivals)) + busy / 2
        send()
    return now


def figures() -> Iterator[Figure]:
    """What rank 0 is good for, and how busy workers are."""
    for way in WAYS:
        rate = way.points * way.stretch / way.busy
        yield Figure(f"{way.title}: evaluations that rank 0 can deal with", rate, "a second")
        for cost in COSTS:
            parts = [f"{way.efficiency(cost, CORES * hosts):.2f}" for hosts in HOSTS]
            limit = way.stretch * cost / way.busy
            limit *= HOSTS[-1] if way.arrays else 1
            remark = f"on {', '.join(map(str, HOSTS))} hosts they are busy {', '.join(parts)} of it"
            title = f"{way.title}, {1e3 * cost:g} ms: workers that take all its time"
            yield Figure(title, limit, "", remark=remark)


def curves(cost: float) -> growth.Part:
    """How busy workers are, against how many there are."""
    counts = [CORES * n for n in (1, 2, 5, 10, 20, 50, 100)]
    found = {
        way.title: [[n, *[round(way.efficiency(cost, n), 3)] * 3] for n in counts] for way in WAYS
    }
    label = f"part of the workers' time in calls of {1e3 * cost:g} ms"
    return {"x": "workers", "y": label, "curves": found}


if __name__ == "__main__":
    table(figures())
    growth.keep({f"hosts, {1e3 * cost:g} ms": curves(cost) for cost in COSTS[:2]})
