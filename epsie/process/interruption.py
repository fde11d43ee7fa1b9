"""Exceptions of somebody's code told apart: an error of it, or an interruption."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import CodeType
from typing import Any

from epsie.process.cancellation import GivenUp


def is_interrupt(error: BaseException) -> bool:
    """Whether it came from outside: Ctrl-C, a run that is given up, or the handler of a signal.

    Of what handlers raise only what is no `Exception` counts, as `SystemExit`: a model may set an
    alarm to end what takes too long.
    """
    if isinstance(error, KeyboardInterrupt | GivenUp):
        return True
    if isinstance(error, Exception):
        return False
    handlers = set(_handlers())
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in handlers:
            return True
        trace = trace.tb_next
    return False


def _handlers() -> Iterator[CodeType]:
    """The code of the handlers of all signals that are written in Python."""
    for number in signal.valid_signals():
        handler: Any = signal.getsignal(number)
        handler = getattr(handler, "func", handler)  # of a partial
        code = getattr(handler, "__code__", None)
        if code is None and callable(handler):
            code = getattr(type(handler).__call__, "__code__", None)
        if code is not None:
            yield code
