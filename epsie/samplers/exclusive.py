"""One thing at a time: what runs or changes a sampler waits for nobody, it is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from epsie.errors import InUseError

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A use of a sampler: the thread, and the method that it is inside of."""

    thread: int
    what: str


def exclusive(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A method of a sampler that is refused while another thread, or its own model, is inside one.

    What a method itself calls is no other. A `run` inside of anything is refused.
    """
    what = method.__name__

    @wraps(method)
    def alone(sampler: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        used: Any = sampler
        use = Use(threading.get_ident(), what)
        # No call stands between what is noted and `try`, so that no Ctrl-C leaves it in use.
        try:
            _refuse_second(used, use, used.__dict__.setdefault("_use", use))
            return method(sampler, *args, **kwargs)
        finally:
            if used._use is use:
                del used._use

    return alone


def _refuse_second(sampler: Any, use: Use, found: Use) -> None:
    inside = sampler._executor.is_asking
    if found is use and not inside:
        return
    if found.thread == use.thread and use.what != "run" and not inside:
        return
    where = "from inside its own model" if inside else f"while {found.what} goes on"
    raise InUseError(
        f"{use.what} of a sampler {where}: it does one thing at a time, and goes on with that "
        "undisturbed. Wait for it to end, or use another sampler"
    )
