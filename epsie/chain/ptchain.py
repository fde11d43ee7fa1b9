"""The parallel tempered chain."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Any, Self

import numpy as np
from numpy.random import BitGenerator
from numpy.typing import ArrayLike, NDArray

from epsie.chain.chain import Chain
from epsie.chain.ptsaved import SavedTemperedChain
from epsie.chain.start import NO_START
from epsie.checks import as_count, as_names
from epsie.errors import ProposalError, StepError
from epsie.model.evaluation import Model, NanPolicy, Point
from epsie.proposals.base import BaseProposal
from epsie.proposals.distribution import is_built_in
from epsie.proposals.joint import as_proposals
from epsie.rng.stream import Stream
from epsie.tempering.annealing import DynamicalAnnealer, as_annealer
from epsie.tempering.ladders import as_betas, warn_without_posterior
from epsie.tempering.swaps import SwapHistory
from epsie.tempering.sweeps import find_swap_scheme

__all__ = ["DynamicalAnnealer", "ParallelTemperedChain"]


class ParallelTemperedChain(SavedTemperedChain):
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
        See `epsie.tempering.ladders`.
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
        self.iteration = self.lastclear = self.nsweeps = self.last_annealed = 0
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

    def reset_proposals(self) -> None:
        """Let the proposals of all temperatures forget what they learned."""
        for chain in self.chains:
            chain.reset_proposals()

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

    @property
    def learns(self) -> bool:
        """Whether a proposal learns, or a ladder is moved."""
        return self.adaptive_annealer is not None or super().learns

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
