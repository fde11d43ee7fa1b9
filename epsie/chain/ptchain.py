"""The parallel tempered chain."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.random import BitGenerator
from numpy.typing import ArrayLike, NDArray

from epsie.chain.base import BaseChain
from epsie.chain.chain import Chain
from epsie.chain.chaindata import parted, stacked
from epsie.chain.start import NO_START, positions_along
from epsie.chain.state import check_temperatures, resume_all, tempered_state
from epsie.checks import as_count, as_names
from epsie.errors import ProposalError, StepError, said
from epsie.model.evaluation import Model, NanPolicy, Point, Position
from epsie.proposals.base import BaseProposal
from epsie.proposals.joint import as_proposals
from epsie.proposals.prior_draws import parts_at
from epsie.rng.stream import Stream
from epsie.tempering.annealing import as_annealer
from epsie.tempering.dynamical import DynamicalAnnealer as DynamicalAnnealer
from epsie.tempering.ladders import as_betas, as_next_ladder, warn_without_posterior
from epsie.tempering.swaps import SwapHistory
from epsie.tempering.sweeps import find_swap_scheme


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
        See `epsie.tempering.sweeps`.
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
        parts = as_proposals(proposals)
        levels = [(beta, parts_at(beta, parts, model)) for beta in ladder.tolist()]
        self.chains = [
            Chain(self.parameters, model, at, self.stream, chain_id, beta, nan=nan)
            for beta, at in levels
        ]
        self.chain_id = chain_id
        self.swap_interval = swap_interval
        self.reset_after_swap = reset_after_swap
        self.swap_scheme = swap_scheme
        self.transdimensional = self.chains[0].transdimensional
        self.iteration = self.lastclear = self.nsweeps = self.last_annealed = 0
        self.swaps = SwapHistory(self.ntemps)
        self.notes = []
        self._movable: NDArray[np.float64] | None = None
        self.adaptive_annealer = copy.deepcopy(as_annealer(adaptive_annealer))
        if adaptive_annealer is not None:
            if hasattr(self.adaptive_annealer, "first_ladder"):
                self.betas = self.adaptive_annealer.first_ladder(self.betas)
            self.adaptive_annealer.setup_annealing(self.betas.copy())

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
            raise ProposalError(said(error), chain.where()) from error
        self.after_step()
        return self

    def after_step(self) -> None:
        """Sweep if it is time to."""
        self.iteration += 1
        if self.iteration % self.swap_interval == 0 and len(self.chains) > 1:
            self.swap_temperatures()

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

    def clear(self) -> None:
        """Drop the history. The present positions become the start."""
        self._forget()

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

    @property
    def betas(self) -> NDArray[np.float64]:
        """Inverse temperatures, descending, shape (ntemps,). Settable: the chains get them.

        Set it as a whole; only an annealer, while it is called, may change it in place.

        Raises
        ------
        ValueError
            If there are not `ntemps`, one is repeated or not in [0, 1], or one would leave 0 while
            the point there has no likelihood (logl = -inf).
        """
        if self._movable is not None:
            return self._movable
        ladder = np.array([chain.beta for chain in self.chains])
        ladder.flags.writeable = False
        return ladder

    @betas.setter
    def betas(self, betas: ArrayLike) -> None:
        may_leave_prior = self.chains[-1].start is None or self.has_likelihood_at_hottest
        ladder = as_next_ladder(betas, self.ntemps, may_leave_prior)
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
        self._swap_scheme = str(swap_scheme)

    @property
    def reset_after_swap(self) -> bool:
        """Whether the proposals of a temperature forget what they learned after a swap."""
        return self._reset_after_swap

    @reset_after_swap.setter
    def reset_after_swap(self, reset: bool) -> None:
        if not isinstance(reset, bool | np.bool_):
            raise ValueError(f"reset_after_swap must be a bool; got {reset!r}")
        self._reset_after_swap = bool(reset)

    @property
    def by_temperature(self) -> list[Chain]:
        """Its chain at each temperature, coldest first."""
        return self.chains

    @property
    def start(self) -> list[Point] | None:
        """The points it started from, coldest first; None before a start is set."""
        return [chain.start for chain in self.chains if chain.start is not None] or None

    def _shown(self, values: list[Any]) -> Any:
        return stacked(values)

    def _start_positions(self, values: Mapping[str, Any]) -> list[Position]:
        return positions_along(values, self.dtypes, self.ntemps)

    def _parted(self, shown: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        return parted(shown, self.ntemps)

    def shell(self) -> Self:
        """Itself without its history and its model, and sharing all else: to be pickled."""
        return self._holding([chain.shell() for chain in self.chains])

    def detached(self) -> Self:
        """An independent copy without its history and its model."""
        stream = self.stream.copied()
        twin = self._holding([chain.detached(stream) for chain in self.chains])
        twin.stream = stream
        twin.adaptive_annealer = copy.deepcopy(self.adaptive_annealer)
        return twin

    def _holding(self, chains: list[Chain]) -> Self:
        twin = copy.copy(self)
        twin.chains = chains
        twin.swaps = SwapHistory(self.ntemps)
        twin.notes = []
        return twin

    @property
    def state(self) -> dict[int, Any]:
        """All that its future depends on, as plain data: the state of each temperature by index.

        Every one has that of the random numbers; the coldest has, under 'tempering', what belongs
        to no single temperature.
        """
        return tempered_state(self, shared=self.ntemps)

    def evolved(self) -> dict[int, Any]:
        """The state, with that of the random numbers only once."""
        return tempered_state(self, shared=1)

    def check_state(self, state: Mapping[Any, Any]) -> None:
        """Refuse a state that is not of a chain like this one."""
        check_temperatures(self.chains, state, self.adaptive_annealer is not None)

    def resume(self, state: Mapping[Any, Any]) -> None:
        """Take over a state, which is its own from now on, and keep the history."""
        resume_all(self, state)
