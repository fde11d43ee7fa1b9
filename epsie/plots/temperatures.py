"""The communication of tempered chains: the ladder, its swaps, and the trips along it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from epsie.checks import as_count
from epsie.plots.sample import Floats
from epsie.plots.style import COLOURS, GREY, Picture, chain_colours, number_ticks, picture, styled
from epsie.results import tempered
from epsie.results.view import View
from epsie.tempering import communication


@styled
def temperatures(source: Any) -> Picture:
    """The ladder of each chain over time, and how often adjacent temperatures swap.

    Temperatures are noted where about every fifth of the iterations so far has gone by if an
    annealer moves them, else they are constant; the prior, beta = 0, has its own line at the top.
    Acceptance ratios are means over all sweeps that there are, of every chain (dots) and over the
    chains (bars): below 0.2, marked, is a gap in the ladder.

    Parameters
    ----------
    source : ParallelTemperedSampler or Run
        A tempered sampler, or what `epsie.open_run` gave of one.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the chains are not tempered, or no sweep was made.
    """
    view = View(source)
    ratios = tempered.ratios(view)
    acceptance = communication.swap_acceptance(ratios)
    barrier = communication.communication_barrier(ratios)
    figure = picture(9, 3.8)
    left, right = figure.subplots(1, 2)
    _draw_ladder(left, view)
    _draw_swaps(right, acceptance)
    mean = float(np.mean(barrier))
    right.set_title(
        f"communication barrier {mean:.2f}; recommended number of temperatures "
        f"{communication.recommended_ntemps(mean)}",
        fontsize=8, loc="right", pad=8,
    )  # fmt: skip
    return figure


def _draw_ladder(axes: Any, view: View) -> None:
    """Draw the temperature of each step of the ladder over time."""
    iterations, betas = _ladders(view)
    finite = betas[betas > 0]
    top = 1 / finite.min()
    # Where infinity is drawn: one more step of the ladder above the rest.
    infinity = float(3 * top) if (betas == 0).any() else None
    with np.errstate(divide="ignore"):
        ladder = np.where(betas > 0, 1 / betas, infinity or np.inf)
    for t in range(ladder.shape[-1]):
        colour = chain_colours(max(8, ladder.shape[-1]))[t]
        for chain in range(ladder.shape[1]):
            axes.plot(iterations, ladder[:, chain, t], color=colour, lw=0.9, alpha=0.8)
    axes.set_yscale("log")
    axes.set(xlabel="iteration", ylabel="temperature", xlim=(iterations[0], iterations[-1]))
    axes.set_ylim(top=1.3 * (infinity or top))
    if infinity is not None:
        axes.text(
            1.01, infinity, "prior\n(T = ∞)", transform=axes.get_yaxis_transform(), va="center",
            fontsize=8, color=GREY,
        )  # fmt: skip
        axes.axhline(1.6 * top, color=GREY, lw=0.6, ls=":")
        ticks = [tick for tick in axes.get_yticks() if 0.5 <= tick < 1.6 * top]
        axes.set_yticks(ticks)
        axes.minorticks_off()
    if iterations[0] > 0 and iterations[-1] > 20 * iterations[0]:
        axes.set_xscale("log")
    else:
        number_ticks(axes.xaxis, 5, whole=True)


def _ladders(view: View) -> tuple[NDArray[np.int64], Floats]:
    """The betas, shape (n, nchains, ntemps), at some iterations."""
    source = view.source
    last, (iterations, _, betas) = source.niterations, source.adaptation_history
    if source.settings.get("annealer") is None or not len(iterations):
        ends = np.array([max(1, source.start), max(2, last)])
        return ends, np.stack([view.source.betas] * 2)
    return np.append(iterations, last), np.concatenate([betas, view.source.betas[np.newaxis]])


def _draw_swaps(axes: Any, acceptance: Floats) -> None:
    """Draw the acceptance ratio of each pair of temperatures."""
    pairs = np.arange(len(acceptance))
    means = acceptance.mean(axis=1)
    colours = [COLOURS[1] if mean < 0.2 else COLOURS[0] for mean in means]
    axes.bar(pairs, means, color=colours, alpha=0.35, width=0.8)
    nchains = acceptance.shape[1]
    spread = np.linspace(-0.25, 0.25, nchains) if nchains > 1 else np.zeros(1)
    for chain in range(nchains):
        axes.plot(pairs + spread[chain], acceptance[:, chain], ".", color="black", ms=3)
    axes.axhline(0.2, color=GREY, lw=0.8, ls=":")
    step = -(-len(pairs) // 10)
    axes.set_xticks(pairs[::step], [f"{pair}–{pair + 1}" for pair in pairs[::step]])
    axes.set(xlabel="temperatures, 0 the coldest", ylabel="swap acceptance", ylim=(0, 1))
    axes.set_xlim(-0.6, len(pairs) - 0.4)


@styled
def round_trips(source: Any, *, chain: int = 0, nsweeps: int = 500) -> Picture:
    """The way of points along the ladder, and how often they made it there and back.

    On the left the points of one chain in its last sweeps; in colour the one that has made most
    round trips since. On the right the round trips of each chain in all sweeps that there are, from
    the coldest temperature to the hottest and back.

    Parameters
    ----------
    source : ParallelTemperedSampler or Run
        A tempered sampler, or what `epsie.open_run` gave of one.
    chain : int, optional
        The chain on the left.
    nsweeps : int, optional
        How many of its last sweeps are shown.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the chains are not tempered, no sweep was made, or there is no such chain.
    """
    view = View(source)
    trips = tempered.round_trips(view)
    if as_count(chain, "chain", least=0) >= view.nchains:
        raise ValueError(f"chain must be an index below {view.nchains}; got {chain}")
    ways = [orders[:, chain].copy() for orders in tempered.sweeps(view, "orders")]
    nmade = sum(way.shape[-1] for way in ways)
    if nmade == 0:
        raise ValueError("no sweep of swaps was made yet: run the sampler first")
    figure = picture(9, 3.4)
    left, right = figure.subplots(1, 2, width_ratios=(2.6, 1))
    shown = np.concatenate(ways, axis=-1)[:, -as_count(nsweeps, "nsweeps") :]
    _draw_ways(left, shown, nmade - shown.shape[-1])
    left.set_title(f"chain {chain}", loc="left")
    places = np.arange(view.nchains)
    right.bar(places, trips, color=COLOURS[0], alpha=0.5, width=0.8)
    right.set(xlabel="chain", ylabel="round trips", ylim=(0, max(1, 1.1 * trips.max())))
    right.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    right.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    rate = 1000 * trips.mean() / nmade
    right.set_title(f"{rate:.3g} in 1000 sweeps", loc="right")
    return figure


def _draw_ways(axes: Any, orders: NDArray[np.int64], before: int) -> None:
    """Draw where each point is after each sweep; `orders` of one chain, shape (ntemps, n)."""
    ntemps, n = orders.shape
    who = np.empty((ntemps, n + 1), dtype=np.int64)
    who[:, 0] = np.arange(ntemps)
    for i in range(n):
        who[:, i + 1] = who[orders[:, i], i]
    where = np.argsort(who, axis=0)
    sweeps = before + np.arange(n + 1)
    travelled = [_trips(way, ntemps - 1) for way in where]
    best = int(np.argmax(travelled))
    for point, way in enumerate(where):
        if point != best:
            axes.plot(sweeps, way, color="0.8", lw=0.5, drawstyle="steps-post")
    axes.plot(sweeps, where[best], color=COLOURS[0], lw=1.0, drawstyle="steps-post")
    axes.set(xlabel="sweep", ylabel="temperature, 0 the coldest", xlim=(sweeps[0], sweeps[-1]))
    axes.yaxis.set_major_locator(MaxNLocator(8, integer=True))
    number_ticks(axes.xaxis, 6, whole=True)


def _trips(way: NDArray[np.int64], hottest: int) -> int:
    """The number of times that a way went from one end of the ladder to the other."""
    ends = way[(way == 0) | (way == hottest)]
    return int((np.diff(ends) != 0).sum())
