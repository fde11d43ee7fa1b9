"""Names of a user's class that proposals and births need for themselves."""

from __future__ import annotations

import inspect
from operator import itemgetter
from typing import Any

from epsie.proposals.adaptation.base import Adaptation
from epsie.rng.stream import Stream

_HOOKS = frozenset({"_jump", "_logpdf", "_update", "_repr_html_"})
"""Names with an underscore that are for users to define."""

_COMMON = {f"epsie.proposals.{name}" for name in ("distribution", "base", "birth")}
"""The files of the base classes, whose internals all proposals and births have."""

_KEPT = {"nsteps": "counts its jumps", "stream": "is where its random numbers come from"}
"""Public names that are set by the package, and for what."""

_TYPES: dict[str, tuple[type, ...]] = {
    "_pick": (itemgetter,),
    "_nsteps": (int,),
    "_iterations_at_interval": (int,),
    "adaptation": (Adaptation, type(None)),
    "stream": (Stream,),
}
"""Attributes that the package sets: a value of another type is a user's."""


def is_built_in(distribution: Any) -> bool:
    """Whether its class is one of this package, which keeps all that evolves in `evolving`."""
    return _is_ours(type(distribution))


def _is_ours(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).startswith("epsie.")


def refuse_names_of_class(cls: type) -> None:
    """Refuse a user's class that defines what its base classes of this package need themselves.

    Raises
    ------
    TypeError
        That names the class and what it defines.
    """
    reserved = _internals(cls) | set(_KEPT)
    for base in cls.__mro__[:-1]:
        for name, value in () if _is_ours(base) else vars(base).items():
            # What calls a user's hook is put on its class under such a name.
            if name in reserved and not _is_ours(value):
                raise clash(cls, name)


def refuse_names_of(distribution: Any) -> None:
    """Refuse an object of a user's class whose attributes, or their names in a state, clash.

    Raises
    ------
    TypeError
        That names the class and the attribute.
    """
    if is_built_in(distribution):
        return
    cls, internals = type(distribution), _internals(type(distribution))
    for name, value in vars(distribution).items():
        hides = callable(getattr(cls, name, None)) and (name in internals or not callable(value))
        if hides or not isinstance(value, _TYPES.get(name, object)):
            raise clash(cls, name)
    adaptation = getattr(distribution, "adaptation", None)
    if not isinstance(adaptation, _TYPES["adaptation"]):
        raise clash(cls, "adaptation")
    taken = {"random_state", *distribution._counters, *getattr(adaptation, "evolving", ())}
    for name in distribution.evolving:
        if name in taken:
            raise TypeError(
                f"{cls.__name__}.evolving has {name!r}, which is in its state already: give the "
                "attribute another name"
            )


def _internals(cls: type) -> set[str]:
    """The names that all proposals, or all births, keep to themselves."""
    found = {
        name
        for base in cls.__mro__
        if base.__module__ in _COMMON
        for name in (*vars(base), *inspect.get_annotations(base))
        if name.startswith("_") and not name.startswith(("__", "_abc_", "_own_"))
    }
    return found - _HOOKS


def clash(cls: type, name: str) -> TypeError:
    """The error for a name that a user's class, or an object of it, may not have."""
    why = _KEPT.get(name, "is how the classes of epsie work")
    return TypeError(
        f"{cls.__name__} defines {name!r}, which {why} and would be overwritten, or break it: "
        "give yours another name"
    )
