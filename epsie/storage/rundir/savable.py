"""A sampler as what saves it sees it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from epsie.chain.part import Part
from epsie.model.evaluation import NanPolicy
from epsie.proposals.base import BaseProposal


class Savable(Protocol):
    """A sampler of any kind, as far as its settings and what it visited are saved."""

    name: str
    seed: int
    bit_generator: Any
    nan: NanPolicy
    proposals: list[BaseProposal]
    chains: list[Any]
    _executor: Any
    _begins: str | None
    _part: Part

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters."""

    @property
    def model(self) -> Any:
        """The model."""

    @property
    def nchains(self) -> int:
        """The number of chains."""

    @property
    def niterations(self) -> int:
        """The number of iterations made."""

    @property
    def lastclear(self) -> int:
        """The iteration of the last clear."""

    @property
    def current_blobs(self) -> dict[str, NDArray[Any]] | None:
        """The blobs where the chains stand; None without blobs."""

    def _described(self) -> dict[str, Any]:
        """The settings of its kind of sampler, beside those of all."""

    def _stacked(self, table: str, rows: slice = ...) -> NDArray[np.void]:
        """Rows of a table of all chains as one array."""

    def _swept(self, start: int, stop: int) -> dict[str, Any]:
        """The sweeps and ladders from one iteration to another."""
