"""Modes of a population that chains have left are told of."""

import numpy as np

import epsie
from epsie.results.kept import MUCH, left_share
from tests.statistical import seed


def modes(generator, n, d, centres):
    return generator.standard_normal((n, d)) + generator.choice(centres, n)[:, np.newaxis]


def test_what_is_left_and_what_is_kept():
    """One population of 10,000 of one mode in ten dimensions would be said to be left."""
    generator = np.random.default_rng(seed())
    for d in (1, 3, 10):
        population = modes(generator, 256, d, [-6.0, 6.0])
        # As after resampling.
        population[::4] = population[1::4]
        kept, left = (modes(generator, 2000, d, centres) for centres in ([-6.0, 6.0], [6.0]))
        assert left_share(population, kept) < MUCH
        assert left_share(population, left) > 0.3


def test_a_population_that_has_not_arrived_is_no_mode():
    """It is wider than the draws, and beside them, with no gap. Of 60 seeds none fails."""
    generator = np.random.default_rng(seed())
    for d in (4, 8):
        population = 2.5 * generator.standard_normal((384, d)) + 2
        draws = generator.standard_normal((2000, d))
        assert left_share(population, draws) < MUCH
        population[:40] += 40
        assert left_share(population, draws) == 40 / 384


def test_a_summary_says_so():
    """The target is another one than that of the start, as for chains that lost a mode."""
    posterior = epsie.Posterior(
        lambda x: np.logaddexp(-((x - 5) ** 2), -((x + 5) ** 2)), {"x": (-9, 9)}
    )
    sampler = epsie.samplers.MetropolisHastingsSampler(
        posterior, nchains=8, seed=seed(), start="annealed"
    )
    sampler.run(60)
    sampler._learner.cohorts[0, 0]._population.rows[:] -= 200
    sampler.run(60)
    assert "no chain is any more" in str(sampler.summary())
