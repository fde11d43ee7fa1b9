"""From the prior to every mode and log Z, as `epsie.sample` does it: ``tempered.py [names]``.

Nothing is chosen, all evaluations count, those of the start included. Told are the bulk ESS of the
worst parameter for 1,000 evaluations, and over seeds the rms errors of the mass of a mode and of
log Z, and the rms of the latter over what is given as its error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from figure import Figure, asked_for
from sharp_targets import TARGETS

sys.path.insert(0, str(Path(__file__).parent.parent))

import epsie
from epsie import diagnostics


class Row(NamedTuple):
    """What is run, and what is due."""

    evaluations: int
    least: float
    """ESS for 1,000 evaluations."""
    weight: float | None
    """The rms error of the mass of a mode."""
    log_z: float
    """The rms error of log Z."""
    tempered: bool | None = None
    """As `sample` takes it."""


ROWS = {
    "two4": Row(50_000, 150, 0.02, 0.01),
    "two10": Row(100_000, 120, 0.01, 0.015),
    "eggbox": Row(100_000, 80, 0.01, 0.01),
    "shells5": Row(100_000, 18, 0.015, 0.03),
    "corr10": Row(60_000, 180, None, 0.02),
    "gauss20": Row(60_000, 140, None, 0.02),
    "two4:tempered": Row(50_000, 100, 0.03, 0.01, True),
    "two10:tempered": Row(100_000, 50, 0.015, 0.02, True),
    "eggbox:tempered": Row(100_000, 25, 0.02, 0.02, True),
    "shells5:tempered": Row(100_000, 10, 0.025, 0.05, True),
}


class Found(NamedTuple):
    """What one seed gave."""

    ess: float
    weight: float
    log_z: float
    pull: float
    start: int


def run(name: str, row: Row, seed: int) -> Found:
    """Sample a target once."""
    target = TARGETS[name.partition(":")[0]]()
    prior = dict(zip(target.names, map(tuple, target.box.tolist()), strict=True))
    sampler = epsie.sample(
        target.log_likelihood,
        prior,
        tempered=row.tempered,
        until=None,
        max_evaluations=row.evaluations,
        seed=seed,
    )
    found = sampler.draws(burn_in=0)
    draws = np.stack([found[name] for name in target.names], axis=-1)
    late = draws[:, draws.shape[1] // 2 :]
    named = {str(i): late[..., i] for i in range(late.shape[-1])}
    ess = min(diagnostics.ess_bulk(named).values())
    off = 0.0 if target.share is None else float(target.share[0](late).mean()) - target.share[1]
    evidence = sampler.log_evidence()
    assert target.log_z is not None and sampler.annealed is not None
    error = evidence.log_z - target.log_z
    pull = error / evidence.standard_error
    return Found(1000 * ess / sampler.evaluations, off, error, pull, sampler.annealed.evaluations)


def figures(names: list[str], seeds: int) -> Iterator[Figure]:
    """Medians and rms errors over seeds."""
    for name in names:
        row = ROWS[name]
        found = [run(name, row, seed) for seed in range(seeds)]
        title = f"{name}, {row.evaluations:,} evaluations, {seeds} seeds"
        ess, starts = [each.ess for each in found], [each.start for each in found]
        remark = f"{min(ess):.0f} to {max(ess):.0f}; the start took {int(np.median(starts)):,}"
        yield Figure(f"{title}: ESS for 1,000", float(np.median(ess)), "", row.least, True, remark)
        if row.weight is not None:
            worst = f"largest {max(abs(each.weight) for each in found):.4f}"
            weight = _rms([each.weight for each in found])
            yield Figure(
                f"{title}: rms error of a mode's mass", weight, "", row.weight, False, worst
            )
        worst = f"largest {max(abs(each.log_z) for each in found):.4f}"
        log_z = _rms([each.log_z for each in found])
        yield Figure(f"{title}: rms error of log Z", log_z, "", row.log_z, False, worst)
        worst = f"largest {max(abs(each.pull) for each in found):.1f}"
        pull = _rms([each.pull for each in found])
        yield Figure(f"{title}: rms pull of log Z", pull, "", 1.5, False, worst)


def _rms(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


if __name__ == "__main__":
    sys.exit(asked_for(__doc__, list(ROWS), 8, figures))
