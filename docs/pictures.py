"""The pictures of the gallery, each of a short run; the page shows this code."""

from collections.abc import Callable
from functools import cache
from math import log, pi
from pathlib import Path
from typing import Any

import numpy as np
from anew import make_anew
from matplotlib.figure import Figure
from scipy import stats

import epsie
from epsie import plots
from epsie.chain import BarrierAnnealer
from epsie.proposals import ATAdaptiveBoundedNormal, ATAdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

rng = np.random.default_rng(5)
x = np.sort(rng.uniform(0, 10, 50))  # s
y = 2 - 0.9 * x + 0.8 * rng.standard_normal(50)  # m
line_prior = epsie.Prior(
    slope=(-5, 5),
    intercept=stats.norm(0, 5),
    scatter=stats.loguniform(0.1, 10),
    labels={"slope": "slope / (m/s)", "intercept": "start / m", "scatter": "scatter / m"},
)


def line_likelihood(slope, intercept, scatter):
    """The log likelihood of a line through points."""
    left = (y - intercept - slope * x) / scatter
    return -0.5 * (left @ left) - len(x) * log(scatter)


@cache
def line():
    """Sample its posterior."""
    return epsie.sample(line_likelihood, line_prior, until={"ess": 400}, seed=1)


def prior():
    """Draw a prior by itself."""
    return plots.prior(line_prior)


def trace():
    """Draw all chains, and the marginals of each."""
    return plots.trace(line())


def corner():
    """Draw marginals and pairs, with the prior behind them."""
    return plots.corner(line(), prior=True)


def learned():
    """Draw the mixture that chains learned together, over their draws."""

    def log_likelihood(x, y):
        return -0.5 * ((x * x + y * y - 4) / 0.6) ** 2 - 0.2 * (x - 1) ** 2

    box = {"x": (-5, 5), "y": (-5, 5)}
    return plots.learned(epsie.sample(log_likelihood, box, until={"ess": 300}, seed=1))


def adaptation():
    """Draw how chains come to their acceptance rate and jump widths."""

    def model(x, y):
        return -0.5 * (x * x - 1.8 * x * y + y * y) / 0.19, 0.0

    learning = ATAdaptiveNormal(["x", "y"], adaptation_duration=2000)
    sampler = MetropolisHastingsSampler(["x", "y"], model, 4, learning, seed=1)
    sampler.start_position = {"x": [-9, 9, -5, 5], "y": [9, -9, 5, -5]}
    sampler.run(2500)
    return plots.adaptation(sampler)


days = np.sort(rng.choice(60, 20, replace=False)) + rng.normal(0, 0.1, 20)
velocity = 4 * np.sin(2 * pi * 0.31 * days + 1) + rng.normal(0, 3, 20)


@cache
def wave():
    """Sample the frequency of a wave, which has many peaks, at several temperatures."""

    def log_likelihood(frequency, a, b):
        phase = 2 * pi * frequency * days
        left = velocity - a * np.cos(phase) - b * np.sin(phase)
        return -0.5 * (left @ left) / 9

    around = stats.norm(0, 4)
    sampler = ParallelTemperedSampler(
        epsie.Posterior(log_likelihood, epsie.Prior(frequency=(0, 1), a=around, b=around)),
        nchains=2,
        betas=epsie.geometric_ladder(8, 3),
        proposals=[
            ATAdaptiveBoundedNormal("frequency", {"frequency": (0, 1)}, 500),
            ATAdaptiveNormal(["a", "b"], 500),
        ],
        adaptive_annealer=BarrierAnnealer(500),
        seed=1,
    )
    sampler.run(1500)
    return sampler


def temperatures():
    """Draw the ladder, and how often neighbours swap."""
    return plots.temperatures(wave())


def round_trips():
    """Draw the way of points along the ladder."""
    return plots.round_trips(wave())


def evidence():
    """Draw where between prior and posterior the evidence comes from."""
    return plots.evidence(wave())


def overlap():
    """Draw how far the posterior and what was learned of it overlap: plain chains' evidence."""
    return plots.evidence(line())


def calibration():
    """Draw the ranks of true values among draws, of data that are simulated."""
    ranked = epsie.calibrate(
        lambda rng, mean: rng.normal(mean, 1),
        lambda datum: lambda mean: -0.5 * (datum - mean) ** 2,
        {"mean": (-3, 3)},
        n=30,
        until={"ess": 50},
        seed=1,
    )
    return plots.calibration(ranked)


def comparison():
    """Draw the probabilities of polynomials of several degrees, by their evidence."""
    runs = {}
    for degree in range(3):
        powers = x[:, np.newaxis] ** np.arange(degree + 1)

        def log_likelihood(powers=powers, **coefficients):
            left = (y - powers @ [*coefficients.values()]) / 0.8
            return -0.5 * (left @ left)

        box = {f"c{i}": stats.norm(0, 5 / 5**i) for i in range(degree + 1)}
        runs[str(degree)] = epsie.sample(log_likelihood, box, until={"ess": 200}, seed=1)
    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    axes.bar(runs.keys(), epsie.compare(**runs).probabilities.values(), color="#2f6690")
    axes.set(xlabel="degree of the polynomial", ylabel="probability", ylim=(0, 1))
    return figure


PICTURES: tuple[Callable[[], Any], ...] = (
    corner,
    trace,
    prior,
    learned,
    adaptation,
    temperatures,
    round_trips,
    evidence,
    overlap,
    calibration,
    comparison,
)


def make(folder: Path) -> None:
    """Save all of them, unless they are newer than the code."""
    makers = {
        folder / f"{draw.__name__}_picture.png": lambda file, draw=draw: draw().savefig(
            file, dpi=100
        )
        for draw in PICTURES
    }
    make_anew(makers, [Path(__file__), *Path(epsie.__file__).parent.rglob("*.py")])
