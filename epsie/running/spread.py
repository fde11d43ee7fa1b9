"""The spread of the starts over chains, which says in which units jumps are to be made at first."""

from __future__ import annotations

from typing import Any

import numpy as np

from epsie.proposals.base import BaseProposal

_EPS = float(np.finfo(float).eps)


def tell_spread(sampler: Any) -> None:
    """Tell all proposals that learn, and have not begun, how far the starts are apart.

    At each temperature it is the spread over all chains, so that it depends on the starts alone.
    """
    for levels in sampler._leaves():
        columns = zip(*[level.point.x for level in levels], strict=True)
        values = dict(zip(sampler.parameters, columns, strict=True))
        parts = zip(*[level.proposal_dist.leaves() for level in levels], strict=True)
        for part in parts:
            first = part[0]
            if first.adaptation is None or first.nsteps:
                continue
            stds = [_spread(first, i, values[name]) for i, name in enumerate(first.parameters)]
            for twin in part:
                twin.adaptation.start_from(twin, stds)


def _spread(proposal: BaseProposal, i: int, values: tuple[float, ...]) -> float:
    """The standard deviation of the starts of a parameter; 0 if it is nothing but rounding."""
    known = [value for value in values if value == value]
    if len(known) < 2:
        return 0.0
    near = np.array(proposal._nearest(i, known, known[0]), dtype=float)
    away = near - near.mean()
    farthest = float(np.abs(away).max())
    if farthest <= 4 * _EPS * float(np.abs(near).max()):
        return 0.0
    # Their squares may overflow.
    return farthest * float(np.std(away / farthest, ddof=1))
