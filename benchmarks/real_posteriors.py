"""Evaluations that real posteriors need, in natural scales: ``real_posteriors.py [names]``.

Four plain chains learn, from starts drawn from the priors, flat ones within ten standard deviations
of the reference. Told is how many evaluations of all chains gave an ESS of 1,000 of the worst
parameter at an R-hat below 1.01, in the later half; and whether after 40,000 all means and standard
deviations are those of the reference, within four of their errors.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from figure import Figure, asked_for
from measured import enough

sys.path.insert(0, str(Path(__file__).parent.parent))

from epsie.proposals import Learned
from epsie.samplers import MetropolisHastingsSampler
from tests.references import REFERENCES, Garch, GaussMix, Reference, Regression, deviations

NCHAINS, EVALUATIONS, MOST_CALLS, FAR = 4, 40_000, 10_000, 4.0

_BOUNDS = {
    **dict.fromkeys(("tau", "sigma", "sigma1", "sigma2", "alpha0"), (0.0, np.inf)),
    **dict.fromkeys(("theta", "alpha1", "beta1"), (0.0, 1.0)),
}

_BY_NAME = {cls.name.split("-")[0]: cls for cls in REFERENCES}


class Natural:
    """A reference in natural scales.

    Parameters
    ----------
    reference : Reference
        The reference, some of whose parameters are logarithms.
    """

    def __init__(self, reference: Reference) -> None:
        self.reference = reference
        self.parameters = tuple(name.removeprefix("log_") for name in reference.parameters)
        self._logs = [name for name in reference.parameters if name.startswith("log_")]
        self.bounds = {
            name: bounds
            for name, bounds in _BOUNDS.items()
            if name in self.parameters
            and not (name.endswith("1") and isinstance(reference, Regression))
        }

    def __call__(self, **values: float) -> tuple[float, float]:
        """Log likelihood and log prior of the natural parameters."""
        jacobian = 0.0
        for name in self._logs:
            x = values.pop(name.removeprefix("log_"))
            if not x > 0:
                return -np.inf, -np.inf
            values[name] = math.log(x)
            jacobian -= values[name]
        logl, logp = self.reference(**values)
        return logl, logp + jacobian

    def start(self, rng: np.random.Generator) -> dict[str, float]:
        """A draw from the prior at which the density does not vanish."""
        while True:
            values = self._drawn(rng)
            if np.isfinite(sum(self(**values))):
                return values

    def _drawn(self, rng: np.random.Generator) -> dict[str, float]:
        reference = self.reference
        if not isinstance(reference, (Regression, GaussMix, Garch)):
            return reference.start(rng)
        wide = {
            name: float(row["mean"] + row["sd"] * rng.uniform(-10, 10))
            for name, row in zip(self.parameters, reference.table.values(), strict=True)
        }
        if isinstance(reference, GaussMix):
            means, sigmas = np.sort(rng.normal(0, 2, 2)), np.abs(rng.normal(0, 2, 2))
            return dict(zip(self.parameters, [*means, *sigmas, rng.beta(5, 5)], strict=True))
        if isinstance(reference, Garch):
            alpha1, beta1, _ = rng.dirichlet([1, 1, 1]).tolist()
            return {**wide, "alpha1": alpha1, "beta1": beta1}
        if reference.prior_sd is not None:
            for name in reference.coefficients:
                wide[name] = rng.normal(0, reference.prior_sd)
        return wide

    def quantities(self, positions: Any) -> dict[str, Any]:
        """The quantities of the reference's table."""
        logs = {name: np.log(positions[name.removeprefix("log_")]) for name in self._logs}
        plain = {name: positions[name] for name in self.parameters}
        return self.reference.derived({**plain, **logs})


def run(name: str, seed: int) -> tuple[float, float]:
    """The evaluations that were needed, and by how many errors the worst estimate is off."""
    target, rng = Natural(_BY_NAME[name]()), np.random.default_rng(seed)
    names = list(target.parameters)
    part = Learned(names, target.bounds or None)
    sampler = MetropolisHastingsSampler(names, target, NCHAINS, [part], seed=seed)
    starts = [target.start(rng) for _ in range(NCHAINS)]
    sampler.start_position = {key: [start[key] for start in starts] for key in names}
    n = EVALUATIONS // NCHAINS
    sampler.run(n)
    draws = np.stack([sampler.positions[key] for key in names], axis=-1)
    grid = np.unique(np.geomspace(200, n, 60).astype(int)).tolist()
    needed = (m * NCHAINS for m in grid if enough(draws[:, m // 2 : m]))
    late = {key: sampler.positions[key][:, n // 2 :] for key in names}
    off = [
        max(map(abs, deviations(values, row["mean"], row["sd"])))
        for values, row in zip(
            target.quantities(late).values(), target.reference.table.values(), strict=True
        )
    ]
    return float(next(needed, np.inf)), max(off)


def figures(names: list[str], seeds: int) -> Iterator[Figure]:
    """Medians over seeds."""
    for name in names:
        found = [run(name, seed) for seed in range(seeds)]
        calls = float(np.median([each[0] for each in found]))
        off = float(np.median([each[1] for each in found]))
        value = calls if np.isfinite(calls) else None
        yield Figure(f"{name}: evaluations to ESS 1,000", value, "", MOST_CALLS)
        yield Figure(f"{name}: the worst estimate is off by", off, "errors", FAR)


if __name__ == "__main__":
    sys.exit(asked_for(__doc__, list(_BY_NAME), 3, figures))
