"""What tempered chains have learned at all temperatures: the evidence from it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from epsie.proposals.learned.bridge import Bridge
from epsie.proposals.learned.cohort import bridges_in
from epsie.results.view import View
from epsie.tempering.anchored import Anchored, Found, anchored
from epsie.tempering.log_z import Floats

_MOST_ROWS = 60_000
"""Draws of a stretch that are taken, evenly spaced; more cost time and tell hardly more."""


class Levels(NamedTuple):
    """The draws of all temperatures between barriers, and the evidence from them."""

    stretches: list[Anchored]
    betas: Floats
    burn_in: int
    """The iteration after which they are."""

    def found(self) -> Found:
        """The evidence."""
        return anchored(self.stretches, self.betas)


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
            "ladder that is found, betas=None, and real numbers and angles alone. Choose another "
            "method, as 'mbar'"
        )
    if not bridges:
        raise ValueError("nothing was proposed yet since something was learned: run on")
    used = [b for b in bridges if b.begin >= (0 if burn_in is None else burn_in)]
    if not used:
        raise ValueError(
            "a stretch counts whole, from one lesson to the next: burn_in may be "
            f"{bridges[-1].begin} at most; got {burn_in}"
        )
    tables = _Tables(view)
    stretches = [tables.stretch(b) for b in used]
    return Levels(stretches, view.source.betas[0], max(used[0].begin, view.source.start))


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

    def stretch(self, bridge: Bridge) -> Anchored:
        """The draws of a stretch."""
        at = self._iterations
        inside = (at > bridge.begin) & (at <= bridge.end)
        swept = inside & (at % self._interval == 0)
        ntemps, nchains = self._logl.shape[:2]
        logl, log_m = [], []
        for t in range(ntemps):
            rows = np.flatnonzero(swept if t and swept.any() else inside)
            rows = rows[:: max(1, -(-len(rows) * nchains // _MOST_ROWS))]
            logl.append([self._logl[t, i, rows] for i in range(nchains)])
            log_m.append([self._log_m(bridge, t, i, rows) for i in range(nchains)])
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
