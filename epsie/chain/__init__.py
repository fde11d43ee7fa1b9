"""Chains: the algorithm, and what it leaves behind."""

from __future__ import annotations

from epsie.chain.chain import Chain
from epsie.chain.chaindata import ChainData
from epsie.chain.ensemble import EnsembleChain
from epsie.chain.ptchain import ParallelTemperedChain
from epsie.tempering.annealing import BarrierAnnealer, DynamicalAnnealer

__all__ = [
    "BarrierAnnealer",
    "Chain",
    "ChainData",
    "DynamicalAnnealer",
    "EnsembleChain",
    "ParallelTemperedChain",
]
