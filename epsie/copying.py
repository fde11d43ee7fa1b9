"""Plain data copied and compared, and objects whose copies are as fast to use as they are."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self

import numpy as np


class SetsAttributes:
    """Sets its attributes one by one when it is copied or unpickled.

    By default a copy's attributes are put into its `__dict__` at once, after which CPython looks
    them up the slow way for good: a fifth of a step.
    """

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)

    def __copy__(self) -> Self:
        # Past a `__new__` that notes arguments: what it notes is among the attributes.
        twin: Self = object.__new__(type(self))
        twin.__setstate__(self.__dict__)
        return twin


_UNCHANGING = frozenset({float, int, str, tuple, bool, type(None)})


def copied(value: Any) -> Any:
    """A copy of plain data that shares nothing that can change."""
    kind = value.__class__
    if kind in _UNCHANGING:
        return value
    if kind is np.ndarray:
        # In C order, always: another memory layout may give a matrix product other last bits.
        return value.copy(order="C")
    if kind is list:
        return [item if item.__class__ in _UNCHANGING else copied(item) for item in value]
    if kind is dict:
        return {
            key: item if item.__class__ in _UNCHANGING else copied(item)
            for key, item in value.items()
        }
    return copy.deepcopy(value)


def same(a: Any, b: Any, depth: int = 200, unlike: tuple[type, ...] = ()) -> bool:
    """Whether two values are equal in types and bits, NaN too; objects, if their attributes are.

    Two objects of the classes `unlike` are never equal. What lies deeper is not looked at.
    """
    if a is b or depth == 0:
        return True
    if a.__class__ is not b.__class__ or isinstance(a, unlike):
        return False
    if isinstance(a, np.ndarray | np.generic):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    if isinstance(a, list | tuple):
        a, b = dict(enumerate(a)), dict(enumerate(b))
    elif type(a).__eq__ is object.__eq__:  # type: ignore[comparison-overlap]
        a, b = getattr(a, "__dict__", {}), getattr(b, "__dict__", {})  # type: ignore[unreachable]
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k], depth - 1, unlike) for k in a)
    return bool(a == b or (a != a and b != b))
