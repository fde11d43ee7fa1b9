"""Whose model this thread is asking now: a model that uses its own sampler is found out."""

from __future__ import annotations

import threading


class Here(threading.local):
    """What this thread does."""

    keys: tuple[str, ...] = ()
    """The keys of the models with which it steps chains; inside of one may be a sampler of another.

    To be put back in a bare `finally`: a second Ctrl-C would keep a function from doing so.
    """


here = Here()


def serves(key: str) -> bool:
    """Whether this thread is asking the model of this key."""
    return key in here.keys
