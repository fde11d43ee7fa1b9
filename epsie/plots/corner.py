"""The posterior of each parameter, and of each pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from epsie.model.prior import Prior
from epsie.plots.prior import prior_counts, prior_draws
from epsie.plots.sample import Floats, Sample, samples
from epsie.plots.style import (
    COLOURS,
    GREY,
    Picture,
    caption,
    fitting,
    longest_tick,
    shortened,
    styled,
)
from epsie.results.burn_in import burn_in_of, rows_after
from epsie.results.quantities import chosen
from epsie.results.view import View

_MOST_SAMPLES = 200_000
_REGIONS = (0.9, 0.5)


@styled
def corner(
    source: Any,
    parameters: str | Iterable[str] | None = None,
    *,
    burn_in: int | None = None,
    temperature: int = 0,
    labels: Mapping[str, str] | None = None,
    prior: bool | Prior = False,
) -> Picture:
    """The marginal posterior of each parameter and of each pair.

    Above each histogram are the median and how far the central 90 % (shaded) reach up and down;
    lines about pairs enclose the smallest regions with 50 and 90 % of the samples. A pair with an
    inactive parameter does not count.

    Parameters
    ----------
    source, parameters, burn_in, temperature, labels
        As for `trace`; what is burn-in is left out.
    prior : bool or Prior, optional
        Whether the histograms have the prior behind them, in grey. A sampler of a `Posterior` knows
        it, and so does a run on disk, unless there are functions or objects of your own in it.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is nothing to show, or an argument names what there is not.
    """
    view = View(source)
    used = burn_in_of(view, burn_in, temperature=temperature)
    rows = rows_after(view, used)
    shown = samples(view, parameters, labels, temperature, rows)
    step = -(-shown[0].values.size // _MOST_SAMPLES)
    shown = [Sample(s.name, s.values[:, ::step], s.discrete, s.period) for s in shown]
    drawn = prior_draws(source, prior) if prior else {}
    behind = [drawn.get(name) for name in chosen(view, parameters)]
    n = len(shown)
    inches = min(2.2, max(0.95, 9 / n))
    size = fitting([sample.name for sample in shown], inches)
    figure = Picture()
    grid = figure.add_gridspec(n, n)
    panels = {
        (row, column): figure.add_subplot(grid[row, column])
        for row in range(n)
        for column in range(row + 1)
    }
    for (row, column), axes in panels.items():
        below, beside = shown[row], shown[column]
        if column == row:
            _draw_one(axes, below, inches, size, behind[row])
        else:
            _draw_pair(axes, beside, below)
        _label(axes, beside, below, (row, column, n), inches, size)
    _arrange(figure, panels, inches, size)
    caption(figure, f"draws {used}")
    return figure


def _arrange(figure: Picture, panels: dict[Any, Any], inches: float, size: float) -> None:
    """Leave room for what is written at the edges; what is above a panel has room anyway."""
    n = max(row for row, _ in panels) + 1
    character = 0.6 * _small(size) / 72
    ticks = [longest_tick(panels[row, 0].yaxis) for row in range(1, n)]
    left = 0.36 + character * max(ticks, default=0)
    bottom = 0.6 + 0.72 * character * max(longest_tick(panels[n - 1, i].xaxis) for i in range(n))
    top, right, gap = 0.1 + 3.6 * size / 72, 0.25, 0.08 * inches
    extent = n * inches + (n - 1) * gap
    width, height = left + extent + right, bottom + extent + top
    figure.set_size_inches(width, height)
    figure.subplots_adjust(
        left=left / width, right=1 - right / width, bottom=bottom / height, top=1 - top / height,
        wspace=gap / inches, hspace=gap / inches,
    )  # fmt: skip
    for row in range(1, n):
        panels[row, 0].yaxis.set_label_coords(-(left - 0.2) / inches, 0.5)
    for column in range(n):
        panels[n - 1, column].xaxis.set_label_coords(0.5, -(bottom - 0.38) / inches)


def _small(size: float) -> float:
    """The size of type of ticks."""
    return min(8.0, max(6.0, size - 1))


def _label(
    axes: Any, x: Sample, y: Sample, place: tuple[int, int, int], inches: float, size: float
) -> None:
    """Label the edges of the whole only."""
    row, column, n = place
    axes.set_xlim(x.limits())
    x.ticks(axes.xaxis, 3)
    axes.tick_params(labelsize=_small(size), length=2.5, pad=2)
    if row == n - 1:
        axes.set_xlabel(shortened(x.name, inches, size), fontsize=size)
        axes.tick_params(axis="x", labelrotation=45)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    else:
        axes.tick_params(labelbottom=False)
    if row == column:
        return
    axes.set_ylim(y.limits())
    y.ticks(axes.yaxis, 3)
    if column == 0:
        axes.set_ylabel(shortened(y.name, inches, size), fontsize=size)
    else:
        axes.tick_params(labelleft=False)


def _draw_one(axes: Any, sample: Sample, inches: float, size: float, behind: Floats | None) -> None:
    """Draw the histogram of a parameter, and that of the prior behind it."""
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    text = sample.summary(72 * inches / (0.58 * size))
    if sample.share_active < 1 and sample.active.size:
        text += f"\nactive {sample.share_active:.0%}"
    name = shortened(sample.name, inches, size)
    axes.set_title(f"{name}\n{text}".strip(), fontsize=size, pad=3)
    values = sample.active
    if not values.size:
        return
    edges = sample.edges(40)
    counts, _ = np.histogram(values, edges)
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    axes.stairs(counts, edges, fill=True, color=COLOURS[0], alpha=0.25)
    axes.stairs(counts, edges, color=COLOURS[0], lw=1.0)
    axes.axvspan(low, high, color=COLOURS[0], alpha=0.08, lw=0, zorder=0)
    axes.axvline(middle, color=COLOURS[1], lw=1.0)
    highest = max(1, counts.max())
    if behind is not None:
        of_prior = prior_counts(behind, sample, edges) * values.size
        axes.stairs(of_prior, edges, fill=True, color=GREY, alpha=0.3, zorder=0.5)
        highest = max(highest, of_prior.max())
    axes.set_ylim(0, 1.06 * highest)


def _draw_pair(axes: Any, x: Sample, y: Sample) -> None:
    """Draw the density of a pair."""
    both = np.isfinite(x.values) & np.isfinite(y.values)
    if not both.any():
        axes.text(
            0.5, 0.5, "never\ntogether", transform=axes.transAxes, ha="center", va="center",
            color="0.5", fontsize=7,
        )  # fmt: skip
        return
    # Fewer samples want wider bins.
    most = int(np.clip(0.8 * both.sum() ** 0.33, 12, 45))
    edges = x.edges(most), y.edges(most)
    density, *_ = np.histogram2d(x.values[both], y.values[both], edges)
    smooth = _smoothed(density, x, y)
    shades = np.where(smooth > 0.004 * smooth.max(), smooth, np.nan).T
    axes.pcolormesh(*edges, shades, cmap="Blues", vmin=0, vmax=1.15 * smooth.max(), rasterized=True)
    if not x.discrete and not y.discrete:
        middles = [0.5 * (edge[1:] + edge[:-1]) for edge in edges]
        levels = _levels(smooth)
        axes.contour(*middles, smooth.T, levels, colors=[COLOURS[0]], linewidths=(0.7, 1.0))


def _smoothed(density: Floats, x: Sample, y: Sample) -> Floats:
    """The density smoothed along parameters that are continuous, by about a bin."""
    from scipy.ndimage import gaussian_filter1d

    for axis, sample in enumerate((x, y)):
        if not sample.discrete:
            around = sample.all_around
            density = gaussian_filter1d(density, 1.0, axis, mode="wrap" if around else "nearest")
    return density


def _levels(density: Floats) -> list[float]:
    """The densities at the border of the smallest regions with 90 and 50 % of the samples."""
    falling = np.sort(density.ravel())[::-1]
    shares = np.cumsum(falling) / falling.sum()
    levels = [float(falling[np.searchsorted(shares, share)]) for share in _REGIONS]
    return levels if levels[0] < levels[1] else [levels[0]]
