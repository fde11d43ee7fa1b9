"""A fixed number of threads for linear algebra while chains run: every path gives the same bits."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Not when it is first needed: a process that is forked by another thread meanwhile, as those are
# that replace workers of a pool, would wait for ever for the import to end.
from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users = 0
_limiter: Any = None
_controller: Any = None
_modules_seen = -1


@contextmanager
def capped(threads: int = 1) -> Iterator[None]:
    """Cap the threads of BLAS and OpenMP, in this process, until the last user leaves.

    The last bits of a matrix product depend on the number of threads, so serial runs have the same
    as workers: one, unless a pool asks for more. With chains on every core more threads only get in
    each other's way. Of several users at a time the first one says how many.
    """
    _enter(threads)
    try:
        yield
    finally:
        _leave()


def _enter(threads: int) -> None:
    global _users, _limiter, _controller, _modules_seen
    with _lock:
        _users += 1
        if _users > 1:
            return
        # Looking for thread pools takes a millisecond: only again when something was imported.
        if len(sys.modules) != _modules_seen:
            _controller = ThreadpoolController()
            _modules_seen = len(sys.modules)
        # Workers that were started with so many need no cap, and asking is cheap.
        if any(library.num_threads != threads for library in _controller.lib_controllers):
            _limiter = _controller.limit(limits=threads)


def _leave() -> None:
    global _users, _limiter
    with _lock:
        _users -= 1
        if _users == 0 and _limiter is not None:
            _limiter.restore_original_limits()
            _limiter = None


def _begin_fork() -> None:
    """In a forked process: a thread that had the lock is not here to give it back."""
    global _lock, _users, _limiter
    _lock, _users, _limiter = threading.Lock(), 0, None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_fork)
