"""The lock of a run directory: one process writes at a time."""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from epsie.errors import RunDirectoryError
from epsie.process.identity import this_process
from epsie.storage.rundir.holder import NAME, Holder, holder, open_lock, read_holder, tokens
from epsie.storage.rundir.takeover import BEAT, wait_until_free


class Lock:
    """The lock of a run directory, held by this process.

    Parameters
    ----------
    directory : Path
        The directory.
    descriptor : int
        The lock, opened to be written. The operating system's lock was asked for.
    system : bool
        Whether it could be had.
    upto : int or None
        The iteration up to which the run is to go.
    """

    def __init__(self, directory: Path, descriptor: int, system: bool, upto: int | None) -> None:
        self.path = directory / NAME
        self.used = False
        """Whether anything was written to the directory."""
        self._place = os.stat(directory)
        self._descriptor: int | None = descriptor
        self.token = secrets.token_hex(16)
        self._ended = threading.Event()
        self._written = Holder(this_process(), upto, time.time(), self.token, True, system).encoded
        os.ftruncate(descriptor, 0)
        # By a descriptor that is closed: other hosts see what it wrote then.
        written = open_lock(self.path, os.O_WRONLY)
        try:
            os.write(written, self._written)
        finally:
            os.close(written)
        tokens.add(self.token)
        _held.append(self)
        self._heart = threading.Thread(target=self._beat, name="epsie-lock", daemon=True)
        self._heart.start()

    def check(self) -> None:
        """Make sure that it is still this process that may write.

        Raises
        ------
        RunDirectoryError
            If it was taken over or removed, or the directory was; or this is a process that was
            forked by the one that holds it.
        """
        self._check_place()
        if self._descriptor is None:
            by = "is held by the process that this one was forked by"
        elif self._is_there():
            return
        else:
            found = holder(self.path.parent, locked=True)
            by = "was removed" if found is None else f"was taken over by {found}"
        raise RunDirectoryError(
            f"the lock of {self.path.parent} {by}: this process writes nothing more to it"
        )

    def _check_place(self) -> None:
        # Its number stays as long as the lock is open, on any file system.
        directory = self.path.parent
        try:
            there = os.stat(directory)
        except OSError as error:
            raise RunDirectoryError(f"{directory} was moved or removed: {error}") from error
        if not os.path.samestat(there, self._place):
            raise RunDirectoryError(f"{directory} was moved or removed: this is another one")

    def _beat(self) -> None:
        """Touch the lock now and then, however long a step takes."""
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while not self._ended.wait(BEAT):
            descriptor = self._descriptor
            with suppress(OSError, RunDirectoryError):
                if descriptor is None or not self._is_mine(descriptor):
                    return
                os.utime(descriptor if os.utime in os.supports_fd else self.path)

    def _is_there(self) -> bool:
        with suppress(OSError, RunDirectoryError):
            descriptor = open_lock(self.path, os.O_RDONLY)
            try:
                return self._is_mine(descriptor)
            finally:
                os.close(descriptor)
        return False

    def _is_mine(self, descriptor: int) -> bool:
        """Whether the very bytes are there that were written: they have a token."""
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.read(descriptor, len(self._written) + 1) == self._written

    def release(self, remove: bool = False) -> None:
        """Give it back.

        Parameters
        ----------
        remove : bool, optional
            Whether the file goes too.
        """
        self._ended.set()
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        self._heart.join()
        try:
            with suppress(OSError, RunDirectoryError):
                if self._is_mine(descriptor):
                    if remove and _is_at(descriptor, self.path):
                        self.path.unlink()
                    os.ftruncate(descriptor, 0)
        finally:
            tokens.discard(self.token)
            _held.remove(self)
            os.close(descriptor)

    def forget(self) -> None:
        """Leave it to the process that this one was forked by."""
        self._ended = threading.Event()
        self._ended.set()
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


_held: list[Lock] = []


def _forget_all() -> None:
    # A lock of the operating system would last as long as any worker has it opened.
    for lock in _held:
        lock.forget()
    _held.clear()
    tokens.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


@contextmanager
def locked(
    directory: Path, upto: int | None = None, patience: float | None = None
) -> Iterator[Lock]:
    """Hold the lock of a run directory.

    A process that ends, however it ends, loses its lock. One that was left on another host is taken
    over if that process was of the same job, or if nobody touches it for some time.

    Parameters
    ----------
    directory : Path
        The directory.
    upto : int, optional
        The iteration up to which the run is to go, for others to read.
    patience : float, optional
        That time, in seconds by the clock of this process; ten minutes by default.

    Raises
    ------
    RunDirectoryError
        If somebody else holds it: it says who. The directory is as it was.
    """
    lock, made = _taken(directory, upto, patience)
    try:
        yield lock
    except BaseException:
        lock.release(remove=made and not lock.used)
        raise
    lock.release()


def _taken(directory: Path, upto: int | None, patience: float | None) -> tuple[Lock, bool]:
    """The lock, and whether there was no file before."""
    path = directory / NAME
    while True:
        descriptor, made = _opened(path)
        try:
            read_holder(descriptor, path)
            system = wait_until_free(descriptor, directory, patience)
            # Whoever gave it back may have removed it.
            if _is_at(descriptor, path):
                return Lock(directory, descriptor, system, upto), made
        except BaseException as error:
            if made and _is_at(descriptor, path):
                path.unlink()
            os.close(descriptor)
            if isinstance(error, OSError):
                raise RunDirectoryError(f"{directory} cannot be written to: {error}") from error
            raise
        os.close(descriptor)


def _opened(path: Path) -> tuple[int, bool]:
    """The lock, opened to be written, and whether it was not there before."""
    while True:
        for flags in (os.O_RDWR, os.O_RDWR | os.O_CREAT | os.O_EXCL):
            try:
                return open_lock(path, flags), bool(flags & os.O_CREAT)
            except (FileNotFoundError, FileExistsError) as error:
                if not path.parent.is_dir():
                    raise RunDirectoryError(f"{path.parent} is gone: {error}") from error
            except OSError as error:
                raise RunDirectoryError(f"{path.parent} cannot be written to: {error}") from error


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except OSError:
        return False
