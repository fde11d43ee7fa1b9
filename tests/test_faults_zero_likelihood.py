"""Models that return a huge negative number where the likelihood is zero."""

import re
import warnings
from io import BytesIO
from math import erf, inf, isfinite, isnan, log, pi, sqrt

import numpy as np
import pytest

from epsie import open_run
from epsie.proposals import Normal
from epsie.samplers import ParallelTemperedSampler
from epsie.tempering.annealing import BarrierAnnealer, DynamicalAnnealer
from epsie.tempering.evidence import log_evidence
from epsie.tempering.log_z import METHODS, in_common, thermodynamic
from tests.statistical import seed

BETAS = np.array([1, 0.3, 0.1, 0.03, 0.01, 0])
LOG_Z = log(erf(5 / sqrt(2)) / 20)
LOWS = [-1e4, -1e6, -1e10, -1e15, -1e100, -1e300, -1.7e308]


class Model:
    """A unit normal on [-5, 5] under a flat prior on [-10, 10]."""

    def __init__(self, low):
        self.low = low

    def __call__(self, x):
        logl = -0.5 * x * x - 0.5 * log(2 * pi) if abs(x) < 5 else self.low
        return logl, -log(20) if abs(x) < 10 else -inf


def sampled(low, nchains=4, **settings):
    sampler = ParallelTemperedSampler(
        "x", Model(low), nchains, BETAS, proposals=[Normal("x", cov=4.0)], seed=seed(), **settings
    )
    rng = np.random.default_rng(seed())
    sampler.start_position = {"x": rng.uniform(-4, 4, (len(BETAS), nchains))}
    return sampler


@pytest.fixture(scope="module")
def honest():
    sampler = sampled(-inf)
    sampler.run(3000)
    return sampler


@pytest.mark.parametrize("low", LOWS)
@pytest.mark.in_part(3)
def test_it_is_what_minus_infinity_gives(low, honest, tmp_path):
    """The chains are the same, and so is all that is told of them."""
    sampler = sampled(low)
    sampler.run(3000, directory=tmp_path / "run", every=1000)
    run = open_run(tmp_path / "run")
    for method in METHODS:
        right, found = (of.log_evidence(method, 300) for of in (honest, sampler))
        assert abs(found.log_z - LOG_Z) < 5 * found.standard_error + 0.1 * (
            method == "thermodynamic"
        )
        assert found.standard_error < 0.1
        if low <= -1e6:
            assert found[:2] == pytest.approx(right[:2], rel=1e-9)
        opened = run.log_evidence(method, 300)
        assert opened[:3] == found[:3]
        assert opened.per_chain.tolist() == found.per_chain.tolist()
    assert sampler.recommended_ntemps == honest.recommended_ntemps == run.recommended_ntemps
    np.testing.assert_array_equal(sampler.communication_barrier, run.communication_barrier)
    np.testing.assert_allclose(sampler.communication_barrier, honest.communication_barrier, 1e-6)
    assert sampler.summary(300).facts == run.summary(300).facts
    if low <= -1e6:
        assert sampler.summary(300).facts == honest.summary(300).facts


@pytest.mark.parametrize("low", [-1e15, -1e300])
def test_samples_that_the_start_left_are_told(low, tmp_path):
    sampler = sampled(low)
    sampler.start_position = {"x": np.full((6, 4), 7.0)}
    sampler.run(1000, directory=tmp_path / "run")
    for source in (sampler, open_run(tmp_path / "run")):
        with pytest.warns(RuntimeWarning, match="log Z is NaN.*return -inf.*burn_in"):
            found = source.log_evidence("thermodynamic", 0)
        assert isnan(found.log_z)
        assert isnan(found.standard_error)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = source.log_evidence("mbar", 0)
        assert abs(found.log_z - LOG_Z) < 5 * found.standard_error


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("low", [-1e15, -1e300])
@pytest.mark.parametrize("where", [(0, 1, 2), (1, 2), (2,), (0,), (1,)])
def test_a_chain_that_never_found_a_likelihood(method, low, where):
    rng = np.random.default_rng(seed())
    logl = -rng.chisquare(1, (3, 2, 100))
    logl[list(where), 1] = low
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            found = log_evidence(logl, [1, 0.5, 0], method)
        except ValueError as error:
            text = str(error)
        else:
            text = str(said[-1].message)
            assert isnan(found.log_z)
            assert isnan(found.standard_error)
            assert isfinite(found.per_chain[0])
    assert re.search("log Z is NaN.*return -inf.*burn_in|have nothing in common", text)


def test_a_summary_says_why(tmp_path):
    sampler = sampled(-1e300, nchains=2)
    sampler.model = lambda x: (-1e300, 0.0)
    sampler.run(100, directory=tmp_path / "run")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told = {
            dict(source.summary(0).facts)["log Z"]
            for source in (sampler, open_run(tmp_path / "run"))
        }
    (text,) = told
    assert text.startswith("not known: ")


def test_low_likelihoods_that_the_next_temperature_has_too_are_kept():
    rng = np.random.default_rng(seed())
    cold, hot = -rng.chisquare(1, 500) * 50, -rng.chisquare(10, 500) * 100
    assert in_common(hot, cold, 0.01).all()
    assert in_common(-0.5 * rng.uniform(-1e4, 1e4, 500) ** 2, cold, 1e-7).all()
    both = np.where(rng.random(500) < 0.7, -1e5, 0.0)
    assert in_common(both, both, 1e-5).all()
    assert in_common(-1e6 - rng.random(500), cold, 1.0).all()
    assert in_common(np.where(both == 0, 0, -inf), cold, 0.01).tolist() == (both == 0).tolist()


def test_two_populations_at_a_tiny_beta():
    """Where a few of a tempered chain have no likelihood, too, the integral is split there."""
    rng = np.random.default_rng(seed())
    draws = rng.random((3, 20_000)) < np.array([[1.0], [1 / (1 + np.exp(-1))], [0.5]])
    logl = np.where(draws, 0.0, -1e15)
    found = thermodynamic(logl, np.array([1, 1e-15, 0]))
    assert found.log_z == pytest.approx(log(0.5), abs=0.05)


@pytest.mark.parametrize("annealer", [BarrierAnnealer, DynamicalAnnealer])
@pytest.mark.parametrize("low", [-1e10, -1e15, -1e300])
@pytest.mark.in_part(3)
def test_tuned_ladders(annealer, low):
    sampler = sampled(low, 2, adaptive_annealer=annealer(duration=1500))
    sampler.run(3000)
    for method in METHODS:
        found = sampler.log_evidence(method)
        slack = 0.1 if method == "thermodynamic" else 0.0
        assert abs(found.log_z - LOG_Z) < 5 * found.standard_error + slack
        assert found.standard_error < 1


def test_a_picture():
    plots = pytest.importorskip("epsie.plots")
    sampler = sampled(-1e300)
    sampler.run(500)
    figure = plots.evidence(sampler, burn_in=100)
    assert figure.axes[0].get_ylim()[0] > -100
    figure.savefig(BytesIO())
