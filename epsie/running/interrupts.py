"""Signals during a run in a directory."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, Self

from epsie.process.signals import OFTEN_ONES_OWN, REPEATED, SAVE, STOP, put_back


class Interrupts:
    """Notes signals, so that a run can end where it is consistent.

    Those of `STOP`, as SIGINT (Ctrl-C) and SIGTERM, ask it to stop. What goes on before the first
    round is given up; a round is finished, unless that takes longer than a grace time or a second
    signal comes. Those of `SAVE` ask it to save. Handlers live in the main thread only, and are put
    back.

    Parameters
    ----------
    grace : float
        Seconds that a round may take to end.
    """

    def __init__(self, grace: float) -> None:
        self.grace = grace
        self.stop: int | None = None
        """The signal that asks the run to stop."""
        self.save = False
        """Whether it was asked to save."""
        self._asked = 0
        """The number of times that it was asked to stop."""
        self._enough: int | None = 1
        """The number of requests to stop that gives up what is done now; None if none does."""
        self._timed_out = False
        self._former: dict[int, Any] = {}
        self._ended, self._guard = threading.Lock(), threading.Lock()

    def __enter__(self) -> Self:
        self._pid = os.getpid()
        self._ended.acquire()
        try:
            if threading.current_thread() is threading.main_thread():
                for number in (*STOP, *SAVE):
                    self._take(number, signal.getsignal(number))
        except BaseException:
            put_back(self._former, self._arrived)
            raise
        return self

    def _take(self, number: int, former: Any) -> None:
        # What is ignored, as by nohup, stays so.
        if former not in (signal.SIG_IGN, None) and (
            former == signal.SIG_DFL or number not in OFTEN_ONES_OWN
        ):
            self._former[number] = former
            signal.signal(number, self._arrived)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._enough = None
        with self._guard:
            self._ended.release()
        put_back(self._former, self._arrived)
        if isinstance(error, KeyboardInterrupt) and self.stop not in (None, signal.SIGINT):
            self.end("stopped before the run began, or went on")

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:
            # A worker that was forked during the run does not end it.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if number in SAVE:
            self.save = True
            return
        if self.stop is None:
            self.stop = number
            # No `threading.Thread`: what was interrupted may hold a lock that it needs.
            with suppress(RuntimeError):
                _thread.start_new_thread(self._repeat, (number,))
        elif number in REPEATED and not self._timed_out:
            return
        self._asked += 1
        if self._enough is not None and self._asked >= self._enough:
            # What is done then to end well is not given up.
            self._enough = None
            raise KeyboardInterrupt

    def _repeat(self, number: int) -> None:
        """Ask once more after the grace time."""
        if not self._ended.acquire(timeout=min(self.grace, threading.TIMEOUT_MAX)):
            with self._guard:
                if self._ended.locked():
                    self._timed_out = True
                    os.kill(self._pid, number)

    def begun(self) -> None:
        """From now on a first signal gives up nothing."""
        self._enough = None

    @contextmanager
    def cuttable(self) -> Iterator[None]:
        """A context whose work is given up at the second request to stop, or a later one."""
        self._enough = 2
        try:
            yield
        finally:
            self._enough = None

    def end(self, line: str) -> None:
        """End as the signal demands, once handlers are put back.

        Raises
        ------
        KeyboardInterrupt
            After SIGINT.
        SystemExit
            After others, with the code of shells: 143 for SIGTERM.
        """
        if self.stop == signal.SIGINT:
            raise KeyboardInterrupt(line)
        if self.stop is not None:
            print(line, file=sys.stderr, flush=True)  # noqa: T201
            raise SystemExit(128 + self.stop)
