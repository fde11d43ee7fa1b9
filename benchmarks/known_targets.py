"""The targets of the comparisons, by name."""

from __future__ import annotations

from collections.abc import Callable

from fitted_targets import eight_schools, line, sinusoid
from sharp_targets import (
    Target,
    banana,
    egg_box,
    funnel,
    gaussian,
    rastrigin,
    rosenbrock,
    shells,
    student,
    truncated,
    two_modes,
)

TARGETS: dict[str, Callable[[], Target]] = {
    "corr10": lambda: gaussian(10, 100.0, 20.0),
    "gauss20": lambda: gaussian(20, 1.0, 10.0),
    "gauss50": lambda: gaussian(50, 1000.0, 20.0),
    "student": student,
    "trunc10": truncated,
    "line": line,
    "schools": eight_schools,
    "rosen2b": rosenbrock,
    "haario2": lambda: banana(2),
    "haario10": lambda: banana(10),
    "funnel5": lambda: funnel(5),
    "funnel10": lambda: funnel(10),
    "two4": lambda: two_modes(4, 0.25),
    "two10": lambda: two_modes(10, 0.25),
    "eggbox": egg_box,
    "sinusoid5": sinusoid,
    "shells5": shells,
    "rastrigin5": rastrigin,
}
