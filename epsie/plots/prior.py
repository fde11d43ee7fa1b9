"""Priors: a picture of one, and its draws behind those of a posterior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import given
from epsie.model.plain_prior import prior_of
from epsie.model.posterior import Posterior
from epsie.model.prior import Prior
from epsie.plots.sample import Floats, Sample
from epsie.plots.style import COLOURS, Picture, drawable, picture, styled
from epsie.results.view import View

_DRAWS = 20_000


@styled
def prior(shown: Prior | Mapping[Any, Any]) -> Picture:
    """The marginal prior of each parameter, by draws.

    Parameters
    ----------
    shown : Prior or mapping
        The prior, or what `Prior` takes as a dict.

    Returns
    -------
    matplotlib.figure.Figure
    """
    shown = shown if isinstance(shown, Prior) else Prior(shown)
    drawn, periods = shown.draw(0, _DRAWS), shown.periods
    columns = min(4, len(shown.parameters))
    rows = -(-len(shown.parameters) // columns)
    figure = picture(2.2 * columns, 1.7 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, name in zip(grid.flat, shown.parameters, strict=False):
        values = drawn[name]
        # Of a heavy tail nothing could be seen beside the rest.
        low, high = np.quantile(values, (0.005, 0.995))
        within = np.asarray(values[(values >= low) & (values <= high)], float)
        discrete = shown.kinds[name] == "integer"
        sample = Sample(shown.labels[name], within[np.newaxis], discrete, periods.get(name))
        edges = sample.edges(40)
        axes.set_axis_on()
        axes.spines["left"].set_visible(False)
        axes.set_yticks([])
        axes.stairs(np.histogram(within, edges)[0], edges, fill=True, color=COLOURS[0], alpha=0.5)
        axes.set_xlim(*sample.limits())
        axes.set_ylim(bottom=0)
        axes.set_title(drawable(sample.name))
        sample.ticks(axes.xaxis, 3)
    return figure


def prior_draws(source: Any, asked: bool | Prior) -> dict[str, NDArray[Any]]:
    """Draws by parameter from a prior, or from that of a sampler or run.

    Raises
    ------
    ValueError
        If it is not known.
    TypeError
        If it is none.
    """
    model = getattr(source, "model", None)
    if asked is True and isinstance(model, Posterior):
        asked = model.prior
    elif asked is True:
        asked = prior_of(View(source).source.settings)
    if not isinstance(asked, Prior):
        raise TypeError(f"prior must be True, or a Prior; got {given(asked)}")
    return asked.draw(0, _DRAWS)


def prior_counts(drawn: NDArray[Any], sample: Sample, edges: Floats) -> Floats:
    """The share of the draws of a prior in each bin in which a sample is shown."""
    values = drawn.astype(float)
    if sample.period is not None:
        middle = 0.5 * (edges[0] + edges[-1])
        values = values - sample.period * np.round((values - middle) / sample.period)
    counts, _ = np.histogram(values, edges)
    return counts / len(values)
