"""A dataset of an HDF5 file in which states are written in turn, so that one is always whole.

It holds bytes: a note, two slots of equal size, and the note again. A note tells the number of the
last state that was finished. It is written after the state, and stands at either end, apart from
the slots, with a checksum: whatever is damaged, it is known that there was such a state.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

import numpy as np

from epsie.errors import CheckpointError, NewerFormatError
from epsie.storage.header import HEADER_SIZE, checked_header, read_header

_MAGIC = b"EPSIEend"
_NOTE = struct.Struct("<8sQII")
NOTE_SIZE = _NOTE.size
"""Bytes of a note."""

_SLACK = 1.5
_ROUND = 4096
_METADATA = 2**16
"""Bytes that HDF5 needs for a dataset, its name and its group, at most."""


def dataset_size(payload: int) -> int:
    """The bytes of a dataset for states of about that size."""
    return 2 * (-(-int(_SLACK * payload) // _ROUND) * _ROUND) + 2 * NOTE_SIZE


@contextmanager
def reserved(fp: Any, size: int) -> Iterator[None]:
    """Have room on the disk for a dataset: HDF5 cannot even close a file that it cannot write.

    Raises
    ------
    OSError
        If there is no room.
    """
    if not hasattr(os, "posix_fallocate") or fp.file.driver != "sec2":
        yield
        return
    descriptor = fp.file.id.get_vfd_handle()
    try:
        _allocate(descriptor, size + _METADATA)
        yield
    finally:
        os.ftruncate(descriptor, fp.file.id.get_filesize())


def _allocate(descriptor: int, size: int) -> None:
    try:
        os.posix_fallocate(descriptor, os.fstat(descriptor).st_size, size)
    except OSError as error:
        # Some file systems cannot reserve anything.
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise


class Slots:
    """Two slots and their notes.

    Parameters
    ----------
    dataset : h5py.Dataset
        The dataset, for which `holds_slots` is true.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.room = int(dataset.size - 2 * NOTE_SIZE) // 2
        """The size of a slot."""

    def states(self, problems: list[str]) -> list[tuple[int, int]]:
        """Number and index of the states in it. Why there are no more is added to `problems`.

        Raises
        ------
        NewerFormatError
            If one is of a newer epsie: an older one beside it must not be taken for the last.
        """
        found = []
        for index in (0, 1):
            try:
                found.append((checked_header(self.read(index)).number, index))
            except NewerFormatError:
                raise
            except CheckpointError as error:
                problems.append(f"slot {index} of {self.dataset.name!r}: {error.args[0]}")
        return found

    @property
    def finished(self) -> int | None:
        """The number of the last state that was finished; None if the notes are damaged."""
        last = int(self.dataset.size) - NOTE_SIZE
        found = [self._note(at) for at in (0, last)]
        return max((number for number in found if number is not None), default=None)

    def _note(self, at: int) -> int | None:
        data = self.dataset[at : at + NOTE_SIZE].tobytes()
        magic, number, check, _ = _NOTE.unpack(data)
        sound = magic == _MAGIC and check == crc32(data[:16]) and number > 0
        return number if sound else None

    def finish(self, number: int) -> None:
        """Bring a state to the file, then note that it is there."""
        file = self.dataset.file
        file.flush()
        head = _NOTE.pack(_MAGIC, number, 0, 0)[:16]
        note = np.frombuffer(_NOTE.pack(_MAGIC, number, crc32(head), 0), np.uint8)
        self.dataset[:NOTE_SIZE] = note
        self.dataset[-NOTE_SIZE:] = note
        file.flush()

    def read(self, index: int) -> bytes:
        """The bytes of a slot's state.

        Raises
        ------
        CheckpointError
            If there is none. Nothing larger than the file is read.
        """
        dataset = self.dataset
        offset, length = dataset.id.get_offset(), dataset.file.id.get_filesize()
        if offset is not None and offset + dataset.size > length:
            raise CheckpointError(f"truncated: the file ends at {length}")
        start = NOTE_SIZE + index * self.room
        head = dataset[start : start + min(self.room, HEADER_SIZE)].tobytes()
        size = read_header(head).size
        if size > self.room:
            raise CheckpointError(f"damaged: {size} bytes cannot be in {self.room}")
        data: bytes = dataset[start : start + size].tobytes()
        return data

    def write(self, index: int, payload: bytes) -> None:
        """Put a state into a slot."""
        start = NOTE_SIZE + index * self.room
        self.dataset[start : start + len(payload)] = np.frombuffer(payload, np.uint8)


def holds_slots(dataset: Any) -> bool:
    """Whether it is a dataset of bytes that are all there in the file."""
    if getattr(dataset, "dtype", None) != np.uint8 or dataset.ndim != 1:
        return False
    if dataset.chunks is not None or dataset.external or dataset.is_virtual:
        return False
    return bool(dataset.id.get_storage_size() == dataset.size > 2 * NOTE_SIZE)
