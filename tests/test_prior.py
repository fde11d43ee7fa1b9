"""Priors: every form of declaration, its density, draws, and what is refused."""

import pickle
from math import cos, inf, log, pi, tau

import cloudpickle
import numpy as np
import pytest
from scipy import integrate, stats

import epsie
from epsie.model.families import CONTINUOUS, DISCRETE

FROZEN = {
    "uniform": stats.uniform(-2, 5),
    "norm": stats.norm(1.3, 0.2),
    "tiny norm": stats.norm(3e-30, 2e-31),
    "tinier norm": stats.norm(0, 1e-170),
    "truncnorm": stats.truncnorm(-1.2, 0.7, loc=3, scale=2),
    "truncnorm in a tail": stats.truncnorm(6, 9, loc=-1, scale=0.5),
    "truncnorm far in a tail": stats.truncnorm(-41, -37.5),
    "truncnorm on one side": stats.truncnorm(0, inf, scale=4),
    "halfnorm": stats.halfnorm(scale=3),
    "lognorm": stats.lognorm(0.7, loc=1, scale=2),
    "loguniform": stats.loguniform(1e-3, 1e4),
    "reciprocal": stats.reciprocal(2, 5, loc=1, scale=3),
    "expon": stats.expon(loc=1, scale=0.3),
    "gamma": stats.gamma(2.5, scale=2),
    "gamma of shape 1": stats.gamma(1, loc=-1),
    "invgamma": stats.invgamma(3, scale=2),
    "chi2": stats.chi2(5, scale=2),
    "beta": stats.beta(2, 3.5, loc=-1, scale=4),
    "beta, uniform": stats.beta(1, 1),
    "cauchy": stats.cauchy(2, 0.3),
    "halfcauchy": stats.halfcauchy(scale=5),
    "t": stats.t(3.5, loc=1, scale=2),
    "laplace": stats.laplace(1, 2),
    "logistic": stats.logistic(1, 2),
    "rayleigh": stats.rayleigh(scale=2),
    "weibull_min": stats.weibull_min(1.7, scale=3),
    "pareto": stats.pareto(2.1, scale=3),
    "randint": stats.randint(1, 60),
    "poisson": stats.poisson(3.4, loc=2),
    "geom": stats.geom(0.2),
    "binom": stats.binom(20, 0.3),
    # Not known in closed form.
    "gumbel_r": stats.gumbel_r(1, 2),
    "nbinom": stats.nbinom(5, 0.4),
}


@pytest.mark.parametrize("name", FROZEN)
def test_the_density_is_that_of_scipy(name):
    frozen = FROZEN[name]
    prior = epsie.Prior(x=frozen)
    discrete = hasattr(frozen, "pmf")
    logarithm = frozen.logpmf if discrete else frozen.logpdf
    inside = frozen.rvs(50, random_state=np.random.default_rng(1)).tolist()
    low, high = frozen.support()
    # Whether the bound itself is one side or the other is a matter of scipy's rounding.
    edges = [x for x in (low + 1e-13, high - 1e-13) if np.isfinite(x) and not discrete]
    outside = [x for x in (low - 1, high + 1, low - 1e-9, high + 1e-9) if np.isfinite(x)]
    for x in [*inside, *edges, *outside]:
        assert prior.logp(x=x) == pytest.approx(float(logarithm(x)), rel=1e-12, abs=1e-12), x
    if discrete:
        assert prior.logp(x=low + 1.5) == -inf
    assert prior.kinds == {"x": "integer" if discrete else "real"}
    assert prior.bounds == {"x": (low, high)}


def test_all_families_are_compared():
    compared = {frozen.dist.name for frozen in FROZEN.values()}
    assert {*CONTINUOUS, *DISCRETE} <= compared


@pytest.mark.parametrize("name", FROZEN)
def test_draws_follow_the_distribution(name):
    frozen = FROZEN[name]
    drawn = epsie.Prior(x=frozen).draw(5, 4000)["x"]
    if hasattr(frozen, "pmf"):
        assert drawn.dtype == np.int64
        # Uniform within the step: exact for integers (false alarms: 1e-6 a family).
        below, at = frozen.cdf(drawn - 1), frozen.pmf(drawn)
        levels = below + at * np.random.default_rng(2).random(len(drawn))
    else:
        levels = frozen.cdf(drawn)
    assert stats.kstest(levels, "uniform").pvalue > 1e-6


def test_scipys_second_infrastructure():
    made = stats.make_distribution(stats.gamma)(a=2.0)
    prior = epsie.Prior(
        a=stats.Normal(mu=1, sigma=2),
        b=stats.Uniform(a=0, b=3),
        c=made,
        n=stats.Binomial(n=9, p=0.3),
    )
    x = {"a": 0.3, "b": 2.0, "c": 1.5, "n": 4}
    right = [stats.norm(1, 2).logpdf(0.3), -log(3), stats.gamma(2).logpdf(1.5)]
    right.append(stats.binom(9, 0.3).logpmf(4))
    assert prior.logp(**x) == pytest.approx(sum(right), rel=1e-12)
    assert prior.kinds["n"] == "integer"
    assert prior.draw(1, 7)["n"].dtype == np.int64
    assert stats.kstest(prior.draw(1, 2000)["c"], stats.gamma(2).cdf).pvalue > 1e-6


class Triangle:
    """Somebody's own distribution: the density 2 x in [0, 1]."""

    def logpdf(self, x):
        return log(2 * x) if 0 < x <= 1 else -inf

    def rvs(self, size=None, random_state=None):
        return np.sqrt(random_state.random(size))


class LikeBilby:
    """What a prior of bilby has."""

    minimum, maximum, boundary = 2.0, 4.0, "periodic"

    def ln_prob(self, x):
        return -log(2) if 2 <= x <= 4 else -inf

    def sample(self, size=None):
        raise AssertionError("rescale is there")

    def rescale(self, u):
        return 2 + 2 * u


def test_distributions_of_others():
    prior = epsie.Prior({"x": Triangle(), "y": LikeBilby()})
    assert prior.logp(x=0.5, y=3.0) == pytest.approx(-log(2))
    assert prior.logp(x=0.5, y=5.0) == -inf
    assert prior.bounds == {"x": (-inf, inf), "y": (2.0, 4.0)}
    assert prior.kinds == {"x": "real", "y": "angle"}
    assert prior.periods == {"y": 2.0}
    assert stats.kstest(prior.draw(3, 2000)["x"], lambda x: x * x).pvalue > 1e-6
    assert (prior.draw(4, 5)["y"] == prior.draw(4, 5)["y"]).all()


def test_fixed_tied_and_following_parameters_are_not_sampled():
    prior = epsie.Prior(
        mass_1=(1, 3),
        q=(0.1, 1),
        mass_2=lambda mass_1, q: q * mass_1,
        sigma=0.5,
        again="sigma",
        n=3,
    )
    assert prior.parameters == ("mass_1", "q")
    assert prior.known == ("mass_2", "sigma", "again", "n")
    full = prior.completed({"mass_1": 2.0, "q": 0.5})
    assert full == {"mass_1": 2.0, "q": 0.5, "mass_2": 1.0, "sigma": 0.5, "again": 0.5, "n": 3}
    assert isinstance(full["n"], int)
    assert prior.logp(mass_1=2.0, q=0.5) == pytest.approx(-log(2) - log(0.9))


@pytest.mark.parametrize("form", ["pair", "frozen", "given"])
def test_conditional_distributions(form):
    y = {
        "pair": lambda x: (0, x),
        "frozen": lambda x: stats.uniform(0, x),
        "given": epsie.Given(stats.uniform, loc=0, scale="x"),
    }[form]
    # y is declared before what it depends on.
    prior = epsie.Prior(y=y, x=(1, 3))
    assert prior.parameters == ("y", "x")
    assert prior.logp(y=1.5, x=2.0) == pytest.approx(-2 * log(2))
    assert prior.logp(y=2.5, x=2.0) == -inf
    drawn = prior.draw(1, 3000)
    assert stats.kstest(drawn["y"] / drawn["x"], "uniform").pvalue > 1e-6


def test_a_given_family_with_shapes_names_and_numbers():
    prior = epsie.Prior(
        mu=stats.norm(0, 20),
        tau=stats.halfcauchy(scale=5),
        theta=epsie.Given(stats.norm, loc="mu", scale="tau"),
        rate=epsie.Given(stats.gamma, a=2.5, scale="tau"),
        far=epsie.Given(stats.gumbel_r, loc="mu"),
        k=epsie.Given(stats.poisson, mu="rate"),
    )
    x = {"mu": 1.0, "tau": 2.0, "theta": 2.5, "rate": 1.5, "far": 0.3, "k": 2}
    right = (
        stats.norm(0, 20).logpdf(1.0)
        + stats.halfcauchy(scale=5).logpdf(2.0)
        + stats.norm(1, 2).logpdf(2.5)
        + stats.gamma(2.5, scale=2).logpdf(1.5)
        + stats.gumbel_r(1).logpdf(0.3)
        + stats.poisson(1.5).logpmf(2)
    )
    assert prior.logp(**x) == pytest.approx(right, rel=1e-12)
    assert prior.kinds["k"] == "integer"
    assert prior.bounds["rate"] == (0.0, inf)
    # A scale of 0 or less is none.
    assert prior.logp(**{**x, "tau": 0.0}) == -inf
    drawn = prior.draw(1, 3000)
    standard = (drawn["theta"] - drawn["mu"]) / drawn["tau"]
    assert stats.kstest(standard, "norm").pvalue > 1e-6


def test_joint_distributions_by_either_form():
    normal = stats.multivariate_normal([1, 2], [[1, 0.5], [0.5, 2]])
    for prior in (
        epsie.Prior({("a", "b"): normal, "c": (0, 1)}),
        epsie.Prior(ab=epsie.Joint("a", "b", distribution=normal), c=(0, 1)),
    ):
        assert prior.parameters == ("a", "b", "c")
        assert prior.logp(a=0.0, b=1.0, c=0.5) == pytest.approx(normal.logpdf([0, 1]))
        drawn = prior.draw(1, 4000)
        assert np.corrcoef(drawn["a"], drawn["b"])[0, 1] == pytest.approx(0.354, abs=0.06)
        assert prior.draw(1, 0)["a"].shape == (0,)


def test_a_joint_distribution_of_one():
    normal = stats.norm(1, 2)
    prior = epsie.Prior({("a",): normal})
    assert prior.logp(a=0.5) == pytest.approx(normal.logpdf(0.5))


def test_a_joint_distribution_with_a_constraint():
    normal = stats.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]])
    prior = epsie.Prior({("a", "b"): normal}, where=lambda a, b: a < b)
    drawn = prior.draw(1, 100)
    assert (drawn["a"] < drawn["b"]).all()
    expected = normal.logpdf([0, 1]) + log(2)
    assert prior.logp(a=0.0, b=1.0) == pytest.approx(expected, abs=0.02)
    made = epsie.sample(lambda a, b: 0.0, prior, nchains=4, until=None, max_evaluations=1500)
    found = made.log_evidence()
    assert abs(found.log_z) < 5 * found.standard_error


@pytest.mark.parametrize("degs", [False, True])
@pytest.mark.parametrize("radec", [False, True])
def test_directions_are_isotropic_and_normalised(radec, degs):
    prior = epsie.Prior(sky=epsie.Direction("az", "po", radec=radec, degs=degs), r=(0, 1))
    assert prior.parameters == ("az", "po", "r")
    assert prior.kinds == {"az": "direction", "po": "direction", "r": "real"}
    (low, high), turn = prior.bounds["po"], prior.bounds["az"][1]
    area = integrate.quad(lambda po: np.exp(prior.logp(az=1.0, po=po, r=0.5)), low, high)[0] * turn
    assert area == pytest.approx(1, rel=1e-8)
    drawn = prior.draw(1, 4000)
    polar = np.radians(drawn["po"]) if degs else drawn["po"]
    heights = np.sin(polar) if radec else np.cos(polar)
    assert stats.kstest((heights + 1) / 2, "uniform").pvalue > 1e-6
    assert stats.kstest(drawn["az"] / turn, "uniform").pvalue > 1e-6
    assert prior.logp(az=turn, po=(low + high) / 2, r=0.5) == -inf


def test_angles():
    prior = epsie.Prior(phase=epsie.Angle(), longitude=epsie.Angle(-180, 180))
    assert prior.periods == {"phase": tau, "longitude": 360.0}
    assert prior.bounds == {"phase": (0.0, tau), "longitude": (-180.0, 180.0)}
    assert prior.logp(phase=0.0, longitude=-180.0) == pytest.approx(-log(tau * 360))
    assert prior.logp(phase=tau, longitude=0.0) == -inf


def test_a_constraint_normalises_the_density_anew():
    prior = epsie.Prior(
        m1=(0, 1),
        m2=(0, 1),
        total=lambda m1, m2: m1 + m2,
        where=lambda m1, m2, total: m1 > m2 and total < 1,
    )
    # A quarter of the square.
    assert prior.logp(m1=0.5, m2=0.2) == pytest.approx(log(4), abs=5 * prior.normalisation_error)
    assert 0.004 < prior.normalisation_error < 0.007
    assert prior.logp(m1=0.2, m2=0.5) == -inf
    drawn = prior.draw(1, 999)
    assert len(drawn["m1"]) == 999
    assert (drawn["m1"] > drawn["m2"]).all()
    again = cloudpickle.loads(cloudpickle.dumps(prior))
    assert again.logp(m1=0.5, m2=0.2) == prior.logp(m1=0.5, m2=0.2)
    assert again.normalisation_error == prior.normalisation_error


def test_it_travels_and_is_the_same():
    prior = epsie.Prior(
        m=(-5, 0.5),
        b=stats.norm(0, 5),
        k=stats.randint(1, 60),
        sky=epsie.Direction("ra", "dec"),
        t=epsie.Given(stats.norm, loc="m", scale=2),
        labels={"m": "$m$"},
    )
    again = pickle.loads(pickle.dumps(prior))
    x = {name: column[0].item() for name, column in prior.draw(1, 1).items()}
    assert again.logp(**x) == prior.logp(**x)
    assert again.parameters == prior.parameters
    assert again.labels == prior.labels == {n: "$m$" if n == "m" else n for n in prior.parameters}
    made = epsie.Prior(prior.config["parameters"], labels=prior.config["labels"])
    assert made.logp(**x) == prior.logp(**x)
    assert "b=norm(0, 5)" in repr(prior)


def test_names_that_are_keywords_take_the_dict():
    prior = epsie.Prior({"where": (0, 1), "labels": (0, 2)}, x=(0, 1))
    assert prior.parameters == ("where", "labels", "x")


REFUSED = {
    "none": ({}, ValueError, "at least one"),
    "reversed": ({"x": (1, 0)}, ValueError, r"x: .*did you mean \(0, 1\)"),
    "infinite": ({"x": (0, inf)}, ValueError, "both finite"),
    "equal": ({"x": (1, 1)}, ValueError, "both finite"),
    "three numbers": ({"x": (1, 2, 3)}, TypeError, "pair of bounds"),
    "a family": ({"x": stats.norm}, TypeError, r"call it, as stats.norm\(0, 1\)"),
    "a class": ({"x": epsie.Angle}, TypeError, r"call it: Angle\(\)"),
    "arrays": ({"x": stats.norm([0, 1])}, ValueError, "one variable"),
    "no distribution": ({"x": stats.norm(0, -1)}, ValueError, "no distribution"),
    "an unknown tie": ({"x": (0, 1), "y": "z"}, ValueError, "depends on 'z'"),
    "an unknown need": ({"x": lambda w: (0, w)}, ValueError, "depends on 'w'"),
    "a circle": ({"x": lambda y: (0, y), "y": lambda x: (0, x)}, ValueError, "circle"),
    "a tie to itself": ({"x": "x"}, ValueError, "circle"),
    "all fixed": ({"x": 1.0}, ValueError, "nothing is sampled"),
    "repeated": (
        {("a", "b"): stats.multivariate_normal([0, 0]), "a": (0, 1)},
        ValueError,
        "differ",
    ),
    "joint of another size": (
        {("a", "b", "c"): stats.multivariate_normal([0, 0])},
        ValueError,
        "of 2 variables",
    ),
    "a function of what": ({"x": lambda **k: 1}, TypeError, "must name the parameters"),
    "a function of a text": ({"y": (0, 1), "x": lambda y: "a"}, TypeError, "returned 'a'"),
    "reversed later": ({"y": (0, 1), "x": lambda y: (y, 0)}, ValueError, "x: a pair"),
    "an empty name": ({"": (0, 1)}, ValueError, "empty"),
    "a set": ({"x": {0, 1}}, TypeError, "pair of bounds"),
    "nan": ({"x": (float("nan"), 1)}, ValueError, "finite"),
    "fixed at nan": (
        {"x": (0, 1), "y": float("nan")},
        TypeError,
        "For 'y' got nan",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused(what):
    declared, error, text = REFUSED[what]
    with pytest.raises(error, match=text):
        epsie.Prior(declared)


class Wrong(Triangle):
    """Draws from where it has no density."""

    def logpdf(self, x):
        return -inf if x > 0.5 else 0.0


def test_draws_without_density_are_refused():
    with pytest.raises(ValueError, match="do not belong together"):
        epsie.Prior(x=Wrong())


def test_integers_that_are_none_are_refused():
    class Frozen:
        def logpmf(self, x):
            return 0.0

        def rvs(self, size=None, random_state=None):
            return np.full(size, 0.5)

    with pytest.raises(ValueError, match="integers"):
        epsie.Prior(k=Frozen())


def test_constraints_and_labels_that_are_refused():
    with pytest.raises(ValueError, match="no draw of 100,000"):
        epsie.Prior(x=(0, 1), where=lambda x: x > 2)
    with pytest.raises(ValueError, match="asks for y"):
        epsie.Prior(x=(0, 1), where=lambda y: True)
    with pytest.raises(ValueError, match="labels are given for y"):
        epsie.Prior(x=(0, 1), labels={"y": "y"})
    with pytest.raises(ValueError, match="declared twice: x"):
        epsie.Prior({"x": (0, 1)}, x=(0, 2))
    with pytest.raises(TypeError, match="by keywords"):
        epsie.Prior([("x", (0, 1))])
    with pytest.raises(TypeError, match="logp takes x; got y"):
        epsie.Prior(x=(0, 1)).logp(y=1.0)


def test_givens_that_are_refused():
    with pytest.raises(TypeError, match="not frozen"):
        epsie.Given(stats.norm(0, 1), loc="m")
    with pytest.raises(TypeError, match="has no 'mu'"):
        epsie.Given(stats.norm, mu="m")
    with pytest.raises(TypeError, match="needs 'a'"):
        epsie.Given(stats.gamma, scale="m")


def log_likelihood(m, b, sigma=1.0):
    return -0.5 * (m * m + b * b) / sigma**2


PRIOR = {"m": (-5, 5), "b": stats.norm(0, 5)}


def test_a_posterior_is_a_model():
    posterior = epsie.Posterior(log_likelihood, PRIOR)
    assert posterior.parameters == ("m", "b")
    logl, logp = posterior(m=1.0, b=2.0)
    assert (logl, logp) == (-2.5, epsie.Prior(PRIOR).logp(m=1.0, b=2.0))
    assert posterior(m=6.0, b=0.0) == (-inf, -inf)


def test_a_likelihood_gets_what_it_names():
    seen = []

    def named(m, total, sigma):
        seen.append((m, total, sigma))
        return 0.0

    def everything(**x):
        seen.append(x)
        return 0.0, {"twice": 2 * x["m"]}

    prior = epsie.Prior(m=(0, 1), b=(0, 1), total=lambda m, b: m + b, sigma=0.5)
    epsie.Posterior(named, prior)(m=0.5, b=0.25)
    answer = epsie.Posterior(everything, prior)(m=0.5, b=0.25)
    assert seen == [(0.5, 0.75, 0.5), {"m": 0.5, "b": 0.25, "total": 0.75, "sigma": 0.5}]
    assert answer == (0.0, 0.0, {"twice": 1.0})


def test_a_likelihood_is_not_asked_where_the_prior_vanishes():
    def never(m):
        raise AssertionError

    assert epsie.Posterior(never, {"m": (0, 1)})(m=2.0) == (-inf, -inf)


def test_posteriors_that_are_refused():
    with pytest.raises(TypeError, match="arguments c: the likelihood takes m, c; the prior has m"):
        epsie.Posterior(lambda m, c: 0.0, {"m": (0, 1)})
    with pytest.raises(TypeError, match="called by name"):
        epsie.Posterior(lambda theta: 0.0, {"m": (0, 1), "b": (0, 1)})
    with pytest.raises(ValueError, match="nothing uses B"):
        epsie.Posterior(log_likelihood, {"m": (0, 1), "b": (0, 1), "B": (0, 1)})
    with pytest.raises(TypeError, match="likelihood comes first"):
        epsie.Posterior(epsie.Prior(PRIOR), log_likelihood)
    with pytest.raises(epsie.ModelError, match="wants the log likelihood alone"):
        epsie.Posterior(lambda m: (0.0, -1.0), {"m": (0, 1)})(m=0.5)


def test_the_density_on_the_sphere_is_the_one_in_the_angles():
    prior = epsie.Prior(sky=epsie.Direction("ra", "dec"))
    assert prior.logp(ra=1.0, dec=0.3) == pytest.approx(log(cos(0.3) / (4 * pi)))


def test_many_densities_have_the_bits_of_each():
    """With edges of the support, where densities are infinite or vanish, and past them."""
    parts = {f"x{i}": of for i, of in enumerate([(-1, 2), *FROZEN.values()])}
    parts |= {"edge": stats.beta(0.5, 0.5), "angle": epsie.Angle(), "k": stats.poisson(3)}
    declared = [{name: of} for name, of in parts.items()]
    declared += [
        parts,
        {"edge": parts["edge"], "x0": (-1, 2)},
        {"a": (0, 3), "b": epsie.Given(stats.norm, loc="a", scale=1), "c": 2.0},
    ]
    rng = np.random.default_rng(0)
    for of in declared:
        prior = epsie.Prior(of)
        columns = prior.draw(rng, 40)
        for name, column in columns.items():
            ends = zip(prior.bounds[name], (-1, 1), strict=True)
            at = [end + by for end, out in ends for by in (0, out) if abs(end) < inf]
            column[: len(at)] = at
        rows = [{n: c[i].item() for n, c in columns.items()} for i in range(40)]
        alone = np.array([prior.log_density(row) for row in rows])
        posterior = epsie.Posterior(lambda **_: np.zeros(40), prior)
        assert posterior.many(columns)[1].tobytes() == alone.tobytes()
