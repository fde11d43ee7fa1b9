"""Scripts that run on a pool, and what becomes of them when they are interrupted or killed."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


class Dies:
    """A model that kills its process so many times, and always does if there is no folder."""

    def __init__(self, folder, times):
        self.folder, self.times = str(folder), times

    def __call__(self, x, y):
        if y > 0.2:
            for death in range(self.times):
                with contextlib.suppress(FileExistsError):
                    # Each is one worker's: two may come here at once.
                    open(os.path.join(self.folder, str(death)), "x").close()
                    os.kill(os.getpid(), signal.SIGKILL)
        return -x * x - y * y, 0.0


SCRIPT = """
import sys
import time

import numpy as np

from epsie.samplers import MetropolisHastingsSampler


def model(x, y):
    time.sleep(0.001)
    return -x * x - y * y, 0.0


def pool_of(kind):
    import concurrent.futures
    import multiprocessing

    import schwimmbad
    from epsie.pools import InterruptiblePool

    return {
        "None": lambda: None,
        "own": lambda: InterruptiblePool(2),
        "int": lambda: 2,
        "threads": lambda: concurrent.futures.ThreadPoolExecutor(2),
        "thread pool": lambda: multiprocessing.pool.ThreadPool(2),
        "executor": lambda: concurrent.futures.ProcessPoolExecutor(2),
        "spawned executor": lambda: concurrent.futures.ProcessPoolExecutor(
            2, mp_context=multiprocessing.get_context("spawn")
        ),
        "fork": lambda: multiprocessing.get_context("fork").Pool(2),
        "spawn": lambda: multiprocessing.get_context("spawn").Pool(2),
        "forkserver": lambda: multiprocessing.get_context("forkserver").Pool(2),
        "schwimmbad": lambda: schwimmbad.MultiPool(2),
        "joblib": lambda: schwimmbad.JoblibPool(2),
    }[kind]()


def main(kind, ready):
    import multiprocessing.pool

    sampler = MetropolisHastingsSampler(["x", "y"], model, 4, seed=1, pool=pool_of(kind))
    sampler.start_position = {"x": np.zeros(4), "y": np.zeros(4)}
    sampler.run(1)
    open(ready, "w").close()
    while True:
        before = None
        try:
            before = sampler.niterations, sampler.state
            sampler.run(300)
        except BaseException as error:
            after = sampler.niterations, sampler.state
            whole = len({chain.iteration for chain in sampler.chains}) == 1
            if before is not None and after[0] == before[0]:
                np.testing.assert_equal(after, before)
            print("ended by", type(error).__name__, whole, flush=True)
            raise


if __name__ == "__main__":
    main(*sys.argv[1:])
"""


class Outcome(NamedTuple):
    """What became of a script."""

    code: int
    seconds: float
    """From the signal until the process was gone, with those that it started."""
    out: str
    error: str
    orphans: list[int]
    """Its processes that were there a minute after it was gone, or as long as was waited."""


def outcome(
    directory: Path, kind: str, number: int, delay: float, group: bool, patience: float = 60.0
) -> Outcome:
    """Run the script on a kind of pool, and send a signal so long after it is up.

    Processes that it started have so many seconds to end.
    """
    script, ready = directory / "script.py", directory / f"ready-{time.monotonic_ns()}"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script), kind, str(ready)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        while not ready.exists():
            assert process.poll() is None, "it did not start"
            time.sleep(0.01)
        time.sleep(delay)
        sent = time.monotonic()
        (os.killpg if group else os.kill)(process.pid, number)
        process.wait()
        limit = time.monotonic() + patience
        while (orphans := left_of(process.pid)) and time.monotonic() < limit:
            time.sleep(0.02)
        seconds = time.monotonic() - sent
        out, error = "", ""
        if not orphans:
            out, error = process.communicate()
        return Outcome(process.returncode, seconds, out, error, orphans)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def press_when(ready: Callable[[], bool]) -> threading.Thread:
    """Ctrl-C for this process as soon as something is so."""

    def press() -> None:
        while not ready():
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press, daemon=True)
    thread.start()
    return thread


def left_of(session: int) -> list[int]:
    """The processes of a session, without the zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the name, which may have anything in it: state, parent, group, session.
            state, _, _, its = path.read_text().rpartition(")")[2].split()[:4]
            if int(its) == session and state != "Z":
                found.append(int(path.parent.name))
    return found
