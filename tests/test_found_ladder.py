"""Tempered samplers that find their ladder: modes, evidence, bits, and what is refused."""

import math

import numpy as np
import pytest

import epsie
from epsie.cli.commands import main
from epsie.copying import same
from epsie.samplers import ParallelTemperedSampler
from tests.statistical import seed

PRIOR = dict.fromkeys("ab", (-20, 20))
LOG_Z = -2 * math.log(40)
"""Of two normalised peaks, well inside of the prior."""


def two_peaks(a, b):
    """Fourteen standard deviations apart, with 0.3 and 0.7 of the mass."""
    below = math.log(0.3) - 0.5 * ((a + 5) ** 2 + (b + 5) ** 2)
    above = math.log(0.7) - 0.5 * ((a - 5) ** 2 + (b - 5) ** 2)
    high = max(below, above)
    return high + math.log1p(math.exp(-abs(below - above))) - math.log(2 * math.pi)


N = 150
POSTERIOR = epsie.Posterior(two_peaks, PRIOR)


def sampler(nchains=4, pool=None, **settings):
    return ParallelTemperedSampler(
        POSTERIOR, nchains=nchains, pool=pool, **{"seed": seed(), **settings}
    )


@pytest.fixture(scope="module")
def whole():
    made = sampler()
    made.run(N)
    return made


def test_modes_and_the_evidence(whole):
    betas = whole.betas
    assert betas.shape == (4, whole.ntemps) and whole.ntemps > 2
    assert (betas[:, 0] == 1).all() and (betas[:, -1] == 0).all()
    assert whole.swap_interval == whole.ntemps - 1
    # At least 100 effective draws: a false alarm is less than 1e-4 probable.
    assert (whole.positions["a"][0, :, 20:] < 0).mean() == pytest.approx(0.3, abs=0.2)
    found = whole.log_evidence()
    assert found.method == "mixture"
    assert abs(found.log_z - LOG_Z) < 5 * found.standard_error < 0.6
    assert found.per_level.shape == (whole.ntemps,)
    assert found.per_level[0] == found.log_z and found.per_level[-1] == 0
    text = str(whole.summary())
    assert "annealed" in text and "mixture" in text


def test_draws_of_all_temperatures(whole):
    found = whole.draws(weighted=True)
    assert found["a"].shape == found.weights.shape == found.logl.shape
    assert found.weights.sum() == pytest.approx(1)
    assert len(found["a"]) > whole.draws(burn_in=found.burn_in.iteration, flat=True)["a"].size
    # At least 200 effective draws: a false alarm is less than 1e-4 probable.
    assert np.average(found["a"] < 0, weights=found.weights) == pytest.approx(0.3, abs=0.13)
    with pytest.raises(ValueError, match="thin"):
        whole.draws(weighted=True, thin=2)


def test_half_of_the_steps_are_cold(whole):
    """The others rest until a sweep; at beta = 0 each step is then an independent draw."""
    sweep = np.arange(1, N + 1) % whole.swap_interval == 0
    ratios = whole.acceptance["acceptance_ratio"]
    # A jump out of the prior's bounds is none.
    assert np.isfinite(ratios[0]).mean() > 0.9
    assert np.isnan(ratios[1:, :, ~sweep]).all()
    assert (ratios[-1][:, sweep] == 1).all()
    made = whole.evaluations - whole.annealed.evaluations
    cold = sum(chain.chains[0].evaluations for chain in whole.chains)
    assert 0.45 < cold / made < 0.6


def test_a_split_run_is_the_same(tmp_path):
    once = sampler(nchains=2)
    once.run(9)
    made = sampler(nchains=2)
    made.run(4)
    made.run(5, directory=tmp_path / "run")
    assert same(made.state, once.state)
    resumed = ParallelTemperedSampler.resume(tmp_path / "run", POSTERIOR)
    assert same(resumed.state, once.state)
    with pytest.raises(SystemExit) as end:
        main(["verify", str(tmp_path / "run")])
    assert not end.value.code


@pytest.mark.slow
def test_pools_splits_and_resumes_in_any_phase(whole, tmp_path):
    most = whole.annealed.evaluations
    for number, budget in enumerate((most // 2, most + 8 * 80)):
        directory = tmp_path / str(number)
        first = sampler()
        first.run(10_000, directory=directory, max_evaluations=budget)
        assert first.stopped_by == "max_evaluations"
        assert first.evaluations <= budget
        opened = epsie.open_run(directory)
        again = ParallelTemperedSampler.resume(directory, POSTERIOR, pool=2 if number else None)
        assert again.evaluations == first.evaluations == opened._source.evaluations
        again.run(total=N)
        assert same(again.state, whole.state)
        opened.refresh()
        assert opened.ntemps == whole.ntemps
        assert repr(opened.log_evidence()) == repr(whole.log_evidence())
        assert np.array_equal(opened.positions, whole.positions)
        both = (run.draws(weighted=True).weights for run in (opened, whole))
        assert np.array_equal(*both)
        assert np.array_equal(opened.betas, whole.betas)


def test_a_state_brings_its_ladder(whole):
    made = sampler(seed=99)
    with pytest.raises(ValueError, match="not found yet"):
        _ = made.betas
    made.set_state(whole.state)
    assert np.array_equal(made.betas, whole.betas)
    made.run(10)
    other = sampler()
    other.set_state(whole.state)
    other.run(10)
    assert same(other.state, made.state)


def test_a_prior_of_which_little_has_a_likelihood():
    def disc(a, b):
        return -a if a * a + b * b < 1 else -math.inf

    made = ParallelTemperedSampler(epsie.Posterior(disc, PRIOR), nchains=4, seed=seed())
    made.run(80)
    assert made.annealed.live_share < 0.1
    found = made.log_evidence()
    # The integral of exp(-a) over the disc is 2 pi I_1(1).
    assert abs(found.log_z - math.log(3.5509 / 1600)) < 5 * found.standard_error < 1


def test_a_budget_below_the_first_draws_is_refused(tmp_path):
    made = sampler()
    with pytest.raises(ValueError, match="max_evaluations=100 is less than the 256 draws"):
        made.run(50, max_evaluations=100, directory=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    made.run(50, max_evaluations=256, directory=tmp_path / "run")
    assert made.stopped_by == "max_evaluations" and made.evaluations == 256
    with pytest.raises(ValueError, match="not found yet"):
        _ = made.ntemps


def test_its_recipe_makes_it_again():
    made = sampler(nchains=2)
    made.run(5)
    known = {"log_likelihood": two_peaks, "prior": PRIOR}
    exec(made.recipe(), known)
    assert same(known["sampler"].state, made.state)


def test_what_is_refused():
    with pytest.raises(TypeError, match="needs betas.*Posterior"):
        ParallelTemperedSampler(["a", "b"], two_peaks, 4)
    with pytest.raises(ValueError, match="swap_interval needs betas"):
        sampler(swap_interval=3)
    made = sampler()
    with pytest.raises(ValueError, match="give betas="):
        made.swap_interval = 2
    with pytest.raises(ValueError, match="betas"):
        made.start_position = {"a": np.zeros((2, 4)), "b": np.zeros((2, 4))}
