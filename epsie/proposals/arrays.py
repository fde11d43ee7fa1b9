"""Proposals of many chains as arrays: jumps, and what is learned from them, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from epsie.proposals.angular import AdaptiveAngular, Angular, SSAdaptiveAngular
from epsie.proposals.base import BaseProposal
from epsie.proposals.bounded_normal import (
    AdaptiveBoundedNormal,
    BoundedNormal,
    SSAdaptiveBoundedNormal,
)
from epsie.proposals.learned.learned import Learned
from epsie.proposals.learned.together import LearnedArrays
from epsie.proposals.many_jumps import AngularJumps, BoundedJumps, ManyJumps
from epsie.proposals.normal import AdaptiveNormal, ATAdaptiveNormal, Normal, SSAdaptiveNormal
from epsie.proposals.width_arrays import (
    AndrieuThomsArrays,
    SiviaSkillingArrays,
    VeitchArrays,
    WidthArrays,
)

Array = NDArray[np.float64]

ProposalArrays: TypeAlias = WidthArrays | LearnedArrays

_ARRAYS: dict[type, tuple[type[WidthArrays], type[ManyJumps] | None]] = {
    Normal: (WidthArrays, None),
    AdaptiveNormal: (VeitchArrays, None),
    SSAdaptiveNormal: (SiviaSkillingArrays, None),
    ATAdaptiveNormal: (AndrieuThomsArrays, None),
    Angular: (WidthArrays, AngularJumps),
    AdaptiveAngular: (VeitchArrays, AngularJumps),
    SSAdaptiveAngular: (SiviaSkillingArrays, AngularJumps),
    BoundedNormal: (WidthArrays, BoundedJumps),
    AdaptiveBoundedNormal: (VeitchArrays, BoundedJumps),
    SSAdaptiveBoundedNormal: (SiviaSkillingArrays, BoundedJumps),
}
"""For each class what its proposals learn as arrays, and how they jump if not normally."""

_FEWEST: dict[type, int] = {
    Normal: 16,
    AdaptiveNormal: 12,
    SSAdaptiveNormal: 12,
    ATAdaptiveNormal: 10,
    Angular: 32,
    AdaptiveAngular: 64,
    SSAdaptiveAngular: 64,
    BoundedNormal: 24,
    AdaptiveBoundedNormal: 64,
    SSAdaptiveBoundedNormal: 64,
    Learned: 48,
}
"""So many are faster as arrays than one by one: in 2 and 10 dimensions, with a model of 0.3 us."""

_IF_TEMPERED = 0.6
"""The part of these that is enough at 4 and at 16 temperatures."""


def fewest_of(part: BaseProposal | None, ntemps: int, at_once: bool) -> float:
    """The number of chains from which on their proposals are faster as arrays.

    Parameters
    ----------
    part : BaseProposal or None
        The proposal of one of them, if it has only one.
    ntemps : int
        The number of temperatures of each.
    at_once : bool
        Whether the model takes many points. Then chains one by one have to wait for each other in
        every step, which takes them about twice as long.

    Returns
    -------
    float
        inf if there is no such form.
    """
    kind: type[Any] = type(part)
    fewest = _FEWEST.get(kind, inf) / (2 if at_once else 1)
    # What was learned is of a temperature, and sweeps take longer as arrays.
    return fewest if kind is Learned or ntemps == 1 else _IF_TEMPERED * fewest


def together(
    parts: Sequence[BaseProposal], x: Array, betas: Array, ntemps: int
) -> ProposalArrays | None:
    """Proposals of many chains as arrays; None if they have no such form, or are not alike.

    Parameters
    ----------
    parts : sequence of BaseProposal
        Those of the first chain, coldest first, then of the next.
    x, betas : array
        Where they stand, shape (nparts, ndim), and the inverse temperatures, shape (nparts,).
    ntemps : int
        The number of temperatures of each chain.
    """
    kind: type[Any] = type(parts[0])
    if any(type(part) is not kind or part.jump_interval != 1 for part in parts):
        return None
    if kind is Learned:
        alike: Sequence[Any] = parts
        known = LearnedArrays.are_alike(alike, ntemps)
        return LearnedArrays(alike, x, betas, ntemps) if known else None
    if kind not in _ARRAYS:
        return None
    arrays, jumps = _ARRAYS[kind]
    likeness = arrays.likeness(parts[0])
    if likeness is None or any(arrays.likeness(part) != likeness for part in parts):
        return None
    if jumps is None:
        return arrays(parts, None)
    limits = jumps.limits_of(parts[0])
    alike_jumps = jumps(limits, ntemps)
    if any(jumps.limits_of(part) != limits for part in parts) or not alike_jumps.can_begin(x):
        return None
    return arrays(parts, alike_jumps)
