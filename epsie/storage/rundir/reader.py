"""Reading a run from its directory, also while it is being written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.notes import Learned, joined
from epsie.checks import as_count
from epsie.errors import CheckpointError, RunDirectoryError
from epsie.results.diagnosable import Diagnosable
from epsie.shown import table
from epsie.storage.files import read_file
from epsie.storage.rundir.manifest import Manifest, read_manifest
from epsie.storage.rundir.segments import Content, all_segments, concatenated, covering
from epsie.storage.rundir.states import saved_iterations

_ATTEMPTS, _PAUSE = 20, 0.01


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
    """What a run has saved: arrays as the sampler gives them, but over the whole run.

    Parameters
    ----------
    directory : Path
        The directory.
    burn_in, thin : int
        As for `open_run`.
    """

    def __init__(self, directory: Path, burn_in: int = 0, thin: int = 1) -> None:
        self.directory = directory
        self.manifest: Manifest = read_manifest(directory)
        self.burn_in = as_count(burn_in, "burn_in", least=0)
        self.thin = as_count(thin, "thin")
        if thin != 1 and self.thin % self.manifest["thin"]:
            raise ValueError(
                f"the run keeps every {self.manifest['thin']}-th iteration; thin must be a "
                f"multiple of that; got {thin}"
            )
        self.refresh()

    def __repr__(self) -> str:
        return f"Run({str(self.directory)!r}, niterations={self.niterations})"

    def _repr_html_(self) -> str:
        from epsie.cli.info import describe_run

        try:
            return table("Run", describe_run(self.directory))
        except Exception:  # it may have been removed meanwhile
            return table("Run", [("run", repr(self))])

    def refresh(self) -> None:
        """Take in what was saved since it was opened."""
        saved = saved_iterations(self.directory)
        if not saved:
            raise RunDirectoryError(f"{self.directory} holds no state")
        self.niterations = saved[-1]
        """The iteration at which the run was saved last."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(self.manifest["parameters"])

    @property
    def nchains(self) -> int:
        """The number of chains."""
        nchains: int = self.manifest["nchains"]
        return nchains

    @property
    def ntemps(self) -> int | None:
        """The number of temperatures; None if the chains are not tempered."""
        return self.manifest["betas"].shape[1] if "betas" in self.manifest else None

    @property
    def iterations(self) -> NDArray[np.int64]:
        """The iterations of the rows that are given, shape (n,)."""
        step = self._step
        first = max(self.manifest["start"], self.burn_in) // step + 1
        return np.arange(first, self.niterations // step + 1) * step

    @property
    def _step(self) -> int:
        return max(self.thin, int(self.manifest["thin"]))

    # ---- what was visited

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
        return None if pieces and pieces[0] is None else self._joined(pieces, "blobs")

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
        kept, step = self.manifest["thin"], self._step
        for content, after, upto in self._contents(self.burn_in):
            before = content["start"] // kept
            first = after // step + 1
            rows = slice(first * step // kept - before - 1, upto // kept - before, step // kept)
            table = content[name]
            if table is None:
                yield None
            elif rows.start < rows.stop:
                yield table[..., rows]

    def _contents(self, after: int) -> Iterator[tuple[Content, int, int]]:
        """The contents of segments, one at a time, and after which iteration up to which to use it.

        Together they reach from iteration `after` to where the run was saved.
        """
        at = max(after, self.manifest["start"])
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
                found: Content = read_file(segment.path, copy=False)
            except (FileNotFoundError, RunDirectoryError):
                # It was merged with others while the directory was listed, or since.
                if attempt == _ATTEMPTS - 1:
                    raise
                time.sleep(_PAUSE)
            else:
                break
        if (found["start"], found["stop"]) != (segment.start, segment.stop):
            raise CheckpointError(
                f"{segment.path} holds iterations {found['start']} to {found['stop']}, not those "
                "of its name"
            )
        return found

    @property
    def learned(self) -> Learned:
        """What was learned: see `epsie.chain.notes`. All of the run, whatever the burn-in."""
        pieces = []
        for content, after, upto in self._contents(self.manifest["start"]):
            found = Learned(*(content[f"noted {name}"] for name in Learned._fields))
            used = (found.iterations > after) & (found.iterations <= upto)
            pieces.append(Learned._make(part[used] for part in found))
        return joined(pieces)

    # ---- temperatures

    @property
    def betas(self) -> NDArray[np.float64]:
        """Inverse temperatures where the run was saved last, shape (nchains, ntemps)."""
        ladders: NDArray[np.float64] = self.ladders[1][-1]
        return ladders

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
        start = self.manifest["start"]
        iterations, ladders = [np.array([start])], [self.manifest["betas"][None]]
        for content, after, upto in self._contents(start):
            at = content["ladder_iterations"]
            used = (at > after) & (at <= upto)
            iterations.append(at[used])
            ladders.append(content["ladders"][used])
        return np.concatenate(iterations), np.concatenate(ladders)

    @property
    def temperature_swaps(self) -> NDArray[np.int64] | None:
        """Where the points came from, as the sampler gives it; sweeps are never thinned."""
        orders = self._swept("orders")
        return None if orders is None else orders.transpose(2, 0, 1).astype(np.int64)

    @property
    def temperature_acceptance(self) -> NDArray[np.float64] | None:
        """The acceptance ratio of each adjacent pair, as the sampler gives it."""
        ratios = self._swept("ratios")
        return None if ratios is None else ratios.transpose(2, 0, 1).copy()

    def _swept(self, name: str) -> NDArray[Any] | None:
        """Sweeps after the burn-in, shape (nchains, nsweeps, ...)."""
        self._refuse_untempered()
        if self.ntemps == 1:
            return None
        interval = self.manifest["swap_interval"]
        pieces = []
        for content, after, upto in self._contents(self.burn_in):
            before = content["start"] // interval
            sweeps = slice(after // interval - before, upto // interval - before)
            pieces.append(content[name][:, sweeps])
        return self._joined([np.moveaxis(piece, 1, -1) for piece in pieces], name).swapaxes(1, 2)

    def _refuse_untempered(self) -> None:
        if "betas" not in self.manifest:
            raise ValueError("the chains of this run are not tempered")
