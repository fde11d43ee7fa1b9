"""Simulation-based calibration: right for what is right, and planted errors are found."""

from functools import partial

import numpy as np
import pytest
from scipy import stats

import epsie
from epsie.samplers.calibration import LEVELS, Calibration

PRIOR = epsie.Prior(mean=stats.norm(0, 1), k=stats.randint(0, 4))


def simulate(rng, mean, k):
    return mean + 0.3 * k + 0.8 * rng.standard_normal(5)


def log_likelihood(data, sd, mean, k):
    return -0.5 * float(((data - mean - 0.3 * k) ** 2).sum()) / sd**2 - len(data) * np.log(sd)


def log_likelihood_of(data, sd=0.8):
    return partial(log_likelihood, data, sd)


QUICK = {"until": {"ess": 60}, "max_evaluations": 5000, "nchains": 2, "seed": 1, "pool": 2}


@pytest.mark.slow
def test_what_is_right_is_called_right():
    found = epsie.calibrate(simulate, log_likelihood_of, PRIOR, n=60, **QUICK)
    assert set(found.ranks) == {"mean", "k", "log likelihood"}
    assert found.n == 60
    assert found.is_right, str(found)
    assert "false-alarm rate 0.001" in str(found)
    assert all(0 <= ranks.min() <= ranks.max() <= LEVELS for ranks in found.ranks.values())


@pytest.mark.slow
@pytest.mark.parametrize("wrong", ["likelihood", "prior"])
def test_planted_errors_are_found(wrong):
    if wrong == "likelihood":
        found = epsie.calibrate(simulate, partial(log_likelihood_of, sd=0.2), PRIOR, n=30, **QUICK)
    else:

        class Elsewhere(epsie.Prior):
            """Its density is not that of its draws."""

            def log_density(self, values):
                return super().log_density(values) + 5 * values["mean"]

        found = epsie.calibrate(
            simulate, log_likelihood_of, Elsewhere(PRIOR.config["parameters"]), n=30, **QUICK
        )
    assert not found.is_right
    assert str(found).startswith("THE RANKS ARE NOT UNIFORM")


def test_the_verdict_has_its_false_alarm_rate():
    rng = np.random.default_rng(3)
    alarms = 0
    for _ in range(2000):
        ranks = {name: rng.integers(LEVELS + 1, size=120) for name in "abc"}
        alarms += not Calibration(ranks, LEVELS, 0, 0.02).is_right
    # 40 are due at most (Bonferroni); more than 70 would be a chance of 1e-5.
    assert 10 < alarms < 70
    few = {str(i): rng.integers(LEVELS + 1, size=30) for i in range(20_000)}
    assert sum(p < 0.01 for p in Calibration(few, LEVELS, 0, 1e-3).p_values.values()) < 265
    shifted = {"a": np.minimum(rng.integers(LEVELS + 1, size=120) + 5, LEVELS)}
    assert not Calibration(shifted, LEVELS, 0, 1e-3).is_right


@pytest.mark.parametrize(("factor", "shift", "n"), [(0.4, 0, 30), (2.5, 0, 60), (1, 1.2, 30)])
def test_widths_and_places_that_are_wrong_are_seen_in_few_simulations(factor, shift, n):
    """Posteriors too narrow have ranks at both ends, of which few bins tell nothing."""
    rng, seen = np.random.default_rng(4), 0
    for _ in range(50):
        truth, draws = rng.standard_normal(n), rng.standard_normal((n, LEVELS))
        ranks = (shift + factor * draws < truth[:, np.newaxis]).sum(axis=1)
        seen += not Calibration({"x": ranks}, LEVELS, 0, 1e-3).is_right
    assert seen > 40


@pytest.mark.slow
def test_a_simulation_is_the_same_on_any_pool():
    settings = {"until": None, "max_evaluations": 300, "nchains": 2, "seed": 4, "n": 30}
    serial, pooled = (
        epsie.calibrate(simulate, log_likelihood_of, PRIOR, **settings, pool=pool)
        for pool in (None, 2)
    )
    for name, ranks in serial.ranks.items():
        assert (ranks == pooled.ranks[name]).all()
    assert serial.unfinished == 30
    assert "30 posteriors were unfinished" in str(serial)


def test_its_picture():
    from epsie import plots

    rng = np.random.default_rng(3)
    ranks = {name: rng.integers(LEVELS + 1, size=200) for name in ("a", r"$\foo$", "b", "c", "d")}
    figure = plots.calibration(Calibration(ranks, LEVELS, 0, 1e-3))
    assert "uniform" in figure.get_suptitle()
    figure.canvas.draw()


def test_what_is_refused():
    from epsie import plots

    with pytest.raises(ValueError, match="n must be at least 30"):
        epsie.calibrate(simulate, log_likelihood_of, PRIOR, n=3)
    with pytest.raises(TypeError, match="two functions, .*; got 3 of type int"):
        epsie.calibrate(3, log_likelihood_of, PRIOR)
    with pytest.raises(TypeError, match="epsie.calibrate gave; got 3 of type int"):
        plots.calibration(3)
    with pytest.raises(ValueError, match="false_alarm must lie between"):
        epsie.calibrate(simulate, log_likelihood_of, PRIOR, false_alarm=1.0)
