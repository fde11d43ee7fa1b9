"""The process that holds the lock of a run directory, or left it, and whether it is alive."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from epsie.errors import RunDirectoryError
from epsie.process.identity import Identity, this_process
from epsie.storage.files import open_regular, told

NAME = "lock"
_MOST = 4096
"""Bytes of a lock."""

tokens: set[str] = set()
"""Of the locks that this process holds."""


@dataclass(frozen=True)
class Holder:
    """A process that writes to a run directory, or did until it ended.

    Parameters
    ----------
    process : Identity
        The process.
    upto : int or None
        The iteration up to which it is to go, if known.
    since : float
        Since when, in seconds since the epoch.
    token : str, optional
        Random: tells this lock from any other.
    beats : bool, optional
        Whether it touches its lock now and then.
    system : bool, optional
        Whether it has a lock of the operating system too.
    touched : int, optional
        When the lock was touched last, by the clock of the file system.
    locked : bool, optional
        Whether somebody has a lock of the operating system now; None if nobody can say.
    """

    process: Identity
    upto: int | None
    since: float
    token: str = ""
    beats: bool = False
    system: bool = True
    touched: int = 0
    locked: bool | None = None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self.process.pid

    @property
    def host(self) -> str:
        """The host that the process runs on."""
        return self.process.host

    @property
    def is_held_here(self) -> bool:
        """Whether this very process holds it."""
        return self.token in tokens

    @property
    def is_alive(self) -> bool | None:
        """Whether the process is there to write; None if that cannot be told from here.

        The one rule, for `run`, `resume` and the command line.
        """
        here = this_process()
        if self.is_held_here or self.process == here:
            return self.is_held_here
        exists = self.process.exists
        if exists is False or (exists and self.process.started is not None):
            return exists
        # A number alone is soon another's, and in a container means nothing here.
        if self.system and self.locked is not None and self.process.shares_kernel(here):
            return self.locked
        return exists

    @property
    def encoded(self) -> bytes:
        """The content of the lock, as JSON in bytes."""
        noted = {"upto": self.upto, "since": self.since, "token": self.token}
        flags = {"beats": self.beats, "system": self.system}
        return json.dumps({**asdict(self.process), **noted, **flags}).encode()


def holder(directory: Path, locked: bool | None = None, *, strict: bool = False) -> Holder | None:
    """The process that holds the lock of a run directory, or left it; None if there is none.

    Parameters
    ----------
    directory : Path
        The directory.
    locked : bool, optional
        Whether somebody else has a lock of the operating system; it is found out if not given.
    strict : bool, optional
        Whether to refuse something else that is called as the lock is.

    Raises
    ------
    RunDirectoryError
        That names it.
    """
    with suppress(OSError, *(() if strict else (RunDirectoryError,))):
        descriptor = open_lock(directory / NAME, os.O_RDONLY)
        try:
            found = read_holder(descriptor, directory / NAME)
            if found is not None:
                known = is_locked(descriptor) if locked is None else locked
                return replace(found, locked=known)
        finally:
            os.close(descriptor)
    return None


def open_lock(path: Path, flags: int) -> int:
    """Open a lock. Nothing is waited for, nor led elsewhere, whatever has this name.

    Raises
    ------
    OSError
        If it is not there, or must not be opened.
    RunDirectoryError
        If it is no regular file.
    """
    try:
        descriptor = open_regular(path, flags)
    except OSError:
        if path.is_symlink() or path.is_dir():
            raise _no_lock(path) from None
        raise
    if descriptor is None:
        raise _no_lock(path)
    return descriptor


def read_holder(descriptor: int, path: Path = Path(NAME)) -> Holder | None:
    """The process that wrote a lock; None if it was given back.

    Raises
    ------
    RunDirectoryError
        If it is a file of somebody else.
    """
    with told(path, "cannot be read"):
        os.lseek(descriptor, 0, os.SEEK_SET)
        text = os.read(descriptor, _MOST)
        status = os.fstat(descriptor)
    if not text:
        return None
    try:
        found: dict[str, Any] = json.loads(text)
        process = {part.name: found[part.name] for part in fields(Identity) if part.name in found}
        noted = {name: found[name] for name in ("token", "beats", "system") if name in found}
        known = Identity(**process)
        if not (isinstance(known.pid, int) and known.pid > 0 and isinstance(known.host, str)):
            raise _no_lock(path)
        since = float(found.get("since", status.st_mtime))
        return Holder(known, found.get("upto"), since, **noted, touched=status.st_mtime_ns)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _no_lock(path) from None


def _no_lock(path: Path) -> RunDirectoryError:
    return RunDirectoryError(
        f"{path} is not the lock of a run but something else, which is left as it is: choose "
        "another directory, or move it away"
    )


def exclusive(descriptor: int, *, only_look: bool = False) -> bool | None:
    """Take the operating system's lock; whether it could be had, None if there is none here.

    It belongs to what was opened: other descriptors of this process do not touch it, and it ends
    with the last copy of this one.
    """
    try:
        import fcntl

        how = fcntl.LOCK_SH if only_look else fcntl.LOCK_EX
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError) as error:
        return False if getattr(error, "errno", 0) == errno.EACCES else None
    return True


def is_locked(descriptor: int) -> bool | None:
    """Whether somebody has the operating system's lock; None if nobody can say."""
    had = exclusive(descriptor, only_look=True)
    if had:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_UN)
    return None if had is None else not had
