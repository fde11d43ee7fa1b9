"""The states of a run directory: the last two are kept."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

from epsie.errors import CheckpointError, RunDirectoryError
from epsie.storage.files import read_file, write_file
from epsie.storage.statetree import encode

_NAME = re.compile(r"state-(\d{12})\.epsie")
_KEPT = 2


def saved_iterations(directory: Path) -> list[int]:
    """The iterations of which there are states, ascending."""
    names = [_NAME.fullmatch(path.name) for path in directory.iterdir()]
    return sorted(int(match[1]) for match in names if match)


def state_path(directory: Path, iteration: int) -> Path:
    """The name of a state."""
    return directory / f"state-{iteration:012d}.epsie"


def write_state(directory: Path, iteration: int, state: Any) -> None:
    """Write a state, and remove all but the last two."""
    write_file(state_path(directory, iteration), encode(state, iteration))
    for old in saved_iterations(directory)[:-_KEPT]:
        state_path(directory, old).unlink(missing_ok=True)


def last_state(directory: Path) -> tuple[int, Any]:
    """The iteration and the tree of the last state; of the one before if that is damaged.

    Raises
    ------
    RunDirectoryError
        If there is none.
    CheckpointError
        If all are damaged.
    """
    problem: CheckpointError | None = None
    for iteration in reversed(saved_iterations(directory)):
        try:
            state = read_file(state_path(directory, iteration))
        except CheckpointError as error:
            problem = problem or error
            continue
        if problem is not None:
            warnings.warn(f"{problem}; going on from iteration {iteration}", stacklevel=2)
        return iteration, state
    if problem is not None:
        raise problem
    raise RunDirectoryError(f"{directory} holds no state")
