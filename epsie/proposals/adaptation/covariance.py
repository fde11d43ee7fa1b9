"""Learning the covariance of the posterior from where the chain goes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from epsie.model.evaluation import Position
from epsie.proposals.adaptation.base import Adaptation
from epsie.proposals.outcome import Outcome

LARGEST_LOG_SCALE = 200.0
"""Where every jump is accepted, as that of an unknown phase, a scale would grow to overflow."""

_LARGEST = 1e100
"""Of a variance: on a flat target without bounds it would grow until it overflows."""


class CovarianceLearning(Adaptation):
    r"""A scheme that learns the mean and the covariance of the chain's positions.

    They follow the recursion of Andrieu & Thoms (2008), doi:10.1007/s11222-008-9110-y,

    .. math:: \mu \leftarrow \mu + g (x - \mu), \qquad
              \Sigma \leftarrow \Sigma + g ((x - \mu)(x - \mu)^T - \Sigma).

    With their gains :math:`g = k^{-0.6}` the first positions leave a covariance of rank one, and
    later ones forget too fast to estimate more than about ten dimensions. So

    * the recursion is made with `BLOCK` positions at a time, and its j-th gain is 4 / (j + 3): it
      begins with 1, so that nothing of an arbitrary start is left, and the weight of a position
      grows with the cube of its number, so that burn-in is forgotten and later positions all count;
    * what was learned is used only after `MOVES` accepted jumps for each parameter, after every
      block at first, later whenever a 32nd to a 16th of all blocks are new;
    * correlations are shrunk by the ratio of their expected noise to their size (after Ledoit &
      Wolf 2004, doi:10.1016/S0047-259X(03)00096-4, with a tenth of a parameter's share of the
      accepted jumps counted as independent positions), variances are not, so that no unit matters.
    """

    shows = (*Adaptation.shows, "mean", "unit_cov", "log_lambda")

    evolving: ClassVar[tuple[str, ...]] = (
        "start_step",
        "mean",
        "unit_cov",
        "positions",
        "nblocks",
        "naccepted",
    )

    BLOCK = 32
    """Positions from one update of the covariance to the next."""

    FORGET = 4
    """The j-th gain of the covariance is FORGET / (j + FORGET - 1)."""

    MOVES = 2
    """Accepted jumps for each parameter before the covariance is used."""

    MOVES_WORTH = 10.0
    """The number of independent positions that an accepted jump for each parameter counts as."""

    ndim: int
    diagonal = False
    """Whether only variances are learned, no correlations."""

    def forget(self, cov: NDArray[np.float64]) -> None:
        """Start with this covariance (variances, if `diagonal`)."""
        self.mean = np.zeros(self.ndim)
        self.unit_cov = cov
        self.positions: list[Position] = []
        self.nblocks = 0
        self.naccepted = 0

    def take_in(self, proposal: Any, outcome: Outcome) -> bool:
        """Note where the chain stands; whether what was learned is to be used anew."""
        if outcome.accepted:
            self.naccepted += 1
        positions = self.positions
        positions.append(proposal._pick(outcome.point.x))
        if len(positions) < self.BLOCK:
            return False
        self.nblocks += 1
        if self.diagonal:
            self._learn_variances(proposal)
        else:
            self._learn_covariance()
        self.positions = []
        return self._is_due() and self.knows_enough

    def _is_due(self) -> bool:
        """Whether enough is new to be worth a decomposition: a 32nd to a 16th, at first any."""
        return self.nblocks % (1 << max(0, self.nblocks.bit_length() - 5)) == 0

    def _learn_covariance(self) -> None:
        """Make one step of the recursion with a block of positions."""
        gain = self.gain_of_covariance()
        x = np.array(self.positions, dtype=float)
        centre = np.add.reduce(x) / len(x)
        away, shift = x - centre, centre - self.mean
        self.mean = self.mean + gain * shift
        # About the new mean, of old and new positions alike.
        spread = away.T.dot(away) / len(x) + (1 - gain) * shift * shift[:, np.newaxis]
        self.unit_cov = self.unit_cov + gain * (spread - self.unit_cov)

    def _learn_variances(self, proposal: Any) -> None:
        """The same for variances alone, one parameter after the other: numpy would take longer."""
        gain = self.gain_of_covariance()
        means, variances = self.mean.tolist(), self.unit_cov.tolist()
        for i, values in enumerate(zip(*self.positions)):
            values = proposal._nearest(i, values, means[i] if self.nblocks > 1 else values[0])
            centre = sum(values) / len(values)
            shift = centre - means[i]
            squares = 0.0
            for value in values:
                away = value - centre
                squares += away * away
            spread = squares / len(values) + (1 - gain) * shift * shift
            means[i] += gain * shift
            variances[i] += gain * (spread - variances[i])
        self.mean, self.unit_cov = np.array(means), np.array(variances)

    def gain_of_covariance(self) -> float:
        """The gain of the present block."""
        return self.FORGET / (self.nblocks + self.FORGET - 1)

    @property
    def knows_enough(self) -> bool:
        """Whether what was learned is fit to be used."""
        variances = self.unit_cov if self.diagonal else self.unit_cov.diagonal()
        fit = variances.min() > 0 and variances.max() < _LARGEST
        return bool(self.naccepted >= self.MOVES * self.ndim and fit)

    def shrunk(self) -> NDArray[np.float64]:
        """The covariance, with correlations shrunk by the ratio of their noise to their size."""
        variances = self.unit_cov.diagonal()
        weight = 0.0
        if self.ndim > 1:
            squares = self.unit_cov**2 / np.multiply.outer(variances, variances)
            size = float(squares.sum()) - self.ndim
            independent = self.MOVES_WORTH * self.naccepted / self.ndim
            noise = float(((1 - squares) ** 2).sum()) / independent
            weight = noise / (noise + size)
        shrunk = (1 - weight) * self.unit_cov
        np.fill_diagonal(shrunk, variances)
        return shrunk
