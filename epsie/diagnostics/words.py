"""The faults of a sample, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from epsie.diagnostics.draws import LEAST_DRAWS, Floats, Parameter
from epsie.diagnostics.facets import both_scores, rhat_of

MOST_RHAT = 1.01
"""The most that Vehtari et al. 2021 allow of R-hat, and ..."""

LEAST_ESS = 400
"""... of effective sample sizes."""

_APART = 0.2
"""A chain is apart from the others if without it so much of R-hat - 1 is left at most."""


def findings(
    parameters: Mapping[str, Parameter], values: Mapping[str, Any], stuck: Mapping[int, int]
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
    """
    nchains, ndraws = next(iter(parameters.values())).values.shape
    found = [f"chain {i} is stuck since iteration {since}" for i, since in stuck.items()]
    if ndraws < LEAST_DRAWS:
        return [*found, f"too few draws to tell anything: {ndraws} of each chain"]
    if nchains == 1:
        found.append("there is one chain: R-hat compares its halves, and sees no other mode")
    found += _dull(parameters)
    found += _disagreement(parameters, values["rhat"])
    for name, part in (("ess_bulk", "the mean"), ("ess_tail", "the tails")):
        few = {of: ess for of, ess in values[name].items() if ess < LEAST_ESS}
        if few:
            listed = _listed({of: f"{ess:.0f}" for of, ess in few.items()})
            found.append(
                f"{part} cannot be relied on, as {name} is below {LEAST_ESS}: {listed}. Run longer"
            )
    return found


def _dull(parameters: Mapping[str, Parameter]) -> list[str]:
    found = []
    for name, parameter in parameters.items():
        values = parameter.values
        if name.startswith("active("):
            continue
        if np.isnan(values).all():
            found.append(f"{name} was never active")
        elif parameter.is_constant:
            found.append(f"{name} never changes: it is {values[~np.isnan(values)][0]:.6g} always")
        elif np.isinf(values).any():
            found.append(f"{name} has infinite values")
    return found


def _disagreement(parameters: Mapping[str, Parameter], rhat: Mapping[str, float]) -> list[str]:
    bad = {name: value for name, value in rhat.items() if value > MOST_RHAT}
    if not bad:
        return []
    listed = _listed({name: f"{value:.3g}" for name, value in bad.items()})
    found = [f"the chains do not agree, as R-hat is above {MOST_RHAT}: {listed}. Run longer"]
    alone: dict[int, list[str]] = {}
    for name in bad:
        apart = chain_apart(parameters[name], bad[name])
        if apart is not None:
            alone.setdefault(apart, []).append(name)
    for chain, names in sorted(alone.items()):
        found.append(f"chain {chain} is apart from all others in {', '.join(names)}")
    return found


def chain_apart(parameter: Parameter, rhat: float) -> int | None:
    """The one chain without which the others agree; None if there is none such.

    Parameters
    ----------
    parameter : Parameter
        The parameter.
    rhat : float
        Its R-hat.
    """
    nchains = len(parameter.values)
    if nchains < 3:
        return None
    scores = [z for facet in parameter.facets for z in both_scores(facet)]
    without = [max(_rhat_without(z, i, nchains) for z in scores) for i in range(nchains)]
    best = int(np.argmin(without))
    return best if without[best] - 1 < _APART * (rhat - 1) else None


def _rhat_without(scores: Floats, chain: int, nchains: int) -> float:
    kept = np.delete(scores, [chain, chain + nchains], axis=0)
    return rhat_of(kept.shape[-1], kept.mean(-1), kept.var(-1, ddof=1))


def _listed(values: Mapping[str, str]) -> str:
    shown = [f"{name} ({value})" for name, value in list(values.items())[:5]]
    more = len(values) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
