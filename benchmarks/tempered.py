"""From the prior to every mode and log Z, as `epsie.sample` does it, beside others.

Nothing is chosen, all evaluations count, those of starts, burn-in and hotter temperatures included.
Told are the ESS of the worst parameter for 1,000 evaluations, of chains the bulk ESS of the second
half, of weights that of Kish; over seeds the rms errors of the mass of a mode and of log Z, and the
rms of the latter over what is given as its error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from measured import Drawn, Row
from sharp_targets import Target
from side_by_side import Comparison, median, rms

import epsie


class Due(NamedTuple):
    """What has to come out."""

    least: float
    """ESS for 1,000 evaluations."""
    share: float
    """The rms error of the mass of a mode."""
    log_z: float
    """The rms error of log Z."""


PLAIN, HOT = "epsie.sample", "epsie.sample, tempered"

BUDGETS = {
    "two4": 50_000,
    "two10": 100_000,
    "eggbox": 100_000,
    "sinusoid5": 100_000,
    "shells5": 100_000,
    "rastrigin5": 100_000,
    "corr10": 60_000,
    "gauss20": 60_000,
    "line": 60_000,
    "schools": 60_000,
}

# Of `rastrigin5`, which has more modes than can be learned, every run has to warn: a slow test.
DUE = {
    (PLAIN, "two4"): Due(150, 0.02, 0.01),
    (PLAIN, "two10"): Due(120, 0.01, 0.015),
    (PLAIN, "eggbox"): Due(80, 0.01, 0.01),
    (PLAIN, "sinusoid5"): Due(20, 0.015, 0.04),
    (PLAIN, "shells5"): Due(18, 0.015, 0.03),
    (PLAIN, "corr10"): Due(180, 0, 0.02),
    (PLAIN, "gauss20"): Due(140, 0, 0.02),
    (PLAIN, "line"): Due(160, 0, 0.02),
    (PLAIN, "schools"): Due(100, 0, 0.02),
    (HOT, "two4"): Due(100, 0.03, 0.01),
    (HOT, "two10"): Due(50, 0.015, 0.02),
    (HOT, "eggbox"): Due(25, 0.02, 0.02),
    (HOT, "sinusoid5"): Due(15, 0.02, 0.05),
    (HOT, "shells5"): Due(10, 0.025, 0.05),
}


def sampled(tempered: bool | None, target: Target, evaluations: int, seed: int) -> Drawn:
    """What `sample` gives."""
    names = target.names
    sampler = epsie.sample(
        target.log_likelihood,
        dict(zip(names, target.prior, strict=True)),
        tempered=tempered,
        until=None,
        max_evaluations=evaluations,
        seed=seed,
    )
    found, evidence = sampler.draws(burn_in=0), sampler.log_evidence()
    draws = np.stack([found[name] for name in names], axis=-1)
    return Drawn(draws, sampler.evaluations, None, evidence.log_z, evidence.standard_error)


def _per_1000(rows: list[Row]) -> list[float]:
    return [1000 * row.ess / row.evaluations for row in rows]


def _share(rows: list[Row]) -> float:
    return 0.0 if rows[0].share is None else rms([row.share for row in rows])


def _told(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    largest = f" ({max(map(abs, known)):.2g})" if len(known) > 1 else ""
    return f"{rms(known):.2g}{largest}" if known else ""


def _pulls(rows: list[Row]) -> list[float | None]:
    return [row.log_z / row.stated if row.log_z and row.stated else None for row in rows]


def misses(name: str, sampler: str, rows: list[Row]) -> Iterator[str]:
    """What is not as it has to be."""
    due = DUE.get((sampler, name))
    if due is None:
        return
    if (ess := np.median(_per_1000(rows))) < due.least:
        yield f"{name}, {sampler}: {ess:.0f} effective samples for 1,000, not {due.least:g}"
    if _share(rows) > due.share:
        yield f"{name}, {sampler}: masses off by {_share(rows):.3f}, not {due.share:g}"
    if (off := rms([row.log_z for row in rows])) > due.log_z:
        yield f"{name}, {sampler}: log Z off by {off:.3f}, not {due.log_z:g}"


COMPARISON = Comparison(
    BUDGETS,
    {PLAIN: partial(sampled, None), HOT: partial(sampled, True)},
    ("pocoMC", "nautilus", "dynesty", "dynesty, dynamic", "ptemcee"),
    {
        "evaluations": lambda rows: f"{np.median([row.evaluations for row in rows]):,.0f}",
        "ESS / 1,000": lambda rows: median(_per_1000(rows)),
        "rms error of a mode's mass (largest)": lambda rows: _told([row.share for row in rows]),
        "of log Z (largest)": lambda rows: _told([row.log_z for row in rows]),
        "over its stated error (largest)": lambda rows: _told(_pulls(rows)),
        "rms error of means": lambda rows: f"{rms([row.errors for row in rows]):.3f}",
    },
    misses,
)


if __name__ == "__main__":
    sys.exit(COMPARISON.main(__doc__))
