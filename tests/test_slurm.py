"""Jobs of a real SLURM: the batch script of the pages, as it stands."""

import shutil
import subprocess
import time

import pytest

from epsie import RunDirectoryError, open_run
from tests import slurm
from tests.mpirun import REPOSITORY

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        bool(slurm.lacking()),
        reason=f"SLURM is not installed: {', '.join(slurm.lacking())} not found "
        "(apt-get install slurmctld slurmd slurm-client munge)",
    ),
]
TUTORIALS = REPOSITORY / "tutorials"
ITERATIONS = 10_000
SCRIPT = """
import itertools
import pathlib
import time

import tutorial

calls = itertools.count()


class Line(tutorial.Line):
    # Until there is a file `quick` a run takes half an hour: it is not done before what happens.
    def __call__(self, m, b, log_f):
        if not pathlib.Path("quick").exists():
            time.sleep(0.05)
            if next(calls) == 50:  # more than the starts: it runs
                pathlib.Path("begun").touch()
        return super().__call__(m, b, log_f)


tutorial.Line = Line
if __name__ == "__main__":
    tutorial.main()
"""
"""The script of the tutorial, slowed down."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, mpich):
    variables = {
        "PYTHONPATH": str(REPOSITORY),
        "PATH": f"{mpich.bin}:{slurm.PLACES}",
        "SLURM_MPI_TYPE": "pmi2",
    }
    with slurm.Cluster(tmp_path_factory.mktemp("slurm"), **variables) as made:
        yield made


@pytest.fixture
def place(tmp_path):
    """Where jobs are submitted."""
    (tmp_path / "line_fit.py").write_text(SCRIPT)
    shutil.copy(TUTORIALS / "line_fit.py", tmp_path / "tutorial.py")
    return tmp_path


@pytest.fixture
def submit(cluster, place):
    """Submit the batch script of the tutorial; options come before it."""

    def submitted(*options):
        command = [TUTORIALS / "slurm.sh", "--iterations", ITERATIONS]
        job = cluster.submit("--ntasks=3", "--output=out", *options, *command, cwd=place)
        jobs.append(job)
        return job

    jobs = []
    yield submitted
    for job in jobs:
        job.cancel()


def saved(place):
    """How many iterations are on disk."""
    try:
        return open_run(place / "line_fit_run").niterations
    except RunDirectoryError:  # not yet
        return 0


def save_some(job, place, number="USR2"):
    """Wait until the job runs, and let it save."""
    slurm.until((place / "begun").exists, lambda: f"{job.facts}\n{(place / 'out').read_text()}")
    job.signal(number)
    slurm.until(lambda: saved(place) > 0, lambda: (place / "out").read_text())
    return saved(place)


def assert_finishes(job, place, mpich):
    """The job goes on, to the same samples as those of a run that was never stopped."""
    (place / "quick").touch()
    assert job.wait("COMPLETED", restarts=1)["ExitCode"] == "0:0"
    whole = [mpich.bin / "python", "line_fit.py", "--iterations", ITERATIONS, "--directory=whole"]
    subprocess.run(list(map(str, whole)), cwd=place, env=job.cluster.variables, check=True)
    found, expected = open_run(place / "line_fit_run"), open_run(place / "whole")
    assert found.niterations == expected.niterations == ITERATIONS
    assert found.positions.tobytes() == expected.positions.tobytes()
    assert found.stats.tobytes() == expected.stats.tobytes()
    # What was printed before the stop is still there.
    assert (place / "out").read_text().count("rhat") == 1


def test_a_job_at_its_time_limit_goes_on(submit, place, mpich):
    began = time.monotonic()
    job = submit()
    before = save_some(job, place)
    # The limit is near: SLURM sends SIGTERM at its next look, at most half a minute later.
    job.update(TimeLimit=2 + int(time.monotonic() - began) // 60)
    job.wait("PENDING", restarts=1)
    assert before <= saved(place) < ITERATIONS
    assert "stopped at iteration" in (place / "out").read_text()
    job.update(TimeLimit=60)
    assert_finishes(job, place, mpich)


def test_a_job_that_is_told_to_stop_goes_on(submit, place, mpich):
    job = submit()
    save_some(job, place, "USR1")
    job.signal("TERM")
    job.wait("PENDING", restarts=1)
    assert_finishes(job, place, mpich)


def test_a_job_whose_node_fails_goes_on(cluster, submit, place, mpich):
    job = submit()
    before = save_some(job, place)
    cluster.kill_node()
    job.wait("PENDING", restarts=1)
    assert saved(place) == before
    cluster.start_node()
    assert_finishes(job, place, mpich)


def test_a_cancelled_job_stays_cancelled(submit, place):
    job = submit()
    before = save_some(job, place)
    job.cancel()
    assert job.wait("CANCELLED")["Restarts"] == "0"
    slurm.until(lambda: "stopped at iteration" in (place / "out").read_text())
    assert saved(place) > before


@pytest.mark.parametrize("rank", [0, 1])
def test_a_job_one_of_whose_ranks_dies_ends(submit, place, rank):
    job = submit()
    before = save_some(job, place)
    pids = job.cluster("scontrol", "listpids", f"{job.number}.0", "node").splitlines()[1:]
    (pid,) = {words[0] for words in map(str.split, pids) if words[4] == str(rank)}
    job.cluster("kill", "-KILL", pid)
    found = job.wait("FAILED")
    assert (found["Restarts"], found["ExitCode"]) == ("0", "137:0")
    assert saved(place) == before
