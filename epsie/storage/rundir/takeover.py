"""When the lock of another process may be taken over, or taken away."""

from __future__ import annotations

import time
from pathlib import Path

from epsie.errors import RunDirectoryError
from epsie.logs import logger
from epsie.storage.rundir.holder import NAME, Holder, exclusive, holder

BEAT = 5.0
"""Seconds from one touch of a lock by its holder to the next."""

PATIENCE = 600.0
"""Seconds for which nobody must have touched a lock of another host."""

_SETTLING = 2.0
"""Seconds after which a lock that somebody looked at, or is giving back, is free again."""


def refuse_living(directory: Path) -> None:
    """Refuse a directory to which somebody is known to write, or whose lock is something else.

    Raises
    ------
    RunDirectoryError
        That says who, or names it.
    """
    found = holder(directory, strict=True)
    if found is not None and found.is_alive:
        raise _in_use(directory, found)


def wait_until_free(descriptor: int, directory: Path, patience: float | None = None) -> bool:
    """Wait until a lock may be taken; whether it is one of the operating system, too.

    Clocks of hosts differ, and steps take hours: what counts is whether the holder's process
    touches the lock while this one looks on.

    Parameters
    ----------
    descriptor : int
        The lock, opened to be written.
    directory : Path
        The directory.
    patience : float, optional
        How long to look on, in seconds.

    Raises
    ------
    RunDirectoryError
        If somebody has it and is alive, or cannot be looked on.
    """
    patience = PATIENCE if patience is None else patience
    began, first = time.monotonic(), None
    while True:
        had = exclusive(descriptor)
        found = holder(directory, locked=None if had is None else not had)
        unknown = None if found is None or _may_be_taken(directory, found) else found
        if had is not False and unknown is None:
            return bool(had)
        if first is None:
            first = found
            if unknown is not None:
                _tell(directory, unknown, patience)
        elif found is not None and _moved(found, first):
            raise _in_use(directory, found)
        # The lock of a host that died may outlive it for a while on a file server.
        elsewhere = found is not None and found.is_alive is None
        if time.monotonic() - began > (patience if elsewhere else _SETTLING):
            if had is False:
                raise _in_use(directory, found)
            return bool(had)
        time.sleep(min(1.0, patience / 20, BEAT / 5))


def _may_be_taken(directory: Path, found: Holder) -> bool:
    """Whether it may be taken over at once; else only time can tell.

    Raises
    ------
    RunDirectoryError
        If its holder is alive, or time cannot tell either.
    """
    if found.is_alive:
        raise _in_use(directory, found)
    if found.is_alive is False or found.process.is_same_job():
        return True
    if not found.beats:
        raise RunDirectoryError(
            f"{directory} was left locked by {found}. If that no longer runs: epsie unlock "
            f"{directory}"
        )
    return False


def _moved(found: Holder, first: Holder) -> bool:
    return (found.token, found.touched) != (first.token, first.touched)


def _tell(directory: Path, found: Holder, patience: float) -> None:
    logger.warning(
        "%s is locked by %s, which cannot be asked from here; it is taken over if that does not "
        "touch the lock for %g s. If it no longer runs, you need not wait: epsie unlock %s",
        directory, found, patience, directory,
    )  # fmt: skip


def _in_use(directory: Path, found: Holder | None) -> RunDirectoryError:
    if found is not None and found.is_held_here:
        return RunDirectoryError(f"another sampler of this process is running in {directory}")
    by = "" if found is None else f" by {found}"
    ended = ""
    if found is not None and found.is_alive is False:
        ended = ", or by something that it started before it ended"
    elif found is not None and found.is_alive is None:
        ended = f". If that no longer runs: epsie unlock {directory}"
    return RunDirectoryError(f"{directory} is in use{by}{ended}")


def unlock(directory: Path, patience: float | None = None) -> Holder | None:
    """Take away a lock that was left on another host, or by a process that ended.

    Parameters
    ----------
    directory : Path
        The directory.
    patience : float, optional
        Seconds to see whether a process of another host touches it.

    Returns
    -------
    Holder or None
        Who had left it; None if it was not locked.

    Raises
    ------
    RunDirectoryError
        If the holder is alive, as far as can be told from here.
    """
    left = found = holder(directory)
    until = time.monotonic() + (2.2 * BEAT if patience is None else patience)
    while found is not None and found.beats and found.is_alive is None:
        if time.monotonic() > until or (left is not None and _moved(found, left)):
            break
        time.sleep(BEAT / 25)
        found = holder(directory)
    if left is None or found is None:
        return left
    if found.is_alive or _moved(found, left):
        raise RunDirectoryError(f"{directory} is in use by {found}, which is alive")
    try:
        (directory / NAME).unlink(missing_ok=True)
    except OSError as error:
        raise RunDirectoryError(f"{directory} cannot be written to: {error}") from error
    return left
