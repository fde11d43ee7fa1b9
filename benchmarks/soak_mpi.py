"""Long counts of MPI jobs: good ones, and ones with a model that raises."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from figure import Figure

from tests import mpi_job
from tests.mpirun import REPOSITORY, Ended, Environment

JOB = REPOSITORY / "tests" / "mpi_job.py"
POOLS = {
    "choose_pool": (JOB, "choose_pool"),
    "schwimmbad": (JOB, "schwimmbad"),
    "mpi4py.futures": ("-m", "mpi4py.futures", JOB, "executor"),
}


def jobs(count: int) -> Iterator[Figure]:
    """Jobs of three ranks with MPICH, on every pool."""
    for pool in POOLS:
        yield from _jobs(count, "mpich", pool)


def openmpi_jobs(count: int) -> Iterator[Figure]:
    """Jobs of three ranks with Open MPI."""
    yield from _jobs(count, "openmpi", "choose_pool")


def _jobs(count: int, mpi: str, pool: str) -> Iterator[Figure]:
    serial = " ".join(mpi_job.digests(None))
    title = f"{count} MPI jobs, {mpi}, {pool}"
    with tempfile.TemporaryDirectory() as folder:
        environment = Environment(Path(folder), mpi)
        good = [environment.run(3, *POOLS[pool], "good") for _ in range(count)]
        bad = [environment.run(3, *POOLS[pool], "model_raises") for _ in range(count)]
    wrong = [job for job in good if (job.code, job.out) != (0, [serial])]
    yield Figure(
        f"{title}: good, exit 0, equal to serial",
        count - len(wrong),
        "",
        count,
        True,
        _codes(good),
    )
    unclear = [job for job in bad if not _failed_well(job)]
    yield Figure(
        f"{title}: model raises, error code in 10 s, one traceback",
        count - len(unclear),
        "",
        count,
        True,
        f"{_codes(bad)}; the slowest after {max(job.seconds for job in bad):.1f} s",
    )
    for job in wrong + unclear:
        print(f"{title}: {job}", file=sys.stderr)


def _failed_well(job: Ended) -> bool:
    raised = "ModelError: the model raised ZeroDivisionError: a bug in the likelihood" in job.err
    once = job.err.count("in model\n") == 1
    return job.code != 0 and job.seconds < 10 and raised and once


def _codes(jobs: list[Ended]) -> str:
    return f"exit codes {', '.join(map(str, sorted({job.code for job in jobs})))}"
