"""A run in one file: HDF5 by itself, netCDF or Zarr by way of ArviZ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from epsie.cli.replacing import write_whole
from epsie.results.arviz import attributes, save_arviz
from epsie.results.burn_in import burn_in_of
from epsie.results.naming import Renamed, outward
from epsie.results.view import View
from epsie.storage.rundir.reader import Run
from epsie.storage.rundir.segments import TABLES

ENDINGS = (".nc", ".zarr", ".h5", ".hdf5", ".hdf")


def export(run: Run, path: Path, burn_in: int | None = None, hot: bool = True) -> str:
    """Write a run to a file, which is there whole or not at all.

    Parameters
    ----------
    run : Run
        What `epsie.open_run` gave.
    path : Path
        The file. It ends in ``.nc`` or ``.zarr`` for what `epsie.arviz.to_arviz` gives, in ``.h5``
        for the tables as they are: a group for each, with a data set for each field, of shape
        ([ntemps,] nchains, n). Names that a file does not take are changed in both, which is logged
        and in the attribute ``renamed``.
    burn_in, hot
        As for `epsie.arviz.to_arviz`. In an ``.h5`` file everything is kept, and the burn-in is an
        attribute alone.

    Returns
    -------
    str
        What was renamed, as JSON; '' if nothing was.

    Raises
    ------
    ValueError
        If it ends in something else, its directory is not there, something of another kind is, or
        no samples are left.
    ImportError
        If what is needed to write it is not installed.
    """
    if path.suffix not in ENDINGS:
        raise ValueError(f"the file must end in one of {', '.join(ENDINGS)}; got {str(path)!r}")
    if not path.parent.is_dir():
        raise ValueError(f"there is no directory {path.parent} to write {path.name} to")
    if path.suffix in (".nc", ".zarr"):
        tree = run.to_arviz(burn_in, hot=hot)
        write_whole(path, lambda unfinished: save_arviz(tree, str(unfinished)))
        return str(tree.attrs.get("renamed", ""))
    renamed = Renamed()
    write_whole(path, lambda unfinished: _save_hdf5(run, unfinished, burn_in, renamed))
    return renamed.attributes.get("renamed", "")


def _save_hdf5(run: Run, path: Path, burn_in: int | None, renamed: Renamed) -> None:
    """Write all tables, a segment at a time."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError("this needs h5py: pip install 'epsie[hdf5]'") from error
    with h5py.File(path, "w") as file:
        view = View(run)
        file.attrs.update(attributes(view, burn_in_of(view, burn_in), 0))
        file["iterations"] = run.iterations
        for name in TABLES:
            for piece in run.pieces(name):
                group, fields = file.require_group(name), outward(piece.dtype.names)
                for field, outside in renamed.add(name, fields).items():
                    _append(group, outside, piece[field], axis=piece.ndim - 1)
        file.attrs.update(renamed.attributes)
        file["betas"] = view.source.betas
        if view.ntemps > 1:
            file["temperature_swaps"] = run.temperature_swaps
            file["temperature_acceptance"] = run.temperature_acceptance


def _append(group: Any, field: str, values: Any, axis: int) -> None:
    """Add iterations along an axis: the last one, but for arrays in a blob."""
    if values.dtype.kind == "U":
        values = np.char.encode(values, "utf-8")
    if field not in group:
        most = [*values.shape]
        most[axis] = None
        group.create_dataset(field, data=values, maxshape=most, chunks=True)
        return
    data = group[field]
    n = data.shape[axis]
    data.resize(n + values.shape[axis], axis=axis)
    rows = [slice(None)] * axis + [slice(n, None)]
    data[tuple(rows)] = values
