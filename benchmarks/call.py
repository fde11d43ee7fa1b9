"""What a call of `run` costs beside its steps."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from figure import Figure
from models import GAUSSIANS, NAMES
from pairs import against_bare

from epsie.proposals import ATAdaptiveNormal, BaseProposal, Normal
from epsie.samplers import MetropolisHastingsSampler

CHAINS = 8
BUDGET = 100e-6
"""Seconds a chain, where a step of the bare loop takes as long as in `BARE`."""

BARE = {2: 1.6e-6, 10: 3.3e-6}
"""Seconds of a step of the bare loop, by dimensions, on the machine that the budget was set on."""


def figures(quick: bool) -> Iterator[Figure]:
    """Calls of ``run(1)`` in a loop, serially, in turns with the bare loop."""
    cases: list[tuple[str, int, BaseProposal]] = [
        ("normal, 2-D", 2, Normal(NAMES[:2])),
        ("at_adaptive_normal, 10-D", 10, ATAdaptiveNormal(NAMES, 10**6)),
    ]
    for title, ndim, proposal in cases:
        sampler = MetropolisHastingsSampler(
            NAMES[:ndim], GAUSSIANS[ndim], CHAINS, [proposal], seed=1
        )
        sampler.start_position = dict.fromkeys(NAMES[:ndim], [0.0] * CHAINS)
        found = against_bare(ndim, partial(_calls, sampler), 10 if quick else 40, 400)
        yield Figure(
            f"call: run(1), a chain, {title}",
            found.ratio,
            "x",
            round(BUDGET / BARE[ndim]),
            remark=f"{found.loop * 1e6:.0f} µs; a step of the bare loop {found.bare * 1e6:.2f}",
        )


def _calls(sampler: MetropolisHastingsSampler, nchains: int) -> None:
    """So many calls that they are of this many chains together."""
    for _ in range(nchains // CHAINS):
        sampler.run(1)
