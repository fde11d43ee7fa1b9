"""What it costs to watch a run: its bar, and the checks of `until`."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from figure import Figure

from epsie.execution import executor
from epsie.proposals import Normal
from epsie.running.progress import Bar, Progress
from epsie.running.stopping import Stopper
from epsie.samplers import MetropolisHastingsSampler


def figures(quick: bool) -> Iterator[Figure]:
    """The share of the bar, and the time of all checks."""
    yield _bar(100_000 if quick else 1_000_000)
    yield _checks(20_000 if quick else 100_000)


def normal(x: float, y: float) -> tuple[float, float]:
    """A cheap model: the worst case."""
    return -0.5 * (x * x + y * y), 0.0


def _sampler() -> MetropolisHastingsSampler:
    sampler = MetropolisHastingsSampler(["x", "y"], normal, 4, Normal(["x", "y"]), seed=1)
    sampler.start_position = {"x": [0.0] * 4, "y": [0.0] * 4}
    sampler.run(1000)
    return sampler


@contextmanager
def _terminal() -> Iterator[None]:
    """A terminal as standard error, which somebody reads."""
    master, slave = os.openpty()
    reader = threading.Thread(target=_drain, args=(master,), daemon=True)
    reader.start()
    former, sys.stderr = sys.stderr, os.fdopen(slave, "w")
    try:
        yield
    finally:
        sys.stderr.close()
        sys.stderr = former
        reader.join()
        os.close(master)


def _drain(master: int) -> None:
    try:
        while os.read(master, 4096):
            pass
    except OSError:
        return


def _seconds(call: Callable[[], object]) -> float:
    """Processor seconds, which other processes disturb less."""
    started = time.process_time()
    call()
    return time.process_time() - started


@contextmanager
def _clocked(owner: Any, name: str, spent: list[float]) -> Iterator[None]:
    """Add up the processor seconds of all calls of a function."""
    inner = getattr(owner, name)

    def clocked(*args: Any, **kwargs: Any) -> Any:
        started = time.process_time()
        try:
            return inner(*args, **kwargs)
        finally:
            spent.append(time.process_time() - started)

    setattr(owner, name, clocked)
    try:
        yield
    finally:
        setattr(owner, name, inner)


def _bar(n: int) -> Figure:
    """What the bar adds to a round, by the clock: figures, drawing, and the copies it starts from.

    Related to how long a round should take: on a busy machine it gets less of the processor.
    """
    sampler, shown, copied = _sampler(), [], []
    with _terminal():
        sampler.run(2000, progress=True)
        sampler.clear()
        with _clocked(Bar, "saw", shown), _clocked(executor, "_follower", copied):
            whole = _seconds(lambda: sampler.run(n, progress=True))
    each = (sum(shown) + sum(copied)) / len(shown)
    return Figure(
        "progress bar, share of a round of a cheap model",
        100 * each / Progress.seconds,
        "%",
        1.0,
        remark=f"{len(shown)} rounds in {whole:.1f} s of 4 chains in 2-D",
    )


def _checks(n: int) -> Figure:
    """All checks of a run whose target is never reached."""
    spent, count = 0.0, 0
    inner = Stopper.lack

    def timed(self: Stopper) -> str:
        nonlocal spent, count
        started = time.process_time()
        told = inner(self)
        spent += time.process_time() - started
        count += 1
        # Whatever it finds, the run goes on.
        return told or "more"

    sampler = _sampler()
    sampler.lacks({"ess": 400, "rhat": 1.01})
    Stopper.lack = timed
    try:
        whole = _seconds(lambda: sampler.run(n, until={"ess": 400, "rhat": 1.01}))
    finally:
        Stopper.lack = inner
    return Figure(
        f"checks of until, all up to {n:,} iterations of 4 chains in 2-D",
        spent,
        "s",
        remark=f"{count} checks of every parameter; the run took {whole:.2f} s",
    )
