"""Parallel tempering of chains whose number of components changes."""

import math

import numpy as np
import pytest
from arviz_stats.base import array_stats

from epsie.proposals import BoundedDiscrete, NestedTransdimensional, Normal, UniformBirth
from epsie.samplers import ParallelTemperedSampler
from tests.statistical import seed

NAMES = ("a", "b", "c")
BETAS = (1.0, 0.3, 0.0)
NCHAINS = 3


def model(k, **values):
    """k is uniform on 0 ... 3, each active value on [0, 1); the likelihood is exp(k)."""
    active = [value for value in values.values() if value == value]
    if len(active) != k or not all(0 <= value < 1 for value in active):
        return -math.inf, -math.inf
    return float(k), -math.log(4), {"count": len(active)}


def proposal():
    return NestedTransdimensional(
        ["k", *NAMES],
        BoundedDiscrete("k", {"k": (0, 3)}, 4.0),
        [Normal(name, 0.1) for name in NAMES],
        [UniformBirth([name], {name: (0.0, 1.0)}) for name in NAMES],
    )


def sampler(pool=None):
    made = ParallelTemperedSampler(
        ["k", *NAMES], model, NCHAINS, BETAS, proposals=[proposal()], seed=seed(), pool=pool
    )
    shape = (len(BETAS), NCHAINS)
    made.start_position = {
        "k": np.ones(shape, dtype=int),
        "a": np.full(shape, 0.5),
        "b": np.full(shape, np.nan),
        "c": np.full(shape, np.nan),
    }
    return made


def bits(made):
    tables = (made.positions, made.stats, made.acceptance, made.blobs, made.temperature_swaps)
    return [np.ascontiguousarray(table).tobytes() for table in tables]


def test_pools_splits_and_resumes(pools):
    whole = sampler()
    whole.run(80)
    for pool in (None, pools["own"], pools["threads"]):
        made = sampler(pool)
        for n in (1, 33, 46):
            made.run(n)
        assert bits(made) == bits(whole)
    first = sampler()
    first.run(29)
    other = sampler()
    other.set_state(first.state)
    other.run(51)
    np.testing.assert_array_equal(other.positions["k"], whole.positions["k"][:, :, 29:])
    np.testing.assert_array_equal(other.positions["a"], whole.positions["a"][:, :, 29:])


def test_chains_know_that_they_are_transdimensional():
    assert all(chain.transdimensional for chain in sampler().chains)


@pytest.fixture(scope="module")
def positions():
    made = sampler()
    made.run(12_000)
    return made.positions


@pytest.mark.parametrize("t", range(len(BETAS)))
def test_every_temperature_has_its_distribution_of_k(t, positions):
    """p(k) is proportional to exp(beta k): within 4.5 errors, a false alarm in 1e5 each."""
    weights = np.exp(BETAS[t] * np.arange(4))
    for k, weight in enumerate(weights / weights.sum()):
        found = (positions["k"][t] == k).astype(float)
        ess = float(array_stats.ess(found, method="mean"))
        assert abs(found.mean() - weight) < 4.5 * math.sqrt(weight * (1 - weight) / ess)
    active = positions["a"][t][positions["k"][t] > 0]
    active = active[~np.isnan(active)]
    assert abs(active.mean() - 0.5) < 0.05
    # Each component is as likely to be active as any other.
    share = (~np.isnan(positions["a"][t])).astype(float)
    expected = float((weights / weights.sum()) @ np.arange(4)) / 3
    ess = float(array_stats.ess(share, method="mean"))
    assert abs(share.mean() - expected) < 4.5 * math.sqrt(0.25 / ess)
