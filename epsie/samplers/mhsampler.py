"""Many Metropolis-Hastings chains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from numpy.random import BitGenerator
from numpy.typing import NDArray

from epsie.chain.chain import Chain
from epsie.errors import RunDirectoryError
from epsie.model.evaluation import Model, NanPolicy
from epsie.proposals.base import BaseProposal
from epsie.samplers.base import BaseSampler
from epsie.samplers.exclusive import exclusive
from epsie.samplers.from_posterior import takes_posterior
from epsie.samplers.states import hold
from epsie.storage.rundir.manifest import Manifest


class MetropolisHastingsSampler(BaseSampler):
    """Independent Metropolis-Hastings chains, stepped in parallel.

    The same seed, model, settings and start give the same samples bit for bit, on any pool and
    however the run is split.

    Parameters
    ----------
    parameters : str or iterable of str
        The names of the parameters.
    model : callable
        ``model(**parameters)`` gives ``(logl, logp)`` or ``(logl, logp, blob)``: the natural
        logarithms of likelihood and prior density, and a dict of whatever else is to be kept.
    nchains : int
        The number of chains, at least 1.
    proposals : BaseProposal or iterable of BaseProposal, optional
        Proposals; every chain gets copies of them.
    default_proposal : type, optional
        The class of the one proposal for all parameters that have none. By default they are learned
        together by `Learned`; of a `Posterior` what is no real number or angle has one by its kind.
    default_proposal_args : mapping, optional
        Keyword arguments for it; those of `Normal` where there is no class.
    seed : int, optional
        The seed of all random numbers; fresh entropy if None.
    pool : object, optional
        Where the chains run: None (this process), a number of processes, an executor, or any
        object with a ``map``.
    bit_generator : str or type, optional
        The kind of bit generator, of numpy or randomgen; `epsie.BIT_GENERATOR` if None.
    nan : {'raise', 'reject'}, optional
        What to do where the model returns NaN or +inf.
    check_workers : bool, optional
        Whether the first answer of a pool's workers is compared with that of this process, which
        costs one evaluation here. Other last bits warn; what differs more is an error.
    chains : iterable of int, optional
        The ids, from 0 to ``nchains - 1``, of those chains that are made; all if None. They are the
        same as among all: start positions are given, or drawn, for all `nchains`.
    start : {'annealed'}, optional
        How to start from a `Posterior` if no start is set; by default at draws from its prior.
    vectorize : bool or int, optional
        Whether the model takes many points at once, as arrays, and how many: by default one for
        each chain and temperature, at most 512. Each call has exactly so many, and the chains of
        one call step together in one worker.

    Raises
    ------
    ValueError
        If `nchains` is less than 1, or proposals do not fit the parameters.
    TypeError
        If the model cannot be called, or the pool has no ``map``.

    Examples
    --------
    >>> from epsie.samplers import MetropolisHastingsSampler
    >>> def model(x):
    ...     return -x * x / 2, 0.0
    >>> sampler = MetropolisHastingsSampler("x", model, nchains=4, seed=1)
    >>> sampler.start_position = {"x": [-1.0, 0.0, 1.0, 2.0]}
    >>> sampler.run(100)
    >>> sampler.positions["x"].shape
    (4, 100)
    """

    name = "metropolis_hastings"

    chains: list[Chain]

    @takes_posterior
    def __init__(
        self,
        parameters: str | Iterable[str],
        model: Model,
        nchains: int,
        proposals: BaseProposal | Iterable[BaseProposal] | None = None,
        default_proposal: type[BaseProposal] | None = None,
        default_proposal_args: Mapping[str, Any] | None = None,
        seed: int | None = None,
        pool: Any = None,
        *,
        bit_generator: str | type[BitGenerator] | None = None,
        nan: NanPolicy = "raise",
        check_workers: bool = True,
        chains: Iterable[int] | None = None,
        start: str | None = None,
        vectorize: bool | int = False,
    ) -> None:
        default = (default_proposal, default_proposal_args)
        super().__init__(
            parameters, model, proposals, *default, seed, pool, bit_generator, nan, check_workers,
            chains, start, vectorize,
        )  # fmt: skip
        self.create_chains(nchains)

    @exclusive
    def create_chains(self, nchains: int) -> None:
        """Make the chains anew.

        Raises
        ------
        ValueError
            If `nchains` is less than 1.
        """
        chains = [
            Chain(self.parameters, self.model, proposals, source, i, nan=self.nan)
            for i, proposals, source in self._sources(nchains)
        ]
        hold(self, chains)

    def _faced(self, values: NDArray[Any]) -> NDArray[Any]:
        (coldest,) = values
        return coldest  # type: ignore[no-any-return]

    def _misshapen(self, found: Mapping[str, tuple[int, ...]], meant: tuple[int, ...]) -> str:
        shapes = ", ".join(f"{name}: {shape}" for name, shape in found.items())
        return (
            f"start positions must be arrays of shape {meant}, one value for each chain; "
            f"got {shapes}"
        )

    def _described(self) -> Manifest:
        return {}

    @classmethod
    def _remade(cls, manifest: Manifest, annealer: Any, settings: Mapping[str, Any]) -> Self:
        if annealer is not None:
            raise RunDirectoryError("the run is not tempered; it has no annealer")
        return cls(**settings)

    def _swept(self, start: int, stop: int) -> dict[str, Any]:
        return {}
