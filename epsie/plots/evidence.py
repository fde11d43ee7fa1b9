"""What the evidence comes from."""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np

from epsie.plots.bridge import bridge
from epsie.plots.sample import Floats
from epsie.plots.style import COLOURS, GREY, Picture, caption, number, number_ticks, picture, styled
from epsie.results import tempered
from epsie.results.burn_in import burn_in_of, evidence_burn_in, rows_after
from epsie.results.levels import is_anchored
from epsie.results.view import View
from epsie.tempering.evidence import Evidence
from epsie.tempering.log_z import in_common


@styled
def evidence(source: Any, *, burn_in: int | None = None) -> Picture:
    r"""Where the evidence comes from: an integral over temperatures, or a bridge to a mixture.

    Of tempered chains the mean log likelihood at each inverse temperature. On the left is
    :math:`\langle\log L\rangle_\beta` itself, the area under which is the estimate of
    thermodynamic integration. Near :math:`\beta = 0` it often falls steeply, so on the right is
    :math:`\beta\langle\log L - \log L_1\rangle_\beta` over :math:`\log\beta`, with
    :math:`\log L_1` the mean at :math:`\beta = 1`: the area is the rest of log Z, and where it is
    large temperatures matter most. Dots are chains. Samples of the prior without likelihood are
    left out.

    Of plain chains that learn together the ratio of likelihood times prior to the normalised
    mixture q that they learned. On the left are its densities among the draws of the chains and
    among independent draws of q, accepted or not: of the same value there are exp(ratio) / Z times
    as many of the first, so that the curves cross at log Z, and where they hardly overlap it is
    hardly known. On the right is what each stretch between two lessons says by itself; the band is
    the estimate from all, and its standard error.

    The title has the estimate of `log_evidence`, if the ladder reaches from the posterior to the
    prior.

    Parameters
    ----------
    source : sampler or Run
        A sampler, or what `epsie.open_run` gave.
    burn_in : int, optional
        Iterations to leave out; by default as for `log_evidence`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If the chains are neither tempered nor learn together, or no samples are left.
    """
    view = View(source)
    if view.ntemps < 2:
        figure, found = bridge(view, burn_in)
        figure.suptitle(_told(found), fontsize=10)
        return figure
    used = evidence_burn_in(view, burn_in)
    if burn_in is None and used.iteration >= view.iterations[-1]:
        used = burn_in_of(view)
    logl = view.columns("stats", ["logl"])["logl"][..., rows_after(view, used)]
    betas = view.source.betas
    there = np.isfinite(logl)
    for i, (*_, beta, _) in enumerate(betas):
        there[-1, i] = in_common(logl[-1, i], logl[-2, i], beta)
    means: Floats = np.where(there, logl, 0).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
    figure = picture(9, 3.7)
    left, right = figure.subplots(1, 2)
    _draw_integrand(left, betas.T, means)
    left.set(xlabel=r"$\beta$", ylabel=r"$\langle\log L\rangle_\beta$", xlim=(-0.02, 1.02))
    # A row of temperatures is in it if it is so for all chains.
    rows = (betas.T > 0).all(axis=1)
    shifted = (means - means[0].mean()) * betas.T
    _draw_integrand(right, betas.T[rows], shifted[rows], fill_to=0.0)
    right.set_xscale("log")
    right.set(xlabel=r"$\beta$", ylabel=r"$\beta\,\langle\log L-\log L_1\rangle_\beta$")
    rested = view.source.last_moved
    moves = f"the ladder moved until iteration {rested}: no estimate"
    title = moves if rested > used.iteration else _title(view, burn_in, used.iteration)
    figure.suptitle(title, fontsize=10)
    caption(figure, f"draws {used}")
    return figure


def _draw_integrand(axes: Any, betas: Floats, values: Floats, fill_to: float | None = None) -> None:
    """Draw values, shape (ntemps, nchains), over betas of the same shape."""
    x, y = betas.mean(axis=1), values.mean(axis=1)
    axes.plot(betas.ravel(), values.ravel(), ".", color=GREY, ms=3, alpha=0.7)
    axes.plot(x, y, "o-", color=COLOURS[0], ms=4)
    low, _ = axes.get_ylim()
    axes.fill_between(x, low if fill_to is None else fill_to, y, color=COLOURS[0], alpha=0.12, lw=0)
    if fill_to is None:
        axes.set_ylim(bottom=low)
    number_ticks(axes.yaxis, 6)


def _title(view: View, burn_in: int | None, shown: int) -> str:
    """The estimate, if there can be one; without stretches that of the draws that are shown."""
    betas = view.source.betas
    if not ((betas[:, 0] == 1).all() and (betas[:, -1] == 0).all()):
        return "the ladder does not reach from 1 to 0: this is a part of the integral only"
    after = burn_in if is_anchored(view) else shown
    try:
        return _told(tempered.log_evidence(view, None, after))
    except ValueError:
        return "too few samples for an estimate"


def _told(found: Evidence) -> str:
    """An estimate in words."""
    error = found.standard_error
    precision = 10 ** np.floor(np.log10(error) - 0.3) if error > 0 else 0.01
    decades = number(found.log_z / log(10), precision)
    return (
        f"log Z = {number(found.log_z, precision)} ± {number(error, precision)} "
        f"by {_METHODS.get(found.method, found.method)} (log$_{{10}}$ Z = {decades})"
    )


_METHODS = {"mbar": "MBAR", "mixture": "bridges to what was learned"}
