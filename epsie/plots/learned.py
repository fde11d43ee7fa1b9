"""The mixture that chains learned, over their draws."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from epsie.plots import style
from epsie.plots.sample import Sample, samples
from epsie.results.burn_in import burn_in_of, rows_after
from epsie.results.learned import LearnedTarget, known_of
from epsie.results.quantities import chosen
from epsie.results.view import View

_MOST_DRAWS = 3000
_ANGLES = np.linspace(0, 2 * np.pi, 61)


@style.styled
def learned(
    source: Any,
    parameters: str | Iterable[str] | None = None,
    *,
    burn_in: int | None = None,
    labels: Mapping[str, str] | None = None,
) -> style.Picture:
    """The mixture that the chains learned together, over their draws, for each pair of parameters.

    A line is a standard deviation about the centre of a component, the darker the more weight it
    has. Below is how far each lesson changed the mixture, and how often what was drawn
    independently from it was accepted.

    Parameters
    ----------
    source, burn_in, labels
        As for `corner`.
    parameters : str or iterable of str, optional
        Two or more of those that are learned together; by default the first four.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If nothing was learned together, or an argument names what there is not.
    """
    view = View(source)
    known, names = _which(view, parameters)
    rows = rows_after(view, used := burn_in_of(view, burn_in))
    shown = samples(view, names, labels, 0, rows)
    places = [known.parameters.index(name) for name in names]
    n = len(names) - 1
    figure = style.picture(max(4.5, 2.3 * n), 2.3 * n + 2.2)
    grid = figure.add_gridspec(n + 1, n, height_ratios=[*[2.3] * n, 1.4])
    for row in range(n):
        for column in range(row + 1):
            axes = figure.add_subplot(grid[row, column])
            _draw_pair(axes, shown[column], shown[row + 1])
            _draw_components(axes, known, (places[column], places[row + 1]))
            axes.set_xlabel(shown[column].name if row == n - 1 else "")
            axes.set_ylabel(shown[row + 1].name if column == 0 else "")
            axes.tick_params(labelbottom=row == n - 1, labelleft=column == 0)
    _draw_lessons(figure.add_subplot(grid[n, :]), known)
    style.caption(figure, f"draws {used}")
    return figure


def _which(view: View, parameters: str | Iterable[str] | None) -> tuple[LearnedTarget, list[str]]:
    """What was learned of some parameters, and which."""
    known = known_of(view)
    if not known:
        raise ValueError(
            "nothing was learned together: run longer, with a Learned proposal, as by default"
        )
    names = list(chosen(view, parameters)) if parameters is not None else []
    for each in known:
        if set(names) <= set(each.parameters):
            names = names or list(each.parameters[:4])
            if len(names) > 1:
                return each, names
    raise ValueError(
        "parameters must be two or more that are learned together, of "
        f"{' or of '.join(', '.join(each.parameters) for each in known)}"
        + (f"; got {parameters!r}" if parameters is not None else "")
    )


def _draw_pair(axes: Any, x: Sample, y: Sample) -> None:
    step = -(-x.values.size // _MOST_DRAWS)
    each = slice(None, None, step)
    axes.plot(x.values.ravel()[each], y.values.ravel()[each], ".", ms=1, color="0.7", zorder=0)
    axes.set(xlim=x.limits(), ylim=y.limits())


def _draw_components(axes: Any, known: LearnedTarget, pair: tuple[int, int]) -> None:
    for k, weight in enumerate(known.weights.tolist()):
        alpha = min(1.0, 0.25 + weight)
        axes.plot(*known.outline(k, pair, _ANGLES).T, color=style.COLOURS[0], lw=1, alpha=alpha)


def _draw_lessons(axes: Any, known: LearnedTarget) -> None:
    iterations = [each.iteration for each in known.lessons]
    change = [each.change for each in known.lessons]
    accepted = [each.acceptance["independence"] for each in known.lessons]
    axes.plot(iterations, change, "o-", ms=3, lw=1, label="change of the mixture")
    axes.plot(iterations, accepted, "s-", ms=3, lw=1, label="independent draws accepted")
    axes.set(xscale="log", ylim=(0, 1.02), xlabel="iteration")
    axes.legend()
