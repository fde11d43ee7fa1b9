"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any

from epsie.errors import CheckpointError, RunDirectoryError
from epsie.storage.statetree import decode


def resolved(directory: Any) -> Path:
    """A directory as it is known from anywhere: scripts and models may go elsewhere.

    Raises
    ------
    RunDirectoryError
        If it is relative to a directory that is gone.
    """
    try:
        return Path(os.path.realpath(Path(directory)))
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
        If it is damaged.
    """
    try:
        return decode(path.read_bytes(), copy=copy)[0]
    except CheckpointError as error:
        raise CheckpointError(f"{path} cannot be read: {error.args[0]}") from error
