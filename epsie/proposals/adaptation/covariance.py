"""Learning the covariance of the posterior from where the chain goes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from epsie.model.evaluation import Position
from epsie.proposals.adaptation.search import LARGEST, ScaleSearch
from epsie.proposals.outcome import Outcome

LARGEST_LOG_SCALE = 200.0
"""A cap on log scales: where every jump is accepted, as of an unknown phase, one would overflow."""


class CovarianceLearning(ScaleSearch):
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

    shows = (*ScaleSearch.shows, "mean", "unit_cov", "log_lambda")

    evolving: ClassVar[tuple[str, ...]] = (
        *ScaleSearch.SEARCH,
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
        away = x - centre
        spread = away.T.dot(away) / len(x)
        if gain == 1:
            # Of the start nothing is left; a difference from it would lose what is far smaller.
            self.mean, self.unit_cov = centre, spread
            return
        shift = centre - self.mean
        self.mean = self.mean + gain * shift
        # About the new mean, of old and new positions alike.
        spread = spread + (1 - gain) * shift * shift[:, np.newaxis]
        self.unit_cov = self.unit_cov + gain * (spread - self.unit_cov)

    def _learn_variances(self, proposal: Any) -> None:
        """The same for variances alone, one parameter after the other: numpy would take longer."""
        gain = self.gain_of_covariance()
        means, variances = self.mean.tolist(), self.unit_cov.tolist()
        for i, values in enumerate(zip(*self.positions)):
            values = proposal._nearest(i, values, means[i] if self.nblocks > 1 else values[0])
            centre = sum(values) / len(values)
            squares = 0.0
            for value in values:
                away = value - centre
                squares += away * away
            spread = squares / len(values)
            if gain == 1:
                means[i], variances[i] = centre, spread
                continue
            shift = centre - means[i]
            spread += (1 - gain) * shift * shift
            means[i] += gain * shift
            variances[i] += gain * (spread - variances[i])
        self.mean, self.unit_cov = np.array(means), np.array(variances)

    def gain_of_covariance(self) -> float:
        """The gain of the present block."""
        return self.FORGET / (self.nblocks + self.FORGET - 1)

    @property
    def knows_enough(self) -> bool:
        """Whether what was learned is fit to be used."""
        return self.naccepted >= self.MOVES * self.ndim

    def stds(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The standard deviations to use, and which of them were learned.

        Of a parameter that never moved it is that of the start.
        """
        units = np.array(self.units)
        stds = np.sqrt(self.unit_cov if self.diagonal else self.unit_cov.diagonal())
        moved, most = stds > 0, LARGEST * units
        return np.where(moved, np.minimum(stds, most), units), moved & (stds < most)

    def shrunk(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Powers of 2 near to the standard deviations, and the covariance in units of them.

        Its correlations are shrunk by the ratio of their noise to their size. In such units nothing
        overflows or is lost, and the last bits are those that it has in any others.
        """
        stds, learned = self.stds()
        units = np.ldexp(1.0, np.frexp(stds)[1])
        variances = self.unit_cov.diagonal() / units / units
        cov = self.unit_cov / units / units[:, np.newaxis]
        if not learned.all():
            variances = np.where(learned, variances, (stds / units) ** 2)
            cov = cov * (learned & learned[:, np.newaxis])
            np.fill_diagonal(cov, variances)
        weight = 0.0
        if self.ndim > 1:
            squares = cov**2 / np.multiply.outer(variances, variances)
            size = float(squares.sum()) - self.ndim
            independent = self.MOVES_WORTH * self.naccepted / self.ndim
            noise = float(((1 - squares) ** 2).sum()) / independent
            weight = noise / (noise + size)
        shrunk = (1 - weight) * cov
        np.fill_diagonal(shrunk, variances)
        return units, shrunk
