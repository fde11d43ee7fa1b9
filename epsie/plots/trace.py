"""Traces: where every chain was, and what that makes of the marginal distributions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.plots import style
from epsie.plots.sample import Floats, Sample, samples
from epsie.results.burn_in import burn_in_of
from epsie.results.view import View

_MOST_POINTS = 1500
"""Of a line; a picture has no more dots side by side."""


@style.styled
def trace(
    source: Any,
    parameters: str | Iterable[str] | None = None,
    *,
    burn_in: int | None = None,
    temperature: int = 0,
    labels: Mapping[str, str] | None = None,
) -> style.Picture:
    """Traces of all chains, each with the marginal distribution after burn-in.

    The last row is the logarithm of the likelihood times prior. What belongs to burn-in is shaded.
    Of more iterations than can be drawn the lowest and the highest of each group are.

    Parameters
    ----------
    source : BaseSampler or Run
        A sampler, or what `epsie.open_run` gave.
    parameters : iterable of str, optional
        Which, or names of blobs; all parameters by default. Of a blob that is an array all
        elements, or one, as ``"a[0]"``.
    burn_in : int, optional
        Iterations that count as burn-in; by default see `epsie.results.burn_in.burn_in_of`.
    temperature : int, optional
        The index of the temperature, 0 being the coldest.
    labels : mapping, optional
        Other names of parameters; by default those that a `Prior` has.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is nothing to show, or an argument names what there is not.
    """
    view = View(source)
    shown = samples(view, parameters, labels, temperature)
    shown.append(_log_density(view, temperature))
    used = burn_in_of(view, burn_in, temperature=temperature)
    iterations, settled = view.iterations, view.after(used.iteration)
    figure = style.Picture()
    grid = figure.add_gridspec(len(shown), 2, width_ratios=(5, 1))
    first, ticks = None, 0
    for row, sample in enumerate(shown):
        left = figure.add_subplot(grid[row, 0], sharex=first)
        first = first or left
        right = figure.add_subplot(grid[row, 1], sharey=left)
        _draw_traces(left, iterations, sample)
        style.end_of_burn_in(left, iterations[0] - 1, min(used.iteration, iterations[-1]))
        _draw_marginals(right, sample, settled)
        _limit(left, sample, settled)
        left.set_title(style.shortened(sample.name, 6, 9), loc="left", pad=3)
        if sample.share_active < 1:
            right.set_title(f"active {sample.share_active:.0%}", loc="right", pad=3, color="0.4")
        left.tick_params(labelbottom=row == len(shown) - 1)
        ticks = max(ticks, style.longest_tick(left.yaxis))
    assert first is not None
    left.set_xlabel("iteration")
    _arrange(figure, len(shown), ticks)
    style.caption(figure, f"marginal distributions {used}")
    first.set_xlim(iterations[0] - 1, iterations[-1])
    style.number_ticks(first.xaxis, 8, whole=True)
    return figure


def _arrange(figure: style.Picture, nrows: int, ticks: int) -> None:
    """Leave room for what is written."""
    width, height = 9.0, 0.75 + 0.95 * nrows
    figure.set_size_inches(width, height)
    figure.subplots_adjust(
        left=(0.15 + 0.068 * ticks) / width, right=1 - 0.12 / width, wspace=0.03,
        bottom=0.5 / height, top=1 - 0.25 / height, hspace=0.38,
    )  # fmt: skip


def _log_density(view: View, temperature: int) -> Sample:
    stats = view.columns_at("stats", temperature)
    values: Floats = stats["logl"] + stats["logp"]
    return Sample("log (likelihood × prior)", np.where(np.isfinite(values), values, np.nan))


def _limit(axes: Any, sample: Sample, rows: slice) -> None:
    """Let the axis show all that is not burn-in, and of burn-in what fits."""
    settled = sample.values[:, rows]
    if settled.size and np.isfinite(settled).any():
        part = Sample(sample.name, settled, sample.discrete, sample.period)
        low, high = part.limits()
        start, stop = sample.limits()
        room = 0.5 * (high - low)
        low, high = max(start, low - room), min(stop, high + room)
    else:
        low, high = sample.limits()
    axes.set_ylim(low, high)
    sample.ticks(axes.yaxis, 3)


def _draw_traces(axes: Any, iterations: NDArray[np.int64], sample: Sample) -> None:
    nchains = len(sample.values)
    for values, colour in zip(sample.values, style.chain_colours(nchains), strict=True):
        x, y = _thinned(iterations, values)
        if sample.period is not None:
            y = np.where(np.abs(np.diff(y, prepend=y[0])) > sample.period / 2, np.nan, y)
        axes.plot(x, y, color=colour, lw=0.6, alpha=0.75, rasterized=True)
        _draw_lone_points(axes, x, y, colour)


def _draw_lone_points(axes: Any, x: Floats, y: Floats, colour: Any) -> None:
    """Draw what has no neighbours, and so is on no line."""
    there = np.isfinite(y)
    around = np.pad(there, 1)
    lone = there & ~around[:-2] & ~around[2:]
    if lone.any():
        axes.plot(x[lone], y[lone], ".", color=colour, ms=1.5, alpha=0.75, rasterized=True)


def _thinned(x: NDArray[Any], y: Floats) -> tuple[Floats, Floats]:
    """The lowest and the highest value of each group of rows, in their order."""
    if len(x) <= _MOST_POINTS:
        return x.astype(float), y
    size = -(-len(x) // (_MOST_POINTS // 2))
    filled = np.pad(y.astype(float), (0, -len(y) % size), constant_values=np.nan)
    groups = filled.reshape(-1, size)
    low = np.argmin(np.where(np.isnan(groups), np.inf, groups), axis=1)
    high = np.argmax(np.where(np.isnan(groups), -np.inf, groups), axis=1)
    ends = np.sort(np.stack([low, high], axis=1), axis=1)
    at = np.minimum((ends + np.arange(len(groups))[:, None] * size).ravel(), len(y) - 1)
    return x[at].astype(float), y[at]


def _draw_marginals(axes: Any, sample: Sample, rows: slice) -> None:
    """Draw a histogram of each chain, sideways."""
    axes.set_axis_off()
    settled = Sample(sample.name, sample.values[:, rows], sample.discrete, sample.period)
    if not settled.active.size:
        return
    edges = settled.edges(40)
    highest = 0.0
    for values, colour in zip(settled.values, style.chain_colours(len(sample.values)), strict=True):
        counts, _ = np.histogram(values[np.isfinite(values)], edges)
        if counts.any():
            highest = max(highest, float(counts.max()))
            axes.stairs(counts, edges, orientation="horizontal", color=colour, lw=0.9, alpha=0.8)
    axes.set_xlim(0, 1.05 * highest)
