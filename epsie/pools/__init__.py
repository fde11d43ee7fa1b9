"""Pools: any that a user has, as one ordered and eager map, and one of our own."""

from epsie.pools.base import Mapper
from epsie.pools.interruptible import InterruptiblePool
from epsie.pools.mapper import mapper_for

__all__ = ["InterruptiblePool", "Mapper", "mapper_for"]
