"""A run directory as an identity: this very one, of this very run, with its own files alone."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from epsie.errors import CheckpointError, RunDirectoryError, UnreadableError
from epsie.storage.files import names_in, open_regular, read_file, told, write_file
from epsie.storage.header import HEADER_SIZE, MAGIC
from epsie.storage.rundir.holder import NAME as LOCK
from epsie.storage.rundir.lock import Lock
from epsie.storage.statetree import encode

MANIFEST = "manifest.epsie"

RUN = "run"
"""Under which a file has the id of its run, before all else."""

_NAME = r"(?:manifest|state-\d{12}|segment-\d{12}-\d{12})\.epsie"
_RECORD = re.compile(_NAME)
_UNFINISHED = re.compile(rf"\.{_NAME}\.[0-9a-f]{{16}}\.tmp")
_ID = re.compile(rb'"tree":\{"dict":\[\["run","([0-9a-f]{32})"\]')
_BEGINNING = HEADER_SIZE + 256
_NO_FILES = (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.ENODEV, errno.EISDIR)
"""The error numbers of opening a link, a device or a directory as a file."""


def new_run() -> str:
    """A random id for a run."""
    return secrets.token_hex(16)


def owner(path: Path, *, follow: bool = False) -> str | None:
    """The id of the run that a file is of, by its first bytes.

    Parameters
    ----------
    path : Path
        The file.
    follow : bool, optional
        Whether it may be a link, as it may for those who only read.

    Returns
    -------
    str or None
        '' if there is no id: it is empty, damaged, or of a former format. None if it is something
        else, of somebody else.

    Raises
    ------
    FileNotFoundError
        If there is none.
    UnreadableError
        If the system cannot read it.
    """
    try:
        descriptor = open_regular(path, follow=follow)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in _NO_FILES:
            return None
        raise UnreadableError(f"{path} cannot be read: {error}") from error
    if descriptor is None:
        return None
    try:
        beginning = os.read(descriptor, _BEGINNING)
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error}") from error
    finally:
        os.close(descriptor)
    found = _ID.search(beginning)
    if found:
        return found[1].decode()
    is_ours = beginning[: len(MAGIC)] == MAGIC[: len(beginning)] or not beginning.strip(b"\0")
    return "" if is_ours else None


def is_of(path: Path, run: str | None) -> bool:
    """Whether a file may be replaced or removed by a run: it is its own, or damaged."""
    try:
        return owner(path) in ("", run)
    except FileNotFoundError:
        return True
    except UnreadableError:
        return False


def read_of(path: Path, run: str | None, *, copy: bool = True) -> dict[Any, Any]:
    """The contents of a file of a run.

    Raises
    ------
    FileNotFoundError
        If there is none.
    CheckpointError
        If it is damaged.
    RunDirectoryError
        If it is of another run.
    """
    found = read_file(path, copy=copy)
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} cannot be read: it holds no settings, segment or state")
    owner_id = found.pop(RUN, None)
    if not isinstance(owner_id, str | None):
        raise CheckpointError(f"{path} cannot be read: it has no id of its run")
    if owner_id != run:
        raise of_another_run(path)
    return found


def of_another_run(path: Path) -> RunDirectoryError:
    """The error for a file that came from elsewhere."""
    return RunDirectoryError(f"{path} is of another run: move it away")


def strangers(directory: Path, run: str | None) -> list[Path]:
    """The files that are named as those of a run, and are not of this one."""
    named = [directory / name for name in names_in(directory) if _RECORD.fullmatch(name)]
    found = []
    for path in named:
        # What cannot be read for now may be anything.
        with suppress(FileNotFoundError, UnreadableError):
            found += [path] if owner(path) not in ("", run) else []
    return found


def refuse_strangers(directory: Path, run: str | None) -> None:
    """Refuse files that were put into the directory of a run, before anything is changed.

    Raises
    ------
    RunDirectoryError
        That names the first.
    """
    for path in strangers(directory, run):
        if owner(path):
            raise of_another_run(path)
        raise RunDirectoryError(
            f"{path} has a name of this run, but is something else: move it away"
        )


def unfinished(directory: Path) -> list[Path]:
    """The unfinished files that killed writers left behind."""
    named = [directory / name for name in names_in(directory) if _UNFINISHED.fullmatch(name)]
    found = []
    for path in named:
        with suppress(FileNotFoundError, UnreadableError):
            found += [path] if owner(path) is not None else []
    return found


def leftovers(directory: Path) -> list[Path]:
    """The files of a process killed as it began a run: all that a directory without one has.

    Raises
    ------
    RunDirectoryError
        If it has anything else.
    """
    left = set(unfinished(directory))
    others = []
    for path in [directory / name for name in names_in(directory)]:
        if path.name == LOCK or path in left:
            continue
        if not _is_beginning(path):
            others.append(path.name)
        left.add(path)
    if others:
        raise RunDirectoryError(
            f"{directory} exists but holds no run: it has {', '.join(others[:5])}"
        )
    return sorted(left)


def _is_beginning(path: Path) -> bool:
    """Whether it is a state at which a run was to begin: nothing is lost with it."""
    if not (_RECORD.fullmatch(path.name) and owner(path)):
        return False
    try:
        found = read_file(path)
    except (OSError, CheckpointError):
        return False
    return isinstance(found, dict) and path.name == f"state-{found.get('start', -1):012d}.epsie"


class Folder:
    """The directory that a process writes to.

    Parameters
    ----------
    lock : Lock
        Its lock.
    run : str or None
        The id of its run; None if it is of a former format.
    """

    def __init__(self, lock: Lock, run: str | None) -> None:
        self.lock = lock
        self.path = lock.path.parent
        self.run = run

    def check(self) -> None:
        """Make sure that it is still the directory of the run, and that this process may write.

        Raises
        ------
        RunDirectoryError
            If not.
        """
        self.lock.check()
        manifest = self.path / MANIFEST
        try:
            found = owner(manifest)
        except FileNotFoundError:
            raise RunDirectoryError(f"{manifest} is gone: {self.path} is no run any more") from None
        if found != (self.run or ""):
            raise of_another_run(manifest)

    def write(self, name: str, content: dict[Any, Any], number: int = 0) -> None:
        """Write a file; nobody else's is replaced.

        Raises
        ------
        RunDirectoryError
            If it cannot be written, or this process may not write any more.
        """
        path = self.path / name
        marked = content if self.run is None else {RUN: self.run, **content}
        data = encode(marked, number)
        self.lock.check()
        if not is_of(path, self.run):
            raise RunDirectoryError(f"{path} is not of this run, and not replaced: move it away")
        self.lock.used = True
        write_file(path, data)

    def remove(self, paths: Iterable[Path]) -> None:
        """Remove files, of those that are the run's own."""
        for path in paths:
            if is_of(path, self.run):
                with told(path, "cannot be removed"):
                    path.unlink(missing_ok=True)
