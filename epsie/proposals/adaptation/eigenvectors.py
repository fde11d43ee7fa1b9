"""The scheme of jumps along eigenvectors, which learns the posterior's covariance."""

from __future__ import annotations

from math import exp, log
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from epsie.proposals.adaptation.covariance import LARGEST_LOG_SCALE, CovarianceLearning
from epsie.proposals.covariance import stds_of
from epsie.proposals.outcome import Outcome

_LINE_RATE = 0.44
_SCALE_GAIN = 0.6
_ENOUGH = 5
"""Jumps along an eigenvector accepted, and rejected, until their size counts as found."""

_EPS = float(np.finfo(float).eps)
# The best scale for a normal posterior in one dimension (Gelman, Roberts & Gilks 1996).
_BEST_LOG_LAMBDA = 2 * log(2.38)


class EigenAdaptation(CovarianceLearning):
    r"""The eigenvectors of the posterior's correlation matrix, and how far to jump along each.

    A jump along the i-th eigenvector has the variance :math:`\lambda_i` times the i-th eigenvalue;
    they are numbered by the size of the eigenvalues. After its n-th pick

    .. math:: \log\lambda_i \leftarrow \log\lambda_i + (n^{-0.6} - K^{-0.6}) (\alpha - \alpha^*),

    with the jump's acceptance ratio :math:`\alpha`, the target rate :math:`\alpha^*` and the
    duration K. A scale for each eigenvector is algorithm 6 of Andrieu & Thoms (2008),
    doi:10.1007/s11222-008-9110-y, which needs no virtual moves here: every jump goes along one.

    Mean and covariance are learned as `CovarianceLearning` has it until half of the duration; from
    then on all positions weigh the same, so that there are enough. The eigenvectors are taken anew
    after each block, once `MOVES` jumps have been accepted for each parameter; the first time, the
    scales, which were those of an arbitrary start, begin anew too.

    Parameters
    ----------
    cov0 : array
        The covariance matrix to start from.
    adaptation_duration : int or None
        For how many jumps to learn; None for ever, but ever less.
    target_rate : float, optional
        The acceptance rate to reach.
    start_step : int, optional
        The jump, counted from 1, at which learning begins.
    from_starts : bool, optional
        Whether to start from the spread of the starts over chains, where there is one.
    """

    evolving = (*CovarianceLearning.evolving, "log_lambda", "npicks", "in_use")

    MOVES = 5

    def __init__(
        self,
        cov0: NDArray[np.float64],
        adaptation_duration: int | None,
        target_rate: float = _LINE_RATE,
        start_step: int = 1,
        from_starts: bool = False,
    ) -> None:
        super().__init__(target_rate, adaptation_duration, start_step)
        self.cov0 = cov0
        self.ndim = len(cov0)
        self.units = self.default_units = stds_of(cov0)
        self.units_given = not from_starts
        self._last_gain = self._end**-_SCALE_GAIN
        self._start_again()

    def _start_again(self) -> None:
        self.log_lambda = [_BEST_LOG_LAMBDA] * self.ndim
        self.npicks = [0] * self.ndim
        self.forget(np.diag(np.square(self.units)))
        self.seek(self.ndim, _ENOUGH)
        self.in_use = False

    def begin(self, proposal: Any) -> None:
        """Let the proposal start from its covariance, scaled."""
        self._rescale(proposal)
        super().begin(proposal)

    def restart(self, proposal: Any) -> None:
        """Go back to the first covariance."""
        self._start_again()
        for name, value in self._initial.items():
            setattr(proposal, name, value)
        if not self.units_given:
            proposal._turn(np.array(self.units), np.ones(self.ndim), np.eye(self.ndim))

    def update(self, proposal: Any, outcome: Outcome) -> None:
        """Learn from the outcome of a jump."""
        if not 1 <= proposal._nsteps - self.start_step + 1 < self._end:
            return
        i = proposal.ind
        self.npicks[i] = n = self.npicks[i] + 1
        gain = n**-_SCALE_GAIN - self._last_gain
        raised = self.log_lambda[i] + gain * (outcome.acceptance_ratio - self.target_rate)
        if self.nsought:
            raised += 2 * self.move(i, outcome.accepted)
        if raised > LARGEST_LOG_SCALE:
            raised = LARGEST_LOG_SCALE
        self.log_lambda[i] = raised
        proposal._rescale(i, exp(0.5 * raised))
        if self.take_in(proposal, outcome):
            self._turn(proposal)

    def _rescale(self, proposal: Any) -> None:
        proposal.jump_scales = tuple([exp(0.5 * value) for value in self.log_lambda])

    def gain_of_covariance(self) -> float:
        """The gain of the present block: that of equal weights after half of the duration."""
        if self.nblocks == 1:
            return 1.0
        growing = min(self.nblocks, self._end / (2 * self.BLOCK))
        return min(1.0, 1 / ((growing + self.FORGET - 1) / self.FORGET + self.nblocks - growing))

    def _turn(self, proposal: Any) -> None:
        """Use what was learned."""
        units, cov = self.shrunk()
        scales, eigvals, eigvects = eigenvectors_of(cov, of_correlation=True)
        # None may be lost to rounding: its scale would find the right width.
        eigvals = np.maximum(eigvals, self.ndim * _EPS * eigvals[-1])
        proposal._turn(units * scales, eigvals, eigvects)
        if self.nsought or not self.in_use:
            self.in_use = True
            self.log_lambda = [_BEST_LOG_LAMBDA] * self.ndim
            self._rescale(proposal)


Axes: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Scales of the parameters, and in units of them eigenvalues and unit eigenvectors, as columns."""


def eigenvectors_of(cov: NDArray[np.float64], *, of_correlation: bool) -> Axes:
    """The eigenvectors of variances or of a covariance matrix, or of its correlation matrix.

    What is smaller than its rounding error is zero: along a component of that size nothing moves,
    but a bound might be met. Those of the correlation matrix, for which no unit matters, are taken
    too where the covariance matrix has eigenvalues that rounding has lost.
    """
    variances = cov if cov.ndim == 1 else cov.diagonal()
    ones = np.ones(len(cov))
    scales = np.sqrt(np.where(variances > 0, variances, 1.0))
    if cov.ndim == 1:
        found = (scales, np.where(cov > 0, 1.0, 0.0)) if of_correlation else (ones, cov)
        return (*found, np.eye(len(cov)))
    standard = (scales, *_decomposed(cov / scales / scales[:, np.newaxis]))
    if of_correlation:
        return standard
    plain = (ones, *_decomposed(cov))
    return standard if np.count_nonzero(plain[1]) < np.count_nonzero(standard[1]) else plain


def _decomposed(cov: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    eigvals, eigvects = np.linalg.eigh(cov)
    eigvals = np.where(eigvals > len(cov) * _EPS * eigvals[-1], eigvals, 0.0)
    return eigvals, np.where(np.abs(eigvects) > _EPS, eigvects, 0.0)


def learn_eigenvectors(
    proposal: Any,
    adaptation_duration: int | None,
    target_rate: float | None = None,
    start_step: int = 1,
    start_iteration: int | None = None,
    *,
    from_starts: bool = False,
) -> None:
    """Give a proposal of jumps along eigenvectors the scheme of `EigenAdaptation`.

    Parameters
    ----------
    proposal : Eigenvector
        The proposal. Its covariance is what it starts from.
    adaptation_duration, start_step
        See `EigenAdaptation`.
    target_rate : float, optional
        The acceptance rate to reach; 0.44 if None, the best for a jump in one dimension (Gelman,
        Roberts & Gilks 1996).
    start_iteration : int, optional
        Another name of `start_step`.
    from_starts : bool, optional
        Whether to start from the spread of the starts over chains, where there is one.
    """
    start_step = start_step if start_iteration is None else start_iteration
    target_rate = _LINE_RATE if target_rate is None else target_rate
    settings = adaptation_duration, target_rate, start_step, from_starts
    proposal._learn_by(EigenAdaptation(proposal.cov, *settings))
