"""Long counts of pools: killed workers, Ctrl-C at random moments."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from figure import Figure

from epsie import PoolError
from epsie.pools import InterruptiblePool
from epsie.samplers import MetropolisHastingsSampler
from tests import interrupting, signalled
from tests.statistical import seed

_LENGTH = 60


def _model(x: float, y: float) -> tuple[float, float]:
    time.sleep(0.002)
    return -x * x - y * y, 0.0


def _sampler(pool: Any) -> tuple[Any, float]:
    """One that has run once, and how many seconds that took."""
    made = MetropolisHastingsSampler(["x", "y"], _model, 4, seed=seed(), pool=pool)
    made.start_position = {"x": np.zeros(4), "y": np.zeros(4)}
    started = time.monotonic()
    made.run(_LENGTH)
    return made, time.monotonic() - started


def _expected() -> bytes:
    made, _ = _sampler(None)
    made.run(_LENGTH)
    return bytes(made.positions.tobytes())


Pids = Callable[[], list[int]]


@contextlib.contextmanager
def _killed_meanwhile(pids: Pids, rng: random.Random, seconds: float) -> Iterator[None]:
    """SIGKILL a worker at a random moment of the next run, which takes so long or so."""

    def kill() -> None:
        # The one that is chosen may just have ended, as its tasks were used up, or all may have.
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(rng.choice(pids()), signal.SIGKILL)

    killer = threading.Timer(rng.uniform(0, seconds), kill)
    killer.start()
    try:
        yield
    finally:
        killer.join()


def worker_kills(count: int) -> Iterator[Figure]:
    """A worker is killed at a random moment: pools that replace it must give the same bits."""
    rng, expected = random.Random(seed()), _expected()
    with InterruptiblePool(2) as pool:
        pids = lambda: [worker.pid for worker in pool._workers]  # noqa: E731
        right = sum(_recovered(pool, pids, expected, rng) for _ in range(count))
    yield Figure("killed worker, our own pool: recovered", right, "", count, True)
    for name, make in _REFUSING.items():
        right, refused, longest = _refused(make, count, expected, rng)
        title, remark = f"killed worker, {name}", f"{refused} errors"
        yield Figure(f"{title}: an error, or done before", right, "", count, True, remark)
        yield Figure(f"{title}: until the error", longest, "s", 10.0)


def dask_worker_kills(count: int) -> Iterator[Figure]:
    """The same with Dask, which replaces workers too."""
    from distributed import Client, LocalCluster

    rng, expected = random.Random(seed()), _expected()
    done = right = clusters = 0
    while done < count:
        clusters += 1
        settings = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": 50}
        with _patient(), LocalCluster(2, **settings) as cluster:

            def pids(cluster: Any = cluster) -> list[int]:
                return [w.process.pid for w in cluster.workers.values() if w.process]

            with Client(cluster) as client, contextlib.suppress(TimeoutError):
                while done < count:
                    client.wait_for_workers(2, timeout=30)
                    right += _recovered(client, pids, expected, rng)
                    done += 1
    remark = f"{clusters} clusters"
    yield Figure("killed worker, Dask: recovered", right, "", count, True, remark)


def _patient() -> Any:
    """Settings of Dask for kills in quick succession.

    After 15 s it looks whether a worker that it lost is back, and takes it off the cluster if it
    was lost a second time in between.
    """
    import dask

    return dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"})


def _recovered(pool: Any, pids: Pids, expected: bytes, rng: random.Random) -> bool:
    made, seconds = _sampler(pool)
    with _killed_meanwhile(pids, rng, seconds):
        made.run(_LENGTH)
    return bool(made.positions.tobytes() == expected)


_REFUSING = {
    "ProcessPoolExecutor": lambda: concurrent.futures.ProcessPoolExecutor(2),
    "multiprocessing.Pool": lambda: multiprocessing.get_context("fork").Pool(2),
    "multiprocessing.Pool that replaces workers": lambda: multiprocessing.get_context("fork").Pool(
        2, maxtasksperchild=1
    ),
}


def _refused(
    make: Callable[[], Any], count: int, expected: bytes, rng: random.Random
) -> tuple[int, int, float]:
    right, refused, longest = 0, 0, 0.0
    for _ in range(count):
        pool = make()
        made, seconds = _sampler(pool)
        before, started = made.state, time.monotonic()
        try:
            with _killed_meanwhile(lambda pool=pool: _pids(pool), rng, seconds):
                made.run(_LENGTH)
        except PoolError as error:
            longest = max(longest, time.monotonic() - started)
            np.testing.assert_equal(made.state, before)
            refused += 1
            right += "new" in str(error)
        else:
            right += made.positions.tobytes() == expected
            # One that was killed in the end is found now; unnoticed, it may lock `terminate`.
            with contextlib.suppress(PoolError):
                made.run(1)
        (pool.shutdown if hasattr(pool, "shutdown") else pool.terminate)()
    return right, refused, longest


def _pids(pool: Any) -> list[int]:
    executor = hasattr(pool, "_processes") and isinstance(pool._processes, dict)
    return list(pool._processes) if executor else [process.pid for process in pool._pool]


KINDS = ["None", "own", "threads", "thread pool", "executor", "spawned executor", "fork", "spawn"]
KINDS += ["forkserver", "schwimmbad", "joblib"]


def interrupts(count: int) -> Iterator[Figure]:
    """Ctrl-C for all processes at a random moment: gone within 3 s, without orphans."""
    rng = random.Random(seed())
    for kind in KINDS:
        with contextlib.suppress(ImportError):
            if kind == "joblib":
                import joblib  # noqa: F401
            yield from _interrupted(kind, count, rng)


def double_signals(count: int) -> Iterator[Figure]:
    """Two signals at most 1 ms apart: the process ends as it should, or can go on if it likes."""
    found = signalled.outcomes(count, seed())
    for pair in signalled.PAIRS:
        of = [outcome for outcome in found if outcome["pair"] == list(pair)]
        wrong = [outcome for outcome in of if outcome["wrong"]]
        title = f"{' and '.join(pair)}, {len(of)} times: deaf, other handlers, code or samples"
        yield Figure(title, len(wrong), "", 0, remark=str(wrong[:1] or ""))


def _interrupted(kind: str, count: int, rng: random.Random) -> Iterator[Figure]:
    right, quiet, longest, wrong = 0, 0, 0.0, ""
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(count):
            delay = rng.uniform(0, 0.8)
            found = interrupting.outcome(Path(directory), kind, signal.SIGINT, delay, group=True)
            gone = found.code == -signal.SIGINT and not found.orphans
            if gone and found.out.startswith("ended by KeyboardInterrupt True"):
                right += 1
            else:
                wrong = wrong or str(found)[-300:]
            quiet += found.error.count("Traceback") == 1
            longest = max(longest, found.seconds)
    yield Figure(f"Ctrl-C, {kind}: ended well", right, "", count, True, wrong)
    yield Figure(f"Ctrl-C, {kind}: until all was gone", longest, "s", 3.0)
    if kind == "own":
        yield Figure(f"Ctrl-C, {kind}: one traceback", quiet, "", count, True)
