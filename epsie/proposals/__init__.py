"""Proposals: the distributions that chains draw their jumps from."""

from __future__ import annotations

from epsie.proposals.base import BaseProposal
from epsie.proposals.joint import JointProposal
from epsie.proposals.normal import AdaptiveNormal, ATAdaptiveNormal, Normal, SSAdaptiveNormal

__all__ = [
    "ATAdaptiveNormal",
    "AdaptiveNormal",
    "BaseProposal",
    "JointProposal",
    "Normal",
    "SSAdaptiveNormal",
    "proposals",
]

_CLASSES: tuple[type[BaseProposal], ...] = (
    JointProposal,
    Normal,
    AdaptiveNormal,
    SSAdaptiveNormal,
    ATAdaptiveNormal,
)

proposals: dict[str, type[BaseProposal]] = {cls.name: cls for cls in _CLASSES}
"""The registry: the class of every built-in proposal by its name."""
