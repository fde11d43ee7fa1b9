"""Samplers of a posterior: what they take from it, and that the samples are right."""

from math import log

import numpy as np
import pytest
from scipy import stats

import epsie
from epsie.proposals import Learned, Normal, SSAdaptiveBoundedDiscrete
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

PRIOR = epsie.Prior(
    k=stats.randint(1, 60),
    rate=stats.expon(scale=3),
    phase=epsie.Angle(),
    n=stats.poisson(4),
    sky=epsie.Direction("ra", "dec"),
    sigma=0.5,
)


def log_likelihood(k, rate, phase, n, ra, dec, sigma):
    assert k.__class__ is int
    assert n.__class__ is int
    return -0.5 * ((rate - 2) ** 2 + (k - 30) ** 2 / 25) / sigma**2 + np.cos(phase), {
        "double": 2 * k
    }


POSTERIOR = epsie.Posterior(log_likelihood, PRIOR)


def test_both_samplers_take_it_as_the_first_argument_or_as_the_model():
    for sampler in (
        MetropolisHastingsSampler(POSTERIOR, 3),
        MetropolisHastingsSampler(POSTERIOR, nchains=3),
        MetropolisHastingsSampler(parameters=POSTERIOR, nchains=3),
        MetropolisHastingsSampler(list(POSTERIOR.parameters)[::-1], POSTERIOR, 3),
        ParallelTemperedSampler(POSTERIOR, 3, [1, 0.1]),
        ParallelTemperedSampler(POSTERIOR, nchains=3, betas=[1, 0.1]),
    ):
        assert sampler.nchains == 3
        assert sampler.model is POSTERIOR
        assert set(sampler.parameters) == set(PRIOR.parameters)
    with pytest.raises(ValueError, match="those of the posterior, k, rate"):
        MetropolisHastingsSampler(["a"], POSTERIOR, 3)
    with pytest.raises(TypeError, match="got a model, too"):
        MetropolisHastingsSampler(POSTERIOR, nchains=3, model=POSTERIOR)


def test_proposals_go_by_kind():
    sampler = MetropolisHastingsSampler(POSTERIOR, 3)
    by_name = {name: part for part in sampler.proposals for name in part.parameters}
    assert isinstance(by_name["rate"], Learned)
    assert by_name["rate"] is by_name["phase"]
    assert isinstance(by_name["k"], SSAdaptiveBoundedDiscrete)
    assert by_name["ra"] is by_name["dec"] is by_name["rate"]
    assert by_name["ra"].periods() == {"phase": 2 * np.pi, "ra": 2 * np.pi}
    assert by_name["n"].discrete
    degrees = epsie.Posterior(lambda a: 0.0, {"a": epsie.Angle(-180, 180)})
    (turning,) = MetropolisHastingsSampler(degrees, 1).proposals
    assert turning.periods() == {"a": 360.0}
    # What is given stays, and the rest goes by kind; a default is taken for all.
    some = MetropolisHastingsSampler(POSTERIOR, 3, proposals=[Normal(["rate"])])
    assert sum(isinstance(part, Normal) and len(part.parameters) == 1 for part in some.proposals)
    assert len(some.proposals) == len(sampler.proposals) + 1
    plain = epsie.Posterior(lambda x: -x * x, {"x": (-3, 3)})
    assert type(MetropolisHastingsSampler(plain, 1, default_proposal=Normal).proposals[0]) is Normal


def test_a_directory_begun_by_default_knows_the_default_of_then(tmp_path, monkeypatch):
    """Another default, as of a later version, is refused by name; a resumed run keeps its own."""

    def made():
        sampler = MetropolisHastingsSampler(["x"], lambda x: (-x * x / 2, 0.0), 2, seed=1)
        sampler.start_position = {"x": [0.0, 1.0]}
        return sampler

    made().run(10, directory=tmp_path / "run")
    whole = made()
    whole.run(20)
    monkeypatch.setattr("epsie.samplers.from_posterior.Learned", Normal)
    with pytest.raises(epsie.RunDirectoryError, match="the run has 'Learned', this .* 'Normal'"):
        made().run(total=20, directory=tmp_path / "run")
    resumed = MetropolisHastingsSampler.resume(tmp_path / "run", whole.model)
    resumed.run(10)
    assert (epsie.open_run(tmp_path / "run").positions == whole.positions).all()


def test_starts_are_drawn_and_the_same_for_the_same_seed(tmp_path):
    runs = []
    for directory in (None, tmp_path / "run"):
        sampler = MetropolisHastingsSampler(POSTERIOR, 3, seed=4)
        sampler.run(20, directory=directory)
        runs.append(sampler.positions)
    assert (runs[0] == runs[1]).all()
    explicit = MetropolisHastingsSampler(POSTERIOR, 3, seed=4)
    explicit.draw_start(PRIOR)
    explicit.run(20)
    assert (explicit.positions == runs[0]).all()
    assert runs[0].dtype["k"] == np.int64


def test_a_start_is_drawn_anew_where_the_likelihood_vanishes():
    def upper(x):
        return 0.0 if x > 2 else -np.inf

    sampler = MetropolisHastingsSampler(epsie.Posterior(upper, {"x": (0, 3)}), 20, seed=1)
    sampler.run(1)
    assert (sampler.start_position["x"] > 2).all()


def test_draw_start_takes_what_a_prior_takes():
    sampler = MetropolisHastingsSampler(["x", "y"], lambda x, y: (0.0, 0.0), 5, seed=1)
    sampler.draw_start({"x": (2, 3), "y": epsie.Angle()})
    assert ((sampler.start_position["x"] > 2) & (sampler.start_position["x"] < 3)).all()
    sampler.draw_start(epsie.Prior(x=(4, 5), y=lambda x: (x, x + 1)))
    assert (sampler.start_position["y"] > sampler.start_position["x"]).all()
    with pytest.raises(ValueError, match="missing: y"):
        sampler.draw_start(epsie.Prior(x=(4, 5)))


def test_resume_and_a_directory_know_the_prior(tmp_path):
    sampler = ParallelTemperedSampler(POSTERIOR, 2, [1, 0.3, 0], seed=4)
    sampler.run(30, directory=tmp_path / "run")
    again = ParallelTemperedSampler.resume(tmp_path / "run", POSTERIOR, pool=2)
    again.run(33)
    whole = ParallelTemperedSampler(POSTERIOR, 2, [1, 0.3, 0], seed=4)
    whole.run(63)
    for name in PRIOR.parameters:
        assert (again.current_positions[name] == whole.current_positions[name]).all()
    # Another prior of the same parameters is refused by name.
    wider = epsie.Prior({**PRIOR.config["parameters"], "rate": stats.expon(scale=4)})
    other = ParallelTemperedSampler(epsie.Posterior(log_likelihood, wider), 2, [1, 0.3, 0], seed=4)
    with pytest.raises(epsie.RunDirectoryError, match="prior.*expon.*3.*expon.*4"):
        other.run(total=100, directory=tmp_path / "run")


def test_the_prior_is_drawn_independently_at_beta_zero():
    sampler = ParallelTemperedSampler(POSTERIOR, 3, [1, 0.3, 0], seed=5)
    sampler.run(700)
    hottest = sampler.acceptance["accepted"][-1]
    assert hottest.all()
    proposed = sampler.positions[-1]
    assert proposed.dtype["k"] == np.int64
    # Swaps carry points of the next temperature there; most rows are draws (false alarms: 1e-6).
    fresh = sampler.positions["rate"][-1].ravel()
    assert stats.kstest(fresh, stats.expon(scale=3).cdf).pvalue > 1e-6
    alone = ParallelTemperedSampler(POSTERIOR, 2, [1, 0], seed=5, swap_interval=10**6)
    alone.run(2000)
    drawn = alone.positions[-1]
    for name, cdf in (("rate", stats.expon(scale=3).cdf), ("phase", lambda x: x / (2 * np.pi))):
        assert stats.kstest(drawn[name].ravel(), cdf).pvalue > 1e-6
    lag = np.corrcoef(drawn["rate"][:, 1:].ravel(), drawn["rate"][:, :-1].ravel())[0, 1]
    assert abs(lag) < 5 / np.sqrt(4000)


def test_pools_and_splits_give_the_same_bits_with_draws_from_the_prior():
    whole = ParallelTemperedSampler(POSTERIOR, 3, [1, 0.3, 0], seed=6, pool=2)
    whole.run(100)
    split = ParallelTemperedSampler(POSTERIOR, 3, [1, 0.3, 0], seed=6)
    for n in (1, 6, 30, 40, 23):
        split.run(n)
        split.set_state(split.state)
    for name in PRIOR.parameters:
        assert (split.current_positions[name] == whole.current_positions[name]).all()


def test_workers_get_functions_of_a_prior_with_the_model():
    def sampler(pool):
        prior = epsie.Prior(x=(-1, 1), y=lambda x: (-2, x), where=lambda x, y: x > 2 * y)
        posterior = epsie.Posterior(lambda x, y: -x * x, prior)
        return ParallelTemperedSampler(posterior, nchains=2, betas=[1, 0], seed=1, pool=pool)

    serial, parallel = sampler(None), sampler(2)
    for each in (serial, parallel):
        each.run(50)
    np.testing.assert_array_equal(serial.positions["y"], parallel.positions["y"])


def test_another_model_at_beta_zero_must_be_a_posterior_too():
    sampler = ParallelTemperedSampler(POSTERIOR, 3, [1, 0.3, 0], seed=6)
    sampler.run(5)
    with pytest.raises(TypeError, match="must be a Posterior"):
        sampler.model = lambda **x: (0.0, 0.0)
    sampler.model = epsie.Posterior(lambda **x: (0.0, {"double": 1}), PRIOR)
    sampler.run(5)


def test_a_normal_likelihood_gives_the_exact_evidence():
    posterior = epsie.Posterior(lambda x: -0.5 * (x / 0.1) ** 2, {"x": (-5, 5)})
    betas = [1, 0.3, 0.1, 0.03, 0.003, 0]
    sampler = ParallelTemperedSampler(posterior, 4, betas, seed=1)
    sampler.run(2000)
    found = sampler.log_evidence(burn_in=500)
    exact = log(0.1 * np.sqrt(2 * np.pi) / 10)
    assert abs(found.log_z - exact) < 4.5 * found.standard_error
    assert found.standard_error < 0.08
