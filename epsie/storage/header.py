"""The header of a tree of plain data in bytes: its format, a number, lengths and a checksum."""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple

from epsie.errors import CheckpointError, NewerFormatError

FORMAT = 1
"""The version of the format; readers refuse later ones."""

MAGIC = b"\x89EPSIE\r\n"
_HEADER = struct.Struct("<8sIQQQ")
_DIGEST = 32
HEADER_SIZE = _HEADER.size + _DIGEST
"""The header of every version: magic, version, number, two lengths, and a sha256 of all else."""


class Header(NamedTuple):
    """The header of a tree, without the magic bytes and the checksum."""

    version: int
    number: int
    """Whatever the writer counts; of two states the later has the greater one."""
    text: int
    blocks: int

    @property
    def size(self) -> int:
        """The number of bytes, with those of the header."""
        return HEADER_SIZE + self.text + self.blocks


def sealed(number: int, text: int, body: bytes) -> bytes:
    """A body, of which so many bytes are text, with its header."""
    head = _HEADER.pack(MAGIC, FORMAT, number, text, len(body) - text)
    digest = hashlib.sha256(head)
    digest.update(body)
    return head + digest.digest() + body


def read_header(data: bytes | memoryview) -> Header:
    """The header at the start of some bytes.

    Raises
    ------
    CheckpointError
        If there is none.
    """
    if len(data) < HEADER_SIZE:
        raise CheckpointError(
            f"truncated: {len(data)} bytes, but the header alone has {HEADER_SIZE}"
        )
    magic, *numbers = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise CheckpointError(f"it does not begin with {MAGIC!r} but with {magic!r}")
    return Header(*numbers)


def checked_header(data: bytes | memoryview) -> Header:
    """The header of bytes that are as they were written.

    Raises
    ------
    CheckpointError
        If they are not.
    """
    header = read_header(data)
    if header.size != len(data):
        raise CheckpointError(f"truncated: {len(data)} bytes instead of {header.size}")
    view = memoryview(data)
    digest = hashlib.sha256(view[: _HEADER.size])
    digest.update(view[HEADER_SIZE:])
    if digest.digest() != view[_HEADER.size : HEADER_SIZE]:
        raise CheckpointError("damaged: the checksum is another")
    if header.version != FORMAT:
        raise NewerFormatError(
            f"it has format {header.version}, but this epsie reads format {FORMAT}: it was "
            "written by a newer epsie, which is needed to read it"
        )
    return header
