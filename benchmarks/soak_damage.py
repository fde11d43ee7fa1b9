"""Long counts of damage: to bytes, to content, and of calls to the system that fail."""

from __future__ import annotations

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from figure import Figure

from tests import damaged_runs, test_faults_content

_GOOD = {"refused", "the same", "equal", "fine", "not written"}


def damage(count: int) -> Iterator[Figure]:
    """Damaged bytes and wrong content, in a run directory and in an HDF5 file."""
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        directory = Path(name)
        for how in ("bytes", "content"):
            place = directory / how
            place.mkdir()
            outcomes = damaged_runs.damage_files(count, place, how)
            yield _bad(f"run directory, {how} damaged", outcomes, count)
        outcomes, _ = test_faults_content.wrong_states(count, directory)
        yield _bad("HDF5 file, content wrong", outcomes, count)
        outcomes = damaged_runs.damage_hdf5(count, directory)
        yield _bad("HDF5 file, bytes damaged", outcomes, count)


def failing_calls(count: int) -> Iterator[Figure]:
    """ENOSPC, EIO, ESTALE, EINTR, EACCES, EMFILE at any call while runs are saved and read."""
    with tempfile.TemporaryDirectory() as name, open(os.devnull, "w") as nowhere:
        with contextlib.redirect_stderr(nowhere):
            outcomes = damaged_runs.fail_everywhere(count, Path(name))
        yield _bad("calls to the system that fail", outcomes, count)


def _bad(title: str, outcomes: dict[str, int], count: int) -> Figure:
    bad = {name: number for name, number in outcomes.items() if name not in _GOOD}
    remark = ", ".join(f"{number} {name}" for name, number in outcomes.items())
    return Figure(f"{title}, {count}: silent, raw or lost", sum(bad.values()), "", 0, remark=remark)
