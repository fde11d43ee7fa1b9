"""Runs on disk merged into one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.state import SHARED
from epsie.errors import RunDirectoryError
from epsie.storage.files import is_there, resolved
from epsie.storage.rundir.compatible import chains_of
from epsie.storage.rundir.folder import MANIFEST, RUN, Folder, new_run
from epsie.storage.rundir.joined import JoinedSource
from epsie.storage.rundir.lock import locked
from epsie.storage.rundir.manifest import APART, with_history
from epsie.storage.rundir.segments import (
    MERGED_SIZE,
    TABLES,
    Content,
    concatenated,
    write_segment,
)
from epsie.storage.rundir.source import DirectorySource
from epsie.storage.rundir.states import read_state, state_path, write_state
from epsie.storage.rundir.takeover import refuse_living

_OF_DIRECTORIES = ("format", "versions", "start", "thin", "starts", "remarks", RUN)


def merge(directory: Path, runs: Sequence[Path]) -> None:
    """Write several runs as one, with an id of its own, which can be resumed.

    Of the parts of one run it is what one process would have written. Chains of independent runs
    are one after the other, and numbered anew.

    Parameters
    ----------
    directory : Path
        Where to; it must not be there yet.
    runs : sequence of Path
        The directories of the runs: see `open_run`.

    Raises
    ------
    RunDirectoryError
        If they do not go together, somebody writes to one of them, they are at different
        iterations, or the directory is there.
    """
    directory = resolved(directory)
    if is_there(directory):
        raise RunDirectoryError(f"{directory} is there already: choose another name")
    for run in runs:
        refuse_living(resolved(run))
    together = JoinedSource([DirectorySource(resolved(run)) for run in runs])
    ends = {str(run.directory): run.niterations for run in together.runs}
    if len({*ends.values()}) > 1:
        at = ", ".join(f"{name} at {end}" for name, end in ends.items())
        raise RunDirectoryError(
            f"the runs are at different iterations, {at}: let each go on up to the same one, "
            "run(total=...), or look at them without merging, with open_run([...])"
        )
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{directory.name}.", dir=directory.parent) as made:
        whole = Path(made) / directory.name
        whole.mkdir()
        with locked(whole, together.niterations) as lock:
            _write(Folder(lock, new_run()), together)
        os.rename(whole, directory)


def _write(folder: Folder, together: JoinedSource) -> None:
    """Write the segments, the state and the settings."""
    settings = {k: v for k, v in together.settings.items() if k not in _OF_DIRECTORIES}
    state, learned = _state(together)
    if learned:
        settings[APART] = (
            "was merged from runs of which each has learned from its own chains: go on with those"
        )
    whole, assigned = together.settings, folder.run
    assert assigned is not None
    of_run = whole["start"], whole["thin"], whole.get("starts"), whole["remarks"]
    manifest = with_history(settings, assigned, *of_run)
    for content in _contents(together):
        write_segment(folder, content, manifest)
    write_state(folder, together.start, together.niterations, state)
    folder.write(MANIFEST, manifest)


def _contents(together: JoinedSource) -> Iterator[Content]:
    """The contents of segments of all chains, of a few MB each."""
    tables = {name: _Rows(together.pieces(name)) for name in TABLES}
    swept = {name: _Rows(together.sweeps(name)) for name in ("orders", "ratios")}
    thin, interval = together.settings["thin"], together.settings.get("swap_interval")
    columns = (len(together.settings["parameters"]) + 5) * together.nchains * together.ntemps
    step = thin * max(1, MERGED_SIZE // (8 * columns))
    for start in range(together.start, together.niterations, step):
        stop = min(start + step, together.niterations)
        made: Content = {"start": start, "stop": stop}
        for name, rows in tables.items():
            found = rows.take(stop // thin - start // thin)
            made[name] = None if found is None else found.reshape(*together.places, -1)
        made |= _noted(together, start, stop)
        if interval is not None:
            n = stop // interval - start // interval
            made |= {name: _sweeps(together, rows.take(n), name) for name, rows in swept.items()}
            iterations, ladders = together.ladders(together.start)
            saved = (iterations > start) & (iterations <= stop)
            made |= {"ladder_iterations": iterations[saved], "ladders": ladders[saved]}
        yield made


def _noted(together: JoinedSource, start: int, stop: int) -> Content:
    """The jump widths and ladders after an iteration up to another."""
    history = together.adaptation_history
    noted = (history.iterations > start) & (history.iterations <= stop)
    return {f"noted {name}": values[noted] for name, values in history._asdict().items()}


def _sweeps(together: JoinedSource, found: NDArray[Any] | None, name: str) -> NDArray[Any]:
    """Sweeps of shape (nchains, nsweeps, rows); none of a single temperature."""
    if found is not None:
        return np.ascontiguousarray(found.transpose(1, 2, 0))
    rows, kind = (together.ntemps, np.int16) if name == "orders" else (together.ntemps - 1, float)
    return np.empty((together.nchains, 0, rows), kind)


class _Rows:
    """The rows of pieces that follow each other along their last axis, so many at a time."""

    def __init__(self, pieces: Iterator[NDArray[Any]]) -> None:
        self._pieces = pieces
        self._left: list[NDArray[Any]] = []

    def take(self, n: int) -> NDArray[Any] | None:
        """The next so many rows; None if there is no piece at all."""
        while sum(piece.shape[-1] for piece in self._left) < n:
            if (piece := next(self._pieces, None)) is None:
                break
            self._left.append(piece)
        if not self._left:
            return None
        there = concatenated(self._left, -1)
        self._left = [there[..., n:]]
        return there[..., :n]


def _state(together: JoinedSource) -> tuple[dict[int, Any], bool]:
    """The states of all chains, those of independent runs numbered anew.

    And whether those of a run learned together, which is left out, as all of the new one did not.
    """
    states, learned = [], False
    for run in together.runs:
        state = read_state(state_path(run.directory, together.niterations), run.run)
        states += [state[chain] for chain in chains_of(run.settings)[0]]
        learned = learned or SHARED in state
    ordered = [states[i] for i in together.order]
    return {i: _numbered(state, i) for i, state in enumerate(ordered)}, learned


def _numbered(state: dict[Any, Any], chain: int) -> dict[Any, Any]:
    """The state of a chain under another number."""
    if "chain_id" in state:
        return {**state, "chain_id": chain}
    return {t: {**level, "chain_id": chain} for t, level in state.items()}
