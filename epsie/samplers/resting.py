"""Temperatures that rest: those above the coldest step before a sweep of swaps alone."""

from __future__ import annotations

import sys
from typing import Any

from epsie.proposals.base import BaseProposal

_FOREVER = sys.maxsize


def rest_between_sweeps(chain: Any, interval: int) -> None:
    """Let all temperatures of a chain but the coldest step at every so many-th iteration."""
    for level in chain.by_temperature[1:]:
        for part in level.proposal_dist.proposals:
            part.set_jump_interval(interval, _FOREVER)


def interval_of(part: BaseProposal) -> int:
    """At every which iteration a proposal jumps for good."""
    return part.jump_interval if part.jump_interval_duration == _FOREVER else 1
