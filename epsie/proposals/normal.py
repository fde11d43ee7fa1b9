"""Jumps with a normal distribution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from operator import add, mul
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsie.model.evaluation import Position
from epsie.proposals.adaptation.andrieu_thoms import AndrieuThoms, learn_andrieu_thoms
from epsie.proposals.adaptation.widths import (
    SiviaSkilling,
    Veitch,
    learn_sivia_skilling,
    learn_veitch,
)
from epsie.proposals.covariance import as_covariance, factor_of, log_normal_density
from epsie.proposals.widths import WidthProposal

_ROUNDING = 1e-13
"""Eigenvalues below this fraction of the largest count as zero."""


class Normal(WidthProposal):
    """A normal jump about the present position.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters.
    cov : float or array_like, optional
        The covariance of the jump: one variance for all, one for each, or a matrix (a diagonal one
        counts as independent variances). 1 if None.
    jump_interval, jump_interval_duration : int, optional
        See `set_jump_interval`.

    Raises
    ------
    ValueError
        If `cov` has another shape, or is not symmetric and positive semi-definite.
    """

    name = "normal"
    symmetric = True

    factor: NDArray[np.float64] | None = None
    """A matrix F such that the covariance is F F^T; None if the parameters jump independently."""

    _learned = ("widths", "factor")

    @property
    def isdiagonal(self) -> bool:
        """Whether the parameters jump independently."""
        return self.factor is None

    @property
    def cov(self) -> NDArray[np.float64]:
        """The covariance: an array of variances, or a matrix if it is not diagonal. Settable."""
        if self.factor is None:
            return np.array(self.widths) ** 2
        return self.factor @ self.factor.T

    @cov.setter
    def cov(self, cov: ArrayLike | None) -> None:
        matrix = as_covariance(cov, self.ndim)
        if matrix.ndim == 1:
            self.widths, self.factor = tuple(np.sqrt(matrix).tolist()), None
        else:
            self.widths, self.factor = (), factor_of(matrix)

    def jump_stds(self) -> Iterable[float]:
        """The standard deviation of the jump of each parameter."""
        if self.factor is None:
            return self.widths
        stds: list[float] = np.sqrt(np.square(self.factor).sum(axis=1)).tolist()
        return stds

    def _scale(self, by: float, max_std: Sequence[float] | None = None) -> None:
        """Multiply all widths, none beyond its maximum."""
        if self.factor is None:
            WidthProposal._scale(self, by, max_std)
            return
        if max_std is not None:
            stds = np.sqrt(np.square(self.factor).sum(axis=1))
            by = min(by, float((np.array(max_std) / stds).min()))
        self.factor = by * self.factor

    def draw(self, x: Position) -> Position:
        """A jump from `x`."""
        if self.factor is None:
            return tuple(map(add, x, map(mul, self.widths, self.stream.normals(len(x)))))
        step = self.factor.dot(self.stream.normal_array(len(x)))
        return tuple(map(add, x, step.tolist()))

    def log_density(self, y: Position, x: Position) -> float:
        """The density of the normal distribution; in its subspace if it is semi-definite."""
        away = np.subtract(y, x)
        if self.factor is None:
            return log_normal_density(away, np.array(self.widths))
        variances, axes = np.linalg.eigh(self.cov)
        variances = np.where(variances > _ROUNDING * variances[-1], variances, 0)
        return log_normal_density(axes.T @ away, np.sqrt(variances), 1e-6 * sqrt(variances[-1]))


class AdaptiveNormal(Normal, learns=Veitch):
    """A `Normal` jump whose widths adapt after Veitch et al. (2015).

    See `epsie.proposals.adaptation.learn_veitch` for the arguments.
    """

    name = "adaptive_normal"

    def __init__(
        self,
        parameters: str | Iterable[str],
        prior_widths: Mapping[str, Any],
        adaptation_duration: int,
        start_step: int = 1,
        jump_interval: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(parameters, None, jump_interval, adaptation_duration)
        learn_veitch(self, prior_widths, adaptation_duration, start_step=start_step, **kwargs)


class SSAdaptiveNormal(Normal, learns=SiviaSkilling):
    """A `Normal` jump whose widths adapt after Sivia & Skilling (2006).

    See `epsie.proposals.adaptation.learn_sivia_skilling` for the arguments.
    """

    name = "ss_adaptive_normal"

    def __init__(
        self,
        parameters: str | Iterable[str],
        cov: ArrayLike | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(parameters, cov, jump_interval, jump_interval_duration)
        learn_sivia_skilling(self, from_starts=cov is None, **kwargs)


class ATAdaptiveNormal(Normal, learns=AndrieuThoms):
    """A `Normal` jump whose covariance adapts after Andrieu & Thoms (2008).

    See `epsie.proposals.adaptation.learn_andrieu_thoms` for the arguments.
    """

    name = "at_adaptive_normal"

    def __init__(
        self,
        parameters: str | Iterable[str],
        adaptation_duration: int | None,
        diagonal: bool = False,
        componentwise: bool = False,
        start_step: int = 1,
        target_rate: float | None = None,
        jump_interval: int = 1,
        start_iteration: int | None = None,
        *,
        cov: ArrayLike | None = None,
        initial_std: ArrayLike | None = None,
    ) -> None:
        super().__init__(parameters, None, jump_interval, adaptation_duration)
        scheme = diagonal, componentwise, start_step, target_rate, start_iteration, cov, initial_std
        learn_andrieu_thoms(self, adaptation_duration, *scheme)
