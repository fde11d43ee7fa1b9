"""The states of a run directory: the last two are kept."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

from epsie.errors import CheckpointError, RunDirectoryError
from epsie.storage.files import read_file
from epsie.storage.rundir.folder import MANIFEST, RUN, Folder, of_another_run, owner, read_of

_NAME = re.compile(r"state-(\d{12})\.epsie")
_KEPT = 2


def saved_iterations(directory: Path) -> list[int]:
    """The iterations of which there are states, ascending."""
    names = [_NAME.fullmatch(path.name) for path in directory.iterdir()]
    return sorted(int(match[1]) for match in names if match)


def state_path(directory: Path, iteration: int) -> Path:
    """The name of a state."""
    return directory / f"state-{iteration:012d}.epsie"


def newest_state(directory: Path, run: str | None) -> int:
    """The iteration of the last state of a run, by its first bytes.

    Raises
    ------
    RunDirectoryError
        If there is none, or it is of another run.
    """
    for iteration in reversed(saved_iterations(directory)):
        path = state_path(directory, iteration)
        try:
            found = owner(path, follow=True)
        except FileNotFoundError:
            continue
        if found and found != run:
            raise of_another_run(path)
        if found == (run or ""):
            return iteration
    raise RunDirectoryError(f"{directory} holds no state")


def write_state(folder: Folder, start: int, iteration: int, state: Any) -> None:
    """Write a state of a run that began at `start`, and remove all but the last two."""
    name = state_path(folder.path, iteration).name
    folder.write(name, {"start": start, "state": state} if folder.run else state, iteration)
    old = saved_iterations(folder.path)[:-_KEPT]
    folder.remove(state_path(folder.path, iteration) for iteration in old)


def read_state(path: Path, run: str | None) -> Any:
    """The tree of a state.

    Raises
    ------
    CheckpointError
        If it is damaged.
    RunDirectoryError
        If it is of another run.
    """
    found = read_of(path, run)
    if run is None:
        return found
    if "state" not in found:
        raise CheckpointError(f"{path} cannot be read: it holds no state")
    return found["state"]


def last_state(directory: Path, run: str | None = None) -> tuple[int, Any]:
    """The iteration and the tree of the last state; of the one before if that is damaged.

    Parameters
    ----------
    directory : Path
        The directory.
    run : str, optional
        The id of its run; by default that of its manifest.

    Raises
    ------
    RunDirectoryError
        If there is none, or it is of another run.
    CheckpointError
        If all are damaged.
    """
    run = read_file(directory / MANIFEST).get(RUN) if run is None else run
    problem: CheckpointError | None = None
    for iteration in reversed(saved_iterations(directory)):
        try:
            state = read_state(state_path(directory, iteration), run)
        except CheckpointError as error:
            problem = problem or error
            continue
        if problem is not None:
            warnings.warn(f"{problem}; going on from iteration {iteration}", stacklevel=2)
        return iteration, state
    if problem is not None:
        raise problem
    raise RunDirectoryError(f"{directory} holds no state")
