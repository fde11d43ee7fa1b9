"""What is asked of clusters of all kinds."""

import os
import tempfile
import time

import numpy as np
import pytest

from epsie import ModelError
from tests.test_pools import bits, sampler


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


class Panic(BaseException):
    """As what extensions written in Rust raise."""


def panics(x, y):
    if x:
        raise Panic("a bug in Rust")
    return 0.0, 0.0


def leaves(x, y):
    if x:
        raise SystemExit("a bug that exits")
    return 0.0, 0.0


def assert_fails_well(pool):
    for model in (fails, panics, leaves):
        made = sampler(pool, model)
        before = made.state
        with pytest.raises(ModelError, match="a bug"):
            made.run(10)
        np.testing.assert_equal(made.state, before)
