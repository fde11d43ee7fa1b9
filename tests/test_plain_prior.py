"""The prior of a run on disk, made anew from its settings."""

import pytest
from scipy import stats

import epsie
from epsie import Angle, Direction, Given, MetropolisHastingsSampler, Posterior, Prior
from epsie.model.families import CONTINUOUS, DISCRETE
from epsie.model.plain_prior import prior_of

PRIOR = Prior(
    {
        "theta": Given(stats.norm, loc="mu", scale="tau"),
        "mu": (-5, 5),
        "tau": stats.halfcauchy(scale=5),
        "k": stats.randint(1, 60),
        "n": Given(stats.binom, n=4, p="q"),
        "q": stats.truncnorm(0, float("inf"), 0.2, 0.1),
        "sky": Direction("ra", "dec", degs=True),
        "phase": Angle(-180, 180),
        "width": "tau",
        "sigma": 0.5,
    },
    labels={"mu": r"$\mu$"},
)


def settings(prior):
    labels = {name: label for name, label in prior.labels.items() if label != name}
    return {"prior": prior.described(), "parameters": list(prior.parameters), "labels": labels}


def same(one, other):
    a, b = one.draw(3, 20), other.draw(3, 20)
    assert list(a) == list(b) == list(one.parameters)
    assert all((a[name] == b[name]).all() for name in a)
    assert one.labels == other.labels
    assert one.kinds == other.kinds and one.bounds == other.bounds


def test_a_run_on_disk_knows_its_prior(tmp_path):
    sampler = MetropolisHastingsSampler(Posterior(lambda **x: 0.0, PRIOR), nchains=2, seed=1)
    sampler.run(5, directory=tmp_path / "run")
    run = epsie.open_run(tmp_path / "run")
    same(PRIOR, run.prior)
    assert epsie.plots.corner(run, ["mu", "k"], burn_in=0, prior=True)


ARGUMENTS = {"truncnorm": (-1, 2), "lognorm": (1,), "gamma": (2,), "invgamma": (2,), "chi2": (3,)}
ARGUMENTS |= {"beta": (2, 3), "t": (4,), "weibull_min": (2,), "pareto": (3,), "poisson": (2,)}
ARGUMENTS |= {"loguniform": (1, 2), "reciprocal": (1, 2), "randint": (1, 9), "geom": (0.3,)}
ARGUMENTS |= {"binom": (5, 0.3)}


@pytest.mark.parametrize("name", [*CONTINUOUS, *DISCRETE])
def test_all_families_come_back(name):
    prior = Prior(x=getattr(stats, name)(*ARGUMENTS.get(name, ()), loc=1))
    same(prior, prior_of(settings(prior)))


@pytest.mark.parametrize(
    ("prior", "what"),
    [
        (Prior(x=(0, 1), y=lambda x: (0, x + 1)), "y"),
        (Prior(x=(0, 1), y=lambda x: 2 * x), "y"),
        (Prior(x=(0, 1), y=(0, 1), where=lambda x, y: x < y), "the constraint where="),
        (Prior({"x": stats.gumbel_r(), ("y", "z"): stats.multivariate_normal([0, 0])}), "x, y, z"),
    ],
)
def test_what_is_no_plain_data_is_named(prior, what):
    with pytest.raises(ValueError, match=rf"are not written there \({what}\): give it, as in"):
        prior_of(settings(prior))


def test_families_are_looked_up_in_a_list():
    found = settings(Prior(x=(0, 1)))
    for plain, text in (
        (["rv_histogram", 1.0], "'rv_histogram' is no known family"),
        ([1, 2, 3], "stands for no distribution"),
        (["norm", 0.0, 1.0, 2.0, 3.0], "a prior that is none"),
        (["uniform", 0.0], "of another version"),
    ):
        found["prior"]["parts"]["x"] = plain
        with pytest.raises(ValueError, match=text):
            prior_of(found)


def test_a_run_without_a_prior_says_so():
    with pytest.raises(ValueError, match="no run of a Posterior"):
        prior_of({"parameters": ["x"]})
