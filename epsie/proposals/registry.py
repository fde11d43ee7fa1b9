"""The registry: the class of every built-in proposal, and of every birth, by its name."""

from __future__ import annotations

from epsie.proposals import (
    angular,
    bounded_discrete,
    bounded_eigenvector,
    bounded_normal,
    crank_nicolson,
    differential_evolution,
    discrete,
    eigenvector,
    joint,
    mixture,
    nested_transdimensional,
    normal,
    robust_adaptive,
    snooker,
    solid_angle,
)
from epsie.proposals.base import BaseProposal
from epsie.proposals.birth import births as births
from epsie.proposals.learned import learned

_FILES = (
    joint,
    normal,
    bounded_normal,
    angular,
    discrete,
    bounded_discrete,
    eigenvector,
    bounded_eigenvector,
    solid_angle,
    nested_transdimensional,
    learned,
    robust_adaptive,
    crank_nicolson,
    differential_evolution,
    snooker,
    mixture,
)

proposals: dict[str, type[BaseProposal]] = {
    cls.name: cls
    for file in _FILES
    for cls in vars(file).values()
    if isinstance(cls, type) and cls.__module__ == file.__name__ and issubclass(cls, BaseProposal)
}
"""The class of every built-in proposal by its name."""
