"""Clusters with schedulers of their own: Dask and Ray."""

import os
import signal
import sys
import tempfile
import threading
import time

import numpy as np
import pytest

from epsie import PoolError
from epsie.pools import mapper_for
from epsie.pools.foreign.clusters import DaskMapper
from tests.clusters import Counted, arrivals, assert_comes_once, assert_fails_well
from tests.interrupting import Dies
from tests.test_pools import assert_serial_bits, bits, sampler

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("importable"),
    # What these packages and those below them warn of is theirs to mend.
    pytest.mark.filterwarnings("ignore"),
    # All of a package on one worker of the tests, so that it starts once.
    pytest.mark.xdist_group("clusters"),
]


# ---- Dask


@pytest.fixture(scope="module")
def dask_cluster():
    distributed, dask = (pytest.importorskip(name) for name in ("distributed", "dask"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
        # It takes a worker off that it lost twice within this time.
        patient = dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"})
        with (
            patient,
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
            ) as cluster,
        ):
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
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    (tmp_path / "seen").mkdir()
    made, other = (sampler(pool, Counted(tmp_path / "seen"), nchains=8) for pool in (client, None))
    monkeypatch.setattr(tempfile, "tempdir", None)
    made.run(20)
    dask_cluster.scale(3)
    client.wait_for_workers(3, timeout=250)
    made.run(20)
    victim = next(iter(client.run(os.getpid).values()))
    os.kill(victim, signal.SIGKILL)
    made.run(20)
    other.run(60)
    assert bits(made) == bits(other)
    found = arrivals(tmp_path / "seen")
    assert len(found) >= 3 and set(found.values()) == {1}, found


def test_a_dask_worker_that_dies_at_work(client, tmp_path):
    made, other = sampler(client, Dies(tmp_path, 1)), sampler(None, Dies(tmp_path, 0))
    made.run(60)
    other.run(60)
    assert len(os.listdir(tmp_path)) == 1
    assert bits(made) == bits(other)


def test_dask_workers_that_die_as_the_model_comes(client, tmp_path, monkeypatch):
    made, other = (sampler(pool, nchains=8) for pool in (client, None))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    for _ in range(3):
        client.wait_for_workers(2, timeout=250)
        # Assigned again it is another to the workers, which lack it.
        made.model = made.model
        os.kill(next(iter(client.run(os.getpid, on_error="ignore").values())), signal.SIGKILL)
        made.run(20)
    other.run(60)
    assert bits(made) == bits(other)


def scale_when(cluster, ready):
    while not ready():
        time.sleep(0.05)
    cluster.scale(1)


def test_dask_without_workers(monkeypatch):
    import dask
    from distributed import Client, LocalCluster

    monkeypatch.setattr(DaskMapper, "interval", 1.0)
    settings = {"threads_per_worker": 1, "dashboard_address": None}
    with LocalCluster(1, **settings) as cluster, Client(cluster) as client:
        made, other = (sampler(pool, nchains=8) for pool in (client, None))
        cluster.scale(0)
        while client.nthreads():
            time.sleep(0.05)
        said = r"no workers, and the run waits.*cluster.scale"
        with pytest.warns(RuntimeWarning, match=said) as seen:  # noqa: PT031
            back = threading.Thread(target=scale_when, args=(cluster, lambda: len(seen)))
            back.start()
            made.run(20)
        back.join()
        other.run(20)
        assert bits(made) == bits(other)
    with (
        dask.config.set({"distributed.scheduler.no-workers-timeout": "3s"}),
        LocalCluster(1, **settings) as cluster,
        Client(cluster) as client,
    ):
        made = sampler(client)
        before = made.state
        cluster.scale(0)
        with pytest.raises(PoolError, match="No(Valid)?WorkerError"):
            made.run(20)
        np.testing.assert_equal(made.state, before)


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
