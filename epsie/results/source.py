"""The source of all that is looked at, alike in memory and on disk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from epsie.chain.adaptation_history import AdaptationHistory
from epsie.proposals.base import BaseProposal

ALL = slice(None)


class Beginning(NamedTuple):
    """What a run began with, beside its settings."""

    betas: NDArray[np.float64] | None
    """The ladder of all chains; None if they are not tempered."""

    drawn: bool
    """Whether it started at draws from the prior of its posterior, and not where it was told."""


class Source(Protocol):
    """The record of a run: in the memory of a sampler, or in a run directory.

    The axis of temperatures is always there, coldest first; a plain chain has one. What looks takes
    a source, and never asks what it is.
    """

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as plain data, as they are in the manifest of a run directory."""

    @property
    def proposals(self) -> list[BaseProposal]:
        """The proposals of a chain; of a run on disk those that can be made anew."""

    nchains: int
    ntemps: int

    nwalkers: int
    """The number of neighbouring chains that are the walkers of one ensemble, and depend on each
    other; 1: none does."""

    start: int
    """The iteration after which the record begins."""

    niterations: int
    """The iteration at which it ends."""

    spacing: int
    """The number of iterations from one row to the next: there is one at each multiple of it."""

    left_out: int
    """The iterations up to this one are left out, as whoever opened the run asked; 0: none."""

    remarks: tuple[str, ...]
    """Further remarks that are to be made in a summary."""

    @property
    def beginning(self) -> Beginning | None:
        """What a run from its start on began with; None of what is no such run."""

    @property
    def evaluations(self) -> int:
        """The likelihood evaluations of all chains and temperatures since the start."""

    @property
    def nan_count(self) -> int:
        """The jumps of all of them that were rejected as the model gave NaN or +inf."""

    @property
    def betas(self) -> NDArray[np.float64]:
        """Inverse temperatures where the chains are, shape (nchains, ntemps)."""

    @property
    def last_moved(self) -> int:
        """The last iteration at which a ladder was changed; 0 if none ever was."""

    @property
    def shared(self) -> dict[str, Any]:
        """What the chains share where it ends: what they learned, and an annealed start."""

    @property
    def adaptation_history(self) -> AdaptationHistory:
        """Jump widths and ladders, at iterations ever farther apart."""

    def pieces(self, table: str, temperatures: slice = ALL) -> Iterator[NDArray[np.void]]:
        """A table piece by piece, so that a long run need not fit into memory.

        Parameters
        ----------
        table : {'positions', 'stats', 'acceptance', 'blobs'}
            The table.
        temperatures : slice, optional
            Which of them.

        Yields
        ------
        array
            Shape (ntemps, nchains, m). There is none of what there is not, as blobs.
        """

    def sweeps(self, name: str) -> Iterator[NDArray[Any]]:
        """A table of the sweeps of swaps, piece by piece.

        Parameters
        ----------
        name : {'orders', 'ratios'}
            The origin of each point, or the acceptance ratio of each adjacent pair.

        Yields
        ------
        array
            Shape (ntemps or ntemps - 1, nchains, m). There is none with one temperature.
        """


def rows_of(source: Source) -> NDArray[np.int64]:
    """The iterations of the rows of a source, counted from 1, shape (n,)."""
    first = max(source.start, source.left_out) // source.spacing + 1
    return np.arange(first, source.niterations // source.spacing + 1) * source.spacing


def source_of(given: Any) -> Source:
    """The source that a sampler or an opened run has; a source itself as it is.

    Raises
    ------
    TypeError
        If it is neither.
    """
    source: Source | None = given if hasattr(given, "sweeps") else getattr(given, "_source", None)
    if source is None:
        raise TypeError(
            "this takes a sampler or what epsie.open_run gives; got "
            f"{given!r} of type {type(given).__name__}"
        )
    return source
