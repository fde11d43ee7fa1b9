"""Adaptive Metropolis after Andrieu & Thoms."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log, tau
from operator import mul
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from epsie.model.evaluation import Position
from epsie.proposals.adaptation.covariance import LARGEST_LOG_SCALE, CovarianceLearning
from epsie.proposals.covariance import as_first_covariance, as_stds, factor_of, stds_of
from epsie.proposals.outcome import Outcome

_JOINT_RATE = 0.234
_COMPONENT_RATE = 0.48
SCALE_GAIN = 0.6
_ENOUGH = 5
"""Parts of jumps accepted, and rejected, until a scale of its own counts as found."""


class AndrieuThoms(CovarianceLearning):
    r"""The covariance of the posterior, and how far to jump in units of it.

    A jump has the covariance :math:`\lambda\Sigma`. After the k-th one

    .. math:: \log\lambda \leftarrow \log\lambda + \gamma_k (\alpha - \alpha^*), \qquad
              \gamma_k = k^{-0.6} - K^{-0.6},

    with its acceptance ratio :math:`\alpha`, the target rate :math:`\alpha^*` and the duration K;
    the covariance is learned as `CovarianceLearning` has it. That is algorithm 4 of Andrieu & Thoms
    (2008), doi:10.1007/s11222-008-9110-y. `componentwise` is their algorithm 6: every parameter i
    has its own :math:`\lambda_i`, moved by the acceptance ratio of its part of the jump alone, and
    one more global one keeps the jump of all together at an acceptance rate of 0.234, which is too
    low otherwise in more than a few dimensions.

    Parameters
    ----------
    ndim : int
        The number of parameters.
    adaptation_duration : int or None
        For how many jumps to learn; None for ever, but ever less.
    diagonal : bool, optional
        Whether to learn variances only, no correlations.
    componentwise : bool, optional
        Whether every parameter has a scale of its own. Costs a call of the model for each parameter
        and jump while it learns.
    start_step : int, optional
        The jump, counted from 1, at which learning begins.
    target_rate : float, optional
        The acceptance rate to reach; by default 0.234, or 0.48 for each part if `componentwise`.
    cov : float or array_like, optional
        The covariance to start from: one variance for all, one for each, or a matrix. By default
        the variances of the starts over chains, and 1 where they are zero or not known.
    """

    shows = (*CovarianceLearning.shows, "diagonal", "componentwise")
    evolving = (*CovarianceLearning.evolving, "log_lambda", "log_global", "unit_factor")

    def __init__(
        self,
        ndim: int,
        adaptation_duration: int | None,
        diagonal: bool = False,
        componentwise: bool = False,
        start_step: int = 1,
        target_rate: float | None = None,
        cov: ArrayLike | None = None,
    ) -> None:
        if target_rate is None:
            target_rate = _COMPONENT_RATE if componentwise else _JOINT_RATE
        super().__init__(target_rate, adaptation_duration, start_step)
        self.diagonal, self.componentwise = bool(diagonal), bool(componentwise)
        self.has_virtual = self.componentwise
        self.ndim = ndim
        self._last_gain = self._end**-SCALE_GAIN
        self._first = as_first_covariance(cov, ndim, self.diagonal)
        self.units_given = cov is not None
        self.units = stds_of(self._first)
        self._start_again()

    @property
    def aim(self) -> float:
        """The rate at which it lets whole jumps be accepted."""
        return _JOINT_RATE if self.componentwise else self.target_rate

    def _take_best_scales(self) -> None:
        """Jump as is best for a normal posterior (Gelman, Roberts & Gilks 1996)."""
        ndim, best = self.ndim, 2 * log(2.38)
        self.log_lambda: Any = [best] * ndim if self.componentwise else best - log(ndim)
        self.log_global = -log(ndim) if self.componentwise else 0.0

    def _start_again(self) -> None:
        ndim = self.ndim
        self._take_best_scales()
        # Plain numbers, if there is one for each parameter: they are multiplied at every step.
        self.unit_factor: Any = self.units
        if self._first.ndim > 1:
            self.unit_factor = factor_of(self._first)
        elif not self.diagonal:
            self.unit_factor = np.diag(self.units)
        variances = np.square(self.units)
        self.forget(variances if self.diagonal else np.diag(variances))
        self.seek(*((ndim, _ENOUGH) if self.componentwise else (1, self.MOVES * ndim)))

    def begin(self, proposal: Any) -> None:
        """Let the proposal start from its first covariance, scaled."""
        self.know_reach(proposal)
        if not self.units_given:
            # 1, or of an angle a radian, in whatever unit it is.
            periods = [proposal.periods().get(name, tau) for name in proposal.parameters]
            self.units = self.default_units = tuple([period / tau for period in periods])
            self._start_again()
        self._write(proposal)

    def restart(self, proposal: Any) -> None:
        """Go back to the first covariance."""
        self._start_again()
        self._write(proposal)

    def update(self, proposal: Any, outcome: Outcome) -> None:
        """Learn from the outcome of a jump."""
        k = proposal._nsteps - self.start_step + 1
        if not 1 <= k < self._end:
            return
        gain = k**-SCALE_GAIN - self._last_gain
        if self.componentwise:
            ratios = outcome.ratios_of_parts(proposal.parameters)
            self.log_lambda = [
                min(value + gain * (ratio - self.target_rate), LARGEST_LOG_SCALE)
                for value, ratio in zip(self.log_lambda, ratios, strict=True)
            ]
            raised = self.log_global + gain * (outcome.acceptance_ratio - _JOINT_RATE)
            self.log_global = min(raised, LARGEST_LOG_SCALE)
        else:
            raised = self.log_lambda + gain * (outcome.acceptance_ratio - self.target_rate)
            self.log_lambda = raised if raised < LARGEST_LOG_SCALE else LARGEST_LOG_SCALE
        if self.nsought:
            self._search(outcome, ratios if self.componentwise else ())
        if self.take_in(proposal, outcome):
            self._refactor()
        self._write(proposal)

    def _search(self, outcome: Outcome, ratios: Sequence[float]) -> None:
        """Move what is used of the covariance by factors; the scales begin anew with it."""
        if self.componentwise:
            steps = [exp(self.move(i, ratio > 0.5)) for i, ratio in enumerate(ratios)]
        else:
            steps = [exp(self.move(0, outcome.accepted))] * self.ndim
        if max(steps) == min(steps) == 1.0:
            return
        self._take_best_scales()
        factor = self.unit_factor
        widths = factor if self.diagonal else np.sqrt(np.square(factor).sum(1)).tolist()
        steps = self.allowed(steps, widths)
        if self.diagonal:
            self.unit_factor = tuple(map(mul, steps, factor))
        else:
            self.unit_factor = np.array(steps)[:, np.newaxis] * factor

    def virtual(self, proposal: Any, x: Position, y: Position) -> list[Position]:
        """The positions to which each part of the jump alone would lead."""
        k = proposal._nsteps + 1 - self.start_step + 1
        if not self.componentwise or not 1 <= k < self._end:
            return []
        return proposal._parts_of_jump(x, y, exp(-0.5 * self.log_global))  # type: ignore[no-any-return]

    def _write(self, proposal: Any) -> None:
        """Give the proposal its widths or its factor."""
        if self.componentwise:
            scales = [exp(0.5 * (value + self.log_global)) for value in self.log_lambda]
            if self.diagonal:
                proposal.widths = tuple(map(mul, scales, self.unit_factor))
            else:
                proposal.factor = np.array(scales)[:, np.newaxis] * self.unit_factor
            return
        scale = exp(0.5 * self.log_lambda)
        if not self.diagonal:
            proposal.factor = scale * self.unit_factor
            return
        widths = []
        for width in self.unit_factor:
            widths.append(scale * width)
        proposal.widths = tuple(widths)

    def _refactor(self) -> None:
        """Use what was learned."""
        if self.diagonal:
            self.unit_factor = tuple(self.stds()[0].tolist())
            return
        units, cov = self.shrunk()
        try:
            self.unit_factor = np.ascontiguousarray(units[:, np.newaxis] * np.linalg.cholesky(cov))
        except np.linalg.LinAlgError:
            return  # singular to rounding: what is in use stays


def learn_andrieu_thoms(
    proposal: Any,
    adaptation_duration: int | None,
    diagonal: bool = False,
    componentwise: bool = False,
    start_step: int = 1,
    target_rate: float | None = None,
    start_iteration: int | None = None,
    cov: ArrayLike | None = None,
    initial_std: ArrayLike | None = None,
) -> None:
    """Give a proposal the scheme of `AndrieuThoms`.

    Parameters
    ----------
    proposal : WidthProposal
        The proposal.
    start_iteration : int, optional
        Another name of `start_step`.
    initial_std : float or array_like, optional
        Standard deviations, one for all or one for each, in place of `cov`.
    adaptation_duration, diagonal, componentwise, start_step, target_rate, cov
        See `AndrieuThoms`.

    Raises
    ------
    ValueError
        If both `cov` and `initial_std` are given, or what is given is not positive.
    """
    if initial_std is not None:
        if cov is not None:
            raise ValueError("give cov or initial_std, not both: either says what to start from")
        cov = np.square(as_stds(initial_std, proposal.ndim, "initial_std"))
    start_step = start_step if start_iteration is None else start_iteration
    proposal._learn_by(
        AndrieuThoms(
            proposal.ndim,
            adaptation_duration,
            diagonal,
            componentwise,
            start_step,
            target_rate,
            cov,
        )
    )
