"""What one run of a sampler gave on a target, and the file in which such rows are kept."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sharp_targets import Array, Target

from epsie import diagnostics

CACHE = Path(__file__).parent / "cached" / "rows.jsonl"

Key = tuple[str, str, int, int]
"""Sampler, target, budget and seed."""

FAR = 4.5
"""So many Monte Carlo errors off, a mean is not right."""


class Drawn(NamedTuple):
    """What a sampler gives.

    Parameters
    ----------
    draws : array
        Of chains, shape (nchains, n, d); or of points with weights, shape (n, d).
    evaluations : int
        How often the likelihood was asked for.
    weights : array or None
        Of points, shape (n,).
    log_z, error : float or None
        The log of the evidence, and what is given as its error.
    """

    draws: Array
    evaluations: int
    weights: Array | None = None
    log_z: float | None = None
    error: float | None = None


@dataclass(frozen=True)
class Row:
    """What one run gave.

    Parameters
    ----------
    sampler, version, target : str
        What ran, and on what.
    definition : str
        The digest of the target when it ran.
    seed : int
        The seed.
    budget : int
        How many evaluations it was given; 0 if it ends by itself.
    evaluations, counted : int
        How many it made, and how many of these gave the draws that are looked at.
    ess : float
        The effective sample size of the worst parameter; of weights that of Kish.
    calls : float or None
        Evaluations until the result was right, see `enough`.
    errors, sds : list of float
        By parameter: how far the mean is off, in standard deviations; the standard deviation over
        the exact one.
    share, log_z : float or None
        How far the mass of a mode is off, and the log of the evidence.
    stated : float or None
        What is given as the error of the latter.
    failed : str
        Why there is nothing.
    """

    sampler: str
    version: str
    target: str
    definition: str
    seed: int
    budget: int
    evaluations: int = 0
    counted: int = 0
    ess: float = 0.0
    calls: float | None = None
    errors: list[float] = field(default_factory=list)
    sds: list[float] = field(default_factory=list)
    share: float | None = None
    log_z: float | None = None
    stated: float | None = None
    failed: str = ""
    date: str = field(default_factory=lambda: date.today().isoformat())

    @property
    def key(self) -> Key:
        """What tells it from others."""
        return self.sampler, self.target, self.budget, self.seed


def judged(target: Target, drawn: Drawn) -> dict[str, Any]:
    """What a run is worth: of chains the second half."""
    draws, weights = drawn.draws, drawn.weights
    counted = drawn.evaluations
    if weights is None:
        each = counted / draws.shape[1]
        late = draws[:, draws.shape[1] // 2 :]
        ess = min(diagnostics.ess_bulk(named(late)).values())
        calls = _calls(target, draws, each) if ess >= 1000 else None
        draws, counted = late, round(each * late.shape[1])
    else:
        weights = weights / weights.sum()
        ess = 1 / float(np.square(weights).sum())
        calls = float(counted) if ess >= 1000 else None
    rows = draws.reshape(-1, draws.shape[-1])
    mean = np.average(rows, axis=0, weights=weights)
    sd = np.sqrt(np.average((rows - mean) ** 2, axis=0, weights=weights))
    share = None
    if target.share is not None:
        share = float(np.average(target.share[0](rows), weights=weights)) - target.share[1]
    known = drawn.log_z is not None and target.log_z is not None
    return {
        "evaluations": drawn.evaluations,
        "counted": counted,
        "ess": float(ess),
        "calls": calls,
        "errors": _short((mean - target.mean) / target.sd),
        "sds": _short(sd / target.sd),
        "share": share,
        "log_z": drawn.log_z - target.log_z if known else None,
        "stated": drawn.error if known else None,
    }


def _short(values: Array) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


def named(draws: Array) -> dict[str, Array]:
    """Draws of shape (..., d), by parameter."""
    return {str(i): draws[..., i] for i in range(draws.shape[-1])}


def enough(draws: Array) -> bool:
    """Whether an ESS of 1,000 is reached at an R-hat below 1.01."""
    by_name = named(draws)
    if min(diagnostics.ess_bulk(by_name).values()) < 1000:
        return False
    return max(diagnostics.rhat(by_name).values()) < 1.01


def _calls(target: Target, draws: Array, each: float) -> float | None:
    """Evaluations until the second half is `enough`, with means that are right."""
    n = draws.shape[1]
    for m in np.unique(np.geomspace(min(50, n), n, 60).astype(int)).tolist():
        late = draws[:, m // 2 : m]
        if late[..., 0].size >= 1000 and enough(late):
            error = np.array(list(diagnostics.mcse_mean(named(late)).values()))
            if (abs(late.mean(axis=(0, 1)) - target.mean) < FAR * error).all():
                return float(m * each)
    return None


def read() -> dict[Key, Row]:
    """All rows that are kept; of equal ones the last."""
    lines = CACHE.read_text().splitlines() if CACHE.exists() else []
    rows = (Row(**json.loads(line)) for line in lines)
    return {row.key: row for row in rows}


def keep(rows: Iterable[Row]) -> None:
    """Add rows to those that are kept."""
    CACHE.parent.mkdir(exist_ok=True)
    with CACHE.open("a") as file:
        file.writelines(json.dumps(asdict(row)) + "\n" for row in rows)
