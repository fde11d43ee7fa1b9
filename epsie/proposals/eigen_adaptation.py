"""How jumps along eigenvectors learn the posterior's covariance."""

from __future__ import annotations

from math import exp, log
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from epsie.model import Position
from epsie.proposals.scheme import Adaptation

if TYPE_CHECKING:
    from epsie.chain.chain import Chain

_LINE_RATE = 0.44
_SCALE_GAIN = 0.6
_EPS = float(np.finfo(float).eps)
# The best scale for a normal posterior in one dimension (Gelman, Roberts & Gilks 1996).
_BEST_LOG_LAMBDA = 2 * log(2.38)


class EigenAdaptation(Adaptation):
    r"""The eigenvectors of the posterior's covariance, and how far to jump along each.

    A jump along the i-th eigenvector has the variance :math:`\lambda_i` times the i-th eigenvalue;
    they are numbered by the size of the eigenvalues. After its n-th pick

    .. math:: \log\lambda_i \leftarrow \log\lambda_i + (n^{-0.6} - K^{-0.6}) (\alpha - \alpha^*),

    with the jump's acceptance ratio :math:`\alpha`, the target rate :math:`\alpha^*` and the
    duration K. A scale for each eigenvector is algorithm 6 of Andrieu & Thoms (2008),
    doi:10.1007/s11222-008-9110-y, which needs no virtual moves here: every jump goes along one.

    Mean and covariance follow the recursion of `AndrieuThoms`, a block of positions at a time, and
    correlations are shrunk as there. The gain of the j-th block is 4 / (j + 3), so that the weight
    of a position grows with the cube of its number and burn-in is forgotten, until half of the
    duration; from then on all weigh the same, so that there are enough. The eigenvectors are taken
    anew after each block, once five jumps have been accepted for each parameter; the first time,
    the scales, which were those of an arbitrary start, begin anew too.

    Parameters
    ----------
    cov0 : array_like
        The covariance to start from.
    adaptation_duration : int or None
        For how many jumps to learn; None for ever, but ever less.
    target_rate : float, optional
        The acceptance rate to reach.
    start_step : int, optional
        The jump, counted from 1, at which learning begins.
    """

    evolving = (
        "start_step",
        "log_lambda",
        "npicks",
        "mu",
        "unit_cov",
        "positions",
        "nblocks",
        "naccepted",
        "in_use",
    )

    BLOCK = 32
    """Positions from one update of the covariance to the next."""

    FORGET = 4
    """The j-th gain of the covariance is FORGET / (j + FORGET - 1) at first."""

    MOVES = 5
    """Accepted jumps for each parameter before the covariance is used."""

    MOVES_WORTH = 10.0
    """How many independent positions an accepted jump for each parameter counts as."""

    def __init__(
        self,
        cov0: NDArray[np.float64],
        adaptation_duration: int | None,
        target_rate: float = _LINE_RATE,
        start_step: int = 1,
    ) -> None:
        super().__init__(target_rate, adaptation_duration, start_step)
        self.cov0 = cov0
        self.ndim = len(cov0)
        self._last_gain = self._end**-_SCALE_GAIN
        self._forget()

    def _forget(self) -> None:
        self.log_lambda = [_BEST_LOG_LAMBDA] * self.ndim
        self.npicks = [0] * self.ndim
        self.mu = np.zeros(self.ndim)
        self.unit_cov = self.cov0.copy()
        self.positions: list[Position] = []
        self.nblocks = 0
        self.naccepted = 0
        self.in_use = False

    def begin(self, proposal: Any) -> None:
        """Let the proposal start from its covariance, scaled."""
        self._rescale(proposal)
        super().begin(proposal)

    def reset(self, proposal: Any) -> None:
        """Start again from the true initial covariance."""
        super().reset(proposal)
        self._forget()

    def update(self, proposal: Any, chain: Chain) -> None:
        """Learn from the step that `chain` has just made."""
        if not 1 <= proposal.nsteps - self.start_step + 1 < self._end:
            return
        i = proposal.ind
        self.npicks[i] += 1
        gain = self.npicks[i] ** -_SCALE_GAIN - self._last_gain
        self.log_lambda[i] += gain * (chain.acceptance_ratio - self.target_rate)
        proposal.rescale(i, exp(0.5 * self.log_lambda[i]))
        self.naccepted += chain.accepted
        self.positions.append(proposal.pick(chain.point.x))
        if len(self.positions) == self.BLOCK:
            self._learn()
            self.positions = []
            self._turn(proposal)

    def _rescale(self, proposal: Any) -> None:
        proposal.jump_scales = tuple([exp(0.5 * value) for value in self.log_lambda])

    def _learn(self) -> None:
        """Make one step of the recursion with a block of positions."""
        self.nblocks += 1
        growing = min(self.nblocks, self._end / (2 * self.BLOCK))
        gain = 1 / ((growing + self.FORGET - 1) / self.FORGET + self.nblocks - growing)
        gain = min(gain, 1.0)
        x = np.array(self.positions, dtype=float)
        centre = x.mean(axis=0)
        away, shift = x - centre, centre - self.mu
        self.mu = self.mu + gain * shift
        # About the new mean, of old and new positions alike.
        spread = away.T.dot(away) / len(x) + (1 - gain) * np.multiply.outer(shift, shift)
        self.unit_cov = self.unit_cov + gain * (spread - self.unit_cov)

    def _turn(self, proposal: Any) -> None:
        """Use what was learned, if it is enough."""
        variances = self.unit_cov.diagonal()
        if self.naccepted < self.MOVES * self.ndim or not variances.min() > 0:
            return
        shrunk = (1 - self._shrinkage(variances)) * self.unit_cov
        np.fill_diagonal(shrunk, variances)
        eigvals, eigvects = eigenvectors_of(shrunk)
        # None may be lost to rounding: its scale would find the right width.
        proposal.turn(np.maximum(eigvals, self.ndim * _EPS * eigvals[-1]), eigvects)
        if not self.in_use:
            self.in_use = True
            self.log_lambda = [_BEST_LOG_LAMBDA] * self.ndim
            self._rescale(proposal)

    def _shrinkage(self, variances: NDArray[np.float64]) -> float:
        """The weight of the diagonal: the noise of the correlations over their size."""
        if self.ndim == 1:
            return 0.0
        squares = self.unit_cov**2 / np.multiply.outer(variances, variances)
        size = float(squares.sum()) - self.ndim
        independent = self.MOVES_WORTH * self.naccepted / self.ndim
        noise = float(((1 - squares) ** 2).sum()) / independent
        return noise / (noise + size)


def eigenvectors_of(cov: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Eigenvalues and unit eigenvectors, as columns, of variances or of a covariance matrix.

    What is smaller than its rounding error is zero: along a component of that size nothing moves,
    but a bound might be met.
    """
    if cov.ndim == 1:
        return cov, np.eye(len(cov))
    eigvals, eigvects = np.linalg.eigh(cov)
    eigvals = np.where(eigvals > len(cov) * _EPS * eigvals[-1], eigvals, 0.0)
    return eigvals, np.where(np.abs(eigvects) > _EPS, eigvects, 0.0)


def learn_eigenvectors(
    proposal: Any,
    adaptation_duration: int | None,
    target_rate: float | None = None,
    start_step: int = 1,
    start_iteration: int | None = None,
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
    """
    start_step = start_step if start_iteration is None else start_iteration
    target_rate = _LINE_RATE if target_rate is None else target_rate
    scheme = EigenAdaptation(proposal.cov, adaptation_duration, target_rate, start_step)
    proposal.hold(scheme)
