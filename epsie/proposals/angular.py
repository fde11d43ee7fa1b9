"""Jumps of angles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import pi, remainder, tau
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
from epsie.proposals.truncated_normal import WIDE
from epsie.proposals.widths import WidthProposal


class Angular(WidthProposal):
    """A jump of angles, in radians, around the circle.

    It has a normal distribution about the present position, truncated at half a turn to either side
    and wrapped: jumps land in [0, 2 pi). The parameters jump independently. It is symmetric, as its
    density depends on the distance along the circle alone.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters. A start may lie in any turn; after a jump it is in [0, 2 pi).
    cov : float or array_like, optional
        The variances of the normal distribution before its truncation, in rad^2: one for all or one
        for each. 1 if None.
    jump_interval, jump_interval_duration : int, optional
        See `set_jump_interval`.

    Raises
    ------
    ValueError
        If `cov` is not diagonal.
    """

    name = "angular"
    symmetric = True

    def draw(self, x: Position) -> Position:
        """A jump from `x`."""
        y = []
        for here, width, z in zip(x, self.widths, self.stream.normals(len(x))):
            step = width * z
            if width >= WIDE * tau or not -pi <= step <= pi:
                step = truncated_normal.draw(self.stream, -pi, pi, width)
            there = (here + step) % tau
            # A small negative angle rounds to 2 pi itself, which is 0.
            y.append(there if there < tau else 0.0)
        return tuple(y)

    def log_density(self, y: Position, x: Position) -> float:
        """The density of the truncated normal distribution at the distance along the circle."""
        total = 0.0
        for there, here, width in zip(y, x, self.widths):
            # An exact, odd function of the difference: symmetric to the last bit.
            total += truncated_normal.log_density(remainder(there - here, tau), -pi, pi, width)
        return total

    def periods(self) -> dict[str, float]:
        """The period of each parameter: 2 pi."""
        return dict.fromkeys(self.parameters, tau)

    def _nearest(self, values: Sequence[float], to: float) -> Sequence[float]:
        """Values of one parameter, in the turns that are nearest to `to`."""
        return [
            value if -pi <= value - to <= pi else to + remainder(value - to, tau)
            for value in values
        ]

    def _part_of_jump(self, i: int, here: float, there: float, by: float) -> float:
        """The end of a jump of `by` times the width, at the same quantile."""
        step = remainder(there - here, tau)
        there = (here + truncated_normal.stretched(step, -pi, pi, self.widths[i], by)) % tau
        return there if there < tau else 0.0

    def _extents(self) -> list[float]:
        """A turn for each parameter."""
        return [tau] * self.ndim


class AdaptiveAngular(Angular, learns=Veitch):
    """An `Angular` jump that learns as `epsie.proposals.adaptation.learn_veitch` has it.

    The width of the prior is 2 pi.
    """

    name = "adaptive_angular"

    def __init__(
        self,
        parameters: str | Iterable[str],
        adaptation_duration: int,
        jump_interval: int = 1,
        start_step: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(parameters, None, jump_interval, adaptation_duration)
        widths = dict.fromkeys(self.parameters, tau)
        learn_veitch(self, widths, adaptation_duration, start_step=start_step, **kwargs)


class SSAdaptiveAngular(Angular, learns=SiviaSkilling):
    """An `Angular` jump that learns as `epsie.proposals.adaptation.learn_sivia_skilling` has it.

    By default the standard deviation of each parameter is at most 2 pi.
    """

    name = "ss_adaptive_angular"

    def __init__(
        self,
        parameters: str | Iterable[str],
        cov: ArrayLike | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(parameters, cov, jump_interval, jump_interval_duration)
        learn_sivia_skilling(self, **kwargs)


class ATAdaptiveAngular(Angular, learns=AndrieuThoms):
    """An `Angular` jump that learns as `epsie.proposals.adaptation.learn_andrieu_thoms` has it."""

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
    ) -> None:
        super().__init__(parameters, None, jump_interval, adaptation_duration)
        scheme = componentwise, start_step, target_rate, start_iteration
        learn_andrieu_thoms(self, adaptation_duration, True, *scheme)
