"""Several runs as one source: the parts of one run, or independent ones side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.adaptation_history import AdaptationHistory
from epsie.errors import RunDirectoryError
from epsie.proposals.base import BaseProposal
from epsie.results.source import ALL, Beginning
from epsie.storage.rundir.compatible import in_order
from epsie.storage.rundir.manifest import Manifest
from epsie.storage.rundir.segments import concatenated
from epsie.storage.rundir.source import DirectorySource
from epsie.storage.rundir.wellformed import places


class JoinedSource:
    """Runs of the same posterior and settings, their chains one after the other.

    Parts of one run have its chains in their order. All are looked at up to the iteration that the
    shortest of them has come to.

    Parameters
    ----------
    runs : sequence of DirectorySource
        The runs.

    Raises
    ------
    RunDirectoryError
        If they do not go together: says what differs, or which chains are missing or there twice.
    """

    def __init__(self, runs: Sequence[DirectorySource]) -> None:
        self.runs, self.order = in_order(runs)
        """The runs, parts of one following each other."""
        first = self.runs[0]
        self.nwalkers = first.nwalkers
        # Of ensembles all walkers.
        self._all = (self.order[:, None] * self.nwalkers + np.arange(self.nwalkers)).ravel()
        self.niterations = min(run.niterations for run in self.runs)
        self._cut = [run.upto(self.niterations) for run in self.runs]
        self.start, self.spacing, self.left_out = first.start, first.spacing, first.left_out
        self.nchains = sum(run.nchains for run in self.runs)
        self.ntemps, self.is_tempered = first.ntemps, first.is_tempered
        self.remarks: tuple[str, ...] = (
            *dict.fromkeys(remark for run in self.runs for remark in run.remarks),
            *self._longer(),
        )
        self.places = places(self.settings)

    def _longer(self) -> Iterator[str]:
        """A remark if not all of the runs is used."""
        ends = [run.niterations for run in self.runs]
        if max(ends) > self.niterations:
            yield (
                f"the runs are at iterations {', '.join(map(str, ends))}: all are looked at up to "
                f"{self.niterations}"
            )

    @cached_property
    def settings(self) -> Manifest:
        """Those of the first run, with all chains; and the seeds of independent runs."""
        seeds = list(dict.fromkeys(run.settings["seed"] for run in self.runs))
        made = {name: v for name, v in self.runs[0].settings.items() if name != "part"}
        made |= {"nchains": len(self.order), "remarks": list(self.remarks)}
        ladders = [run.settings["betas"] for run in self.runs if run.is_tempered]
        if ladders:
            made["betas"] = self.side_by_side(ladders, 0)
        return made if len(seeds) == 1 else made | {"starts": None, "seeds": seeds}

    @property
    def proposals(self) -> list[BaseProposal]:
        """Those that can be made anew."""
        return self.runs[0].proposals

    def side_by_side(self, arrays: Sequence[NDArray[Any]], axis: int) -> NDArray[Any]:
        """Arrays of the runs as one, with an axis of all chains in their order."""
        return np.take(concatenated(list(arrays), axis), self._all, axis)

    def pieces(self, table: str, temperatures: slice = ALL) -> Iterator[NDArray[np.void]]:
        """A table piece by piece, shape (ntemps, nchains, m)."""
        streams = [run.pieces(table, temperatures) for run in self._cut]
        for pieces in self._in_step(streams, table):
            yield self.side_by_side(pieces, 1)

    def sweeps(self, name: str) -> Iterator[NDArray[Any]]:
        """Sweeps piece by piece, shape (ntemps or ntemps - 1, nchains, m); they are not thinned."""
        for pieces in self._in_step([run.sweeps(name) for run in self._cut], name):
            yield self.side_by_side(pieces, 1)

    def _in_step(
        self, streams: Sequence[Iterator[NDArray[Any]]], what: str
    ) -> Iterator[list[NDArray[Any]]]:
        """Pieces of the runs, cut to equal lengths along their last axis."""
        left = [next(stream, None) for stream in streams]
        while True:
            there = [piece for piece in left if piece is not None]
            if len(there) < len(left):
                break
            n = min(piece.shape[-1] for piece in there)
            yield [piece[..., :n] for piece in there]
            rest = [piece[..., n:] for piece in there]
            left = [
                piece if piece.shape[-1] else next(stream, None)
                for piece, stream in zip(rest, streams, strict=True)
            ]
        if there:
            ended = [
                str(run.directory) for run, x in zip(self.runs, left, strict=True) if x is None
            ]
            raise RunDirectoryError(f"{', '.join(ended)} has no {what} where the others have some")

    @cached_property
    def adaptation_history(self) -> AdaptationHistory:
        """Jump widths and ladders of all chains, whatever is left out."""
        found = [run.adaptation_history for run in self._cut]
        iterations, rows = _common([history.iterations for history in found])
        arrays = [
            np.take(concatenated([of[at] for of, at in zip(each, rows)], 1), self.order, 1)
            for each in list(zip(*found, strict=True))[1:]
        ]
        return AdaptationHistory(iterations, *arrays)

    def ladders(self, after: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The iterations after another at which all runs were saved, and the betas there."""
        found = [run.ladders(after) for run in self._cut]
        iterations, rows = _common([at for at, _ in found])
        betas = [ladders[at] for (_, ladders), at in zip(found, rows, strict=True)]
        return iterations, self.side_by_side(betas, 1)

    @cached_property
    def betas(self) -> NDArray[np.float64]:
        """Inverse temperatures where each run was saved last, shape (nchains, ntemps)."""
        return self.side_by_side([run.betas for run in self.runs], 0)

    @property
    def independent(self) -> list[DirectorySource]:
        """The runs, if each is one by itself, which learned from its own chains; else none."""
        return self.runs if len(self.settings.get("seeds", ())) == len(self.runs) else []

    @property
    def beginning(self) -> Beginning | None:
        """What the run began with of which these are the parts; None of independent runs."""
        return None if "seeds" in self.settings else self.runs[0].beginning

    @property
    def evaluations(self) -> int:
        """The likelihood evaluations of all runs, each up to where it was saved last."""
        return sum(run.evaluations for run in self.runs)

    @property
    def nan_count(self) -> int:
        """The jumps of all runs that were rejected for NaN."""
        return sum(run.nan_count for run in self.runs)

    @property
    def shared(self) -> dict[str, Any]:
        """Nothing: runs share nothing."""
        return {}

    @cached_property
    def last_moved(self) -> int:
        """The last iteration at which a ladder was changed; 0 if none ever was."""
        return max(run.last_moved for run in self.runs)


def _common(
    iterations: Sequence[NDArray[np.int64]],
) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """The iterations that all have, and where each has them."""
    common = iterations[0]
    for other in iterations[1:]:
        common = np.intersect1d(common, other)
    return common, [np.searchsorted(each, common) for each in iterations]
