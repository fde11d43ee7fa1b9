"""A constraint on a prior: which of its draws are allowed, and the share that these are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log, sqrt
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import given
from epsie.logs import logger
from epsie.model.part import arguments_of

DRAWS = 100_000
"""By how many draws the share of the prior that a constraint leaves is counted."""

_LOGGED = 0.1
"""A relative error that is told."""

SEED = 20_000_711
"""Of these draws, so that the density is the same everywhere."""

_TRUTHS = (bool, np.bool_, Integral)

IN_A_DICT = ". A parameter of this name is declared in a dict: Prior({'where': (0, 1)})"
"""What to do if it was not meant."""


class Constraint:
    """A constraint on parameters: those values that a function of them allows.

    Parameters
    ----------
    function : callable
        Called with the parameters that it names; returns whether they are allowed.
    share : float, optional
        The share of the unconstrained prior that is allowed; 1 until it is counted.

    Attributes
    ----------
    needs : tuple of str
        The parameters that it judges.
    """

    def __init__(self, function: Callable[..., Any], share: float = 1.0) -> None:
        self.function = function
        self.share = share
        if not callable(function):
            raise TypeError(
                "where= must be a function of parameters, as lambda x, y: x < y; got "
                f"{given(function)}{IN_A_DICT}"
            )
        self.needs = arguments_of("where", function)

    @property
    def log_share(self) -> float:
        """The natural logarithm of the share that is allowed."""
        return log(self.share)

    @property
    def error(self) -> float:
        """The relative standard error of the share, so that of the evidence."""
        return sqrt((1 - self.share) / (self.share * DRAWS))

    def allows(self, values: Mapping[str, Any]) -> bool:
        """Whether values are allowed.

        Raises
        ------
        TypeError
            If the function gives no truth value.
        """
        answer = self.function(**{name: values[name] for name in self.needs})
        if isinstance(answer, _TRUTHS):
            return bool(answer)
        raise TypeError(f"where= must return True or False; got {given(answer)}")

    def allowed(self, rows: Sequence[Mapping[str, Any]]) -> NDArray[np.bool_]:
        """Whether each of many is allowed."""
        return np.array([self.allows(row) for row in rows], dtype=bool)

    def count(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Count the share by draws of the unconstrained prior.

        Raises
        ------
        ValueError
            If none is allowed.
        """
        share = float(self.allowed(rows).mean())
        if share == 0:
            raise ValueError(
                f"no draw of {len(rows):,} from the prior satisfies where=; give bounds between "
                "which it can be satisfied"
            )
        self.share = share
        if self.error > _LOGGED:
            logger.warning(
                "where= is satisfied by %d of %d draws from the prior, so that the density is "
                "known to %.0f %% only: give bounds that fit it more closely",
                round(share * len(rows)), len(rows), 100 * self.error,
            )  # fmt: skip
