"""The lock of a run directory: one process writes at a time."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from epsie.errors import RunDirectoryError

NAME = "lock"

_mine: set[Path] = set()
"""What this process holds: locks of the operating system are between processes."""


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a run directory.

    A process that ends, however it ends, loses its lock.

    Raises
    ------
    RunDirectoryError
        If somebody else holds it: it says who.
    """
    path = (directory / NAME).resolve()
    if path in _mine:
        raise RunDirectoryError(f"another sampler of this process is running in {directory}")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise RunDirectoryError(f"{directory} cannot be written to: {error}") from error
    _mine.add(path)
    try:
        _take(descriptor, directory)
        yield
        os.ftruncate(descriptor, 0)
    except BaseException:
        with contextlib.suppress(OSError):
            if _holder(descriptor).get("pid") == os.getpid():
                os.ftruncate(descriptor, 0)
        raise
    finally:
        _mine.discard(path)
        os.close(descriptor)


def _take(descriptor: int, directory: Path) -> None:
    holder = _holder(descriptor)
    here = socket.gethostname()
    if not _exclusive(descriptor):
        raise RunDirectoryError(
            f"{directory} is in use by process {holder.get('pid')} on {holder.get('host')}"
        )
    if holder and holder.get("host") != here:
        # Locks may not reach across the hosts of a shared file system.
        raise RunDirectoryError(
            f"{directory} was left locked by process {holder.get('pid')} on "
            f"{holder.get('host')}. If that no longer runs, remove {directory / NAME}"
        )
    text = json.dumps({"pid": os.getpid(), "host": here}).encode()
    try:
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, text)
    except OSError as error:
        raise RunDirectoryError(f"{directory} cannot be written to: {error}") from error


def _holder(descriptor: int) -> dict[str, Any]:
    """Who wrote the lock; empty if it was given back."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        found = json.loads(os.read(descriptor, 1000) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _exclusive(descriptor: int) -> bool:
    """Take the operating system's lock; whether it could be had."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        # Unlike those of flock, these are not inherited by forked workers.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        if error.errno != errno.ENOLCK:
            raise
    return True
