"""Long counts of adaptation: how well chains mix once they have learned, over several seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import exp, inf, log
from typing import Any, NamedTuple

import numpy as np
from arviz_stats.base import array_stats
from figure import Figure

from epsie.proposals import AdaptiveEigenvector, ATAdaptiveNormal, BaseProposal
from epsie.samplers import MetropolisHastingsSampler
from tests.references import EightSchools

NCHAINS, NITERATIONS, LEARNING = 4, 50_000, 15_000


class Problem(NamedTuple):
    """A target, where chains start, and the effective samples due per 1,000 evaluations."""

    title: str
    names: list[str]
    model: Callable[..., tuple[float, float]]
    start: Callable[[np.random.Generator], dict[str, float]]
    proposal: Callable[[list[str]], BaseProposal]
    due: float | None


def gaussian(ndim: int, due: float, proposal: Any, condition: float = 100.0) -> Problem:
    """A Gaussian of this condition number, randomly rotated; starts are spread over it."""
    rng = np.random.default_rng(ndim)
    axes = np.linalg.qr(rng.normal(size=(ndim, ndim)))[0]
    whiten = np.ascontiguousarray((axes / np.logspace(0, -0.5 * np.log10(condition), ndim)).T)
    names = [f"p{i}" for i in range(ndim)]

    def model(**values: float) -> tuple[float, float]:
        z = whiten.dot(np.array(list(values.values())))
        return -0.5 * float(z.dot(z)), 0.0

    def start(rng: np.random.Generator) -> dict[str, float]:
        return dict(zip(names, rng.normal(0, 3, ndim).tolist(), strict=True))

    title = f"{ndim}-D Gaussian, condition {condition:g}"
    return Problem(title, names, model, start, proposal, due)


def line(proposal: Any) -> Problem:
    """The line fit of emcee's quickstart: m, b and log f; starts near the bulk."""
    rng = np.random.RandomState(123)
    x = np.sort(10 * rng.rand(50))
    error = 0.1 + 0.5 * rng.rand(50)
    y = -0.9594 * x + 4.294
    y += np.abs(0.534 * y) * rng.randn(50)
    y += error * rng.randn(50)

    def model(m: float, b: float, log_f: float) -> tuple[float, float]:
        if not (-5 < m < 0.5 and 0 < b < 10 and -10 < log_f < 1):
            return -inf, -inf
        expected = m * x + b
        variance = error**2 + expected**2 * exp(2 * log_f)
        return -0.5 * float(((y - expected) ** 2 / variance + np.log(variance)).sum()), 0.0

    def start(rng: np.random.Generator) -> dict[str, float]:
        m, b, log_f = (np.array([-1.0, 4.5, -0.7]) + rng.normal(0, [0.2, 0.5, 0.3])).tolist()
        return {"m": m, "b": b, "log_f": log_f}

    return Problem("line fit", ["m", "b", "log_f"], model, start, proposal, 60.0)


def eight_schools(proposal: Any) -> Problem:
    """Eight schools, not centred, in log tau, as programs sample it that know no bounds."""
    schools = EightSchools()
    names = [name.replace("tau", "log_tau") for name in schools.parameters]

    def model(*, log_tau: float, **others: float) -> tuple[float, float]:
        if log_tau > 300:
            return -inf, -inf
        logl, logp = schools(**others, tau=exp(log_tau))
        return logl, logp + log_tau

    def start(rng: np.random.Generator) -> dict[str, float]:
        *others, tau = schools.start(rng).values()
        return dict(zip(names, [*others, log(tau)], strict=True))

    return Problem("eight schools", names, model, start, proposal, 15.0)


def eight_schools_in_tau(proposal: Any) -> Problem:
    """The same in tau itself, whose long tail a normal jump explores slowly; nothing is due."""
    schools = EightSchools()
    names = list(schools.parameters)
    return Problem("eight schools in tau", names, schools, schools.start, proposal, None)


def andrieu_thoms(names: list[str]) -> BaseProposal:
    """The same settings everywhere."""
    return ATAdaptiveNormal(names, LEARNING)


def eigenvector(names: list[str]) -> BaseProposal:
    """The same settings everywhere."""
    return AdaptiveEigenvector(names, LEARNING)


PROBLEMS = (
    gaussian(10, 20.0, andrieu_thoms),
    gaussian(20, 9.0, andrieu_thoms),
    gaussian(20, 9.0, andrieu_thoms, 1.0),
    line(andrieu_thoms),
    eight_schools(andrieu_thoms),
    eight_schools_in_tau(andrieu_thoms),
    gaussian(10, 13.0, eigenvector),
)


def mixing(count: int) -> Iterator[Figure]:
    """The least over seeds and parameters of what was due; R-hat the largest."""
    for problem in PROBLEMS:
        runs = [_run(problem, seed) for seed in range(count)]
        worst = min(ess for ess, _ in runs)
        title = f"{problem.proposal.__name__}, {problem.title}, {count} seeds"
        remark = "each seed: " + " ".join(f"{ess:.1f}" for ess, _ in runs)
        yield Figure(f"{title}: ESS / 1000", worst, "", problem.due, True, remark)
        yield Figure(f"{title}: R-hat", max(rhat for _, rhat in runs), "", 1.02)


def _run(problem: Problem, seed: int) -> tuple[float, float]:
    """The least bulk ESS per 1,000 evaluations after learning, and the largest R-hat."""
    sampler = MetropolisHastingsSampler(
        problem.names, problem.model, NCHAINS, [problem.proposal(problem.names)], seed=seed, pool=2
    )
    rng = np.random.default_rng(seed)
    starts = [problem.start(rng) for _ in range(NCHAINS)]
    sampler.start_position = {n: [start[n] for start in starts] for n in problem.names}
    sampler.run(NITERATIONS)
    kept = sampler.positions[:, LEARNING:]
    evaluations = kept.size / 1000
    ess = [float(array_stats.ess(kept[name])) / evaluations for name in problem.names]
    rhat = [float(array_stats.rhat(kept[name])) for name in problem.names]
    return min(ess), max(rhat)
