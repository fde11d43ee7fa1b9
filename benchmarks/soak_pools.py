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
from tests import interrupting
from tests.statistical import seed

_LENGTH = 60


def _model(x: float, y: float) -> tuple[float, float]:
    time.sleep(0.002)
    return -x * x - y * y, 0.0


def _sampler(pool: Any) -> Any:
    made = MetropolisHastingsSampler(["x", "y"], _model, 4, seed=seed(), pool=pool)
    made.start_position = {"x": np.zeros(4), "y": np.zeros(4)}
    made.run(_LENGTH)
    return made


def _expected() -> bytes:
    made = _sampler(None)
    made.run(_LENGTH)
    return bytes(made.positions.tobytes())


@contextlib.contextmanager
def _killed_meanwhile(pid: int, rng: random.Random) -> Iterator[None]:
    """SIGKILL a process at a random moment of the next run, which takes 0.3 s or so."""
    killer = threading.Timer(rng.uniform(0, 0.25), os.kill, (pid, signal.SIGKILL))
    killer.start()
    yield
    killer.join()


def worker_kills(count: int) -> Iterator[Figure]:
    """A worker is killed at a random moment: pools that replace it must give the same bits."""
    rng, expected = random.Random(seed()), _expected()
    with InterruptiblePool(2) as pool:
        right = _recovered(
            pool, lambda: [worker.pid for worker in pool._workers], count, expected, rng
        )
    yield Figure("killed worker, our own pool: recovered", right, "", count, True)
    for name, make in _REFUSING.items():
        right, longest = _refused(make, count, rng)
        yield Figure(f"killed worker, {name}: an error, or done before", right, "", count, True)
        yield Figure(f"killed worker, {name}: until the error", longest, "s", 10.0)
    with contextlib.suppress(ImportError):
        yield from _dask(count, expected, rng)


def _recovered(
    pool: Any, pids: Callable[[], list[int]], count: int, expected: bytes, rng: random.Random
) -> int:
    right = 0
    for _ in range(count):
        made = _sampler(pool)
        with _killed_meanwhile(rng.choice(pids()), rng):
            made.run(_LENGTH)
        right += made.positions.tobytes() == expected
    return right


def _dask(count: int, expected: bytes, rng: random.Random) -> Iterator[Figure]:
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as client,
    ):

        def pids() -> list[int]:
            # A worker that was killed takes seconds to come back.
            client.wait_for_workers(2)
            return list(client.run(os.getpid).values())

        right = _recovered(client, pids, count, expected, rng)
    yield Figure("killed worker, Dask: recovered", right, "", count, True)


_REFUSING = {
    "ProcessPoolExecutor": lambda: concurrent.futures.ProcessPoolExecutor(2),
    "multiprocessing.Pool": lambda: multiprocessing.get_context("fork").Pool(2),
}


def _refused(make: Any, count: int, rng: random.Random) -> tuple[int, float]:
    right, longest, expected = 0, 0.0, _expected()
    for _ in range(count):
        pool = make()
        made = _sampler(pool)
        before, workers = made.state, getattr(pool, "_processes", None)
        pids = list(workers) if isinstance(workers, dict) else [p.pid for p in pool._pool]
        started = time.monotonic()
        try:
            with _killed_meanwhile(rng.choice(pids), rng):
                made.run(_LENGTH)
        except PoolError as error:
            longest = max(longest, time.monotonic() - started)
            np.testing.assert_equal(made.state, before)
            right += "new" in str(error)
        else:
            right += made.positions.tobytes() == expected
        getattr(pool, "shutdown", pool.terminate if hasattr(pool, "terminate") else None)()
    return right, longest


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


def _interrupted(kind: str, count: int, rng: random.Random) -> Iterator[Figure]:
    right, quiet, longest = 0, 0, 0.0
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(count):
            delay = rng.uniform(0, 0.8)
            found = interrupting.outcome(Path(directory), kind, signal.SIGINT, delay, group=True)
            good = found.code == -signal.SIGINT and not found.orphans
            right += good and found.out.startswith("ended by KeyboardInterrupt True")
            quiet += found.error.count("Traceback") == 1
            longest = max(longest, found.seconds)
    yield Figure(f"Ctrl-C, {kind}: ended well", right, "", count, True)
    yield Figure(f"Ctrl-C, {kind}: until all was gone", longest, "s", 3.0)
    if kind == "own":
        yield Figure(f"Ctrl-C, {kind}: one traceback", quiet, "", count, True)
