"""Moves by former positions: an archive, which is frozen."""

from __future__ import annotations

from math import exp, log, sqrt
from operator import mul
from typing import Any

from epsie.proposals.learned.move import Move
from epsie.proposals.learned.spot import Spot
from epsie.rng.stream import Stream

TINY = 1e-300


class Difference(Move):
    """A multiple of the difference of two former positions (ter Braak 2006).

    Half of the time of some parameters alone, as in DREAM (Vrugt et al. 2009), else of all with
    some noise. The archive is frozen, so the jump is symmetric, doi:10.1007/s11222-006-8769-1.
    """

    name = "difference"
    wraps = True

    def draw(self, kernel: Any, here: Spot, stream: Stream) -> Spot | None:
        """A jump along a difference."""
        u, v, *places = stream.uniforms(4)
        x, (a, b) = here.u, map(kernel.former, places)
        d = len(x)
        if u < 0.5:
            kernel.tunes = False
            gamma = 1.0 if u < 0.375 else 2.38 / sqrt(2 * d) * exp(0.3 * stream.normal())
            by = [gamma] * d if d == 1 or v < 0.25 else self._some(d, gamma, stream)
            y = [x + c * (a - b) for x, c, a, b in zip(x, by, a, b)]
        else:
            gamma, noise = self._gamma(kernel, d, v), zip(kernel.jitter, stream.normals(d))
            y = [x + gamma * (a - b) + s * z for x, a, b, (s, z) in zip(x, a, b, noise)]
        drawn: Spot | None = kernel.spot_of(y, True)
        return drawn

    @staticmethod
    def _some(d: int, gamma: float, stream: Stream) -> list[float]:
        """Gamma for some parameters, of which there are equally often any number, else 0."""
        number = int(stream.uniform() * d)
        marks = stream.uniforms(d)
        last = sorted(marks)[number]
        return [gamma if mark <= last else 0.0 for mark in marks]

    def _gamma(self, kernel: Any, d: int, v: float) -> float:
        """1 to change from one mode to another; else the tuned size, or a smaller one."""
        kernel.tunes = 0.1 <= v < 0.55
        if v < 0.1:
            return 1.0
        gamma = 2.38 / sqrt(2 * d) * exp(kernel.tuning.sizes[self.name])
        return gamma if kernel.tunes else gamma * exp(-3 * (v - 0.55) / 0.45)


class Snooker(Move):
    """A jump along the line to a former position (ter Braak & Vrugt 2008).

    It is by the projection of a difference of two others, doi:10.1007/s11222-008-9104-9.
    """

    name = "snooker"

    def draw(self, kernel: Any, here: Spot, stream: Stream) -> Spot | None:
        """A jump along the line."""
        gamma, *places = stream.uniforms(4)
        x, (z, a, b) = here.u, map(kernel.former, places)
        line = [(x - z) / s for x, z, s in zip(x, z, kernel.scale)]
        square = sum(map(mul, line, line))
        if not square > TINY:
            return None
        across = sum([(a - b) / s * c for a, b, s, c in zip(a, b, kernel.scale, line)])
        along = (1.2 + gamma) * across / square
        stretched = abs(1 + along)
        if not stretched > 0:
            return None
        kernel.stretch = log(stretched)
        y = [x + along * s * c for x, s, c in zip(x, kernel.scale, line)]
        drawn: Spot | None = kernel.spot_of(y)
        return drawn

    def log_hastings(self, kernel: Any, here: Spot, there: Spot) -> float:
        """(d - 1) log (|y - z| / |x - z|)."""
        found: float = (len(here.x) - 1) * kernel.stretch
        return found

    def learn(self, kernel: Any, ratio: float) -> None:
        """It has no size."""
