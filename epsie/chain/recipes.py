"""Proposals, births and annealers as plain data, and anew from it.

Only the classes of this package are made anew, looked up by name; nothing is imported on the word
of a file.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from numpy.random import BitGenerator, Generator

from epsie.errors import CheckpointError

CLASS = "epsie class"
"""The key of a dict that stands for an object."""

_DIRECTIONS = [
    ["proposal", "isotropic_solid_angle"],
    ["proposal", "adaptive_isotropic_solid_angle"],
]
_NOT_COMPARED = {"_arguments", "stream", "_pick"}


def _registries() -> dict[str, dict[str, type]]:
    from epsie.ensembles.moves import MOVES
    from epsie.ensembles.proposal import EnsembleMoves
    from epsie.proposals.registry import births, proposals
    from epsie.tempering import annealing

    annealers: dict[str, type] = {
        "dynamical": annealing.DynamicalAnnealer,
        "barrier": annealing.BarrierAnnealer,
    }
    known: dict[str, dict[str, type]] = {"birth": births, "annealer": annealers, "move": {**MOVES}}
    return {"proposal": {**proposals, EnsembleMoves.name: EnsembleMoves}, **known}


def recipe(thing: Any) -> dict[str, Any] | None:
    """Plain data that make an equal object; None if not of this package, or changed since."""
    try:
        made = _described(thing)
        return made if made is not None and _alike(thing, remade(made)) else None
    except (TypeError, ValueError, CheckpointError):
        return None


def _described(thing: Any) -> dict[str, Any] | None:
    """The class and the arguments of an object of this package; None of another one."""
    kind_of = type(thing)
    for kind, classes in _registries().items():
        for name, cls in classes.items():
            if kind_of is cls:
                return {CLASS: [kind, name], "config": _plain(thing.config)}
    return None


def remade(plain: Any) -> Any:
    """The object that the plain data of `recipe` make.

    Raises
    ------
    CheckpointError
        If there is no such class, or it does not take these arguments.
    """
    if isinstance(plain, dict) and CLASS in plain:
        cls, config = class_of(plain), plain["config"]
        return _called(cls, {key: remade(value) for key, value in config.items()})
    if isinstance(plain, dict):
        return {key: remade(value) for key, value in plain.items()}
    if isinstance(plain, list | tuple):
        return type(plain)([remade(value) for value in plain])
    return plain


def class_of(plain: dict[str, Any]) -> type:
    """The class of the object that plain data make.

    Raises
    ------
    CheckpointError
        If there is no such class.
    """
    try:
        (kind, name), config = plain[CLASS], plain["config"]
        if config.__class__ is not dict:
            raise TypeError(config)
        cls = _registries().get(kind, {}).get(name)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"malformed: {plain!r:.200} makes nothing") from error
    if cls is None:
        raise CheckpointError(f"this epsie has no {kind} {name!r}")
    return cls


def updated(plain: Any) -> Any:
    """Plain data of a former version in the form of the present one.

    Proposals for directions had no choice but a density per steradian.
    """
    if isinstance(plain, list | tuple):
        return type(plain)([updated(value) for value in plain])
    if not isinstance(plain, dict):
        return plain
    plain = {key: updated(value) for key, value in plain.items()}
    kind, config = plain.get(CLASS), plain.get("config")
    # Text alone, as an array would be compared element by element.
    known = isinstance(kind, list | tuple) and all(isinstance(of, str) for of in kind)
    if known and kind in _DIRECTIONS and isinstance(config, dict):
        plain["config"] = {**config, "density": config.get("density", "steradian")}
    return plain


def arguments_of(cls: type, config: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What a class takes by position and by name, of all its arguments.

    Raises
    ------
    CheckpointError
        If what it takes by position is not several.
    """
    positional, named = (), dict(config)
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            positional = named.pop(parameter.name, ())
            if not isinstance(positional, list | tuple):
                raise CheckpointError(f"malformed: {positional!r:.200} are no arguments")
    return positional, named


def _called(cls: type, config: dict[str, Any]) -> Any:
    positional, config = arguments_of(cls, config)
    try:
        return cls(*positional, **config)
    except Exception as error:  # of arguments that may be anything
        raise CheckpointError(f"no {cls.__name__} can be made of {config}: {error}") from error


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str | np.ndarray | np.generic):
        return value
    if isinstance(value, BitGenerator | Generator):
        # A chain gives its own random numbers to its proposals.
        return None
    if isinstance(value, dict):
        return {key: _plain(value[key]) for key in value}
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        return items if isinstance(value, list) else tuple(items)
    if (made := _described(value)) is not None:
        return made
    array = np.asarray(value)
    if array.dtype.kind not in "biufSU":
        raise TypeError(f"{value!r} is no plain data")
    return array


def _alike(a: Any, b: Any, depth: int = 8) -> bool:
    """Whether two objects have the same settings; what is no data is not looked at."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return _alike(np.asarray(a).tolist(), np.asarray(b).tolist(), depth)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_alike(a[k], b[k], depth) for k in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(_alike(x, y, depth) for x, y in zip(a, b, strict=True))
    if isinstance(a, bool | int | float | str | None):
        return bool(a == b or (a != a and b != b))
    if depth == 0 or not type(a).__module__.startswith("epsie.") or not hasattr(a, "__dict__"):
        return True
    mine, other = vars(a), vars(b)
    names = (mine.keys() | other.keys()) - _NOT_COMPARED
    return type(a) is type(b) and all(
        _alike(getattr(a, name, None), getattr(b, name, None), depth - 1) for name in names
    )
