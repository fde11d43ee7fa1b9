"""The evidence: right, with an honest error, and refused where it cannot be told."""

import math

import numpy as np
import pytest
from scipy import stats

from epsie.chain import BarrierAnnealer, DynamicalAnnealer
from epsie.proposals import AdaptiveNormal, Normal
from epsie.samplers import ParallelTemperedSampler
from epsie.tempering.evidence import log_evidence, variance_of_mean
from epsie.tempering.log_z import METHODS
from tests.statistical import generator, seed
from tests.tempering_targets import (
    Gaussian,
    LinearRegression,
    Mixture,
    calibration,
    mixture_weight,
)

INF = math.inf
BETAS = np.append(np.geomspace(1, 0.02, 9), 0)
EXACT_METHODS = ("mbar", "bridge", "stepping_stone")
"""Those without an error of discretisation."""


def normal_draws(rng, n, nchains=4, ndim=4, width=5.0, betas=BETAS):
    """Independent log likelihoods of a unit normal likelihood and a wider normal prior."""
    variances = 1 / (betas + width**-2)
    squares = rng.chisquare(ndim, (len(betas), nchains, n))
    return -0.5 * variances[:, None, None] * squares


NORMAL_LOG_Z = -0.5 * 4 * math.log1p(25.0)


def partial_draws(rng, n, nchains=4, share=0.7, betas=(1.0, 0.5, 0.2, 0.0)):
    """Independent log likelihoods of L = exp(-5 u), u uniform, on a share of the prior."""
    rows = []
    for beta in betas:
        u = rng.random((nchains, n))
        logl = np.log1p(u * math.expm1(-5 * beta)) / beta if beta else -5 * u
        rows.append(np.where(rng.random(u.shape) < share, logl, -INF) if beta == 0 else logl)
    return np.array(rows), np.array(betas)


PARTIAL_LOG_Z = math.log(0.7 * -math.expm1(-5) / 5)


@pytest.mark.parametrize("method", METHODS)
def test_estimates_and_errors_with_independent_samples(method):
    """By the sum of 60 squared pulls, 1e-5 false alarms on either side.

    The thermodynamic integral has a tenth of freedom for its discretisation.
    """
    rng, pulls = generator(f"evidence {method}"), []
    slack = 0.1 if method == "thermodynamic" else 0.0
    for _ in range(60):
        found = log_evidence(normal_draws(rng, 400), BETAS, method)
        off = abs(found.log_z - NORMAL_LOG_Z)
        pulls.append(max(off - slack, 0) / found.standard_error)
        assert found.method == method and found.per_chain.shape == (4,)
        assert found.log_z == pytest.approx(found.per_chain.mean())
    total = np.square(pulls).sum()
    # Chains that differ by chance have a wider error: pulls are a little narrower than normal.
    least = 0.0 if slack else 0.6 * stats.chi2(60).ppf(1e-5)
    assert least <= total < stats.chi2(60).isf(1e-5)


def test_the_pooled_estimate_is_the_tightest():
    rng = generator("tightest")
    draws = [normal_draws(rng, 300, 1) for _ in range(60)]
    spread = {
        m: np.std([log_evidence(one, BETAS, m).log_z for one in draws]) for m in EXACT_METHODS
    }
    assert spread["mbar"] < 1.1 * spread["bridge"] < 1.2 * spread["stepping_stone"]


@pytest.mark.parametrize("method", METHODS)
def test_samples_without_likelihood_count_as_none(method):
    rng, pulls, dropped = generator(f"partial {method}"), [], []
    for _ in range(60):
        logl, betas = partial_draws(rng, 400)
        found = log_evidence(logl, betas, method)
        pulls.append((found.log_z - PARTIAL_LOG_Z) / found.standard_error)
        # The defect: without them Z is too large by the inverse of the share with likelihood.
        prior = [row[row > -INF][:200] for row in logl[-1]]
        without = np.concatenate([logl[:-1, :, :200], [prior]])
        dropped.append(log_evidence(without, betas, method).log_z)
    assert np.square(pulls).sum() < stats.chi2(60).isf(1e-5)
    assert np.mean(dropped) == pytest.approx(PARTIAL_LOG_Z - math.log(0.7), abs=0.05)


def test_thermodynamic_integration_beats_the_trapezoid():
    logl = normal_draws(generator("trapezoid"), 20_000)
    means = logl.mean(axis=(1, 2))
    trapezoid = -np.sum(np.diff(BETAS) * (means[1:] + means[:-1]) / 2)
    found = log_evidence(logl, BETAS, "thermodynamic").log_z
    assert abs(found - NORMAL_LOG_Z) < 0.2 * abs(trapezoid - NORMAL_LOG_Z)


@pytest.mark.parametrize("method", METHODS)
def test_a_shifted_likelihood_shifts_the_evidence(method):
    logl = normal_draws(generator("shift"), 200)
    plain, shifted = (log_evidence(logl + c, BETAS, method) for c in (0, -12_345.0))
    assert shifted.log_z == pytest.approx(plain.log_z - 12_345, abs=1e-6)
    assert shifted.standard_error == pytest.approx(plain.standard_error, rel=1e-4)


# ---- errors


def autoregressive(rng, n, memory):
    noise = rng.standard_normal(n)
    series = np.empty(n)
    series[0] = noise[0]
    for i in range(1, n):
        series[i] = memory * series[i - 1] + math.sqrt(1 - memory**2) * noise[i]
    return series


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_the_variance_of_a_mean_allows_for_autocorrelation(memory):
    rng = generator(f"memory {memory}")
    found = [variance_of_mean(autoregressive(rng, 5000, memory)) for _ in range(20)]
    exact = (1 + memory) / (1 - memory) / 5000
    assert np.mean(found) == pytest.approx(exact, rel=0.2)


def test_the_variance_of_an_anticorrelated_or_constant_mean():
    assert variance_of_mean(np.tile([1.0, -1.0], 50)) >= 0
    assert variance_of_mean(np.ones(50)) == 0


@pytest.mark.parametrize("method", METHODS)
def test_repeated_samples_tell_nothing_new(method):
    logl = normal_draws(generator("repeated"), 300)
    single = log_evidence(logl[:, :1], BETAS, method)
    repeated = log_evidence(np.repeat(logl[:, :1], 10, axis=2), BETAS, method)
    assert repeated.log_z == pytest.approx(single.log_z, abs=1e-6)
    assert 0.75 < repeated.standard_error / single.standard_error < 1.6


def test_swapped_points_tie_temperatures_together():
    """The same sample at two temperatures counts for the error as what it is."""
    logl = normal_draws(generator("tied"), 2000, nchains=1)
    tied = np.repeat(logl[:1], 2, axis=0) - [[[0.0]], [[0.0]]]
    one = log_evidence(np.concatenate([logl[:1], logl[-1:]]), [1, 0], "stepping_stone")
    three = log_evidence(np.concatenate([tied, tied[-1:]]), [1, 0.5, 0], "stepping_stone")
    assert one.standard_error > 0 and three.standard_error > 0
    weights = np.exp(0.5 * tied[0, 0])
    expected = 2 * weights.std() / weights.mean() / math.sqrt(2000)
    assert three.standard_error == pytest.approx(expected, rel=0.3)


def test_chains_that_differ_widen_the_error_by_students_t():
    logl = normal_draws(generator("differ"), 400)
    agreeing = log_evidence(logl, BETAS)
    logl[:, 0] += 3
    found = log_evidence(logl, BETAS)
    spread = found.per_chain.std(ddof=1) / 2
    assert found.standard_error == pytest.approx(1.1969 * spread, rel=1e-3)
    assert found.standard_error > 5 * agreeing.standard_error


# ---- refusals


@pytest.mark.parametrize(
    ("betas", "message"),
    [
        (
            [1, 0.5, 0.1],
            r"from beta = 1, the posterior, to beta = 0, the prior; got one from 1.0 t",
        ),
        ([0.9, 0.5, 0], "from 0.9 to 0"),
        ([0, 0.5, 1], "betas descending"),
        ([1, 0], r"betas must have shape \(3,\) or \(2, 3\)"),
    ],
)
def test_unfit_ladders(betas, message):
    with pytest.raises(ValueError, match=message):
        log_evidence(np.zeros((3, 2, 20)), betas)


def test_unfit_likelihoods():
    betas, logl = [1, 0.5, 0], -np.ones((3, 2, 20))
    with pytest.raises(ValueError, match=r"must have shape \(ntemps, nchains, niterations\)"):
        log_evidence(logl[0], betas)
    with pytest.raises(ValueError, match="needs 10 samples or more; got 4"):
        log_evidence(logl[..., :4], betas)
    with pytest.raises(ValueError, match=r"one of mbar, bridge, .*; got 'nested'"):
        log_evidence(logl, betas, "nested")
    for place, value in (((0, 0, 0), -INF), ((2, 0, 0), math.nan), ((1, 1, 1), INF)):
        wrong = logl.copy()
        wrong[place] = value
        with pytest.raises(ValueError, match="may be -inf at beta = 0 alone"):
            log_evidence(wrong, betas)
    logl[2, 1] = -INF
    with pytest.raises(ValueError, match="no sample of the prior .* has a likelihood"):
        log_evidence(logl, betas)


def test_temperatures_without_overlap():
    logl = np.array([[np.linspace(0, 1, 50)], [np.linspace(-90_000, -80_000, 50)]])
    for method in ("mbar", "bridge"):
        with pytest.raises(ValueError, match="nothing in common"):
            log_evidence(logl, [1, 0], method)


# ---- of a sampler


def sampler(betas=(1, 0.4, 0.1, 0), annealer=None, proposals=None, nchains=3):
    target = Gaussian(2, 4.0)
    made = ParallelTemperedSampler(
        target.parameters,
        target,
        nchains,
        betas,
        proposals=proposals or [Normal(target.parameters, 2.0)],
        adaptive_annealer=annealer,
        seed=seed(),
    )
    made.start_position = target.starts(generator("evidence"), (len(betas), nchains))
    return made, target.log_z


@pytest.mark.parametrize("method", METHODS)
def test_of_a_sampler(method):
    made, exact = sampler()
    made.run(3000)
    found = made.log_evidence(method, burn_in=500)
    slack = 0.3 if method == "thermodynamic" else 0.0
    assert abs(found.log_z - exact) < 4.4 * found.standard_error + slack
    assert 0 < found.standard_error < 0.2
    log_z, error, *_ = found
    assert (log_z, error) == (found.log_z, found.standard_error)
    logl = made.stats["logl"][:, :, 500:]
    assert log_evidence(logl, made.betas, method).log_z == found.log_z


def test_ladders_of_their_own_are_used():
    made, exact = sampler(annealer=BarrierAnnealer(500))
    made.run(4000)
    assert (made.betas[0] != made.betas[1]).any()
    found = made.log_evidence()
    assert abs(found.log_z - exact) < 4.4 * found.standard_error < 0.4
    rested = max(chain.last_annealed for chain in made.chains)
    assert 400 < rested <= 500
    with pytest.raises(ValueError, match=f"moved until iteration {rested}: .*got {rested - 1}"):
        made.log_evidence(burn_in=rested - 1)
    assert made.log_evidence(burn_in=rested).per_chain.shape == (3,)
    assert made.log_evidence(burn_in=made.adaptation_end).log_z == found.log_z


def test_a_sampler_whose_ladder_does_not_reach_the_prior():
    made, _ = sampler((1, 0.5, 0.2))
    made.run(20)
    with pytest.raises(ValueError, match="the evidence needs a ladder from beta = 1"):
        made.log_evidence()


def test_a_ladder_that_is_set_between_runs_has_moved():
    made, _ = sampler()
    made.run(50)
    for chain in made.chains:
        chain.betas = [1, 0.5, 0.2, 0]
    made.run(50)
    with pytest.raises(ValueError, match="moved until iteration 50"):
        made.log_evidence(burn_in=0)
    logl = made.stats["logl"][:, :, 50:]
    assert made.log_evidence().log_z == log_evidence(logl, made.betas).log_z


def test_the_default_burn_in_is_the_end_of_adaptation():
    names = Gaussian(2).parameters
    widths = dict.fromkeys(names, 20.0)
    part = AdaptiveNormal(names, widths, 60, start_step=11, jump_interval=2)
    made, _ = sampler(proposals=[part])
    made.run(100)
    with pytest.raises(ValueError, match="ends at iteration 140, the last clear was at 0"):
        made.log_evidence()
    made.run(100)
    made.clear()
    made.run(50)
    logl = made.stats["logl"]
    assert made.log_evidence().log_z == log_evidence(logl, made.betas).log_z
    made.run(50)
    logl = made.stats["logl"][:, :, 20:]
    assert made.log_evidence(burn_in=220).log_z == log_evidence(logl, made.betas).log_z


def test_a_ladder_that_moves_for_ever_gives_none():
    made, _ = sampler(annealer=DynamicalAnnealer())
    made.run(300)
    with pytest.raises(ValueError, match="give annealers a duration"):
        made.log_evidence()


# ---- calibration: parts of the entries 'evidence' and 'mixture' of the long counts


@pytest.mark.slow
def test_calibration_in_part():
    """By the sum of squared pulls of 6 repeats, 1e-5 false alarms, errors right within a third."""
    found = calibration(LinearRegression(), range(6), 2000, 500)
    squares = 6 * (found.spread**2 * 5 / 6)
    assert 0.05 < squares < 1.8 * stats.chi2(5).isf(1e-5)
    assert abs(found.bias) < 0.3


@pytest.mark.rest
@pytest.mark.parametrize("target", [Gaussian(10), LinearRegression()], ids=["gaussian", "line"])
def test_calibration(target):
    found = calibration(target, range(10), 4000, 1000)
    assert found.coverage > 0.3 and 0.5 < found.spread < 1.9
    assert abs(found.bias) < 0.3


def test_the_mixture_in_part():
    target = Mixture()
    for number in range(2):
        weight, found = mixture_weight(number)
        assert abs(weight - target.weight) < 0.06
        assert abs(found.log_z - target.log_z) < 5 * found.standard_error < 0.5
