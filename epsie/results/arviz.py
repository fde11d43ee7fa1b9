"""A source as ArviZ has it: a `DataTree` with ArviZ 1, an `InferenceData` before."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie._version import __version__
from epsie.results.burn_in import BurnIn, burn_in_of, rows_after
from epsie.results.naming import Renamed, outward
from epsie.results.view import Columns, View

_STATS = {"logl": "logl", "logp": "logp"}
_ACCEPTANCE = {"acceptance_ratio": "acceptance_rate", "accepted": "accepted"}
_DIMS = ("chain", "draw")


def to_arviz(
    source: Any,
    burn_in: int | None = None,
    *,
    hot: bool = True,
    blob_groups: Mapping[str, str] | None = None,
) -> Any:
    """A run for ArviZ.

    The groups are ``posterior``; ``sample_stats`` with `lp` (logl + logp), `logl`, `logp`,
    `acceptance_rate` (the acceptance ratio of the step, NaN if no jump was made) and `accepted`;
    ``blobs``, if the model returns any; and for each of them a group of what is before the end of
    `burn_in`, as ``warmup_posterior``. Those of hot temperatures end in their index, as
    ``posterior_t1``, from the second coldest on; in tempered groups the coordinate `beta` has the
    inverse temperature of each chain where it is now. Dimensions are (chain, draw), where draw is
    the number of the iteration, counted from 1. Inactive parameters of transdimensional chains are
    NaN. Seed, betas, proposals and versions are attributes; what is no number or text, as JSON.
    Names that files or ArviZ do not take, as ``chain`` or ``a/b``, are changed, to ``chain_`` and
    ``a_b``; the attribute ``renamed`` has them by group, and they are logged.

    Parameters
    ----------
    source : BaseSampler or Run
        A sampler, or what `epsie.open_run` gave.
    burn_in : int, optional
        Iterations up to this one are warm-up; by default see `epsie.results.burn_in.burn_in_of`. It
        is the attribute ``burn_in``, and ``burn_in_is`` says why. What the source itself leaves out
        is in no group.
    hot : bool, optional
        Whether there are groups of the hot temperatures.
    blob_groups : mapping, optional
        Blobs that go to another group than ``blobs``: by their name that of the group, as
        ``{"pointwise": "log_likelihood"}``.

    Returns
    -------
    xarray.DataTree or arviz.InferenceData
        The former with ArviZ 1 or later.

    Raises
    ------
    ImportError
        If ArviZ is not installed.
    ValueError
        If no samples are left, a blob does not exist, or two go to one group by one name.

    Examples
    --------
    >>> from epsie.samplers import MetropolisHastingsSampler
    >>> sampler = MetropolisHastingsSampler("x", lambda x: (-x * x / 2, 0.0), 4, seed=1)
    >>> sampler.start_position = {"x": [0.0, 1.0, 2.0, 3.0]}
    >>> sampler.run(100)
    >>> tree = sampler.to_arviz()  # doctest: +SKIP
    """
    arviz = _installed()
    view = View(source)
    used = burn_in_of(view, burn_in)
    split = rows_after(view, used).start
    datasets: dict[str, Any] = {}
    renamed, reserved = Renamed(), (*_DIMS, "beta") if view.has_hot else _DIMS
    for t in range(view.ntemps if hot else 1):
        for group, columns in _groups(view, t, blob_groups or {}).items():
            names = renamed.add(group, outward(columns, reserved))
            columns = {names[name]: values for name, values in columns.items()}
            datasets.update(_datasets(view, t, group, columns, split))
    attrs = attributes(view, used, split) | renamed.attributes
    if int(arviz.__version__.partition(".")[0]) < 1:
        return arviz.InferenceData(attrs=attrs, **datasets)
    from xarray import Dataset, DataTree

    return DataTree.from_dict({"/": Dataset(attrs=attrs), **datasets})


def _installed() -> Any:
    try:
        import arviz
    except ImportError as error:
        raise ImportError(
            "to_arviz needs ArviZ: pip install 'epsie[arviz]' (or 'arviz')"
        ) from error
    return arviz


def _groups(view: View, t: int, blob_groups: Mapping[str, str]) -> dict[str, Columns]:
    """By group the columns of one temperature, each of shape (nchains, n, ...)."""
    stats, acceptance, blobs = (
        view.columns_at(table, t) for table in ("stats", "acceptance", "blobs")
    )
    groups = {"posterior": view.columns_at("positions", t)}
    columns = {"lp": stats["logl"] + stats["logp"]} if t == 0 else {}
    columns |= {as_: stats[name] for name, as_ in _STATS.items()}
    columns |= {as_: acceptance[name] for name, as_ in _ACCEPTANCE.items()}
    groups["sample_stats"] = columns
    unknown = [name for name in blob_groups if name not in blobs]
    if unknown:
        raise ValueError(
            f"there are no blobs {', '.join(unknown)}; there are {', '.join(blobs) or 'none'}"
        )
    for name, column in blobs.items():
        group = groups.setdefault(blob_groups.get(name, "blobs"), {})
        if name in group:
            raise ValueError(f"the blob {name!r} has the name of something else in its group")
        group[name] = column
    return groups


def _datasets(
    view: View, t: int, group: str, columns: Columns, split: int
) -> Iterator[tuple[str, Any]]:
    """The group of one temperature, and that of its warm-up."""
    from xarray import Dataset

    name = group if t == 0 else f"{group}_t{t}"
    own_dims = {column: _own_dims(column, values, columns) for column, values in columns.items()}
    for prefix, rows in (("", slice(split, None)), ("warmup_", slice(split))):
        draws = view.iterations[rows]
        if not len(draws):
            continue
        coordinates: dict[str, Any] = {"chain": np.arange(view.nchains), "draw": draws}
        if view.has_hot:
            coordinates["beta"] = ("chain", view.source.betas[:, t].copy())
        variables = {
            column: ((*_DIMS, *own_dims[column]), np.ascontiguousarray(values[:, rows]))
            for column, values in columns.items()
        }
        yield prefix + name, Dataset(variables, coordinates, _library())


def _own_dims(name: str, values: NDArray[Any], taken: Columns) -> list[str]:
    """The dimensions that a blob which is an array has beside those of all."""
    dims = outward([f"{name}_dim_{i}" for i in range(values.ndim - 2)], taken)
    return list(dims.values())


def _library() -> dict[str, Any]:
    return {
        "created_at": datetime.now(UTC).isoformat(),
        "inference_library": "epsie",
        "inference_library_version": __version__,
    }


def attributes(view: View, burn_in: BurnIn, split: int) -> dict[str, Any]:
    """The settings as numbers and texts, which every file format takes; and the burn-in."""
    settings = dict(view.source.settings)
    settings["seed"] = str(settings["seed"])
    versions = {"epsie": __version__, "numpy": np.__version__, "python": platform.python_version()}
    settings = {"versions": versions, **settings}
    if view.has_hot:
        settings["betas"] = view.source.betas
    plain = (str, int, float)
    return {
        **_library(),
        "tuning_steps": split,
        "burn_in": burn_in.iteration,
        "burn_in_is": burn_in.why,
        **{
            name: value if type(value) in plain else json.dumps(value, default=_as_json)
            for name, value in settings.items()
        },
    }


def _as_json(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else repr(value)


def save_arviz(tree: Any, path: str) -> None:
    """Write what `to_arviz` gave to a netCDF file, or if the name ends in ``.zarr`` to a Zarr one.

    Zarr files are of format 2, which all versions of Zarr and of ArviZ read.

    Raises
    ------
    ImportError
        If the packages for it are not installed.
    """
    if hasattr(tree, "to_datatree"):  # ArviZ before 1 knows Zarr before 3 alone
        tree = tree.to_datatree()
    if not path.endswith(".zarr"):
        tree.to_netcdf(path)
        return
    try:
        import zarr  # noqa: F401
    except ImportError as error:
        raise ImportError("this needs Zarr: pip install zarr") from error
    tree.to_zarr(path, mode="w", zarr_format=2)
