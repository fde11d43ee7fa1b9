"""States in HDF5 files.

A state is held by a dataset of bytes with two slots of fixed size, which are written in turn, and a
note of which was finished last. A process that is killed while it writes one leaves the other, with
the state before. A state that was finished and is damaged now is an error: the one before does not
belong to what else is in the file. HDF5 itself promises nothing for a file whose writer was killed;
of 200 kills during `dump_state` none lost a state. Where nothing may be lost, use a run directory:
see `epsie.storage.rundir`.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from epsie.errors import CheckpointError, NewerFormatError
from epsie.storage.statetree import HEADER_SIZE, decode, encode, read_header

_SLACK = 1.5
_ROUND = 4096
_TAIL = 8
"""Bytes at the end, which hold the number of the last state that was finished."""
_SPARE = "~"
"""Ends the name of a dataset with larger slots until it takes the place of the former."""


def dump_state(
    state: Any,
    fp: Any,
    path: str | None = None,
    dsetname: str = "sampler_state",
    protocol: int | None = None,
) -> None:
    """Write a state to an open HDF5 file, and flush it.

    Parameters
    ----------
    state : dict
        Plain data: see `epsie.storage.statetree.encode`.
    fp : h5py.File
        The file, open for writing.
    path : str, optional
        The group; it is made if there is none. By default that of `fp` itself.
    dsetname : str, optional
        The name of the dataset.
    protocol : int, optional
        Ignored: nothing is pickled.

    Raises
    ------
    TypeError
        If the state is no plain data, or `fp` no open HDF5 file.
    CheckpointError
        If the file is read-only, or something else has that name.
    """
    _refuse_unwritable(fp)
    group = fp if path is None else fp.require_group(path)
    found = _settled(fp, group, dsetname)
    number = 1 + max([number for *_, number in found], default=0)
    payload = encode(state, number)
    dataset = group.get(dsetname)
    if not _holds_slots(dataset) or len(payload) > _room(dataset):
        _replace(fp, group, dsetname, payload, number)
        return
    newest = max(found, key=lambda slot: slot[2], default=None)
    _write(dataset, 1 if newest is not None and newest[1] == 0 else 0, payload)
    _finish(fp, dataset, number)


def load_state(
    fp: Any,
    path: str | None = None,
    dsetname: str = "sampler_state",
    allow_pickle: bool = False,
    *,
    previous: bool = False,
) -> Any:
    """The state that `dump_state` wrote. Nothing in the file is executed.

    Parameters
    ----------
    fp : h5py.File
        The file.
    path, dsetname : str, optional
        As for `dump_state`.
    allow_pickle : bool, optional
        Whether to unpickle a state that EPSIE 1.x wrote. Unpickling executes whatever is in it:
        only for files that you trust.
    previous : bool, optional
        Whether to take the state before the last, if that is damaged.

    Raises
    ------
    KeyError
        If there is no such group or dataset.
    CheckpointError
        If the state is damaged, none of this package, or of a newer version. It is a
        `pickle.UnpicklingError`.
    """
    _refuse_no_file(fp)
    with _damage_named():
        group = fp if path is None else fp[path]
        if dsetname not in group and dsetname + _SPARE not in group:
            raise KeyError(f"there is no state {dsetname!r} in {group.name!r} of {_file_name(fp)}")
        pickled = _pickled(group, dsetname)
        if pickled is not None:
            return _unpickled(pickled, dsetname, allow_pickle)
        return _newest(group, dsetname, previous)


def _newest(group: Any, dsetname: str, previous: bool) -> Any:
    """The state with the greatest number; unless asked for no other than the last finished one."""
    problems: list[str] = []
    slots = _slots_of(group, dsetname, problems)
    if not slots:
        raise CheckpointError(
            f"the state {dsetname!r} in {_file_name(group)} cannot be read: " + "; ".join(problems)
        )
    name, index, number = max(slots, key=lambda slot: slot[2])
    last = max(_finished(group[name]) for name in (dsetname, dsetname + _SPARE) if name in group)
    if number < last and not previous:
        raise CheckpointError(
            f"the last state {dsetname!r} in {_file_name(group)} is damaged: "
            f"{'; '.join(problems)}. The one before is whole: load it with previous=True"
        )
    return decode(_read(group[name], index))[0]


def _slots_of(
    group: Any, dsetname: str, problems: list[str] | None = None
) -> list[tuple[str, int, int]]:
    """Dataset, index and number of all slots that hold a state. Why others do not: `problems`."""
    problems = [] if problems is None else problems
    found = []
    for name in (dsetname, dsetname + _SPARE):
        if name not in group:
            continue
        dataset = group[name]
        if not _holds_slots(dataset):
            problems.append(f"{name!r} was not written by epsie 2")
            continue
        for index in (0, 1):
            try:
                data = _read(dataset, index)
                found.append((name, index, decode(data)[1]))
            except NewerFormatError:
                # An older state beside it must not be taken for the last.
                raise
            except CheckpointError as error:
                problems.append(f"slot {index} of {name!r}: {error.args[0]}")
    return found


def _settled(fp: Any, group: Any, dsetname: str) -> list[tuple[str, int, int]]:
    """The slots that hold a state, once a replacement that was cut short is finished."""
    found = _slots_of(group, dsetname)
    spare = dsetname + _SPARE
    if spare not in group:
        return found
    if found and max(found, key=lambda slot: slot[2])[0] == spare:
        if dsetname in group:
            del group[dsetname]
        group.move(spare, dsetname)
    else:
        del group[spare]
    fp.flush()
    return _slots_of(group, dsetname)


def _holds_slots(dataset: Any) -> bool:
    """Whether it is a dataset of bytes that are all there in the file."""
    if getattr(dataset, "dtype", None) != np.uint8 or dataset.ndim != 1:
        return False
    if dataset.chunks is not None or dataset.external or dataset.is_virtual:
        return False
    return bool(dataset.id.get_storage_size() == dataset.size >= _TAIL)


def _room(dataset: Any) -> int:
    """The size of a slot."""
    return int(dataset.size - _TAIL) // 2


def _finished(dataset: Any) -> int:
    """The number of the last state that was finished; 0 if there is none."""
    return int.from_bytes(dataset[-_TAIL:].tobytes(), "little") if _holds_slots(dataset) else 0


def _finish(fp: Any, dataset: Any, number: int) -> None:
    """Bring a state to the file, then note that it is there."""
    fp.flush()
    dataset[-_TAIL:] = np.frombuffer(number.to_bytes(_TAIL, "little"), np.uint8)
    fp.flush()


def _read(dataset: Any, index: int) -> bytes:
    """The bytes of a slot's state."""
    room = _room(dataset)
    start = index * room
    with _damage_named():
        _refuse_cut(dataset)
        head = dataset[start : start + min(room, HEADER_SIZE)].tobytes()
        size = read_header(head).size
        if size > room:
            raise CheckpointError(f"damaged: {size} bytes cannot be in {room}")
        data: bytes = dataset[start : start + size].tobytes()
    return data


def _refuse_cut(dataset: Any) -> None:
    offset, length = dataset.id.get_offset(), dataset.file.id.get_filesize()
    if offset is not None and offset + dataset.size > length:
        raise CheckpointError(f"truncated: the file ends at {length}")


def _write(dataset: Any, index: int, payload: bytes) -> None:
    start = index * _room(dataset)
    dataset[start : start + len(payload)] = np.frombuffer(payload, np.uint8)


def _replace(fp: Any, group: Any, dsetname: str, payload: bytes, number: int) -> None:
    """Write to new slots with more room, then let them take the place of what was there."""
    if dsetname in group and not hasattr(group[dsetname], "dtype"):
        raise CheckpointError(f"{dsetname!r} in {group.name!r} is a group; choose another dsetname")
    spare = dsetname + _SPARE
    room = -(-int(_SLACK * len(payload)) // _ROUND) * _ROUND
    dataset = group.create_dataset(spare, data=np.zeros(2 * room + _TAIL, np.uint8))
    _write(dataset, 0, payload)
    _finish(fp, dataset, number)
    if dsetname in group:
        del group[dsetname]
    group.move(spare, dsetname)
    fp.flush()


def _pickled(group: Any, dsetname: str) -> Any:
    """The dataset, if EPSIE 1.x wrote it."""
    dataset = group.get(dsetname)
    kind = getattr(dataset, "dtype", None)
    return dataset if kind is not None and kind == np.dtype("S1") else None


def _unpickled(dataset: Any, dsetname: str, allow_pickle: bool) -> Any:
    if not allow_pickle:
        raise CheckpointError(
            f"the state {dsetname!r} is a pickle of EPSIE 1.x. Unpickling executes whatever is in "
            "it; if you trust the file, load it with allow_pickle=True"
        )
    try:
        return pickle.loads(dataset[()].tobytes())
    except Exception as error:
        raise CheckpointError(f"the pickle cannot be read: {error}") from error


@contextmanager
def _damage_named() -> Iterator[None]:
    """Turn what HDF5 raises at damage into a `CheckpointError`."""
    try:
        yield
    except CheckpointError:
        raise
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise CheckpointError(f"damaged: {error}") from error


def _refuse_no_file(fp: Any) -> None:
    if not (hasattr(type(fp), "require_group") and hasattr(type(fp), "id")):
        raise TypeError(
            f"fp must be an open h5py.File; got {fp!r} of type {type(fp).__name__}. Open it with "
            "h5py.File(name, 'a')"
        )
    if not fp:
        raise CheckpointError("the HDF5 file is closed")


def _refuse_unwritable(fp: Any) -> None:
    _refuse_no_file(fp)
    if fp.file.mode == "r":
        raise CheckpointError(
            f"the file {_file_name(fp)} is open for reading only; open it with mode 'a' or 'r+'"
        )


def _file_name(fp: Any) -> str:
    return repr(fp.file.filename)
