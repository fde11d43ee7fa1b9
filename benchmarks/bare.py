"""The hand-written loop that every step is measured against.

It is what one would write for one problem without a library: variates drawn in blocks and kept as
Python lists, the model called by name, every position, value, ratio and decision stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import exp, inf

import numpy as np

BLOCK = 128


class Trace:
    """What the loop stores."""

    def __init__(self) -> None:
        self.positions: list[tuple[float, ...]] = []
        self.logl: list[float] = []
        self.logp: list[float] = []
        self.ratios: list[float] = []
        self.accepted: list[bool] = []


def walk(
    model: Callable[..., tuple[float, float]],
    names: Sequence[str],
    x: tuple[float, ...],
    widths: Sequence[float],
    niterations: int,
    generator: np.random.Generator,
) -> Trace:
    """A Metropolis walk with independent normal jumps.

    Parameters
    ----------
    model : callable
        ``model(**parameters)`` gives ``(logl, logp)``.
    names : sequence of str
        The parameters.
    x : tuple of float
        The start.
    widths : sequence of float
        The standard deviation of each jump.
    niterations : int
        How many steps.
    generator : numpy.random.Generator
        The source of random numbers.
    """
    trace = Trace()
    positions, logls, logps = trace.positions, trace.logl, trace.logp
    ratios, decisions = trace.ratios, trace.accepted
    logl, logp = model(**dict(zip(names, x)))
    for start in range(0, niterations, BLOCK):
        n = min(BLOCK, niterations - start)
        jumps = generator.standard_normal((n, len(x))).tolist()
        uniforms = generator.random(n).tolist()
        for jump, uniform in zip(jumps, uniforms):
            y = tuple([a + width * z for a, width, z in zip(x, widths, jump)])
            new_logl, new_logp = model(**dict(zip(names, y)))
            ratio, accepted = 0.0, False
            if new_logp > -inf:
                log_ratio = new_logl - logl + new_logp - logp
                ratio = 1.0 if log_ratio > 0 else exp(log_ratio)
                accepted = uniform < ratio
                if accepted:
                    x, logl, logp = y, new_logl, new_logp
            positions.append(x)
            logls.append(logl)
            logps.append(logp)
            ratios.append(ratio)
            decisions.append(accepted)
    return trace
