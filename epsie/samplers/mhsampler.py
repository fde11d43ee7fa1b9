"""Many Metropolis-Hastings chains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.random import BitGenerator
from numpy.typing import NDArray

from epsie.chain.chain import Chain
from epsie.chain.chaindata import stack_tables
from epsie.chain.start import as_columns
from epsie.checks import as_count
from epsie.model.evaluation import Model, NanPolicy
from epsie.proposals.base import BaseProposal
from epsie.rng.bit_generators import create_bit_generators
from epsie.samplers.base import BaseSampler


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
        The class of the one proposal for all parameters that have none; `Normal`.
    default_proposal_args : mapping, optional
        Keyword arguments for it.
    seed : int, optional
        The seed of all random numbers; fresh entropy if None.
    pool : object, optional
        Where the chains run: None (this process), a number of processes, an executor, or any
        object with a ``map``.
    bit_generator : str or type, optional
        The kind of bit generator, of numpy or randomgen; `epsie.BIT_GENERATOR` if None.
    nan : {'raise', 'reject'}, optional
        What to do where the model returns NaN or +inf.

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
    ) -> None:
        super().__init__(
            parameters,
            model,
            proposals,
            default_proposal,
            default_proposal_args,
            seed,
            pool,
            bit_generator,
            nan,
        )
        self.create_chains(nchains)

    def create_chains(self, nchains: int) -> None:
        """Make the chains anew.

        Raises
        ------
        ValueError
            If `nchains` is less than 1.
        """
        nchains = as_count(nchains, "nchains")
        sources = create_bit_generators(nchains, self.seed, self.bit_generator)
        self.chains = [
            Chain(self.parameters, self.model, self._own_proposals(), source, i, nan=self.nan)
            for i, source in enumerate(sources)
        ]

    def _starts(self, values: Mapping[str, Any]) -> list[Any]:
        columns = as_columns(values, self.chains[0].dtypes)
        wrong = {n: c.shape for n, c in columns.items() if c.shape != (self.nchains,)}
        if wrong:
            shapes = ", ".join(f"{name}: {shape}" for name, shape in wrong.items())
            raise ValueError(
                f"start positions must be arrays of shape ({self.nchains},), one value for each "
                f"chain; got {shapes}"
            )
        return [[x] for x in zip(*[column.tolist() for column in columns.values()], strict=True)]

    def _stacked(self, table: str) -> NDArray[np.void]:
        self._refuse_before_first_step(table)
        return stack_tables([getattr(chain, table) for chain in self.chains])

    def _gathered(self, values: list[Any]) -> dict[str, NDArray[Any]]:
        return {name: np.array([value[name] for value in values]) for name in values[0]}
