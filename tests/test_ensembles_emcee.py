"""Ensembles beside those of emcee: moments, acceptance and autocorrelation are equal.

For each target as many ensembles of each are run from the same starts; a mean over ensembles, which
are independent, has a standard error from their spread. Of about 60 numbers compared, with 12
ensembles each, one is apart by more than 6 of them, by chance, once in 3,000 times.
"""

import math

import numpy as np
import pytest

from epsie import EnsembleSampler, diagnostics

emcee = pytest.importorskip("emcee")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ENSEMBLES, WALKERS, BURN_IN = 12, 32, 500


def line_fit():
    """The straight line of emcee's first tutorial, with an underestimated error."""
    rng = np.random.default_rng(123)
    n, m, b, f = 50, -0.9594, 4.294, 0.534
    x = np.sort(10 * rng.random(n))
    error = 0.1 + 0.5 * rng.random(n)
    y = m * x + b + np.abs(f * (m * x + b)) * rng.normal(size=n) + error * rng.normal(size=n)

    def log_density(m, b, log_f):
        if not (-5 < m < 0.5 and 0 < b < 10 and -10 < log_f < 1):
            return -math.inf
        at = m * x + b
        variance = error**2 + at**2 * math.exp(2 * log_f)
        return -0.5 * float(((y - at) ** 2 / variance + np.log(variance)).sum())

    return ("m", "b", "log_f"), log_density, [-0.95, 4.3, math.log(0.5)], [0.05, 0.2, 0.1], 1500


def eight_schools():
    """Eight schools, not centred: mean, log spread, and eight offsets in units of it."""
    effects = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    errors = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])

    def log_density(mu, log_tau, *offsets):
        tau, z = math.exp(log_tau), np.array(offsets)
        prior = log_tau - math.log1p((tau / 5) ** 2) - mu * mu / 50 - float(z @ z) / 2
        return prior - float((((effects - mu - tau * z) / errors) ** 2).sum()) / 2

    names = ("mu", "log_tau", *[f"z{i}" for i in range(8)])
    return names, log_density, [4.0, 1.0, *[0.0] * 8], [2.0, 0.5, *[0.5] * 8], 3000


def gaussian():
    """A correlated normal distribution in five dimensions."""
    places = np.arange(5)
    precision = np.linalg.inv(0.7 ** np.abs(places[:, None] - places))

    def log_density(*x):
        at = np.array(x)
        return -float(at @ precision @ at) / 2

    return ("a", "b", "c", "d", "e"), log_density, [0.0] * 5, [1.0] * 5, 1500


def ours(names, log_density, starts, n):
    def model(**values):
        found = log_density(*values.values())
        return (None, -math.inf) if found == -math.inf else (found, 0.0)

    sampler = EnsembleSampler(names, model, ENSEMBLES, WALKERS, seed=1)
    sampler.start_position = dict(zip(names, np.moveaxis(starts, -1, 0), strict=True))
    sampler.run(BURN_IN)
    sampler.clear()
    sampler.run(n)
    draws = np.stack([sampler.positions[name] for name in names], axis=-1)
    return draws, sampler.acceptance["accepted"].mean(axis=(1, 2))


def theirs(names, log_density, starts, n):
    draws, rates = [], []
    for i, start in enumerate(starts):
        sampler = emcee.EnsembleSampler(WALKERS, len(names), lambda x: log_density(*x))
        sampler._random.seed(i)
        sampler.run_mcmc(start, BURN_IN + n)
        draws.append(np.moveaxis(sampler.get_chain(discard=BURN_IN), 0, 1))
        rates.append(sampler.acceptance_fraction.mean())
    return np.array(draws), np.array(rates)


def numbers(names, draws, rates):
    """What is compared, of each ensemble: shape (ENSEMBLES,)."""
    found = {"acceptance": rates}
    for i, name in enumerate(names):
        column = draws[..., i]
        found[f"mean of {name}"] = column.mean(axis=(1, 2))
        found[f"sd of {name}"] = column.std(axis=(1, 2))
        lengths = diagnostics.autocorrelation_length({name: column}, nwalkers=WALKERS)[name]
        found[f"log length of {name}"] = np.log(lengths)
    return found


@pytest.mark.in_part(3)
@pytest.mark.parametrize("target", [gaussian, line_fit, eight_schools])
def test_equal_to_emcee(target):
    names, log_density, centre, spread, n = target()
    noise = np.random.default_rng(7).normal(size=(ENSEMBLES, WALKERS, len(names)))
    starts = np.array(centre) + np.array(spread) * noise
    mine = numbers(names, *ours(names, log_density, starts, n))
    others = numbers(names, *theirs(names, log_density, starts, n))
    apart = {}
    for name, values in mine.items():
        other = others[name]
        error = math.sqrt((values.var(ddof=1) + other.var(ddof=1)) / ENSEMBLES)
        apart[name] = float(values.mean() - other.mean()) / error
    print({name: (float(v.mean()), float(others[name].mean())) for name, v in mine.items()})
    print({name: round(value, 2) for name, value in apart.items()})
    assert all(abs(value) < 6 for value in apart.values()), apart
