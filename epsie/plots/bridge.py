"""The evidence of plain chains: how what they learned and the posterior overlap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from epsie.plots.sample import Floats
from epsie.plots.style import COLOURS, GREY, Picture, caption, number_ticks, picture
from epsie.results import plain, tempered
from epsie.results.view import View
from epsie.tempering.bridges import LEAST, bridged
from epsie.tempering.evidence import Evidence

_BINS = 60
_OUTSIDE = 0.002
"""The share of draws at either end that may be out of sight."""


class _Span(NamedTuple):
    """A stretch, and what it says by itself."""

    middle: float
    """The iteration."""
    draws: Floats
    fresh: Floats
    evidence: Evidence | None
    """None if no independent draw of it has a likelihood."""


def bridge(view: View, burn_in: int | None) -> tuple[Picture, Evidence]:
    """The picture, still without a title, and the evidence.

    Raises
    ------
    ValueError
        If the chains did not learn together, or it is too early.
    """
    found = tempered.log_evidence(view, None, burn_in)
    spans = _spans(view, burn_in)
    figure = picture(9, 3.7)
    left, right = figure.subplots(1, 2)
    _draw_overlap(left, spans, found)
    _draw_stretches(right, spans, found)
    caption(figure, "each stretch lies between two lessons, and has its own mixture")
    return figure, found


def _spans(view: View, burn_in: int | None) -> list[_Span]:
    """The stretches; of independent runs those of all."""
    runs = getattr(view.source, "independent", ()) or (view.source,)
    spans = []
    for run in runs:
        for between in plain.bridges_of(View(run), burn_in):
            stretch = plain.stretch_of(between)
            draws, fresh = (np.concatenate(list(ratios)) for ratios in stretch)
            if min(len(draws), len(fresh)) < LEAST:
                continue
            try:
                own = bridged([stretch]).evidence
            except ValueError:
                own = None
            spans.append(_Span((between.begin + between.end) / 2, draws, fresh, own))
    return spans


def _draw_overlap(axes: Any, spans: Sequence[_Span], found: Evidence) -> None:
    """Draw the densities of log pi - log q; each stretch has the same weight in both."""
    draws = np.concatenate([span.draws for span in spans])
    fresh = np.concatenate([span.fresh for span in spans])
    weights = np.concatenate(
        [np.full(len(span.fresh), len(span.draws) / len(span.fresh)) for span in spans]
    )
    low, high = np.quantile(draws, [_OUTSIDE, 1 - _OUTSIDE])
    room = 0.25 * (high - low) + 0.5
    bins = np.linspace(min(low, found.log_z) - room, max(high, found.log_z) + room, _BINS)
    for ratios, weight, total, colour, label in (
        (draws, np.ones(len(draws)), len(draws), COLOURS[0], "draws of the chains"),
        (fresh, weights, weights.sum(), COLOURS[1], "independent draws"),
    ):
        counts, _ = np.histogram(ratios, bins, weights=weight)
        heights = counts / (total * np.diff(bins))
        axes.stairs(heights, bins, color=colour, label=label)
        axes.stairs(heights, bins, color=colour, alpha=0.12, fill=True)
    axes.axvline(found.log_z, color=GREY, lw=1, ls="--", label="log Z")
    axes.set(xlabel=r"$\log(L\,\pi) - \log q$", ylabel="density", xlim=bins[[0, -1]])
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left")
    number_ticks(axes.xaxis, 6)
    number_ticks(axes.yaxis, 5)


def _draw_stretches(axes: Any, spans: Sequence[_Span], found: Evidence) -> None:
    """Draw what each stretch says by itself, and all together."""
    told = [(span.middle, span.evidence) for span in spans if span.evidence is not None]
    error = found.standard_error
    axes.axhspan(found.log_z - error, found.log_z + error, color=COLOURS[0], alpha=0.15, lw=0)
    axes.axhline(found.log_z, color=COLOURS[0], lw=1)
    if told:
        at, each = zip(*told, strict=True)
        values, errors = [e.log_z for e in each], [e.standard_error for e in each]
        axes.errorbar(at, values, errors, fmt="o", color=GREY, ms=3, lw=1)
    axes.set(xlabel="iteration", ylabel="log Z of each stretch")
    number_ticks(axes.xaxis, 6)
    number_ticks(axes.yaxis, 6)
