"""Damage to what was saved: bytes that change, and wrong content with a right checksum."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

GROWING = ("normal", "uniform", "positions", "rejections", "history", "bridges")
"""Lists whose length nothing else tells."""


def places(tree: Any, where: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all nodes of a tree but the outermost."""
    items: Any = ()
    if isinstance(tree, dict):
        items = tree.items()
    elif isinstance(tree, list | tuple):
        items = list(enumerate(tree))[:4]
    found = []
    for key, value in items:
        found += [(*where, key), *places(value, (*where, key))]
    return found


def at(tree: Any, where: tuple[Any, ...]) -> Any:
    """The node to which a way leads."""
    for key in where:
        tree = tree[key]
    return tree


def changed(tree: Any, where: tuple[Any, ...], change: Any) -> Any:
    """The tree with another node in a place; `change` of it gives a list of none or one."""
    if not where:
        return change(tree)[0]
    key, *rest = where
    if isinstance(tree, dict):
        made = {}
        for name, value in tree.items():
            if name != key:
                made[name] = value
            elif rest:
                made[name] = changed(value, tuple(rest), change)
            else:
                made.update(dict.fromkeys([name] * len(new := change(value)), *new[:1]))
        return made
    items = list(tree)
    items[key : key + 1] = (
        [changed(items[key], tuple(rest), change)] if rest else change(items[key])
    )
    return type(tree)(items)


def other_type(rng: random.Random, value: Any) -> Any:
    """Something of another type."""
    choices: list[Any] = [
        None,
        "x",
        [],
        {},
        (),
        {"a": 1},
        [value],
        2**70,
        True,
        np.arange(3.0),
        b"x",
    ]
    if isinstance(value, bool | int | float) and value == value and abs(value) < 1e300:
        choices += [str(value), [value], np.array([value]), int(value) + 0.5, not value]
    if isinstance(value, np.ndarray) and value.dtype.names is None:
        choices += [value.tolist(), value.astype("S8"), value[..., None], value.astype(complex)]
    if isinstance(value, np.ndarray) and value.dtype.names:
        choices += [np.zeros(value.shape), value[..., None]]
    if isinstance(value, list | tuple):
        choices += [
            tuple(value) if isinstance(value, list) else list(value),
            value[0] if value else 1,
        ]
    if isinstance(value, dict):
        choices += [list(value), list(value.items())]
    choices = [
        choice
        for choice in choices
        if choice.__class__ is not value.__class__
        or (
            isinstance(choice, np.ndarray)
            and (choice.dtype, choice.shape) != (value.dtype, value.shape)
        )
    ]
    return rng.choice(choices)


def other_size(rng: random.Random, value: Any) -> Any:
    """The same, longer or shorter."""
    if isinstance(value, np.ndarray) and value.ndim:
        axis = rng.randrange(value.ndim)
        fewer = np.take(value, range(max(value.shape[axis] - 1, 0)), axis)
        more = np.concatenate([value, value[(slice(None),) * axis + (slice(-1, None),)]], axis)
        found = [one for one in (fewer, more) if one.shape != value.shape]
        return rng.choice(found) if found else None
    if isinstance(value, list | tuple) and value:
        return rng.choice([value[:-1], value + value[-1:]])
    return other_type(rng, value)


def wrong(rng: random.Random, tree: Any) -> tuple[Any, str]:
    """A tree that lacks something, or has it in another type or size; and what was done."""
    while True:
        where = rng.choice(places(tree))
        node = at(tree, where)
        kind = rng.choice(["drop", "type", "size"])
        if any(name in GROWING for name in where[:-1]) and kind != "type":
            continue
        if where[-3:-1] == ("annealed", "betas") or where[-2:] == ("annealed", "betas"):
            continue  # The levels of a start that is done are a remark.
        if kind == "size" and (
            where[-1] in GROWING or not isinstance(node, np.ndarray | list | tuple)
        ):
            continue
        if kind == "drop":
            return changed(tree, where, lambda _: []), f"no {where}"
        new = other_type(rng, node) if kind == "type" else other_size(rng, node)
        return changed(tree, where, lambda _, new=new: [new]), f"{where}: {kind}: {new!r:.80}"


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Bytes of which some are changed, lost, or zero."""
    made, kind, place = bytearray(data), rng.randrange(5), rng.randrange(len(data))
    if kind == 0:
        made[place] ^= 1 << rng.randrange(8)
    elif kind == 1:
        stop = min(len(data), place + rng.randint(1, 4096))
        made[place:stop] = rng.randbytes(stop - place)
    elif kind == 2:
        stop = min(len(data), place + rng.choice([512, 4096, 8192]))
        made[place:stop] = bytes(stop - place)
    elif kind == 3:
        del made[place:]
    else:
        for _ in range(rng.randint(1, 20)):
            made[rng.randrange(len(made))] = rng.randrange(256)
    return bytes(made)
