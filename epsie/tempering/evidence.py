r"""The evidence Z, the integral of likelihood times prior, from tempered log likelihoods.

Every estimator takes the log likelihoods of the samples of all temperatures and their inverse
temperatures, which must reach from beta = 1 to beta = 0, the prior. For Z to be the evidence the
model's `logp` must be the logarithm of a normalised density. A sample of the prior without
likelihood, logl = -inf, counts as L = 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import inf, isfinite, nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from epsie.checks import users_line
from epsie.tempering.log_z import METHODS, Floats


class Evidence(NamedTuple):
    """An estimate of the evidence."""

    log_z: float
    """The natural logarithm of the evidence: the mean over the chains."""

    standard_error: float
    """Its 1-sigma error."""

    method: str
    """The estimator."""

    per_chain: Floats
    """The estimate of each chain by itself, shape (nchains,).

    By 'mixture', which pools the chains, the pseudo-values of a jackknife: n times the estimate of
    all n chains less n - 1 times that without this one, whose mean is free of bias to first order.
    """

    per_level: Floats | None = None
    """Log Z at each inverse temperature, coldest first, shape (ntemps,); None if not estimated."""

    @property
    def caveat(self) -> str:
        """What must hold for it to be the evidence; '' if the prior is known to be normalised."""
        return ""


class ConditionalEvidence(Evidence):
    """An estimate of the evidence from a model of which it is not known what its `logp` is."""

    @property
    def caveat(self) -> str:
        """What must hold for it to be the evidence."""
        return "it is the evidence if the model's logp is the logarithm of a normalised density"


def log_evidence(logl: ArrayLike, betas: ArrayLike, method: str = "mbar") -> Evidence:
    """The evidence from independent tempered chains.

    The standard error allows for autocorrelation, and for chains that differ: see `standard_error`.
    Both are NaN, with a warning, where samples at beta > 0 have a logl as -1e300 that stands for
    -inf, and log Z cannot be told for it.

    Parameters
    ----------
    logl : array_like
        Log likelihoods, shape (ntemps, nchains, niterations).
    betas : array_like
        Inverse temperatures, descending from 1 to 0; shape (ntemps,), or (nchains, ntemps) if each
        chain has its own.
    method : {'mbar', 'bridge', 'stepping_stone', 'thermodynamic'}, optional
        How to estimate it: see `epsie.tempering.log_z`.

    Raises
    ------
    ValueError
        If the ladder does not reach from 1 to 0, shapes do not fit, there are too few samples, or
        the method is unknown.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    values, ladders = _checked(logl, betas)
    with np.errstate(over="ignore", invalid="ignore"):
        lost = [_is_lost(values[:, i], ladder, method) for i, ladder in enumerate(ladders)]
        estimates = [METHODS[method](values[:, i], ladder) for i, ladder in enumerate(ladders)]
        per_chain = np.where(lost, nan, [estimate.log_z for estimate in estimates])
        error = standard_error(per_chain, [estimate.influence for estimate in estimates])
    log_z = float(per_chain.mean())
    if not isfinite(log_z + error):
        log_z = error = nan
        least = values[values > -inf].min()
        warnings.warn(f"{UNTOLD}; got {least:g}", RuntimeWarning, stacklevel=users_line())
    return Evidence(log_z, error, method, per_chain)


def averaged(runs: Sequence[Evidence]) -> Evidence:
    """The mean over independent runs; its error is that of theirs, or of their spread if larger."""
    log_z = np.array([run.log_z for run in runs])
    within = sqrt(sum(run.standard_error**2 for run in runs)) / len(runs)
    between = float(log_z.std(ddof=1)) / sqrt(len(runs))
    per_chain = np.concatenate([run.per_chain for run in runs])
    first = runs[0]
    return type(first)(float(log_z.mean()), max(within, between), first.method, per_chain)


UNTOLD = (
    "log Z is NaN, as it cannot be told from samples whose logl is so low. If that stands for zero "
    "let the model return -inf; if chains started there leave their way from there out (burn_in), "
    "or run longer"
)
"""The beginning of the warning."""

_ABSURD = 1e8
"""A sample with the exponential of minus that of the others' weight is there by mistake."""

_MOST = 1e14
"""Of a number that large no digit after the point is left."""


def _is_lost(logl: Floats, betas: Floats, method: str) -> bool:
    """Whether a chain has samples from which log Z cannot be told.

    Weights take no notice of a few samples that are absurd, an integral does.
    """
    widths, middles = -np.diff(betas), np.median(logl[:-1], axis=-1)
    nothing_common = widths * (logl[1:].max(axis=-1) - middles) < -_ABSURD
    lost = bool(nothing_common.any() or middles[0] < -_MOST)
    if method != "thermodynamic":
        return lost
    return lost or bool((widths * (logl[:-1].min(axis=-1) - middles) < -_ABSURD).any())


def _checked(logl: ArrayLike, betas: ArrayLike) -> tuple[Floats, Floats]:
    values, given = np.asarray(logl, dtype=float), np.asarray(betas, dtype=float)
    if values.ndim != 3:
        raise ValueError(f"logl must have shape (ntemps, nchains, niterations); got {values.shape}")
    ntemps, nchains, niterations = values.shape
    if given.shape not in ((ntemps,), (nchains, ntemps)):
        raise ValueError(
            f"betas must have shape ({ntemps},) or ({nchains}, {ntemps}) with logl of shape "
            f"{values.shape}; got {given.shape}"
        )
    ladders = np.broadcast_to(given, (nchains, ntemps))
    if niterations < LEAST_SAMPLES:
        raise ValueError(f"the evidence needs {LEAST_SAMPLES} samples or more; got {niterations}")
    if (np.diff(ladders) >= 0).any() or ntemps < 2:
        raise ValueError("the evidence needs two temperatures or more, betas descending")
    if (ladders[:, 0] != 1).any() or (ladders[:, -1] != 0).any():
        raise ValueError(
            "the evidence needs a ladder from beta = 1, the posterior, to beta = 0, the prior; got "
            f"one from {ladders[:, 0].min()} to {ladders[:, -1].max()}. Give betas that end with 0"
        )
    if (values[-1] == -inf).all(axis=-1).any():
        raise ValueError(
            "no sample of the prior (beta = 0) has a likelihood: its share of the prior cannot be "
            "told. Take more samples, or a prior nearer to the likelihood"
        )
    if np.isnan(values).any() or (values == inf).any() or (values[:-1] == -inf).any():
        raise ValueError("logl must be finite, and may be -inf at beta = 0 alone")
    return values, ladders


LEAST_SAMPLES = 10
"""Fewer samples tell nothing of their autocorrelation."""


def standard_error(per_chain: Floats, influences: list[Floats]) -> float:
    """The 1-sigma error of the mean over independent chains.

    It comes from within the chains, autocorrelation counted, as long as they differ no more from
    each other than that explains (a chi-square test at 5 %). Else it comes from the spread between
    them, times the quantile of Student's t for their number.

    Parameters
    ----------
    per_chain : array
        The estimate of each chain, shape (nchains,).
    influences : list of array
        Of every chain the influence of each iteration.
    """
    from scipy.special import chdtri, ndtr, stdtrit

    nchains = len(per_chain)
    within = sum(variance_of_mean(influence) for influence in influences) / nchains**2
    if nchains > 1:
        between = float(per_chain.var(ddof=1)) / nchains
        if between * (nchains - 1) > within * float(chdtri(nchains - 1, 0.05)):
            return float(stdtrit(nchains - 1, ndtr(1.0))) * sqrt(between)
    return sqrt(within)


def variance_of_mean(series: Floats) -> float:
    """The variance of the mean of an autocorrelated series.

    Sums of adjacent pairs of autocovariances are positive and descend for a reversible chain: the
    sum ends where they cease to (the initial monotone sequence of Geyer 1992,
    doi:10.1214/ss/1177011137).

    Parameters
    ----------
    series : array
        Values at consecutive iterations, shape (niterations,).
    """
    n = len(series)
    centred = series - series.mean()
    spectrum = np.fft.rfft(centred, 2 ** int(np.ceil(np.log2(2 * n))))
    covariances = np.fft.irfft(np.abs(spectrum) ** 2)[:n] / n
    pairs = covariances[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    positive = pairs[: negative[0]] if negative.size else pairs
    total = 2 * float(np.minimum.accumulate(positive).sum()) - float(covariances[0])
    return max(total, float(covariances[0])) / n
