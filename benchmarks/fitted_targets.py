"""Posteriors of data, with moments and evidence by integration over grids."""

from __future__ import annotations

from math import exp, log, pi

import numpy as np
from scipy import stats
from sharp_targets import Array, Target, integrated, moments


def line() -> Target:
    """A line and an underestimated noise, flat priors: the fit of emcee's tutorial."""
    rng = np.random.RandomState(123)
    x = np.sort(10 * rng.rand(50))
    known = 0.1 + 0.5 * rng.rand(50)
    y = -0.9594 * x + 4.294
    y += abs(0.534 * y) * rng.randn(50)
    y += known * rng.randn(50)

    def logl(at: Array) -> float:
        return float(_line(*at.tolist()))

    def _line(m: Array, b: Array, log_f: Array) -> Array:
        mean = m * x + b
        variance = known**2 + mean**2 * np.exp(2 * log_f)
        return -0.5 * ((y - mean) ** 2 / variance + np.log(2 * pi * variance)).sum(axis=-1)

    box = np.array([[-5.0, 0.5], [0.0, 10.0], [-10.0, 1.0]])
    about = np.array([[-1.7, -0.3], [2.2, 6.8], [-1.7, 0.6]])
    axes = [low + (high - low) * (np.arange(40) + 0.5) / 40 for low, high in about]
    grid = [each[..., np.newaxis] for each in np.meshgrid(*axes, indexing="ij")]
    log_z, weights = integrated(_line(*grid), 40**3)
    log_z += float(np.log(np.diff(about) / np.diff(box)).sum())
    sums = [weights.sum(axis=tuple({0, 1, 2} - {i})) for i in range(3)]
    mean, sd = zip(*map(moments, axes, sums), strict=True)
    starts = np.array([[-2.0, -0.2], [2.0, 7.0], [-2.0, 0.2]])
    return Target(logl, box, starts, np.array(mean), np.array(sd), log_z=log_z)


def eight_schools() -> Target:
    """The effects of coaching in eight schools, taken apart, with the logarithm of their spread.

    Given mean and spread the effects are normal and independent, so that two dimensions are left.
    """
    y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    sd = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])

    def logl(at: Array) -> float:
        scaled = (y - at[0] - exp(at[1]) * at[2:]) / sd
        return -0.5 * float(scaled @ scaled)

    # The logarithm of a half-Cauchy variate has the distribution of the hyperbolic secant.
    given = {
        range(1): stats.norm(0, 5),
        range(1, 2): stats.hypsecant(log(5)),
        range(2, 10): stats.norm(),
    }
    mu, log_tau = np.meshgrid(np.linspace(-30, 30, 301), np.linspace(-25, 9, 681), indexing="ij")
    tau = np.exp(log_tau)[..., np.newaxis]
    total, away = sd**2 + tau**2, y - mu[..., np.newaxis]
    marginal = 0.5 * (np.log(sd**2 / total) - away**2 / total).sum(axis=-1)
    marginal += given[range(1)].logpdf(mu) + given[range(1, 2)].logpdf(log_tau)
    log_z, weights = integrated(marginal, 1 / (0.2 * 0.05))
    found = [moments(mu, weights), moments(log_tau, weights)]
    for j in range(8):
        mean, inner = moments(tau[..., 0] * away[..., j] / total[..., j], weights)
        found.append((mean, float((weights * sd[j] ** 2 / total[..., j]).sum() + inner**2) ** 0.5))
    means, sds = np.array(found).T
    box = np.tile([-np.inf, np.inf], (10, 1))
    starts = np.array([[-10.0, 10.0], [0.0, 3.0]] + [[-2.0, 2.0]] * 8)
    return Target(logl, box, starts, means, sds, log_z=log_z, given=given)


def sinusoid() -> Target:
    """A wave of unknown frequency in twenty nights, with the aliases of a day.

    Given frequency and noise it is linear with normal priors, so that two dimensions are left.
    """
    rng = np.random.default_rng(7)
    t = np.sort(rng.choice(60, 20, replace=False)) + rng.normal(0, 0.1, 20)
    v = 4 * np.sin(2 * pi * 0.31 * t + 1) + 1 + rng.normal(0, 3, 20)

    def logl(at: Array) -> float:
        frequency, a, b, c, log_s = at.tolist()
        phase = 2 * pi * frequency * t
        rest = v - a * np.cos(phase) - b * np.sin(phase) - c
        return -0.5 * float(rest @ rest) * exp(-2 * log_s) - 20 * log_s - 10 * log(2 * pi)

    frequency, log_s = (np.arange(4000) + 0.5) / 4000, 3 * (np.arange(150) + 0.5) / 150
    phase = 2 * pi * frequency[:, np.newaxis] * t
    design = np.stack([np.cos(phase), np.sin(phase), np.ones_like(phase)], axis=1)
    values, vectors = np.linalg.eigh(design @ design.swapaxes(1, 2))
    noise = np.exp(-2 * log_s)[:, np.newaxis]
    precision = noise * values[:, np.newaxis] + 1 / 16  # (frequency, noise, direction)
    along = noise * np.einsum("fij,fi->fj", vectors, design @ v)[:, np.newaxis]
    marginal = 0.5 * (along**2 / precision - np.log(16 * precision)).sum(axis=-1)
    marginal -= 0.5 * noise[:, 0] * float(v @ v) + 20 * log_s + 10 * log(2 * pi)
    log_z, weights = integrated(marginal, marginal.size)
    found = [moments(frequency, weights.sum(axis=1))]
    for i in range(3):
        part = vectors[:, np.newaxis, i]
        mean, inner = moments((part * along / precision).sum(axis=-1), weights)
        variance = float((weights * (part**2 / precision).sum(axis=-1)).sum())
        found.append((mean, (variance + inner**2) ** 0.5))
    means, sds = np.array([*found, moments(log_s, weights.sum(axis=0))]).T
    box = np.array([[0.0, 1.0], *[[-np.inf, np.inf]] * 3, [0.0, 3.0]])
    starts = np.array([[0.0, 1.0], *[[-8.0, 8.0]] * 3, [0.0, 3.0]])
    near = (frequency > 0.25) & (frequency < 0.4)
    share = (
        lambda rows: (rows[..., 0] > 0.25) & (rows[..., 0] < 0.4),
        float(weights[near].sum()),
    )
    given = {range(1, 4): stats.norm(0, 4)}
    return Target(logl, box, starts, means, sds, share, log_z, given=given)
