"""Reading a run from its directory, also while it is being written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.notes import Learned
from epsie.results.diagnosable import Diagnosable
from epsie.results.source import Source, rows_of
from epsie.shown import table
from epsie.storage.files import resolved
from epsie.storage.rundir.facts import run_facts
from epsie.storage.rundir.manifest import Manifest
from epsie.storage.rundir.saved import Saved
from epsie.storage.rundir.segments import Content, concatenated


def open_run(directory: Any, *, burn_in: int = 0, thin: int = 1) -> Run:
    """Open a run directory for reading.

    Parameters
    ----------
    directory : str or path
        The directory that was given to `run`.
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
        If there is no run, or it belongs to a newer epsie.
    """
    return Run(Path(directory), burn_in, thin)


class Run(Diagnosable):
    """A run on disk: arrays as the sampler gives them, but over the whole run.

    Parameters
    ----------
    directory : Path
        The directory.
    burn_in, thin : int
        As for `open_run`.
    """

    def __init__(self, directory: Path, burn_in: int = 0, thin: int = 1) -> None:
        self._named, self.directory = directory, resolved(directory)
        self.burn_in, self.thin = burn_in, thin
        self.refresh()
        self.manifest: Manifest = self._saved.settings

    @property
    def _source(self) -> Source:
        return self._saved

    def __repr__(self) -> str:
        return f"Run({str(self._named)!r}, niterations={self.niterations})"

    def _repr_html_(self) -> str:
        try:
            return table("Run", run_facts(self._saved))
        except Exception:  # it may have been removed meanwhile
            return table("Run", [("run", repr(self))])

    def refresh(self) -> None:
        """Take in what was saved since it was opened."""
        self._saved = Saved(self.directory, self.burn_in, self.thin)

    @property
    def niterations(self) -> int:
        """The iteration at which the run was saved last."""
        return self._saved.niterations

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(self.manifest["parameters"])

    @property
    def nchains(self) -> int:
        """The number of chains."""
        return self._saved.nchains

    @property
    def ntemps(self) -> int | None:
        """The number of temperatures; None if the chains are not tempered."""
        return self._saved.ntemps if len(self._saved.places) == 2 else None

    @property
    def iterations(self) -> NDArray[np.int64]:
        """The iterations of the rows that are given, shape (n,)."""
        return rows_of(self._saved)

    @property
    def positions(self) -> NDArray[np.void]:
        """Positions, shape (nchains, n), or (ntemps, nchains, n)."""
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
        """The content of the segment that follows an iteration: see `Saved.content`."""
        return self._saved.content(at)

    @property
    def learned(self) -> Learned:
        """The notes of what was learned in all of the run: see `epsie.chain.notes`."""
        return self._saved.learned

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
        return np.ascontiguousarray(self._joined(list(self._saved.sweeps(name)), name))

    def _refuse_untempered(self) -> None:
        if not self.ntemps:
            raise ValueError("the chains of this run are not tempered")
