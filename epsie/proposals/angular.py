"""Jumps of angles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import remainder, tau
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
from epsie.proposals.boundaries import Boundaries
from epsie.proposals.truncated_normal import WIDE
from epsie.proposals.turn import Bounds, as_turns, outside, wrapped
from epsie.proposals.widths import WidthProposal


class Angular(WidthProposal):
    """A jump of angles around the circle: in radians and in [0, 2 pi), unless `bounds` says else.

    It has a normal distribution about the present position, truncated at half a turn to either side
    and wrapped: jumps land in the domain of the angle. The parameters jump independently. It is
    symmetric, as its density depends on the distance along the circle alone.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters.
    cov : float or array_like, optional
        The variances of the normal distribution before its truncation, in the unit of the angle:
        one for all or one for each. If None the standard deviation is the period over 2 pi, one
        radian.
    jump_interval, jump_interval_duration : int, optional
        See `set_jump_interval`.
    bounds : (float, float) or dict, optional
        The domain, that of the model's prior: a pair for all angles, or one for each in a dict. Its
        width is the period; the upper bound, which is the lower one again, does not belong to it.
        As (-pi, pi), or (0, 360) for degrees. A start outside is refused.

    Raises
    ------
    ValueError
        If `cov` is not diagonal, or `bounds` are no finite intervals.
    """

    name = "angular"
    symmetric = True

    def __init__(
        self,
        parameters: str | Iterable[str],
        cov: ArrayLike | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
        *,
        bounds: Bounds = None,
    ) -> None:
        super().__init__(parameters, cov, jump_interval, jump_interval_duration)
        self.bounds = bounds
        if cov is None:
            self.widths = tuple([period / tau for period in self._extents()])

    @property
    def bounds(self) -> dict[str, Boundaries]:
        """The domain of each angle. Settable with all that the constructor takes."""
        return {
            name: Boundaries(turn[:2])
            for name, turn in zip(self.parameters, self._turns, strict=True)
        }

    @bounds.setter
    def bounds(self, bounds: Bounds) -> None:
        turns = as_turns(bounds, self.parameters, "bounds").values()
        self._turns = [(lower, upper, (upper - lower) / 2) for lower, upper in turns]

    def draw(self, x: Position) -> Position:
        """A jump from `x`."""
        y = []
        for here, width, (lower, upper, half), z in zip(
            x, self.widths, self._turns, self.stream.normals(len(x))
        ):
            step = width * z
            if width >= WIDE * 2 * half or not -half <= step <= half:
                step = truncated_normal.draw(self.stream, -half, half, width)
            there = here + step
            y.append(there if lower <= there < upper else wrapped(there, lower, upper))
        return tuple(y)

    def log_density(self, y: Position, x: Position) -> float:
        """The density of the truncated normal distribution at the distance along the circle."""
        total = 0.0
        for there, here, width, (_, _, half) in zip(y, x, self.widths, self._turns):
            # An exact, odd function of the difference: symmetric to the last bit.
            step = remainder(there - here, 2 * half)
            total += truncated_normal.log_density(step, -half, half, width)
        return total

    def _refusal(self, x: Position) -> str | None:
        """The reason why no jump can be made from `x`; None if one can."""
        return outside(self.parameters, x, self._turns, "bounds")

    def periods(self) -> dict[str, float]:
        """The period of each parameter: the width of its domain."""
        return dict(zip(self.parameters, self._extents(), strict=True))

    def _nearest(self, i: int, values: Sequence[float], to: float) -> Sequence[float]:
        """Values of the i-th parameter, in the turns that are nearest to `to`."""
        half = self._turns[i][2]
        return [
            value if -half <= value - to <= half else to + remainder(value - to, 2 * half)
            for value in values
        ]

    def _part_of_jump(self, i: int, here: float, there: float, by: float) -> float:
        """The end of a jump of `by` times the width, at the same quantile."""
        lower, upper, half = self._turns[i]
        step = remainder(there - here, 2 * half)
        step = truncated_normal.stretched(step, -half, half, self.widths[i], by)
        return wrapped(here + step, lower, upper)

    def _extents(self) -> list[float]:
        """The periods."""
        return [upper - lower for lower, upper, _ in self._turns]


class AdaptiveAngular(Angular, learns=Veitch):
    """An `Angular` jump whose widths adapt after Veitch et al. (2015).

    See `epsie.proposals.adaptation.learn_veitch` for the arguments. The width of the prior is the
    period.
    """

    name = "adaptive_angular"

    def __init__(
        self,
        parameters: str | Iterable[str],
        adaptation_duration: int,
        jump_interval: int = 1,
        start_step: int = 1,
        *,
        bounds: Bounds = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(parameters, None, jump_interval, adaptation_duration, bounds=bounds)
        learn_veitch(self, self.periods(), adaptation_duration, start_step=start_step, **kwargs)


class SSAdaptiveAngular(Angular, learns=SiviaSkilling):
    """An `Angular` jump whose widths adapt after Sivia & Skilling (2006).

    See `epsie.proposals.adaptation.learn_sivia_skilling` for the arguments. By default the standard
    deviation of each parameter is at most the period.
    """

    name = "ss_adaptive_angular"

    def __init__(
        self,
        parameters: str | Iterable[str],
        cov: ArrayLike | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
        *,
        bounds: Bounds = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(parameters, cov, jump_interval, jump_interval_duration, bounds=bounds)
        learn_sivia_skilling(self, from_starts=cov is None, **kwargs)


class ATAdaptiveAngular(Angular, learns=AndrieuThoms):
    """An `Angular` jump whose widths adapt after Andrieu & Thoms (2008).

    See `epsie.proposals.adaptation.learn_andrieu_thoms` for the arguments.
    """

    name = "at_adaptive_angular"

    def __init__(
        self,
        parameters: str | Iterable[str],
        adaptation_duration: int | None,
        componentwise: bool = False,
        start_step: int = 1,
        target_rate: float | None = None,
        jump_interval: int = 1,
        start_iteration: int | None = None,
        *,
        bounds: Bounds = None,
        cov: ArrayLike | None = None,
        initial_std: ArrayLike | None = None,
    ) -> None:
        super().__init__(parameters, None, jump_interval, adaptation_duration, bounds=bounds)
        scheme = componentwise, start_step, target_rate, start_iteration, cov, initial_std
        learn_andrieu_thoms(self, adaptation_duration, True, *scheme)
