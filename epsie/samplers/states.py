"""The state of a sampler: those of its chains, and what they have learned together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from epsie.chain.state import ANNEALED, SHARED, levels_in
from epsie.chain.wellformed import refuse_other_chains
from epsie.errors import MalformedStateError
from epsie.process.signals import interrupt_deferred
from epsie.running.attaching import all_or_none, shared_state, use_learner
from epsie.running.sampler import Sampler
from epsie.running.start_progress import StartProgress
from epsie.samplers.learner import Learner, learner_of
from epsie.samplers.vectorized import use_batches


def hold(sampler: Sampler, chains: list[Any]) -> None:
    """Let a sampler hold new chains, which have no starts yet."""
    prior = sampler.model.prior if sampler._finds else None
    sampler._learner, sampler.annealed = learner_of(chains, sampler._part.of, prior), None
    use_batches(sampler, chains)
    sampler.chains = chains
    # The starts of all chains of the run, and whether they are draws from the prior of a posterior.
    sampler._starts, sampler._drawn = None, False


def sampler_state(sampler: Sampler) -> dict[Any, Any]:
    """The states of all chains by id; beside them what they share, if they learn together.

    Raises
    ------
    ValueError
        If no start is set.
    """
    state: dict[Any, Any] = {chain.chain_id: chain.state for chain in sampler.chains}
    shared = shared_state(sampler)
    return {**state, SHARED: shared} if shared else state


def set_sampler_state(sampler: Sampler, state: Mapping[Any, Any]) -> None:
    """Let all chains, and what has learned from them, go on from a state; all or none.

    Raises
    ------
    ValueError
        If it is of other chains, parameters or proposals.
    """
    refuse_other_chains(sampler.chains, state)
    with all_or_none(sampler):
        if sampler._finds:
            sampler._fit_to(state)
        for chain in sampler.chains:
            chain.check_state(state[chain.chain_id])
        _take_over(sampler, state)


def _take_over(sampler: Sampler, state: Mapping[Any, Any]) -> None:
    """Take over a state that is of its chains."""
    learner: Learner | None = sampler._learner
    shared = state.get(SHARED, {})
    if (learner is None) != ("learned" not in shared):
        is_, are = ("not in it", "do") if learner is not None else ("in it", "do not")
        raise MalformedStateError(
            f"what chains learned together is {is_}, but the chains of this sampler {are} learn "
            "together: give it the proposals of the state's sampler"
        )
    if learner is not None:
        learner = learner.restored(shared)
    annealed = StartProgress.from_plain(shared[ANNEALED]) if ANNEALED in shared else None
    stepped = levels_in(state[sampler.chains[0].chain_id])[0]["iteration"]
    if annealed is not None and not annealed.done and stepped:
        raise MalformedStateError("the annealed start is not done, but its chains have stepped")
    with interrupt_deferred():
        for chain in sampler.chains:
            chain.set_state(state[chain.chain_id])
        use_learner(sampler, learner)
        sampler.annealed = annealed
