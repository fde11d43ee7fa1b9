"""The temperatures of a source: how points travel between them, and the evidence."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.results import levels, plain
from epsie.results.burn_in import evidence_burn_in
from epsie.results.view import View
from epsie.shown import counted, digits
from epsie.tempering import communication, evidence, log_z

_MUCH_MISSED = 0.01
"""Of the posterior, where a mixture with the prior as a component is: a mode that it lacks."""


def sweeps(view: View, name: str) -> Iterator[NDArray[Any]]:
    """A table of the sweeps, piece by piece: see `Source.sweeps`.

    Raises
    ------
    ValueError
        If there is one temperature only.
    """
    if view.ntemps == 1:
        raise ValueError("there is one temperature only, and nothing to swap it with")
    return view.source.sweeps(name)


def round_trips(view: View) -> NDArray[np.int64]:
    """The round trips of each chain, shape (nchains,)."""
    trips = communication.RoundTrips(view.ntemps, view.nchains)
    for orders in sweeps(view, "orders"):
        trips.add(orders)
    return trips.made


def ratios(view: View) -> NDArray[np.float64]:
    """The acceptance ratios of adjacent pairs at every sweep, shape (ntemps - 1, nchains, n)."""
    pieces = list(sweeps(view, "ratios"))
    nothing = np.empty((view.ntemps - 1, view.nchains, 0))
    # In one order in memory, as rounding depends on it.
    return np.ascontiguousarray(np.concatenate([nothing, *pieces], axis=-1))


def log_evidence(
    view: View, method: str | None = None, burn_in: int | None = None
) -> evidence.Evidence:
    """The evidence from the draws after a burn-in, each chain with its own ladder.

    Raises
    ------
    ValueError
        If the ladder does not reach beta = 0; if it moved after `burn_in`; if too few samples are
        left.
    """
    return _estimate(view, method, burn_in)[0]


def _estimate(
    view: View, method: str | None, burn_in: int | None
) -> tuple[evidence.Evidence, int, str]:
    """See `log_evidence`; the iteration after which draws were used; a warning, or ''."""
    known = (*log_z.METHODS, plain.METHOD)
    if method is not None and method not in known:
        meant = "" if isinstance(method, str) else ". To leave out iterations: burn_in="
        raise ValueError(f"method must be one of {', '.join(known)}; got {method!r}{meant}")
    if view.ntemps == 1:
        return _plain(view, method, burn_in), burn_in or 0, ""
    if method == plain.METHOD or (method is None and levels.is_anchored(view)):
        of_levels = levels.levels_of(view, burn_in)
        total, miss, newly = of_levels.found()
        warning = plain.missed(miss, newly, _MUCH_MISSED, tempered=True)
        return normalised(view, total), of_levels.burn_in, warning
    used, rested = evidence_burn_in(view, burn_in).iteration, view.source.last_moved
    if used < rested:
        raise ValueError(
            f"the ladder moved until iteration {rested}: samples of a moving ladder tell no "
            f"evidence. burn_in must be at least that; got {used}"
        )
    rows = view.after(used)
    if len(view.iterations[rows]) < evidence.LEAST_SAMPLES:
        raise ValueError(
            f"too few samples are left: adaptation or burn-in ends at iteration {used}, the last "
            f"clear was at {view.source.start}, the chains are at {view.source.niterations}. "
            "Run on, or give annealers a duration and choose burn_in"
        )
    logl = view.columns("stats", ["logl"])["logl"][..., rows]
    total = evidence.log_evidence(logl, view.source.betas, method or "mbar")
    return normalised(view, total), used, ""


def _plain(view: View, method: str | None, burn_in: int | None) -> evidence.Evidence:
    """The evidence from chains at one temperature."""
    if method not in (None, plain.METHOD):
        raise ValueError(
            f"the evidence by {method!r} needs two temperatures or more: a "
            "ParallelTemperedSampler with betas that descend from 1 to 0"
        )
    if independent := getattr(view.source, "independent", ()):
        # The error of the prior's normalisation is that of all of them.
        each = [plain.log_evidence(View(run), burn_in).evidence for run in independent]
        return normalised(view, evidence.averaged(each))
    return normalised(view, plain.log_evidence(view, burn_in).evidence)


def normalised(view: View, found: evidence.Evidence) -> evidence.Evidence:
    """The evidence with what is known of the normalisation of the prior.

    That of a constraint was counted, with an error; that of a model without a `Prior` is not known.
    """
    prior = view.source.settings.get("prior")
    if prior is None:
        return evidence.ConditionalEvidence(*found)
    error = prior.get("normalisation_error", 0.0)
    return found._replace(standard_error=hypot(found.standard_error, error)) if error else found


def facts(view: View, burn_in: int | None = None) -> tuple[tuple[str, str], ...]:
    """The evaluations; of a tempered run the evidence and the round trips: by name and in words."""
    asked = [("evaluations", str(view.source.evaluations))]
    if nans := view.source.nan_count:
        rejected = f"{counted(nans, 'jump')} rejected, as the model gave NaN or +inf there"
        asked.append(("nan", rejected))
    if view.ntemps == 1:
        return *asked, *plain.facts(view, burn_in)
    trips = round_trips(view)
    each = f", {trips.min()} to {trips.max()} of each chain" if len(trips) > 1 else ""
    swaps = "swaps", counted(trips.sum(), "round trip") + each
    return *asked, *plain.learned_facts(view), ("log Z", _told(view, burn_in)), swaps


def _told(view: View, burn_in: int | None) -> str:
    """The evidence of a tempered run in words."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", re.escape(evidence.UNTOLD))
            found, used, warning = _estimate(view, None, burn_in)
    except (ValueError, RuntimeWarning) as why:
        return f"not known: {' '.join(str(why).split())}"
    value, error = (digits(x, found.standard_error) for x in found[:2])
    caveat = (f"; {found.caveat}" if found.caveat else "") + warning
    return f"{value} +- {error} ({found.method}, draws after iteration {used}{caveat})"
