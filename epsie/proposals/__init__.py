"""Proposals: the distributions that chains draw their jumps from."""

from __future__ import annotations

from epsie.proposals.angular import AdaptiveAngular, Angular, ATAdaptiveAngular, SSAdaptiveAngular
from epsie.proposals.base import BaseProposal
from epsie.proposals.birth import BaseBirth, LogNormalBirth, NormalBirth, UniformBirth
from epsie.proposals.boundaries import Boundaries
from epsie.proposals.bounded_discrete import (
    AdaptiveBoundedDiscrete,
    ATAdaptiveBoundedDiscrete,
    BoundedDiscrete,
    SSAdaptiveBoundedDiscrete,
)
from epsie.proposals.bounded_eigenvector import AdaptiveBoundedEigenvector, BoundedEigenvector
from epsie.proposals.bounded_normal import (
    AdaptiveBoundedNormal,
    ATAdaptiveBoundedNormal,
    BoundedNormal,
    SSAdaptiveBoundedNormal,
)
from epsie.proposals.crank_nicolson import CrankNicolson
from epsie.proposals.differential_evolution import DifferentialEvolution
from epsie.proposals.discrete import (
    AdaptiveNormalDiscrete,
    ATAdaptiveNormalDiscrete,
    NormalDiscrete,
    SSAdaptiveNormalDiscrete,
)
from epsie.proposals.eigenvector import AdaptiveEigenvector, Eigenvector
from epsie.proposals.joint import JointProposal
from epsie.proposals.learned.learned import Learned
from epsie.proposals.mixture import Mixture
from epsie.proposals.nested_transdimensional import NestedTransdimensional
from epsie.proposals.normal import AdaptiveNormal, ATAdaptiveNormal, Normal, SSAdaptiveNormal
from epsie.proposals.registry import births, proposals
from epsie.proposals.robust_adaptive import RobustAdaptive
from epsie.proposals.snooker import Snooker
from epsie.proposals.solid_angle import AdaptiveIsotropicSolidAngle, IsotropicSolidAngle

__all__ = [
    "ATAdaptiveAngular",
    "ATAdaptiveBoundedDiscrete",
    "ATAdaptiveBoundedNormal",
    "ATAdaptiveNormal",
    "ATAdaptiveNormalDiscrete",
    "AdaptiveAngular",
    "AdaptiveBoundedDiscrete",
    "AdaptiveBoundedEigenvector",
    "AdaptiveBoundedNormal",
    "AdaptiveEigenvector",
    "AdaptiveIsotropicSolidAngle",
    "AdaptiveNormal",
    "AdaptiveNormalDiscrete",
    "Angular",
    "BaseBirth",
    "BaseProposal",
    "Boundaries",
    "BoundedDiscrete",
    "BoundedEigenvector",
    "BoundedNormal",
    "CrankNicolson",
    "DifferentialEvolution",
    "Eigenvector",
    "IsotropicSolidAngle",
    "JointProposal",
    "Learned",
    "LogNormalBirth",
    "Mixture",
    "NestedTransdimensional",
    "Normal",
    "NormalBirth",
    "NormalDiscrete",
    "RobustAdaptive",
    "SSAdaptiveAngular",
    "SSAdaptiveBoundedDiscrete",
    "SSAdaptiveBoundedNormal",
    "SSAdaptiveNormal",
    "SSAdaptiveNormalDiscrete",
    "Snooker",
    "UniformBirth",
    "births",
    "proposals",
]
