"""A file written in place of another, of which only one of the same kind is replaced."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

_HDF5 = b"\x89HDF\r\n\x1a\n"
_BEGINNINGS = {
    ".nc": ("netCDF file", (_HDF5, b"CDF\x01", b"CDF\x02", b"CDF\x05")),
    ".h5": ("HDF5 file", (_HDF5,)),
    ".hdf5": ("HDF5 file", (_HDF5,)),
    ".hdf": ("HDF5 file", (_HDF5,)),
}
_ZARR = re.compile(r"\.zgroup|\.zattrs|\.zarray|\.zmetadata|zarr\.json|c|\d+(\.\d+)*")
_ZARR_ROOTS = (".zgroup", "zarr.json")


def refuse_other_kind(path: Path) -> None:
    """Refuse to replace something that is not what the ending of its name says.

    Raises
    ------
    ValueError
        That says what is there.
    """
    kind, beginnings = _BEGINNINGS.get(path.suffix, ("Zarr store", None))
    found = _unlike_zarr(path) if beginnings is None else _unlike_file(path, beginnings)
    if found:
        raise ValueError(
            f"{path} is there already and is no {kind} ({found}); it is not replaced: move it away "
            "or choose another name"
        )


def _unlike_file(path: Path, beginnings: tuple[bytes, ...]) -> str:
    """The reason why it is no file that begins so; '' if it is one, or there is nothing to lose."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return ""
    if not stat.S_ISREG(status.st_mode):
        return _kind(status.st_mode)
    with path.open("rb") as file:
        beginning = file.read(len(_HDF5))
    return "" if not beginning or beginning.startswith(beginnings) else "a file of another kind"


def _unlike_zarr(path: Path) -> str:
    """The reason why it is no directory of just what Zarr writes; '' if it is one, or is empty."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return ""
    if not stat.S_ISDIR(status.st_mode):
        return _kind(status.st_mode)
    names = os.listdir(path)
    if names and not any(name in names for name in _ZARR_ROOTS):
        return "a directory of another kind"
    for where, directories, files in os.walk(path):
        for name in (*directories, *files):
            mode = os.lstat(os.path.join(where, name)).st_mode
            if not (stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and _ZARR.fullmatch(name))):
                return f"it also holds {os.path.relpath(os.path.join(where, name), path)}"
    return ""


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a file" if stat.S_ISREG(mode) else "a special file"


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file or a directory under another name first; it is there whole or not at all.

    Raises
    ------
    ValueError
        If there is something of another kind.
    """
    refuse_other_kind(path)
    # All that is removed is in a directory that was made here.
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as workshop:
        made = Path(workshop) / path.name
        write(made)
        refuse_other_kind(path)
        if path.is_dir():
            path.rename(Path(workshop) / "former")
        os.replace(made, path)
