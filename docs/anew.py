"""Files that the pages include, made anew when what they are made of has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path


def make_anew(makers: Mapping[Path, Callable[[Path], object]], of: Iterable[Path]) -> None:
    """Write files, each by what is called with its path, unless they are newer than these."""
    newest = max(file.stat().st_mtime for file in of)
    for file, write in makers.items():
        file.parent.mkdir(exist_ok=True)
        if not file.exists() or file.stat().st_mtime < newest:
            write(file)
