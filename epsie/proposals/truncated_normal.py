"""The normal distribution confined to an interval that holds its centre.

Intervals are given from the centre: `below` <= 0 <= `above`, either or both infinite. As the centre
is inside, the mass is a sum of two positive error functions, and nothing cancels at any width.
"""

from __future__ import annotations

from math import erf, exp, inf, log, pi, sqrt

from epsie.rng.stream import Stream

ROOT_2 = sqrt(2)
WIDE = 1 / sqrt(2 * pi)
"""A width of more than this part of the interval is drawn from the uniform distribution."""

FLAT = 1e-8
"""The length of an interval, in widths, below which the distribution is uniform to rounding."""

FAR = 6 * ROOT_2
"""A bound more widths than this from the centre changes nothing: erf is 1 to the last bit there."""

_LOG_HALF_PI = 0.5 * log(pi / 2)


def draw(stream: Stream, below: float, above: float, width: float) -> float:
    """A variate, by rejection from the distribution that fits better: the normal or the uniform.

    The normal fits if its width is below `WIDE` of the interval. Both are accepted with a
    probability above 0.49, whatever the width and wherever the centre, so that the time is bounded.
    """
    if width >= WIDE * (above - below):
        return draw_wide(stream, 0.0, below, above, width)
    while not below <= (step := width * stream.normal()) <= above:
        pass
    return step


def draw_wide(stream: Stream, centre: float, lower: float, upper: float, width: float) -> float:
    """A variate about `centre`, by rejection from the uniform distribution."""
    uniform, extent = stream.uniform, upper - lower
    while True:
        y = lower + extent * uniform()
        z = (y - centre) / width
        # The sum may round to beyond the bound.
        if uniform() < exp(-0.5 * z * z) and y <= upper:
            return y


def mass(below: float, above: float, width: float) -> float:
    """Twice the mass that the normal distribution has within the interval."""
    unit = ROOT_2 * width
    return erf(above / unit) - erf(below / unit)


def log_mass(below: float, above: float, width: float) -> float:
    """Log of the integral of exp(-step^2 / (2 width^2)) over the interval."""
    if above - below < FLAT * width:
        return log(above - below)
    return _LOG_HALF_PI + log(width) + log(mass(below, above, width))


def log_density(step: float, below: float, above: float, width: float) -> float:
    """The log density; a zero width has all mass at the centre, where it counts as 1."""
    if not below <= step <= above:
        return -inf
    if width == 0:
        return 0.0 if step == 0 else -inf
    z = step / width
    return -0.5 * z * z - log_mass(below, above, width)


def stretched(step: float, below: float, above: float, width: float, by: float) -> float:
    """The variate of a `by` times larger width at the same quantile as this one."""
    from scipy.special import erfinv

    near, far = ROOT_2 * width, ROOT_2 * width * by
    if far == 0 or near == 0:
        return step
    start, end = erf(below / near), erf(above / near)
    if start == end:
        return step
    quantile = (erf(step / near) - start) / (end - start)
    start, end = erf(below / far), erf(above / far)
    there = far * float(erfinv(start + quantile * (end - start)))
    return min(max(there, below), above)
