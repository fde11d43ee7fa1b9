"""A sampler as what starts and runs it sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from epsie.execution.executor import Executor
from epsie.execution.utilisation import Utilisation
from epsie.model.evaluation import Position
from epsie.results.source import Source
from epsie.running.saving import Saving
from epsie.running.start_progress import StartProgress
from epsie.storage.rundir.savable import Savable


class Sampler(Savable, Protocol):
    """A sampler of any kind, as far as its chains are started and looked at."""

    annealed: StartProgress | None
    _executor: Executor
    _vectorize: bool | int
    _most: int | None
    _learner: Any
    _saving: Saving | None
    _remarks: tuple[str, ...]
    _starts: Sequence[Sequence[Position]] | None
    _drawn: bool
    _finds: bool
    _is_found: bool

    @property
    def chain_ids(self) -> tuple[int, ...]:
        """The ids of the chains."""

    @property
    def evaluations(self) -> int:
        """The likelihood evaluations since the start."""

    @property
    def state(self) -> dict[int, Any]:
        """All that the chains' future depends on."""

    @property
    def _source(self) -> Source:
        """The whole run, if it is saved in a directory; else what is in memory."""

    def set_state(self, state: Mapping[int, Any]) -> None:
        """Go on from a `state`."""

    def clear(self) -> None:
        """Drop the history."""

    def _faced(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of shape (ntemps, nchains, ...) as users see them."""

    def _unfaced(self, values: NDArray[Any], places: tuple[int, int]) -> NDArray[Any]:
        """The reverse."""

    def _misshapen(self, found: Mapping[str, tuple[int, ...]], meant: tuple[int, ...]) -> str:
        """The error message for start positions of wrong shapes."""

    def _leaves(self) -> list[tuple[Any, ...]]:
        """For each temperature the chains at it."""

    def _fit_to(self, state: Mapping[Any, Any]) -> None:
        """Take over the ladder of a state, if it finds its own."""

    def _use_ladder(self, betas: Sequence[float]) -> None:
        """Make the chains anew for the ladder that was found."""


class RunnableSampler(Sampler, Protocol):
    """A sampler of any kind, as far as it is run."""

    stopped_by: str | None
    _seed_given: bool

    @property
    def utilisation(self) -> Utilisation:
        """The utilisation of the workers."""
