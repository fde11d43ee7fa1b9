"""Jumps with a normal distribution within bounds."""

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
from epsie.proposals.boundaries import Boundaries as Boundaries
from epsie.proposals.boundaries import as_boundaries
from epsie.proposals.bounded import Bounded
from epsie.proposals.truncated_normal import FAR, FLAT, ROOT_2, WIDE
from epsie.proposals.widths import WidthProposal


class BoundedNormal(Bounded, WidthProposal):
    """A normal jump about the present position, truncated so that it stays within bounds.

    The parameters jump independently. A jump takes the same time whatever its width: see
    `epsie.proposals.truncated_normal.draw`.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters.
    boundaries : dict
        The bounds of each parameter, both included: a `Boundaries` or a pair. May be infinite.
    cov : float or array_like, optional
        The variances of the normal distribution before its truncation: one for all or one for each.
        1 if None.
    jump_interval, jump_interval_duration : int, optional
        See `set_jump_interval`.

    Raises
    ------
    ValueError
        If a parameter has no boundaries, they are equal or reversed, or `cov` is not diagonal.
    """

    name = "bounded_normal"

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]],
        cov: ArrayLike | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
    ) -> None:
        super().__init__(parameters, cov, jump_interval, jump_interval_duration)
        self.boundaries = boundaries

    def _confine(self, bounds: Sequence[tuple[float, float]]) -> None:
        self._bounds = [(lower, upper, upper - lower) for lower, upper in bounds]

    def draw(self, x: Position) -> Position:
        """A jump from `x`.

        Raises
        ------
        ValueError
            If `x` is out of bounds.
        """
        y = []
        stream = self.stream
        for here, (lower, upper, extent), width, z in zip(
            x, self._bounds, self.widths, stream.normals(len(x))
        ):
            if not lower <= here <= upper:
                raise self._outside(x)
            if width >= WIDE * extent:
                there = truncated_normal.draw_wide(stream, here, lower, upper, width)
            else:
                there = here + width * z
                while not lower <= there <= upper:
                    there = here + width * stream.normal()
            y.append(there)
        return tuple(y)

    def log_density(self, y: Position, x: Position) -> float:
        """The density of the truncated normal distribution.

        Raises
        ------
        ValueError
            If `x` is out of bounds.
        """
        total = 0.0
        for there, here, (lower, upper, _), width in zip(y, x, self._bounds, self.widths):
            if not lower <= here <= upper:
                raise self._outside(x)
            if not lower <= there <= upper:
                return -inf
            total += truncated_normal.log_density(there - here, lower - here, upper - here, width)
        return total

    def log_hastings(self, x: Position, y: Position) -> float:
        """Log q(x | y) - log q(y | x): of each truncated normal only the mass is left."""
        ratio = 1.0
        for here, there, (lower, upper, extent), width in zip(x, y, self._bounds, self.widths):
            reach = FAR * width
            least, most = lower + reach, upper - reach
            # What did not move, jumps where the bounds are far, or from a flat distribution,
            # cancels exactly. The others lie between 1/2 and 2.
            if least < here < most and least < there < most:
                continue
            if here != there and FLAT * width < extent:
                # In line, as `truncated_normal.mass` has it: calls would be a sixth of the step.
                unit = ROOT_2 * width
                ratio *= (erf((upper - here) / unit) - erf((lower - here) / unit)) / (
                    erf((upper - there) / unit) - erf((lower - there) / unit)
                )
        return log(ratio)

    def _part_of_jump(self, i: int, here: float, there: float, by: float) -> float:
        """The end of a jump of `by` times the width, at the same quantile."""
        lower, upper, _ = self._bounds[i]
        step = truncated_normal.stretched(
            there - here, lower - here, upper - here, self.widths[i], by
        )
        inside: float = min(max(here + step, lower), upper)
        return inside

    def _extents(self) -> list[float]:
        """The distance of the bounds of each parameter."""
        return [extent for _, _, extent in self._bounds]


class AdaptiveBoundedNormal(BoundedNormal, learns=Veitch):
    """A `BoundedNormal` jump whose widths adapt after Veitch et al. (2015).

    See `epsie.proposals.adaptation.learn_veitch` for the arguments. The bounds, which must be
    finite, give the prior's widths.
    """

    name = "adaptive_bounded_normal"

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]],
        adaptation_duration: int,
        start_step: int = 1,
        jump_interval: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(parameters, boundaries, None, jump_interval, adaptation_duration)
        widths = as_boundaries(boundaries, self.parameters, finite=True)
        learn_veitch(self, widths, adaptation_duration, start_step=start_step, **kwargs)


class SSAdaptiveBoundedNormal(BoundedNormal, learns=SiviaSkilling):
    """A `BoundedNormal` jump whose widths adapt after Sivia & Skilling (2006).

    See `epsie.proposals.adaptation.learn_sivia_skilling` for the arguments. By default the standard
    deviation of each parameter is at most the distance of its bounds.
    """

    name = "ss_adaptive_bounded_normal"

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]],
        cov: ArrayLike | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(parameters, boundaries, cov, jump_interval, jump_interval_duration)
        learn_sivia_skilling(self, from_starts=cov is None, **kwargs)


class ATAdaptiveBoundedNormal(BoundedNormal, learns=AndrieuThoms):
    """A `BoundedNormal` jump whose widths adapt after Andrieu & Thoms (2008).

    See `epsie.proposals.adaptation.learn_andrieu_thoms` for the arguments.
    """

    name = "at_adaptive_bounded_normal"

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]],
        adaptation_duration: int | None,
        componentwise: bool = False,
        start_step: int = 1,
        target_rate: float | None = None,
        jump_interval: int = 1,
        start_iteration: int | None = None,
        *,
        cov: ArrayLike | None = None,
        initial_std: ArrayLike | None = None,
    ) -> None:
        super().__init__(parameters, boundaries, None, jump_interval, adaptation_duration)
        scheme = componentwise, start_step, target_rate, start_iteration, cov, initial_std
        learn_andrieu_thoms(self, adaptation_duration, True, *scheme)
