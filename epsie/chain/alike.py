"""Chains that are alike, and enough of them, so that they are stepped as a block."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from epsie.chain.base import BaseChain
from epsie.chain.block import Block, betas_of, positions_of
from epsie.chain.block_blobs import blobs_of
from epsie.chain.chain import Chain
from epsie.chain.ensemble import EnsembleChain
from epsie.chain.ensemble_block import EnsembleBlock, fewest_ensembles, moves_of
from epsie.chain.ptchain import ParallelTemperedChain
from epsie.model.batch import Batch
from epsie.model.one_by_one import OneByOne
from epsie.proposals.arrays import ProposalArrays, together
from epsie.proposals.arrays import fewest_of as fewest_proposals
from epsie.rng.stream import BLOCK


def fewest_of(chain: BaseChain, at_once: bool) -> float:
    """From how many chains like this one on they are faster as arrays; inf if they never are.

    Parameters
    ----------
    chain : BaseChain
        One of them.
    at_once : bool
        Whether the model takes many points.
    """
    if isinstance(chain, EnsembleChain):
        return fewest_ensembles(chain, at_once)
    if type(chain) not in (Chain, ParallelTemperedChain) or chain.adaptive_annealer is not None:
        return inf
    if getattr(chain, "reset_after_swap", False) or (chain.hasblobs and not at_once):
        return inf
    if chain.ntemps * len(chain.parameters) > BLOCK:
        return inf
    part = chain.by_temperature[0].proposal_dist._only
    return fewest_proposals(part, chain.ntemps, at_once)


def proposals_of(chains: Sequence[BaseChain]) -> ProposalArrays | None:
    """The proposals of chains as arrays; None if the chains cannot be stepped so."""
    first = chains[0]
    if fewest_of(first, True) == inf or any(chain.is_stale for chain in chains):
        return None
    if any(_likeness(chain) != _likeness(first) for chain in chains):
        return None
    levels = [level for chain in chains for level in chain.by_temperature]
    parts = [level.proposal_dist._only for level in levels]
    alike = [part for part in parts if part is not None]
    if len(alike) < len(parts):
        return None
    return together(alike, positions_of(levels), betas_of(levels), first.ntemps)


def _likeness(chain: Any) -> tuple[Any, ...]:
    """What chains have in common that can be together."""
    sweeps = (chain.swap_interval, chain.swap_scheme) if chain.ntemps > 1 else ()
    return type(chain), chain.ntemps, chain.iteration, chain.nsweeps, *sweeps


def block_of(chains: Sequence[BaseChain], model: Batch | OneByOne, room: int) -> Block | None:
    """Chains as a block that has room for so many steps; None if they cannot be, or are too few."""
    few = len(chains) < fewest_of(chains[0], isinstance(model, Batch))
    if few or not room:
        return None
    kind: type[Any] = EnsembleBlock if isinstance(chains[0], EnsembleChain) else Block
    moves = moves_of(chains) if kind is EnsembleBlock else proposals_of(chains)
    if moves is None:
        return None
    blobs = None
    if chains[0].hasblobs:
        blobs = blobs_of([level.point for chain in chains for level in chain.by_temperature])
        if blobs is None:
            return None
    made: Block = kind(chains, moves, model, room, blobs)
    return made
