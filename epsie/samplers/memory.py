"""The source that the memory of a sampler is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.adaptation_history import AdaptationHistory, adaptation_history
from epsie.chain.chaindata import stack_tables
from epsie.proposals.base import BaseProposal
from epsie.results.source import ALL, Beginning
from epsie.running.attaching import shared_state
from epsie.running.sampler import Sampler
from epsie.storage.rundir.ladder import with_found
from epsie.storage.rundir.manifest import Manifest, describe

_BLOCK = 65_536
"""Rows that are copied at a time."""


class Memory:
    """A sampler's history since its last clear or resume, as a source of results.

    Parameters
    ----------
    sampler : BaseSampler
        The sampler.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._leaves = [levels for chain in sampler.chains for levels in chain.by_walker]
        self.proposals: list[BaseProposal] = sampler.proposals
        self.nchains, self.ntemps = len(self._leaves), len(self._leaves[0])
        self.nwalkers: int = sampler.chains[0].nwalkers
        self.start: int = sampler.lastclear
        self.niterations: int = sampler.niterations
        self.spacing, self.left_out = 1, 0
        self.evaluations: int = sampler.evaluations
        self.nan_count = sum(leaf.nan_count for leaves in self._leaves for leaf in leaves)
        begun = Beginning(getattr(sampler, "_first_betas", None), sampler._drawn)
        self.beginning = begun if self.start == 0 else None
        self.remarks: tuple[str, ...] = sampler._remarks
        self.betas = np.array([[leaf.beta for leaf in leaves] for leaves in self._leaves], float)
        self.last_moved = max(getattr(chain, "last_annealed", 0) for chain in sampler.chains)

    @cached_property
    def settings(self) -> Manifest:
        """The settings as plain data."""
        described, sampler = describe(self._sampler), self._sampler
        return with_found(described, sampler.state) if "ladder" in described else described

    @cached_property
    def adaptation_history(self) -> AdaptationHistory:
        """Jump widths and ladders since the start or a resume, where they were noted."""
        return adaptation_history(self._sampler.chains)

    @cached_property
    def shared(self) -> dict[str, Any]:
        """What the chains share."""
        return shared_state(self._sampler)

    def pieces(self, table: str, temperatures: slice = ALL) -> Iterator[NDArray[np.void]]:
        """A table piece by piece, shape (ntemps, nchains, m)."""
        by_temperature = list(zip(*self._leaves, strict=True))[temperatures]
        tables = [[getattr(leaf, table) for leaf in leaves] for leaves in by_temperature]
        if tables[0][0] is None:
            return
        for first in range(0, self.niterations - self.start, _BLOCK):
            rows = slice(first, first + _BLOCK)
            yield stack_tables([stack_tables([of[rows] for of in row]) for row in tables])

    def sweeps(self, name: str) -> Iterator[NDArray[Any]]:
        """All sweeps, shape (ntemps or ntemps - 1, nchains, n)."""
        if self.ntemps > 1:
            swaps = [getattr(chain.swaps, name).T for chain in self._sampler.chains]
            yield np.stack(swaps, axis=1)
