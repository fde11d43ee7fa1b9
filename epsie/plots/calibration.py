"""The ranks of simulation-based calibration."""

from __future__ import annotations

from typing import Any

import numpy as np

from epsie.checks import given
from epsie.plots.style import COLOURS, GREY, Picture, drawable, picture, styled


@styled
def calibration(found: Any) -> Picture:
    """Histograms of the ranks of true values, which are flat if all is right.

    The band is where 99 % of the counts of one bin are then.

    Parameters
    ----------
    found : Calibration
        What `epsie.calibrate` gave.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError
        If it is something else.
    """
    from scipy.special import bdtrik

    if not hasattr(found, "counts"):
        raise TypeError(f"this takes what epsie.calibrate gave; got {given(found)}")
    counts = found.counts
    columns = min(4, len(counts))
    rows = -(-len(counts) // columns)
    figure = picture(2.4 * columns, 1.9 * rows + 0.4)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes in grid.flat[len(counts) :]:
        axes.set_axis_off()
    for axes, (name, of_bins) in zip(grid.flat, counts.items(), strict=False):
        share = 1 / len(of_bins)
        low, high = (float(np.ceil(bdtrik(q, found.n, share))) for q in (0.005, 0.995))
        edges = np.linspace(0, 1, len(of_bins) + 1)
        axes.axhspan(low, high, color=GREY, alpha=0.3, lw=0)
        axes.axhline(found.n * share, color=GREY, lw=0.8)
        axes.stairs(of_bins, edges, color=COLOURS[0], fill=True, alpha=0.6)
        axes.set_title(f"{drawable(name)}: p = {found.p_values[name]:.2g}", fontsize=9)
        axes.set(xlim=(0, 1), ylim=(0, None), xlabel="rank of the truth")
    for axes in grid[:, 0]:
        axes.set_ylabel("simulations")
    verdict = "the ranks are uniform" if found.is_right else "the ranks are not uniform"
    figure.suptitle(f"{verdict} (false-alarm rate {found.false_alarm:g})", fontsize=10)
    return figure
