"""Chains that go together: the model is asked about the points of all before any goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from epsie.chain.alike import block_of
from epsie.chain.base import POINTS, BaseChain, Segment
from epsie.chain.block import Block
from epsie.errors import ModelError, ProposalError, StepError, said
from epsie.model.batch import Batch
from epsie.model.evaluation import Position
from epsie.model.one_by_one import OneByOne
from epsie.process.cancellation import GivenUp


def advance_together(
    chains: Sequence[BaseChain], niterations: int, model: Batch | OneByOne, as_arrays: bool = True
) -> list[Segment]:
    """Let chains that stand at the same iteration make so many steps: as `advance` of each.

    Parameters
    ----------
    chains : sequence of BaseChain
        Detached copies, to which the model is lent.
    niterations : int
        How many steps each is to make.
    model : Batch or OneByOne
        The model. Of an error of one of one point it is not said where it happened.
    as_arrays : bool, optional
        Whether they may be a block.
    """
    befores = [chain.of_users() for chain in chains]
    block: Block | None = None
    left = niterations
    for length, is_noted in chains[0].stretches(niterations):
        if as_arrays:
            block = block or block_of(chains, model, left)
        if block is not None:
            _run_block(block, length)
        else:
            _run(chains, length, left, model)
        if is_noted and block is not None:
            block.note()
        elif is_noted:
            for chain in chains:
                chain.note()
        left -= length
    if block is not None:
        block.end()
    return [chain.ended(before) for chain, before in zip(chains, befores, strict=True)]


def _run_block(block: Block, length: int) -> None:
    try:
        block.run(length)
    except ModelError as error:
        raise _located(error, _where(block.chains, block.iteration)) from error.__cause__


def _run(chains: Sequence[BaseChain], length: int, left: int, model: Batch | OneByOne) -> None:
    """So many steps of all, and there will be others."""
    for chain in chains:
        chain.reserve(left)
    if not isinstance(model, Batch):
        for chain in chains:
            chain.run(length)
        return
    given_up, number = chains[0].watch
    types = chains[0].dtypes
    for _ in range(length):
        if given_up[0] >= number:
            raise GivenUp
        _step(chains, types, model)


def _step(chains: Sequence[BaseChain], types: Mapping[str, type], model: Batch) -> None:
    """One step of all: they propose, the model is asked once, they decide."""
    steps = [(chain, chain.stepwise()) for chain in chains]
    while steps:
        asked: list[Position] = []
        going = []
        for chain, step in steps:
            positions = _next(chain, step)
            if positions is not None:
                asked += positions
                going.append((chain, step))
        if going:
            _fetch(types, asked, model, _where(chains, chains[0].iteration))
        steps = going


def _next(chain: BaseChain, step: Iterator[list[Position]]) -> list[Position] | None:
    """The positions that a chain asks about next in its step; None if the step is over."""
    try:
        return next(step, None)
    except StepError:
        raise
    except Exception as error:
        raise ProposalError(said(error), chain.where()) from error


def _fetch(
    types: Mapping[str, type], xs: Sequence[Position], model: Batch, where: Mapping[str, Any]
) -> None:
    try:
        model.fetch(types, xs)
    except ModelError as error:
        raise _located(error, where) from error.__cause__


def _located(error: ModelError, where: Mapping[str, Any]) -> ModelError:
    """An error as one that says where it happened, unless it does."""
    return error if error.where else error.at(where)


def _where(chains: Sequence[BaseChain], iteration: int) -> dict[str, Any]:
    first, last = chains[0].chain_id, chains[-1].chain_id
    ids = f"{first} to {last}" if len(chains) > 1 else first
    return {"chains": ids, "iteration": iteration}


def prefetch(chains: Sequence[BaseChain], job: str, arguments: Sequence[Any], model: Batch) -> None:
    """Ask the model about all positions at which a job of these chains is going to."""
    xs = [x for chain, of in zip(chains, arguments, strict=True) for x in _ASKED[job](chain, of)]
    where = {} if job == POINTS else _where(chains, chains[0].iteration)
    _fetch(chains[0].dtypes, xs, model, where)


def _starts(chain: BaseChain, xs: Sequence[Position]) -> Iterator[Position]:
    for level, x in zip(chain.by_temperature, xs, strict=True):
        joint = level.proposal_dist
        at = joint._position(dict(zip(level.parameters, x, strict=True)))
        if not joint._refusal(at):
            yield at


_ASKED: Mapping[str, Callable[[BaseChain, Any], Iterator[Position] | Sequence[Position]]] = {
    "examine_starts": _starts,
    "present_points": lambda chain, _: [level.point.x for level in chain.by_temperature],
    POINTS: lambda _, xs: xs,
}
"""For each job of a chain that asks the model the positions at which it does."""
