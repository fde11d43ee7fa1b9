"""Jumps of integers between bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import erf, inf, log
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from epsie.model.evaluation import Position
from epsie.proposals import truncated_normal
from epsie.proposals.adaptation.widths import (
    SiviaSkilling,
    learn_andrieu_thoms,
    learn_sivia_skilling,
    learn_veitch,
)
from epsie.proposals.base import VirtualMove
from epsie.proposals.boundaries import Boundaries, as_boundaries, within
from epsie.proposals.integers import (
    LEAST_STD,
    ROOT_HALF,
    IntegerProposal,
    Limits,
    as_bools,
    draw_within,
    log_step_mass,
    outwards,
    whole_middle,
    whole_step,
)
from epsie.proposals.truncated_normal import FAR


class BoundedDiscrete(IntegerProposal):
    """A normal jump about the present integer, rounded to integers and truncated to bounds.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters.
    boundaries : dict
        For each parameter the least and the greatest value, both allowed: a `Boundaries` or a
        pair. A lower one that is no integer is rounded down, an upper one up.
    cov, successive, jump_interval, jump_interval_duration
        As `epsie.proposals.discrete.NormalDiscrete` takes them.

    Raises
    ------
    ValueError
        If `boundaries` or `successive` lacks a parameter or has a wrong value; if `cov` has another
        shape, or is negative; if bounds leave a single value to a parameter that may not stay.
    """

    name = "bounded_discrete"
    symmetric = False

    _limits: tuple[Limits, ...] = ()
    _edges: tuple[tuple[float, float], ...] = ()

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]],
        cov: ArrayLike | None = None,
        successive: Mapping[str, bool] | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
    ) -> None:
        self.parameters = parameters
        self.stays = as_bools(successive, self.parameters)
        self.boundaries = boundaries
        self.cov = cov
        self.set_jump_interval(jump_interval, jump_interval_duration)

    @property
    def boundaries(self) -> dict[str, Boundaries]:
        """The least and the greatest value of each parameter: a copy, settable as a whole."""
        # Not through the constructor, which would make floats of them.
        bounds = [tuple.__new__(Boundaries, limits[:2]) for limits in self._limits]
        return dict(zip(self.parameters, bounds, strict=True))

    @boundaries.setter
    def boundaries(self, boundaries: Mapping[str, Iterable[float]]) -> None:
        found = as_boundaries(boundaries, self.parameters)
        self._limit([outwards(*bounds) for bounds in found.values()], self.stays)

    def _let_stay(self, stays: tuple[bool, ...]) -> None:
        self._limit([limits[:2] for limits in self._limits], stays)

    def _limit(self, bounds: Iterable[tuple[float, float]], stays: tuple[bool, ...]) -> None:
        """Keep all that follows from the bounds and from whether a value may stay."""
        limits = tuple([(*pair, may_stay) for pair, may_stay in zip(bounds, stays)])
        for name, (lower, upper, may_stay) in zip(self.parameters, limits, strict=True):
            if lower == upper and not may_stay:
                raise ValueError(
                    f"the boundaries of {name!r} leave {lower!r} as its only value, from which "
                    "there is no jump to another one: widen them, or let it stay, with "
                    f"successive={{{name!r}: True}}"
                )
        self._limits, self.stays = limits, stays
        # The normal jumps that become one to an allowed integer end half a unit beyond the bounds
        # if rounded to the nearest integer, and at the bounds if rounded away from zero.
        self._edges = tuple(
            [(lower - 0.5 * stays, upper + 0.5 * stays) for lower, upper, stays in limits]
        )

    def __contains__(self, point: Mapping[str, Any]) -> bool:
        return within(point, self.boundaries)

    # ---- jumps

    def draw(self, x: Position) -> Position:
        """A jump from `x`."""
        y = []
        normals = self.stream.normals(len(x))
        for here, width, z, limits in zip(x, self.widths, normals, self._limits):
            lower, upper, stays = limits
            if not lower <= here <= upper:
                raise self._outside(x)
            if width > upper - lower or not (
                lower <= (there := here + whole_step(width * z, z, stays)) <= upper
            ):
                there = draw_within(self.stream, here, width, limits)
            y.append(there)
        return tuple(y)

    def log_density(self, y: Position, x: Position) -> float:
        """The log mass of the jump: that without bounds, over that of all within them."""
        if not self._within(x):
            raise self._outside(x)
        if not self._within(y):
            return -inf
        total = 0.0
        for there, here, width, stays, (low, high) in zip(
            y, x, self.widths, self.stays, self._edges, strict=True
        ):
            total += log_step_mass(there - here, width, stays)
            per = ROOT_HALF / max(width, LEAST_STD)
            total -= log(0.5 * (erf((high - here) * per) - erf((low - here) * per)))
        return total

    def log_hastings(self, x: Position, y: Position) -> float:
        """Log q(x | y) - log q(y | x): what the bounds leave of all jumps from `x` and `y`."""
        # Each factor lies between 1/2 and 2: no underflow, however narrow or wide the jumps.
        ratio = 1.0
        for here, there, width, (low, high) in zip(x, y, self.widths, self._edges):
            reach = FAR * width
            least, most = low + reach, high - reach
            if least < here < most and least < there < most:
                continue  # where the bounds are far, the factor is 1 exactly
            if here != there:
                per = ROOT_HALF / (width if width > LEAST_STD else LEAST_STD)
                ratio *= (erf((high - here) * per) - erf((low - here) * per)) / (
                    erf((high - there) * per) - erf((low - there) * per)
                )
        return log(ratio)

    def virtual_moves(self, x: Position, y: Position) -> list[VirtualMove]:
        """The positions it wants to learn from, beside the jump from `x` to `y`."""
        if self.adaptation is None:
            return []
        # Others stay where one moves. If they may not, there is no density, also of a subclass.
        return [
            VirtualMove(self.parameters, z, BoundedDiscrete.log_hastings(self, x, z))
            for z in self.adaptation.virtual(self, x, y)
        ]

    def parts_of_jump(self, x: Position, y: Position, by: float) -> list[Position]:
        """The positions to which each part of a jump alone leads, if it is `by` times as long."""
        parts = []
        for i, (here, width, (low, high)) in enumerate(zip(x, self.widths, self._edges)):
            lower, upper, stays = self._limits[i]
            step = whole_middle(y[i] - here, stays)
            stretched = truncated_normal.stretched(step, low - here, high - here, width, by)
            there = here + whole_step(stretched, step, stays)
            parts.append((*x[:i], min(max(there, lower), upper), *x[i + 1 :]))
        return parts

    def _within(self, x: Position) -> bool:
        return all(lower <= at <= upper for at, (lower, upper, _) in zip(x, self._limits))

    def refusal(self, x: Position) -> str | None:
        """Why no jump can be made from `x`; None if one can."""
        inside = [low <= value <= high for value, (low, high, _) in zip(x, self._limits)]
        return None if all(inside) else str(self._outside(x))

    def _outside(self, x: Position) -> ValueError:
        found = [
            f"{name} = {value!r} not in [{lower!r}, {upper!r}]"
            for name, value, (lower, upper, _) in zip(self.parameters, x, self._limits, strict=True)
            if not lower <= value <= upper
        ]
        return ValueError(
            f"Given point is out of bounds: {', '.join(found)}; start within, or widen them"
        )


class AdaptiveBoundedDiscrete(BoundedDiscrete):
    """Jumps of integers between bounds that learn as `epsie.proposals.adaptation.Veitch` has it.

    The boundaries are the widths of its priors.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters.
    boundaries, successive
        As `BoundedDiscrete` takes them; bounds must be finite, and hold more than one integer.
    adaptation_duration : int
        For how many jumps to learn.
    jump_interval : int, optional
        Jump at every so many-th iteration while it learns.
    **kwargs
        `start_step`, `adaptation_decay`, `target_rate`, `initial_std`: see
        `epsie.proposals.adaptation.learn_veitch`.
    """

    name = "adaptive_bounded_discrete"

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]],
        adaptation_duration: int,
        successive: Mapping[str, bool] | None = None,
        jump_interval: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            parameters, boundaries, None, successive, jump_interval, adaptation_duration
        )
        widths = as_boundaries(self.boundaries, self.parameters, finite=True)
        learn_veitch(self, widths, adaptation_duration, **kwargs)


class SSAdaptiveBoundedDiscrete(BoundedDiscrete):
    """Jumps of integers between bounds, with `epsie.proposals.adaptation.SiviaSkilling`.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters.
    boundaries, cov, successive, jump_interval, jump_interval_duration
        As `BoundedDiscrete` takes them; `cov` is what to start from.
    **kwargs
        `target_rate`, `max_cov`: see `epsie.proposals.adaptation.learn_sivia_skilling`. By default
        the standard deviation of each parameter is at most the distance of its bounds.
    """

    name = "ss_adaptive_bounded_discrete"

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]],
        cov: ArrayLike | None = None,
        successive: Mapping[str, bool] | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            parameters, boundaries, cov, successive, jump_interval, jump_interval_duration
        )
        learn_sivia_skilling(self, **kwargs)
        if kwargs.get("max_cov") is None:
            scheme = self.adaptation
            assert isinstance(scheme, SiviaSkilling)
            scheme.max_std = np.array([float(upper - lower) for lower, upper, _ in self._limits])


class ATAdaptiveBoundedDiscrete(BoundedDiscrete):
    """Jumps of integers between bounds, with `epsie.proposals.adaptation.AndrieuThoms`.

    What it learns is the standard deviation of the normal jump before it is rounded and truncated.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters.
    boundaries, successive
        As `BoundedDiscrete` takes them.
    adaptation_duration, componentwise, start_step, target_rate, jump_interval, start_iteration
        See `epsie.proposals.discrete.ATAdaptiveNormalDiscrete`.
    """

    name = "at_adaptive_bounded_discrete"

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]],
        adaptation_duration: int | None,
        successive: Mapping[str, bool] | None = None,
        componentwise: bool = False,
        start_step: int = 1,
        target_rate: float | None = None,
        jump_interval: int = 1,
        start_iteration: int | None = None,
    ) -> None:
        super().__init__(
            parameters, boundaries, None, successive, jump_interval, adaptation_duration
        )
        learn_andrieu_thoms(
            self, adaptation_duration, True, componentwise, start_step, target_rate, start_iteration
        )
