"""Pools: any that a user has, as one ordered and eager map, and one of our own."""

from epsie.pools.base import Mapper
from epsie.pools.mapper import SerialPool, choose_pool, mapper_for
from epsie.pools.own.interruptible import InterruptiblePool
from epsie.pools.ranks.mpi import MPIPool

__all__ = ["InterruptiblePool", "MPIPool", "Mapper", "SerialPool", "choose_pool", "mapper_for"]
