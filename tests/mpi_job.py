"""A job for `mpirun`: ``python mpi_job.py pool [what happens]``."""

import hashlib
import os
import signal
import sys
import tempfile
import threading
import time

import numpy as np

from epsie import PoolError
from epsie.pools import choose_pool, transport
from epsie.proposals import ATAdaptiveNormal, Normal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

NCHAINS = 7


def fail():
    raise ZeroDivisionError("a bug in the likelihood")


class Panic(BaseException):
    """As what extensions written in Rust raise."""


def panic():
    raise Panic("a bug in Rust")


def model_of(limit=np.inf, seconds=0.0, act=fail):
    """A closure as the model; beyond a limit it fails."""
    matrix = np.array([[2.0, 0.3], [0.3, 1.0]])

    def model(x, y):
        if seconds:
            time.sleep(seconds)
        if x > limit:
            act()
        position = np.array([x, y])
        return -0.5 * position @ matrix @ position, 0.0, {"sum": x + y}

    return model


def digests(pool, shift=0, **settings):
    """The bits of what samplers of both kinds visit with a pool, in two runs."""
    model = model_of(**settings)
    proposals = [Normal("x"), ATAdaptiveNormal("y", 500)]
    made = [
        MetropolisHastingsSampler(["x", "y"], model, NCHAINS, proposals, seed=4 + shift, pool=pool),
        ParallelTemperedSampler(
            ["x", "y"], model, NCHAINS, betas=[1, 0.4, 0], proposals=proposals, seed=5, pool=pool
        ),
    ]
    found = []
    for sampler in made:
        shape = (3, NCHAINS) if isinstance(sampler, ParallelTemperedSampler) else NCHAINS
        sampler.start_position = {"x": np.full(shape, -0.5), "y": np.zeros(shape)}
        sampler.run(30)
        sampler.run(40)
        bits = sampler.positions.tobytes() + sampler.stats.tobytes() + sampler.blobs.tobytes()
        found.append(hashlib.sha256(bits).hexdigest())
    return found


def by_choose_pool(work):
    with choose_pool(mpi=True, processes=4) as pool:
        work(pool)


def by_old_idiom(work):
    pool = choose_pool(mpi=True, processes=4)
    if not pool.is_master():
        pool.wait()
        sys.exit(0)
    work(pool)


def by_schwimmbad(work):
    import schwimmbad

    with schwimmbad.MPIPool() as pool:
        if not pool.is_master():
            pool.wait()
            sys.exit(0)
        work(pool)


def by_executor(work):
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor() as pool:
        work(pool)


def by_comm_executor(work):
    from mpi4py import MPI
    from mpi4py.futures import MPICommExecutor

    with MPICommExecutor(MPI.COMM_WORLD, root=0) as pool:
        if pool is not None:
            work(pool)


def good(pool):
    print(*digests(pool), flush=True)


def model_raises(pool):
    digests(pool, limit=0.0)


def model_raises_caught(pool):
    from epsie import ModelError

    for act in (fail, panic):
        try:
            digests(pool, limit=0.0, act=act)
        except ModelError:
            continue
        return
    good(pool)


def raises(pool):
    good(pool)
    raise LookupError("a bug in the script")


def exits(pool):
    good(pool)
    raise SystemExit(3)


def interrupted(pool):
    """Ctrl-C while workers are busy."""
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    digests(pool, seconds=0.1)


def interrupted_caught(pool):
    """Ctrl-C while workers are busy; the pool is used again."""
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        digests(pool, seconds=0.01)
    except KeyboardInterrupt:
        good(pool)


def busy(pool):
    """Busy for a while; says when, and who."""
    print(*{os.getpid(), *(pid for pid, _ in pool.map(about, [0.2] * pool.size))}, flush=True)
    digests(pool, seconds=0.1)


def recorded(pool):
    """A long run in a directory."""
    sampler = MetropolisHastingsSampler(
        ["x", "y"], model_of(seconds=0.01), NCHAINS, seed=4, pool=pool
    )
    sampler.start_position = {"x": np.zeros(NCHAINS), "y": np.zeros(NCHAINS)}
    sampler.run(10_000, directory="run", every=5)


def dies(pool):
    digests(pool, limit=0.0, act=killed)


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def finalized(pool):
    """The script ends MPI itself."""
    from mpi4py import MPI

    good(pool)
    pool.close()
    MPI.Finalize()


def raw_map(pool):
    """Other uses of the pool: errors with their traceback, functions of the script, two pools."""
    import pytest

    with pytest.raises(ZeroDivisionError) as caught:
        pool.map(lambda value: 1 / value, [1, 0])
    assert "1 / value" in "".join(caught.value.__notes__)
    with pool:
        assert pool.map(Local, range(20))[7].value == 7
    with pytest.raises(PoolError, match="closed"):
        pool.map(abs, [1])
    with choose_pool(mpi=True) as again:
        good(again)


class Local:
    """Of the script, and no other module."""

    def __init__(self, value):
        self.value = value


class Heavy:
    """A model with a megabyte, which is not made of one byte over and over."""

    def __init__(self):
        self.data = os.urandom(10**6)

    def __call__(self, x, y):
        return -x * x - y * y + 0.0 * len(self.data), 0.0


def heavy(pool):
    """How many megabytes go to the workers with a model of one."""
    sampler = MetropolisHastingsSampler(["x", "y"], Heavy(), NCHAINS, seed=4, pool=pool)
    sampler.start_position = {"x": np.zeros(NCHAINS), "y": np.zeros(NCHAINS)}
    for _ in range(3):
        sampler.run(5)
    print(pool.traffic[0] / 1e6)


def about(seconds):
    """Of a worker: who it is, and the processor time it has used."""
    time.sleep(seconds)
    return os.getpid(), time.process_time()


def idle(pool):
    """The part of a core that ranks use which wait: workers for work, and the master for them."""
    before = dict(pool.map(about, [0.3] * pool.size))
    time.sleep(3)
    after = dict(pool.map(about, [0.3] * pool.size))
    assert len(before) == pool.size and set(before) == set(after)
    workers = max(after[pid] - before[pid] for pid in before) / 3.3
    own = time.process_time()
    pool.map(time.sleep, [2] * pool.size)
    print(workers, (time.process_time() - own) / 2)


def threads(pool):
    """The largest number of threads for linear algebra in a worker, and here."""
    print(max(pool.map(most_threads, [0.1] * pool.size)), most_threads(0), flush=True)


def most_threads(seconds):
    from threadpoolctl import threadpool_info

    time.sleep(seconds)
    return max(library["num_threads"] for library in threadpool_info())


def own_files(opened):
    def open_own(path):
        if not path.startswith(f"/proc/{os.getpid()}/"):
            raise FileNotFoundError(path)
        return opened(path)

    return open_own


if __name__ == "__main__":
    how, what = sys.argv[1:3]
    if len(sys.argv) > 3:
        # As on other hosts: each rank sees its own files only.
        transport.opened = own_files(transport.opened)
        os.chdir(tempfile.mkdtemp(dir=sys.argv[3]))

    def work(pool):
        print(time.time(), flush=True)
        globals()[what](pool)

    globals()[f"by_{how}"](work)
