"""Priors and likelihoods as people write them wrongly: refused at once, with the remedy."""

from math import inf, nan

import numpy as np
import pytest
from scipy import stats

import epsie
from epsie import Given, Posterior, Prior
from epsie.model.evaluation import evaluate


class Own:
    """A distribution of a user's own."""

    def __init__(self, draws=lambda n, rng: rng.random(n), density=lambda x: 0.0):
        self.draws, self.density = draws, density

    def logpdf(self, x):
        return self.density(x)

    def rvs(self, size=None, random_state=None):
        return self.draws(size, random_state)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Own(lambda n, rng: rng.random(n) * nan), ValueError, "draws nan; draws must be"),
        (lambda: Own(lambda n, rng: rng.random((n, 2))), ValueError, "names as its key"),
        (lambda: Own(lambda n, rng: np.array(0.5)), ValueError, r"shape \(\) when asked for 1"),
        (lambda: Own(density=lambda x: np.zeros(3)), TypeError, "must be a number; got array"),
        (lambda: Own(density=lambda x: -inf), ValueError, "do not belong together"),
        (lambda: stats.multivariate_normal([0, 0]), ValueError, "names as its key"),
        (lambda: (0, inf), ValueError, r"without a bound give a distribution, as stats.norm"),
        (lambda: stats.norm(0, -1), ValueError, "one of loc, scale is not what it may be"),
        (lambda: lambda z: (0.6, z), ValueError, "x: a pair is the lower and the upper bound"),
        (lambda: Given(stats.norm, scale="minus"), ValueError, "the prior of x draws nan"),
        (lambda: Given(stats.norm, loc=stats.norm()), TypeError, "numbers, or names of other"),
        (lambda: epsie.Angle("deg"), ValueError, r"Angle\(-180, 180\) in degrees; got \('deg'"),
        (lambda: epsie.Direction("x", "y", "polar"), ValueError, "radec must be True or False"),
    ],
)
def test_what_cannot_be_drawn_from(make, error, text):
    with pytest.raises(error, match=text):
        Prior(x=make(), z=(0, 1), minus=(-2, -1))


@pytest.mark.parametrize("wrong", [lambda z: 1 / 0, Own(density=lambda x: 1 / 0)])
def test_errors_of_a_users_own_say_for_which_parameter(wrong):
    with pytest.raises(ZeroDivisionError) as caught:
        Prior(x=wrong, z=(0, 1))
    assert caught.value.__notes__ == ["This came up when the prior of x was tried out"]


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (lambda x: None, "return True or False; got None"),
        (lambda x: np.array([True, False]), "return True or False; got array"),
        # At some draws only.
        (lambda x: nan if x < 0.1 else True, "return True or False; got nan"),
        (lambda x: x - 0.5, "return True or False; got "),
        ((0, 1), r"must be a function .* declared in a dict: Prior\({'where'"),
        ("x > 0", "must be a function"),
    ],
)
def test_constraints_that_are_none(where, text):
    with pytest.raises(TypeError, match=text):
        Prior(x=(0, 1), where=where)


@pytest.mark.parametrize("answer", [(0, 1), "x", None, 1j, np.array([1.0])])
def test_functions_that_are_a_number_at_some_values_only(answer):
    def function(z):
        return answer if z < 0.1 else z

    with pytest.raises(TypeError, match=r"'y' once returned a number; now it returns \S"):
        Prior(y=function, z=(0, 1))
    rare = Prior(y=lambda z: answer if z < 1e-7 else z, z=(0, 1))
    with pytest.raises(TypeError, match=r"'y' once returned a number; now it returns \S"):
        Posterior(lambda y: 0.0, rare)(z=1e-8)


def test_draws_that_cannot_be_told_from_an_end():
    with pytest.raises(ValueError, match="draws x = .*, where .* is inf: so much of it lies there"):
        Prior(x=stats.beta(0.01, 0.01))


def test_labels_that_are_none_and_nothing_that_is_sampled():
    with pytest.raises(TypeError, match="labels must be a dict.* declared in a dict"):
        Prior(x=(0, 1), labels=(0, 1))
    with pytest.raises(ValueError, match="Give one of them bounds"):
        Prior(x=1.0)


def test_a_constraint_that_hardly_anything_satisfies_is_told(caplog):
    Prior(x=(0, 1), where=lambda x: x < 2e-4)
    assert "so that the density is known to" in caplog.text
    caplog.clear()
    Prior(x=(0, 1), where=lambda x: x < 0.1)
    assert caplog.text == ""


def test_constraints_may_be_integers():
    prior = Prior(x=(0, 1), where=lambda x: int(x < 0.25) * 2)
    assert prior.logp(x=0.1) == pytest.approx(np.log(4), abs=0.03)
    assert prior.logp(x=0.3) == -inf


@pytest.mark.parametrize(
    "answer",
    [None, "-1.0", 1j, [-1.0], np.array([-1.0]), (-1.0, 0.0), (-1.0, 0.0, {}), (-1.0, None)],
)
def test_answers_of_a_likelihood_that_are_no_number(answer):
    with pytest.raises(epsie.ModelError, match="log likelihood returned .* alone, a number"):
        Posterior(lambda x: answer, {"x": (0, 1)})(x=0.5)


@pytest.mark.parametrize("answer", [-1, np.float32(-1), np.array(-1.0), True])
def test_answers_of_a_likelihood_that_are_numbers(answer):
    assert Posterior(lambda x: answer, {"x": (0, 1)})(x=0.5) == (answer, 0.0)


@pytest.mark.parametrize(
    ("log_likelihood", "error", "text"),
    [
        (lambda m, bb: 0.0, TypeError, "If bb is b, give it one name"),
        (lambda *numbers: 0.0, ValueError, r"called by name.*def log_likelihood\(m, b\)"),
        (lambda m, b, /: 0.0, ValueError, r"called by name.*def log_likelihood\(m, b\)"),
        (Posterior(lambda m: 0.0, {"m": (0, 1)}), TypeError, "has a prior already"),
    ],
)
def test_likelihoods_that_do_not_go_with_the_prior(log_likelihood, error, text):
    with pytest.raises(error, match=text):
        epsie.sample(log_likelihood, {"m": (0, 1), "b": (0, 1)})


@pytest.mark.parametrize("log_likelihood", [lambda x: x[0], lambda x: x.sum(), lambda x: len(x)])
def test_a_likelihood_of_an_array_is_told_what_it_gets(log_likelihood):
    sampler = epsie.MetropolisHastingsSampler(Posterior(log_likelihood, {"x": (0, 1)}), nchains=1)
    with pytest.raises(epsie.ModelError, match="one by one, by name, each a number"):
        sampler.run(1)


@pytest.mark.parametrize("prior", [lambda x: 0.0, lambda unit_cube: 10 * unit_cube - 5])
def test_densities_and_transforms_are_no_declarations(prior):
    with pytest.raises(TypeError, match="how each parameter is distributed"):
        Posterior(lambda x: 0.0, prior)


def test_nan_of_a_likelihood_is_told_what_it_may_return():
    with pytest.raises(epsie.ModelError, match="return -inf there, from a likelihood"):
        evaluate(Posterior(lambda x: nan, {"x": (0, 1)}), ["x"], (0.5,), None)


def test_settings_of_sample_that_are_none():
    for wrong, text in (
        ({"nchains": 0}, "at least 1; got 0"),
        ({"tempered": "yes"}, "True, False"),
    ):
        with pytest.raises(ValueError, match=text):
            epsie.sample(lambda x: 0.0, {"x": (0, 1)}, **wrong)


@pytest.mark.parametrize(
    ("distribution", "why"),
    [
        ((0, 1e-306), "that small vanish. Sample it in a smaller unit"),
        (stats.norm(0, 1e-200), "that small vanish"),
        (stats.loguniform(1e-200, 1e200), "that large overflow. .* or its logarithm"),
        (stats.norm(0, 1e200), "that large overflow. Sample it in a larger unit"),
        ((1, 1 + 1e-14), "too few numbers between. Sample its distance from there"),
        (stats.norm(1e10, 1e-5), "too few numbers between"),
    ],
)
def test_scales_at_which_numbers_end_are_refused(distribution, why):
    with pytest.raises(ValueError, match=f"draws of x from the prior are from .*{why}"):
        epsie.sample(lambda x: 0.0, {"x": distribution}, nchains=4)


@pytest.mark.parametrize("distribution", [(0, 1e-149), (-1e150, 1e150), stats.norm(1e10, 1e-4)])
def test_scales_within_them_are_not(distribution):
    made = epsie.sample(
        lambda x: 0.0, {"x": distribution}, nchains=4, until=None, max_evaluations=1500, seed=5
    )
    found = made.log_evidence()
    # Of a normal distribution a false alarm is less than 1e-6 probable.
    assert abs(found.log_z) < 5 * found.standard_error


@pytest.mark.parametrize("n", [-1, 2.5, None])
def test_a_number_of_draws_that_is_none(n):
    with pytest.raises((TypeError, ValueError), match="n must be"):
        epsie.Prior(x=(0, 1)).draw(0, n)
