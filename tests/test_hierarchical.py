"""A hierarchy of ten groups whose common scale has a half-Cauchy prior, declared as such.

The exact moments and the evidence are integrals over mean and scale of the groups' marginal
likelihoods, on a grid.
"""

from functools import cache
from math import log, pi

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import epsie
from epsie import Given, MetropolisHastingsSampler, Posterior, Prior
from epsie.model.conditional import Conditional

GROUPS = [f"theta{j}" for j in range(10)]
HYPER = {"mu": stats.norm(0, 20), "tau": stats.halfcauchy(scale=5)}


def data():
    rng = np.random.default_rng(4)
    errors = rng.uniform(2, 6, 10)
    return 5 + 4 * rng.standard_normal(10) + errors * rng.standard_normal(10), errors


ROWS = [(group, float(y), float(error)) for group, y, error in zip(GROUPS, *data(), strict=True)]


def log_likelihood(**theta):
    return sum(-0.5 * ((y - theta[g]) / e) ** 2 - log(e) - 0.5 * log(2 * pi) for g, y, e in ROWS)


@cache
def exact():
    """The means of mu, tau and log tau, log Z, and the scale with a hundredth of the mass below."""
    values, errors = data()
    mu, log_tau = np.linspace(-30, 40, 351), np.linspace(-8, 6, 701)
    tau = np.exp(log_tau)
    widths = np.sqrt(errors**2 + tau[:, None] ** 2)
    density = stats.norm.logpdf(values, mu[:, None, None], widths).sum(-1)
    density += HYPER["mu"].logpdf(mu)[:, None] + HYPER["tau"].logpdf(tau) + log_tau
    log_z = logsumexp(density) + log((mu[1] - mu[0]) * (log_tau[1] - log_tau[0]))
    weights = np.exp(density - logsumexp(density))
    shares = weights.sum(0)
    neck = tau[np.searchsorted(shares.cumsum(), 0.01)]
    return weights.sum(1) @ mu, shares @ tau, shares @ log_tau, log_z, neck


def in_the_neck(run):
    """The share of the draws whose scale lies where a hundredth of the mass does."""
    return float((run.draws()["tau"] < exact()[4]).mean())


def apart(j):
    """A member of the groups as what follows from mean, scale and a unit normal number."""
    return eval(f"lambda mu, tau, z{j}: mu + tau * z{j}")


MEMBERS = Prior({**HYPER, **{group: Given(stats.norm, loc="mu", scale="tau") for group in GROUPS}})
APART = Prior(
    {
        **HYPER,
        **{f"z{j}": stats.norm() for j in range(10)},
        **{group: apart(j) for j, group in enumerate(GROUPS)},
    }
)


def errors_of(sampler):
    """The differences from the exact means of mu and tau, in standard errors."""
    summary = sampler.summary()
    return {
        name: (summary.mean[name] - true) / summary.mcse_mean[name]
        for name, true in zip(("mu", "tau"), exact()[:2], strict=True)
    }


def test_members_of_groups_have_the_density_that_one_would_write():
    at = {"mu": 1.0, "tau": 2.0, **dict.fromkeys(GROUPS, 3.0)}
    by_hand = stats.norm.logpdf(1, 0, 20) + stats.halfcauchy.logpdf(2, scale=5)
    by_hand += 10 * stats.norm.logpdf(3, 1, 2)
    assert MEMBERS.logp(**at) == pytest.approx(by_hand, rel=1e-13)
    assert MEMBERS.parameters == ("mu", "tau", *GROUPS)
    assert MEMBERS.logp(**{**at, "tau": -1.0}) == -np.inf


def test_a_funnel_taken_apart_is_right():
    """Two means within 5 of their errors: false alarm below 1e-6, if those are right."""
    sampler = MetropolisHastingsSampler(Posterior(log_likelihood, APART), nchains=4, seed=1)
    sampler.run(2000)
    assert sampler.parameters == APART.parameters and sampler.ess_bulk()["tau"] > 100
    assert max(map(abs, errors_of(sampler).values())) < 5, errors_of(sampler)


@pytest.mark.slow
def test_a_wrong_scale_is_caught():
    """The defect: the scale's prior is flat in its logarithm, as if it had been forgotten."""
    wrong = Prior({**APART.config["parameters"], "tau": stats.loguniform(1e-3, 1e3)})
    sampler = MetropolisHastingsSampler(Posterior(log_likelihood, wrong), nchains=4, seed=1)
    sampler.run(3000)
    assert max(map(abs, errors_of(sampler).values())) > 5


@pytest.mark.slow
@pytest.mark.in_part(2)
@pytest.mark.parametrize("seed", [1, 2])
def test_members_are_learned_relative_to_their_group(seed):
    """The default, as it is declared: means within 5, log Z within 5 of their errors, cheaply."""
    run = epsie.sample(log_likelihood, MEMBERS, seed=seed, progress=False)
    assert max(map(abs, errors_of(run).values())) < 5, errors_of(run)
    found = run.log_evidence()
    assert abs(found.log_z - exact()[3]) < 5 * found.standard_error < 0.1
    assert 0.005 < in_the_neck(run) < 0.02
    assert run.evaluations < 60_000
    assert run.learned.coordinates["tau"] in ("log", "softplus")
    assert "standard" in run.learned.coordinates.values()


@pytest.mark.slow
def test_without_it_the_neck_is_missed(monkeypatch):
    """The defect: members are learned as they are, and the neck of the funnel is not visited."""
    monkeypatch.setattr(Conditional, "relative", None)
    run = epsie.sample(log_likelihood, MEMBERS, seed=2, progress=False)
    assert in_the_neck(run) < 0.002


@pytest.mark.slow
def test_a_funnel_as_it_is_declared_is_right_with_evidence():
    """Two means within 5, log Z within 4 of their errors: false alarm 1e-4."""
    run = epsie.sample(
        log_likelihood, MEMBERS, seed=1, tempered=True, max_evaluations=300_000, progress=False
    )
    assert max(map(abs, errors_of(run).values())) < 5, errors_of(run)
    found = run.log_evidence()
    assert abs(found.log_z - exact()[3]) < 4 * found.standard_error < 0.6
