"""Long counts of what is saved: kills and corruptions."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import h5py
from figure import Figure

import epsie
from tests import test_checkpoint, test_rundir


def kills(count: int) -> Iterator[Figure]:
    """SIGKILL at random instants of a tempered, adaptive, annealed run on two processes.

    After each, all that was reported must be there and equal an uninterrupted run bit for bit; the
    next process goes on. It raises if one does not.
    """
    with tempfile.TemporaryDirectory() as directory:
        finished = test_rundir.survive(Path(directory) / "run", count, 2, longest=0.8)
    remark = f"{finished} runs came to their end in between"
    yield Figure("kills in a run directory: survived", count, "", count, True, remark)


def kills_while_learning(count: int) -> Iterator[Figure]:
    """The same of runs that learn, from an annealed start: plain chains, and a ladder found."""
    for kind in ("start", "ladder found"):
        with tempfile.TemporaryDirectory() as directory:
            finished = test_rundir.survive(Path(directory) / "run", count, 0, 1.5, kind)
        remark = f"{finished} runs came to their end in between"
        yield Figure(f"kills while learning, {kind}: survived", count, "", count, True, remark)


def kills_in_files(count: int) -> Iterator[Figure]:
    """SIGKILL at random instants of a loop of `dump_state` into an HDF5 file."""
    lost, number = 0, 0
    rng = random.Random(test_checkpoint.seed())
    with tempfile.TemporaryDirectory() as directory:
        name = Path(directory) / "checkpoint.hdf"
        for _ in range(count):
            number = test_checkpoint.killed_while_dumping(name, number, rng.uniform(0, 0.2))
            try:
                with h5py.File(name, "r") as file:
                    found = epsie.load_state(file, "group")
                right = found[0]["number"] in (number, number + 1)
                number = found[0]["number"]
                lost += not (
                    right and test_checkpoint.same(found, test_checkpoint.filled(number, 2000))
                )
            except (OSError, KeyError, epsie.CheckpointError):
                lost += 1
                name.unlink()
                number = 0
    yield Figure(f"kills in dump_state, {count}: files lost", lost, "", 0)


def corruptions(count: int) -> Iterator[Figure]:
    """Random damage to the bytes of a state; it raises at a wrong state or another exception."""
    with (
        tempfile.TemporaryDirectory() as directory,
        h5py.File(Path(directory) / "a.hdf", "w") as file,
    ):
        test_checkpoint.test_corruptions_of_the_payload(file, count)
    yield Figure("corruptions of a state: refused or without effect", count, "", count, True)
