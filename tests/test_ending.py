"""Ends of a run: evaluations, time, and why it ended."""

import numpy as np
import pytest

import epsie
from epsie.checks import seconds_in
from epsie.proposals import ATAdaptiveNormal, Normal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

PRIOR = {"x": (-1, 1), "y": (-3, 3)}


class Counting:
    """Counts how often it is asked."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x, y):
        self.calls += 1
        return -0.5 * (x * x + y * y)


def made(likelihood=None, **settings):
    posterior = epsie.Posterior(likelihood or Counting(), PRIOR)
    return MetropolisHastingsSampler(posterior, 4, seed=3, **settings)


def test_evaluations_are_those_of_the_likelihood():
    likelihood = Counting()
    sampler = made(likelihood, proposals=[Normal(["x", "y"], cov=4.0)])
    sampler.run(300)
    assert sampler.evaluations == likelihood.calls
    assert likelihood.calls < 0.8 * 4 * 301


def test_evaluations_of_a_plain_model_count_all_its_calls():
    calls = []

    def model(x, y):
        calls.append(x)
        return -0.5 * (x * x + y * y), 0.0 if abs(x) < 1 else -np.inf

    sampler = MetropolisHastingsSampler(["x", "y"], model, 2, seed=1)
    sampler.start_position = {"x": [0.0, 0.1], "y": [0.0, 0.1]}
    sampler.run(100)
    assert sampler.evaluations == len(calls) == 202


@pytest.mark.parametrize("componentwise", [False, True])
def test_evaluations_for_learning_and_skipped_jumps_count_as_they_are(componentwise):
    likelihood = Counting()
    part = ATAdaptiveNormal(["x", "y"], 150, componentwise=componentwise, jump_interval=3)
    posterior = epsie.Posterior(likelihood, PRIOR)
    sampler = ParallelTemperedSampler(posterior, 2, [1, 0.1], proposals=[part], seed=3)
    sampler.run(200)
    assert sampler.evaluations == likelihood.calls


def test_not_a_number_that_is_rejected_was_asked_for():
    likelihood = Counting()

    def sometimes(x, y):
        return float("nan") if x > 0.5 else likelihood(x, y) + 0.0

    sampler = made(sometimes, nan="reject")
    sampler.draw_start({"x": (-1, 0), "y": (-1, 1)})
    sampler.run(200)
    refused = sum(chain.nan_count for chain in sampler.chains)
    assert refused > 0
    assert sampler.evaluations == likelihood.calls + refused


@pytest.mark.parametrize("settings", [{}, {"pool": 2}], ids=str)
def test_a_budget_of_evaluations_ends_at_the_same_iteration_however_it_is_run(settings, tmp_path):
    whole = made()
    whole.run(10_000, max_evaluations=777)
    assert whole.stopped_by == "max_evaluations"
    assert 777 - 4 < whole.evaluations <= 777
    split = made(**settings)
    for n in (5, 100, 10_000):
        split.run(n, max_evaluations=777)
        state = split.state
        split = made(**settings)
        split.set_state(state)
    assert split.evaluations == whole.evaluations
    assert split.niterations == whole.niterations
    saved = made(**settings)
    saved.run(total=10_000, max_evaluations=777, directory=tmp_path / "run")
    assert saved.stopped_by == "max_evaluations"
    for other in (split, saved):
        for name in PRIOR:
            assert (other.current_positions[name] == whole.current_positions[name]).all()
    # A larger one goes on.
    again = MetropolisHastingsSampler.resume(tmp_path / "run", epsie.Posterior(Counting(), PRIOR))
    again.run(10_000, max_evaluations=900)
    whole.run(10_000, max_evaluations=900)
    assert again.evaluations == whole.evaluations
    # A budget that is used up makes none.
    before = again.niterations
    again.run(10_000, max_evaluations=100)
    assert (again.niterations, again.stopped_by) == (before, "max_evaluations")


@pytest.mark.parametrize("directory", [pytest.param(False, marks=pytest.mark.slow), True])
def test_time_ends_a_run_that_goes_on_as_if_it_had_not(directory, tmp_path):
    where = {"directory": tmp_path / "run"} if directory else {}
    sampler = made()
    sampler.run(10**9, max_time="1s", **where)
    assert sampler.stopped_by == "max_time"
    n = sampler.niterations
    assert 0 < n < 10**9
    sampler.run(50, max_time="1d")
    assert sampler.stopped_by == "niterations"
    whole = made()
    whole.run(n + 50)
    for name in PRIOR:
        assert (sampler.current_positions[name] == whole.current_positions[name]).all()


def test_what_ended_a_run_and_what_it_lacks():
    sampler = made()
    assert sampler.stopped_by is None
    assert sampler.lacks() == ""
    sampler.run(200, until={"ess": 1e6})
    assert sampler.stopped_by == "niterations"
    assert "to be 1e+06" in sampler.lacks()
    sampler.run(10**6, until={"ess": 100, "rhat": 1.1}, max_time="1h", max_evaluations=10**8)
    assert sampler.stopped_by == "until"
    assert sampler.lacks() == ""


def test_times():
    assert seconds_in("90s") == 90
    assert seconds_in("20m") == seconds_in("20min") == 1200
    assert seconds_in("3h50m") == seconds_in(" 3h 50 min ") == 13_800
    assert seconds_in("1.5d") == 129_600
    for text in ("", "3", "h", "3 h 5", "-3s", "3hours", "1e3s", "3h,5m"):
        assert seconds_in(text) is None


def test_ends_that_are_refused_change_nothing():
    sampler = made()
    for wrong in ({"max_time": "soon"}, {"max_time": 0}, {"max_time": float("nan")}):
        with pytest.raises(ValueError, match="max_time must be a positive number.*3h50m"):
            sampler.run(10, **wrong)
    for wrong in (0, 1.5):
        with pytest.raises(ValueError, match="max_evaluations"):
            sampler.run(10, max_evaluations=wrong)
    with pytest.raises(TypeError, match="max_evaluations"):
        sampler.run(10, max_evaluations="many")
    assert sampler.niterations == 0
