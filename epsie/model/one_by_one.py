"""A model of one point, asked about many: a call for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.model.evaluation import REAL, Model, NotFiniteError, Point, Position, evaluate

Array = NDArray[np.float64]


class OneByOne:
    """A model of one point, asked about many in their order, as `Batch` is about all at once.

    Parameters
    ----------
    model : callable
        ``model(**parameters)`` gives ``(logl, logp)``.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def many(self, columns: Mapping[str, NDArray[Any]]) -> tuple[Array, Array, None]:
        """Log likelihoods and log prior densities at points; NaN where they are not finite.

        What the model raises comes as it is.
        """
        model, names = self.model, tuple(columns)
        xs = list(zip(*[column.tolist() for column in columns.values()]))
        answers = [model(**dict(zip(names, x))) for x in xs]
        # Almost always all are pairs of numbers, which takes half the time.
        if {*map(type, answers)} == {tuple} and {*map(len, answers)} == {2}:
            logl, logp = zip(*answers)
            if REAL.issuperset(map(type, logl)) and REAL.issuperset(map(type, logp)):
                return np.array(logl, float), np.array(logp, float), None
        return *_checked(names, xs, answers), None


def _checked(names: Sequence[str], xs: list[Position], answers: list[Any]) -> tuple[Array, Array]:
    """Answers of other forms as arrays, as each is taken alone."""
    found = np.full((2, len(xs)), nan)
    for i, (x, answer) in enumerate(zip(xs, answers)):
        try:
            point = evaluate(_Says(answer), names, x, _WITHOUT_BLOB)
        except NotFiniteError:
            continue
        found[:, i] = point.logl, point.logp
    return found[0], found[1]


_WITHOUT_BLOB = Point((), 0.0, 0.0, None)


class _Says:
    """Gives one answer at any point."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __call__(self, **_: Any) -> Any:
        return self.answer
