"""Jumps of integers between bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import erf, inf, log
from typing import Any

from numpy.typing import ArrayLike

from epsie.model.evaluation import Position
from epsie.proposals import truncated_normal
from epsie.proposals.adaptation.andrieu_thoms import AndrieuThoms, learn_andrieu_thoms
from epsie.proposals.adaptation.widths import (
    SiviaSkilling,
    Veitch,
    learn_sivia_skilling,
    learn_veitch,
)
from epsie.proposals.boundaries import as_boundaries
from epsie.proposals.bounded import Bounded
from epsie.proposals.integers import (
    LEAST_STD,
    ROOT_HALF,
    IntegerProposal,
    Limits,
    draw_within,
    log_step_mass,
    outwards,
    whole_middle,
    whole_step,
)
from epsie.proposals.outcome import VirtualMove
from epsie.proposals.truncated_normal import FAR


class BoundedDiscrete(Bounded, IntegerProposal):
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

    _bounds: tuple[Limits, ...] = ()
    _edges: tuple[tuple[float, float], ...] = ()
    """Between which values the normal jump of each parameter, not yet rounded, must end."""

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]],
        cov: ArrayLike | None = None,
        successive: Mapping[str, bool] | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
    ) -> None:
        super().__init__(parameters, cov, successive, jump_interval, jump_interval_duration)
        self.boundaries = boundaries

    def _confine(self, bounds: Sequence[tuple[float, float]]) -> None:
        self._limit([outwards(*pair) for pair in bounds], self.stays)

    def _let_stay(self, stays: tuple[bool, ...]) -> None:
        self._limit([limits[:2] for limits in self._bounds], stays)

    def _limit(self, bounds: Iterable[tuple[float, float]], stays: tuple[bool, ...]) -> None:
        """Keep all that follows from the bounds and from whether a value may stay."""
        limits = tuple([(*pair, may_stay) for pair, may_stay in zip(bounds, stays)])
        for name, (lower, upper, may_stay) in zip(self.parameters, limits):
            if lower == upper and not may_stay:
                raise ValueError(
                    f"the boundaries of {name!r} leave {lower!r} as its only value, from which "
                    "there is no jump to another one: widen them, or let it stay, with "
                    f"successive={{{name!r}: True}}"
                )
        self._bounds, self.stays = limits, stays
        # The normal jumps that become one to an allowed integer end half a unit beyond the bounds
        # if rounded to the nearest integer, and at the bounds if rounded away from zero.
        self._edges = tuple(
            [(lower - 0.5 * stays, upper + 0.5 * stays) for lower, upper, stays in limits]
        )

    def draw(self, x: Position) -> Position:
        """A jump from `x`."""
        y = []
        normals = self.stream.normals(len(x))
        for here, width, z, limits in zip(x, self.widths, normals, self._bounds):
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
        if self._refusal(x):
            raise self._outside(x)
        if self._refusal(y):
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

    def _virtual_moves(self, x: Position, y: Position) -> list[VirtualMove]:
        """The positions it wants to learn from, beside the jump from `x` to `y`."""
        if self.adaptation is None:
            return []
        # Others stay where one moves. If they may not, there is no density, also of a subclass.
        return [
            VirtualMove(self.parameters, z, BoundedDiscrete.log_hastings(self, x, z))
            for z in self.adaptation.virtual(self, x, y)
        ]

    def _part_of_jump(self, i: int, here: float, there: float, by: float) -> float:
        """The end of a jump of `by` times the width, at the same quantile."""
        (lower, upper, stays), (low, high) = self._bounds[i], self._edges[i]
        step = whole_middle(there - here, stays)
        stretched = truncated_normal.stretched(step, low - here, high - here, self.widths[i], by)
        return min(max(here + whole_step(stretched, step, stays), lower), upper)

    def _extents(self) -> list[float]:
        """The distance of the bounds of each parameter."""
        return [float(upper - lower) for lower, upper, _ in self._bounds]


class AdaptiveBoundedDiscrete(BoundedDiscrete, learns=Veitch):
    """A `BoundedDiscrete` jump whose widths adapt after Veitch et al. (2015).

    See `epsie.proposals.adaptation.learn_veitch` for the arguments. The bounds, which must be
    finite and hold more than one integer, give the prior's widths.
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
        interval = jump_interval, adaptation_duration
        super().__init__(parameters, boundaries, None, successive, *interval)
        widths = as_boundaries(self.boundaries, self.parameters, finite=True)
        learn_veitch(self, widths, adaptation_duration, **kwargs)


class SSAdaptiveBoundedDiscrete(BoundedDiscrete, learns=SiviaSkilling):
    """A `BoundedDiscrete` jump whose widths adapt after Sivia & Skilling (2006).

    See `epsie.proposals.adaptation.learn_sivia_skilling` for the arguments. By default the standard
    deviation of each parameter is at most the distance of its bounds.
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
        interval = jump_interval, jump_interval_duration
        super().__init__(parameters, boundaries, cov, successive, *interval)
        learn_sivia_skilling(self, from_starts=cov is None, **kwargs)


class ATAdaptiveBoundedDiscrete(BoundedDiscrete, learns=AndrieuThoms):
    """A `BoundedDiscrete` jump whose widths adapt after Andrieu & Thoms (2008).

    See `epsie.proposals.adaptation.learn_andrieu_thoms` for the arguments. What it learns is the
    standard deviation of the normal jump before it is rounded and truncated.
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
        *,
        cov: ArrayLike | None = None,
        initial_std: ArrayLike | None = None,
    ) -> None:
        interval = jump_interval, adaptation_duration
        super().__init__(parameters, boundaries, None, successive, *interval)
        scheme = componentwise, start_step, target_rate, start_iteration, cov, initial_std
        learn_andrieu_thoms(self, adaptation_duration, True, *scheme)
