"""A source: what can be looked at, alike in memory and on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from epsie.chain.notes import Learned
from epsie.proposals.base import BaseProposal

ALL = slice(None)


class Source(Protocol):
    """The record of a run: in the memory of a sampler, or in a run directory.

    The axis of temperatures is always there, coldest first; a plain chain has one. What looks takes
    a source, and never asks what it is.
    """

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings as plain data, as they are in the manifest of a run directory."""

    @property
    def proposals(self) -> Sequence[BaseProposal]:
        """The proposals of a chain; of a run on disk those that can be made anew."""

    @property
    def nchains(self) -> int:
        """The number of chains."""

    @property
    def ntemps(self) -> int:
        """The number of temperatures."""

    @property
    def start(self) -> int:
        """The iteration after which the record begins."""

    @property
    def niterations(self) -> int:
        """The iteration at which it ends."""

    @property
    def spacing(self) -> int:
        """The number of iterations from one row to the next."""

    @property
    def left_out(self) -> int:
        """The iterations up to this one are left out, as whoever opened the run asked; 0: none."""

    @property
    def iterations(self) -> NDArray[np.int64]:
        """The iterations of the rows, counted from 1, shape (n,)."""

    @property
    def betas(self) -> NDArray[np.float64]:
        """Inverse temperatures where the chains are, shape (nchains, ntemps)."""

    @property
    def last_moved(self) -> int:
        """The last iteration at which a ladder was changed; 0 if none ever was."""

    @property
    def learned(self) -> Learned:
        """What was learned, noted at iterations ever farther apart."""

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
        """What the sweeps of swaps did, piece by piece.

        Parameters
        ----------
        name : {'orders', 'ratios'}
            Where the points came from, or the acceptance ratio of each adjacent pair.

        Yields
        ------
        array
            Shape (ntemps or ntemps - 1, nchains, m). There is none with one temperature.
        """


def source_of(given: Any) -> Source:
    """What a sampler or an opened run lets be looked at; a source itself as it is.

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
