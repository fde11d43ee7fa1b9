"""The text that makes a run again."""

import numpy as np
import pytest
from scipy import stats

import epsie
from epsie import MetropolisHastingsSampler, ParallelTemperedSampler, Posterior, Prior
from epsie import proposals as p
from epsie.tempering.annealing import DynamicalAnnealer

PRIOR = Prior(x=(-5, 5), y=stats.norm(0, 3), k=stats.randint(0, 4), phase=epsie.Angle())
START = {"x": [0.5, -1.0, 2.0], "y": [0.0, 1e-3, 1.0]}


def log_likelihood(x, y, k, phase):
    return -x * x / 2 - (y - k) ** 2 + np.cos(phase)


def model(x, y):
    return -x * x / 2 - y * y, 0.0


def made_again(text, **yours):
    made = {"__name__": "again", **yours}
    exec(compile(text, "recipe", "exec"), made)
    return made["sampler"]


def plain(**settings):
    parts = [
        p.BoundedNormal(["x"], {"x": (-np.inf, 9.0)}, cov=[0.5]),
        p.AdaptiveNormal(["y"], {"y": 8.0}, 50, initial_std=[0.3]),
    ]
    sampler = MetropolisHastingsSampler(
        ["x", "y"], model, 3, proposals=parts, seed=4, bit_generator="MT19937", **settings
    )
    sampler.start_position = START
    return sampler


def of_posterior(kind=MetropolisHastingsSampler, **settings):
    return kind(Posterior(log_likelihood, PRIOR), nchains=4, seed=3, **settings)


def tempered():
    ladder = {"betas": [1, 0.4, 0], "adaptive_annealer": DynamicalAnnealer(30, duration=40)}
    return of_posterior(ParallelTemperedSampler, **ladder, swap_interval=2, swap_scheme="deo")


ALONE = p.Learned(["x", "y", "phase"], periods={"phase": 2 * np.pi}, pooled=False)
MADE = {
    "plain": (plain, {"model": model, "start_position": START}),
    "posterior": (of_posterior, {"log_likelihood": log_likelihood, "prior": PRIOR}),
    "tempered": (tempered, {"log_likelihood": log_likelihood, "prior": PRIOR}),
    "part": (
        lambda: of_posterior(chains=[1, 3], proposals=ALONE),
        {"log_likelihood": log_likelihood, "prior": PRIOR},
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_the_text_makes_the_same_run(name, tmp_path):
    make, yours = MADE[name]
    sampler = make()
    sampler.run(50)
    sampler.run(20)
    again = made_again(sampler.recipe(), **yours)
    assert again.positions.tobytes() == sampler.positions.tobytes()
    assert again.settings.keys() == sampler.settings.keys()
    saved = make()
    saved.run(70, directory=tmp_path / "run")
    for source in (saved, epsie.open_run(tmp_path / "run")):
        assert source.recipe() == sampler.recipe()


def test_of_sample():
    run = epsie.sample(
        log_likelihood, PRIOR, nchains=2, seed=7, until=None, max_evaluations=3000, progress=False
    )
    text = run.recipe()
    assert run.settings["seed"] == 7 and "seed=7" in text
    again = made_again(text, log_likelihood=log_likelihood, prior=PRIOR)
    assert again.positions.tobytes() == run.positions.tobytes()


def test_what_cannot_be_written_is_said(tmp_path):
    class Mine(p.Normal):
        pass

    sampler = MetropolisHastingsSampler("x", lambda x: (-x * x, 0.0), 2, proposals=Mine(["x"]))
    with pytest.raises(ValueError, match="Mine.*class of your own"):
        sampler.recipe()
    runs = []
    for seed in (1, 2):
        runs.append(tmp_path / str(seed))
        one = MetropolisHastingsSampler(Posterior(log_likelihood, PRIOR), nchains=2, seed=seed)
        one.run(5, directory=runs[-1])
    with pytest.raises(ValueError, match="each of them"):
        epsie.open_run(runs).recipe()
    again = plain()
    again.run(5)
    again.clear()
    with pytest.raises(ValueError, match="not a whole run"):
        again.recipe()
