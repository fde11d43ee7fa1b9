"""Frozen levels with a mixture that fits badly are exact, and so is the evidence from them.

Chains begin at exact draws of their levels and make a few steps, with swaps between: what is found
then must still be of the levels. All seeds are fixed.
"""

import math
from itertools import product

import numpy as np
import pytest

import epsie
from epsie.chain import ParallelTemperedChain
from epsie.model.evaluation import Point
from epsie.proposals import Learned
from epsie.proposals.learned.arguments import first_coordinates
from epsie.proposals.learned.kernel import Kernel
from epsie.proposals.learned.knowledge import Knowledge
from epsie.proposals.learned.mixture import Mixture
from epsie.proposals.learned.prior_part import PriorPart
from epsie.proposals.learned.spot import Spot
from epsie.proposals.learned.transform import Transform
from epsie.samplers.resting import rest_between_sweeps
from epsie.tempering.anchored import Anchored, anchored, weights
from tests.statistical import seed

PRIOR = epsie.Prior(x=(-10, 10))
BETAS = np.array([1.0, 0.4, 0.0])
GRID = np.linspace(-10, 10, 40_001)
N, STEPS = 800, 12


def log_likelihood(x):
    """Two peaks, 0.3 and 0.7 of the mass."""
    return np.logaddexp(math.log(0.3) - 0.5 * (x + 3) ** 2, math.log(0.7) - 0.5 * (x - 3) ** 2)


LOG_Z = 0.5 * math.log(2 * math.pi) - math.log(20)


def exact(beta, generator, n):
    """Draws of a level, from the grid."""
    below = np.cumsum(np.exp(beta * log_likelihood(GRID)))
    return np.interp(generator.random(n) * below[-1], below, GRID)


def knowledge(weights):
    """A mixture that is far from the target, with the prior as a component."""
    bounds, periods = [(-10.0, 10.0)], [None]
    return Knowledge(
        transform=Transform(first_coordinates(bounds, periods), np.array([0.5]), np.array([2.0])),
        mixture=Mixture.of([0.6, 0.4], [[-1.3], [2.8]], [[[0.1]], [[0.1]]], [20.0, 20.0]),
        ncore=2,
        archive=np.linspace(-2.5, 2.5, 40)[:, np.newaxis],
        weights=np.array(weights) / sum(weights),
        spread=np.ones(1),
        rescale=np.ones(1),
        walk=np.eye(1),
        share=0.3,
        prior=PriorPart(PRIOR, ["x"]),
    )


def chain(weights=(1, 1, 1, 1, 1, 1), betas=BETAS, interval=2):
    posterior = epsie.Posterior(lambda x: float(log_likelihood(x)), PRIOR)
    part = Learned("x", {"x": (-10, 10)}, adaptation_duration=1)
    made = ParallelTemperedChain(
        "x", posterior, [part], betas, swap_interval=interval, bit_generator=seed()
    )
    rest_between_sweeps(made, interval)
    for level in made.chains:
        if not level.beta:
            continue
        (learned,) = level.proposal_dist.proposals
        learned._join(1)
        learned._teach(1, knowledge(weights))
    return made


def zs(made, n=N):
    """How far levels are from what they were: standard scores of three numbers of each."""
    generator = np.random.default_rng(seed())
    starts = np.array([exact(beta, generator, n) for beta in made.betas])
    ends = np.empty_like(starts)
    points = [
        [Point((x,), float(log_likelihood(x)), -math.log(20), None) for x in of_level]
        for of_level in starts.tolist()
    ]
    made.begin([of_level[0] for of_level in points])
    for i in range(n):
        for level, of_level in zip(made.chains, points):
            level.point = of_level[i]
        for _ in range(STEPS):
            made.step()
        ends[:, i] = [level.point.x[0] for level in made.chains]
    found = []
    for number in (lambda x: x < 0, lambda x: np.abs(x - 2.5) < 1.5, lambda x: np.square(x)):
        away = number(ends).astype(float) - number(starts)
        found.append(away.mean(axis=1) / np.maximum(away.std(axis=1) / math.sqrt(n), 1e-12))
    return np.abs(found).max()


LIMIT = 4.6
"""Nine scores: one of 25,000 runs fails by chance."""


def test_levels_stay_what_they_are():
    assert zs(chain()) < LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("move", range(6))
def test_each_move_by_itself(move):
    assert zs(chain(np.eye(6)[move]), 6000) < LIMIT


def test_a_prior_that_is_missing_in_the_density_is_seen(monkeypatch):
    monkeypatch.setattr(Kernel, "log_reference", lambda self, spot: self.weighed(spot)[0])
    assert zs(chain(np.eye(6)[0], (1.0, 0.4)), 300) > LIMIT


def test_a_density_of_before_a_swap_is_seen(monkeypatch):
    plain = ParallelTemperedChain._move_points

    def stale(self, points, order):
        plain(self, points, order)
        for level, before in zip(self.chains, points):
            kernel = level.proposal_dist.proposals[0]._kernel
            old = kernel._spot(before.x)
            kernel.log_reference(old)
            new = Spot(level.point.x, *kernel.bend.forward(level.point.x))
            new.weighed, new.log_reference = old.weighed, old.log_reference
            kernel._there = new

    monkeypatch.setattr(ParallelTemperedChain, "_move_points", stale)
    assert zs(chain(np.eye(6)[0], (1.0, 0.4), 1), 800) > LIMIT


REFERENCES = ((-2.0, 1.5), (2.0, 4.0))
"""Mean and standard deviation of normal references in two stretches, neither of which fits."""


def stretch(generator, at, told, nchains=6, n=60):
    """Exact draws; the reference is said to be `told`."""

    def log_m(x):
        mean, sd = told
        normal = -0.5 * ((x - mean) / sd) ** 2 - math.log(sd * math.sqrt(2 * math.pi))
        return np.logaddexp(math.log(0.05), math.log(0.95) + normal + math.log(20))

    def fresh():
        of_prior = generator.random(n) < 0.05
        x = np.where(of_prior, generator.uniform(-10, 10, n), generator.normal(*at, n))
        x = x[np.abs(x) < 10]
        return np.column_stack([log_likelihood(x), log_m(x)])

    draws = [[exact(beta, generator, n) for _ in range(nchains)] for beta in BETAS]
    logl, logs = (
        [[of(x) for x in of_level] for of_level in draws] for of in (log_likelihood, log_m)
    )
    return Anchored(logl, logs, [fresh() for _ in range(nchains)], [n] * nchains), draws


def pulls(swapped=False, repeats=8, n=60):
    generator, found = np.random.default_rng(seed()), []
    told = REFERENCES[::-1] if swapped else REFERENCES
    for _ in range(repeats):
        pairs = zip(REFERENCES, told, strict=True)
        both = [stretch(generator, at, of, n=n)[0] for at, of in pairs]
        evidence, *_ = anchored(both, BETAS)
        found.append((evidence.log_z - LOG_Z) / evidence.standard_error)
    return np.array(found)


def test_the_evidence_and_its_error():
    """The rms of 8 pulls is outside of these limits once in 10,000 times, and so is their mean.

    References of other stretches, as in a pool of all, are seen.
    """
    right = pulls()
    assert 0.2 < np.sqrt(np.mean(np.square(right))) < 2.05
    assert abs(right.mean()) < 4 / math.sqrt(8)
    assert (np.abs(pulls(True, 2, 300)) > 6).all()


def test_the_draws_of_all_levels_have_weights():
    generator = np.random.default_rng(seed())
    made, draws = stretch(generator, REFERENCES[0], REFERENCES[0], n=400)
    evidence, *_ = anchored([made], BETAS)
    found = weights(made, BETAS, evidence.per_level)
    x, w = (
        np.concatenate([a for of_level in all_of for a in of_level]) for all_of in (draws, found)
    )
    # More than 3,000 effective draws: once in 10,000 times by chance.
    assert np.average(x < 0, weights=w) == pytest.approx(0.3, abs=0.035)
    assert w.sum() ** 2 / (w @ w) > 3300


def test_a_draw_that_no_reference_reaches_is_missed():
    """A peak that draws of one chain are in, and nothing independent."""
    generator = np.random.default_rng(seed())
    made, _ = stretch(generator, REFERENCES[0], REFERENCES[0])
    assert anchored([made], BETAS).miss < 0.02
    assert anchored([made], BETAS).newly == 0
    made.logl[0][0][:2] = 12.0
    made.log_m[0][0][:2] = -2.9
    assert anchored([made], BETAS).newly > 0
    made.logl[0][0][:] = 12.0
    made.log_m[0][0][:] = -2.9
    assert anchored([made], BETAS).miss > 0.1


def test_what_there_must_be():
    generator = np.random.default_rng(seed())
    made, _ = stretch(generator, REFERENCES[0], REFERENCES[0], nchains=1, n=5)
    with pytest.raises(ValueError, match="Run on"):
        anchored([made], BETAS)
    for nchains, n in product((1, 2), (40,)):
        made, _ = stretch(generator, REFERENCES[0], REFERENCES[0], nchains, n)
        evidence, *_ = anchored([made], BETAS)
        assert abs(evidence.log_z - LOG_Z) < 6 * evidence.standard_error < 3
