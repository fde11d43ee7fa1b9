"""A ladder of temperatures from the populations of an annealed start."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil

import numpy as np

from epsie.annealed.population import Population, systematic, weights_of
from epsie.proposals.learned.mixture import Array

REJECTION = 0.7
"""The share of swaps between neighbours that is to be rejected: few temperatures, as what was
learned at each leads from mode to mode, too."""

_LEAST, _MOST = 1e-3, 0.999


def found_ladder(populations: Sequence[Population]) -> list[float]:
    """Inverse temperatures between which swaps are rejected equally often, descending from 1 to 0.

    Of normal log likelihoods the inverse error function of the rejection is proportional to the
    distance of two temperatures (Predescu, Predescu & Ciobanu 2004, doi:10.1063/1.1644093), so that
    it adds up along the ladder.

    Parameters
    ----------
    populations : sequence of Population
        From beta = 0 to 1.
    """
    from scipy.special import erfinv

    betas = np.array([population.beta for population in populations])
    rejected = [_rejected(hot, cold) for hot, cold in pairwise(populations)]
    steps = erfinv(np.clip(rejected, _LEAST, _MOST))
    lengths = np.concatenate([[0.0], np.cumsum(steps)])
    ntemps = max(ceil(lengths[-1] / float(erfinv(REJECTION))) + 1, 2)
    least = betas[betas > 0].min()
    at = np.linspace(lengths[-1], 0.0, ntemps)
    found = np.exp(np.interp(at, lengths, np.log(betas + least))) - least
    return [1.0, *found[1:-1].tolist(), 0.0]


def _rejected(hot: Population, cold: Population) -> float:
    """The share of swaps that is rejected, of all pairs of particles."""
    log_ratios = (cold.beta - hot.beta) * (hot.logl[:, np.newaxis] - cold.logl)
    return float(1 - np.exp(np.minimum(log_ratios, 0.0)).mean())


def population_at(populations: Sequence[Population], beta: float) -> Population:
    """A population at an inverse temperature: the nearest one, resampled by its weights there."""
    nearest = min(populations, key=lambda p: abs(p.beta**0.5 - beta**0.5))
    weights: Array = weights_of(nearest.logl, beta - nearest.beta)
    return nearest.taken(systematic(weights, len(weights), 0.5), beta)
