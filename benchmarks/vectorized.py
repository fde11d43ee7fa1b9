"""Models of many points: a step over the loop in numpy, and over a call for each point."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

import numpy as np
from figure import Figure

from epsie.execution import utilisation
from epsie.proposals import ATAdaptiveNormal, BaseProposal, Learned, Normal
from epsie.samplers import MetropolisHastingsSampler

NCHAINS = 512
LIMITS = {("Normal", 10): 2.5, ("Normal", 2): 4.5, ("learning", 10): 5.0, ("learning", 2): 8.0}


def gaussian(**columns: Any) -> Any:
    """A normal target, of one point or of many."""
    total = 0.0
    for column in columns.values():
        total = total + column * column
    return -0.5 * total, 0.0


def like_a_gpu(**columns: Any) -> Any:
    """The same, in 50 us and 0.05 us for each point."""
    first = next(iter(columns.values()))
    until = time.perf_counter() + 50e-6 + 0.05e-6 * np.size(first)
    answer = gaussian(**columns)
    while time.perf_counter() < until:
        pass
    return answer


def bare(names: Sequence[str], nchains: int, nsteps: int) -> None:
    """A loop as one would write it in numpy, which keeps everything."""
    n, ndim = nchains, len(names)
    generator = np.random.default_rng(1)
    x, logl = np.zeros((n, ndim)), np.zeros(n)
    positions, logls = np.empty((nsteps, n, ndim)), np.empty((nsteps, n))
    logps, ratios = np.empty((nsteps, n)), np.empty((nsteps, n))
    decisions = np.empty((nsteps, n), bool)
    for step in range(nsteps):
        y = x + 0.3 * generator.standard_normal((n, ndim))
        new, logp = gaussian(**dict(zip(names, np.ascontiguousarray(y.T))))
        ratio = np.exp(np.minimum(new - logl, 0))
        accepted = generator.random(n) < ratio
        x, logl = np.where(accepted[:, None], y, x), np.where(accepted, new, logl)
        positions[step], logls[step], logps[step] = x, logl, logp
        ratios[step], decisions[step] = ratio, accepted


def sampler_of(
    proposal: Callable[[list[str]], BaseProposal],
    ndim: int,
    model: Any = gaussian,
    vectorize: bool = True,
    nchains: int = NCHAINS,
    burn_in: int = 300,
) -> MetropolisHastingsSampler:
    """Chains that are on their way."""
    names = [f"p{i}" for i in range(ndim)]
    made = MetropolisHastingsSampler(
        names, model, nchains, [proposal(names)], seed=1, vectorize=vectorize
    )
    x = np.random.default_rng(0).normal(size=(ndim, nchains))
    made.start_position = dict(zip(names, x, strict=True))
    made.run(burn_in)
    made.clear()
    return made


def learning(names: list[str]) -> BaseProposal:
    """A proposal that never ends to learn."""
    return ATAdaptiveNormal(names, 10**7)


def seconds(work: Callable[[], None]) -> float:
    """The processor time of a piece of work."""
    started = time.process_time()
    work()
    return time.process_time() - started


def figures(quick: bool) -> Iterator[Figure]:
    """Ratios, each the median of pairs that are measured one after the other."""
    nsteps, pairs = (1000, 3) if quick else (4000, 7)
    for ndim in (10, 2):
        names = [f"p{i}" for i in range(ndim)]
        for label, proposal in (("Normal", Normal), ("learning", learning)):
            sampler = sampler_of(proposal, ndim)
            found, each = [], []
            for _ in range(pairs):
                taken = seconds(lambda: sampler.run(nsteps))  # noqa: B023
                found.append(taken / seconds(lambda: bare(names, NCHAINS, nsteps)))  # noqa: B023
                each.append(taken / nsteps / NCHAINS * 1e6)
                sampler.clear()
            yield Figure(
                f"vectorized: {label}, {NCHAINS} chains, {ndim}-D, over the loop in numpy",
                median(found), "x", LIMITS[label, ndim],
                remark=f"{median(each):.2f} us a step and chain",
            )  # fmt: skip
    yield from _against_one_point(quick)
    yield from _around_one_point(quick)


def _around_one_point(quick: bool) -> Iterator[Figure]:
    """Steps as arrays around a call for each point, over steps of one chain after the other."""
    nsteps, cheap = 500 if quick else 2000, utilisation._CHEAP
    for ndim in (10, 2):
        for label, proposal in (("Normal", Normal), ("learning", learning)):
            sampler = sampler_of(proposal, ndim, vectorize=False, nchains=64)
            found = []
            for _ in range(5):
                arrays = seconds(lambda: sampler.run(nsteps))  # noqa: B023
                utilisation._CHEAP = -1.0
                found.append(arrays / seconds(lambda: sampler.run(nsteps)))  # noqa: B023
                utilisation._CHEAP = cheap
                sampler.clear()
            name = f"vectorized: {label}, 64 chains, {ndim}-D, one point a call, over one by one"
            yield Figure(name, median(found), "x", 0.5)


def _against_one_point(quick: bool) -> Iterator[Figure]:
    """Steps with one call of the model, over steps with one for each point."""
    for label, proposal, model, limit in (
        ("Normal", Normal, gaussian, None),
        ("frozen Learned", lambda names: Learned(names, adaptation_duration=200), gaussian, None),
        ("Normal, 50 us and 0.05 a point", Normal, like_a_gpu, 1.0),
    ):
        nsteps = 100 if quick else 300
        together = sampler_of(proposal, 10, model)
        nchains = 8  # too few to be arrays
        apart = sampler_of(proposal, 10, model, False, nchains)
        many, one = [], []
        for _ in range(3):
            many.append(seconds(lambda: together.run(nsteps)) / nsteps / NCHAINS * 1e6)  # noqa: B023
            one.append(seconds(lambda: apart.run(nsteps)) / nsteps / nchains * 1e6)  # noqa: B023
            together.clear()
            apart.clear()
        ratio = median([m / o for m, o in zip(many, one, strict=True)])
        yield Figure(f"vectorized: {label}, 10-D, over one point a call", ratio, "x")
        yield Figure(f"vectorized: {label}, 10-D, a step and chain", median(many), "us", limit)
    calls = []

    def counted(**columns: Any) -> Any:
        calls.append(len(next(iter(columns.values()))))
        return gaussian(**columns)

    sampler = sampler_of(Normal, 2, counted)
    calls.clear()
    sampler.run(50)
    remark = f"of {' or '.join(map(str, sorted(set(calls))))} points"
    yield Figure("vectorized: calls a step", len(calls) / 50, "", 1.0, remark=remark)
