"""What it costs to save a run in a directory, and to read it."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from figure import Figure

from epsie import open_run
from epsie.proposals import Normal
from epsie.running.writer import Writer
from epsie.samplers import MetropolisHastingsSampler

NAMES = ("a", "b", "c", "d")


def figures(quick: bool) -> Iterator[Figure]:
    """The share of saving, its growth, reading, and memory."""
    yield _share(500 if quick else 2000)
    directory = Path(tempfile.mkdtemp())
    try:
        yield from _long_run(directory / "run", 100_000 if quick else 1_000_000)
    finally:
        shutil.rmtree(directory)
    yield _memory(100_000 if quick else 1_000_000)


def _sampler(model, nchains: int) -> MetropolisHastingsSampler:
    sampler = MetropolisHastingsSampler(NAMES, model, nchains, Normal(NAMES), seed=1)
    sampler.start_position = {name: [0.0] * nchains for name in NAMES}
    return sampler


def normal(**x: float) -> tuple[float, float]:
    """A cheap model."""
    return -0.5 * sum(value * value for value in x.values()), 0.0


def slow(**x: float) -> tuple[float, float]:
    """A model of 1 ms."""
    until = time.perf_counter() + 1e-3
    while time.perf_counter() < until:
        pass
    return normal(**x)


class Timed(Writer):
    """Counts the seconds of its saves."""

    times: list[float] = []

    def save(self) -> None:
        """Save, and note how long that took."""
        started = time.perf_counter()
        super().save()
        self.times.append(time.perf_counter() - started)


def timed(sampler, n: int, directory: Path, every: int) -> tuple[float, list[float]]:
    """The seconds of a run in a directory, and of each of its saves."""
    from epsie.running import saved_run

    saved_run.Writer, Timed.times = Timed, []
    try:
        started = time.perf_counter()
        sampler.run(n, directory=directory, every=every)
        return time.perf_counter() - started, Timed.times
    finally:
        saved_run.Writer = Writer


def _share(n: int) -> Figure:
    directory = Path(tempfile.mkdtemp())
    seconds, saves = timed(_sampler(slow, 8), n, directory / "run", 500)
    shutil.rmtree(directory)
    share = 100 * sum(saves) / seconds
    remark = f"{1e3 * sum(saves) / len(saves):.1f} ms a save"
    return Figure("saving: 1 ms model, 8 chains, every 500", share, "%", 2, remark=remark)


def _long_run(directory: Path, n: int) -> Iterator[Figure]:
    """One chain: saves of 500 iterations after 1e3 and at the end, then everything is read."""
    long, short = _sampler(normal, 1), _sampler(normal, 1)
    long.run(n, directory=directory, every=500)
    # Taken in turn, as other work on the machine makes the disk slower now and then.
    late, early = [], []
    for _ in range(100):
        late += timed(long, 500, directory, 500)[1]
        early += timed(short, 500, directory.parent / "short", 500)[1]
    n = long.niterations
    remark = f"{1e3 * _median(early):.2f} ms and {1e3 * _median(late):.2f} ms"
    title = f"saving: 500 iterations after {n} against after {short.niterations // 2}"
    yield Figure(title, _median(late) / _median(early), "x", 1.2, remark=remark)
    files = sum(path.stat().st_size for path in directory.iterdir())
    started = time.perf_counter()
    for path in directory.iterdir():
        path.read_bytes()
    plain = time.perf_counter() - started
    started = time.perf_counter()
    rows = open_run(directory).positions.size
    seconds = time.perf_counter() - started
    assert rows == n
    remark = (
        f"{seconds:.2f} s, {files / 1e6 / seconds:.0f} MB/s, {len(list(directory.iterdir()))} files"
    )
    yield Figure(
        f"saving: reading {n} x 4 against reading the files", seconds / plain, "x", remark=remark
    )


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _memory(n: int) -> Figure:
    """The peak of a long run in a directory against that of a short one, in new processes."""
    short, long = _peak(10_000), _peak(n)
    remark = f"{short / 1024:.0f} MB, {long / 1024:.0f} MB"
    return Figure(
        f"saving: peak memory of {n} iterations against 1e4", long / short, "x", 1.2, remark=remark
    )


def _peak(n: int) -> int:
    directory = tempfile.mkdtemp()
    code = f"import saving; print(saving.peak_of({n}, {directory!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        check=True,
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    shutil.rmtree(directory)
    return int(done.stdout)


def peak_of(n: int, directory: str) -> int:
    """The peak memory of this process after a run, in kB."""
    _sampler(normal, 1).run(n, directory=Path(directory) / "run", every=500)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
