"""The evidence by bridges between a target and the mixtures of several stretches, from arrays.

Bounds on the mean of n repeats are 4.5 standard errors: a false alarm in 100,000.
"""

import math

import numpy as np
import pytest
from scipy import stats

from epsie.tempering.bridges import Stretch, bridged
from tests.statistical import generator

LOG_Z = 3.0
ALARM = 4.5


def autocorrelated(rng, chains, n, memory):
    """Standard normal draws that remember the last one, exactly stationary. Shape (chains, n)."""
    x = rng.standard_normal((chains, n))
    for i in range(1, n):
        x[:, i] = memory * x[:, i - 1] + math.sqrt(1 - memory**2) * x[:, i]
    return x


def normal_stretch(rng, law, chains=8, n=400, m=60, memory=0.0):
    """A normal target of mass exp(3), and a law to bridge from."""

    def ratio(x):
        return stats.norm.logpdf(x) + LOG_Z - law.logpdf(x)

    draws = autocorrelated(rng, chains, n, memory)
    fresh = law.rvs((chains, m), random_state=rng)
    return Stretch(list(ratio(draws)), list(ratio(fresh)))


LAWS = [stats.t(4, 0.5, 1.5), stats.norm(-0.3, 0.9), stats.t(8, 0.0, 1.1)]


def pulls_of(found):
    return np.array(
        [(each.evidence.log_z - LOG_Z) / each.evidence.standard_error for each in found]
    )


@pytest.mark.parametrize("memory", [pytest.param(0.0, marks=pytest.mark.slow), 0.9])
def test_errors_are_those_that_are_stated(memory):
    """200 repeats of three stretches, each with another q, of draws that may be autocorrelated."""
    rng = generator(f"bridges {memory}")
    found = [bridged([normal_stretch(rng, law, memory=memory) for law in LAWS]) for _ in range(200)]
    pulls = pulls_of(found)
    assert 0.7 < math.sqrt(np.square(pulls).mean()) < 1.5
    assert abs(pulls.mean()) < ALARM * pulls.std() / math.sqrt(200)
    assert np.abs(pulls).max() < 6


def test_a_bridge_of_many_draws_is_exact():
    """To 4.5 of its errors, which are about 0.002."""
    rng = generator("bridges exact")
    found = bridged([normal_stretch(rng, law, n=5000, m=5000) for law in LAWS]).evidence
    assert found.standard_error < 0.005
    assert abs(found.log_z - LOG_Z) < ALARM * found.standard_error
    assert found.per_chain.shape == (8,)
    assert abs(found.per_chain.mean() - LOG_Z) < 0.03


def test_one_q_equal_to_the_target_leaves_no_error():
    rng = generator("bridges perfect")
    found = bridged([normal_stretch(rng, stats.norm())])
    assert abs(found.evidence.log_z - LOG_Z) < 1e-9
    assert found.evidence.standard_error < 1e-9
    assert found.miss < 1e-9


def learning_chains(rng, barriers=6, chains=6, n=25, d=4):
    """Independence samplers, whose normal q is fitted at each barrier to where they were before.

    A target of mass exp(3), standard normal; each stretch gives its draws, its proposals, and q.
    """
    target = stats.multivariate_normal(np.zeros(d), np.eye(d))
    x = rng.standard_normal((chains, d))
    q = stats.multivariate_normal(np.full(d, 0.3), 1.5 * np.eye(d))
    stretches = []
    for _ in range(barriers):
        draws = np.empty((chains, n, d))
        fresh = q.rvs(chains * n, random_state=rng).reshape(chains, n, d)
        gains = target.logpdf(fresh) - q.logpdf(fresh)
        now = target.logpdf(x) - q.logpdf(x)
        for i, u in enumerate(np.log(rng.random((n, chains)))):
            taken = u < gains[:, i] - now
            x, now = np.where(taken[:, None], fresh[:, i], x), np.where(taken, gains[:, i], now)
            draws[:, i] = x
        stretches.append((draws, fresh, q))
        rows = draws.reshape(-1, d)
        q = stats.multivariate_normal(rows.mean(axis=0), np.cov(rows.T))
    return target, stretches


def by_stretches(target, stretches):
    return bridged(
        [
            Stretch(
                *(list(target.logpdf(x) + LOG_Z - q.logpdf(x)) for x in (draws, fresh)),
            )
            for draws, fresh, q in stretches
        ]
    )


def pooled(target, stretches):
    """The defect: the mixtures of all stretches are taken for one."""

    def ratio(x):
        log_q = np.logaddexp.reduce([q.logpdf(x) for _, _, q in stretches])
        return target.logpdf(x) + LOG_Z - log_q + math.log(len(stretches))

    draws, fresh = (list(ratio(np.concatenate([s[i] for s in stretches], axis=1))) for i in (0, 1))
    return bridged([Stretch(draws, fresh)])


@pytest.mark.slow
def test_mixtures_of_several_barriers_are_not_pooled():
    """In 100 runs of 6 barriers later mixtures were fitted to what earlier ones had proposed."""
    rng = generator("bridges pooled")
    runs = [learning_chains(rng) for _ in range(100)]
    sound, defect = (
        np.array([estimate(*run).evidence.log_z - LOG_Z for run in runs])
        for estimate in (by_stretches, pooled)
    )
    # Of so few draws of each q a bridge is biased by less than its error: a few thousandths.
    assert abs(sound.mean()) < 0.5 * abs(defect.mean()) + ALARM * sound.std() / 10
    lower = sound - defect
    assert lower.mean() > ALARM * lower.std() / 10
    rms = {
        estimate: math.sqrt(np.square(pulls_of([estimate(*run) for run in runs])).mean())
        for estimate in (by_stretches, pooled)
    }
    assert 0.7 < rms[by_stretches] < 1.5
    assert rms[pooled] > 1.8


def two_modes(rng, known, chains=8, n=400, m=200, left=0.3, mixes=True):
    """A target with two modes, and a q with one or both of them."""

    def drawn(shares, size):
        right = rng.random((chains, size)) >= shares
        return rng.standard_normal((chains, size)) + np.where(right, 5.0, -5.0)

    def log_density(x, share):
        with np.errstate(divide="ignore"):
            both = np.log([share, 1 - share])
        return np.logaddexp(both[0] + stats.norm.logpdf(x, -5), both[1] + stats.norm.logpdf(x, 5))

    shares = left if mixes else (np.arange(chains) < left * chains).astype(float)[:, None]
    draws, fresh = drawn(shares, n), drawn(known, m)
    ratios = [log_density(x, left) + LOG_Z - log_density(x, known) for x in (draws, fresh)]
    return Stretch(*map(list, ratios))


def test_a_mode_that_q_does_not_know_is_missed_aloud():
    rng = generator("bridges miss")
    assert bridged([two_modes(rng, 0.0)]).miss > 0.2
    assert bridged([two_modes(rng, 0.4)]).miss < 0.01
    assert bridged([two_modes(rng, 0.0)]).newly > 0 == bridged([two_modes(rng, 0.4)]).newly
    # Before a mode was found nothing tells of it: the other has seven tenths of the mass.
    right, after = normal_stretch(rng, stats.norm()), two_modes(rng, 0.0)
    before = Stretch(*([a + np.log(0.7) for a in arrays] for arrays in right))
    late = bridged([before, after]).evidence
    assert late.log_z == bridged([after]).evidence.log_z
    # What was before a draw far out in a tail counts.
    after.draws[0][0] += 100
    both, alone = bridged([right, after]), bridged([after])
    assert both.newly > 0
    assert both.evidence.standard_error < alone.evidence.standard_error
    assert both.evidence.log_z != alone.evidence.log_z


def test_chains_that_stay_in_their_modes_have_a_larger_error():
    """Two of eight are in a mode with a weight of 0.3, all the time: the jackknife sees it."""
    rng = generator("bridges stuck")
    mixed = bridged([two_modes(rng, 0.1)]).evidence
    stuck = bridged([two_modes(rng, 0.1, mixes=False)]).evidence
    assert stuck.standard_error > 2 * mixed.standard_error
    assert abs(stuck.log_z - LOG_Z) < ALARM * stuck.standard_error


def test_proposals_where_the_target_vanishes_count():
    """Half of a uniform q is outside of a uniform target of mass exp(3)."""
    rng = generator("bridges half")
    fresh = np.where(rng.random((8, 500)) < 0.5, LOG_Z + math.log(2), -math.inf)
    draws = np.full((8, 100), LOG_Z + math.log(2))
    found = bridged([Stretch(list(draws), list(fresh))]).evidence
    assert abs(found.log_z - LOG_Z) < ALARM * found.standard_error
    # What a count of 2000 in 4000 leaves.
    assert 0.7 < found.standard_error / (1 / math.sqrt(4000)) < 1.5


def test_stretches_with_few_draws_are_left_out():
    rng = generator("bridges few")
    whole, few = normal_stretch(rng, LAWS[0]), normal_stretch(rng, LAWS[1], m=2)
    assert bridged([few, whole]).evidence.log_z == bridged([whole]).evidence.log_z
    with pytest.raises(ValueError, match="too few independent draws"):
        bridged([few])
    with pytest.raises(ValueError, match="too few independent draws"):
        bridged([])


def test_one_chain_and_chains_without_independent_draws():
    rng = generator("bridges one")
    one = bridged([normal_stretch(rng, law, chains=1, n=2000, m=400) for law in LAWS]).evidence
    assert abs(one.log_z - LOG_Z) < ALARM * one.standard_error
    assert one.per_chain.shape == (1,)
    whole = normal_stretch(rng, LAWS[0])
    fresh = [whole.fresh[0][:0], *whole.fresh[1:]]
    found = bridged([Stretch(whole.draws, fresh)]).evidence
    assert abs(found.log_z - LOG_Z) < ALARM * found.standard_error


@pytest.mark.parametrize("shift", [-1e4, 1e4])
def test_the_height_of_the_likelihood_does_not_matter(shift):
    whole = normal_stretch(generator("bridges shift"), LAWS[0])
    high = Stretch(*([of + shift for of in each] for each in whole))
    assert abs(bridged([high]).evidence.log_z - shift - bridged([whole]).evidence.log_z) < 1e-6
