"""Chains that go on with what copies of them did, and with what was learned from all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from epsie.chain.state import ANNEALED
from epsie.execution.repeating import Verifier
from epsie.execution.stretch import Advance, Rounds
from epsie.model.batch import Batch
from epsie.running.sampler import Sampler


def shared_state(sampler: Sampler) -> dict[str, Any]:
    """What the chains of a sampler share: what they learned, and an annealed start."""
    shared: dict[str, Any] = {} if sampler._learner is None else sampler._learner.plain()
    if sampler.annealed is not None:
        shared[ANNEALED] = sampler.annealed.plain()
    return shared


@contextmanager
def all_or_none(sampler: Sampler) -> Iterator[None]:
    """Bring back the chains of a sampler, and what goes with them, if it fails to get others."""
    names = ("chains", "_learner", "annealed", "_starts", "_drawn", "_remarks", "_is_found")
    former = {name: getattr(sampler, name) for name in names}
    try:
        yield
    except BaseException:
        for name, value in former.items():
            setattr(sampler, name, value)
        raise


def use_learner(sampler: Sampler, learner: Any) -> None:
    """Let the chains of a sampler use what a learner has taught."""
    sampler._learner = learner
    if learner is not None:
        for chain in sampler.chains:
            chain.teach(learner.lessons)


def advanced(
    sampler: Sampler, niterations: int, progress: Rounds, verifier: Verifier | None = None
) -> Advance:
    """So many iterations of a sampler's chains, or fewer, by copies of them."""
    return sampler._executor.run(sampler.chains, niterations, progress, verifier, sampler._learner)


def attach(sampler: Sampler, advance: Advance) -> None:
    """Let a sampler take over what copies of its chains did."""
    for chain, segments in zip(sampler.chains, advance.segments, strict=True):
        for segment in segments:
            chain.attach(segment)
    use_learner(sampler, advance.learner)


def give_model(sampler: Sampler, model: Any) -> None:
    """Let a sampler ask another model from now on.

    Raises
    ------
    ValueError
        If its annealed start is not done, which is from the prior of the former model.
    """
    if sampler.annealed is not None and not sampler.annealed.done:
        raise ValueError(
            "the annealed start of this sampler goes from the prior of its model to the posterior, "
            "and is not done: run it on, or set start_position, before the model is replaced"
        )
    if (rows := sampler._executor.rows) is not None:
        model = Batch(model, rows)
    sampler._executor.model = model
    for chain in sampler.chains:
        chain.model = model
