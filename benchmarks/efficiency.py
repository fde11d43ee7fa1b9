"""Effective samples per evaluation of plain chains that learn, beside others.

Chains start dispersed, nothing is chosen, all evaluations count. Of chains are told for the second
half the bulk ESS of the worst parameter for 1,000 evaluations, and how many evaluations gave an ESS
of 1,000 at an R-hat below 1.01 with right means; of samplers that give weights, which end by
themselves, the ESS of Kish and all that they made. Beside it the rms error of means over parameters
and seeds, in standard deviations of the target, and how many independent draws for 1,000
evaluations have that error: an effective sample size alone misleads.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from measured import Drawn, Row
from sharp_targets import Target
from side_by_side import Comparison, few, median, rms

from epsie.proposals import Learned
from epsie.samplers import MetropolisHastingsSampler


class Due(NamedTuple):
    """What is given, and what has to come out."""

    evaluations: int
    least: float
    """ESS for 1,000 evaluations."""
    most_calls: float = np.inf
    """Evaluations until the result is right."""


DUE = {
    "corr10": Due(60_000, 400, 8_000),
    "gauss20": Due(60_000, 400, 15_000),
    "gauss50": Due(60_000, 90, 30_000),
    "line": Due(60_000, 400, 5_000),
    "schools": Due(60_000, 220),
    "student": Due(60_000, 400),
    "trunc10": Due(60_000, 200),
    "rosen2b": Due(200_000, 200),
    "haario2": Due(200_000, 250),
    "haario10": Due(200_000, 20),
    "funnel5": Due(200_000, 120),
    "funnel10": Due(200_000, 20),
    "two4": Due(60_000, 200),
    "two10": Due(60_000, 200),
}


def plain(target: Target, evaluations: int, seed: int) -> Drawn:
    """Plain chains: four, or eight where there are two modes."""
    names, nchains = target.names, 4 if target.share is None else 8

    def model(**values: float) -> tuple[float, float]:
        x = np.fromiter((values[name] for name in names), float)
        log_prior = target.log_prior(x)
        return (target.logl(x), log_prior) if np.isfinite(log_prior) else (-np.inf, -np.inf)

    bounds = dict(zip(names, target.box.tolist(), strict=True)) if target.hard else None
    sampler = MetropolisHastingsSampler(names, model, nchains, [Learned(names, bounds)], seed=seed)
    rng = np.random.default_rng(seed)
    starts = rng.uniform(*target.starts.T, size=(nchains, len(names)))
    sampler.start_position = dict(zip(names, starts.T, strict=True))
    sampler.run(evaluations // nchains)
    draws = np.stack([sampler.positions[name] for name in names], axis=-1)
    return Drawn(draws, sampler.evaluations)


def _per_1000(rows: list[Row]) -> list[float]:
    return [1000 * row.ess / row.counted for row in rows]


def _until_right(rows: list[Row]) -> float:
    return float(np.median([row.calls or np.inf for row in rows]))


def _calls(rows: list[Row]) -> str:
    middle = _until_right(rows)
    return f"{middle:,.0f}" if np.isfinite(middle) else "never"


def _worth(rows: list[Row]) -> str:
    error = rms([row.errors for row in rows])
    return few(1000 / (error**2 * float(np.median([row.counted for row in rows]))))


def _sds(rows: list[Row]) -> str:
    sds = [row.sds for row in rows]
    return f"{np.min(sds):.2f} to {np.max(sds):.2f}"


def _share(rows: list[Row]) -> str:
    return "" if rows[0].share is None else f"{rms([row.share for row in rows]):.3f}"


def misses(name: str, _: str, rows: list[Row]) -> Iterator[str]:
    """What is not as it has to be."""
    due = DUE[name]
    if (ess := np.median(_per_1000(rows))) < due.least:
        yield f"{name}: {ess:.0f} effective samples for 1,000, not {due.least:g}"
    if (calls := _until_right(rows)) > due.most_calls:
        yield f"{name}: right after {calls:,.0f} evaluations, not {due.most_calls:,.0f}"


COMPARISON = Comparison(
    {name: due.evaluations for name, due in DUE.items()},
    {"epsie": plain},
    (
        "emcee",
        "emcee, DE and snooker",
        "zeus",
        "PTMCMCSampler",
        "nautilus",
        "pocoMC",
        "dynesty",
        "nutpie",
    ),
    {
        "evaluations": lambda rows: f"{np.median([row.evaluations for row in rows]):,.0f}",
        "ESS / 1,000": lambda rows: median(_per_1000(rows)),
        "evaluations until right": _calls,
        "rms error of means": lambda rows: f"{rms([row.errors for row in rows]):.3f}",
        "draws of that error / 1,000": _worth,
        "sds over exact": _sds,
        "rms error of a mode's mass": _share,
    },
    misses,
)


if __name__ == "__main__":
    sys.exit(COMPARISON.main(__doc__))
