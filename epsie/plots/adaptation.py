"""The learning of proposals: acceptance, and the widths of jumps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.plots import style
from epsie.plots.sample import Floats, labels_of
from epsie.results.quantities import chosen
from epsie.results.view import View

_GROUPS = 60
"""Groups of iterations, the rates of which are shown."""


@style.styled
def adaptation(
    source: Any,
    parameters: str | Iterable[str] | None = None,
    *,
    temperature: int = 0,
    labels: Mapping[str, str] | None = None,
) -> style.Picture:
    """The acceptance rate, and the widths of jumps, while proposals learn and afterwards.

    The rate is that of each chain in groups of iterations which grow with the iteration, and its
    mean over the chains; dashed are the rates that the proposals aim at. A width is the standard
    deviation of the jump in one parameter (before truncation, if it is bounded): the median over
    the chains, and the range of all of them. Widths are not in the history, and are noted where
    about every fifth of the iterations so far has gone by (`adaptation_history` of the source); for
    proposals that do not learn they are constant and not noted. A resumed sampler knows those since
    then, a run on disk all.

    Parameters
    ----------
    source, parameters, temperature, labels
        As for `trace`; `parameters` are those whose widths are shown.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If there is nothing to show, or an argument names what there is not.
    """
    view = View(source)
    names = list(chosen(view, parameters))
    if unlearned := [name for name in names if name not in view.parameters]:
        raise ValueError(
            f"parameters must be of {', '.join(view.parameters)}; got {', '.join(unlearned)}"
        )
    table = view.columns_at("acceptance", temperature)
    history = view.source.adaptation_history
    noted, widths = history.iterations, history.widths[:, :, temperature]
    learning = bool(len(noted)) and bool(np.isfinite(widths).any())
    # A legend has a column for a dozen parameters.
    width = 6.6 + 1.5 * -(-len(names) // 12) if learning else 7
    figure = style.picture(width, 5.6 if learning else 3.2)
    above = figure.add_subplot(2 if learning else 1, 1, 1)
    _draw_rates(above, view, table["accepted"], np.isnan(table["acceptance_ratio"]))
    if learning:
        below = figure.add_subplot(2, 1, 2, sharex=above)
        above.tick_params(labelbottom=False)
        order = [view.parameters.index(name) for name in names]
        called = labels_of(view, labels)
        texts = [called.get(name, name) for name in names]
        _draw_widths(below, noted, widths[:, :, order], texts)
        style.end_of_burn_in(below, 1, view.end_of_adaptation)
        below.set_xlabel("iteration")
    else:
        above.set_xlabel("iteration")
    style.end_of_burn_in(above, 1, view.end_of_adaptation)
    above.set_xscale("log")
    above.set_xlim(1, max(2, view.iterations[-1], *noted[-1:]))
    return figure


def _draw_rates(
    axes: Any, view: View, accepted: NDArray[np.bool_], rested: NDArray[np.bool_]
) -> None:
    """Draw the acceptance rate of each chain in growing groups of iterations."""
    iterations = view.iterations
    first, last = iterations[0], iterations[-1]
    edges = np.unique(np.geomspace(max(1, first), last + 1, _GROUPS).astype(int))
    # Of fewer than 20 steps a rate tells nothing.
    starts = np.searchsorted(iterations, edges[:-1])
    keep = [0]
    for start in starts[1:].tolist():
        if start - keep[-1] >= 20 and len(iterations) - start >= 20:
            keep.append(start)
    steps = np.add.reduceat(~rested, keep, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rates = np.add.reduceat(accepted & ~rested, keep, axis=1) / steps
    ends = [*keep[1:], len(iterations)]
    x = np.sqrt(iterations[keep] * iterations[np.array(ends) - 1].astype(float))
    for values, colour in zip(rates, style.chain_colours(len(rates)), strict=True):
        axes.plot(x, values, color=colour, lw=0.6, alpha=0.6)
    (mean,) = axes.plot(x, _mean(rates), "o-", color="black", ms=2.5, lw=1.4)
    handles, names = [mean], ["mean of the chains"]
    for target in sorted({_target(leaf) for leaf in view.leaves} - {None}):
        handles.append(axes.axhline(target, color=style.COLOURS[1], lw=1, ls="--"))
        names.append(f"aim: {target:.3g}")
    axes.legend(handles, names, ncols=4, loc="lower right", bbox_to_anchor=(1, 1), borderpad=0)
    axes.set(ylim=(0, 1.02), ylabel="acceptance rate")


def _mean(rates: Floats) -> Floats:
    there = np.isfinite(rates)
    total: Floats = np.where(there, rates, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    return np.where(there.any(axis=0), total, np.nan)


def _target(leaf: Any) -> Any:
    """The acceptance rate of whole jumps that a proposal aims at, if it does."""
    scheme = leaf.adaptation
    if scheme is None or getattr(scheme, "componentwise", False):
        return None
    return scheme.target_rate


def _draw_widths(
    axes: Any, iterations: NDArray[np.int64], widths: Floats, names: list[str]
) -> None:
    """Draw widths, shape (n, nchains, nparameters)."""
    for i, (name, line) in enumerate(zip(names, style.line_styles(len(names)), strict=True)):
        values = widths[:, :, i]
        if not np.isfinite(values).all():
            continue
        axes.plot(
            iterations, np.median(values, axis=1), label=style.shortened(name, 1.4, 8), **line
        )
        low, high = values.min(axis=1), values.max(axis=1)
        alpha = 0.14 * min(1, 4 / len(names))
        axes.fill_between(iterations, low, high, color=line["color"], alpha=alpha, lw=0)
    axes.set_yscale("log")
    axes.set_ylabel("width of jumps")
    axes.legend(
        loc="upper left", bbox_to_anchor=(1.0, 1.03), ncols=-(-len(names) // 12), handlelength=1.8
    )
