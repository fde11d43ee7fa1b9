"""Worker processes that import the main script, and scripts that cannot be imported."""

from __future__ import annotations

import ast
import multiprocessing
import sys
from pathlib import Path
from typing import Any

from epsie.errors import PoolError

_GUARD = (
    'what it does must stand under `if __name__ == "__main__":`, or the sampler be given a number '
    "of processes, as pool=4, whose workers do not import it"
)


def start_method(pool: Any) -> str:
    """The start method of a pool of Python's: 'fork', 'spawn' or 'forkserver'; '' if unknown."""
    context = getattr(pool, "_mp_context", None) or getattr(pool, "_ctx", None)
    known = getattr(context, "get_start_method", None)
    return str(known()) if callable(known) else ""


def guard_advice(pool: Any) -> str:
    """Advice on workers that died, if it may be because the main script has no guard; else ''."""
    method, script = start_method(pool), _script()
    if method not in ("spawn", "forkserver") or script is None or _has_guard(script):
        return ""
    return (
        f". Workers that start by {method} import the main script, and {script} has no guard: "
        f"{_GUARD}"
    )


def refuse_early_start(error: Exception) -> None:
    """Say in a worker, which imports the main script, why the script cannot start a pool there.

    Raises
    ------
    PoolError
        If this is such a worker, and it still imports the script.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise PoolError(
            f"this is a worker that imports the main script, which starts a pool in turn: {_GUARD}"
        ) from error


def _script() -> Path | None:
    name = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(name) if name else None


def _has_guard(script: Path) -> bool:
    try:
        tree = ast.parse(script.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return True
    tests = [ast.dump(node.test) for node in tree.body if isinstance(node, ast.If)]
    return any("'__name__'" in test for test in tests)
