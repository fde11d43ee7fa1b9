"""What a sampler was given: parameters, model, pool, proposals and a seed."""

from __future__ import annotations

import copy
from abc import ABC
from collections.abc import Iterable, Mapping
from typing import Any

from numpy.random import BitGenerator

from epsie.checks import as_count, as_names, given
from epsie.execution.executor import Executor
from epsie.model.evaluation import Model, NanPolicy, as_nan_policy
from epsie.proposals.base import BaseProposal
from epsie.proposals.joint import as_proposals, check_cover
from epsie.proposals.normal import Normal
from epsie.rng.bit_generators import create_seed, find_bit_generator
from epsie.samplers.exclusive import Use, exclusive


class ConfiguredSampler(ABC):
    """Independent chains that share a model and a pool.

    Parameters
    ----------
    parameters : str or iterable of str
        The names of the parameters.
    model : callable
        ``model(**parameters)`` gives ``(logl, logp)`` or ``(logl, logp, blob)``.
    proposals : iterable of BaseProposal or None
        Proposals; copied for every chain.
    default_proposal : type or None
        The class of the proposal for all parameters that have none; `Normal` if None.
    default_proposal_args : mapping or None
        Keyword arguments for it.
    seed : int or None
        The seed of all random numbers; fresh entropy if None.
    pool : object
        Where the chains run: see `epsie.pools.mapper_for`.
    bit_generator : str, type or None
        The kind of bit generator: see `epsie.rng.stream.find_bit_generator`.
    nan : {'raise', 'reject'}
        What a NaN of the model means: see `epsie.chain.Chain`.
    """

    chains: list[Any]
    _use: Use | None = None
    """What runs or changes it now."""

    def __init__(
        self,
        parameters: str | Iterable[str],
        model: Model,
        proposals: BaseProposal | Iterable[BaseProposal] | None,
        default_proposal: type[BaseProposal] | None,
        default_proposal_args: Mapping[str, Any] | None,
        seed: int | None,
        pool: Any,
        bit_generator: str | type[BitGenerator] | None,
        nan: NanPolicy,
    ) -> None:
        self._seed_given = seed is not None
        if callable(parameters) and not callable(model):
            raise TypeError(
                f"the names of the parameters come first, then the model: "
                f"{type(self).__name__}(['x', 'y'], model, nchains); got {given(parameters)} first"
            )
        self.parameters = parameters
        self._executor = Executor(pool, model)
        self.seed = create_seed(None if seed is None else as_count(seed, "seed", least=0))
        self.bit_generator = find_bit_generator(bit_generator)
        self.nan = as_nan_policy(nan)
        self.set_proposals(proposals, default_proposal, default_proposal_args)

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
        return self._executor.model

    @model.setter
    @exclusive
    def model(self, model: Model) -> None:
        self._executor.model = model
        for chain in self.chains:
            chain.model = model

    @property
    def pool(self) -> Any:
        """Where the chains run. Settable: see `epsie.pools.mapper_for`."""
        return self._executor.pool

    @pool.setter
    @exclusive
    def pool(self, pool: Any) -> None:
        self._executor.pool = pool

    def set_proposals(
        self,
        proposals: BaseProposal | Iterable[BaseProposal] | None = None,
        default_proposal: type[BaseProposal] | None = None,
        default_proposal_args: Mapping[str, Any] | None = None,
    ) -> None:
        """Set the proposals that `create_chains` copies for every chain.

        Parameters
        ----------
        proposals, default_proposal, default_proposal_args
            As for the sampler.

        Raises
        ------
        ValueError
            If a proposal is for an unknown parameter, or two are for the same.
        """
        parts = as_proposals(proposals)
        check_cover(self.parameters, parts, partly=True)
        have = {name for part in parts for name in part.parameters}
        missing = [name for name in self.parameters if name not in have]
        self.proposals = list(parts)
        if missing:
            default = Normal if default_proposal is None else default_proposal
            self.proposals.append(default(missing, **(default_proposal_args or {})))

    def _own_proposals(self) -> list[BaseProposal]:
        return [copy.deepcopy(part) for part in self.proposals]
