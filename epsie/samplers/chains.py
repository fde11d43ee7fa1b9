"""Many chains as one: where they started, where they stand, and what they visited, as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.adaptation_history import AdaptationHistory, adaptation_history
from epsie.chain.chaindata import stack_tables
from epsie.chain.part import Part
from epsie.checks import as_count, as_names
from epsie.execution.executor import Executor
from epsie.model.batch import bare
from epsie.model.evaluation import Model, NanPolicy, Position
from epsie.proposals.base import BaseProposal
from epsie.results.diagnosable import Diagnosable
from epsie.results.source import Source
from epsie.running.annealed_start import evaluations_of
from epsie.running.attaching import give_model
from epsie.running.saving import Saving
from epsie.running.start_progress import StartProgress
from epsie.running.starts import Drawable, begin_as_drawn, begin_as_given
from epsie.samplers.exclusive import Use, exclusive
from epsie.samplers.learner import Learner
from epsie.samplers.memory import Memory
from epsie.samplers.states import sampler_state, set_sampler_state
from epsie.shown import sampler_facts, shown, shown_in_html
from epsie.storage.rundir.manifest import Manifest
from epsie.storage.rundir.source import DirectorySource


class Chains(Diagnosable):
    """Independent chains that share a model and a pool, as one: starts, states, and records.

    Inside all arrays have a leading axis of temperatures, coldest first, or of walkers. Which axes
    users see is for each kind of sampler to say.
    """

    name: str = ""
    seed: int
    bit_generator: Any
    nan: NanPolicy
    proposals: list[BaseProposal]
    chains: list[Any]
    _part: Part
    _executor: Executor
    _use: Use | None = None  # A run or a change, that a thread makes of it now.
    _begins: str | None = None
    """The way it finds its starts if none are set: 'annealed', or None for draws from a prior."""
    annealed: StartProgress | None = None
    """Its annealed start, on its way or done."""
    _learner: Learner | None = None
    """What has learned from all chains together; None if each learns alone, or none does."""
    _finds, _is_found = False, False  # Its ladder of temperatures.
    _vectorize: bool | int = False
    _most: int | None = None  # Evaluations, of the present run.
    _starts: Sequence[Sequence[Position]] | None = None  # Of all chains of the run, if known.
    _drawn = False  # Whether they are draws from the prior of a posterior.
    _remarks: tuple[str, ...] = ()  # On its starts.
    _saving: Saving | None = None
    """The settings by which its runs are saved; None if they are not."""

    @property
    def _source(self) -> Source:
        """The whole run, if it is saved in a directory; else what is in memory."""
        return Memory(self) if self._saving is None else DirectorySource(self._saving.directory)

    def __repr__(self) -> str:
        return shown(self, sampler_facts)

    def _repr_html_(self) -> str:
        return shown_in_html(self, sampler_facts)

    def _faced(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values of shape (ntemps, nchains, ...) as users see them."""
        raise NotImplementedError

    def _unfaced(self, values: NDArray[Any], places: tuple[int, int]) -> NDArray[Any]:
        """The reverse: values that a user gave, of shape (ntemps, nchains)."""
        return values.reshape(places)

    def _misshapen(self, found: Mapping[str, tuple[int, ...]], meant: tuple[int, ...]) -> str:
        """The error message for start positions of wrong shapes."""
        raise NotImplementedError

    def _described(self) -> Manifest:
        """The settings of this kind of sampler, beside those of all."""
        raise NotImplementedError

    def _swept(self, start: int, stop: int) -> dict[str, Any]:
        """The sweeps and ladders from one iteration to another, to be saved."""
        raise NotImplementedError

    def _fit_to(self, state: Mapping[Any, Any]) -> None:
        """Take over the ladder of a state; only of samplers that find theirs."""
        raise NotImplementedError

    def _use_ladder(self, betas: Sequence[float]) -> None:
        """Make the chains anew for a ladder that was found; only of samplers that find theirs."""
        raise NotImplementedError

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return self._parameters

    @parameters.setter
    def parameters(self, parameters: str | Iterable[str]) -> None:
        self._parameters = as_names(parameters)

    @property
    def model(self) -> Model:
        """The model. It is frozen when assigned: to change it, assign it again.

        The next `run` first asks it about where the chains stand.

        Raises
        ------
        TypeError
            If it cannot be called, or not be sent to the pool's workers.
        """
        model: Model = bare(self._executor.model)
        return model

    @model.setter
    @exclusive
    def model(self, model: Model) -> None:
        give_model(self, model)

    @property
    def nchains(self) -> int:
        """The number of chains; of a part of a run, of those that it holds."""
        return len(self.chains)

    @property
    def chain_ids(self) -> tuple[int, ...]:
        """The ids of the chains, under which they are in `state`."""
        return tuple([chain.chain_id for chain in self.chains])

    @property
    def niterations(self) -> int:
        """The number of iterations made, those before a clear or a resume included."""
        return int(self.chains[0].iteration)

    @property
    def evaluations(self) -> int:
        """The likelihood evaluations since the start, also an annealed one: see `Chain`."""
        return evaluations_of(self)

    @property
    def lastclear(self) -> int:
        """The iteration of the last clear."""
        return int(self.chains[0].lastclear)

    @property
    def start_position(self) -> dict[str, NDArray[Any]]:
        """The start positions of the chains; after a clear, those where they stood.

        Set it with a dict of arrays, one value for each chain (of a part of a run for all chains of
        the run). The model is evaluated at all of them, in the pool.

        Raises
        ------
        ValueError
            If it is not set; if parameters are missing, unknown or of another shape; or if starts
            lie outside of the prior, have no likelihood, or the model gives NaN: all are listed.
        """
        return self._gathered("start_position")

    @start_position.setter
    @exclusive
    def start_position(self, values: Mapping[str, Any]) -> None:
        begin_as_given(self, values)

    @exclusive
    def draw_start(self, prior: Drawable, tries: int = 1000) -> None:
        """Draw `start_position` from the prior, anew where the model refuses it; all or none.

        The same seed gives the same starts. Every temperature draws its own.

        Parameters
        ----------
        prior : Prior or mapping or callable
            A `Prior`, or a dict of what it takes; or ``prior(rng)``, which with a numpy generator
            gives a dict with a value for each parameter.
        tries : int, optional
            How often to draw at most for each chain and temperature.

        Raises
        ------
        ValueError
            If the prior gives other parameters, or so many draws were refused.
        ModelError
            If the model fails.
        """
        begin_as_drawn(self, prior, as_count(tries, "tries"))

    @exclusive
    def clear(self) -> None:
        """Drop the history. The present positions become the start; results do not change."""
        for chain in self.chains:
            chain.clear()

    @property
    def state(self) -> dict[int, Any]:
        """All that the chains' future depends on: by id, and 'shared' what they share, if anything.

        Raises
        ------
        ValueError
            If no start is set.
        """
        return sampler_state(self)

    @exclusive
    def set_state(self, state: Mapping[int, Any]) -> None:
        """Go on from a `state`. Drops the history; needs no start position.

        No state knows the model that it is of: the next `run` first asks the model anew about where
        the chains stand. Of the same model the samples are what they would have been.

        Raises
        ------
        ValueError
            If the state is of another number of chains, or of other parameters or proposals.
        """
        set_sampler_state(self, state)

    @property
    def positions(self) -> NDArray[np.void]:
        """Positions since the last clear: fields are the parameters, shape (nchains, niterations).

        Raises
        ------
        ValueError
            Before the first step.
        """
        return self._stacked("positions")

    @property
    def stats(self) -> NDArray[np.void]:
        """Fields `logl` and `logp`, shape (nchains, niterations)."""
        return self._stacked("stats")

    @property
    def acceptance(self) -> NDArray[np.void]:
        """Fields `acceptance_ratio` (NaN if no jump was made) and `accepted`."""
        return self._stacked("acceptance")

    @property
    def blobs(self) -> NDArray[np.void] | None:
        """Fields are the blobs' keys, shape (nchains, niterations). None without blobs."""
        return self._stacked("blobs") if self._may_have_blobs else None

    @property
    def _may_have_blobs(self) -> bool:
        return self.chains[0].start is None or self.chains[0].hasblobs

    def _stacked(self, table: str, rows: slice = slice(None)) -> NDArray[np.void]:
        """Rows of a table of all chains as one array."""
        if self.niterations == 0:
            raise ValueError(f"there are no {table} yet: run the sampler first")
        leaves = self._leaves()
        stacked = stack_tables([getattr(leaf, table)[rows] for row in leaves for leaf in row])
        return self._faced(stacked.reshape(len(leaves), self.nchains, -1))

    def _leaves(self) -> list[tuple[Any, ...]]:
        """For each temperature the chains at it; for each walker those of all ensembles."""
        return list(zip(*[chain.by_temperature for chain in self.chains], strict=True))

    @property
    def adaptation_history(self) -> AdaptationHistory:
        """Jump widths and ladders since the start or a resume, where they were noted."""
        return adaptation_history(self.chains)

    @property
    def current_positions(self) -> dict[str, NDArray[Any]]:
        """The present positions of the chains."""
        return self._gathered("current_position")

    @property
    def current_stats(self) -> dict[str, NDArray[np.float64]]:
        """`logl` and `logp` where the chains stand."""
        return self._gathered("current_stats")

    @property
    def current_blobs(self) -> dict[str, NDArray[Any]] | None:
        """The blobs where the chains stand; None without blobs."""
        return self._gathered("current_blob") if self._may_have_blobs else None

    def _gathered(self, what: str) -> dict[str, NDArray[Any]]:
        """A dict of every chain as one dict of arrays."""
        found = [[getattr(leaf, what) for leaf in row] for row in self._leaves()]
        return {
            name: self._faced(np.array([[values[name] for values in row] for row in found]))
            for name in found[0][0]
        }
