"""What all tests share."""

import compileall
import multiprocessing
import os
import signal
import sys
import warnings
from collections import Counter
from pathlib import Path

import pytest

import epsie
from tests.mpirun import Environment


def pytest_configure(config):
    # A process that uses threads warns when it forks; the pools under test do just that.
    config.addinivalue_line("filterwarnings", "ignore:.*use of fork.*:DeprecationWarning")
    # Shells start jobs in the background deaf to Ctrl-C, nohup deaf to the end of a terminal, and
    # what they start inherits that.
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)
    # Hundreds of processes are started: where Python is told to write no bytecode, each would
    # compile the package anew.
    if "PYTEST_XDIST_WORKER" not in os.environ:
        for folder in (Path(epsie.__file__).parent, Path(__file__).parent):
            compileall.compile_dir(folder, quiet=2)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Of a test that is run in part every n-th case is run; the others are `rest`, or `slow`.

    The first are those of a queue: they wait most of their minutes, and others run meanwhile.
    """
    items.sort(key=lambda item: "slurm" not in item.path.name)
    seen = Counter()
    for item in items:
        part = item.get_closest_marker("in_part")
        if part is not None:
            name = item.nodeid.partition("[")[0]
            if seen[name] % part.args[0]:
                item.add_marker(part.args[1] if part.args[1:] else "rest")
            seen[name] += 1


@pytest.fixture(scope="session")
def pools():
    """Pools of two workers of every local kind, by name; made once."""
    import concurrent.futures as futures

    import schwimmbad

    from epsie.pools import InterruptiblePool

    made = {
        "None": None,
        "own": InterruptiblePool(2),
        "threads": futures.ThreadPoolExecutor(2),
        "executor": futures.ProcessPoolExecutor(2),
        "fork": multiprocessing.get_context("fork").Pool(2),
        "spawn": multiprocessing.get_context("spawn").Pool(2),
        "forkserver": multiprocessing.get_context("forkserver").Pool(2),
        "schwimmbad serial": schwimmbad.SerialPool(),
        "schwimmbad multi": schwimmbad.MultiPool(2),
        "map only": MapOnly(),
    }
    yield made
    for pool in made.values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for end in ("terminate", "shutdown", "close"):
                if hasattr(pool, end):
                    getattr(pool, end)()
                    break


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """One folder for all processes of a test session."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def mpich(folder):
    """An environment with MPICH; made once."""
    return Environment(folder, "mpich")


@pytest.fixture
def importable(monkeypatch):
    """Workers import epsie from where the tests do."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))


class MapOnly:
    """The least that a pool can be."""

    def map(self, function, iterable):
        return (function(item) for item in iterable)
