"""The source that a run directory is."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.adaptation_history import AdaptationHistory, joined
from epsie.chain.recipes import remade
from epsie.chain.state import ANNEALED, SHARED, chains_in, evaluations_in, nan_count_in
from epsie.checks import as_count
from epsie.errors import CheckpointError, RunDirectoryError
from epsie.proposals.base import BaseProposal
from epsie.results.source import ALL, Beginning
from epsie.storage.rundir.folder import RUN
from epsie.storage.rundir.ladder import FOUND, with_found
from epsie.storage.rundir.manifest import Manifest, read_manifest
from epsie.storage.rundir.segments import (
    Content,
    all_segments,
    covering,
    reaches,
    read_segment,
)
from epsie.storage.rundir.states import last_state, newest_state
from epsie.storage.rundir.wellformed import places

_ATTEMPTS, _PAUSE = 20, 0.01


class DirectorySource:
    """A run in its directory. Nothing is read before it is asked for.

    Parameters
    ----------
    directory : Path
        The directory.
    left_out, thin : int, optional
        The `burn_in` and `thin` of `open_run`.
    """

    def __init__(self, directory: Path, left_out: int = 0, thin: int = 1) -> None:
        self.directory = directory
        self.settings: Manifest = _settings(directory)
        self.run: str | None = self.settings.get(RUN)
        """The id of the run."""
        self.left_out = as_count(left_out, "burn_in", least=0)
        self.thin = as_count(thin, "thin")
        kept: int = self.settings["thin"]
        if thin != 1 and self.thin % kept:
            raise ValueError(
                f"the run keeps every {kept}-th iteration; thin must be a multiple of that; got "
                f"{thin}"
            )
        self.spacing = max(self.thin, kept)
        self.start: int = self.settings["start"]
        self.remarks: tuple[str, ...] = tuple(self.settings.get("remarks", ()))
        self._take_axes()
        for attempt in range(_ATTEMPTS):
            stop = newest_state(directory, self.run)
            if stop == self.start or reaches(all_segments(self.directory), stop):
                self.niterations = stop
                return
            if attempt < _ATTEMPTS - 1:
                time.sleep(_PAUSE)
        raise RunDirectoryError(
            f"{self.directory} has a state at iteration {stop}, but no segment reaches that far"
        )

    def _take_axes(self) -> None:
        """Learn from the settings which axes tables have."""
        self.nwalkers: int = self.settings.get("nwalkers", 1)
        self.nchains: int = self.settings["nchains"] * self.nwalkers
        self.is_tempered: bool = self.settings.get("betas") is not None
        self.places = places(self.settings)
        """The first axes of a table on disk, and of what a person gets."""
        self.ntemps = self.places[0] if self.is_tempered else 1

    def upto(self, iteration: int) -> DirectorySource:
        """The same record up to an iteration."""
        found = copy.copy(self)
        found.niterations = iteration
        return found

    @cached_property
    def proposals(self) -> list[BaseProposal]:
        """Those that can be made anew."""
        recipes = [entry["recipe"] for entry in self.settings["proposals"]]
        return [remade(recipe) for recipe in recipes if recipe is not None]

    def pieces(self, table: str, temperatures: slice = ALL) -> Iterator[NDArray[np.void]]:
        """A table piece by piece, shape (ntemps, nchains, m)."""
        kept, step = self.settings["thin"], self.spacing
        kinds: set[tuple[str, ...] | None] = set()
        for content, after, upto in self._contents(self.left_out):
            before = content["start"] // kept
            first = after // step + 1
            rows = slice(first * step // kept - before - 1, upto // kept - before, step // kept)
            found = content[table]
            kinds.add(None if found is None else found.dtype.names)
            if len(kinds) > 1:
                raise CheckpointError(f"{self.directory} has {table} of several kinds: {kinds}")
            if found is not None and rows.start < rows.stop:
                with_axis = found.reshape(self.ntemps, self.nchains, -1)
                yield with_axis[temperatures, :, rows]

    def sweeps(self, name: str) -> Iterator[NDArray[Any]]:
        """Sweeps piece by piece, shape (ntemps or ntemps - 1, nchains, m); they are not thinned."""
        if self.ntemps == 1:
            return
        interval = self.settings["swap_interval"]
        for content, after, upto in self._contents(self.left_out):
            before = content["start"] // interval
            sweeps = slice(after // interval - before, upto // interval - before)
            yield content[name][:, sweeps].transpose(2, 0, 1)

    def _contents(self, after: int) -> Iterator[tuple[Content, int, int]]:
        """The contents of segments, one at a time, and after which iteration up to which to use it.

        Together they reach from iteration `after` to where the run was saved.
        """
        at = max(after, self.start)
        while at < self.niterations:
            content = self.content(at)
            yield content, at, min(content["stop"], self.niterations)
            at = content["stop"]

    def content(self, at: int) -> Content:
        """The content of the segment that follows an iteration.

        Raises
        ------
        RunDirectoryError
            If it is missing.
        CheckpointError
            If it is damaged.
        """
        for attempt in range(_ATTEMPTS):
            try:
                segment = covering(all_segments(self.directory), at)
                return read_segment(segment, self.run, self.settings)
            except (FileNotFoundError, RunDirectoryError):
                # It was merged with others while the directory was listed, or since.
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(_PAUSE)
        raise AssertionError

    @cached_property
    def adaptation_history(self) -> AdaptationHistory:
        """Jump widths and ladders of the whole run, whatever is left out."""
        pieces = []
        for content, after, upto in self._contents(self.start):
            found = AdaptationHistory(
                *(content[f"noted {name}"] for name in AdaptationHistory._fields)
            )
            used = (found.iterations > after) & (found.iterations <= upto)
            pieces.append(AdaptationHistory._make(part[used] for part in found))
        return joined(pieces)

    def ladders(self, after: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The saves after an iteration, that at the start first: where, and the betas there."""
        first = self.settings.get("betas", np.ones((self.nchains, 1)))
        iterations, ladders = [np.array([self.start])], [first[np.newaxis]]
        for content, begin, upto in self._contents(after):
            if "ladders" in content:
                at = content["ladder_iterations"]
                used = (at > begin) & (at <= upto)
                iterations.append(at[used])
                ladders.append(content["ladders"][used])
        return np.concatenate(iterations), np.concatenate(ladders)

    @cached_property
    def betas(self) -> NDArray[np.float64]:
        """Inverse temperatures where the run was saved last, shape (nchains, ntemps)."""
        found: NDArray[np.float64] = self.ladders(self.niterations - 1)[1][-1]
        return found

    @property
    def beginning(self) -> Beginning | None:
        """What the run began with; None if that was no start, or its ladders differed."""
        ladders = self.settings.get("betas")
        if self.start or (ladders is not None and len(np.unique(ladders, axis=0)) > 1):
            return None
        given = None if ladders is None or "ladder" in self.settings else ladders[0]
        return Beginning(given, self.settings.get("drawn", False))

    @cached_property
    def evaluations(self) -> int:
        """The likelihood evaluations up to where the run was saved last."""
        start = self.shared.get(ANNEALED, {})
        of_start = int(start.get("evaluations", 0))
        if start.get("progress") is not None:
            return of_start
        return of_start + sum(map(evaluations_in, chains_in(self._state).values()))

    @cached_property
    def nan_count(self) -> int:
        """The jumps up to where the run was saved last that were rejected for NaN."""
        return sum(map(nan_count_in, chains_in(self._state).values()))

    @cached_property
    def shared(self) -> dict[str, Any]:
        """What the chains shared where the run was saved last."""
        found: dict[str, Any] = self._state.get(SHARED, {})
        return found

    @cached_property
    def _state(self) -> Any:
        """What was saved last of the chains, and of what they share."""
        return last_state(self.directory, self.run)[1]

    @cached_property
    def last_moved(self) -> int:
        """The last iteration at which a ladder was changed; 0 if none ever was."""
        if self.ntemps == 1:
            return 0
        chains = chains_in(self._state).values()
        return max(int(chain[0]["tempering"]["last_annealed"]) for chain in chains)


def _settings(directory: Path) -> Manifest:
    """The settings of a run, with the ladder that it found."""
    manifest = read_manifest(directory)
    if manifest.get("ladder") != FOUND:
        return manifest
    return with_found(manifest, last_state(directory, manifest.get(RUN))[1])
