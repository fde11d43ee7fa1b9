"""Chains whose jumps are far too large or too small, and what can be done, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan

import numpy as np

from epsie.diagnostics.draws import Floats

_FAR = 3
"""Off the aim is a rate of less than a third of it, or more rejections by as much."""

_ANY = (0.05, 0.9)
"""Between these lies what jumps of a size that nobody learns may reach."""

_MOST_NAMED = 5


@dataclass(frozen=True)
class Learning:
    """The way the jumps of chains come by their size: learned, or fixed.

    Parameters
    ----------
    aims : sequence of float
        The acceptance rates at which the proposals that learn aim.
    end : int or None
        The iteration at which they end to learn; None if they do not.
    niterations : int
        The iteration at which the chains are.
    fixed : mapping
        The standard deviation of jumps that do not learn, by parameter.
    """

    aims: Sequence[float] = ()
    end: int | None = None
    niterations: int = 0
    fixed: Mapping[str, float] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether nothing is learned any more."""
        return not self.aims or (self.end is not None and self.end <= self.niterations)


@dataclass(frozen=True)
class Astray:
    """Chains that are off in the same way, in words.

    Parameters
    ----------
    text : str
        The words.
    is_fault : bool
        Whether it is one by itself: on a flat posterior all jumps are accepted, and rightly.
    """

    text: str
    is_fault: bool


def astray(rates: Floats, learning: Learning, sds: Mapping[str, float]) -> list[Astray]:
    """The chains that accept far too few or too many of their jumps, said in a line for each way.

    Parameters
    ----------
    rates : array
        The acceptance rate of each chain.
    learning : Learning
        How jumps come by their size.
    sds : mapping
        The standard deviations of the draws, by parameter.
    """
    jumps = {name: (std, sds.get(name, nan)) for name, std in learning.fixed.items()}
    low, high = _ANY
    if aims := sorted(set(learning.aims)):
        low, high = aims[0] / _FAR, 1 - (1 - aims[-1]) / _FAR
    found = []
    for are, large in ((rates < low, True), (rates > high, False)):
        chains = np.flatnonzero(are)
        if len(chains):
            text = f"{_who(chains.tolist(), rates[are], aims)}: {_why(learning, large, jumps)}"
            found.append(Astray(text, large and bool(aims)))
    return found


def ensembles_astray(rates: Floats) -> list[Astray]:
    """The ensembles of which hardly any jump is accepted, said in a line.

    Parameters
    ----------
    rates : array
        The acceptance rate of each ensemble.
    """
    few = rates < _ANY[0]
    if not few.any():
        return []
    who = _who(np.flatnonzero(few).tolist(), rates[few], ()).replace("chain", "ensemble", 1)
    return [
        Astray(
            f"{who}: the other walkers tell little of where to go, so that to run longer hardly "
            "helps. Start nearer to the bulk, or in it with more walkers, try other moves, or "
            "chains that learn, as MetropolisHastingsSampler has them",
            True,
        )
    ]


def _who(chains: list[int], rates: Floats, aims: Sequence[float]) -> str:
    """The chains, the rates at which they accept, and the rates they aim at, in words."""
    named = ", ".join(map(str, chains[:_MOST_NAMED]))
    if len(chains) > _MOST_NAMED:
        named += f" and {len(chains) - _MOST_NAMED} more"
    low, high = f"{rates.min():.2f}", f"{rates.max():.2f}"
    rate = low if low == high else f"{low} to {high}"
    aim = f" (aim {' and '.join(f'{value:g}' for value in aims)})" if aims else ""
    return f"chain{'s' * (len(chains) > 1)} {named} accept{'s' * (len(chains) == 1)} {rate}{aim}"


def _why(learning: Learning, large: bool, jumps: Mapping[str, tuple[float, float]]) -> str:
    size = "large" if large else "small"
    if not learning.aims:
        return (
            f"jumps are far too {size}{_worst(jumps, large)}, so that to run longer hardly helps. "
            f"Make them {'smaller' if large else 'larger'}, as by cov=, or let them learn, as "
            "ATAdaptiveNormal does"
        )
    if learning.has_ended:
        text = (
            "learning ended before it arrived, so that to run longer hardly helps. Start anew with "
            "a longer adaptation_duration, or with chains that start nearer to the bulk, and apart"
        )
    elif learning.end is not None:
        text = f"learning goes on until iteration {learning.end}. Run on to well beyond that"
    else:
        text = (
            "learning, which goes on ever more slowly, has not arrived. Run longer, or start anew "
            "with chains that start nearer to the bulk, and apart"
        )
    if learning.fixed and large:
        named = ", ".join(list(learning.fixed)[:_MOST_NAMED])
        text += f". The jumps of {named} do not learn, and may be too large{_worst(jumps, True)}"
    return text


def _worst(jumps: Mapping[str, tuple[float, float]], large: bool) -> str:
    """The jump that is farthest off the spread of the draws, if any is by a factor of ten."""
    ratios = {name: std / sd for name, (std, sd) in jumps.items() if std > 0 and sd > 0}
    if not ratios:
        return ""
    name = (max if large else min)(ratios, key=lambda of: ratios[of])
    if (ratios[name] if large else 1 / ratios[name]) < 10:
        return ""
    std, sd = jumps[name]
    return f" ({name} jumps by {std:.2g}, its draws are spread by {sd:.2g})"
