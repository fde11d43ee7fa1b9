"""Starts drawn from a prior."""

from math import inf

import numpy as np
import pytest

from epsie.errors import ModelError
from epsie.proposals import NormalDiscrete
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests.statistical import seed


def model(x, y):
    """Half of the prior has no likelihood, a quarter is outside."""
    return (0.0 if x > 0 else -inf), (0.0 if x < 1 else -inf)


def prior(rng):
    return {"x": rng.uniform(-2, 2), "y": rng.normal()}


class Uniform:
    """A distribution as those of scipy."""

    def __init__(self, low, high):
        self.low, self.high = low, high

    def rvs(self, random_state):
        return random_state.uniform(self.low, self.high)


def plain(nchains=4, asked=model, **settings):
    return MetropolisHastingsSampler(["x", "y"], asked, nchains, seed=3, **settings)


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("given", [prior, {"y": Uniform(0, 1), "x": Uniform(-2, 2)}])
def test_starts_where_the_model_allows(given):
    made, again, pooled = plain(), plain(), plain(pool=2)
    for sampler in (made, again, pooled):
        sampler.draw_start(given)
    start = made.start_position
    assert ((start["x"] > 0) & (start["x"] < 1)).all() and len(np.unique(start["x"])) == 4
    for sampler in (again, pooled):
        assert all(np.array_equal(sampler.start_position[name], start[name]) for name in start)
    # Chains are their own: more of them change nothing for the first.
    more = plain(6)
    more.draw_start(given)
    np.testing.assert_array_equal(more.start_position["x"][:4], start["x"])
    made.run(5)
    assert made.positions.shape == (4, 5)


def test_every_temperature_draws_its_own():
    made = ParallelTemperedSampler(["x", "y"], model, 30, [1, 0.5, 0], seed=seed() % 2**32)
    made.draw_start(prior)
    x = made.start_position["x"]
    assert len(np.unique(x)) == x.size
    assert (x[:2] > 0).all() and (x < 1).all()
    # At beta = 0 two thirds of what is allowed have no likelihood: a chance of 3^-30 for none.
    assert (x[2] < 0).any()


def test_other_random_numbers_than_those_of_the_chains():
    made, set_ = plain(), plain()
    made.draw_start(prior)
    set_.start_position = made.start_position
    made.run(50)
    set_.run(50)
    assert made.positions.tobytes() == set_.positions.tobytes()


def test_discrete_parameters():
    made = MetropolisHastingsSampler("k", lambda k: (0.0, 0.0), 3, NormalDiscrete("k"), seed=1)
    made.draw_start(lambda rng: {"k": rng.integers(0, 9)})
    assert made.start_position["k"].dtype == np.int64


def test_all_or_none():
    made = plain()
    made.draw_start(prior)
    made.run(10)
    before = made.positions.tobytes()
    with pytest.raises(ValueError, match="after 7 draws .* no start for 4 of 4.*logl = -inf"):
        made.draw_start(lambda rng: {"x": -0.5, "y": 0}, tries=7)
    with pytest.raises(ValueError, match="missing: y"):
        made.draw_start(lambda rng: {"x": 0.5})
    with pytest.raises(ValueError, match="unknown: z"):
        made.draw_start({"x": Uniform(0, 1), "y": Uniform(0, 1), "z": Uniform(0, 1)})
    with pytest.raises(ValueError, match="must give a dict"):
        made.draw_start(lambda rng: 3)
    with pytest.raises(ValueError, match="tries must be at least 1"):
        made.draw_start(prior, tries=0)
    assert made.positions.tobytes() == before

    def broken(x, y):
        raise RuntimeError("spam")

    made.model = broken
    with pytest.raises(ModelError, match="spam"):
        made.draw_start(prior)
    assert made.positions.tobytes() == before
