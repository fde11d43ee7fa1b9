"""Jumps with a normal distribution within bounds."""

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
from epsie.proposals.boundaries import Boundaries, as_boundaries, within
from epsie.proposals.truncated_normal import FAR, FLAT, ROOT_2, WIDE
from epsie.proposals.widths import WidthProposal


class BoundedNormal(WidthProposal):
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
    symmetric = False

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]],
        cov: ArrayLike | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
    ) -> None:
        self.parameters = parameters
        self.boundaries = boundaries
        self.cov = cov
        self.set_jump_interval(jump_interval, jump_interval_duration)

    @property
    def boundaries(self) -> dict[str, Boundaries]:
        """The bounds of each parameter: a copy, settable as a whole."""
        bounds = (Boundaries((lower, upper)) for lower, upper, _ in self._intervals)
        return dict(zip(self.parameters, bounds, strict=True))

    @boundaries.setter
    def boundaries(self, boundaries: Mapping[str, Iterable[float]]) -> None:
        found = as_boundaries(boundaries, self.parameters, apart=True)
        self._intervals = [(*bounds, abs(bounds)) for bounds in found.values()]

    def __contains__(self, point: Mapping[str, float]) -> bool:
        return within(point, self.boundaries)

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
            x, self._intervals, self.widths, stream.normals(len(x))
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
        for there, here, (lower, upper, _), width in zip(y, x, self._intervals, self.widths):
            if not lower <= here <= upper:
                raise self._outside(x)
            if not lower <= there <= upper:
                return -inf
            total += truncated_normal.log_density(there - here, lower - here, upper - here, width)
        return total

    def log_hastings(self, x: Position, y: Position) -> float:
        """Log q(x | y) - log q(y | x): of each truncated normal only the mass is left."""
        ratio = 1.0
        for here, there, (lower, upper, extent), width in zip(x, y, self._intervals, self.widths):
            reach = FAR * width
            least, most = lower + reach, upper - reach
            # What did not move, jumps where the bounds are far, or from a flat distribution,
            # cancels exactly. The others lie between 1/2 and 2.
            if least < here < most and least < there < most:
                continue
            if here != there and FLAT * width < extent:
                unit = ROOT_2 * width
                ratio *= (erf((upper - here) / unit) - erf((lower - here) / unit)) / (
                    erf((upper - there) / unit) - erf((lower - there) / unit)
                )
        return log(ratio)

    def parts_of_jump(self, x: Position, y: Position, by: float) -> list[Position]:
        """The positions to which each part of a jump of `by` times the widths would lead alone."""
        parts = []
        for i, (here, (lower, upper, _)) in enumerate(zip(x, self._intervals, strict=True)):
            step = truncated_normal.stretched(
                y[i] - here, lower - here, upper - here, self.widths[i], by
            )
            there = min(max(here + step, lower), upper)
            parts.append((*x[:i], there, *x[i + 1 :]))
        return parts

    def refusal(self, x: Position) -> str | None:
        """Why no jump can be made from `x`; None if one can."""
        inside = [low <= value <= high for value, (low, high, _) in zip(x, self._intervals)]
        return None if all(inside) else str(self._outside(x))

    def _outside(self, x: Position) -> ValueError:
        bounds = self.boundaries
        found = [
            f"{name} = {value!r} not in [{bounds[name].lower!r}, {bounds[name].upper!r}]"
            for name, value in zip(self.parameters, x, strict=True)
            if value not in bounds[name]
        ]
        return ValueError(
            f"Given point is out of bounds: {', '.join(found)}; start within the bounds, or widen "
            "`boundaries`"
        )


class AdaptiveBoundedNormal(BoundedNormal):
    """A bounded normal jump that learns as `epsie.proposals.adaptation.Veitch` has it.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters.
    boundaries : dict
        The bounds of each parameter, both included and finite: they give the prior's widths.
    adaptation_duration : int
        For how many jumps to learn.
    start_step : int, optional
        The jump, counted from 1, at which learning begins.
    jump_interval : int, optional
        Jump at every so many-th iteration while it learns.
    **kwargs
        `adaptation_decay`, `target_rate`, `initial_std`: see
        `epsie.proposals.adaptation.learn_veitch`.
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


class SSAdaptiveBoundedNormal(BoundedNormal):
    """A bounded normal jump that learns as `epsie.proposals.adaptation.SiviaSkilling` has it.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters.
    boundaries, cov, jump_interval, jump_interval_duration
        As `BoundedNormal` takes them; `cov` is what to start from.
    **kwargs
        `target_rate`, `max_cov`: see `epsie.proposals.adaptation.learn_sivia_skilling`. By default
        the standard deviation of each parameter is at most the distance of its bounds.
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
        learn_sivia_skilling(self, **kwargs)
        if kwargs.get("max_cov") is None:
            scheme = self.adaptation
            assert isinstance(scheme, SiviaSkilling)
            scheme.max_std = np.array([extent for _, _, extent in self._intervals])


class ATAdaptiveBoundedNormal(BoundedNormal):
    """A bounded normal jump that learns as `epsie.proposals.adaptation.AndrieuThoms` has it.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters.
    boundaries : dict
        The bounds of each parameter, as `BoundedNormal` takes them.
    adaptation_duration, componentwise, start_step, target_rate, start_iteration
        See `epsie.proposals.adaptation.learn_andrieu_thoms`.
    jump_interval : int, optional
        Jump at every so many-th iteration while it learns.
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
    ) -> None:
        super().__init__(parameters, boundaries, None, jump_interval, adaptation_duration)
        learn_andrieu_thoms(
            self,
            adaptation_duration,
            diagonal=True,
            componentwise=componentwise,
            start_step=start_step,
            target_rate=target_rate,
            start_iteration=start_iteration,
        )
