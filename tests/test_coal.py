"""Coal-mining disasters: when did their rate change? A discrete beside continuous parameters.

With rates that are exponential a priori the posterior of the year is known exactly.
"""

import json
from math import exp, inf, lgamma, log, sqrt
from pathlib import Path

import numpy as np
import pytest
from arviz_stats.base import array_stats

from epsie.proposals import (
    ATAdaptiveBoundedDiscrete,
    ATAdaptiveNormal,
    BoundedDiscrete,
    NormalDiscrete,
    SSAdaptiveBoundedDiscrete,
)
from epsie.samplers import MetropolisHastingsSampler
from tests.statistical import seed

DATA = json.loads((Path(__file__).parent / "data" / "coal_mining_disasters.json").read_text())
COUNTS = np.array(DATA["counts"])
YEARS = len(COUNTS)
BEFORE = np.cumsum(COUNTS)[:-1].tolist()
"""Disasters in the first k years, k = 1 ... YEARS - 1."""
BOUNDS = {"k": (1, YEARS - 1)}


def model(k, log_early, log_late):
    """The rate changes after k years; rates are Exp(1) a priori, sampled as logarithms."""
    if not 1 <= k <= YEARS - 1:
        return -inf, -inf
    early, late = exp(log_early), exp(log_late)
    first = BEFORE[k - 1]
    rest = BEFORE[-1] + int(COUNTS[-1]) - first
    logl = first * log_early - k * early + rest * log_late - (YEARS - k) * late
    return logl, log_early - early + log_late - late - log(YEARS - 1)


def exact():
    """The probability of each k, and the mean of both rates."""
    k = np.arange(1, YEARS)
    first = np.array(BEFORE)
    rest = COUNTS.sum() - first
    weights = np.array(
        [
            lgamma(a + 1) - (a + 1) * log(n + 1) + lgamma(b + 1) - (b + 1) * log(YEARS - n + 1)
            for a, b, n in zip(first, rest, k, strict=True)
        ]
    )
    weights = np.exp(weights - weights.max())
    weights /= weights.sum()
    return (
        k,
        weights,
        {
            "log_early": weights @ ((first + 1) / (k + 1)),
            "log_late": weights @ ((rest + 1) / (YEARS - k + 1)),
        },
    )


@pytest.mark.in_part(5, "slow")
@pytest.mark.parametrize(
    "year",
    [
        lambda: BoundedDiscrete("k", BOUNDS, 9.0),
        lambda: BoundedDiscrete("k", BOUNDS, 9.0, {"k": True}),
        lambda: NormalDiscrete("k", 9.0),
        lambda: SSAdaptiveBoundedDiscrete("k", BOUNDS, 4.0),
        lambda: ATAdaptiveBoundedDiscrete("k", BOUNDS, 5000),
    ],
    ids=["bounded", "successive", "unbounded", "ss", "at"],
)
def test_the_year_of_the_change(year):
    """Within 4 Monte Carlo errors: a false alarm in 2,000 runs for each of 7 figures."""
    names = ["k", "log_early", "log_late"]
    sampler = MetropolisHastingsSampler(
        names, model, 4, [year(), ATAdaptiveNormal(names[1:], 5000)], seed=seed()
    )
    # From far away, as k = 90, joint jumps find the bulk only after 1e4 steps and more.
    sampler.start_position = {
        "k": [30, 36, 42, 48],
        "log_early": [0.0, 1.0, 0.0, 1.0],
        "log_late": np.zeros(4),
    }
    sampler.run(25_000)
    kept = sampler.positions[:, 5000:]
    assert kept["k"].dtype == np.int64
    ks, weights, rates = exact()
    assert ks[weights.argmax()] + DATA["first_year"] - 1 == 1891
    for values, truth in [
        *((np.exp(kept[name]), rates[name]) for name in rates),
        (kept["k"].astype(float), weights @ ks),
        *(((kept["k"] == k).astype(float), weights[k - 1]) for k in (38, 40, 41, 45)),
    ]:
        ess = float(array_stats.ess(values, method="mean"))
        assert abs(values.mean() - truth) < 4 * values.std() / sqrt(ess)
