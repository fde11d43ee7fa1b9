"""What plain chains have learned together: how well it proposes, and the evidence."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isnan, log

import numpy as np

from epsie.chain.state import ANNEALED
from epsie.proposals.learned.bridge import Bridge
from epsie.proposals.learned.cohort import bridges_in
from epsie.proposals.learned.logbook import Entry
from epsie.results.burn_in import stretches_after
from epsie.results.kept import MUCH, left_behind
from epsie.results.learned import entries_of
from epsie.results.view import View
from epsie.shown import counted, digits
from epsie.tempering.bridges import Bridged, Stretch, bridged
from epsie.tempering.log_z import Floats

METHOD = "mixture"
"""The name of the method."""

_MUCH_MISSED, _HARDLY = 0.05, 0.1

_TOLD = log(1000.0)
_RARE, _FAR_TOO_LOW, _ENOUGH = 0.001, log(100.0), 1000
"""If so many of the draws, of at least a thousand, are where a mixture is that much too low, as
hardly ever of targets that it covers, there may be more of them where it is lower still."""


def log_evidence(view: View, burn_in: int | None = None) -> Bridged:
    """The evidence of chains at one temperature, from the stretches after a burn-in.

    Raises
    ------
    ValueError
        If the chains did not learn together, or it is too early.
    """
    return bridged([stretch_of(bridge) for bridge in bridges_of(view, burn_in)])


def bridges_of(view: View, burn_in: int | None = None) -> list[Bridge]:
    """The bridges between target and mixture after a burn-in, in the order of time.

    Raises
    ------
    ValueError
        If the chains did not learn together, or all of it is within the burn-in.
    """
    bridges = _bridges(view)
    if bridges is None:
        raise ValueError(
            "the evidence of chains at one temperature comes from what they learn together, of all "
            "parameters by one Learned proposal, as by default. Sample so, or with temperatures "
            "that descend to beta = 0: ParallelTemperedSampler"
        )
    return stretches_after(bridges, burn_in)


def stretch_of(bridge: Bridge) -> Stretch:
    """What the evidence is found from, of a bridge."""
    return Stretch(_ratios(bridge.draws), _ratios(bridge.fresh))


def _bridges(view: View) -> list[Bridge] | None:
    """The bridges of the run; None if there are none, as not all is learned together."""
    learned = view.source.shared.get("learned", [])
    if len(learned) != 1 or len(view.source.settings["proposals"]) != 1:
        return None
    return bridges_in(learned[0], len(view.parameters), view.nchains)


def remarks(view: View) -> list[str]:
    """What the chains may have missed, in words."""
    found = [
        np.concatenate(_ratios(b.draws)) for b in (_bridges(view) or [] if view.ntemps == 1 else [])
    ]
    lacks = np.concatenate([np.empty(0), *[each - np.median(each) for each in found if len(each)]])
    if len(lacks) < _ENOUGH or not (rare := float(np.quantile(lacks, 1 - _RARE))) > _FAR_TOO_LOW:
        return []
    times = f"{exp(rare):.0f}" if rare < _TOLD else f"more than {exp(_TOLD):.0f}"
    return [
        f"of 1000 draws one is where what was learned is {times} times too low: "
        "chains seldom go there and stay long, so that tails beyond may be unvisited, and standard "
        "deviations wrong. Run longer, with more chains, in other parameters or with tempering"
    ]


def facts(view: View, burn_in: int | None = None) -> tuple[tuple[str, str], ...]:
    """What was learned, the evidence, and what it may miss, by name and in words."""
    found = learned_facts(view)
    if not any(name == "learned" for name, _ in found):
        return found
    try:
        (log_z, error, method, *_), miss, newly = log_evidence(view, burn_in)
    except ValueError as why:
        return (*found, ("log Z", f"not known: {' '.join(str(why).split())}"))
    value, off = (digits(x, error) for x in (log_z, error))
    warning = missed(miss, newly, _MUCH_MISSED, tempered=False)
    return (*found, ("log Z", f"{value} +- {off} ({method}){warning}"))


def missed(miss: float, newly: float, much: float, tempered: bool) -> str:
    """A warning if more than so much is missed, or a mode was found late; else ''."""
    if miss <= much and not newly:
        return ""
    remedy = (
        "run longer, or with more chains" if tempered else "sample with tempering, or more chains"
    )
    if miss <= much:
        return (
            f"; a chain came to a mode that what was learned did not know ({newly:.1%} of its "
            f"stretch), so that others may be missing: {remedy}"
        )
    return (
        f"; {miss:.0%} of the draws are where nothing independent was proposed, so that it may be "
        f"wrong, and modes be missing: {remedy}"
    )


def learned_facts(view: View) -> tuple[tuple[str, str], ...]:
    """The annealed start, and what was learned of the posterior, by name and in words."""
    shared, found = view.source.shared, list[tuple[str, str]]()
    if (start := shared.get(ANNEALED)) is not None:
        levels = counted(len(start["betas"]), "level")
        found.append(("start", f"annealed, {levels}, {start['evaluations']} evaluations"))
    for each in shared.get("learned", []):
        if each["temperature"]:
            continue
        if (left := left_behind(view, each)) > MUCH:
            found.append(("modes", _left_words(left, view.ntemps > 1)))
        found.append(("learned", _words(entries_of(each), view.ntemps > 1)))
    return tuple(found)


def _left_words(left: float, tempered: bool) -> str:
    return (
        f"{left:.0%} of the population of the start is where no chain is any more, so that a mode "
        f"may have been lost: sample with more chains, or {'longer' if tempered else 'tempering'}"
    )


def _words(entries: Sequence[Entry], tempered: bool) -> str:
    """What was learned last, and how well it proposes."""
    if not entries:
        return "nothing yet"
    iteration, size, _, probabilities, acceptance = entries[-1]
    share, rate = (each["independence"] for each in (probabilities, acceptance))
    text = f"{counted(size, 'component')} at iteration {iteration}; {share:.0%} of jumps "
    text += "are independent draws"
    if isnan(rate):
        return text
    text += f", {rate:.0%} of them accepted"
    if rate < _HARDLY:
        other = (
            "with more chains" if tempered else "sample with tempering if it has very many modes"
        )
        text += f": what was learned is not like the posterior yet. Run longer, or {other}"
    return text


def _ratios(pairs: Sequence[Floats]) -> list[Floats]:
    """Log pi - log q from pairs of them."""
    return [rows[:, 0] - rows[:, 1] for rows in pairs]
