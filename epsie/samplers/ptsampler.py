"""Many parallel tempered chains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.random import BitGenerator
from numpy.typing import ArrayLike, NDArray

from epsie.chain.ptchain import ParallelTemperedChain
from epsie.checks import as_count
from epsie.model.evaluation import Model, NanPolicy
from epsie.proposals.base import BaseProposal
from epsie.samplers.base import BaseSampler
from epsie.samplers.exclusive import exclusive
from epsie.samplers.finding import PROVISIONAL, check_finds
from epsie.samplers.from_posterior import takes_posterior
from epsie.samplers.resting import rest_between_sweeps
from epsie.samplers.states import hold
from epsie.storage.rundir.ladder import FOUND, ladder_in
from epsie.storage.rundir.manifest import Manifest, annealer_entry
from epsie.storage.rundir.rebuilding import annealer_of


class ParallelTemperedSampler(BaseSampler):
    """Independent parallel tempered chains, stepped in parallel.

    Each worker steps all temperatures of a chain. Arrays have a leading axis of temperatures,
    coldest first: (ntemps, nchains, niterations).

    Parameters
    ----------
    parameters, model, nchains
        As for `MetropolisHastingsSampler`.
    betas : float or array_like, optional
        Inverse temperatures in [0, 1], in any order. If None, which needs a `Posterior`, an
        annealed start finds how many there have to be, from the posterior to the prior, and where.
        Then half of all steps are made at the coldest: the others step before a sweep alone, and
        sweeps are as many iterations apart as there are temperatures above the coldest.
    swap_interval : int, optional
        The number of iterations from one sweep of swaps to the next.
    proposals : BaseProposal or iterable of BaseProposal, optional
        Proposals; every temperature of every chain gets copies of them.
    adaptive_annealer : object, optional
        Moves the ladder; see `epsie.tempering.annealing`. Every chain gets a copy.
    reset_after_swap : bool, optional
        Whether the proposals of a temperature forget what they learned when its point is swapped.
    default_proposal, default_proposal_args, seed, pool, bit_generator, nan, check_workers
        As for `MetropolisHastingsSampler`.
    swap_scheme : {'cascade', 'deo'}, optional
        See `epsie.tempering.sweeps`.
    chains, start, vectorize : optional
        As for `MetropolisHastingsSampler`.

    Raises
    ------
    ValueError
        If a setting is out of its range, or proposals do not fit the parameters.
    TypeError
        If the model cannot be called, or the pool has no ``map``.

    Examples
    --------
    >>> from epsie.samplers import ParallelTemperedSampler
    >>> def model(x):
    ...     return -x * x / 2, 0.0
    >>> sampler = ParallelTemperedSampler("x", model, nchains=2, betas=[1, 0.5, 0.1], seed=1)
    >>> sampler.start_position = {"x": [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]}
    >>> sampler.run(100)
    >>> sampler.positions["x"].shape
    (3, 2, 100)
    """

    name = "parallel_tempered"

    chains: list[ParallelTemperedChain]

    @takes_posterior
    def __init__(
        self,
        parameters: str | Iterable[str],
        model: Model,
        nchains: int,
        betas: ArrayLike | None = None,
        swap_interval: int = 1,
        proposals: BaseProposal | Iterable[BaseProposal] | None = None,
        adaptive_annealer: Any = None,
        reset_after_swap: bool = False,
        default_proposal: type[BaseProposal] | None = None,
        default_proposal_args: Mapping[str, Any] | None = None,
        seed: int | None = None,
        pool: Any = None,
        *,
        swap_scheme: str = "cascade",
        bit_generator: str | type[BitGenerator] | None = None,
        nan: NanPolicy = "raise",
        check_workers: bool = True,
        chains: Iterable[int] | None = None,
        start: str | None = None,
        vectorize: bool | int = False,
    ) -> None:
        default = (default_proposal, default_proposal_args)
        if betas is None:
            check_finds(model, swap_interval, adaptive_annealer, start)
            start, betas, self._finds = "annealed", PROVISIONAL, True
        super().__init__(
            parameters, model, proposals, *default, seed, pool, bit_generator, nan, check_workers,
            chains, start, vectorize,
        )  # fmt: skip
        self._swap_scheme = swap_scheme
        self.create_chains(nchains, betas, swap_interval, adaptive_annealer, reset_after_swap)

    @exclusive
    def create_chains(
        self,
        nchains: int,
        betas: ArrayLike,
        swap_interval: int = 1,
        adaptive_annealer: Any = None,
        reset_after_swap: bool = False,
    ) -> None:
        """Make the chains anew.

        Raises
        ------
        ValueError
            If `nchains` is less than 1, or another setting is out of range.
        """
        ladder = (betas, swap_interval, adaptive_annealer, reset_after_swap)
        self._make_chains(nchains, ladder)

    def _make_chains(self, nchains: int, ladder: tuple[ArrayLike, int, Any, bool]) -> None:
        settings: dict[str, Any] = {"swap_scheme": self._swap_scheme, "nan": self.nan}
        chains = [
            ParallelTemperedChain(
                self.parameters, self.model, proposals, *ladder, source, i, **settings
            )
            for i, proposals, source in self._sources(nchains)
        ]
        hold(self, chains)
        self._first_betas = None if self._finds else self.betas[0]

    def _use_ladder(self, betas: Sequence[float]) -> None:
        """Make the chains anew for the ladder that was found."""
        ladder = (betas, len(betas) - 1, None, self.chains[0].reset_after_swap)
        self._make_chains(self._part.of, ladder)
        for chain in self.chains:
            rest_between_sweeps(chain, len(betas) - 1)
        self._is_found = True

    def _fit_to(self, state: Mapping[Any, Any]) -> None:
        if self._finds and (ladder := ladder_in(state)) is not None:
            self._use_ladder(ladder)

    @property
    def betas(self) -> NDArray[np.float64]:
        """Inverse temperatures, descending, shape (nchains, ntemps).

        Raises
        ------
        ValueError
            If the ladder is not found yet.
        """
        self._refuse_unfound()
        return np.array([chain.betas for chain in self.chains])

    @property
    def temperatures(self) -> NDArray[np.float64]:
        """Temperatures, ascending, shape (nchains, ntemps); inf for beta = 0."""
        self._refuse_unfound()
        return np.array([chain.temperatures for chain in self.chains])

    @property
    def ntemps(self) -> int:
        """The number of temperatures: see `betas`."""
        self._refuse_unfound()
        return self.chains[0].ntemps

    @property
    def swap_interval(self) -> int:
        """The number of iterations from one sweep of swaps to the next. Settable."""
        return self.chains[0].swap_interval

    @swap_interval.setter
    def swap_interval(self, swap_interval: int) -> None:
        swap_interval = as_count(swap_interval, "swap_interval")
        if self._finds:
            raise ValueError("a ladder that is found has its own swap_interval: give betas=")
        for chain in self.chains:
            chain.swap_interval = swap_interval

    @property
    def temperature_swaps(self) -> NDArray[np.int64] | None:
        """For every sweep since the last clear where the points came from.

        Entry t is the index of the temperature whose point moved into t. Shape (ntemps, nchains,
        nsweeps); None with one temperature.
        """
        if self.ntemps == 1:
            return None
        return np.stack([chain.swaps.orders.T for chain in self.chains], axis=1)

    @property
    def temperature_acceptance(self) -> NDArray[np.float64] | None:
        """The acceptance ratio of each adjacent pair at every sweep, attempted or not.

        Row j is that of temperatures j and j + 1. Shape (ntemps - 1, nchains, nsweeps); None with
        one temperature.
        """
        if self.ntemps == 1:
            return None
        return np.stack([chain.swaps.ratios.T for chain in self.chains], axis=1)

    def _refuse_unfound(self) -> None:
        if self._finds and not self._is_found:
            raise ValueError(
                "the ladder of this sampler is not found yet, which its annealed start does: run "
                "it, or give betas="
            )

    def _faced(self, values: NDArray[Any]) -> NDArray[Any]:
        return values

    def _misshapen(self, found: Mapping[str, tuple[int, ...]], meant: tuple[int, ...]) -> str:
        ntemps, nchains = meant
        advice = {
            (nchains, ntemps): "these look transposed: the temperatures come first, so give "
            "values.T",
            (nchains,): "these have one value for each chain: to start all temperatures of a chain "
            f"alike give numpy.tile(values, ({ntemps}, 1))",
            (ntemps,): "these have one value for each temperature: to start all chains alike give "
            f"numpy.tile(values, ({nchains}, 1)).T",
        }
        hints = [f"; {advice[shape]}" for shape in found.values() if shape in advice]
        shapes = ", ".join(f"{name}: {shape}" for name, shape in found.items())
        return (
            f"start positions must be arrays of shape (ntemps, nchains) = {meant}; got {shapes}"
            f"{hints[-1] if hints else ''}"
        )

    def _described(self) -> Manifest:
        first = self.chains[0]
        # What is found is state.
        found = {"ladder": FOUND} if self._finds else {}
        betas = np.array([PROVISIONAL] * self.nchains) if self._finds else self.betas
        return {
            **found,
            "betas": betas,
            "swap_interval": 1 if self._finds else first.swap_interval,
            "swap_scheme": str(first.swap_scheme),
            "reset_after_swap": first.reset_after_swap,
            "annealer": annealer_entry(first.adaptive_annealer),
        }

    @classmethod
    def _remade(cls, manifest: Manifest, annealer: Any, settings: Mapping[str, Any]) -> Self:
        found = "ladder" in manifest
        sampler = cls(
            **settings,
            swap_interval=1 if found else manifest["swap_interval"],
            swap_scheme=manifest["swap_scheme"],
            reset_after_swap=manifest["reset_after_swap"],
            betas=None if found else manifest["betas"][0],
            adaptive_annealer=annealer_of(manifest, annealer),
        )
        for chain, betas in zip(sampler.chains, [] if found else manifest["betas"]):
            chain.betas = betas
        return sampler

    def _swept(self, start: int, stop: int) -> dict[str, Any]:
        n = stop // self.swap_interval - start // self.swap_interval if self.ntemps > 1 else 0
        swaps = [chain.swaps for chain in self.chains]
        return {
            "orders": np.array([of.orders[len(of.orders) - n :] for of in swaps]).astype(np.int16),
            "ratios": np.array([of.ratios[len(of.ratios) - n :] for of in swaps]),
            "ladder_iterations": np.array([stop]),
            "ladders": self.betas[None],
        }
