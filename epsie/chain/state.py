"""A chain's state: all that its future depends on, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

from epsie.chain.base import BaseChain
from epsie.chain.level import Level, evaluations_of
from epsie.chain.start import NO_START
from epsie.copying import copied
from epsie.model.evaluation import Point, Position
from epsie.proposals.outcome import Outcome
from epsie.tempering.annealing import annealer_state, set_annealer_state


def level_state(level: Level) -> dict[str, Any]:
    """The state of a chain at one temperature.

    Raises
    ------
    ValueError
        If no start is set.
    """
    state = _evolved(level)
    state["proposal_dist"]["random_state"] = level.stream.state
    return state


def tempered_state(chain: BaseChain, shared: int) -> dict[int, Any]:
    """The states of all temperatures of a chain: see `levels_state`.

    In that of the coldest is, under 'tempering', what belongs to no single temperature.
    """
    states = levels_state(chain, shared)
    states[0]["tempering"] = {
        "nsweeps": chain.nsweeps,
        "last_annealed": chain.last_annealed,
        "annealer": annealer_state(chain.adaptive_annealer),
    }
    return states


def levels_state(chain: BaseChain, shared: int) -> dict[int, Any]:
    """The states of all levels of a chain, by index.

    The first so many have the state of the random numbers, which all share.
    """
    states = {i: _evolved(level) for i, level in enumerate(chain.by_temperature)}
    for i in range(shared):
        states[i]["proposal_dist"]["random_state"] = chain.stream.state
    return states


def _evolved(level: Level) -> dict[str, Any]:
    """The state without that of the random numbers."""
    if level.start is None:
        raise ValueError(NO_START)
    point, proposed, outcome = level.point, level.proposed, level.outcome
    return {
        "chain_id": level.chain_id,
        "beta": level.beta,
        "iteration": level.iteration,
        "current_position": _named(level, point.x),
        "current_stats": {"logl": point.logl, "logp": point.logp},
        "hasblobs": level.start.blob is not None,
        "current_blob": None if point.blob is None else copied(dict(point.blob)),
        "proposed_position": None if proposed is None else _named(level, proposed.x),
        "accepted": outcome.accepted,
        "acceptance_ratio": outcome.acceptance_ratio,
        "nan_count": level.nan_count,
        "evaluations": evaluations_of(level),
        "proposal_dist": level.proposal_dist._evolved(),
    }


SHARED = "shared"
"""The key in the state of a sampler of what its chains share: what they learned and their start."""

ANNEALED = "annealed"
"""The key in what is shared of an annealed start."""


def chains_in(state: Mapping[Any, Any]) -> dict[int, Any]:
    """The states of the chains in that of a sampler."""
    return {key: value for key, value in state.items() if key != SHARED}


def levels_in(state: Mapping[Any, Any]) -> list[Mapping[str, Any]]:
    """The states of all temperatures in that of a chain."""
    return [state] if "evaluations" in state else list(state.values())


def evaluations_in(state: Mapping[Any, Any]) -> int:
    """The likelihood evaluations from the state of a chain, all temperatures together."""
    return sum(level["evaluations"] for level in levels_in(state))


def nan_count_in(state: Mapping[Any, Any]) -> int:
    """The jumps that were rejected as the model gave NaN, from the state of a chain."""
    return sum(level["nan_count"] for level in levels_in(state))


def _named(level: Level, x: Position) -> dict[str, float]:
    return dict(zip(level.parameters, x, strict=True))


def check_state(level: Level, state: Any) -> None:
    """Refuse a state that is not of a chain like this one.

    Raises
    ------
    ValueError
        If the state is of other parameters or proposals, or where no jump can be made from.
    """
    try:
        parameters = set(state["current_position"])
        proposals = set(state["proposal_dist"]) - {"random_state"}
    except (KeyError, TypeError):
        raise ValueError(f"this is no state of a chain: {type(state).__name__}") from None
    if any(isinstance(key, frozenset) for key in proposals):
        raise ValueError(
            "this is a state of EPSIE 1.x, whose proposals learned in other ways. Start anew "
            "from its positions: set start_position to the values of 'current_position'"
        )
    if parameters != set(level.parameters):
        raise ValueError(
            f"the state has the parameters {sorted(parameters)}, this chain has "
            f"{sorted(level.parameters)}"
        )
    level.proposal_dist._check_state(proposals)
    x = tuple([state["current_position"][name] for name in level.parameters])
    if refusal := level.proposal_dist._refusal(x):
        raise ValueError(f"no chain of these proposals stands at {_named(level, x)}: {refusal}")


def check_levels(levels: Sequence[Level], states: Any, what: str) -> None:
    """Refuse states that are not of these levels, which are temperatures or walkers.

    Raises
    ------
    ValueError
        If they are of another number, or of other parameters or proposals.
    """
    found = list(states) if isinstance(states, Mapping) else []
    if found != list(range(len(levels))):
        theirs = "a plain chain" if "current_position" in found else len(found)
        raise ValueError(f"the state must be of {len(levels)} {what}; got one of {theirs}")
    for i, level in enumerate(levels):
        check_state(level, states[i])


def check_temperatures(levels: Sequence[Level], states: Any, ladder_moves: bool) -> None:
    """Refuse states that are not of these temperatures.

    Raises
    ------
    ValueError
        If they are of other temperatures, parameters or proposals.
    """
    check_levels(levels, states, "temperatures")
    if "tempering" not in states[0]:
        raise ValueError("this is no state of a tempered chain: there is no 'tempering' in it")
    if not ladder_moves:
        theirs = [states[t]["beta"] for t in range(len(levels))]
        ours = [level.beta for level in levels]
        if theirs != ours:
            raise ValueError(f"the state has the betas {theirs}, this chain has {ours}")


def resume(level: Level, state: Mapping[str, Any]) -> None:
    """Let a chain take over a state, which is its own from now on, and keep its history."""
    parameters, proposals = level.parameters, state["proposal_dist"]
    level.proposal_dist._evolve(proposals)
    if "random_state" in proposals:
        level.stream.state = proposals["random_state"]
    x = tuple([state["current_position"][name] for name in parameters])
    stats, proposed = state["current_stats"], state["proposed_position"]
    level.point = Point(x, stats["logl"], stats["logp"], state["current_blob"])
    level.stale, level.proposed = False, None
    if proposed is not None:
        level.proposed = Point(tuple([proposed[name] for name in parameters]), nan, nan, None)
    level.outcome = Outcome(
        level.point, level.proposed, state["accepted"], state["acceptance_ratio"]
    )
    level.chain_id, level.beta = state["chain_id"], state["beta"]
    level.iteration, level.nan_count = state["iteration"], state["nan_count"]
    level._unasked = 1 + level.iteration - state["evaluations"]


def resume_all(chain: BaseChain, states: Mapping[Any, Any]) -> None:
    """Let all temperatures of a chain take over their states."""
    for t, level in enumerate(chain.by_temperature):
        resume(level, states[t])
    tempering, coldest = states[0]["tempering"], chain.by_temperature[0]
    chain.nsweeps, chain.last_annealed = tempering["nsweeps"], tempering["last_annealed"]
    set_annealer_state(chain.adaptive_annealer, tempering["annealer"])
    chain.iteration, chain.chain_id = coldest.iteration, coldest.chain_id
