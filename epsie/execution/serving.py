"""Whose model this thread is asking now: a model that uses its own sampler is found out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_here = threading.local()


@contextmanager
def serving(key: str) -> Iterator[None]:
    """Chains are stepped with the model of this key; inside of it may be a sampler of another."""
    former = getattr(_here, "keys", ())
    _here.keys = (*former, key)
    try:
        yield
    finally:
        _here.keys = former


def serves(key: str) -> bool:
    """Whether this thread is asking the model of this key."""
    return key in getattr(_here, "keys", ())
