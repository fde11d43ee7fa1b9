"""Predators and prey: a differential equation fitted to data, sampled on all cores.

From 1900 to 1920 the Hudson's Bay Company counted the pelts of snowshoe hares and of the lynxes
that live on them. The Lotka-Volterra equations say how such populations chase each other. Here
their four rates, two start values and two noise levels are inferred from the counts:

    python tutorials/lynx_hare.py

prints the posterior beside a published reference and draws it in ``lynx_hare.png``.
"""

import argparse
import json
import os
import sys
import time
from math import erf, exp, hypot, inf, isfinite, log, pi, sqrt
from pathlib import Path

import matplotlib
import numpy as np
from arviz_stats.base import array_stats
from matplotlib import pyplot as plt

from epsie.proposals import ATAdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler

# ---- The model: hare' = (alpha - beta lynx) hare,  lynx' = (delta hare - gamma) lynx

# Priors of the rates: mean and standard deviation of normals, truncated to positive values.
RATES = {"alpha": (1, 0.5), "beta": (0.05, 0.05), "gamma": (1, 0.5), "delta": (0.05, 0.05)}
# Priors of populations in 1900 and noise: mean and standard deviation of the logarithm.
POPULATIONS = {"hare0": (log(10), 1), "lynx0": (log(10), 1)}
NOISE = {"sigma_hare": (-1, 1), "sigma_lynx": (-1, 1)}
PARAMETERS = (*RATES, *POPULATIONS, *NOISE)

STEPS = 10  # a year


def solve(alpha, beta, gamma, delta, hare0, lynx0):
    """Logarithms of both populations, `STEPS` times a year from 1900 to 1920.

    A Runge-Kutta solution of fourth order in plain floats is as exact as needed here, 1e-5 of
    the log-likelihood, in 0.15 ms. In logarithms no population can become negative.
    """
    h = 1 / STEPS
    u, v = log(hare0), log(lynx0)
    path = [(u, v)]
    for _ in range(20 * STEPS):
        u1, v1 = alpha - beta * exp(v), delta * exp(u) - gamma
        u2, v2 = alpha - beta * exp(v + h / 2 * v1), delta * exp(u + h / 2 * u1) - gamma
        u3, v3 = alpha - beta * exp(v + h / 2 * v2), delta * exp(u + h / 2 * u2) - gamma
        u4, v4 = alpha - beta * exp(v + h * v3), delta * exp(u + h * u3) - gamma
        u += h / 6 * (u1 + 2 * u2 + 2 * u3 + u4)
        v += h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
        path.append((u, v))
    return path


def log_normal(x, mean, sd):
    """Logarithm of the normal density."""
    return -0.5 * ((x - mean) / sd) ** 2 - log(sd) - 0.5 * log(2 * pi)


def log_prior(values):
    """Logarithm of the prior density; -inf unless all parameters are positive."""
    if not all(0 < value < inf for value in values.values()):
        return -inf
    logp = 0.0
    for name, (mean, sd) in RATES.items():
        logp += log_normal(values[name], mean, sd) - log((1 + erf(mean / sd / sqrt(2))) / 2)
    for name, (mean, sd) in (POPULATIONS | NOISE).items():
        logp += log_normal(log(values[name]), mean, sd) - log(values[name])
    return logp


class LynxHare:
    """The counts are lognormal about the populations, in all 21 years."""

    def __init__(self, counts):
        self.log_counts = np.log(counts).tolist()
        self.constant = -float(np.log(counts).sum())

    def __call__(self, **logs):
        """Return the logarithms of likelihood and prior density, given those of the parameters.

        The parameters range from 0.02 to 40. Their logarithms all have about the same width, so
        the proposal soon learns the posterior's shape. The density of a logarithm is that of the
        parameter times d parameter / d logarithm, which is the parameter.
        """
        try:
            values = {name.removeprefix("log_"): exp(x) for name, x in logs.items()}
        except OverflowError:
            return -inf, -inf
        logl, logp = self.density(**values)
        return logl, logp + sum(logs.values())

    def density(self, **values):
        """Return the logarithms of likelihood and prior density, given the parameters."""
        logp = log_prior(values)
        return (-inf if logp == -inf else self.log_likelihood(**values)), logp

    def log_likelihood(self, sigma_hare, sigma_lynx, **dynamics):
        """Logarithm of the likelihood; -inf where a population leaves the range of floats."""
        logl = self.constant
        try:
            years = solve(**dynamics)[::STEPS]
            for (u, v), (hare, lynx) in zip(years, self.log_counts, strict=True):
                logl += log_normal(hare, u, sigma_hare) + log_normal(lynx, v, sigma_lynx)
        except OverflowError:
            return -inf
        return logl if isfinite(logl) else -inf


# ---- Sampling


def crude_guess(counts):
    """Values of all parameters from the counts alone, good to some ten per cent.

    In the rates the equations are linear, (log hare)' = alpha - beta lynx and (log lynx)' =
    delta hare - gamma: least squares, with differences for derivatives.
    """
    (hare, lynx), one = counts.T, np.ones(len(counts))
    hare_growth, lynx_growth = np.gradient(np.log(counts), axis=0).T
    alpha, beta = np.linalg.lstsq(np.c_[one, -lynx], hare_growth)[0]
    gamma, delta = np.linalg.lstsq(np.c_[-one, hare], lynx_growth)[0]
    return np.array([alpha, beta, gamma, delta, hare[0], lynx[0], 0.3, 0.3])


def sample(counts, nchains, iterations, processes, seed):
    """Draws from the posterior: for each parameter an array (nchains, iterations kept)."""
    names = ["log_" + name for name in PARAMETERS]
    learning = iterations // 4
    proposal = ATAdaptiveNormal(names, adaptation_duration=learning)
    sampler = MetropolisHastingsSampler(
        names, LynxHare(counts), nchains, proposals=[proposal], seed=seed, pool=processes
    )
    # Starts from the prior would do worse: some chains would end in a second, far lower mode
    # with another period, which no jump leaves.
    spread = 0.1 * np.random.default_rng(seed).normal(size=(len(names), nchains))
    starts = np.log(crude_guess(counts))[:, None] + spread
    sampler.start_position = dict(zip(names, starts, strict=True))
    sampler.run(iterations, progress=True)
    kept = sampler.positions[:, learning:]
    return {name: np.exp(kept["log_" + name]) for name in PARAMETERS}


# ---- The table


def compare(draws, reference, ndraws=10_000):
    """Rows of the table: name, mean, sd, both of the reference, difference, ESS and R-hat.

    The difference of the means is in Monte Carlo standard errors, those of this run and of the
    reference's `ndraws` draws together.
    """
    rows = []
    for name, values in draws.items():
        mean, sd = reference[name]["mean"], reference[name]["sd"]
        ess, rhat = float(array_stats.ess(values)), float(array_stats.rhat(values))
        difference = (values.mean() - mean) / hypot(values.std() / sqrt(ess), sd / sqrt(ndraws))
        rows.append((name, values.mean(), values.std(), mean, sd, difference, ess, rhat))
    return rows


def table(rows):
    """The rows as text, what is suspect marked, and a verdict."""
    lines = [
        "                 this run           reference     difference",
        "parameter       mean       sd      mean       sd  / MC error      ESS   R-hat",
    ]
    suspects = []
    for name, *numbers in rows:
        *_, difference, _, rhat = numbers
        trusted = abs(difference) < 4 and rhat < 1.01  # False for NaN
        line = "{:10}{:10.4g}{:9.4f}{:10.4g}{:9.4f}{:+12.1f}{:9.0f}{:8.4f}"
        lines.append(line.format(name, *numbers) + ("" if trusted else "  <--"))
        suspects += [] if trusted else [name]
    verdict = "All means agree within 4 Monte Carlo standard errors, all R-hat are below 1.01."
    if suspects:
        verdict = f"Not to be trusted yet: {', '.join(suspects)}. Try more --iterations."
    return "\n".join([*lines, verdict])


# ---- The picture

COLOURS = {"hare": "#c2722d", "lynx": "#2f6690"}
TITLES = {
    "alpha": r"$\alpha$: birth of hares / year",
    "beta": r"$\beta$: hares eaten / (year · 1000 lynxes)",
    "gamma": r"$\gamma$: death of lynxes / year",
    "delta": r"$\delta$: birth of lynxes / (year · 1000 hares)",
    "hare0": "hares in 1900 / 1000",
    "lynx0": "lynxes in 1900 / 1000",
    "sigma_hare": "noise of log hares",
    "sigma_lynx": "noise of log lynxes",
}


def draw_fit(axes, species, counts, paths, sigma):
    """Counts of one species, and the bands in which the posterior expects them."""
    years = np.linspace(1900, 1920, paths.shape[1])
    # One deviate for a whole path gives every year its right band, and smooth ones.
    noise = sigma * np.random.default_rng(1).normal(size=len(sigma))
    expected = np.exp(paths + noise[:, None])
    for percent, alpha in ((50, 0.32), (90, 0.18)):
        low, high = np.percentile(expected, (50 - percent / 2, 50 + percent / 2), axis=0)
        label = f"{percent} % of counts"
        axes.fill_between(years, low, high, color=COLOURS[species], alpha=alpha, lw=0, label=label)
    axes.plot(years, np.exp(np.median(paths, axis=0)), COLOURS[species], lw=2, label="median")
    axes.plot(years[::STEPS], counts, "ko", ms=4.5, label="counted")
    axes.set(xlim=(1899.6, 1920.4), ylim=(0, 1.2 * high.max()), xticks=range(1900, 1921, 5))
    axes.set_ylabel(f"{species} pelts / 1000")
    axes.legend(ncols=4, loc="upper center", frameon=False)


def draw_marginal(axes, name, values, reference):
    """Posterior of one parameter, its central 90 % darker; lines for the reference."""
    low, high = np.percentile(values, (5, 95))
    edges = np.linspace(low - (high - low) / 2, high + (high - low) / 2, 73)
    colour = COLOURS["lynx" if name in ("gamma", "delta", "lynx0", "sigma_lynx") else "hare"]
    axes.hist(values.ravel(), edges, color=colour, alpha=0.3)
    axes.hist(values.ravel(), edges[18:55], color=colour, alpha=0.5)
    for quantile, top in (("q05", 0.4), ("q50", 0.97), ("q95", 0.4)):
        axes.axvline(reference[quantile], 0, top, color="black", lw=1.2)
    axes.set_title(TITLES[name], fontsize=10)
    axes.set(yticks=[], xlim=edges[[0, -1]])


def picture(draws, counts, reference, file, npaths=2000):
    """Save the fit beside the posterior of each parameter."""
    chosen = np.linspace(0, draws["alpha"].size - 1, npaths).astype(int)
    some = {name: values.ravel()[chosen] for name, values in draws.items()}
    dynamics = zip(*(some[name].tolist() for name in (*RATES, *POPULATIONS)), strict=True)
    paths = np.array([solve(*values) for values in dynamics])
    figure = plt.figure(figsize=(13, 7.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.15, 1))
    for k, (axes, species) in enumerate(zip(left.subplots(2, sharex=True), COLOURS, strict=True)):
        draw_fit(axes, species, counts[:, k], paths[:, :, k], some[f"sigma_{species}"])
    for axes, (name, values) in zip(right.subplots(4, 2).flat, draws.items(), strict=True):
        draw_marginal(axes, name, values, reference[name])
    left.suptitle("Fit: where the posterior expects the counts")
    right.suptitle("Posterior, its central 90 % dark; lines: reference at 5, 50 and 95 %")
    figure.savefig(file, dpi=130)


# ---- The command


def read_data():
    """Pelts in thousands, shape (21, 2) with hares first, and the reference by parameter."""
    data = json.loads((Path(__file__).parent / "data" / "hudson_lynx_hare.json").read_text())
    counts = np.array([data["data"]["y_init"], *data["data"]["y"]], dtype=float)
    # The reference has other names in the same order.
    return counts, dict(zip(PARAMETERS, data["reference"].values(), strict=True))


def main(argv=None):
    """Sample, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--processes", type=int, default=os.cpu_count(), help="default: all cores")
    add("--chains", type=int, default=8, help="default: %(default)s")
    add("--iterations", type=int, default=50_000, help="of each chain; default: %(default)s")
    add("--seed", type=int, default=1900, help="default: %(default)s")
    add("--output", type=Path, default=Path(), metavar="DIR", help="for lynx_hare.png")
    asked = parser.parse_args(argv)
    if asked.processes < 1 or asked.chains < 1 or asked.iterations < 100 or asked.seed < 0:
        parser.error("at least 1 process, 1 chain and 100 iterations, and no seed below 0")
    asked.output.mkdir(parents=True, exist_ok=True)

    counts, reference = read_data()
    began = time.perf_counter()
    draws = sample(counts, asked.chains, asked.iterations, asked.processes, asked.seed)
    seconds = time.perf_counter() - began
    print(table(compare(draws, reference)))
    evaluations = asked.chains * (asked.iterations + 1)
    print(f"{evaluations:,} evaluations in {seconds:.0f} s on {asked.processes} processes")
    picture(draws, counts, reference, asked.output / "lynx_hare.png")
    print(f"Picture: {asked.output / 'lynx_hare.png'}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        sys.exit(130)
