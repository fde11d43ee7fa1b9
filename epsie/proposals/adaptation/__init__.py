"""Schemes by which proposals learn their widths."""

from __future__ import annotations

from epsie.proposals.adaptation.andrieu_thoms import AndrieuThoms, learn_andrieu_thoms
from epsie.proposals.adaptation.base import Adaptation
from epsie.proposals.adaptation.eigenvectors import EigenAdaptation, learn_eigenvectors
from epsie.proposals.adaptation.widths import (
    SiviaSkilling,
    Veitch,
    learn_sivia_skilling,
    learn_veitch,
)

__all__ = [
    "Adaptation",
    "AndrieuThoms",
    "EigenAdaptation",
    "SiviaSkilling",
    "Veitch",
    "learn_andrieu_thoms",
    "learn_eigenvectors",
    "learn_sivia_skilling",
    "learn_veitch",
]
