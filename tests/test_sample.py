"""`epsie.sample`: right posteriors and evidence with nothing chosen; going on; what is refused."""

from math import cos, exp, lgamma, log, pi, sin, sqrt

import numpy as np
import pytest
from scipy import stats

import epsie
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler


class Change:
    """Counts of events whose rate changes once; the exact posterior of when by sums."""

    def __init__(self):
        rng = np.random.default_rng(6)
        self.n = 60
        counts = np.concatenate([rng.poisson(4, 25), rng.poisson(2.5, 35)])
        self.sums = np.concatenate([[0], np.cumsum(counts)]).tolist()
        self.constant = -sum(lgamma(count + 1) for count in counts)
        self.prior = epsie.Prior(
            k=stats.randint(1, self.n), r1=stats.expon(scale=3), r2=stats.expon(scale=3)
        )

    def __call__(self, k, r1, r2):
        before, after = self.sums[k], self.sums[-1] - self.sums[k]
        logl = before * log(r1) - k * r1 + after * log(r2) - (self.n - k) * r2
        return logl + self.constant

    def exact(self):
        """The mean of k, and log Z."""
        ks = np.arange(1, self.n)
        logs = np.array([self._of(k) for k in ks])
        weights = np.exp(logs - logs.max())
        log_z = logs.max() + log(weights.mean()) + self.constant - 2 * log(3)
        return float(weights @ ks / weights.sum()), log_z

    def _of(self, k):
        before, after = self.sums[k], self.sums[-1] - self.sums[k]
        first = lgamma(before + 1) - (before + 1) * log(k + 1 / 3)
        return first + lgamma(after + 1) - (after + 1) * log(self.n - k + 1 / 3)


@pytest.mark.slow
def test_a_change_point_is_right_by_default():
    change = Change()
    run = epsie.sample(change, change.prior, seed=1, until={"ess": 300, "rhat": 1.02})
    mean, log_z = change.exact()
    assert run.stopped_by == "until"
    assert run.lacks() == ""
    draws = run.positions["k"][0, :, run.niterations // 4 :]
    assert abs(draws.mean() - mean) < 4 * run.mcse_mean()["k"]
    found = run.log_evidence()
    assert abs(found.log_z - log_z) < 4 * found.standard_error
    assert found.standard_error < 0.15
    assert draws.dtype == np.int64


@pytest.mark.slow
def test_a_line_with_outliers_is_right_by_default():
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(0, 10, 30))
    s = rng.uniform(0.3, 0.8, 30)
    y = 2 * x + 1 + s * rng.standard_normal(30)
    bad = rng.choice(30, 5, replace=False)
    y[bad] = rng.normal(15, 10, 5)

    def log_likelihood(m, b, pb, yb, log_vb):
        v, vb = s**2, s**2 + np.exp(log_vb)
        good = np.log1p(-pb) - 0.5 * np.log(2 * pi * v) - 0.5 * (y - m * x - b) ** 2 / v
        out = np.log(pb) - 0.5 * np.log(2 * pi * vb) - 0.5 * (y - yb) ** 2 / vb
        return np.logaddexp(good, out).sum()

    wide = stats.norm(0, 10)
    prior = epsie.Prior(m=wide, b=wide, pb=(0, 1), yb=stats.norm(10, 20), log_vb=(-5, 10))
    run = epsie.sample(log_likelihood, prior, until={"ess": 8000, "rhat": 1.01}, seed=2, pool=2)
    found = run.log_evidence()
    assert run.stopped_by == "until"
    # Of a long run, +- 0.06.
    assert abs(found.log_z + 60.21) < 4 * np.hypot(found.standard_error, 0.06)
    assert found.standard_error < 0.15


@pytest.mark.slow
def test_a_periodic_signal_is_right_by_default():
    rng = np.random.default_rng(3)
    t = np.sort(rng.uniform(0, 20, 40))
    y = 0.8 * np.cos(2 * pi * 1.3 * t + 0.1) + rng.normal(0, 1.0, 40)

    def log_likelihood(f, phase, a):
        residual = y - a * np.cos(2 * pi * f * t + phase)
        return -0.5 * residual @ residual - 40 * log(sqrt(2 * pi))

    prior = epsie.Prior(f=(0.1, 3), phase=epsie.Angle(), a=stats.halfnorm())
    run = epsie.sample(log_likelihood, prior, seed=2, pool=2)
    found = run.log_evidence()
    assert abs(found.log_z + 63.261) < 4 * found.standard_error
    assert found.standard_error < 0.05


def shell(x, y):
    return -0.5 * ((sqrt(x * x + y * y) - 2) / 0.3) ** 2


PRIOR = {"x": (-5, 5), "y": (-5, 5)}


KAPPA, POLE = 100.0, pi / 2 - 0.02


def of_direction(ra, dec):
    """A von Mises-Fisher distribution about a place near the pole, 1 there."""
    apart = sin((dec - POLE) / 2) ** 2 + cos(dec) * cos(POLE) * sin((ra - 1) / 2) ** 2
    return -2 * KAPPA * apart


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("isotropic", [True, False])
def test_a_direction_near_the_pole_is_learned(isotropic):
    """Fails by chance once in 10,000; a uniform declination is the planted defect."""
    angles = {"ra": epsie.Angle(), "dec": (-pi / 2, pi / 2)}
    prior = {"sky": epsie.Direction("ra", "dec")} if isotropic else angles
    run = epsie.sample(of_direction, prior, seed=1, max_evaluations=40_000)
    assert run.stopped_by == "until"
    found = run.log_evidence()
    error = found.log_z - log((1 - exp(-2 * KAPPA)) / (2 * KAPPA))
    assert (abs(error) < 4 * found.standard_error) == isotropic
    draws = run.draws(flat=True)
    away = KAPPA * (1 - np.sin(draws["dec"]) * sin(POLE))
    away -= KAPPA * np.cos(draws["dec"]) * cos(POLE) * np.cos(draws["ra"] - 1)
    # Exponential with mean and standard deviation 1, of 700 effective draws at least.
    assert (abs(away.mean() - 1) < 4 / sqrt(700)) == isotropic


@pytest.mark.slow
def test_the_same_line_goes_on_with_a_directory(tmp_path):
    directory = tmp_path / "run"
    first = epsie.sample(shell, PRIOR, seed=3, directory=directory, max_evaluations=3500)
    assert first.stopped_by == "max_evaluations"
    assert first.lacks() != ""
    again = epsie.sample(shell, PRIOR, directory=directory, max_evaluations=5000, pool=2)
    assert again.niterations > first.niterations
    whole = epsie.sample(shell, PRIOR, seed=3, max_evaluations=5000)
    for name in PRIOR:
        assert (again.current_positions[name] == whole.current_positions[name]).all()
    # What differs is named; nothing is changed.
    for other, text in (
        ({"nchains": 5}, "nchains: the run has 16, now it is 5"),
        ({"seed": 4}, "seed: the run has 3, now it is 4"),
        ({"nan": "reject"}, "nan: the run has raise, now it is reject"),
        ({"tempered": True}, "metropolis_hastings.*parallel_tempered"),
    ):
        with pytest.raises(epsie.RunDirectoryError, match=text):
            epsie.sample(shell, PRIOR, directory=directory, max_evaluations=10_000, **other)
    with pytest.raises(epsie.RunDirectoryError, match=r"parameters: the run has.*\['q'\]"):
        epsie.sample(lambda q: -q, {"q": (0, 1)}, directory=directory)
    with pytest.raises(epsie.RunDirectoryError, match="prior"):
        epsie.sample(shell, {**PRIOR, "y": (-5, 6)}, directory=directory, max_evaluations=10_000)


def test_plain_chains_on_demand(tmp_path):
    run = epsie.sample(
        lambda x: -0.5 * x * x, {"x": (-9, 9)}, tempered=False, seed=1, directory=tmp_path / "run"
    )
    assert type(run) is MetropolisHastingsSampler
    assert run.nchains == 16
    again = epsie.sample(lambda x: -0.5 * x * x, {"x": (-9, 9)}, directory=tmp_path / "run")
    assert type(again) is MetropolisHastingsSampler
    assert again.niterations == run.niterations


def test_plain_chains_are_another_run_than_annealed_ones(tmp_path):
    line = {"directory": tmp_path / "run", "until": None, "nchains": 4, "seed": 1}
    run = epsie.sample(lambda x: -0.5 * x * x, {"x": (-9, 9)}, max_evaluations=1600, **line)
    assert run.annealed.done
    with pytest.raises(epsie.RunDirectoryError, match="the run has None, an annealed start, now"):
        epsie.sample(
            lambda x: -0.5 * x * x, {"x": (-9, 9)}, max_evaluations=1800, tempered=False, **line
        )


def test_a_flat_likelihood_has_two_temperatures_more():
    run = epsie.sample(lambda x: 0.0, {"x": (0, 1)}, seed=1, max_evaluations=4000, tempered=True)
    assert type(run) is ParallelTemperedSampler
    assert run.betas[0, 0] == 1
    assert run.betas[0, -1] == 0


@pytest.mark.parametrize("tempered", [None, True, False])
def test_nan_can_be_rejected(tempered, tmp_path):
    def partly(x):
        return -x * x / 2 if abs(x - 1) > 0.5 else float("nan")

    settings = {"nchains": 4, "seed": 1, "until": None, "max_evaluations": 4000}
    settings |= {"tempered": tempered, "directory": tmp_path / "run"}
    run = epsie.sample(partly, {"x": (-5, 5)}, nan="reject", **settings)
    assert (abs(run.draws()["x"] - 1) > 0.5).all()
    assert "nan='reject'" in run.recipe()
    # As the run in the directory does.
    settings["max_evaluations"] = 5000
    assert epsie.sample(partly, {"x": (-5, 5)}, **settings).nan == "reject"
    with pytest.raises(epsie.ModelError, match="nan='reject'"):
        epsie.sample(partly, {"x": (-5, 5)}, **{**settings, "directory": None})


def test_what_is_refused():
    with pytest.raises(ValueError, match="nan must be 'raise' or 'reject'; got 'ignore'"):
        epsie.sample(shell, PRIOR, nan="ignore")
    with pytest.raises(ValueError, match="nothing ends the run"):
        epsie.sample(shell, PRIOR, until=None)
    with pytest.raises(TypeError, match="does not cover"):
        epsie.sample(shell, {"x": (0, 1)})
    with pytest.raises(ValueError, match="until must have"):
        epsie.sample(shell, PRIOR, until={"ESS": 3})
    with pytest.raises(TypeError, match="likelihood comes first"):
        epsie.sample(epsie.Prior(PRIOR), shell)
