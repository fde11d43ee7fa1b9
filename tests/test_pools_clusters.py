"""Clusters with schedulers of their own: ipyparallel, Dask and Ray."""

import os
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import pytest

from epsie import ModelError, PoolError
from epsie.pools import mapper_for
from tests.test_pools import assert_serial_bits, bits, sampler

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(200),
    # What these packages and those below them warn of is theirs to mend.
    pytest.mark.filterwarnings("ignore"),
    # All of a package on one worker of the tests, so that it starts once.
    pytest.mark.xdist_group("clusters"),
]


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Workers import epsie from where the tests do."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))


class Counted:
    """A model that notes in a folder each time that it is unpickled."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __call__(self, x, y):
        return -x * x - y * y, 0.0

    def __setstate__(self, state):
        self.__dict__.update(state)
        open(os.path.join(self.folder, f"{os.getpid()}-{time.monotonic_ns()}"), "w").close()


def arrivals(folder):
    """How often the model came, by process."""
    pids = [int(name.partition("-")[0]) for name in os.listdir(folder)]
    return {pid: pids.count(pid) for pid in pids}


def assert_comes_once(pool, folder, monkeypatch, workers):
    """The model comes once to each worker: by file, and where that cannot be, with a message."""
    for files in (True, False):
        where = folder / f"files {files}"
        where.mkdir()
        with monkeypatch.context() as patch:
            if not files:
                patch.setattr("epsie.transport._folder", None)
                patch.setattr(tempfile, "tempdir", str(folder / "nowhere"))
            made = sampler(pool, Counted(where), nchains=6)
            for _ in range(3):
                made.run(20)
        found = arrivals(where)
        assert found and set(found.values()) == {1} and len(found) <= workers, found
        other = sampler(None, Counted(where), nchains=6)
        other.run(60)
        assert bits(made) == bits(other)


def fails(x, y):
    if x != 0:
        raise ZeroDivisionError("a bug")
    return 0.0, 0.0


def assert_fails_well(pool):
    made = sampler(pool, fails)
    before = made.state
    with pytest.raises(ModelError, match="a bug"):
        made.run(10)
    np.testing.assert_equal(made.state, before)


# ---- ipyparallel


@pytest.fixture(scope="module")
def engines():
    ipp = pytest.importorskip("ipyparallel")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        with ipp.Cluster(n=2, log_level=50) as client:
            yield client


VIEWS = {
    "direct": lambda client: client.direct_view(),
    "direct, blocking": lambda client: client.direct_view(block=True),
    "slice": lambda client: client[:],
    "one engine": lambda client: client[[1]],
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
    view = engines.direct_view()
    with view.sync_imports(quiet=True):
        import numpy  # noqa: F401
    view.push({"scale": 2.0})
    assert_serial_bits(view)
    assert view.pull("scale", block=True) == [2.0, 2.0]


def test_the_model_comes_once_to_engines(engines, tmp_path, monkeypatch):
    assert_comes_once(engines[:], tmp_path, monkeypatch, 2)


def test_a_model_that_fails_on_engines(engines):
    assert_fails_well(engines[:])


def test_engines_that_were_started_by_hand(tmp_path):
    ipp = pytest.importorskip("ipyparallel")
    command = [sys.executable, "-m", "ipyparallel.cluster", "start", "-n", "2"]
    started = subprocess.Popen(
        [*command, f"--profile-dir={tmp_path}", "--log-level=50"],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        name = tmp_path / "security" / "ipcontroller-client.json"
        limit = time.monotonic() + 60
        while not name.exists():
            assert time.monotonic() < limit and started.poll() is None
            time.sleep(0.1)
        with ipp.Client(str(name), timeout=60) as client:
            client.wait_for_engines(2, timeout=60)
            assert_serial_bits(client.direct_view())
    finally:
        started.send_signal(signal.SIGINT)
        started.wait(30)


# ---- Dask


@pytest.fixture(scope="module")
def dask_cluster():
    distributed = pytest.importorskip("distributed")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        with distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster:
            yield cluster


@pytest.fixture
def client(dask_cluster):
    from distributed import Client

    with Client(dask_cluster) as made:
        yield made


def test_dask(client):
    assert_serial_bits(client)
    assert_serial_bits(client.get_executor())
    assert_fails_well(client)


def test_dask_in_threads():
    distributed = pytest.importorskip("distributed")
    with distributed.Client(
        processes=False, n_workers=1, threads_per_worker=2, dashboard_address=None
    ) as client:
        assert_serial_bits(client)


def test_dask_that_is_asynchronous(dask_cluster):
    from distributed import Client

    async def attempt():
        async with Client(dask_cluster.scheduler_address, asynchronous=True) as client:
            made = sampler()
            made.pool = client
            with pytest.raises(PoolError, match="asynchronous"):
                made.run(3)

    import asyncio

    asyncio.run(attempt())


def test_the_model_comes_once_to_dask(client, tmp_path, monkeypatch):
    assert_comes_once(client, tmp_path, monkeypatch, 2)


def test_dask_workers_that_join_late_or_die(client, dask_cluster, tmp_path, monkeypatch):
    # No files, so that a worker that joins has to ask for the model.
    monkeypatch.setattr("epsie.transport._folder", None)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    (tmp_path / "seen").mkdir()
    made, other = (sampler(pool, Counted(tmp_path / "seen"), nchains=8) for pool in (client, None))
    monkeypatch.setattr(tempfile, "tempdir", None)
    made.run(20)
    dask_cluster.scale(3)
    client.wait_for_workers(3, timeout=60)
    made.run(20)
    victim = next(iter(client.run(os.getpid).values()))
    os.kill(victim, signal.SIGKILL)
    made.run(20)
    other.run(60)
    assert bits(made) == bits(other)
    found = arrivals(tmp_path / "seen")
    assert len(found) >= 3 and set(found.values()) == {1}, found


def test_a_dask_worker_that_dies_at_work(client, tmp_path):
    from tests.test_pools import Dies

    made, other = sampler(client, Dies(tmp_path, 1)), sampler(None, Dies(tmp_path, 0))
    made.run(60)
    other.run(60)
    assert len(os.listdir(tmp_path)) == 1
    assert bits(made) == bits(other)


# ---- others


def test_ray():
    ray = pytest.importorskip("ray")
    from ray.util.multiprocessing import Pool

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        pool = Pool(2)
        assert type(mapper_for(pool)).__name__ == "AsyncMapper"
        assert_serial_bits(pool)
        pool.terminate()
    finally:
        ray.shutdown()
