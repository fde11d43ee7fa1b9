"""Posteriors with known evidence, and what tempered chains have to reach on them.

The tests make a part of the repeats, ``benchmarks/soak.py`` all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from epsie.chain.tempering import geometric_ladder

from epsie.chain import BarrierAnnealer
from epsie.proposals import ATAdaptiveNormal
from epsie.samplers import ParallelTemperedSampler
from epsie.tempering.evidence import Evidence
from tests.statistical import seed

INF = math.inf
NCHAINS, NTEMPS = 4, 8


def named(ndim: int) -> tuple[str, ...]:
    return tuple(f"x{i}" for i in range(ndim))


class Gaussian:
    """A unit normal likelihood and a wider normal prior."""

    def __init__(self, ndim: int, width: float = 10.0) -> None:
        self.parameters, self.width = named(ndim), width
        self.log_z = -0.5 * ndim * math.log1p(width * width)
        self._norm = -ndim * math.log(width * math.sqrt(2 * math.pi))
        self._factor = -0.5 / width**2

    def __call__(self, **x: float) -> tuple[float, float]:
        squares = sum([value * value for value in x.values()])
        return -0.5 * squares, self._norm + self._factor * squares

    def starts(self, rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        return {name: rng.normal(0, self.width, shape) for name in self.parameters}


class LinearRegression:
    """A straight line and a parabola through noisy points, normal prior: conjugate."""

    def __init__(self, npoints: int = 30, prior_sd: float = 5.0) -> None:
        self.parameters = named(3)
        rng = np.random.default_rng(3)
        t = np.linspace(-1, 2, npoints)
        self.design = np.stack([np.ones(npoints), t, t * t], axis=1)
        self.y = self.design @ [1.0, -2.0, 0.5] + 0.5 * rng.standard_normal(npoints)
        self.sigma, self.prior_sd = 0.5, prior_sd
        covariance = self.sigma**2 * np.eye(npoints) + prior_sd**2 * self.design @ self.design.T
        self.log_z = -0.5 * float(
            self.y @ np.linalg.solve(covariance, self.y)
            + np.linalg.slogdet(2 * np.pi * covariance)[1]
        )
        # The sum of squares about its minimum is that of three numbers instead of all points.
        self._best = np.linalg.lstsq(self.design, self.y)[0]
        self._r = (np.linalg.qr(self.design, mode="r") / self.sigma).tolist()
        rest = self.y - self.design @ self._best
        self._peak = -0.5 * float(rest @ rest) / self.sigma**2 - npoints * math.log(
            self.sigma * math.sqrt(2 * math.pi)
        )
        self._prior = -3 * math.log(prior_sd * math.sqrt(2 * math.pi))

    def __call__(self, x0: float, x1: float, x2: float) -> tuple[float, float]:
        b0, b1, b2 = self._best.tolist()
        (r00, r01, r02), (_, r11, r12), (_, _, r22) = self._r
        d0, d1, d2 = x0 - b0, x1 - b1, x2 - b2
        u, v, w = r00 * d0 + r01 * d1 + r02 * d2, r11 * d1 + r12 * d2, r22 * d2
        squares = (x0 * x0 + x1 * x1 + x2 * x2) / self.prior_sd**2
        return self._peak - 0.5 * (u * u + v * v + w * w), self._prior - 0.5 * squares

    def starts(self, rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        return {name: rng.normal(0, self.prior_sd, shape) for name in self.parameters}


class Mixture:
    """Two unit normal peaks 10 standard deviations apart in 4 dimensions, in a box."""

    weight = 0.25
    """That of the left peak."""

    def __init__(self, half_width: float = 10.0) -> None:
        self.parameters, self.half_width = named(4), half_width
        self._logp = -4 * math.log(2 * half_width)
        # The peaks are normalised; what of them lies beyond the box is less than 1e-6.
        self.log_z = self._logp
        self._norm = -2 * math.log(2 * math.pi)
        self._left, self._right = math.log(self.weight), math.log(1 - self.weight)

    def __call__(self, x0: float, x1: float, x2: float, x3: float) -> tuple[float, float]:
        width = self.half_width
        if not (abs(x0) < width and abs(x1) < width and abs(x2) < width and abs(x3) < width):
            return -INF, -INF
        left, right = self._left - 0.5 * (x0 + 5) ** 2, self._right - 0.5 * (x0 - 5) ** 2
        higher, lower = (left, right) if left > right else (right, left)
        peaks = higher + math.log1p(math.exp(lower - higher))
        return self._norm + peaks - 0.5 * (x1 * x1 + x2 * x2 + x3 * x3), self._logp

    def starts(self, rng: np.random.Generator, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        return {n: rng.uniform(-self.half_width, self.half_width, shape) for n in self.parameters}


def tempered(
    target: Any,
    betas: Any,
    tuning: int,
    number: int,
    nchains: int = NCHAINS,
    annealer: Any = None,
    swap_scheme: str = "cascade",
    **options: Any,
) -> ParallelTemperedSampler:
    """A sampler with proposals that learn for `tuning` iterations, from starts of the prior."""
    rng = np.random.default_rng([seed(), number])
    sampler = ParallelTemperedSampler(
        target.parameters,
        target,
        nchains,
        betas,
        proposals=[ATAdaptiveNormal(target.parameters, tuning)],
        adaptive_annealer=annealer,
        seed=int(rng.integers(2**63)),
        swap_scheme=swap_scheme,
        **options,
    )
    sampler.start_position = target.starts(rng, (sampler.ntemps, nchains))
    return sampler


def evidence_of(target: Any, number: int, iterations: int, tuning: int) -> Evidence:
    """The evidence by 4 chains x 8 temperatures with a tuned ladder."""
    betas = geometric_ladder(NTEMPS, len(target.parameters))
    sampler = tempered(target, betas, tuning, number, annealer=BarrierAnnealer(tuning))
    sampler.run(iterations)
    return sampler.log_evidence()


@dataclass(frozen=True)
class Calibration:
    """How estimates with errors agree with the truth."""

    bias: float
    sd: float
    coverage: float
    spread: float

    def __str__(self) -> str:
        return (
            f"bias {self.bias:.3f}, sd {self.sd:.3f}, coverage {self.coverage:.2f}, "
            f"spread of pulls {self.spread:.2f}"
        )


def calibration(target: Any, numbers: Sequence[int], iterations: int, tuning: int) -> Calibration:
    """Of the evidence, over repeats with the given numbers."""
    found = [evidence_of(target, number, iterations, tuning) for number in numbers]
    off = np.array([one.log_z - target.log_z for one in found])
    pulls = off / [one.standard_error for one in found]
    coverage = float((np.abs(pulls) < 1).mean())
    return Calibration(float(off.mean()), float(off.std()), coverage, float(pulls.std(ddof=1)))


def mixture_weight(number: int, evaluations: int = 200_000) -> tuple[float, Evidence]:
    """The weight of the left peak and the evidence of `Mixture`, from so many evaluations."""
    target, iterations = Mixture(), evaluations // (NCHAINS * NTEMPS)
    tuning = iterations // 5
    betas = geometric_ladder(NTEMPS, 4)
    sampler = tempered(target, betas, tuning, number, annealer=BarrierAnnealer(tuning))
    sampler.run(iterations)
    left = sampler.positions["x0"][0, :, tuning:] < 0
    return float(left.mean()), sampler.log_evidence()


def tuned_rejections(
    target: Any, ntemps: int, tuning: int, sweeps: int, number: int, swap_interval: int = 1
) -> np.ndarray:
    """The mean rejection rates of all pairs of a ladder tuned for so many sweeps."""
    betas, iterations = geometric_ladder(ntemps, len(target.parameters)), tuning * swap_interval
    annealer = BarrierAnnealer(iterations)
    sampler = tempered(target, betas, iterations, number, 1, annealer, swap_interval=swap_interval)
    sampler.run(iterations)
    sampler.clear()
    sampler.run(sweeps * swap_interval)
    return 1 - sampler.swap_acceptance[:, 0]


def round_trip_rate(
    target: Any, betas: Any, tuning: int, sweeps: int, number: int, annealed: bool
) -> float:
    """Round trips per 1000 evaluations, after tuning."""
    annealer = BarrierAnnealer(tuning) if annealed else None
    sampler = tempered(target, betas, tuning, number, NCHAINS, annealer)
    sampler.run(tuning)
    sampler.clear()
    sampler.run(sweeps)
    return 1000 * float(sampler.round_trips.sum()) / (sweeps * NCHAINS * sampler.ntemps)
