"""Chains: the algorithm, and what it leaves behind."""

from __future__ import annotations

from epsie.chain.annealing import BarrierAnnealer, DynamicalAnnealer
from epsie.chain.chain import Chain
from epsie.chain.chaindata import ChainData
from epsie.chain.ptchain import ParallelTemperedChain

__all__ = ["BarrierAnnealer", "Chain", "ChainData", "DynamicalAnnealer", "ParallelTemperedChain"]
