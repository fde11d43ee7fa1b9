"""One thread for linear algebra while chains run, so that every path gives the same bits."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
_users = 0
_limiter: Any = None
_controller: Any = None
_modules_seen = -1


@contextmanager
def one_thread() -> Iterator[None]:
    """Cap the threads of BLAS and OpenMP at one, in this process, until the last user leaves.

    The last bits of a matrix product depend on the number of threads. With chains on every core
    more threads only get in each other's way.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _users, _limiter, _controller, _modules_seen
    with _lock:
        _users += 1
        if _users > 1:
            return
        # Looking for thread pools takes a millisecond: only again when something was imported.
        if len(sys.modules) != _modules_seen:
            from threadpoolctl import ThreadpoolController

            _controller = ThreadpoolController()
            _modules_seen = len(sys.modules)
        _limiter = _controller.limit(limits=1)


def _leave() -> None:
    global _users, _limiter
    with _lock:
        _users -= 1
        if _users == 0:
            _limiter.restore_original_limits()
            _limiter = None
