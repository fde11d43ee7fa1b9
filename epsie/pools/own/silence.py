"""Workers that do nothing while they are waited for: the log names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

from epsie.logs import logger
from epsie.process.identity import activity


@dataclass
class Seen:
    """A busy worker as it was seen last."""

    item: Any
    heard: float
    """When it did something, or was given what it is to do."""
    looked: float
    seconds: float
    """The processor time that it had used."""
    is_stopped: bool = False
    told: float = 0.0
    """For how many seconds nothing had been heard when that was told."""


class Silence:
    """Tells of workers of which nothing is heard, unless they compute.

    One that is stopped is named when it was so at two looks. One that uses no processor time, or of
    which that is not known, is named after ten minutes, and again when that time has doubled.
    """

    interval = 10.0
    """Seconds between looks."""
    patience = 600.0
    """Seconds without a sign of life."""
    share = 0.01
    """The share of a core that is one: what looks at the parent now and then uses less."""

    def __init__(self) -> None:
        self._due = monotonic() + self.interval
        self._seen: dict[Any, Seen] = {}

    @property
    def room(self) -> float:
        """Seconds until the next look."""
        return max(0.0, self._due - monotonic())

    def look(self, busy: Mapping[Any, Any]) -> None:
        """Look at workers, by what each is to do, if it is time to."""
        now = monotonic()
        if now >= self._due:
            self._due = now + self.interval
            self._seen = {worker: self._look_at(worker, item, now) for worker, item in busy.items()}

    def _look_at(self, worker: Any, item: Any, now: float) -> Seen:
        found = activity(worker.pid)
        seconds = found.seconds if found else 0.0
        seen = self._seen.get(worker)
        if seen is None or seen.item is not item:
            seen = Seen(item, now, now, seconds)
        elif seconds - seen.seconds > self.share * (now - seen.looked):
            seen.heard, seen.told = now, 0.0
        was_stopped, seen.is_stopped = seen.is_stopped, found is not None and found.is_stopped
        seen.looked, seen.seconds = now, seconds
        silent = now - seen.heard
        if seen.is_stopped and was_stopped and not seen.told:
            logger.warning(_STOPPED, worker.pid, item.name, worker.pid)
        elif not seen.is_stopped and silent >= max(self.patience, 2 * seen.told):
            why = _UNKNOWN if found is None else _WAITS
            logger.warning(_SILENT, silent / 60, worker.pid, item.name, why)
        else:
            return seen
        seen.told = silent
        return seen


_STOPPED = (
    "worker process %d, which has %s, is stopped, as by SIGSTOP or a debugger, and is waited for. "
    "Let it go on with `kill -CONT %d`; or end it, and another does its work"
)

_SILENT = "for %.0f minutes nothing was heard of worker process %d, which has %s, and %s"

_WAITS = "it used no processor time: it waits, as for a lock, a network, a disk or memory"

_UNKNOWN = "whether it computes cannot be seen on this system"
