"""Chains: the algorithm, and what it leaves behind."""

from __future__ import annotations

from epsie.chain.chain import Chain
from epsie.chain.chaindata import ChainData

__all__ = ["Chain", "ChainData"]
