"""Independent draws from the prior."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from epsie.model.batch import bare
from epsie.model.evaluation import Model, Position
from epsie.model.posterior import Posterior
from epsie.model.prior import Prior
from epsie.proposals.base import BaseProposal
from epsie.proposals.distribution import as_number

_BLOCK = 32
"""The number of draws that are made at once; those that are not used yet are state."""


class PriorDraws(BaseProposal):
    """A jump to a draw from the prior, wherever the chain stands.

    At inverse temperature 0 each is accepted, so that the samples are independent.

    Parameters
    ----------
    prior : Prior
        The prior. It belongs to the model, with which it travels: see `_meet`.
    """

    name = "prior_draws"
    evolving = ("positions",)

    positions: list[Position]
    """The positions that were drawn and not yet given."""

    _prior: Prior | None

    def __init__(self, prior: Prior) -> None:
        self.parameters = prior.parameters
        self._prior = prior
        kinds = prior.kinds
        self._types: Mapping[str, type] = {
            name: int if kinds[name] == "integer" else float for name in self.parameters
        }
        self.positions = []

    def _meet(self, model: Model) -> None:
        model = bare(model)
        if not isinstance(model, Posterior) or model.parameters != self.parameters:
            raise TypeError(
                "at beta = 0 the chain draws from the prior of its Posterior, so that another "
                f"model must be a Posterior of {', '.join(self.parameters)}, too; got {model!r}"
            )
        self._prior = model.prior

    def _position(self, values: Mapping[str, Any]) -> Position:
        return tuple([as_number(values[name], kind is int) for name, kind in self._types.items()])

    def _dtypes(self) -> dict[str, type]:
        return dict(self._types)

    def draw(self, x: Position) -> Position:
        """A draw from the prior."""
        if not self.positions:
            assert self._prior is not None
            drawn = self._prior.draw(self.stream.generator, _BLOCK)
            columns = [drawn[name].tolist() for name in self.parameters]
            self.positions = list(zip(*columns, strict=True))
        return self.positions.pop()

    def log_density(self, y: Position, x: Position) -> float:
        """The density of the prior at `y`."""
        assert self._prior is not None
        return self._prior.log_density(dict(zip(self.parameters, y, strict=True)))

    def __getstate__(self) -> dict[str, Any]:
        # The prior travels with the model, once to each worker.
        return {**self.__dict__, "_prior": None, "_arguments": ((), {})}


def parts_at(beta: float, parts: Iterable[BaseProposal], model: Model) -> Iterable[BaseProposal]:
    """Proposals for an inverse temperature: copies, or at 0 draws from the prior if it is known."""
    if beta == 0 and isinstance(model, Posterior):
        return (PriorDraws(model.prior),)
    return copy.deepcopy(parts)
