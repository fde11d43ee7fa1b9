"""How the workers of other pools hear Ctrl-C."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any

from epsie.pools.base import Function


def deaf_to_interrupts(parent: int, function: Function, task: Any) -> Any:
    """The result of a task in a worker that Ctrl-C will not end from now on.

    It reaches all processes of a terminal, and a worker that it ends while it waits for tasks may
    take the lock with it for which `terminate` then waits for ever. The parent hears it, and ends
    its workers.
    """
    _handle_interrupts(parent, signal.SIG_IGN)
    return function(task)


def _handle_interrupts(parent: int, handler: Any) -> None:
    """Give SIGINT another handler, in a worker where it has the usual one."""
    usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if usual and os.getpid() != parent:
        with suppress(ValueError):  # beside the main thread, which hears it alone
            signal.signal(signal.SIGINT, handler)


class _Interrupts:
    """The handler of SIGINT of a worker: it ends a task, and nothing in between."""

    heeded = False

    def __call__(self, number: int, frame: Any) -> None:
        if self.heeded:
            self.heeded = False
            raise KeyboardInterrupt


_interrupts = _Interrupts()


def interrupted_in_tasks_only(parent: int, function: Function, task: Any) -> Any:
    """The result of a task in a worker that Ctrl-C interrupts from now on in such tasks only.

    It reaches all processes of a terminal, and a worker that it interrupts while it hands over a
    result may keep the lock for which the others then wait for ever, and the executor for them.
    """
    _handle_interrupts(parent, _interrupts)
    _interrupts.heeded = True
    try:
        return function(task)
    finally:
        _interrupts.heeded = False
