"""The parallel tempered chain."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Any, Self

import numpy as np
from numpy.random import BitGenerator
from numpy.typing import ArrayLike, NDArray

from epsie.chain.annealing import (
    DynamicalAnnealer,
    annealer_state,
    as_annealer,
    set_annealer_state,
)
from epsie.chain.base import BaseChain, Segment
from epsie.chain.chain import Chain, NanPolicy
from epsie.chain.learning import Note
from epsie.chain.start import NO_START, as_position, check_names
from epsie.chain.swaps import SwapHistory
from epsie.chain.tempering import as_betas, find_swap_scheme, warn_without_posterior
from epsie.checks import as_count, as_names
from epsie.errors import ProposalError, StepError
from epsie.model import Model, Point, Position
from epsie.proposals.base import BaseProposal
from epsie.proposals.distribution import copied, is_built_in
from epsie.rng import Stream

__all__ = ["DynamicalAnnealer", "ParallelTemperedChain"]


class ParallelTemperedChain(BaseChain):
    """A chain at each of several temperatures, which swap their points now and then.

    At inverse temperature beta a chain samples likelihood**beta times prior. In a `step` all
    temperatures propose, then all are evaluated, then all decide; after every `swap_interval` steps
    a sweep swaps points between adjacent temperatures. A swap exchanges the points alone:
    acceptance and what the proposals learn stay with the temperature (Swendsen & Wang 1986,
    doi:10.1103/PhysRevLett.57.2607; Earl & Deem 2005, doi:10.1039/B509983H).

    All temperatures draw from one stream. With one temperature it is `Chain`, bit for bit.

    Parameters
    ----------
    parameters, model, proposals
        As for `Chain`. Every temperature gets copies of the proposals.
    betas : float or array_like, optional
        Inverse temperatures in [0, 1], in any order.
    swap_interval : int, optional
        The number of steps from one sweep to the next.
    adaptive_annealer : object, optional
        Changes the ladder: called with the chain after every sweep, once set up with
        ``setup_annealing(betas)``. It is copied.
    reset_after_swap : bool, optional
        Whether the proposals of a temperature forget what they learned when its point is swapped.
    bit_generator : BitGenerator, int or None, optional
        The source of random numbers, or a seed.
    chain_id : int, optional
        A number to know it by.
    swap_scheme : {'cascade', 'deo'}, optional
        See `epsie.chain.tempering`.
    nan : {'raise', 'reject'}, optional
        As for `Chain`.

    Raises
    ------
    ValueError
        If a setting is out of its range.
    TypeError
        If the annealer lacks what an annealer needs.
    """

    def __init__(
        self,
        parameters: str | Iterable[str],
        model: Model,
        proposals: BaseProposal | Iterable[BaseProposal],
        betas: ArrayLike = 1.0,
        swap_interval: int = 1,
        adaptive_annealer: Any = None,
        reset_after_swap: bool = False,
        bit_generator: BitGenerator | Stream | int | None = None,
        chain_id: int = 0,
        *,
        swap_scheme: str = "cascade",
        nan: NanPolicy = "raise",
    ) -> None:
        self.parameters = as_names(parameters)
        self.stream = bit_generator if isinstance(bit_generator, Stream) else Stream(bit_generator)
        ladder = as_betas(betas)
        if chain_id == 0:  # once for all chains of a sampler
            warn_without_posterior(ladder)
        parts = (proposals,) if isinstance(proposals, BaseProposal) else tuple(proposals)
        self.chains = [
            Chain(
                self.parameters, model, copy.deepcopy(parts), self.stream, chain_id, beta, nan=nan
            )
            for beta in ladder.tolist()
        ]
        self.chain_id = chain_id
        self.swap_interval = swap_interval
        self.reset_after_swap = reset_after_swap
        self.swap_scheme = swap_scheme
        self.transdimensional = self.chains[0].transdimensional
        self.iteration = self.lastclear = 0
        self.nsweeps = 0
        self.last_annealed = 0
        """The last iteration at whose end the ladder was changed; 0 if it never was."""
        self.swaps = SwapHistory(self.ntemps)
        self.notes = []
        self._movable: NDArray[np.float64] | None = None
        self.adaptive_annealer = copy.deepcopy(as_annealer(adaptive_annealer))
        if adaptive_annealer is not None:
            first = getattr(self.adaptive_annealer, "first_ladder", None)
            if first is not None:
                self.betas = first(self.betas)
            self.adaptive_annealer.setup_annealing(self.betas.copy())

    # ---- the algorithm

    def step(self) -> Self:
        """Step every temperature; sweep if it is time to."""
        chains = self.chains
        chain = chains[0]
        if chain.start is None:
            raise ValueError(NO_START)
        try:
            for chain in chains:
                chain.propose()
            for chain in chains:
                chain.evaluate()
            for chain in chains:
                chain.decide()
        except StepError:
            raise
        except Exception as error:
            # Only here is it known at which temperature a proposal failed.
            raise ProposalError(f"{type(error).__name__}: {error}", chain.where()) from error
        self.iteration += 1
        if self.iteration % self.swap_interval == 0 and len(chains) > 1:
            self.swap_temperatures()
        return self

    def swap_temperatures(self) -> None:
        """Sweep over the adjacent temperatures, and let the annealer move the ladder."""
        points = [chain.point for chain in self.chains]
        logls = [point.logl for point in points]
        betas = [chain.beta for chain in self.chains]
        uniforms = self.stream.uniforms(len(points) - 1)
        sweep = self._scheme(logls, betas, uniforms, self.nsweeps)
        self._move_points(points, sweep.order)
        self.swaps.append(sweep)
        self.nsweeps += 1
        if self.adaptive_annealer is not None:
            self._anneal()

    def _move_points(self, points: Sequence[Point], order: Sequence[int]) -> None:
        for here, (chain, came_from) in enumerate(zip(self.chains, order)):
            if here != came_from:
                chain.take(points[came_from])
                if self._reset_after_swap:
                    chain.reset_proposals()

    def _anneal(self) -> None:
        """Let the annealer move the ladder, by setting `betas` or in place."""
        self._movable = np.array([chain.beta for chain in self.chains])
        try:
            self.adaptive_annealer(self)
            moved = self._movable
        finally:
            self._movable = None
        if moved.tolist() != [chain.beta for chain in self.chains]:
            self.betas = moved

    # ---- settings

    @property
    def model(self) -> Model:
        """The model."""
        return self.chains[0].model

    @model.setter
    def model(self, model: Model) -> None:
        for chain in self.chains:
            chain.model = model

    @property
    def ntemps(self) -> int:
        """The number of temperatures."""
        return len(self.chains)

    @property
    def betas(self) -> NDArray[np.float64]:
        """Inverse temperatures, descending, shape (ntemps,). Settable: the chains get them.

        What it gives is read-only, as the chains would not hear of a change: set it as a whole.
        Only an annealer, while it is called, may change it in place.

        Raises
        ------
        ValueError
            If there are not `ntemps`; if one is repeated or does not lie in [0, 1]; if one would
            leave 0 while the point there has no likelihood (logl = -inf).
        """
        if self._movable is not None:
            return self._movable
        ladder = np.array([chain.beta for chain in self.chains])
        ladder.flags.writeable = False
        return ladder

    @betas.setter
    def betas(self, betas: ArrayLike) -> None:
        ladder = as_betas(betas)
        if len(ladder) != self.ntemps:
            raise ValueError(f"there are {self.ntemps} temperatures; got {len(ladder)} betas")
        hottest = self.chains[-1]
        if ladder[-1] > 0 and hottest.start is not None and hottest.point.logl == -inf:
            raise ValueError(
                f"the hottest beta cannot become {ladder[-1]}: the point at beta = 0 has no "
                "likelihood (logl = -inf), which no other beta allows. Keep 0 in the ladder"
            )
        if ladder.tolist() != [chain.beta for chain in self.chains]:
            self.last_annealed = self.iteration
        for chain, beta in zip(self.chains, ladder.tolist(), strict=True):
            chain.beta = beta
        if self._movable is not None:
            self._movable = ladder

    @property
    def temperatures(self) -> NDArray[np.float64]:
        """Temperatures, ascending, shape (ntemps,); inf for beta = 0."""
        with np.errstate(divide="ignore"):
            return 1 / self.betas

    @property
    def swap_interval(self) -> int:
        """The number of steps from one sweep to the next."""
        return self._swap_interval

    @swap_interval.setter
    def swap_interval(self, swap_interval: int) -> None:
        self._swap_interval = as_count(swap_interval, "swap_interval")

    @property
    def swap_scheme(self) -> str:
        """The name of the swap scheme."""
        return self._swap_scheme

    @swap_scheme.setter
    def swap_scheme(self, swap_scheme: str) -> None:
        self._scheme = find_swap_scheme(swap_scheme)
        self._swap_scheme = swap_scheme

    @property
    def reset_after_swap(self) -> bool:
        """Whether the proposals of a temperature forget what they learned after a swap."""
        return self._reset_after_swap

    @reset_after_swap.setter
    def reset_after_swap(self, reset: bool) -> None:
        if not isinstance(reset, bool | np.bool_):
            raise ValueError(f"reset_after_swap must be a bool; got {reset!r}")
        self._reset_after_swap = bool(reset)

    # ---- start

    @property
    def start(self) -> list[Point] | None:
        """The points it started from, coldest first; None before a start is set."""
        points = [chain.start for chain in self.chains if chain.start is not None]
        return points or None

    def begin(self, points: Sequence[Point]) -> None:
        """Start from a point for each temperature. Drops the history."""
        for chain, point in zip(self.chains, points, strict=True):
            chain.begin(point)
        self.iteration = self.lastclear = self.nsweeps = self.last_annealed = 0
        self.swaps.clear()
        self.notes = []

    def examine_start(self, xs: Sequence[Position]) -> tuple[list[Point | None], list[str]]:
        """The points at start positions, and why they cannot be used, if so."""
        points, problems = [], []
        for chain, x in zip(self.chains, xs, strict=True):
            point, found = chain.examine_start(x)
            points.append(point)
            problems += [f"temperature {len(points) - 1}: {problem}" for problem in found]
        return points, problems

    @property
    def start_position(self) -> dict[str, NDArray[Any]]:
        """Where it started: an array of shape (ntemps,) for each parameter. Settable."""
        return _stacked_dicts([chain.start_position for chain in self.chains])

    @start_position.setter
    def start_position(self, values: Mapping[str, Any]) -> None:
        check_names(values, self.parameters)
        columns = {name: np.atleast_1d(np.asarray(values[name])) for name in self.parameters}
        wrong = [f"{n}: {c.shape}" for n, c in columns.items() if c.shape != (self.ntemps,)]
        if wrong:
            raise ValueError(
                f"start positions must be arrays of shape ({self.ntemps},), one value for each "
                f"temperature; got {', '.join(wrong)}"
            )
        points, problems = self.examine_start(
            [
                as_position({name: columns[name][t] for name in columns}, chain.dtypes)
                for t, chain in enumerate(self.chains)
            ]
        )
        if problems:
            raise ValueError("the chain cannot start: " + "; ".join(problems))
        self.begin([point for point in points if point is not None])

    @property
    def stats0(self) -> dict[str, NDArray[np.float64]]:
        """`logl` and `logp` of the start, arrays of shape (ntemps,). Settable."""
        return _stacked_dicts([chain.stats0 for chain in self.chains])

    @stats0.setter
    def stats0(self, stats: Mapping[str, ArrayLike]) -> None:
        for t, chain in enumerate(self.chains):
            chain.stats0 = {name: float(np.asarray(v)[t]) for name, v in stats.items()}

    @property
    def blob0(self) -> dict[str, NDArray[Any]] | None:
        """The blobs of the start, arrays of shape (ntemps,); None without blobs. Settable."""
        return _stacked_dicts([chain.blob0 for chain in self.chains]) if self.hasblobs else None

    @blob0.setter
    def blob0(self, blobs: Mapping[str, ArrayLike] | None) -> None:
        for t, chain in enumerate(self.chains):
            chain.blob0 = (
                None if blobs is None else {name: np.asarray(v)[t] for name, v in blobs.items()}
            )

    def clear(self) -> None:
        """Drop the history. The present positions become the start."""
        for chain in self.chains:
            chain.clear()
        self.swaps.clear()
        self.lastclear = self.iteration

    def reset_proposals(self) -> None:
        """Let the proposals of all temperatures forget what they learned."""
        for chain in self.chains:
            chain.reset_proposals()

    # ---- what it visited: arrays with a leading axis of temperatures

    @property
    def hasblobs(self) -> bool:
        """Whether the model returns blobs."""
        return self.chains[0].hasblobs

    @property
    def scratchlen(self) -> int:
        """How many rows are allocated for each temperature."""
        return self.chains[0].scratchlen

    @scratchlen.setter
    def scratchlen(self, n: int) -> None:
        for chain in self.chains:
            chain.scratchlen = n

    @property
    def positions(self) -> NDArray[np.void]:
        """Positions since the last clear, shape (ntemps, niterations)."""
        return stack_tables([chain.positions for chain in self.chains])

    @property
    def stats(self) -> NDArray[np.void]:
        """Fields `logl` and `logp`, shape (ntemps, niterations)."""
        return stack_tables([chain.stats for chain in self.chains])

    @property
    def acceptance(self) -> NDArray[np.void]:
        """Fields `acceptance_ratio` and `accepted`, shape (ntemps, niterations)."""
        return stack_tables([chain.acceptance for chain in self.chains])

    @property
    def blobs(self) -> NDArray[np.void] | None:
        """Fields are the blobs' keys, shape (ntemps, niterations). None without blobs."""
        return stack_tables([chain.blobs for chain in self.chains]) if self.hasblobs else None

    @property
    def temperature_swaps(self) -> NDArray[np.int64] | None:
        """For every sweep since the last clear where the points came from.

        Entry t is the index of the temperature whose point moved into t. Shape (ntemps, nsweeps);
        None with one temperature.
        """
        return None if self.ntemps == 1 else self.swaps.orders.T

    @property
    def temperature_acceptance(self) -> NDArray[np.float64] | None:
        """The acceptance ratio of each adjacent pair at every sweep, attempted or not.

        Row j is that of temperatures j and j + 1. Shape (ntemps - 1, nsweeps); None with one
        temperature.
        """
        return None if self.ntemps == 1 else self.swaps.ratios.T

    def __getitem__(self, index: Any) -> dict[str, Any]:
        parts = [chain[index] for chain in self.chains]
        return {table: _stacked_dicts([part[table] for part in parts]) for table in parts[0]}

    @property
    def current_position(self) -> dict[str, NDArray[Any]]:
        """Where it stands, arrays of shape (ntemps,)."""
        return _stacked_dicts([chain.current_position for chain in self.chains])

    @property
    def current_stats(self) -> dict[str, NDArray[np.float64]]:
        """`logl` and `logp` where it stands, arrays of shape (ntemps,)."""
        return _stacked_dicts([chain.current_stats for chain in self.chains])

    @property
    def current_blob(self) -> dict[str, NDArray[Any]] | None:
        """The blobs where it stands, arrays of shape (ntemps,); None without blobs."""
        if not self.hasblobs:
            return None
        return _stacked_dicts([chain.current_blob for chain in self.chains])

    # ---- travelling to a worker and back

    def where(self) -> dict[str, Any]:
        """Where it is, for messages."""
        return {"chain": self.chain_id, "iteration": self.iteration}

    @property
    def is_built_in(self) -> bool:
        """Whether all that it consists of is of this package, the annealer too."""
        annealer = self.adaptive_annealer
        return super().is_built_in and (annealer is None or is_built_in(annealer))

    def leaves(self) -> Iterator[BaseProposal]:
        """All its proposals, those inside others too."""
        for chain in self.chains:
            yield from chain.leaves()

    def reserve(self, niterations: int) -> None:
        """Make room for the rows of so many steps."""
        for chain in self.chains:
            chain.reserve(niterations)

    def shell(self) -> Self:
        """Itself without its history and its model, and sharing all else: to be pickled."""
        twin = copy.copy(self)
        twin.chains = [chain.shell() for chain in self.chains]
        twin.swaps = SwapHistory(self.ntemps)
        twin.notes = []
        return twin

    def detached(self) -> Self:
        """An independent copy without its history and its model."""
        twin = copy.copy(self)
        twin.stream = self.stream.copied()
        twin.chains = [chain.detached(twin.stream) for chain in self.chains]
        twin.swaps = SwapHistory(self.ntemps)
        twin.notes = []
        twin.adaptive_annealer = copy.deepcopy(self.adaptive_annealer)
        return twin

    def segment(self) -> Segment:
        """What it did since it was detached."""
        rows = {"chains": [chain.history.rows() for chain in self.chains]}
        return Segment(self._evolved(), {**rows, "swaps": self.swaps.rows()})

    def attach(self, segment: Segment) -> None:
        """Take over what a detached copy did."""
        self.resume(segment.state)
        for chain, rows in zip(self.chains, segment.rows["chains"], strict=True):
            chain.history.extend(rows)
        self.swaps.extend(segment.rows["swaps"])
        self.notes += segment.notes

    @property
    def learns(self) -> bool:
        """Whether a proposal learns, or a ladder is moved."""
        return self.adaptive_annealer is not None or super().learns

    def note(self) -> Note:
        """How it jumps at each temperature now."""
        notes = [chain.note() for chain in self.chains]
        widths = [width for note in notes for width in note.widths]
        return Note(self.iteration, widths, tuple([chain.beta for chain in self.chains]))

    # ---- state

    @property
    def state(self) -> dict[int, Any]:
        """All that its future depends on, as plain data: the state of each temperature by index.

        Every one has the state of the random numbers, which all share; in that of the coldest is,
        under 'tempering', what belongs to no single temperature.
        """
        states = self._evolved()
        for t in range(1, self.ntemps):
            states[t]["proposal_dist"]["random_state"] = self.stream.state
        return states

    def _evolved(self) -> dict[int, Any]:
        """The state, with that of the random numbers only once."""
        states = {t: chain.evolved() for t, chain in enumerate(self.chains)}
        states[0]["proposal_dist"]["random_state"] = self.stream.state
        states[0]["tempering"] = {
            "nsweeps": self.nsweeps,
            "last_annealed": self.last_annealed,
            "annealer": annealer_state(self.adaptive_annealer),
        }
        return states

    def set_state(self, state: Mapping[Any, Any]) -> None:
        """Go on from a `state`. Drops the history; needs no start position.

        Raises
        ------
        ValueError
            If the state is of other temperatures, parameters or proposals.
        """
        self.check_state(state)
        self.resume(copied(state))
        for chain in self.chains:
            chain.restart()
        self.lastclear = self.iteration
        self.swaps.clear()
        self.notes = []

    def check_state(self, state: Mapping[Any, Any]) -> None:
        """Refuse a state that is not of a chain like this one.

        Raises
        ------
        ValueError
            If the state is of other temperatures, parameters or proposals.
        """
        found = list(state) if isinstance(state, Mapping) else []
        if found != list(range(self.ntemps)):
            raise ValueError(
                f"the state must be of {self.ntemps} temperatures; got one of {len(found)}"
            )
        for t, chain in enumerate(self.chains):
            chain.check_state(state[t])
        if "tempering" not in state[0]:
            raise ValueError("this is no state of a tempered chain: there is no 'tempering' in it")
        if self.adaptive_annealer is None:
            theirs = [state[t]["beta"] for t in range(self.ntemps)]
            if not np.array_equal(theirs, self.betas):
                raise ValueError(
                    f"the state has the betas {theirs}, this chain has {self.betas.tolist()}"
                )

    def resume(self, state: Mapping[Any, Any]) -> None:
        """Take over a state, and keep the history."""
        for t, chain in enumerate(self.chains):
            chain.resume(state[t])
        tempering = state[0]["tempering"]
        self.nsweeps, self.last_annealed = tempering["nsweeps"], tempering["last_annealed"]
        set_annealer_state(self.adaptive_annealer, tempering["annealer"])
        self.iteration = self.chains[0].iteration
        self.chain_id = self.chains[0].chain_id


def stack_tables(tables: Sequence[Any]) -> NDArray[np.void]:
    """Structured arrays as one with a new leading axis; types are widened to a common one."""
    return np.stack(tables).astype(np.result_type(*tables), copy=False)


def _stacked_dicts(values: Sequence[Any]) -> dict[str, NDArray[Any]]:
    return {name: np.array([value[name] for value in values]) for name in values[0]}
