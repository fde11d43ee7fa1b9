"""Signals during a run in a directory."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

_STOP = ("SIGINT", "SIGTERM")
_SAVE = ("SIGUSR1", "SIGUSR2")


class Interrupts:
    """Notes signals, so that a run can end where it is consistent.

    SIGINT (Ctrl-C) and SIGTERM ask it to stop: the round is finished, unless that takes longer than
    a grace time or a second signal comes. SIGUSR1 and SIGUSR2 ask it to save. Handlers live in the
    main thread only, and are put back.

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
        self._cuttable = False
        self._former: dict[int, Any] = {}
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        self._pid = os.getpid()
        if threading.current_thread() is threading.main_thread():
            for name in (*_STOP, *_SAVE):
                number = getattr(signal, name, None)
                # What is ignored, as by nohup, stays so.
                if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._former[number] = signal.signal(number, self._arrived)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cuttable = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _arrived(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:
            # A worker that was forked during the run does not end it.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if signal.Signals(number).name in _SAVE:
            self.save = True
        elif self.stop is None:
            self.stop = number
            self._timer = threading.Timer(self.grace, os.kill, (self._pid, number))
            self._timer.daemon = True
            self._timer.start()
        elif self._cuttable:
            raise KeyboardInterrupt

    @contextmanager
    def cuttable(self) -> Iterator[None]:
        """What is done here may be given up."""
        self._cuttable = True
        try:
            yield
        finally:
            self._cuttable = False

    def end(self, line: str) -> None:
        """End as the signal demands, once handlers are put back.

        Raises
        ------
        KeyboardInterrupt
            After SIGINT.
        SystemExit
            After SIGTERM, with the code 143.
        """
        if self.stop == signal.SIGINT:
            raise KeyboardInterrupt(line)
        if self.stop is not None:
            print(line, file=sys.stderr, flush=True)  # noqa: T201
            raise SystemExit(128 + self.stop)
