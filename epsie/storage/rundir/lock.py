"""The lock of a run directory: one process writes at a time."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epsie.errors import RunDirectoryError

NAME = "lock"

_mine: set[Path] = set()
"""What this process holds: locks of the operating system are between processes."""


@contextmanager
def locked(directory: Path, upto: int | None = None) -> Iterator[None]:
    """Hold the lock of a run directory.

    A process that ends, however it ends, loses its lock.

    Parameters
    ----------
    directory : Path
        The directory.
    upto : int, optional
        The iteration up to which the run is to go, for others to read.

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
        _take(descriptor, directory, upto)
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


def _take(descriptor: int, directory: Path, upto: int | None) -> None:
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
            f"{holder.get('host')}. If that no longer runs: epsie unlock {directory}"
        )
    text = json.dumps({"pid": os.getpid(), "host": here, "upto": upto}).encode()
    try:
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, text)
    except OSError as error:
        raise RunDirectoryError(f"{directory} cannot be written to: {error}") from error


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, or left it.

    Parameters
    ----------
    pid : int
        The process.
    host : str
        Where it runs.
    upto : int or None
        The iteration up to which it is to go, if known.
    since : float
        Since when, in seconds since the epoch.
    """

    pid: int
    host: str
    upto: int | None
    since: float

    @property
    def is_alive(self) -> bool | None:
        """Whether the process exists; None if it is on another host."""
        if self.host != socket.gethostname():
            return None
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True


def holder(directory: Path) -> Holder | None:
    """Who holds the lock of a run directory, or left it; None if it was given back."""
    path = directory / NAME
    if path.resolve() in _mine:
        # To open and close it here would give the operating system's lock away.
        return Holder(os.getpid(), socket.gethostname(), None, 0.0)
    try:
        text, since = path.read_bytes(), path.stat().st_mtime
        found = json.loads(text or b"{}")
        return Holder(int(found["pid"]), str(found["host"]), found.get("upto"), since)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def unlock(directory: Path) -> Holder | None:
    """Take away a lock that was left on another host, or by a process that ended.

    Returns
    -------
    Holder or None
        Who had left it; None if it was not locked.

    Raises
    ------
    RunDirectoryError
        If the holder is alive, as far as can be told from here.
    """
    left = holder(directory)
    if left is None:
        return None
    try:
        descriptor = os.open(directory / NAME, os.O_RDWR)
    except OSError as error:
        raise RunDirectoryError(f"{directory} cannot be written to: {error}") from error
    try:
        if left.is_alive or not _exclusive(descriptor):
            raise RunDirectoryError(
                f"{directory} is in use by process {left.pid} on {left.host}, which is alive"
            )
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)
    return left


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
