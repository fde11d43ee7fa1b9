"""The statistical tests themselves: their false alarms are as rare as stated, and they see."""

import numpy as np
import pytest
from scipy import stats

from tests.statistical import (
    Continuous,
    Discrete,
    Plan,
    assert_power,
    check_draws,
    check_invariance,
    corrected,
    generator,
    judge_draws,
    seed,
    sequential,
)

NORMAL = {"x": Continuous("x", stats.norm.cdf)}


def draw_normal(rng, size):
    return {"x": rng.standard_normal(size)}


def metropolis(rng, steps, scale=2.5, power=1.0, hastings=0.0):
    """A hand-written Metropolis walk on the unit normal, with room for defects."""

    def transition(position):
        x = position["x"]
        for _ in range(steps):
            y = x + scale * rng.standard_normal() + hastings
            if np.log(rng.random()) <= power * 0.5 * (x * x - y * y):
                x = y
        return {"x": x}

    return transition


def test_seed_follows_the_environment(monkeypatch):
    monkeypatch.setenv("EPSIE_TEST_SEED", "12")
    assert seed() == 12
    first = generator("a").random()
    assert first == generator("a").random()
    assert first != generator("b").random()
    monkeypatch.setenv("EPSIE_TEST_SEED", "13")
    assert first != generator("a").random()


def test_bounds_add_up_to_the_false_alarm_rate():
    for plan in (Plan(), Plan(false_alarm=1e-3, looks=2), Plan(false_alarm=0.05, looks=1)):
        reached = [plan.pass_bound**look for look in range(plan.looks)]
        failed = [plan.fail_bound(look) * p for look, p in enumerate(reached)]
        assert sum(failed) == pytest.approx(plan.false_alarm)
        assert plan.fail_bound(plan.looks - 1) < plan.pass_bound


@pytest.mark.parametrize("nstatistics", [1, 5])
def test_uniform_p_values_alarm_no_more_often_than_stated(nstatistics):
    rng = generator(f"uniform p-values {nstatistics}")
    plan = Plan(false_alarm=0.05, looks=3, size=1, growth=1)

    def look_at(_size):
        return dict(enumerate(rng.random(nstatistics)))

    alarms = sum(not sequential(look_at, plan).passed for _ in range(4000))
    assert stats.binom.sf(alarms - 1, 4000, 0.05) > 1e-5
    assert alarms > 80, "the bounds are far too wide to see anything"


def test_alarms_on_real_draws_no_more_often_than_stated():
    rng = generator("real draws")
    plan = Plan(false_alarm=0.1, looks=3, size=100)
    marginals = {**NORMAL, "k": Discrete("k", {0: 0.3, 1: 0.2, 2: 0.5})}

    def draw(size):
        return {"x": rng.standard_normal(size), "k": rng.choice(3, size, p=[0.3, 0.2, 0.5])}

    alarms = sum(not judge_draws(draw, marginals, plan).passed for _ in range(400))
    assert stats.binom.sf(alarms - 1, 400, 0.1) > 1e-5


def test_nan_and_unknown_values_fail():
    assert corrected({"a": 0.5, "b": np.nan}) == 0.0
    found = Continuous("x", stats.norm.cdf).p_values("x", {"x": np.array([0.0, np.nan])})
    assert set(found.values()) == {0.0}
    assert Discrete("k", {0: 0.5, 1: 0.5}).p_values("k", {"k": np.array([0, 1, 2])}) == {"k": 0.0}


@pytest.mark.parametrize(("shift", "scale"), [(0.07, 1.0), (0.0, 1.06), (0.0, 0.94)])
def test_draws_that_are_off_are_seen(shift, scale):
    rng = generator("off")
    check_draws(lambda size: draw_normal(rng, size), NORMAL)

    def draw(size):
        return {"x": shift + scale * rng.standard_normal(size)}

    verdict = judge_draws(draw, NORMAL, Plan())
    assert not verdict.passed
    assert "failed at look" in str(verdict)


def test_distance_agrees_with_scipy():
    x = generator("distance").standard_normal(500)
    ours = Continuous("x", stats.norm.cdf).p_values("x", {"x": x})
    assert ours["x: distance"] == pytest.approx(stats.kstest(x, "norm").pvalue)


def test_a_wrong_discrete_end_value_is_seen():
    rng = generator("end value")
    flat = {"k": Discrete("k", dict.fromkeys(range(5), 0.2))}
    check_draws(lambda size: {"k": rng.integers(0, 5, size)}, flat)
    wrong = [0.22, 0.19, 0.19, 0.19, 0.21]
    verdict = judge_draws(lambda size: {"k": rng.choice(5, size, p=wrong)}, flat, Plan())
    assert not verdict.passed


def test_a_wrong_correlation_is_seen_by_a_joint_statistic_alone():
    rng = generator("correlation")
    marginals = {name: Continuous(name, stats.norm.cdf) for name in "xy"}
    joint = Continuous(lambda s: (s["x"] + s["y"]) / np.sqrt(2), stats.norm.cdf)

    def draw(size):
        x, z = rng.standard_normal((2, size))
        return {"x": x, "y": 0.2 * x + np.sqrt(1 - 0.2**2) * z}

    assert judge_draws(draw, marginals, Plan()).passed
    assert not judge_draws(draw, {**marginals, "joint": joint}, Plan()).passed


def test_a_sound_walk_passes_and_defects_are_seen():
    rng = generator("walk")
    check_invariance(draw_normal, metropolis(rng, 5), NORMAL, rng)
    for defect in ({"power": 1.2}, {"hastings": 0.3}):
        assert_power(draw_normal, metropolis(rng, 5, **defect), NORMAL, rng)


def test_standing_still_does_not_pass():
    with pytest.raises(AssertionError, match="only 0 of the transitions moved"):
        check_invariance(draw_normal, lambda x: x, NORMAL, generator("still"))


def test_power_is_not_granted_to_a_sound_walk():
    rng = generator("sound")
    with pytest.raises(AssertionError, match="a planted defect was not seen"):
        assert_power(draw_normal, metropolis(rng, 2), NORMAL, rng)
