"""The table of the README and of the first page, from rows that are kept; nothing is run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import efficiency
import numpy as np
import tempered
from measured import Row
from side_by_side import few, rms

TARGETS = {
    "corr10": "10-D normal",
    "gauss50": "50-D normal",
    "line": "line fit",
    "schools": "eight schools",
    "haario2": "banana",
    "two4": "two modes",
}
SAMPLERS = {
    "epsie": "epsie: plain chains",
    tempered.PLAIN: "epsie.sample: from the prior",
    "emcee": "emcee: stretch moves",
    "emcee, DE and snooker": "emcee: DE and snooker moves",
    "zeus": "zeus: slices",
    "ptemcee": "ptemcee: tempered ensembles",
    "PTMCMCSampler": "PTMCMCSampler: one chain",
    "nutpie": "nutpie (PyMC): NUTS, by gradients",
    "pocoMC": "pocoMC: flows",
    "nautilus": "nautilus: networks",
    "dynesty": "dynesty: nested sampling",
}
MODES = "two4"


def rows_of(sampler: str, target: str) -> tuple[list[Row], bool]:
    """The rows of a sampler on a target, and whether only draws after burn-in count."""
    for comparison, late in ((efficiency.COMPARISON, True), (tempered.COMPARISON, False)):
        known = sampler in (*comparison.ours, *comparison.peers) and target in comparison.budgets
        rows = comparison.rows_of(sampler, target) if known else []
        if done := [row for row in rows if not row.failed]:
            return done, late
    return [], False


def told(sampler: str, target: str) -> str:
    """Effective samples for 1,000 evaluations, and the rms error of means."""
    rows, late = rows_of(sampler, target)
    if not rows:
        return ""
    rates = [1000 * row.ess / (row.counted if late else row.evaluations) for row in rows]
    return f"{few(float(np.median(rates)))}, {rms([row.errors for row in rows]):.3f}"


def evidence(sampler: str) -> str:
    """The rms error of log Z."""
    rows = [row for row in tempered.COMPARISON.rows_of(sampler, MODES) if row.log_z is not None]
    return f"{rms([row.log_z for row in rows]):.2g}" if rows else ""


def table() -> Iterator[str]:
    """The lines of the table."""
    yield f"| | {' | '.join(TARGETS.values())} | log Z |"
    yield "| --- " * (2 + len(TARGETS)) + "|"
    for sampler, what in SAMPLERS.items():
        cells = [told(sampler, target) for target in TARGETS]
        yield f"| {what} | {' | '.join([*cells, evidence(sampler)])} |"


if __name__ == "__main__":
    print("\n".join(table()))
