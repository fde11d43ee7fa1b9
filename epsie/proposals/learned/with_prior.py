"""A mixture of which the prior is a component, so that it is nowhere much lower than the target."""

from __future__ import annotations

from math import log, log1p
from typing import NamedTuple

import numpy as np

from epsie.proposals.learned.fit import LARGEST, fit, inflated
from epsie.proposals.learned.history import resampled
from epsie.proposals.learned.mixture import Array, Mixture

LEAST_SHARE, LARGEST_SHARE = 0.01, 0.99
"""The least and the largest weight of the prior."""

_FIRST_SHARE = 0.1
_SHARE_ITERATIONS = 12
_PLAIN = 0.05
"""A prior with less weight than that hardly changes what is left for the other components."""


class WithPrior(NamedTuple):
    """The density w_0 p(u) + (1 - w_0) q(u): a prior p and a mixture q, in coordinates u.

    A target that is the prior times a bounded likelihood exceeds it by a bounded factor, whatever
    q is: so independent proposals from it are uniformly ergodic.

    Parameters
    ----------
    share : float
        w_0.
    mixture : Mixture
        q.
    """

    share: float
    mixture: Mixture

    def log_density(self, u: Array, log_prior: Array) -> Array:
        """The log density at rows, given that of the prior in the same coordinates. Shape (n,)."""
        log_q = self.mixture.at_rows(u)[0]
        return _joined(self.share, log_prior, log_q)


def _joined(share: float, log_prior: Array, log_q: Array) -> Array:
    joined: Array = np.logaddexp(log(share) + log_prior, log1p(-share) + log_q)
    return joined


def fitted(
    u: Array, log_prior: Array, weights: Array | None = None, largest: int = LARGEST
) -> WithPrior:
    """A mixture fitted to rows, with as much of the prior as fits them best.

    Parameters
    ----------
    u : array
        Rows, some of them perhaps equal. Shape (n, d).
    log_prior : array
        The log density of the prior there, in the same coordinates. Shape (n,).
    weights : array, optional
        Their weights; equal if not given. Shape (n,).
    largest : int, optional
        The largest number of components of the mixture.
    """
    # Equal rows would be foretold by each other.
    rows, first, place = np.unique(u, axis=0, return_index=True, return_inverse=True)
    given: Array = np.bincount(place.ravel(), weights, len(rows)).astype(float)
    given /= given.sum()
    log_p = log_prior[first]
    best = _with_share(rows, log_p, given, _of_rest(rows, given, largest))
    rest = given * (1 - _shares(best, rows, log_p))
    if _PLAIN < best.share < 1 - _PLAIN and np.count_nonzero(rest > 0) > 2:
        other = _with_share(rows, log_p, given, _of_rest(rows, rest, largest))
        if other.log_density(rows, log_p) @ given > best.log_density(rows, log_p) @ given:
            best = other
    return best


def beside_prior(u: Array, log_prior: Array, mixture: Mixture) -> WithPrior:
    """A mixture with the likeliest weight of the prior.

    Where that is much of it the mixture is fitted anew, to what the prior leaves.

    Parameters
    ----------
    u, log_prior : array
        As for `fitted`.
    mixture : Mixture
        The mixture of all of them.
    """
    equal = np.full(len(u), 1 / len(u))
    found = _with_share(u, log_prior, equal, mixture)
    if found.share < _PLAIN:
        return found
    other = fitted(u, log_prior)
    better = other.log_density(u, log_prior).sum() > found.log_density(u, log_prior).sum()
    return other if better else found


def _of_rest(rows: Array, weights: Array, largest: int) -> Mixture:
    """The mixture of weighted rows: every third is held out."""
    test = np.arange(len(rows)) % 3 == 2
    train, held_out = (resampled(rows[i], weights[i], int(i.sum())) for i in (~test, test))
    return inflated(fit(train, held_out, largest).core)


def _with_share(rows: Array, log_prior: Array, weights: Array, mixture: Mixture) -> WithPrior:
    """The likeliest weight of the prior beside a mixture."""
    log_q, share = mixture.quick(rows)[0], _FIRST_SHARE
    for _ in range(_SHARE_ITERATIONS):
        shares = np.exp(log(share) + log_prior - _joined(share, log_prior, log_q))
        share = min(max(float(shares @ weights), LEAST_SHARE), LARGEST_SHARE)
    return WithPrior(share, mixture)


def _shares(m: WithPrior, rows: Array, log_prior: Array) -> Array:
    """The probability of each row to be of the prior."""
    shares: Array = np.exp(log(m.share) + log_prior - m.log_density(rows, log_prior))
    return shares
