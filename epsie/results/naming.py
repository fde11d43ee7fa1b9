"""The names of parameters and blobs in files and libraries that do not take every name."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from unicodedata import category

from epsie.logs import logger

_LONGEST = 200
"""Bytes: a file system takes names of 255."""


def outward(names: Iterable[str], reserved: Collection[str] = ()) -> dict[str, str]:
    """The outside name of each name: itself if that can be, and different from all others.

    Not so are those that the library needs for itself, ways in trees of groups or directories,
    hidden files, characters that are no text, and names that are too long.

    Parameters
    ----------
    names : iterable of str
        The names, which differ.
    reserved : collection of str, optional
        Those that cannot be used.
    """
    names = list(names)
    found = {name: name for name in names if _tidy(name) == name and name not in reserved}
    taken = {*reserved, *found}
    for name in names:
        if name not in found:
            outside = _tidy(name)
            while outside in taken:
                outside += "_"
            found[name] = outside
            taken.add(outside)
    return {name: found[name] for name in names}


def _tidy(name: str) -> str:
    tidy = "".join(["_" if c in "/\\" or category(c)[0] == "C" else c for c in name])
    if tidy.startswith("."):
        tidy = f"_{tidy}"
    return tidy.encode()[:_LONGEST].decode(errors="ignore")


class Renamed:
    """The names that were changed on the way out, by group."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, str]] = {}

    def add(self, group: str, names: dict[str, str]) -> dict[str, str]:
        """Note and log the names of a group that changed; gives all of them back."""
        changed = {name: outside for name, outside in names.items() if name != outside}
        if changed and group not in self._names:
            self._names[group] = changed
            for name, outside in changed.items():
                logger.warning("%s of the %s is called %s there", name, group, outside)
        return names

    @property
    def attributes(self) -> dict[str, str]:
        """The attribute that says so, as JSON; none if nothing was renamed."""
        return {"renamed": json.dumps(self._names)} if self._names else {}
