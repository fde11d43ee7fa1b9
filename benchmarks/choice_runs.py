"""Measure `epsie` and other samplers on three targets; run by `peers_choice`.

An evaluation is one call of the likelihood; for NUTS it is one of the likelihood and its gradient.
Learning is left out where a sampler has such a stage; nested sampling has none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from math import exp, inf, log, log1p, pi, sqrt
from time import process_time
from typing import Any, NamedTuple

import dynesty
import emcee
import numpy as np
import nutpie
from emcee.autocorr import integrated_time
from nutpie.compiled_pyfunc import from_pyfunc

from epsie import geometric_ladder
from epsie.chain import BarrierAnnealer
from epsie.proposals import ATAdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

BOX = 10.0
"""Half the width of the prior, which is uniform in every parameter."""

CHAINS, TEMPERATURES, LIVE = 4, 8, 500
THIN = 10
"""Of the ensemble only every so many-th iteration is kept: it is far from independent."""


class Ellipsoid:
    """A normal likelihood, randomly rotated, of condition number 100."""

    def __init__(self, ndim: int) -> None:
        self.ndim = ndim
        axes = np.linalg.qr(np.random.default_rng(ndim).normal(size=(ndim, ndim)))[0]
        sds = np.logspace(0, -1, ndim)
        self.whiten = np.ascontiguousarray((axes / sds).T)
        self.precision = self.whiten.T @ self.whiten
        self.log_z = ndim * log(sqrt(2 * pi) / (2 * BOX)) + float(np.log(sds).sum())

    def logl(self, x: np.ndarray) -> float:
        """The log likelihood."""
        z = self.whiten.dot(x)
        return -0.5 * float(z.dot(z))

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Its gradient."""
        return -self.precision.dot(x)


class Peaks:
    """Two unit normal peaks ten standard deviations apart in four dimensions."""

    ndim, weight = 4, 0.25
    log_z = -4 * log(2 * BOX)

    def logl(self, x: np.ndarray) -> float:
        """The log likelihood."""
        x0, x1, x2, x3 = x.tolist()
        left, right = log(0.25) - 0.5 * (x0 + 5) ** 2, log(0.75) - 0.5 * (x0 - 5) ** 2
        high, low = (left, right) if left > right else (right, left)
        peaks = high + log1p(exp(low - high))
        return peaks - 0.5 * (x1 * x1 + x2 * x2 + x3 * x3) - 2 * log(2 * pi)

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """Its gradient."""
        left = 1 / (1 + 3 * exp(min(10 * x[0], 700.0)))
        slope = -x
        slope[0] = -(x[0] + 5) * left - (x[0] - 5) * (1 - left)
        return slope


class Run(NamedTuple):
    """What a run gave."""

    seconds: float
    evaluations: int
    samples: np.ndarray
    """Equally weighted, shape (nchains, niterations, ndim), or weighted, shape (n, ndim)."""
    weights: np.ndarray | None = None
    log_z: float | None = None
    error: float | None = None

    @property
    def ess(self) -> float:
        """The least effective sample size of all parameters."""
        if self.weights is not None:
            return float(self.weights.sum() ** 2 / (self.weights**2).sum())
        chains = np.swapaxes(self.samples, 0, 1)
        tau = integrated_time(chains, quiet=True)
        return chains.shape[0] * chains.shape[1] / float(np.max(tau))

    @property
    def weight(self) -> float:
        """The weight of the left peak."""
        return float(np.average(self.samples[..., 0] < 0, weights=self.weights))


def starts(ndim: int, number: int, shape: tuple[int, ...]) -> np.ndarray:
    """Draws from the prior."""
    return np.random.default_rng(number).uniform(-BOX, BOX, (*shape, ndim))


def model_of(target: Any, names: list[str]) -> Callable[..., tuple[float, float]]:
    """The target as a model of `epsie`, with its normalised prior."""
    logp = -target.ndim * log(2 * BOX)

    def model(**values: float) -> tuple[float, float]:
        x = np.array([values[name] for name in names])
        if abs(x).max() > BOX:
            return -inf, -inf
        return target.logl(x), logp

    return model


def chains(target: Any, number: int, iterations: int) -> Run:
    """Independent chains of `epsie`; a quarter is for learning."""
    names, learning = [f"x{i}" for i in range(target.ndim)], iterations // 4
    sampler = MetropolisHastingsSampler(
        names, model_of(target, names), CHAINS, [ATAdaptiveNormal(names, learning)], seed=number
    )
    sampler.start_position = dict(zip(names, starts(target.ndim, number, (CHAINS,)).T))
    sampler.run(learning)
    sampler.clear()
    began = process_time()
    sampler.run(iterations - learning)
    seconds = process_time() - began
    samples = np.stack([sampler.positions[name] for name in names], axis=-1)
    return Run(seconds, CHAINS * (iterations - learning), samples)


def tempered(target: Any, number: int, iterations: int) -> Run:
    """Tempered chains of `epsie`; a fifth is for learning."""
    names, learning = [f"x{i}" for i in range(target.ndim)], iterations // 5
    sampler = ParallelTemperedSampler(
        names,
        model_of(target, names),
        CHAINS,
        geometric_ladder(TEMPERATURES, target.ndim),
        proposals=[ATAdaptiveNormal(names, learning)],
        adaptive_annealer=BarrierAnnealer(learning),
        seed=number,
    )
    first = starts(target.ndim, number, (CHAINS, TEMPERATURES))
    sampler.start_position = dict(zip(names, first.T))
    sampler.run(learning)
    sampler.clear()
    began = process_time()
    sampler.run(iterations - learning)
    seconds = process_time() - began
    samples = np.stack([sampler.positions[name][0] for name in names], axis=-1)
    evidence = sampler.log_evidence()
    made = CHAINS * TEMPERATURES * (iterations - learning)
    return Run(seconds, made, samples, None, evidence.log_z, evidence.standard_error)


def ensemble(target: Any, number: int, iterations: int) -> Run:
    """The default move of emcee; a quarter is burn-in."""

    def log_density(x: np.ndarray) -> float:
        return target.logl(x) if abs(x).max() <= BOX else -inf

    np.random.seed(number)  # noqa: NPY002 - emcee takes its seed from there
    walkers = max(40, 4 * target.ndim)
    sampler = emcee.EnsembleSampler(walkers, target.ndim, log_density)
    burnt = sampler.run_mcmc(starts(target.ndim, number, (walkers,)), iterations // 4)
    sampler.reset()
    made = (iterations - iterations // 4) // THIN
    began = process_time()
    sampler.run_mcmc(burnt, made, thin_by=THIN)
    seconds = process_time() - began
    samples = np.swapaxes(sampler.get_chain(), 0, 1)
    return Run(seconds, walkers * made * THIN, samples)


def nuts(target: Any, number: int, iterations: int) -> Run:
    """The NUTS of nutpie with a gradient written by hand; tuning is left out."""
    ndim = target.ndim
    clock = {"calls": 0, "seconds": 0.0}

    def make_logp() -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
        def logp(x: np.ndarray) -> tuple[float, np.ndarray]:
            clock["calls"] += 1
            return target.logl(x), target.gradient(x)

        return logp

    def make_expand(*_: Any) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        return lambda x: {"x": np.array(x)}

    model = from_pyfunc(
        ndim,
        make_logp,
        make_expand,
        [np.dtype(float)],
        [(ndim,)],
        ["x"],
        make_initial_point_fn=lambda seed: np.random.default_rng(seed).uniform(-BOX, BOX, ndim),
    )
    tune = 1000
    began = process_time()
    trace = nutpie.sample(
        model, draws=iterations, tune=tune, chains=CHAINS, cores=1, seed=number, progress_bar=False
    )
    elapsed = process_time() - began
    steps = int(trace.sample_stats["n_steps"].sum())
    # Tuning is not timed by itself: the share of the calls is its share of the time.
    seconds = elapsed * steps / clock["calls"]
    return Run(seconds, steps, trace.posterior["x"].to_numpy())


def nested(target: Any, number: int, _: int) -> Run:
    """The defaults of dynesty, with 500 live points."""
    sampler = dynesty.NestedSampler(
        target.logl,
        lambda u: 2 * BOX * u - BOX,
        target.ndim,
        nlive=LIVE,
        rstate=np.random.default_rng(number),
    )
    began = process_time()
    sampler.run_nested(print_progress=False)
    seconds = process_time() - began
    found = sampler.results
    weights = found.importance_weights()
    made = int(np.sum(found.ncall))
    return Run(
        seconds, made, found.samples, weights, float(found.logz[-1]), float(found.logzerr[-1])
    )


class Plan(NamedTuple):
    """How to run a sampler, and the iterations on each target; None: it is left out."""

    run: Callable[[Any, int, int], Run]
    gaussian_10: int
    gaussian_50: int | None
    peaks: int


PLANS = {
    "epsie, Metropolis-Hastings": Plan(chains, 60_000, 80_000, 60_000),
    "epsie, parallel tempering": Plan(tempered, 12_000, None, 8_000),
    "emcee": Plan(ensemble, 12_000, 12_000, 6_000),
    "NUTS (nutpie)": Plan(nuts, 2_000, 1_000, 5_000),
    "nested sampling (dynesty)": Plan(nested, 0, None, 0),
}

Found = dict[str, dict[str, float | None]]


def gaussian(ndim: int, repeats: int) -> Found:
    """Effective samples per 1000 evaluations and per second, and log Z: medians."""
    target, found = Ellipsoid(ndim), {}
    for name, plan in PLANS.items():
        iterations = plan.gaussian_10 if ndim == 10 else plan.gaussian_50
        if iterations is None:
            continue
        runs = [plan.run(target, number, iterations) for number in range(repeats)]
        found[name] = {
            "ess": float(np.median([1000 * one.ess / one.evaluations for one in runs])),
            "rate": float(np.median([one.ess / one.seconds for one in runs])),
            "evaluations": float(np.median([one.evaluations for one in runs])),
            **_evidence(target, runs),
        }
    return found


def peaks(repeats: int) -> Found:
    """The same where the effective size is the one that the error of a peak's weight has."""
    target, found = Peaks(), {}
    for name, plan in PLANS.items():
        runs = [plan.run(target, number, plan.peaks) for number in range(repeats)]
        rms = sqrt(np.mean([(one.weight - target.weight) ** 2 for one in runs]))
        ess = target.weight * (1 - target.weight) / rms**2
        evaluations = float(np.median([one.evaluations for one in runs]))
        found[name] = {
            "rms": rms,
            "ess": 1000 * ess / evaluations,
            "rate": ess / float(np.median([one.seconds for one in runs])),
            "evaluations": evaluations,
            **_evidence(target, runs),
        }
    return found


def _evidence(target: Any, runs: list[Run]) -> dict[str, float | None]:
    if runs[0].log_z is None:
        return {"off": None, "error": None}
    off = [one.log_z - target.log_z for one in runs if one.log_z is not None]
    return {
        "off": sqrt(np.mean(np.square(off))),
        "error": float(np.median([one.error for one in runs])),
    }


if __name__ == "__main__":
    count = int(sys.argv[1])
    few = max(1, count // 4)
    found = {"10-D": gaussian(10, few), "50-D": gaussian(50, few), "peaks": peaks(count)}
    print(json.dumps(found))
