"""Each reference density equals one computed from the data by scipy.stats, term by term."""

import numpy as np
import pytest
from scipy import stats

from tests.references import (
    REFERENCES,
    REGRESSIONS,
    AutoRegression,
    CorrelatedRegression,
    EightSchools,
    Garch,
    GaussMix,
    Kidscore,
    LogMesquite,
    compare_with_reference,
)
from tests.statistical import generator


def eight_schools(data, p):
    z = np.array([p[f"theta_trans{j}"] for j in range(1, 9)])
    logl = stats.norm.logpdf(data["y"], p["mu"] + p["tau"] * z, data["sigma"]).sum()
    prior = stats.norm.logpdf(z).sum() + stats.norm.logpdf(p["mu"], 0, 5)
    return logl, prior + stats.halfcauchy.logpdf(p["tau"], scale=5)


def kidscore(data, p):
    hs, iq = np.array(data["mom_hs"]), np.array(data["mom_iq"])
    sigma = np.exp(p["log_sigma"])
    mean = p["beta1"] + p["beta2"] * hs + p["beta3"] * iq + p["beta4"] * hs * iq
    logl = stats.norm.logpdf(data["kid_score"], mean, sigma).sum()
    return logl, stats.halfcauchy.logpdf(sigma, scale=2.5) + p["log_sigma"]


def logmesquite(data, p):
    logs = {k: np.log(v) for k, v in data.items() if k not in ("N", "group")}
    mean = p["beta1"] + p["beta2"] * logs["diam1"] + p["beta3"] * logs["diam2"]
    mean = mean + p["beta4"] * logs["canopy_height"] + p["beta5"] * logs["total_height"]
    mean = mean + p["beta6"] * logs["density"] + p["beta7"] * np.array(data["group"])
    logl = stats.norm.logpdf(logs["weight"], mean, np.exp(p["log_sigma"])).sum()
    return logl, p["log_sigma"]


def auto_regression(data, p):
    y, sigma = data["y"], np.exp(p["log_sigma"])
    logl = 0.0
    for t in range(5, len(y)):
        mean = p["beta1"] + sum(p[f"beta{k + 1}"] * y[t - k] for k in range(1, 6))
        logl += stats.norm.logpdf(y[t], mean, sigma)
    beta = [p[f"beta{i}"] for i in range(1, 7)]
    prior = stats.norm.logpdf(beta, 0, 10).sum() + stats.halfcauchy.logpdf(sigma, scale=2.5)
    return logl, prior + p["log_sigma"]


def correlated_regression(data, p):
    beta, sigma = np.array([p[f"beta{i}"] for i in range(1, 6)]), np.exp(p["log_sigma"])
    logl = stats.norm.logpdf(data["y"], np.array(data["X"]) @ beta, sigma).sum()
    prior = stats.norm.logpdf(beta, 0, 10).sum() + stats.halfnorm.logpdf(sigma, scale=10)
    return logl, prior + p["log_sigma"]


def gauss_mix(data, p):
    first = np.log(p["theta"]) + stats.norm.logpdf(data["y"], p["mu1"], p["sigma1"])
    second = np.log1p(-p["theta"]) + stats.norm.logpdf(data["y"], p["mu2"], p["sigma2"])
    prior = np.log(2) + stats.norm.logpdf([p["mu1"], p["mu2"]], 0, 2).sum()
    prior += stats.halfnorm.logpdf([p["sigma1"], p["sigma2"]], scale=2).sum()
    return np.logaddexp(first, second).sum(), prior + stats.beta.logpdf(p["theta"], 5, 5)


def garch(data, p):
    sd, logl = data["sigma1"], 0.0
    for t, y in enumerate(data["y"]):
        if t > 0:
            apart = data["y"][t - 1] - p["mu"]
            sd = np.sqrt(p["alpha0"] + p["alpha1"] * apart**2 + p["beta1"] * sd**2)
        logl += stats.norm.logpdf(y, p["mu"], sd)
    return logl, np.log(2)


INDEPENDENT = {
    EightSchools: eight_schools,
    Kidscore: kidscore,
    LogMesquite: logmesquite,
    AutoRegression: auto_regression,
    CorrelatedRegression: correlated_regression,
    GaussMix: gauss_mix,
    Garch: garch,
}


def test_every_reference_has_an_independent_density():
    assert set(INDEPENDENT) == set(REFERENCES)


@pytest.mark.parametrize("reference", REFERENCES)
def test_density_equals_the_independent_one(reference):
    model, rng = reference(), generator(reference.name)
    for _ in range(20):
        position = model.start(rng)
        assert set(position) == set(model.parameters)
        assert all(type(value) is float for value in position.values())
        found = model(**position)
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, INDEPENDENT[reference](model.data, position), rtol=1e-9)


@pytest.mark.parametrize(
    ("reference", "changes"),
    [
        (EightSchools, {"tau": -1.0}),
        (EightSchools, {"tau": 0.0}),
        (GaussMix, {"mu1": 3.0, "mu2": 2.0}),
        (GaussMix, {"sigma1": -0.1}),
        (GaussMix, {"sigma2": 0.0}),
        (GaussMix, {"theta": 1.2}),
        (Garch, {"alpha0": -1e-3}),
        (Garch, {"alpha1": 0.6, "beta1": 0.41}),
        (Garch, {"beta1": -0.1}),
    ],
)
def test_prior_is_nothing_outside_its_support(reference, changes):
    model = reference()
    position = model.start(generator("outside"))
    assert model(**{**position, **changes})[1] == -np.inf


@pytest.mark.parametrize("reference", REFERENCES)
def test_derived_quantities_are_those_of_the_table(reference):
    model, rng = reference(), generator("derived")
    starts = [[model.start(rng) for _ in range(3)] for _ in range(2)]
    positions = {
        name: np.array([[start[name] for start in row] for row in starts])
        for name in model.parameters
    }
    derived = model.derived(positions)
    assert set(derived) == set(model.table)
    assert {values.shape for values in derived.values()} == {(2, 3)}
    if reference is EightSchools:
        start = starts[1][2]
        assert derived["theta[3]"][1, 2] == start["mu"] + start["tau"] * start["theta_trans3"]
    if "sigma" in derived:
        assert derived["sigma"][0, 1] == pytest.approx(np.exp(starts[0][1]["log_sigma"]))


@pytest.mark.parametrize("reference", REGRESSIONS)
def test_regression_solution_is_the_posterior_mean(reference):
    """True with flat priors, and within 1e-4 sd with the wide ones here."""
    model = reference()
    for value, (name, row) in zip(model.solution, model.table.items(), strict=False):
        assert abs(value - row["mean"]) < 4.5 * row["sd"] / 100, name


@pytest.mark.parametrize("reference", [GaussMix, Garch])
def test_importance_sampling_finds_the_table(reference):
    """The density alone, weighted draws of a wide multivariate t, reproduces the means."""
    model, rng = reference(), generator(f"importance {reference.name}")
    centre = [row["mean"] for row in model.table.values()]
    scale = np.diag([row["sd"] ** 2 for row in model.table.values()])
    if reference is Garch:
        scale[2, 3] = scale[3, 2] = -0.6 * np.sqrt(scale[2, 2] * scale[3, 3])
        scale[1, 3] = scale[3, 1] = -0.6 * np.sqrt(scale[1, 1] * scale[3, 3])
    proposal = stats.multivariate_t(centre, 1.5 * scale, df=6, seed=rng)
    draws = proposal.rvs(8000)
    logs = np.array([sum(model(**dict(zip(model.parameters, x, strict=True)))) for x in draws])
    logs -= proposal.logpdf(draws)
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    assert 1 / np.sum(weights**2) > 500
    for x, (name, row) in zip(draws.T, model.table.items(), strict=True):
        mean = weights @ x
        error = np.sqrt(np.sum((weights * (x - mean)) ** 2) + row["sd"] ** 2 / 1e4)
        assert abs(mean - row["mean"]) < 4.5 * error, name


def normal_table(**changes):
    table = {"a": {"mean": 2.0, "sd": 3.0}, "b": {"mean": 0.0, "sd": 1.0}}
    return {name: {**row, **changes.get(name, {})} for name, row in table.items()}


def autocorrelated(rng, nchains=4, ndraws=20000, rho=0.8):
    """Draw stationary autoregressive series with the means and widths of `normal_table`."""
    x = rng.standard_normal((nchains, ndraws, 2))
    for t in range(1, ndraws):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * x[:, t]
    return {"a": 2 + 3 * x[..., 0], "b": x[..., 1]}


def test_comparison_passes_what_agrees_and_sees_what_does_not():
    draws = autocorrelated(generator("comparison"))
    compare_with_reference(draws, normal_table())
    for wrong in ({"mean": 2.3}, {"sd": 3.25}, {"sd": 2.75}):
        with pytest.raises(AssertionError, match=r"^a: mean off by"):
            compare_with_reference(draws, normal_table(a=wrong))


def test_comparison_refuses_too_few_draws_and_chains_apart():
    draws = autocorrelated(generator("comparison"), ndraws=400)
    with pytest.raises(AssertionError, match="ESS"):
        compare_with_reference(draws, normal_table())
    draws = autocorrelated(generator("comparison"))
    draws["b"][0] += 0.5
    with pytest.raises(AssertionError, match="R-hat"):
        compare_with_reference(draws, normal_table(), least_ess=0)


def test_comparison_misses_no_quantity():
    with pytest.raises(KeyError):
        compare_with_reference({"a": np.zeros((2, 10))}, {"b": {"mean": 0.0, "sd": 1.0}})
