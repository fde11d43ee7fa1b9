"""Predators and prey: a differential equation fitted to data, sampled on all cores.

From 1900 to 1920 the Hudson's Bay Company counted the pelts of snowshoe hares and of the lynxes
that live on them. Four rates, two start values and two noise levels of the Lotka-Volterra
equations are inferred from the counts, printed beside a published reference and drawn:

    python tutorials/lynx_hare.py

(where epsie is installed it is `python -m epsie.demo`). The run is kept on disk: stop it, or kill
it, and run it again, and it goes on where it was.
"""

import argparse
import json
import os
import sys
import time
from math import exp, hypot, inf, isfinite, log, pi, sqrt
from pathlib import Path

import numpy as np
from arviz_stats.base import array_stats
from scipy import stats

import epsie

RATE = stats.truncnorm(-2, inf, 1, 0.5)  # normal about 1, cut at 0
EFFECT = stats.truncnorm(-1, inf, 0.05, 0.05)
START = stats.lognorm(1, scale=10)
SCATTER = stats.lognorm(1, scale=exp(-1))
PRIOR = epsie.Prior(
    alpha=RATE,
    beta=EFFECT,
    gamma=RATE,
    delta=EFFECT,
    hare0=START,
    lynx0=START,
    sigma_hare=SCATTER,
    sigma_lynx=SCATTER,
)
MEANING = {
    "alpha": "hares born / year",
    "beta": "hares eaten / year / 1000 lynxes",
    "gamma": "lynxes dying / year",
    "delta": "lynxes born / year / 1000 hares",
    "hare0": "hares in 1900 / 1000",
    "lynx0": "lynxes in 1900 / 1000",
    "sigma_hare": "hare counts' scatter",
    "sigma_lynx": "lynx counts' scatter",
}

DATA = json.loads((Path(__file__).parent / "data" / "hudson_lynx_hare.json").read_text())
COUNTS = np.array([DATA["data"]["y_init"], *DATA["data"]["y"]], dtype=float)  # hares, lynxes
LOG_COUNTS = np.log(COUNTS).tolist()
# Has other names, in this order.
REFERENCE = dict(zip(PRIOR.parameters, DATA["reference"].values()))
STEPS = 10  # of the solution, per year


def solve(alpha, beta, gamma, delta, hare0, lynx0):
    """Logarithms of both populations, `STEPS` times a year from 1900 to 1920.

    They obey hare' = (alpha - beta lynx) hare and lynx' = (delta hare - gamma) lynx.
    Runge-Kutta of fourth order in plain floats gives the log-likelihood to 1e-5 in 0.15 ms,
    faster than a general solver. In logarithms no population can become negative.
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


def log_likelihood(alpha, beta, gamma, delta, hare0, lynx0, sigma_hare, sigma_lynx):
    """Logarithm of the likelihood: counts are lognormal about the populations, in all 21 years.

    It is -inf where a population leaves the range of floats.
    """
    logl = 0.0
    try:
        years = solve(alpha, beta, gamma, delta, hare0, lynx0)[::STEPS]
        for (u, v), (hare, lynx) in zip(years, LOG_COUNTS):
            logl += log_normal(hare, u, sigma_hare) - hare
            logl += log_normal(lynx, v, sigma_lynx) - lynx
    except OverflowError:
        return -inf
    return logl if isfinite(logl) else -inf


def compare(draws, reference, ndraws=10_000):
    """Rows of the table; the difference is in Monte Carlo standard errors of both together."""
    rows = []
    for name, values in draws.items():
        mean, sd = reference[name]["mean"], reference[name]["sd"]
        ess, rhat = float(array_stats.ess(values)), float(array_stats.rhat(values))
        difference = (values.mean() - mean) / hypot(values.std() / sqrt(ess), sd / sqrt(ndraws))
        rows.append((name, values.mean(), values.std(), mean, sd, difference, ess, rhat))
    return rows


def table(rows):
    """Format the rows, mark what is suspect and give a verdict."""
    text = "                 this run           reference     difference\n"
    text += "parameter       mean       sd      mean       sd  / MC error      ESS   R-hat"
    line = "\n{:10}{:#10.4g}{:#9.3g}{:#10.4g}{:#9.3g}{:+12.1f}{:9.0f}{:8.4f}"
    for *row, difference, ess, rhat in rows:
        text += line.format(*row, difference, ess, rhat)
        if not (abs(difference) < 4 and rhat < 1.01):  # NaN is suspect
            text += "  <--"
    if "<--" in text:
        return text + "\nNot to be trusted where marked <--. Try more, by --ess."
    return text + "\nAll means agree within 4 Monte Carlo errors, all R-hat are below 1.01."


COLOURS = {"hare": "#c2722d", "lynx": "#2f6690"}


def draw_fit(axes, species, counts, paths, sigma):
    """Draw the counts of one species and the bands in which the posterior expects them."""
    years, colour = np.linspace(1900, 1920, paths.shape[1]), COLOURS[species]
    # One deviate for a whole path gives every year its right band, and smooth ones.
    noise = sigma * np.random.default_rng(1).normal(size=len(sigma))
    p5, p25, p75, p95 = np.percentile(np.exp(paths + noise[:, None]), (5, 25, 75, 95), axis=0)
    axes.fill_between(years, p5, p95, color=colour, lw=0, alpha=0.2, label="90 % of counts")
    axes.fill_between(years, p25, p75, color=colour, lw=0, alpha=0.35, label="50 % of counts")
    axes.plot(years, np.exp(np.median(paths, axis=0)), colour, lw=2, label="median")
    axes.plot(years[::STEPS], counts, "ko", ms=4.5, label="counted")
    axes.set(xlim=(1899.6, 1920.4), ylim=(0, 1.2 * p95.max()), xticks=range(1900, 1921, 5))
    axes.set(ylabel=f"{species} pelts / 1000")
    axes.legend(ncols=4, loc="upper center", frameon=False)


def draw_marginal(axes, name, values, reference):
    """Draw the posterior of one parameter, its central 90 % darker, and the reference."""
    low, high = np.percentile(values, (5, 95))
    edges = np.linspace(low - (high - low) / 2, high + (high - low) / 2, 73)
    label = MEANING[name]
    colour = COLOURS["lynx" if label.startswith("lynx") else "hare"]
    axes.hist(values.ravel(), edges, color=colour, alpha=0.3)
    axes.hist(values.ravel(), edges[18:55], color=colour, alpha=0.5)
    for quantile, top in (("q05", 0.4), ("q50", 0.97), ("q95", 0.4)):
        axes.axvline(reference[quantile], 0, top, color="black", lw=1.2)
    axes.set_title(f"{name}: {label}", fontsize=10)
    axes.set(yticks=[], xlim=edges[[0, -1]])


def picture(draws, counts, reference, file, npaths=2000):
    """Save the fit beside the posterior of each parameter."""
    from matplotlib.figure import Figure

    chosen = np.linspace(0, draws["alpha"].size - 1, npaths).astype(int)
    *dynamics, sigma_hare, sigma_lynx = [values.ravel()[chosen] for values in draws.values()]
    paths = np.array([solve(*values) for values in np.transpose(dynamics).tolist()])
    figure = Figure(figsize=(13, 7.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.15, 1))
    above, below = left.subplots(2, sharex=True)
    draw_fit(above, "hare", counts[:, 0], paths[:, :, 0], sigma_hare)
    draw_fit(below, "lynx", counts[:, 1], paths[:, :, 1], sigma_lynx)
    for axes, (name, values) in zip(right.subplots(4, 2).flat, draws.items()):
        draw_marginal(axes, name, values, reference[name])
    left.suptitle("Fit: where the posterior expects the counts")
    right.suptitle("Posterior, its central 90 % dark; lines: reference at 5, 50 and 95 %")
    figure.savefig(file, dpi=130)


def main(argv=None):
    """Sample, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--processes", type=int, default=os.cpu_count(), help="default: all cores")
    add("--ess", type=int, default=4000, help="effective draws at least; default: %(default)s")
    add("--seed", type=int, default=1900, help="default: %(default)s")
    add("--every", default="5s", help="how often to save; default: %(default)s")
    add("--output", type=Path, default=Path(), metavar="DIR", help="for the picture and the run")
    asked = parser.parse_args(argv)
    if asked.processes < 1 or asked.ess < 100 or asked.seed < 0:
        parser.error("at least 1 process and 100 effective draws, and no seed below 0")
    asked.output.mkdir(parents=True, exist_ok=True)

    began = time.perf_counter()
    run = epsie.sample(
        log_likelihood,
        PRIOR,
        until={"ess": asked.ess, "rhat": 1.01},
        pool=asked.processes,
        directory=asked.output / "lynx_hare_run",
        seed=asked.seed,
        every=asked.every,
    )
    seconds = time.perf_counter() - began
    draws = run.draws()
    print(table(compare(draws, REFERENCE)))
    print(f"{run.evaluations:,} evaluations in {seconds:.0f} s on {asked.processes} processes")
    file = asked.output / "lynx_hare.png"
    try:
        picture(draws, COUNTS, REFERENCE, file)
        drawn = f"Picture: {file}"
    except ModuleNotFoundError:
        drawn = "No picture: that takes matplotlib"
    print(f"{drawn}; samples: {asked.output / 'lynx_hare_run'}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("\nInterrupted. Run it again to go on.", file=sys.stderr)
        sys.exit(130)
    except epsie.EpsieError as error:  # for instance a run with other settings in the same place
        sys.exit(str(error))
