"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from epsie.checks import as_path
from epsie.errors import CheckpointError, RunDirectoryError, UnreadableError
from epsie.storage.header import HEADER_SIZE, Header, read_header
from epsie.storage.statetree import decode


def resolved(directory: Any) -> Path:
    """A directory as it is known from anywhere: scripts and models may go elsewhere.

    Raises
    ------
    RunDirectoryError
        If it is relative to a directory that is gone.
    ValueError, TypeError
        If it is an empty path, or none.
    """
    path = as_path(directory)
    try:
        return Path(os.path.realpath(path))
    except OSError as error:
        raise RunDirectoryError(f"{directory} cannot be found: {error}") from error


def write_file(path: Path, data: bytes) -> None:
    """Write a file that survives whatever happens once this returns.

    Raises
    ------
    RunDirectoryError
        If the disk is full, the directory cannot be written to, or anything else fails. There is
        no new file then, or a whole one.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        # Nothing that is there already is opened, nor what a link leads to.
        with open(unfinished, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        _sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise RunDirectoryError(f"{path} could not be written: {error}") from error


def _sync_directory(path: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_file(path: Path, *, copy: bool = True) -> Any:
    """The tree in a file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    CheckpointError
        If it is damaged, or no regular file.
    UnreadableError
        If the system cannot read it.
    """
    try:
        return decode(_bytes_of(path), copy=copy)[0]
    except CheckpointError as error:
        raise type(error)(f"{path} cannot be read: {error.args[0]}") from error


def header_of(path: Path) -> Header:
    """The header of a file, of which all bytes are there. Raises as `read_file`."""
    try:
        with _opened(path) as file:
            return _header(file)
    except CheckpointError as error:
        raise type(error)(f"{path} cannot be read: {error.args[0]}") from error


def _bytes_of(path: Path) -> bytes:
    with _opened(path) as file:
        size = _header(file).size
        file.seek(0)
        data: bytes = file.read(size)
    return data


def _header(file: Any) -> Header:
    header, there = read_header(file.read(HEADER_SIZE)), os.fstat(file.fileno()).st_size
    if header.size != there:
        raise CheckpointError(f"truncated: {there} bytes instead of {header.size}")
    return header


def open_regular(path: Path, flags: int = os.O_RDONLY, *, follow: bool = False) -> int | None:
    """Open a regular file. Of others it may be that nobody ever answers.

    Parameters
    ----------
    path : Path
        The file.
    flags : int, optional
        As for `os.open`.
    follow : bool, optional
        Whether it may be a link.

    Returns
    -------
    int or None
        Its descriptor, which no child inherits; None if it is something else.

    Raises
    ------
    OSError
        If it cannot be opened; of a link, too.
    """
    for name in (
        "O_NONBLOCK",
        "O_CLOEXEC",
        "O_NOCTTY",
        "O_BINARY",
        *([] if follow else ["O_NOFOLLOW"]),
    ):
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags, 0o666)
    try:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A regular file, to be read."""
    with told(path, "cannot be read"):
        descriptor = open_regular(path, follow=True)
        if descriptor is None:
            raise CheckpointError("it is no regular file")
        try:
            yield os.fdopen(descriptor, "rb", closefd=False)
        finally:
            os.close(descriptor)


@contextmanager
def told(path: Path, problem: str) -> Iterator[None]:
    """Say which file it was that the system refused.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If there is none.
    UnreadableError
        Of all other errors of the system.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, MemoryError) as error:
        raise UnreadableError(f"{path} {problem}: {error}") from error


def names_in(directory: Path) -> list[str]:
    """The names of what is in a directory, sorted.

    Raises
    ------
    RunDirectoryError
        If it cannot be looked at, or is none.
    """
    try:
        with told(directory, "cannot be read"):
            return sorted(os.listdir(directory))
    except OSError as error:
        raise RunDirectoryError(f"{directory} cannot be read: {error}") from error


def size_of(path: Path) -> int:
    """The bytes of a file; 0 if there is none, or it is no regular one.

    Raises
    ------
    RunDirectoryError
        If it cannot be looked at.
    """
    found = _status(path)
    return found.st_size if found is not None and stat.S_ISREG(found.st_mode) else 0


def is_there(path: Path) -> bool:
    """Whether there is such a file or directory.

    Raises
    ------
    RunDirectoryError
        If it cannot be told.
    """
    return _status(path) is not None


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, MemoryError) as error:
        raise UnreadableError(f"{path} cannot be read: {error}") from error
