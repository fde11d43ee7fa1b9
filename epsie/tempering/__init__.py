"""Temperatures: ladders, sweeps of swaps, annealers, and the evidence."""

from __future__ import annotations

from epsie.tempering.ladders import as_betas, geometric_ladder, make_betas_ladder
from epsie.tempering.sweeps import SWAP_SCHEMES, Sweep, cascade, deo, find_swap_scheme, swap_ratio

__all__ = [
    "SWAP_SCHEMES",
    "Sweep",
    "as_betas",
    "cascade",
    "deo",
    "find_swap_scheme",
    "geometric_ladder",
    "make_betas_ladder",
    "swap_ratio",
]
