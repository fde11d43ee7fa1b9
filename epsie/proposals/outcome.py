"""The outcome of a step: all that a proposal learns from."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from epsie.model.evaluation import Point, Position


class VirtualMove(NamedTuple):
    """A position that is evaluated only for a proposal to learn from."""

    parameters: tuple[str, ...]
    x: Position
    log_hastings: float


def _nowhere() -> Point:
    """The point of a chain that has not started."""
    return Point((), nan, nan, None)


@dataclass(slots=True)
class Outcome:
    """The decision on a step. A chain has one, and fills it anew at each step.

    Parameters
    ----------
    point : Point
        Where the chain stands after it.
    proposed : Point or None
        What was proposed; None if all proposals rested.
    accepted : bool
        Whether it was accepted.
    acceptance_ratio : float
        The probability with which it was to be accepted; NaN if all proposals rested.
    virtual : mapping
        By the parameters of a proposal the acceptance ratios of its virtual moves.
    beta : float
        The inverse temperature at which it was decided.
    """

    point: Point = field(default_factory=_nowhere)
    proposed: Point | None = None
    accepted: bool = False
    acceptance_ratio: float = 0.0
    virtual: Mapping[tuple[str, ...], Sequence[float]] = field(default_factory=dict)
    beta: float = 1.0

    def __reduce__(self) -> tuple[type[Outcome], tuple[Any, ...]]:
        # Less than what dataclasses do. No one asks for the virtual moves of a former step.
        return Outcome, (self.point, self.proposed, self.accepted, self.acceptance_ratio)

    def copied(self) -> Outcome:
        """Another one, for a copy of the chain."""
        return Outcome(self.point, self.proposed, self.accepted, self.acceptance_ratio)

    def ratios_of_parts(self, parameters: tuple[str, ...]) -> Sequence[float]:
        """The acceptance ratios of each part of a jump alone.

        If none was evaluated, that of all: the jump of a single parameter has no other part.
        """
        return self.virtual.get(parameters, (self.acceptance_ratio,))


class Outcomes(NamedTuple):
    """The decisions on a step of many chains, as arrays.

    Parameters
    ----------
    x : array
        Where they stand after it. Shape (n, d).
    proposed : array
        What was proposed. Shape (n, d).
    logl, logp : array
        What the model said of that. Shape (n,).
    accepted : array of bool
        Whether it was accepted.
    ratio : array
        The probability with which it was to be accepted; NaN where no jump was made.
    """

    x: NDArray[np.float64]
    proposed: NDArray[np.float64]
    logl: NDArray[np.float64]
    logp: NDArray[np.float64]
    accepted: NDArray[np.bool_]
    ratio: NDArray[np.float64]


def rejected(outcome: Outcome, chain: Any) -> tuple[Outcome, Any]:
    """An outcome and the chain for a proposal whose jump could not be made: it was rejected."""
    seen = copy.copy(chain)
    seen.outcome = replace(outcome, accepted=False, acceptance_ratio=0.0)
    return seen.outcome, seen
