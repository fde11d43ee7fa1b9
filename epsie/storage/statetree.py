"""Trees of plain data to bytes and back.

The bytes are a header, JSON, and the raw bytes of all arrays. The JSON's own null, true, false,
strings, lists, finite floats and small integers stand for themselves; everything else is an object
with a single key that tells its type. Reading executes nothing, and takes at most ten times the
memory of the bytes at hand (and a MiB): where the objects would take more, spaces are added.
"""

from __future__ import annotations

import json
from math import isfinite
from typing import Any

import numpy as np

from epsie.errors import CheckpointError
from epsie.storage.header import HEADER_SIZE, checked_header, sealed
from epsie.storage.plaintypes import as_shape, read_array, spec_of

_MAX_DEPTH = 100
_SMALL = 2**63

_COSTS = {"{": 200, "[": 64, ",": 32, '"': 16}
"""Bytes in memory of the objects that these characters of a text stand for, at most."""

_EXPANSION, _ALLOWANCE = 7, 2**20
"""The most memory that objects may take: so many times their bytes in a file, and so much more."""


def encode(tree: Any, number: int = 0) -> bytes:
    """A tree as bytes.

    Parameters
    ----------
    tree : object
        Dicts (with keys str or int), lists, tuples, str, bytes, int, float, complex, bool, None,
        numpy's scalars and arrays of those.
    number : int, optional
        A number to store with it.

    Raises
    ------
    TypeError
        If it holds something else; the message says where.
    """
    from epsie._version import __version__

    blocks: list[bytes] = []
    node = _Writer(blocks).node(tree, "", 0)
    text = json.dumps({"epsie": __version__, "tree": node}, separators=(",", ":"))
    room = HEADER_SIZE + len(text) + sum(map(len, blocks))
    text += " " * -((room * _EXPANSION + _ALLOWANCE - _objects_of(text)) // _EXPANSION)
    body = b"".join([text.encode(), *blocks])
    return sealed(number, len(text), body)


def _objects_of(text: str) -> int:
    """The number of bytes in memory that the objects of a JSON text take, at most."""
    return sum(cost * text.count(character) for character, cost in _COSTS.items())


def decode(data: bytes | memoryview, *, copy: bool = True) -> tuple[Any, int]:
    """The tree that `encode` made bytes of, and the number stored with it.

    Parameters
    ----------
    data : bytes or memoryview
        The bytes, and nothing more.
    copy : bool, optional
        Whether arrays are copies. Otherwise they are read-only views of `data`.

    Raises
    ------
    CheckpointError
        If anything is wrong with them: it says what.
    """
    header = checked_header(data)
    view, start = memoryview(data), HEADER_SIZE + header.text
    return _tree(view[HEADER_SIZE:start], view[start:], copy), header.number


def _tree(data: memoryview, blocks: memoryview, copy: bool) -> Any:
    try:
        text = str(data, "ascii")
        if _objects_of(text) > _EXPANSION * (HEADER_SIZE + len(data) + len(blocks)) + _ALLOWANCE:
            raise CheckpointError("malformed: there are more objects in it than ever are written")
        reader = _Reader(blocks, copy)
        found = json.loads(text, object_pairs_hook=reader.thing, parse_constant=_no_constant)
        if found.__class__ is not _Root:
            raise CheckpointError("malformed: there is no tree")
        if reader.at != len(blocks):
            raise CheckpointError(f"malformed: {len(blocks) - reader.at} bytes belong to nothing")
        _refuse_strange([found.tree], 0)
    except CheckpointError:
        raise
    except (
        ValueError,
        TypeError,
        LookupError,
        ArithmeticError,
        RecursionError,
        MemoryError,
    ) as error:
        raise CheckpointError(f"malformed: {type(error).__name__}: {error}") from error
    return found.tree


class _Root:
    """The outermost object of a text, once it is read: it has the tree."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree


def _no_constant(name: str) -> None:
    raise CheckpointError(f"malformed: {name} is no JSON")


def _refuse_strange(tree: Any, depth: int) -> None:
    """Refuse what is nested more deeply than it is ever written, or holds an outermost object."""
    if depth > _MAX_DEPTH + 3 or tree.__class__ is _Root:
        raise CheckpointError("malformed: nested too deeply")
    for item in tree.values() if tree.__class__ is dict else tree:
        if item.__class__ in _NESTED:
            _refuse_strange(item, depth + 1)


_NESTED = (dict, list, tuple, _Root)


class _Writer:
    """Makes JSON of a tree, and gathers the bytes of its arrays."""

    def __init__(self, blocks: list[bytes]) -> None:
        self.blocks = blocks

    def node(self, value: Any, where: str, depth: int) -> Any:
        if value is None or value.__class__ in (bool, str):
            return value
        if depth > _MAX_DEPTH:
            raise TypeError(f"state{where[:200]}... is nested too deeply to be saved")
        if isinstance(value, np.generic | np.ndarray):
            return self._array(value, where)
        if isinstance(value, int):
            return int(value) if -_SMALL <= value < _SMALL else {"int": hex(value)}
        if isinstance(value, float):
            return float(value) if isfinite(value) else {"float": repr(float(value))}
        return self._other(value, where, depth + 1)

    def _other(self, value: Any, where: str, depth: int) -> Any:
        if isinstance(value, dict):
            return self._dict(value, where, depth)
        if isinstance(value, list | tuple):
            nodes = [self.node(item, f"{where}[{i}]", depth) for i, item in enumerate(value)]
            return nodes if isinstance(value, list) else {"tuple": nodes}
        if isinstance(value, str):
            return str(value)
        if isinstance(value, bytes):
            return {"bytes": value.hex()}
        if isinstance(value, complex):
            parts = (value.real, value.imag)
            return {"complex": [self.node(part, where, depth) for part in parts]}
        raise TypeError(
            f"state{where} is of type {type(value).__name__}, which cannot be saved; a state must "
            "be made of dicts, lists, tuples, strings, numbers, bools, None and numpy arrays"
        )

    def _dict(self, value: dict[Any, Any], where: str, depth: int) -> Any:
        items: dict[Any, Any] = {}
        for key, item in value.items():
            if isinstance(key, bool) or not isinstance(key, int | str):
                raise TypeError(
                    f"state{where} has the key {key!r} of type {type(key).__name__}; keys must be "
                    "str or int"
                )
            # Not of a class derived from them, as numpy's str is.
            exact = str(key) if isinstance(key, str) else int(key)
            if exact in items:
                raise TypeError(f"state{where} has the key {exact!r} twice")
            items[exact] = self.node(item, f"{where}[{exact!r}]", depth)
        return {"dict": [[self.node(key, where, depth), items[key]] for key in items]}

    def _array(self, value: Any, where: str) -> Any:
        array = np.asarray(value)
        try:
            spec = spec_of(array.dtype)
            as_shape(array.shape)
        except TypeError as error:
            raise TypeError(f"state{where} is an array that cannot be saved: {error}") from None
        block = array.astype(spec.dtype, copy=False).tobytes()
        self.blocks.append(block)
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: [spec.plain, list(array.shape), len(block)]}


class _Reader:
    """Makes what JSON's objects stand for. The bytes of arrays come in the order of the text."""

    def __init__(self, blocks: memoryview, copy: bool) -> None:
        self.blocks = blocks
        self.copy = copy
        self.at = 0

    def thing(self, pairs: list[tuple[str, Any]]) -> Any:
        """The Python object that a JSON object with these keys and values stands for."""
        if [key for key, _ in pairs] == ["epsie", "tree"]:
            return _Root(pairs[1][1])
        ((kind, value),) = pairs
        if kind in ("int", "float", "bytes"):
            return self._number(kind, value)
        if value.__class__ is not list:
            raise CheckpointError(f"malformed: {kind!r:.100} of {value!r:.100}")
        if kind == "dict":
            return self._dict(value)
        if kind == "tuple":
            return tuple(value)
        if kind == "complex":
            return complex(*value)
        if kind in ("array", "scalar"):
            array = self._array(*value)
            if kind == "array":
                return array
            if array.shape:
                raise CheckpointError(f"malformed: a number of shape {array.shape}")
            return array[()]
        raise CheckpointError(f"malformed: there is no type {kind!r:.100}")

    def _number(self, kind: str, value: Any) -> Any:
        if value.__class__ is not str:
            raise CheckpointError(f"malformed: {kind!r} of {value!r:.100}")
        if kind == "bytes":
            return bytes.fromhex(value)
        return int(value, 16) if kind == "int" else float(value)

    def _dict(self, items: list[Any]) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, value in items:
            if key.__class__ not in (str, int) or key in found:
                raise CheckpointError(f"malformed: the key {key!r:.100} is none, or is repeated")
            found[key] = value
        return found

    def _array(self, spec: Any, shape: Any, size: Any) -> Any:
        stop = self.at + size
        if size.__class__ is not int or not self.at <= stop <= len(self.blocks):
            raise CheckpointError(f"malformed: an array of {size!r} bytes is not there")
        array = read_array(spec, shape, self.blocks[self.at : stop])
        self.at = stop
        return array.copy() if self.copy else array
