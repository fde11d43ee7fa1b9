"""States in HDF5 files.

A state is held by a dataset of bytes with two slots of fixed size, which are written in turn, and
notes of which was finished last: see `epsie.storage.slots`. A process that is killed while it
writes one leaves the other, with the state before. A state that was finished and is damaged now is
an error: the one before does not belong to what else is in the file. HDF5 itself promises nothing
for a file whose writer was killed; of 200 kills during `dump_state` none lost a state. Where
nothing may be lost, use a run directory: see `epsie.storage.rundir`.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from epsie.errors import CheckpointError
from epsie.storage.slots import Slots, dataset_size, holds_slots, reserved
from epsie.storage.statetree import decode, encode

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
    ValueError
        If a name is empty.
    CheckpointError
        If the file is read-only, something else has that name, the disk is full, or HDF5 cannot
        write for another reason. The state before is still there.
    """
    _refuse_no_file(fp)
    _refuse_no_name(path, dsetname)
    with _named(fp, "the state cannot be written to"):
        _refuse_unwritable(fp)
        group = fp if path is None else fp.require_group(path)
        found = _settled(fp, group, dsetname)
        number = 1 + max([found.finished, *(number for number, *_ in found.states)])
    payload = encode(state, number)
    with _named(fp, "the state cannot be written to"):
        slots = Slots(group[dsetname]) if dsetname in found.datasets else None
        if slots is None or len(payload) > slots.room:
            _replace(fp, group, dsetname, payload, number)
            return
        newest = max(found.states, default=None)
        slots.write(1 if newest is not None and newest[2] == 0 else 0, payload)
        slots.finish(number)


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
    ValueError
        If a name is empty.
    CheckpointError
        If the state is damaged, none of this package, or of a newer version. It is a
        `pickle.UnpicklingError`.
    """
    _refuse_no_file(fp)
    _refuse_no_name(path, dsetname)
    with _named(fp, "the state cannot be read from", passed=KeyError):
        if path is not None and path not in fp:
            raise KeyError(f"there is no group {path!r} in {_file_name(fp)}")
        group = fp if path is None else fp[path]
        if dsetname not in group and dsetname + _SPARE not in group:
            raise KeyError(f"there is no state {dsetname!r} in {group.name!r} of {_file_name(fp)}")
        pickled = _pickled(group, dsetname)
        if pickled is not None:
            return _unpickled(pickled, dsetname, allow_pickle)
        return _newest(group, dsetname, previous)


class _Found(NamedTuple):
    """The states and the datasets under a name."""

    states: list[tuple[int, str, int]]
    """Of all states: number, dataset and slot."""

    finished: int
    """The number of the last state that was finished; 0 if it is not known."""

    sure: bool
    """Whether there can be no later one."""

    datasets: list[str]
    """The datasets that have slots."""


def _found(group: Any, dsetname: str, problems: list[str]) -> _Found:
    """The states and the datasets under a name; what is wrong with them goes to `problems`."""
    found = _Found([], 0, True, [])
    for name in (dsetname, dsetname + _SPARE):
        if name not in group:
            continue
        if not holds_slots(group[name]):
            problems.append(f"{name!r} was not written by epsie 2")
            continue
        slots = Slots(group[name])
        states, finished = slots.states(problems), slots.finished
        found.states.extend((number, name, index) for number, index in states)
        found.datasets.append(name)
        if finished is None and name == dsetname:
            # It got its name only when it was finished: its notes are damaged.
            problems.append(f"the notes of {name!r}")
        # Of two states that follow each other none is missing.
        sure = finished is not None or name != dsetname or len(states) == 2
        found = found._replace(
            finished=max(found.finished, finished or 0), sure=found.sure and sure
        )
    return found


def _newest(group: Any, dsetname: str, previous: bool) -> Any:
    """The state with the greatest number; unless asked for no other than the last finished one."""
    problems: list[str] = []
    found = _found(group, dsetname, problems)
    for number, name, index in sorted(found.states, reverse=True):
        if (number < found.finished or not found.sure) and not previous:
            raise CheckpointError(
                f"the last state {dsetname!r} in {_file_name(group)} is damaged: "
                f"{'; '.join(problems)}. The one before is whole: load it with previous=True"
            )
        try:
            return decode(Slots(group[name]).read(index))[0]
        except CheckpointError as error:
            problems.append(str(error))
            if not previous:
                break
    raise CheckpointError(
        f"the state {dsetname!r} in {_file_name(group)} cannot be read: " + "; ".join(problems)
    )


def _settled(fp: Any, group: Any, dsetname: str) -> _Found:
    """The states and the datasets, once a replacement that was cut short is finished."""
    found = _found(group, dsetname, [])
    spare = dsetname + _SPARE
    if spare not in group:
        return found
    if found.states and max(found.states)[1] == spare:
        if dsetname in group:
            del group[dsetname]
        group.move(spare, dsetname)
    else:
        del group[spare]
    fp.flush()
    return _found(group, dsetname, [])


def _replace(fp: Any, group: Any, dsetname: str, payload: bytes, number: int) -> None:
    """Write to new slots with more room, then let them take the place of what was there."""
    if dsetname in group and not hasattr(group[dsetname], "dtype"):
        raise CheckpointError(f"{dsetname!r} in {group.name!r} is a group; choose another dsetname")
    spare, size = dsetname + _SPARE, dataset_size(len(payload))
    with reserved(fp, size):
        slots = Slots(group.create_dataset(spare, data=np.zeros(size, np.uint8)))
        slots.write(0, payload)
        slots.finish(number)
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
        if dataset.size > dataset.id.get_storage_size():
            raise CheckpointError("truncated")
        return pickle.loads(dataset[()].tobytes())
    except Exception as error:
        raise CheckpointError(f"the pickle cannot be read: {error}") from error


@contextmanager
def _named(fp: Any, problem: str, passed: type[Exception] = CheckpointError) -> Iterator[None]:
    """Turn what HDF5 raises, which may be anything, into a `CheckpointError`."""
    try:
        yield
    except (CheckpointError, passed):
        raise
    except Exception as error:
        raise CheckpointError(
            f"{problem} {_file_name(fp)}: {type(error).__name__}: {error}"
        ) from error


def _refuse_no_name(path: Any, dsetname: Any) -> None:
    if path == "" or dsetname == "":
        raise ValueError(
            f"the names of group and dataset must not be empty; got path={path!r}, "
            f"dsetname={dsetname!r}. Leave out what is to be as by default"
        )


def _refuse_no_file(fp: Any) -> None:
    if not (hasattr(type(fp), "require_group") and hasattr(type(fp), "id")):
        raise TypeError(
            f"fp must be an open h5py.File; got {fp!r} of type {type(fp).__name__}. Open it with "
            "h5py.File(name, 'a')"
        )
    if not fp:
        raise CheckpointError("the HDF5 file is closed")


def _refuse_unwritable(fp: Any) -> None:
    if fp.file.mode == "r":
        raise CheckpointError(
            f"the file {_file_name(fp)} is open for reading only; open it with mode 'a' or 'r+'"
        )


def _file_name(fp: Any) -> str:
    try:
        return repr(fp.file.filename)
    except Exception:  # of a file that is damaged
        return "the file"
