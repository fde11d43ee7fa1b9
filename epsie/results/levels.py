"""What tempered chains have learned at all temperatures: the evidence from it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from epsie.proposals.learned.bridge import Bridge
from epsie.proposals.learned.cohort import bridges_in
from epsie.results.burn_in import stretches_after
from epsie.results.view import View
from epsie.tempering.anchored import Anchored, anchored, weights
from epsie.tempering.bridges import Bridged
from epsie.tempering.log_z import Floats

_MOST_ROWS = 60_000
"""Draws of a stretch that are taken, evenly spaced; more cost time and tell hardly more."""


class Levels(NamedTuple):
    """The draws of all temperatures between barriers, and the evidence from them."""

    stretches: list[Anchored]
    betas: Floats
    burn_in: int
    """The iteration after which they are."""
    rows: list[list[NDArray[np.int64]]]
    """The rows of the view that they are, by stretch and level."""

    def found(self) -> Bridged:
        """The evidence."""
        return anchored(self.stretches, self.betas)

    def weights(self) -> list[Floats]:
        """The weights of all draws as such of the posterior, with sum 1.

        By level; the stretches one after the other, in each chain after chain.
        """
        log_z = self.found().evidence.per_level
        assert log_z is not None
        by_level: list[list[Floats]] = [[] for _ in self.betas]
        for stretch in self.stretches:
            found = weights(stretch, self.betas, log_z)
            counts = [sum(map(len, of_level)) for of_level in found]
            total = sum(float(of.sum()) for of_level in found for of in of_level)
            for pieces, of_level in zip(by_level, found, strict=True):
                pieces.extend([of * (sum(counts) / total) for of in of_level])
        joined = [np.concatenate(pieces) for pieces in by_level]
        whole = sum(float(of.sum()) for of in joined)
        return [of / whole for of in joined]


def is_anchored(view: View) -> bool:
    """Whether a mixture with the prior as a component was learned of all parameters."""
    return bool(view.source.settings.get("ladder")) and _bridges(view) is not None


def levels_of(view: View, burn_in: int | None = None) -> Levels:
    """The draws of all temperatures in the stretches after a burn-in.

    Raises
    ------
    ValueError
        If nothing was learned, or there is no stretch.
    """
    bridges = _bridges(view)
    if bridges is None:
        raise ValueError(
            "no mixture with the prior as a component was learned of all parameters: that needs a "
            "ladder that is found, betas=None, and no integers. Choose another "
            "method, as 'mbar'"
        )
    if not bridges:
        raise ValueError("nothing was proposed yet since something was learned: run on")
    used = stretches_after(bridges, burn_in)
    tables = _Tables(view)
    rows = [tables.rows(b) for b in used]
    stretches = [tables.stretch(b, of) for b, of in zip(used, rows, strict=True)]
    begin = max(used[0].begin, view.source.start)
    return Levels(stretches, view.source.betas[0], begin, rows)


def _bridges(view: View) -> list[Bridge] | None:
    """The stretches of the coldest temperature; None if it did not learn of all parameters."""
    ndim = len(view.parameters)
    for each in view.source.shared.get("learned", []):
        if each["temperature"] == 0 and len(each["parameters"]) == ndim:
            found = bridges_in(each, ndim, view.nchains)
            return [b for b in found if b.reference is not None]
    return None


class _Tables:
    """The columns of a view, cut to stretches."""

    def __init__(self, view: View) -> None:
        (each,) = [e for e in view.source.shared["learned"] if e["temperature"] == 0]
        positions = view.columns("positions")
        self._positions = np.stack([positions[name] for name in each["parameters"]], axis=-1)
        stats = view.columns("stats", ["logl", "logp"])
        self._logl, self._logp = stats["logl"], stats["logp"]
        self._iterations, self._interval = view.iterations, view.source.settings["swap_interval"]

    def rows(self, bridge: Bridge) -> list[NDArray[np.int64]]:
        """The rows of a stretch, by level: all but the coldest rest between sweeps."""
        at, (ntemps, nchains) = self._iterations, self._logl.shape[:2]
        inside = (at > bridge.begin) & (at <= bridge.end)
        swept = inside & (at % self._interval == 0)
        found = []
        for t in range(ntemps):
            rows = np.flatnonzero(swept if t and swept.any() else inside)
            found.append(rows[:: max(1, -(-len(rows) * nchains // _MOST_ROWS))])
        return found

    def stretch(self, bridge: Bridge, by_level: list[NDArray[np.int64]]) -> Anchored:
        """The draws of a stretch."""
        chains = range(self._logl.shape[1])
        logl, log_m = [], []
        for t, rows in enumerate(by_level):
            logl.append([self._logl[t, i, rows] for i in chains])
            log_m.append([self._log_m(bridge, t, i, rows) for i in chains])
        fresh = [_inside(table) for table in bridge.fresh]
        return Anchored(logl, log_m, fresh, [len(table) for table in bridge.fresh])

    def _log_m(self, bridge: Bridge, t: int, i: int, rows: Any) -> Floats:
        assert bridge.reference is not None
        where = np.ascontiguousarray(self._positions[t, i, rows], dtype=float)
        return bridge.reference.log_ratio_to_prior(where, self._logp[t, i, rows])


def _inside(fresh: Floats) -> Floats:
    """Log L and log m - log prior of those independent draws that have a likelihood."""
    log_pi, log_m, logp = fresh[fresh[:, 0] > -np.inf].T
    return np.column_stack([log_pi - logp, log_m - logp])
