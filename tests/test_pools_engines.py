"""The engines of ipyparallel, plain and as ranks of MPI: equal to serial, missed if they die."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from epsie import PoolError
from epsie.pools import clusters as pools
from tests.clusters import assert_comes_once, assert_fails_well
from tests.mpirun import Environment
from tests.test_pools import assert_serial_bits, bits, sampler

ipp = pytest.importorskip("ipyparallel")
psutil = pytest.importorskip("psutil")
Config = pytest.importorskip("traitlets.config").Config

pytestmark = [
    pytest.mark.slow,
    # What these packages and those below them warn of is theirs to mend.
    pytest.mark.filterwarnings("ignore"),
    # All on one worker of the tests, so that engines start once.
    pytest.mark.xdist_group("engines"),
]


@pytest.fixture(scope="module")
def mpich(tmp_path_factory):
    base = tmp_path_factory.getbasetemp()
    return Environment(base.parent if "PYTEST_XDIST_WORKER" in os.environ else base, "mpich")


@contextlib.contextmanager
def started(kind, mpich):
    """A cluster of two engines, started from Python, and a client of it."""
    settings = {}
    if kind == "mpi":
        mpi, python = [str(mpich.bin / "mpiexec")], [str(mpich.bin / "python")]
        command = {"mpi_cmd": mpi, "engine_cmd": [*python, "-m", "ipyparallel.engine"]}
        settings = {"engines": "mpi", "config": Config({"MPIEngineSetLauncher": command})}
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        cluster = ipp.Cluster(n=2, log_level=50, **settings)
        with cluster as client:
            schedulers = psutil.Process(cluster.controller.pid).children(recursive=True)
            yield cluster, client
        # Those of a controller that was killed stay behind.
        for process in schedulers:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.fixture(scope="module", params=["plain", "mpi"])
def engines(request, mpich):
    with started(request.param, mpich) as (_, client):
        sizes = client[:].apply_sync(world_size)
        assert sizes == ([2, 2] if request.param == "mpi" else [None, None])
        yield client


def world_size():
    """How many ranks of MPI there are with this engine; None if it is none."""
    import sys

    mpi = sys.modules.get("mpi4py.MPI")
    return mpi and mpi.COMM_WORLD.size


VIEWS = {
    "direct": lambda client: client.direct_view(),
    "direct, blocking": lambda client: client.direct_view(block=True),
    "slice": lambda client: client[:],
    "one engine": lambda client: client[1],
    "a list of one engine": lambda client: client[[1]],
    "load-balanced": lambda client: client.load_balanced_view(),
    "load-balanced, blocking": lambda client: blocking(client.load_balanced_view()),
    "executor": lambda client: client.executor(),
    "executor of a direct view": lambda client: client[:].executor,
}


def blocking(view):
    view.block = True
    return view


@pytest.mark.parametrize("name", VIEWS)
def test_engines(engines, name):
    assert_serial_bits(VIEWS[name](engines))


def test_what_notebooks_do_with_engines(engines):
    rc = engines
    dview = rc.direct_view()
    with dview.sync_imports(quiet=True):
        import numpy  # noqa: F401
    dview.push({"scale": 2.0})
    assert_serial_bits(dview)
    assert dview.pull("scale", block=True) == [2.0, 2.0]


def test_the_model_comes_once_to_engines(engines, tmp_path, monkeypatch):
    assert_comes_once(engines[:], tmp_path, monkeypatch, 2)


def test_a_model_that_fails_on_engines(engines):
    assert_fails_well(engines[:])


@pytest.mark.parametrize("kind", ["plain", "mpi"])
def test_engines_that_were_started_by_hand(tmp_path, kind, mpich, importable, monkeypatch):
    python, settings = sys.executable, []
    if kind == "mpi":
        python, settings = mpich.bin / "python", ["--engines=mpi"]
        monkeypatch.setenv("PATH", str(mpich.bin), os.pathsep)
    ipcluster = [python, "-m", "ipyparallel.cluster", "start", "--n=2", *settings]
    process = subprocess.Popen(
        [*ipcluster, f"--profile-dir={tmp_path}", "--log-level=50"],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        name = tmp_path / "security" / "ipcontroller-client.json"
        while not name.exists():
            assert process.poll() is None
            time.sleep(0.1)
        with ipp.Client(str(name), timeout=250) as client:
            client.wait_for_engines(2, timeout=250)
            assert client[:].apply_sync(world_size) == 2 * [2 if kind == "mpi" else None]
            assert_serial_bits(client.direct_view())
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


# ---- engines that die


def slow_model(x, y):
    time.sleep(0.01)
    return -x * x - y * y, 0.0


def assert_run_is_given_up(made, victim, said):
    """A run of minutes in which a process is killed ends with an error, and changes nothing."""
    before = made.state
    killer = threading.Timer(0.5, os.kill, (victim, signal.SIGKILL))
    killer.start()
    with pytest.raises(PoolError, match=said):
        made.run(10_000)
    killer.join()
    np.testing.assert_equal(made.state, before)


@pytest.mark.parametrize("view", ["slice", "executor"])
def test_an_engine_is_killed(mpich, view):
    with started("plain", mpich) as (_, client):
        made, other = (sampler(p, slow_model, nchains=4) for p in (VIEWS[view](client), None))
        victim = client[0].apply_sync(os.getpid)
        made.run(20)
        assert_run_is_given_up(made, victim, "EngineError: Engine .* died.*set sampler.pool")
        # The other one is enough to go on.
        made.run(20)
        other.run(40)
        assert bits(made) == bits(other)


def test_an_engine_of_mpi_is_killed(mpich):
    # MPI ends the other rank too.
    with started("mpi", mpich) as (_, client):
        made = sampler(client.direct_view(), slow_model, nchains=4)
        made.run(20)
        victim = client[0].apply_sync(os.getpid)
        assert_run_is_given_up(made, victim, "no engine of the DirectView is left. Start new|died")
        with pytest.raises(PoolError, match="no engine of the DirectView is left. Start new"):
            made.run(20)


def test_the_controller_is_killed(mpich, monkeypatch):
    monkeypatch.setattr(pools.EnginesMapper, "patience", 15.0)
    with started("plain", mpich) as (cluster, client):
        made = sampler(client.direct_view(), slow_model, nchains=4)
        # A controller that answers is no reason to give up.
        made.run(300)
        assert_run_is_given_up(made, cluster.controller.pid, "controller .* not answered for 1. s")
