"""The states of a run directory: the last two are kept."""

from __future__ import annotations

import itertools
import re
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from epsie.chain.state import ANNEALED, SHARED, chains_in
from epsie.errors import (
    CheckpointError,
    EpsieError,
    NewerFormatError,
    RunDirectoryError,
    UnreadableError,
)
from epsie.storage.files import header_of, names_in, read_file, size_of
from epsie.storage.rundir.folder import MANIFEST, RUN, Folder, of_another_run, owner, read_of
from epsie.storage.rundir.segments import all_segments, reaches

_NAME = re.compile(r"state-(\d{12})\.epsie")
_KEPT = 2
_ATTEMPTS = 20


def saved_iterations(directory: Path) -> list[int]:
    """The iterations of which there are states, ascending.

    A file that only has the name of one is none, unless the segments reach that far: then it is
    a state that was damaged.
    """
    saved: list[int] = []
    for _ in range(_ATTEMPTS):
        names = [_NAME.fullmatch(name) for name in names_in(directory)]
        found = [int(match[1]) for match in names if match]
        saved = sorted(iteration for iteration in found if _is_state(directory, iteration))
        # All that were there may have been replaced since.
        if saved or not found:
            break
    return saved


def _is_state(directory: Path, iteration: int) -> bool:
    try:
        return header_of(state_path(directory, iteration)).number >= 0
    except FileNotFoundError:
        return False
    except UnreadableError:
        return True
    except CheckpointError:
        # An empty file was never one: they are there whole or not at all.
        return any(size_of(s.path) for s in reaches(all_segments(directory), iteration))


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
    listings = (reversed(saved_iterations(directory)) for _ in range(_ATTEMPTS))
    for iteration in itertools.chain.from_iterable(listings):
        path = state_path(directory, iteration)
        try:
            found = owner(path, follow=True)
        except FileNotFoundError:
            # It was removed since, as there are later ones.
            continue
        except UnreadableError:
            return iteration
        if found and found != run:
            raise of_another_run(path)
        return iteration
    raise RunDirectoryError(f"{directory} holds no state")


def write_state(folder: Folder, start: int, iteration: int, state: Any) -> None:
    """Write a state of a run that began at `start`, and remove all but the last two."""
    name = state_path(folder.path, iteration).name
    folder.write(name, {"start": start, "state": state} if folder.run else state, iteration)
    old = saved_iterations(folder.path)[:-_KEPT]
    with suppress(UnreadableError):
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
    state: Any = found if run is None else found.get("state")
    match = _NAME.fullmatch(path.name)
    try:
        (iteration,) = {chain.get(0, chain)["iteration"] for chain in chains_in(state).values()}
    except (AttributeError, TypeError, ValueError, LookupError):
        iteration = None
    if match is None or iteration != int(match[1]) or not _is_shared(state.get(SHARED, {})):
        raise CheckpointError(f"{path} cannot be read: it holds no state at this iteration")
    return state


def _is_shared(shared: Any) -> bool:
    """Whether it may be what chains share; what it consists of is checked where it is taken up."""
    if not isinstance(shared, dict):
        return False
    learned, start = shared.get("learned", []), shared.get(ANNEALED)
    return (
        isinstance(learned, list)
        and all(isinstance(each, dict) for each in learned)
        and (start is None or _is_start(start))
    )


def _is_start(start: Any) -> bool:
    return (
        isinstance(start, dict)
        and start.get("evaluations").__class__ is int
        and start.get("betas").__class__ is list
    )


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
    for attempt in range(_ATTEMPTS):
        try:
            return _last_readable(directory, run)
        except FileNotFoundError:
            # It was removed since, as there are later ones.
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError


def _last_readable(directory: Path, run: str | None) -> tuple[int, Any]:
    problem: EpsieError | None = None
    for iteration in reversed(saved_iterations(directory)):
        try:
            state = read_state(state_path(directory, iteration), run)
        except NewerFormatError:
            raise
        except (CheckpointError, UnreadableError) as error:
            problem = problem or error
            continue
        if problem is not None:
            warnings.warn(f"{problem}; going on from iteration {iteration}", stacklevel=4)
        return iteration, state
    if problem is not None:
        raise problem
    raise RunDirectoryError(f"{directory} holds no state")
