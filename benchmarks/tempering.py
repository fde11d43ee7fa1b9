"""What a step of a temperature costs over the bare loop, sweeps of swaps included."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from time import process_time
from typing import Any

import numpy as np
from figure import Figure
from models import GAUSSIANS, NAMES, scale
from pairs import against_bare

from epsie.chain import BarrierAnnealer, DynamicalAnnealer
from epsie.proposals import Normal
from epsie.samplers import ParallelTemperedSampler

LONG = 10**7
"""A duration that does not end while it is measured."""

STEPS = 4096
"""Steps of all temperatures together in a slice."""

CASES: tuple[tuple[int, str, Any, float | None], ...] = (
    (4, "cascade", None, 3.0),
    (32, "cascade", None, 3.0),
    (4, "deo", None, 3.0),
    (32, "deo", None, 3.0),
    (8, "cascade", BarrierAnnealer(LONG), None),
    (8, "cascade", DynamicalAnnealer(), None),
)
"""Temperatures, swap scheme, annealer and limit."""


def figures(quick: bool) -> Iterator[Figure]:
    """Steps of one chain that sweeps after each, and what one chain ships."""
    slices = 15 if quick else 60
    for ntemps, scheme, annealer, limit in CASES:
        sampler = _sampler(ntemps, scheme, annealer)
        pair = against_bare(
            2,
            lambda n, sampler=sampler: sampler.run(n // sampler.ntemps),
            slices,
            STEPS,
            tidy=sampler.clear,
        )
        kind = f", {type(annealer).__name__}" if annealer else ""
        yield Figure(
            f"temperature-step: {ntemps} temperatures, {scheme}{kind}",
            pair.ratio,
            "x",
            limit,
            remark=f"{pair.loop * 1e6:.2f} over {pair.bare * 1e6:.2f} µs",
        )
    yield from _shipped()


def _shipped() -> Iterator[Figure]:
    """The bytes of one chain with 32 temperatures on its way to a worker, young and old."""
    sampler = _sampler(32, "cascade", None)
    sampler.run(10)
    chain = sampler.chains[0]
    young = len(pickle.dumps(chain.shell()))
    sampler.run(5000)
    old = len(pickle.dumps(chain.shell()))
    yield Figure("shipped to a worker: 32 temperatures", old / 1000, "kB")
    yield Figure("shipped: after 5,000 iterations over after 10", old / young, "x", 1.1)
    start = process_time()
    for _ in range(50):
        chain.detached()
    yield Figure("detaching 32 temperatures", (process_time() - start) / 50 * 1e6, "µs")


def _sampler(ntemps: int, scheme: str, annealer: Any) -> ParallelTemperedSampler:
    betas = np.geomspace(1, 0.01, ntemps)
    parts = [Normal(NAMES[:2], scale(2) ** 2)]
    made = ParallelTemperedSampler(
        NAMES[:2],
        GAUSSIANS[2],
        1,
        betas,
        proposals=parts,
        adaptive_annealer=annealer,
        seed=1,
        swap_scheme=scheme,
    )
    made.start_position = dict.fromkeys(NAMES[:2], np.zeros((ntemps, 1)))
    return made
