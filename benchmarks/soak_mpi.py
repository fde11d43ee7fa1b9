"""Long counts of MPI jobs: good ones, and ones with a model that raises."""

from __future__ import annotations

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
    """Jobs of three ranks with MPICH on every pool, and with Open MPI on ours."""
    serial = " ".join(mpi_job.digests(None))
    with tempfile.TemporaryDirectory() as folder:
        for mpi, pool in [*(("mpich", pool) for pool in POOLS), ("openmpi", "choose_pool")]:
            environment = Environment(Path(folder), mpi)
            title = f"{count} MPI jobs, {mpi}, {pool}"
            good = [environment.run(3, *POOLS[pool], "good") for _ in range(count)]
            right = sum((job.code, job.out) == (0, [serial]) for job in good)
            remark = _codes(good)
            yield Figure(f"{title}: good, exit 0, equal to serial", right, "", count, True, remark)
            bad = [environment.run(3, *POOLS[pool], "model_raises") for _ in range(count)]
            right = sum(_failed_well(job) for job in bad)
            remark = f"{_codes(bad)}; the slowest after {max(job.seconds for job in bad):.1f} s"
            title += ": model raises, error code in 10 s, one traceback"
            yield Figure(title, right, "", count, True, remark)


def _failed_well(job: Ended) -> bool:
    raised = "ModelError: the model raised ZeroDivisionError: a bug in the likelihood" in job.err
    once = job.err.count("in model\n") == 1
    return job.code != 0 and job.seconds < 10 and raised and once


def _codes(jobs: list[Ended]) -> str:
    return f"exit codes {', '.join(map(str, sorted({job.code for job in jobs})))}"
