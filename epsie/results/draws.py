"""Draws of the posterior as arrays, flat or by chain, and the best of them."""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from epsie.checks import as_count
from epsie.results.burn_in import BurnIn, burn_in_of, rows_after
from epsie.results.levels import is_anchored, levels_of
from epsie.results.quantities import Quantity, chosen, draws_of
from epsie.results.source import ALL
from epsie.results.view import View


class Draws(dict[str, NDArray[Any]]):
    """Draws by name: arrays of shape (nchains, n), or (nchains * n,) if flat.

    Attributes
    ----------
    logl, logp : ndarray
        The logarithms of likelihood and prior density of each draw, of the same shape.
    weights : ndarray or None
        The weight of each, with sum 1; None if all are of the same.
    burn_in : BurnIn
        After which iteration they are, and why.
    spacing : int
        The number of iterations from one draw to the next.
    """

    logl: NDArray[np.float64]
    logp: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None
    burn_in: BurnIn
    spacing: int

    def array(self) -> NDArray[np.float64]:
        """One array of floats with a last axis of quantities, in their order."""
        return np.stack([np.asarray(column, float) for column in self.values()], axis=-1)

    def to_pandas(self) -> Any:
        """A table of pandas with a column for each quantity; of draws by chain indexed by both.

        Raises
        ------
        ImportError
            If there is no pandas.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("tables need pandas: pip install 'epsie[pandas]'") from error
        index = None
        if self.logl.ndim == 2:
            index = pd.MultiIndex.from_product(map(range, self.logl.shape), names=["chain", "draw"])
        return pd.DataFrame({name: column.ravel() for name, column in self.items()}, index)


def draws(
    self: Any,
    burn_in: int | None = None,
    *,
    thin: int | Literal["acl"] | None = None,
    flat: bool = False,
    temperature: int = 0,
    parameters: str | Iterable[str] | None = None,
    blobs: bool | str | Iterable[str] = False,
    weighted: bool = False,
) -> Draws:
    """The draws that count, by name.

    Parameters
    ----------
    burn_in : int, optional
        The iteration after which draws are used; by default see `epsie.results.burn_in.burn_in_of`.
    thin : int or 'acl', optional
        Keep the draws of every so many-th iteration; of each autocorrelation length, the longest of
        all parameters and chains.
    flat : bool, optional
        Whether all chains are one after the other in one axis.
    temperature : int, optional
        The index of the temperature, 0 being the coldest.
    parameters, blobs : optional
        Which quantities: as for `summary`.
    weighted : bool, optional
        Whether to have the draws of all temperatures, one after the other, with their weights as
        such of the posterior: of a run that found its ladder. `burn_in` is then as for
        `log_evidence`, and `thin`, `flat` and `temperature` have no meaning.

    Returns
    -------
    Draws
        A dict of arrays of shape (nchains, n), or (nchains * n,); ``.array()`` and ``.to_pandas()``
        give one table.

    Raises
    ------
    ValueError
        If no draw is left, or there is no such parameter, blob or temperature; if weights are asked
        for, and the run has none.
    """
    view = View(self)
    if weighted:
        if thin is not None or temperature:
            raise ValueError("draws with weights are of all temperatures, none is left out by thin")
        return _weighted(view, burn_in, chosen(view, parameters, blobs))
    used = burn_in_of(view, burn_in, temperature=temperature)
    rows = rows_after(view, used)
    spacing = _spacing(self, view, thin, used.iteration, temperature)
    kept = view.iterations[rows] % spacing == 0
    if not kept.any():
        raise ValueError(f"no draw is left: none of {len(kept)} iterations is kept by thin={thin}")

    def of(column: NDArray[Any]) -> NDArray[Any]:
        return column[:, kept].reshape(-1) if flat else column[:, kept]

    found = draws_of(view, chosen(view, parameters, blobs), temperature, rows)
    stats = view.columns_at("stats", temperature, rows=rows)
    made = Draws({name: of(column) for name, column in found.items()})
    made.logl, made.logp = of(stats["logl"]), of(stats["logp"])
    made.burn_in, made.spacing = used, spacing
    return made


def _weighted(view: View, burn_in: int | None, wanted: dict[str, Quantity]) -> Draws:
    """The draws of all temperatures with their weights."""
    if not is_anchored(view):
        raise ValueError(
            "this run has no draws with weights: only one has that found its ladder, as with "
            "tempered=True, of a prior without integers. Leave out weighted=True"
        )
    found = levels_of(view, burn_in)
    columns: dict[str, list[NDArray[Any]]] = {}
    for t in range(view.ntemps):
        of_level = draws_of(view, wanted, t, ALL)
        stats = view.columns_at("stats", t)
        for name, column in {**of_level, _LOGL: stats["logl"], _LOGP: stats["logp"]}.items():
            pieces = [column[:, rows[t]].reshape(-1) for rows in found.rows]
            columns.setdefault(name, []).extend(pieces)
    joined = {name: np.concatenate(pieces) for name, pieces in columns.items()}
    logl, logp = joined.pop(_LOGL), joined.pop(_LOGP)
    made = Draws(joined)
    made.logl, made.logp, made.weights = logl, logp, np.concatenate(found.weights())
    made.burn_in, made.spacing = BurnIn(found.burn_in, "by lessons"), view.source.spacing
    return made


_LOGL, _LOGP = "(logl)", "(logp)"
"""Parameters may be called logl, too."""


def _spacing(source: Any, view: View, thin: Any, burn_in: int, temperature: int) -> int:
    """The number of iterations from one kept draw to the next: a multiple of that of the rows."""
    least = view.source.spacing
    if thin is None:
        return least
    if isinstance(thin, str):
        if thin != "acl":
            raise ValueError(f"thin must be a number of iterations or 'acl'; got {thin!r}")
        lengths = source.autocorrelation_length(burn_in, temperature=temperature)
        longest = max(float(np.nanmax(of)) for of in lengths.values())
        return int(least * max(1, ceil(longest / least)))
    every = as_count(thin, "thin")
    if every % least:
        raise ValueError(f"the run keeps every {least}-th iteration; thin must be a multiple of it")
    return every


def maximum_a_posteriori(self: Any) -> dict[str, Any]:
    """The visited point of the highest posterior density: parameters, `logl` and `logp`.

    Of all draws of the coldest temperature, burn-in or not. Of a parameter that is called `logl` or
    `logp` its own value is under that name.
    """
    view = View(self)
    stats = view.columns_at("stats", 0)
    total = stats["logl"] + stats["logp"]
    best = np.unravel_index(int(np.nanargmax(total)), total.shape)
    positions = view.columns_at("positions", 0, rows=ALL)
    found = {name: stats[name][best].item() for name in ("logl", "logp")}
    return {**found, **{name: column[best].item() for name, column in positions.items()}}
