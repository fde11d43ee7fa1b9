"""Measure EPSIE 1.0 and emcee against the bare loop; run by `peers` where they are installed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import emcee
import numpy as np
from models import GAUSSIANS, NAMES, correlated, scale
from pairs import against_bare

from epsie import proposals
from epsie.samplers import MetropolisHastingsSampler

LONG = 10**7
WALKERS = 32

PROPOSALS: list[tuple[str, int, Callable[[], Any]]] = [
    ("normal, 2-D", 2, lambda: proposals.Normal(NAMES[:2], cov=[scale(2) ** 2] * 2)),
    ("normal, 10-D", 10, lambda: proposals.Normal(NAMES, cov=[scale(10) ** 2] * 10)),
    ("full covariance, 10-D", 10, lambda: proposals.Normal(NAMES, cov=correlated(10))),
    ("adaptive_normal, 2-D", 2, lambda: proposals.AdaptiveNormal(NAMES[:2], _prior(), LONG)),
    ("ss_adaptive_normal, 2-D", 2, lambda: proposals.SSAdaptiveNormal(NAMES[:2])),
    ("at_adaptive_normal, 10-D", 10, lambda: proposals.ATAdaptiveNormal(NAMES, LONG)),
]


def _prior() -> dict[str, Any]:
    return {name: proposals.Boundaries((-10.0, 10.0)) for name in NAMES[:2]}


def old(ndim: int, proposal: Any, slices: int) -> tuple[float, ...]:
    """Steps of EPSIE 1.0."""
    sampler = MetropolisHastingsSampler(
        NAMES[:ndim], GAUSSIANS[ndim], 1, proposals=[proposal], seed=1
    )
    sampler.start_position = {name: np.zeros(1) for name in NAMES[:ndim]}
    pair = against_bare(ndim, sampler.run, slices, steps=400, tidy=sampler.clear)
    return pair.ratio, pair.loop * 1e6, pair.bare * 1e6


def ensemble(ndim: int, slices: int) -> tuple[float, ...]:
    """Steps of emcee: one for each walker and iteration."""
    model, names = GAUSSIANS[ndim], NAMES[:ndim]

    def log_density(x: Any) -> float:
        return sum(model(**dict(zip(names, x))))

    sampler = emcee.EnsembleSampler(WALKERS, ndim, log_density)
    start = np.random.default_rng(1).standard_normal((WALKERS, ndim))

    def run(n: int) -> None:
        sampler.run_mcmc(start, n // WALKERS)

    pair = against_bare(ndim, run, slices, steps=64 * WALKERS, tidy=sampler.reset)
    return pair.ratio, pair.loop * 1e6, pair.bare * 1e6


def main() -> None:
    """Print the figures as one line of JSON."""
    slices = int(sys.argv[1])
    found = [(f"EPSIE 1.0, {name}", *old(ndim, make(), slices)) for name, ndim, make in PROPOSALS]
    found += [(f"emcee, {ndim}-D", *ensemble(ndim, slices)) for ndim in (2, 10)]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
