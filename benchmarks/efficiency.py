"""Effective samples per evaluation of plain chains that learn: ``efficiency.py [names]``.

Chains start dispersed, nothing is chosen, all evaluations count. Of the second half are told the
bulk ESS of the worst parameter for 1,000 evaluations, and how many evaluations of all chains gave
an ESS of 1,000 at an R-hat below 1.01; beside them the errors of means (in standard deviations of
the target) and the ratios of standard deviations, as an effective sample size alone misleads.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from figure import Figure, asked_for
from sharp_targets import TARGETS, Array, Target

sys.path.insert(0, str(Path(__file__).parent.parent))

from epsie import diagnostics
from epsie.proposals import Learned
from epsie.samplers import MetropolisHastingsSampler


class Row(NamedTuple):
    """What is run, and what is due."""

    evaluations: int
    least: float | None
    """ESS for 1,000 evaluations."""
    most_calls: float | None
    """Evaluations up to an ESS of 1,000."""
    nchains: int = 4


ROWS = {
    "corr10": Row(60_000, 400, 8_000),
    "gauss20": Row(60_000, 400, 15_000),
    "gauss50": Row(60_000, 90, 30_000),
    "student": Row(60_000, 400, None),
    "trunc10": Row(60_000, 200, None),
    "banana2": Row(200_000, 250, None),
    "banana10": Row(200_000, 20, None),
    "funnel5": Row(200_000, 120, None),
    "funnel10": Row(200_000, 20, None),
    "two4": Row(60_000, 200, None, 8),
    "two10": Row(60_000, 200, None, 8),
}


class Found(NamedTuple):
    """What one seed gave."""

    ess: float
    calls: float
    error: float
    sds: tuple[float, float]
    share: float | None


def run(target: Target, row: Row, seed: int) -> Found:
    """Sample a target once."""
    names, n = target.names, row.evaluations // row.nchains
    low, high = target.box.T

    def model(**values: float) -> tuple[float, float]:
        x = np.fromiter((values[name] for name in names), float)
        inside = bool((x > low).all() and (x < high).all())
        return (target.log_density(x), 0.0) if inside else (-np.inf, -np.inf)

    bounds = dict(zip(names, target.box.tolist(), strict=True)) if target.hard else None
    parts = [Learned(names, bounds)]
    sampler = MetropolisHastingsSampler(names, model, row.nchains, parts, seed=seed)
    rng = np.random.default_rng(seed)
    starts = rng.uniform(*target.starts.T, size=(row.nchains, len(names)))
    sampler.start_position = dict(zip(names, starts.T, strict=True))
    sampler.run(n)
    draws = np.stack([sampler.positions[name] for name in names], axis=-1)
    return _found(target, draws)


def _found(target: Target, draws: Array) -> Found:
    nchains, n, d = draws.shape
    late = draws[:, n // 2 :]
    ess = min(_ess(late))
    calls = next(
        (
            float(m * nchains)
            for m in np.unique(np.geomspace(200, n, 60).astype(int))
            if is_enough(draws[:, m // 2 : m])
        ),
        np.inf,
    )
    rows = late.reshape(-1, d)
    sd = rows.std(axis=0) if target.sd is None else target.sd
    mean = rows.mean(axis=0) if target.mean is None else target.mean
    ratios = rows.std(axis=0) / sd
    share = None if target.share is None else float(target.share[0](late).mean())
    error = float(np.abs((rows.mean(axis=0) - mean) / sd).max())
    return Found(1000 * ess / late[..., 0].size, calls, error, (ratios.min(), ratios.max()), share)


def _ess(draws: Array) -> list[float]:
    found = diagnostics.ess_bulk({str(i): draws[..., i] for i in range(draws.shape[-1])})
    return list(found.values())


def is_enough(draws: Array) -> bool:
    """Whether an ESS of 1,000 is reached at an R-hat below 1.01."""
    named = {str(i): draws[..., i] for i in range(draws.shape[-1])}
    return min(_ess(draws)) >= 1000 and max(diagnostics.rhat(named).values()) < 1.01


def figures(names: list[str], seeds: int) -> Iterator[Figure]:
    """Medians over seeds."""
    for name in names:
        row, target = ROWS[name], TARGETS[name]()
        found = [run(target, row, seed) for seed in range(seeds)]
        ess = [each.ess for each in found]
        remark = f"{min(ess):.0f} to {max(ess):.0f}; means off by {max(f.error for f in found):.3f}"
        low, high = min(f.sds[0] for f in found), max(f.sds[1] for f in found)
        remark += f", sds {low:.2f} to {high:.2f}"
        if target.share is not None:
            shares = ", ".join(f"{each.share:.3f}" for each in found)
            remark += f"; shares {shares} for {target.share[1]:g}"
        title = f"{name}, {row.evaluations:,} evaluations, {row.nchains} chains"
        yield Figure(f"{title}: ESS for 1,000", float(np.median(ess)), "", row.least, True, remark)
        calls = float(np.median([each.calls for each in found]))
        value = calls if np.isfinite(calls) else None
        yield Figure(f"{title}: evaluations to ESS 1,000", value, "", row.most_calls)


if __name__ == "__main__":
    sys.exit(asked_for(__doc__, list(ROWS), 3, figures))
