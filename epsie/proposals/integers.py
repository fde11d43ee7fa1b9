"""Normal jumps rounded to integers, and the masses they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil, copysign, erf, exp, floor, inf, log, log1p, pi, sqrt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from epsie.model.evaluation import Position
from epsie.proposals.base import as_number
from epsie.proposals.widths import WidthProposal
from epsie.rng.stream import Stream

Limits: TypeAlias = tuple[float, float, bool]
"""The least and the greatest value of a parameter, and whether a value may succeed itself."""

LEAST_STD = 1e-300
"""Stands for all smaller ones, zero included, so that nothing is divided by zero."""

_WIDE = sqrt(2 * pi)
"""In an interval of fewer standard deviations than this, a uniform jump is accepted more often."""

_LOG_ROOT_2PI = 0.5 * log(2 * pi)
ROOT_HALF = sqrt(0.5)


class IntegerProposal(WidthProposal):
    """A proposal whose parameters are integers.

    `successive` says for each of them how a jump t of the underlying normal distribution becomes
    one of integers: True rounds it, to floor(t + 1/2), so that a value may succeed itself; False
    rounds it away from zero, so that none does.
    """

    discrete = True

    stays: tuple[bool, ...] = ()
    """The values of `successive` in the order of the parameters."""

    def __init__(
        self,
        parameters: str | Iterable[str],
        cov: ArrayLike | None = None,
        successive: Mapping[str, bool] | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
    ) -> None:
        super().__init__(parameters, cov, jump_interval, jump_interval_duration)
        self.successive = successive

    @property
    def successive(self) -> dict[str, bool]:
        """Whether a parameter's value may succeed itself. Settable; None: for no parameter.

        Raises
        ------
        ValueError
            If a parameter is missing, or something is not a bool.
        """
        return dict(zip(self.parameters, self.stays, strict=True))

    @successive.setter
    def successive(self, successive: Mapping[str, bool] | None) -> None:
        self._let_stay(as_bools(successive, self.parameters))

    def _let_stay(self, stays: tuple[bool, ...]) -> None:
        self.stays = stays

    def _position(self, values: Mapping[str, Any]) -> Position:
        """Its part of a position, as a tuple of ints; halves are rounded up."""
        known = [name for name in self.parameters if name in values]
        return super()._position({name: rounded(values[name], name) for name in known})

    def _part_of_jump(self, i: int, here: float, there: float, by: float) -> float:
        """The end of a jump of the i-th parameter that is `by` times as long."""
        step, stays = there - here, self.stays[i]
        return here + whole_step(by * whole_middle(step, stays), step, stays)


def as_bools(successive: Mapping[str, bool] | None, names: tuple[str, ...]) -> tuple[bool, ...]:
    """The values of `successive` in the order of the parameters; None: all False.

    Raises
    ------
    ValueError
        If a parameter is missing, or something is not a bool.
    """
    if successive is None:
        return (False,) * len(names)
    if not isinstance(successive, Mapping):
        raise ValueError(
            f"successive must be a dict, and all dictionary values must be bools; got "
            f"{successive!r}. For instance use {dict.fromkeys(names, True)}"
        )
    wrong = {k: v for k, v in successive.items() if not isinstance(v, bool | np.bool_)}
    if wrong:
        raise ValueError(f"successive: all dictionary values must be bools; got {wrong}")
    missing = [name for name in names if name not in successive]
    if missing:
        raise ValueError(
            f"must provide `successive` for each parameter, True if a value may succeed itself; "
            f"missing: {', '.join(missing)}"
        )
    return tuple([bool(successive[name]) for name in names])


def rounded(value: Any, name: str) -> float:
    """The nearest integer, halves up; NaN, for absent, stays.

    Raises
    ------
    ValueError
        If it is infinite.
    """
    number = as_number(value)
    if abs(number) == inf:
        raise ValueError(f"{name} must be an integer; got {value!r}")
    if number != number or value.__class__ is int:
        return value  # type: ignore[no-any-return]
    return floor(number + 0.5)


def whole_step(step: float, sign: float, stays: bool) -> int:
    """The jump of an integer that a jump of a real number makes.

    Parameters
    ----------
    step : float
        The jump of the real number.
    sign : float
        A number with its sign, also if the jump is so small that it vanishes.
    stays : bool
        Whether it may be zero.
    """
    if stays:
        return floor(step + 0.5)
    size = ceil(abs(step)) or 1
    return size if sign > 0 else -size


def whole_middle(step: float, stays: bool) -> float:
    """The middle of those jumps of a real number that make this jump of an integer."""
    return step if stays else copysign(abs(step) - 0.5, step)


def outwards(lower: float, upper: float) -> tuple[float, float]:
    """The integers at the bounds, or next to them on their outer sides; infinite ones stay."""
    return (
        lower if lower == -inf else floor(lower),
        upper if upper == inf else ceil(upper),
    )


def draw_within(stream: Stream, here: float, std: float, limits: Limits) -> float:
    """The end of a jump, by rejection from what is nearer: a normal or a uniform jump.

    Either is accepted with a probability of 0.49 or more, whatever the width.
    """
    lower, upper, stays = limits
    low, high = (lower - here - 0.5, upper - here + 0.5) if stays else (lower - here, upper - here)
    if high - low > _WIDE * std:
        while True:
            z = stream.normal()
            there = here + whole_step(std * z, z, stays)
            if lower <= there <= upper:
                return there
    uniform, extent = stream.uniform, high - low
    while True:
        step = low + extent * uniform()
        z = step / std
        if uniform() < exp(-0.5 * z * z):
            there = here + whole_step(step, step, stays)
            if lower <= there <= upper:
                return there


def log_step_mass(step: float, std: float, stays: bool) -> float:
    """The log of the probability that a normal jump becomes this jump of an integer."""
    size = abs(step)
    if stays:
        return log_normal_mass(size - 0.5, size + 0.5, std)
    return log_normal_mass(size - 1, size, std) if size else -inf


def log_normal_mass(low: float, high: float, std: float) -> float:
    """The log of the mass that a normal distribution about zero has in an interval.

    Parameters
    ----------
    low, high : float
        The interval; `low` is at least 0, or minus `high`.
    std : float
        The standard deviation.
    """
    std = max(std, LEAST_STD)
    if low < 0:
        return log(erf(high / std * ROOT_HALF))
    width, middle = (high - low) / std, 0.5 * (low + high) / std
    if width * (1 + middle) < 0.02:
        # Differences would cancel; the next term of this series is below 1e-15.
        m2, w2 = middle * middle, width * width
        curvature = w2 * (m2 - 1) / 24 + w2 * w2 * (m2 * m2 - 6 * m2 + 3) / 1920
        return log(width) - 0.5 * m2 - _LOG_ROOT_2PI + log1p(curvature)
    from scipy.special import log_ndtr

    above = float(log_ndtr(-low / std))
    if above == -inf:
        return -inf
    return above + log1p(-exp(float(log_ndtr(-high / std)) - above))
