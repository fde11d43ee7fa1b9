"""Jumps of integers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from numpy.typing import ArrayLike

from epsie.model.evaluation import Position
from epsie.proposals.adaptation.andrieu_thoms import AndrieuThoms, learn_andrieu_thoms
from epsie.proposals.adaptation.widths import (
    SiviaSkilling,
    Veitch,
    learn_sivia_skilling,
    learn_veitch,
)
from epsie.proposals.bounded_discrete import AdaptiveBoundedDiscrete as AdaptiveBoundedDiscrete
from epsie.proposals.bounded_discrete import ATAdaptiveBoundedDiscrete as ATAdaptiveBoundedDiscrete
from epsie.proposals.bounded_discrete import BoundedDiscrete as BoundedDiscrete
from epsie.proposals.bounded_discrete import SSAdaptiveBoundedDiscrete as SSAdaptiveBoundedDiscrete
from epsie.proposals.integers import IntegerProposal, log_step_mass, whole_step


class NormalDiscrete(IntegerProposal):
    """A normal jump about the present integer, rounded to integers.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters.
    cov : float or array_like, optional
        The variance of the normal jump before it is rounded: one for all or one for each. 1 if
        None.
    successive : dict, optional
        For each parameter whether a value may succeed itself. True: the jump is rounded to the
        nearest integer. False: it is rounded away from zero, so that there always is one. None:
        False for all.
    jump_interval, jump_interval_duration : int, optional
        See `set_jump_interval`.

    Raises
    ------
    ValueError
        If `cov` has another shape, or is negative; if `successive` lacks a parameter, or a value of
        it is not a bool.
    """

    name = "discrete"
    symmetric = True

    def draw(self, x: Position) -> Position:
        """A jump from `x`."""
        normals = self.stream.normals(len(x))
        return tuple(
            [
                here + whole_step(width * z, z, stays)
                for here, width, z, stays in zip(x, self.widths, normals, self.stays)
            ]
        )

    def log_density(self, y: Position, x: Position) -> float:
        """The log mass of the jump."""
        steps = zip(y, x, self.widths, self.stays, strict=True)
        return sum(log_step_mass(there - here, width, stays) for there, here, width, stays in steps)


class AdaptiveNormalDiscrete(NormalDiscrete, learns=Veitch):
    """A `NormalDiscrete` jump whose widths adapt after Veitch et al. (2015).

    See `epsie.proposals.adaptation.learn_veitch` for the arguments.
    """

    name = "adaptive_discrete"

    def __init__(
        self,
        parameters: str | Iterable[str],
        prior_widths: Mapping[str, Any],
        adaptation_duration: int,
        successive: Mapping[str, bool] | None = None,
        jump_interval: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(parameters, None, successive, jump_interval, adaptation_duration)
        learn_veitch(self, prior_widths, adaptation_duration, **kwargs)


class SSAdaptiveNormalDiscrete(NormalDiscrete, learns=SiviaSkilling):
    """A `NormalDiscrete` jump whose widths adapt after Sivia & Skilling (2006).

    See `epsie.proposals.adaptation.learn_sivia_skilling` for the arguments.
    """

    name = "ss_adaptive_discrete"

    def __init__(
        self,
        parameters: str | Iterable[str],
        cov: ArrayLike | None = None,
        successive: Mapping[str, bool] | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(parameters, cov, successive, jump_interval, jump_interval_duration)
        learn_sivia_skilling(self, from_starts=cov is None, **kwargs)


class ATAdaptiveNormalDiscrete(NormalDiscrete, learns=AndrieuThoms):
    """A `NormalDiscrete` jump whose widths adapt after Andrieu & Thoms (2008).

    See `epsie.proposals.adaptation.learn_andrieu_thoms` for the arguments. What it learns is the
    standard deviation of the normal jump before it is rounded.
    """

    name = "at_adaptive_discrete"

    def __init__(
        self,
        parameters: str | Iterable[str],
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
        super().__init__(parameters, None, successive, jump_interval, adaptation_duration)
        scheme = componentwise, start_step, target_rate, start_iteration, cov, initial_std
        learn_andrieu_thoms(self, adaptation_duration, True, *scheme)
