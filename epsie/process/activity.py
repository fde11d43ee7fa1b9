"""Whether another process does anything."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Activity(NamedTuple):
    """What a process does, and did."""

    is_stopped: bool
    """Whether it goes on only when it is told to."""
    seconds: float
    """The processor time that it has used, with the processes that it started."""


def activity(pid: int) -> Activity | None:
    """What a process does, and did; None if that cannot be known."""
    try:
        # The second field is the name of the program, with whatever it contains in parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        ticks = sum(map(int, fields[11:15]))
        seconds = ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None
    for child in _children(pid):
        seconds += getattr(activity(child), "seconds", 0.0)
    return Activity(fields[0] in ("T", "t"), seconds)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            found += map(int, path.read_text().split())
    return found
