"""A worker process of our own pool, from outside; the log names one of which nothing is heard."""

from __future__ import annotations

import multiprocessing.spawn
import os
import pickle
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from epsie.logs import logger
from epsie.pools.own.serving import receive, send
from epsie.process.identity import activity
from epsie.process.signals import SENT_TO_ALL

_ONE_SECOND = struct.pack("ll", 1, 0)

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

_BOOT = (
    "import sys; sys.path[:], sys.argv[:] = {path!r}, {argv!r}; "
    "from epsie.pools.own.serving import serve; serve({descriptor!r})"
)


def thread_variables(threads: int) -> dict[str, str]:
    """The environment that gives linear algebra so many threads from the start."""
    return dict.fromkeys(_THREADS, str(threads))


class Process:
    """A fresh interpreter that does one task at a time. It does not import the main script.

    Parameters
    ----------
    threads : int
        How many threads linear algebra has in it.
    """

    patience = 2.0
    """Seconds to wait for an idle worker to end by itself."""

    def __init__(self, threads: int) -> None:
        self._owner = os.getpid()
        self.ready = False
        """Whether it has come up."""
        self.function: Any = None
        """The function that it has, as bytes."""
        self.owes = False
        """Whether it was given something, and has not brought it. Ctrl-C may come in between."""
        self.socket, theirs = socket.socketpair()
        with suppress(OSError, AttributeError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _ONE_SECOND)
        with theirs:
            self._process = _deaf_at_first(theirs, {**os.environ, **thread_variables(threads)})

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def fileno(self) -> int:
        """The socket, to wait for results of several."""
        return self.socket.fileno()

    def give(self, function: bytes, item: bytes, meanwhile: Callable[[], None]) -> None:
        """Let it apply a function to an item, both pickled.

        If it does not take them in, something else is done now and then.

        Raises
        ------
        EOFError
            If it died.
        """
        self.owes = True
        known = function is self.function
        self.function = function
        try:
            send(self.socket, pickle.dumps((None if known else function, item)), meanwhile)
        except OSError as error:
            raise EOFError("the worker is gone") from error

    def receive(self) -> bytearray:
        """The next result, pickled; empty when it has come up.

        Raises
        ------
        EOFError
            If it died.
        """
        body = receive(self.socket)
        self.owes = self.owes and not body
        self.ready = True
        return body

    def killed(self) -> str:
        """End it at once. What it ended with, in words."""
        if self._owner != os.getpid():
            return ""
        # One that died by itself has its own exit code after a moment.
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0.1 if self._closed_by_itself() else 0)
        self._process.kill()
        self.socket.close()
        code = self._process.wait()
        return f"signal {-code} ({_signal_name(-code)})" if code < 0 else f"exit code {code}"

    def _closed_by_itself(self) -> bool:
        try:
            return not self.socket.recv(1, socket.MSG_PEEK | getattr(socket, "MSG_DONTWAIT", 0))
        except BlockingIOError:
            return False
        except OSError:
            return True

    def dismiss(self) -> None:
        """Tell it that there is no more work."""
        self.socket.close()

    def await_end(self) -> None:
        """Wait for it to end after it was dismissed; end it if it does not."""
        if self._owner != os.getpid():
            return
        try:
            self._process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def abandon(self) -> None:
        """Forget it: it belongs to the parent of this process."""
        self.socket.close()
        self._process.returncode = 0


def _started(theirs: socket.socket, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    descriptor = None if sys.platform == "win32" else theirs.fileno()
    boot = _BOOT.format(path=sys.path, argv=sys.argv, descriptor=descriptor)
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    executable = os.fsdecode(multiprocessing.spawn.get_executable() or sys.executable)
    command = [executable, *flags, "-c", boot]
    if sys.platform == "win32":
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)  # noqa: S603
        assert process.stdin is not None
        with process.stdin as pipe:
            pipe.write(theirs.share(process.pid))
        return process
    return subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.DEVNULL, env=environment, pass_fds=[theirs.fileno()]
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _deaf_at_first(theirs: socket.socket, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A process that what asks to stop or to save reaches when it has its own way with it."""
    if not hasattr(signal, "pthread_sigmask"):
        return _started(theirs, environment)
    # To set it may raise what has just come, and it is set then.
    former = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, SENT_TO_ALL)
        return _started(theirs, environment)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


@dataclass
class Seen:
    """A busy worker as it was seen last."""

    item: Any
    heard: float
    """When it did something, or was given what it is to do."""
    looked: float
    seconds: float
    """The processor time that it had used."""
    is_stopped: bool = False
    told: float = 0.0
    """For how many seconds nothing had been heard when that was told."""


class Silence:
    """Tells of workers of which nothing is heard, unless they compute.

    One that is stopped is named when it was so at two looks. One that uses no processor time, or of
    which that is not known, is named after ten minutes, and again when that time has doubled.
    """

    interval = 10.0
    """Seconds between looks."""
    patience = 600.0
    """Seconds without a sign of life."""
    share = 0.01
    """The share of a core that is one: what looks at the parent now and then uses less."""

    def __init__(self) -> None:
        self._due = monotonic() + self.interval
        self._seen: dict[Any, Seen] = {}

    @property
    def room(self) -> float:
        """Seconds until the next look."""
        return max(0.0, self._due - monotonic())

    def look(self, busy: Mapping[Any, Any]) -> None:
        """Look at workers, by what each is to do, if it is time to."""
        now = monotonic()
        if now >= self._due:
            self._due = now + self.interval
            self._seen = {worker: self._look_at(worker, item, now) for worker, item in busy.items()}

    def _look_at(self, worker: Any, item: Any, now: float) -> Seen:
        found = activity(worker.pid)
        seconds = found.seconds if found else 0.0
        seen = self._seen.get(worker)
        if seen is None or seen.item is not item:
            seen = Seen(item, now, now, seconds)
        elif seconds - seen.seconds > self.share * (now - seen.looked):
            seen.heard, seen.told = now, 0.0
        was_stopped, seen.is_stopped = seen.is_stopped, found is not None and found.is_stopped
        seen.looked, seen.seconds = now, seconds
        silent = now - seen.heard
        if seen.is_stopped and was_stopped and not seen.told:
            logger.warning(_STOPPED, worker.pid, item.name, worker.pid)
        elif not seen.is_stopped and silent >= max(self.patience, 2 * seen.told):
            why = _UNKNOWN if found is None else _WAITS
            logger.warning(_SILENT, silent / 60, worker.pid, item.name, why)
        else:
            return seen
        seen.told = silent
        return seen


_STOPPED = (
    "worker process %d, which has %s, is stopped, as by SIGSTOP or a debugger, and is waited for. "
    "Let it go on with `kill -CONT %d`; or end it, and another does its work"
)

_SILENT = "for %.0f minutes nothing was heard of worker process %d, which has %s, and %s"

_WAITS = "it used no processor time: it waits, as for a lock, a network, a disk or memory"

_UNKNOWN = "whether it computes cannot be seen on this system"
