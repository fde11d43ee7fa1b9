"""The faults of a sample, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from epsie.diagnostics.astray import Astray
from epsie.diagnostics.draws import LEAST_DRAWS, Floats, Parameter
from epsie.diagnostics.facets import both_scores, pooled, rhat_of

MOST_RHAT = 1.01
"""The most that Vehtari et al. 2021 allow of R-hat, and ..."""

LEAST_ESS = 400
"""... of effective sample sizes."""

_APART = 0.2
"""A chain is apart from the others if without it so much of R-hat - 1 is left at most."""

_MOST_LISTED = 5


def findings(
    parameters: Mapping[str, Parameter],
    values: Mapping[str, Any],
    stuck: Mapping[int, int],
    off: Sequence[Astray] = (),
) -> list[str]:
    """The faults of a sample, one text each.

    Parameters
    ----------
    parameters : mapping
        All parameters.
    values : mapping
        By name ('rhat', 'ess_bulk', 'ess_tail') what was found for each of them.
    stuck : mapping
        The chains that have ceased to move, with iterations.
    off : sequence of Astray
        The chains whose jumps are far too large or too small: to run longer helps none of them.
    """
    first = next(iter(parameters.values()))
    (nchains, ndraws), nwalkers = first.values.shape, first.nwalkers
    found = [
        f"{_chain(i, nwalkers)} is stuck since iteration {since}" for i, since in stuck.items()
    ]
    if len(found) > _MOST_LISTED:
        what = "chains" if nwalkers == 1 else "walkers"
        found[_MOST_LISTED:] = [f"{len(found) - _MOST_LISTED} more {what} are stuck"]
    if ndraws < LEAST_DRAWS:
        of = "chain" if nwalkers == 1 else "walker"
        return [*found, f"too few draws to tell anything: {ndraws} of each {of}"]
    if nchains == nwalkers:
        what = "chain" if nwalkers == 1 else "ensemble"
        found.append(f"there is one {what}: R-hat compares its halves, and sees no other mode")
    longer = "" if off else ". Run longer"
    faults = _dull(parameters) + _disagreement(parameters, values["rhat"], longer)
    for name, part in (("ess_bulk", "the mean"), ("ess_tail", "the tails")):
        few = {of: ess for of, ess in values[name].items() if ess < LEAST_ESS}
        if few:
            listed = _listed({of: f"{ess:.0f}" for of, ess in few.items()})
            faults.append(
                f"{part} cannot be relied on, as {name} is below {LEAST_ESS}: {listed}{longer}"
            )
    return found + [chains.text for chains in off if chains.is_fault or faults] + faults


def _chain(i: int, nwalkers: int) -> str:
    """A chain, in words; of an ensemble one of its walkers."""
    return f"chain {i}" if nwalkers == 1 else f"walker {i % nwalkers} of ensemble {i // nwalkers}"


def _dull(parameters: Mapping[str, Parameter]) -> list[str]:
    found = []
    for name, parameter in parameters.items():
        values = parameter.values
        if name.startswith("active("):
            continue
        if np.isnan(values).all():
            found.append(f"{name} was never active")
        elif parameter.is_constant:
            found.append(f"{name} never changes: it is always {values[~np.isnan(values)][0]:.6g}")
        elif np.isinf(values).any():
            found.append(f"{name} has infinite values")
    return found


def _disagreement(
    parameters: Mapping[str, Parameter], rhat: Mapping[str, float], longer: str
) -> list[str]:
    bad = {name: value for name, value in rhat.items() if value > MOST_RHAT}
    if not bad:
        return []
    what = "chain" if next(iter(parameters.values())).nwalkers == 1 else "ensemble"
    listed = _listed({name: f"{value:.3g}" for name, value in bad.items()})
    found = [f"the {what}s do not agree, as R-hat is above {MOST_RHAT}: {listed}{longer}"]
    alone: dict[int, list[str]] = {}
    for name in bad:
        apart = chain_apart(parameters[name], bad[name])
        if apart is not None:
            alone.setdefault(apart, []).append(name)
    for chain, names in sorted(alone.items()):
        found.append(f"{what} {chain} is apart from all others in {', '.join(names)}")
    return found


def chain_apart(parameter: Parameter, rhat: float) -> int | None:
    """The one chain, or ensemble, without which the others agree; None if there is none such.

    Parameters
    ----------
    parameter : Parameter
        The parameter.
    rhat : float
        Its R-hat.
    """
    nchains = len(parameter.values) // parameter.nwalkers
    if nchains < 3:
        return None
    both = [z for facet in parameter.facets for z in both_scores(facet)]
    scores = [pooled(z, parameter.nwalkers) for z in both]
    best = int(np.argmin(np.max([_without_each(z) for z in scores], axis=0)))
    # Differences of sums round, where all others hardly differ.
    kept = [np.delete(z, [best, best + nchains], axis=0) for z in scores]
    without = max(rhat_of(z.shape[-1], z.mean(-1), z.var(-1, ddof=1)) for z in kept)
    return best if without - 1 < _APART * (rhat - 1) else None


def _without_each(scores: Floats) -> Floats:
    """The ratio of variances that makes R-hat, without each chain, which is two rows; by sums."""
    variances, apart = (x.reshape(2, -1) for x in (scores.var(-1, ddof=1), scores.mean(-1)))
    apart = apart - apart.mean()
    n = apart.size - 2
    means, squares = ((x.sum() - x.sum(axis=0)) / n for x in (apart, apart**2))
    within = np.maximum(variances.sum() - variances.sum(axis=0), 1e-14) / n
    without: Floats = (squares - means**2) / within
    return without


def _listed(values: Mapping[str, str]) -> str:
    shown = [f"{name} ({value})" for name, value in list(values.items())[:_MOST_LISTED]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
