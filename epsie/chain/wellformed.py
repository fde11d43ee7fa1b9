"""Whether a state that was read from a disk is one that a chain could have written.

Its checksum may be right and its content wrong all the same. Of proposals of a user's own only they
know what their states may be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from epsie.chain.state import chains_in
from epsie.copying import same
from epsie.errors import MalformedStateError
from epsie.model.blob import STORABLE
from epsie.proposals.distribution import is_built_in
from epsie.rng.stream import BLOCK

_FARTHEST = 40.0
"""A bound that no variate of the normal distribution reaches in double precision."""


def refuse_other_chains(chains: Sequence[Any], state: Any) -> None:
    """Refuse what is no state of so many chains.

    Raises
    ------
    ValueError
        If it is none.
    """
    ids = [chain.chain_id for chain in chains]
    if isinstance(state, Mapping) and chains_in(state).keys() == set(ids):
        return
    found = list(state)[:10] if isinstance(state, Mapping) else type(state).__name__
    meant = f"{ids[0]} to {ids[-1]}" if len(ids) == 1 + ids[-1] - ids[0] else str(ids)
    raise ValueError(f"the state must be of the chains {meant}; got one of {found}")


def check_states(chains: Sequence[Any], state: Any) -> None:
    """Refuse a state of a sampler that is malformed.

    Raises
    ------
    MalformedStateError
        If it is.
    ValueError
        If it is of other chains.
    """
    refuse_other_chains(chains, state)
    leaves = [leaf for chain in chains for leaf in check_saved(chain, state[chain.chain_id])]
    if len({(leaf["iteration"], _blob_kinds(leaf["current_blob"])) for leaf in leaves}) > 1:
        raise MalformedStateError(
            "the state is malformed: its chains are at different iterations, or have other blobs"
        )


def _blob_kinds(blob: Any) -> Any:
    """The names and shapes common to all blobs of a run, and which of them are strings."""
    if blob is None:
        return None
    arrays = {name: np.asarray(blob[name]) for name in sorted(blob)}
    return tuple([(name, a.shape, a.dtype.kind in "SU") for name, a in arrays.items()])


def check_saved(chain: Any, state: Any) -> list[Mapping[str, Any]]:
    """Refuse a state that is malformed, by letting a copy of a chain take it over.

    Returns
    -------
    list of dict
        The state at each temperature.

    Raises
    ------
    MalformedStateError
        If it is malformed.
    ValueError
        If it is of another chain.
    """
    twin = chain.detached()
    try:
        twin.set_state(state)
        made = twin.state
        leaves, again = _leaves(state), _leaves(made)
        wrong = []
        for mine, theirs, other in zip(chain.by_temperature, leaves, again, strict=True):
            wrong += _wrong_fields(mine, theirs) or _wrong_parts(mine, theirs, other)
        if "tempering" in leaves[0] and not _right_tempering(chain, leaves[0]["tempering"]):
            wrong.append("tempering")
    except ValueError:
        raise
    except Exception as error:
        wrong = [f"{type(error).__name__}: {error}"]
    if wrong:
        raise MalformedStateError(
            f"the state of chain {chain.chain_id} is malformed: {', '.join(wrong)}"
        )
    return leaves


def _leaves(state: Any) -> list[Mapping[str, Any]]:
    """The state at each temperature."""
    return list(state.values()) if 0 in state else [state]


def _is(kind: type, value: Any) -> bool:
    return value.__class__ is kind


def _is_of(kind: type, value: Any) -> bool:
    """Whether it is an int of 64 bits, or a float, which numpy's are too."""
    if kind is int:
        return value.__class__ is int and -(2**63) <= value < 2**63
    return isinstance(value, float)


def _is_count(value: Any) -> bool:
    return _is(int, value) and value >= 0


def _wrong_fields(chain: Any, state: Mapping[str, Any]) -> list[str]:
    """The entries of a state that are no numbers, or none that they may be."""
    dtypes = chain.dtypes

    def is_position(values: Any) -> bool:
        return (
            _is(dict, values)
            and values.keys() == dtypes.keys()
            and all(_is_of(dtypes[name], value) for name, value in values.items())
        )

    beta, stats, proposed = state["beta"], state["current_stats"], state["proposed_position"]
    blob, ratio = state["current_blob"], state["acceptance_ratio"]
    rested = state["iteration"] == 0 or ratio != ratio
    right = {
        "chain_id": state["chain_id"] == chain.chain_id and _is(int, state["chain_id"]),
        "beta": _is_of(float, beta) and 0 <= beta <= 1,
        "iteration": _is_count(state["iteration"]),
        "nan_count": _is_count(state["nan_count"]),
        "evaluations": _is_count(state["evaluations"]),
        "accepted": _is(bool, state["accepted"]),
        "acceptance_ratio": _is_of(float, ratio),
        "current_position": is_position(state["current_position"]),
        "proposed_position": (rested if proposed is None else is_position(proposed)),
        "current_stats": list(stats) == ["logl", "logp"]
        and all(_is_of(float, value) for value in stats.values()),
        "current_blob": blob is None or (_is(dict, blob) and all(_is(str, key) for key in blob)),
        "hasblobs": state["hasblobs"] is (blob is not None),
        "storable": blob is None
        or all(np.asarray(value).dtype.kind in STORABLE for value in blob.values()),
    }
    return [repr(name) for name, is_right in right.items() if not is_right]


def _wrong_parts(chain: Any, state: Mapping[str, Any], made: Mapping[str, Any]) -> list[str]:
    """The states of parts of this package that are not what such a part has, or would give."""
    theirs, again = state["proposal_dist"], made["proposal_dist"]
    own = {"random_state"}
    wrong = []
    # Walkers of an ensemble have it once.
    if "random_state" in again and not _right_undrawn(theirs["random_state"]["undrawn"]):
        wrong = ["undrawn"]
    for part in chain.proposal_dist.proposals:
        if is_built_in(part) and all(map(is_built_in, _all_parts(part))):
            key = "+".join(part.parameters)
            own.add(key)
            if not like(part._form(), theirs[key], tuple(part._dtypes().values())):
                wrong.append(key)
    rest = state.keys() - {"proposal_dist", "tempering"}
    if not same({key: theirs.get(key) for key in own}, {key: again.get(key) for key in own}):
        wrong.append("proposal_dist")
    if not same({key: state[key] for key in rest}, {key: made.get(key) for key in rest}):
        wrong.append("its entries")
    return wrong


def _right_undrawn(undrawn: Any) -> bool:
    """Whether variates are floats, and no more than were drawn at a time."""
    if not _is(dict, undrawn) or undrawn.keys() != {"normal", "uniform"}:
        return False
    of_unit = all(_is(float, value) and 0 <= value < 1 for value in undrawn["uniform"])
    of_normal = all(_is(float, value) and abs(value) < _FARTHEST for value in undrawn["normal"])
    lengths = [len(values) for values in undrawn.values() if _is(list, values)]
    return of_unit and of_normal and len(lengths) == 2 and max(lengths) <= BLOCK


def _all_parts(part: Any) -> list[Any]:
    """All parts of a proposal: itself, the proposals inside it, and birth distributions."""
    parts: list[Any] = [part, *getattr(part, "proposals", ())]
    return parts + [p.birth_distribution for p in parts if hasattr(p, "birth_distribution")]


def _right_tempering(chain: Any, tempering: Any) -> bool:
    counts = ("nsweeps", "last_annealed")
    if not _is(dict, tempering) or tempering.keys() != {*counts, "annealer"}:
        return False
    if not all(_is_count(tempering[name]) for name in counts):
        return False
    annealer = chain.adaptive_annealer
    if annealer is None:
        return tempering["annealer"] is None
    if not type(annealer).__module__.startswith("epsie."):
        return True
    return like(annealer.state, tempering["annealer"])


def like(mine: Any, theirs: Any, row: tuple[type, ...] = ()) -> bool:
    """Whether plain data has the structure of other data: its types, keys, lengths and shapes.

    What a proposal learns from, `positions`, are rows of the types in `row`, and may be any number.
    """
    if mine is None:
        return True
    if isinstance(mine, bool | int | str):
        return theirs.__class__ is mine.__class__
    if isinstance(mine, float):
        return isinstance(theirs, float)
    if theirs.__class__ is not mine.__class__:
        return False
    if isinstance(mine, dict):
        return mine.keys() == theirs.keys() and all(
            _are_rows(theirs[key], row) if key == "positions" else like(mine[key], theirs[key], row)
            for key in mine
        )
    if isinstance(mine, np.ndarray):
        return bool(mine.dtype == theirs.dtype and mine.shape == theirs.shape)
    return len(mine) == len(theirs) and all(map(like, mine, theirs))


def _are_rows(rows: Any, kinds: tuple[type, ...]) -> bool:
    """Whether they are positions; of a part of a nested proposal, some of its parameters."""
    return _is(list, rows) and all(
        _is(tuple, row)
        and len(row) == len(rows[0]) <= len(kinds)
        and all(_is_of(int, value) or _is_of(float, value) for value in row)
        and (len(row) < len(kinds) or all(map(_is_of, kinds, row)))
        for row in rows
    )
