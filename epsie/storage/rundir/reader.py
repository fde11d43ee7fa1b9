"""Runs read from their directories, also while they are being written."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.adaptation_history import AdaptationHistory
from epsie.checks import as_path, in_order
from epsie.model.plain_prior import prior_of
from epsie.model.prior import Prior
from epsie.results.diagnosable import Diagnosable
from epsie.results.source import Source, rows_of
from epsie.shown import table
from epsie.storage.files import resolved
from epsie.storage.rundir.facts import run_facts
from epsie.storage.rundir.joined import JoinedSource
from epsie.storage.rundir.manifest import Manifest
from epsie.storage.rundir.segments import Content, concatenated
from epsie.storage.rundir.source import DirectorySource


def open_run(directory: Any, *, burn_in: int = 0, thin: int = 1) -> Run:
    """Open a run directory for reading, or several as one.

    Parameters
    ----------
    directory : str, path, or iterable of them
        The directory that was given to `run`. Several: the parts of one run, or independent runs,
        with other seeds, of the same posterior and settings. Their chains are one after the other,
        up to the iteration that all have come to.
    burn_in : int, optional
        Leave out the iterations up to this one.
    thin : int, optional
        Take every so many-th iteration only.

    Returns
    -------
    Run
        What was saved when it was opened. Nothing is read before it is asked for.

    Raises
    ------
    RunDirectoryError
        If there is no run, or it belongs to a newer epsie; if several do not go together: says what
        differs, or which chains are missing or there twice.
    ValueError, TypeError
        If a path is empty, or is none.
    """
    if isinstance(directory, str | PathLike):
        directory = [directory]
    return Run(*map(as_path, in_order(directory, "directories")), burn_in=burn_in, thin=thin)


class Run(Diagnosable):
    """A run on disk, or several as one: arrays as the sampler gives them, over the whole run.

    Parameters
    ----------
    *directories : Path
        The directory, or several.
    burn_in, thin : int
        As for `open_run`.
    """

    def __init__(self, *directories: Path, burn_in: int = 0, thin: int = 1) -> None:
        if not directories:
            raise ValueError("open_run needs a directory, or several; got none")
        self._named = directories
        self.directories: tuple[Path, ...] = tuple(map(resolved, directories))
        self.directory: Path = self.directories[0]
        """The directory; of several the first."""
        self.burn_in, self.thin = burn_in, thin
        self.refresh()
        self.manifest: Manifest = self._saved.settings

    @property
    def _source(self) -> Source:
        return self._saved

    def __repr__(self) -> str:
        named = [str(directory) for directory in self._named]
        of = repr(named[0] if len(named) == 1 else named)
        return f"Run({of}, niterations={self.niterations})"

    def _repr_html_(self) -> str:
        try:
            facts = [run_facts(DirectorySource(directory)) for directory in self.directories]
            return "".join([table("Run", of_one) for of_one in facts])
        except Exception:  # it may have been removed meanwhile
            return table("Run", [("run", repr(self))])

    def refresh(self) -> None:
        """Take in what was saved since it was opened."""
        runs = [DirectorySource(path, self.burn_in, self.thin) for path in self.directories]
        self._saved: DirectorySource | JoinedSource = (
            runs[0] if len(runs) == 1 else JoinedSource(runs)
        )

    @property
    def niterations(self) -> int:
        """The iteration at which the run was saved last."""
        return self._saved.niterations

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(self.manifest["parameters"])

    @cached_property
    def prior(self) -> Prior:
        """The prior, made anew from the settings; its functions and foreign objects are not there.

        Raises
        ------
        ValueError
            If there is none, or it holds such things: they are named.
        """
        return prior_of(self.manifest)

    @property
    def nchains(self) -> int:
        """The number of chains."""
        return self._saved.nchains

    @property
    def ntemps(self) -> int | None:
        """The number of temperatures; None if the chains are not tempered."""
        return self._saved.ntemps if self._saved.is_tempered else None

    @property
    def iterations(self) -> NDArray[np.int64]:
        """The iterations of the rows that are given, shape (n,)."""
        return rows_of(self._saved)

    @property
    def positions(self) -> NDArray[np.void]:
        """Positions, shape (nchains, n), (ntemps, nchains, n) or (nensembles, nwalkers, n)."""
        return self._table("positions")

    @property
    def stats(self) -> NDArray[np.void]:
        """Fields `logl` and `logp`, of the same shape."""
        return self._table("stats")

    @property
    def acceptance(self) -> NDArray[np.void]:
        """Fields `acceptance_ratio` and `accepted`, of the same shape."""
        return self._table("acceptance")

    @property
    def blobs(self) -> NDArray[np.void] | None:
        """The blobs, of the same shape; None without blobs."""
        pieces = list(self.pieces("blobs"))
        return self._joined(pieces, "blobs") if pieces or not len(self.iterations) else None

    def _table(self, name: str) -> NDArray[np.void]:
        return self._joined(list(self.pieces(name)), name)

    def _joined(self, pieces: list[Any], name: str) -> NDArray[Any]:
        if not pieces:
            raise ValueError(f"there are no {name} after iteration {self.burn_in} yet")
        return concatenated(pieces, -1)

    def pieces(self, name: str) -> Iterator[Any]:
        """A table piece by piece, so that a long run need not fit into memory.

        Parameters
        ----------
        name : {'positions', 'stats', 'acceptance', 'blobs'}
            The table.
        """
        for piece in self._saved.pieces(name):
            yield piece.reshape(*self._saved.places, -1)

    def content(self, at: int) -> Content:
        """The content of the segment that follows an iteration: see `DirectorySource.content`."""
        if not isinstance(self._saved, DirectorySource):
            raise ValueError("several runs have no common segments: ask each of them")
        return self._saved.content(at)

    @property
    def adaptation_history(self) -> AdaptationHistory:
        """Jump widths and ladders of the whole run, where they were noted."""
        return self._saved.adaptation_history

    @property
    def betas(self) -> NDArray[np.float64]:
        """Inverse temperatures where the run was saved last, shape (nchains, ntemps)."""
        self._refuse_untempered()
        return self._saved.betas

    @property
    def temperatures(self) -> NDArray[np.float64]:
        """Temperatures where the run was saved last, shape (nchains, ntemps)."""
        with np.errstate(divide="ignore"):
            return 1 / self.betas

    @property
    def ladders(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The iterations of all saves, and the betas there, shape (n, nchains, ntemps).

        Raises
        ------
        ValueError
            If the chains are not tempered.
        """
        self._refuse_untempered()
        return self._saved.ladders(self._saved.start)

    @property
    def temperature_swaps(self) -> NDArray[np.int64] | None:
        """The origin of each point, as the sampler gives it; sweeps are never thinned."""
        orders = self._swept("orders")
        return None if orders is None else orders.astype(np.int64)

    @property
    def temperature_acceptance(self) -> NDArray[np.float64] | None:
        """The acceptance ratio of each adjacent pair, as the sampler gives it."""
        return self._swept("ratios")

    def _swept(self, name: str) -> NDArray[Any] | None:
        """Sweeps after the burn-in, shape (rows, nchains, nsweeps)."""
        self._refuse_untempered()
        if self.ntemps == 1:
            return None
        return np.ascontiguousarray(self._joined(list(self._saved.sweeps(name)), "sweeps of swaps"))

    def _refuse_untempered(self) -> None:
        if not self.ntemps:
            raise ValueError("the chains of this run are not tempered")
