"""A run read from its directory, also while it is being written, and the facts of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.adaptation_history import AdaptationHistory
from epsie.results.diagnosable import Diagnosable
from epsie.results.source import Source, rows_of
from epsie.results.view import View
from epsie.shown import Facts, table
from epsie.storage.files import names_in, resolved, size_of
from epsie.storage.rundir import holder as lock
from epsie.storage.rundir.manifest import Manifest, unknown_parts
from epsie.storage.rundir.segments import Content, concatenated
from epsie.storage.rundir.source import DirectorySource
from epsie.storage.rundir.states import saved_iterations, state_path


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
        self._saved = DirectorySource(self.directory, self.burn_in, self.thin)

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
        """The content of the segment that follows an iteration: see `DirectorySource.content`."""
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
        return np.ascontiguousarray(self._joined(list(self._saved.sweeps(name)), name))

    def _refuse_untempered(self) -> None:
        if not self.ntemps:
            raise ValueError("the chains of this run are not tempered")


def run_facts(run: DirectorySource) -> Facts:
    """What a person wants to know of a run, line by line."""
    settings, end, holder = run.settings, View(run).known_end, lock.holder(run.directory)
    parts = [f"{e['class']}({', '.join(e['parameters'])})" for e in settings["proposals"]]
    unknown = unknown_parts(settings)
    betas = run.betas.mean(axis=0).tolist() if len(run.places) == 2 else ()
    facts = [
        ("run", str(run.directory)),
        ("sampler", _kind(run)),
        ("parameters", f"{len(settings['parameters'])}: {', '.join(settings['parameters'])}"),
        ("iterations", _kept(run)),
        ("adaptation", f"{'ended' if end <= run.niterations else 'ends'} at {end}" if end else ""),
        ("proposals", ", ".join(parts)),
        ("to resume", f"pass again: {', '.join(unknown)}" if unknown else ""),
        ("betas", ", ".join(f"{beta:.4g}" for beta in betas)),
        ("seed", f"{settings['seed']} ({settings['bit_generator']})"),
        ("begun with", ", ".join(f"{name} {v}" for name, v in settings["versions"].items())),
        ("on disk", _size(run.directory)),
        *_progress(run, holder),
    ]
    return [(name, text) for name, text in facts if text]


_KINDS = {"metropolis_hastings": "Metropolis-Hastings", "parallel_tempered": "parallel tempered"}


def _kind(run: DirectorySource) -> str:
    name: str = run.settings["sampler"]
    hot = f" x {run.ntemps} temperatures" if len(run.places) == 2 else ""
    return f"{_KINDS.get(name, name)}, {run.nchains} chains{hot}"


def _kept(run: DirectorySource) -> str:
    thin = run.settings["thin"]
    kept = "" if thin == 1 else f", every {thin}-th kept"
    return f"{run.niterations}{kept}" + (f", kept from {run.start} on" if run.start else "")


def _size(directory: Path) -> str:
    sizes = [size_of(directory / name) for name in names_in(directory)]
    return f"{sum(sizes) / 2**20:.1f} MiB in {len(sizes)} files"


def _progress(run: DirectorySource, holder: lock.Holder | None) -> list[tuple[str, str]]:
    """When it was saved, how fast it goes, and who writes to it."""
    now = time.time()
    saved_at, rate = pace(run, holder)
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(saved_at))
    lines = [("last saved", f"{when}, {duration(now - saved_at)} ago")]
    if rate:
        lines.append(("rate", f"{rate:.4g} iterations/s between the last two saves"))
    if holder is None:
        return [*lines, ("state", "at rest")]
    state = str(holder)
    if holder.is_alive is False:
        return [*lines, ("state", f"at rest; {state} ended before it was done")]
    upto = "" if holder.upto is None else f" up to {holder.upto}"
    sure = "being" if holder.is_alive else "said to be"
    lines.append(("state", f"{sure} written{upto} by {state}"))
    if holder.upto is not None and rate:
        left = max(0.0, saved_at + max(0.0, (holder.upto - run.niterations) / rate) - now)
        end = time.strftime("%Y-%m-%d %H:%M", time.localtime(now + left))
        lines.append(("remaining", f"{duration(left)}, until about {end}"))
    return lines


def pace(run: DirectorySource, holder: lock.Holder | None) -> tuple[float, float | None]:
    """When a run was saved last, and its rate from the save before, None if there is only one.

    In seconds since the epoch, and iterations a second.
    """
    times = {}
    for iteration in saved_iterations(run.directory):
        with suppress(OSError):
            times[iteration] = state_path(run.directory, iteration).stat().st_mtime
    (last, saved_at), *before = sorted(times.items(), reverse=True)
    if before:
        # Since a process began to write, not since another one ended.
        began = max(before[0][1], holder.since if holder else 0.0)
        if saved_at > began:
            return saved_at, (last - before[0][0]) / (saved_at - began)
    return saved_at, None


def duration(seconds: float) -> str:
    """A time in words."""
    seconds = max(0.0, seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
