"""Tests that samples follow a known distribution, with a stated rate of false alarms.

`check_draws` compares independent draws with their distribution. `check_invariance` draws start
points from the target itself, applies a Markov transition to each, and compares the end points
with the target: if the transition leaves the target invariant they follow it exactly, whatever
the number of steps, so the null hypothesis is exact and nothing has to burn in.

Arithmetic of the false alarms. A test looks at most L times, each time at fresh draws, of which
there are more from look to look. One look computes m p-values, each at most u with probability at
most u if all is well, and takes q = min(1, m * smallest p), of which the same holds (Bonferroni).
With a = alpha / L and a bound g, look i = 0 ... L-1

* fails if q <= a / g**i,
* passes if q > g, and at the last look if it did not fail,
* else hands on to look i + 1.

Look i is reached with probability at most g**i, since the looks are independent, and then fails
with probability at most a / g**i: at most a per look, alpha in all. The defaults, alpha = 1e-5,
L = 4 and g = 1/4, fail below 2.5e-6, 1e-5, 4e-5 and 1.6e-4 with 5,000, 10,000, 20,000 and 40,000
draws, and cost a sound sampler at most 1.9 times the first look on average. All p-values are
exact (Kolmogorov-Smirnov, binomial), so no bound rests on an asymptotic tail.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

Samples = Mapping[str, np.ndarray]
Statistic = str | Callable[[Samples], np.ndarray]
PValues = dict[str, float]


def seed() -> int:
    """Return the one seed of the test suite, which ``EPSIE_TEST_SEED`` overrides."""
    return int(os.environ.get("EPSIE_TEST_SEED", "1970"))


def generator(label: str) -> np.random.Generator:
    """Return a random generator of its own for each label, made from `seed`."""
    return np.random.default_rng([seed(), zlib.crc32(label.encode())])


@dataclass(frozen=True)
class Plan:
    """How a sequential test looks; the module's docstring has the arithmetic."""

    false_alarm: float = 1e-5
    looks: int = 4
    pass_bound: float = 0.25
    size: int = 5000
    growth: int = 2

    def fail_bound(self, look: int) -> float:
        """Fail a look (counted from 0) whose corrected p-value is at most this."""
        return self.false_alarm / self.looks / self.pass_bound**look


@dataclass(frozen=True)
class Verdict:
    """What a sequential test found, and at which look."""

    passed: bool
    look: int
    size: int
    p_values: PValues

    @property
    def corrected(self) -> float:
        """The smallest p-value, corrected for their number."""
        return corrected(self.p_values)

    def __str__(self) -> str:
        worst = min(self.p_values, key=lambda name: self.p_values[name])
        word = "passed" if self.passed else "failed"
        return (
            f"{word} at look {self.look + 1} with {self.size} draws: corrected p = "
            f"{self.corrected:.3g}, smallest for {worst!r} of {len(self.p_values)} statistics"
        )


def corrected(p_values: PValues) -> float:
    """Return the smallest p-value times their number, at most 1; NaN counts as 0."""
    smallest = min(0.0 if np.isnan(p) else p for p in p_values.values())
    return min(1.0, len(p_values) * smallest)


def sequential(look_at: Callable[[int], PValues], plan: Plan) -> Verdict:
    """Look at fresh draws, more each time, until the p-values decide.

    `look_at(size)` draws `size` times anew and returns a p-value for each statistic.
    """
    for look in range(plan.looks):
        size = plan.size * plan.growth**look
        p_values = look_at(size)
        if corrected(p_values) <= plan.fail_bound(look):
            return Verdict(False, look, size, p_values)
        if corrected(p_values) > plan.pass_bound:
            break
    return Verdict(True, look, size, p_values)


def values_of(statistic: Statistic, samples: Samples) -> np.ndarray:
    """Evaluate a statistic: a parameter's name or a function of all samples."""
    return np.asarray(samples[statistic] if isinstance(statistic, str) else statistic(samples))


def count_p_value(counts: np.ndarray, probabilities: np.ndarray) -> float:
    """Exact p-value of category counts: two-sided binomial for each, Bonferroni over them."""
    size = counts.sum()
    below = stats.binom.cdf(counts, size, probabilities)
    above = stats.binom.sf(counts - 1, size, probabilities)
    return float(min(1.0, len(counts) * 2 * np.minimum(below, above).min()))


def distance_p_value(u: np.ndarray) -> float:
    """Exact Kolmogorov-Smirnov p-value of values that should be uniform on [0, 1]."""
    u = np.sort(u)
    ranks = np.arange(len(u) + 1) / len(u)
    distance = max((ranks[1:] - u).max(), (u - ranks[:-1]).max())
    return float(stats.kstwo.sf(distance, len(u)))


@dataclass(frozen=True)
class Continuous:
    """A statistic with a continuous distribution, known by its CDF.

    It is judged by the Kolmogorov-Smirnov distance of ``u = cdf(value)``, which sees a shift; by
    that of ``|2 u - 1|``, which sees a wrong width; and by the counts in `bins` equally probable
    bins, which see the ends.
    """

    of: Statistic
    cdf: Callable[[np.ndarray], np.ndarray]
    bins: int = 20

    def p_values(self, name: str, samples: Samples) -> PValues:
        """Return the p-values of the three comparisons; all are 0 if a value is NaN."""
        u = np.asarray(self.cdf(values_of(self.of, samples)), dtype=float)
        names = [f"{name}: {what}" for what in ("distance", "width", "bins")]
        if np.isnan(u).any():
            return dict.fromkeys(names, 0.0)
        counts = np.histogram(u, self.bins, (0.0, 1.0))[0]
        found = (
            distance_p_value(u),
            distance_p_value(np.abs(2 * u - 1)),
            count_p_value(counts, np.full(self.bins, 1 / self.bins)),
        )
        return dict(zip(names, found, strict=True))


@dataclass(frozen=True)
class Discrete:
    """A statistic with finitely many values, known by their probabilities."""

    of: Statistic
    pmf: Mapping[Any, float]

    def p_values(self, name: str, samples: Samples) -> PValues:
        """Return the p-value of the counts of all values; a value not in `pmf` has p = 0."""
        values = values_of(self.of, samples)
        counts = np.array([np.count_nonzero(values == value) for value in self.pmf])
        if counts.sum() < len(values):
            return {name: 0.0}
        return {name: count_p_value(counts, np.array(list(self.pmf.values())))}


Marginals = Mapping[str, Continuous | Discrete]
DrawStart = Callable[[np.random.Generator, int], Samples]
Transition = Callable[[dict[str, Any]], Mapping[str, Any]]


def p_values_of(marginals: Marginals, samples: Samples) -> PValues:
    """Return the p-values of all marginals."""
    found: PValues = {}
    for name, marginal in marginals.items():
        found.update(marginal.p_values(name, samples))
    return found


def judge_draws(draw: Callable[[int], Samples], marginals: Marginals, plan: Plan) -> Verdict:
    """Compare independent draws, `draw(size)`, with their distribution."""
    return sequential(lambda size: p_values_of(marginals, draw(size)), plan)


def judge_invariance(
    draw_start: DrawStart,
    transition: Transition,
    marginals: Marginals,
    rng: np.random.Generator,
    plan: Plan,
) -> tuple[Verdict, float]:
    """Judge whether `transition` keeps the target; also return the fraction that moved."""
    moved = total = 0

    def look_at(size: int) -> PValues:
        nonlocal moved, total
        start = draw_start(rng, size)
        ends = []
        for values in zip(*(start[name].tolist() for name in start), strict=True):
            x = dict(zip(start, values, strict=True))
            end = transition(x)
            ends.append([end[name] for name in start])
            moved += ends[-1] != list(values)
        total += size
        columns = zip(start, zip(*ends, strict=True), strict=True)
        return p_values_of(marginals, {name: np.array(column) for name, column in columns})

    verdict = sequential(look_at, plan)
    return verdict, moved / total


def check_draws(
    draw: Callable[[int], Samples], marginals: Marginals, plan: Plan | None = None
) -> Verdict:
    """Demand that independent draws, `draw(size)`, follow `marginals`."""
    verdict = judge_draws(draw, marginals, plan or Plan())
    assert verdict.passed, str(verdict)
    return verdict


def check_invariance(
    draw_start: DrawStart,
    transition: Transition,
    marginals: Marginals,
    rng: np.random.Generator,
    plan: Plan | None = None,
    least_moved: float = 0.2,
) -> Verdict:
    """Demand that `transition` leaves the target invariant, and that it moves.

    Parameters
    ----------
    draw_start : callable
        ``draw_start(rng, size)`` returns arrays of independent draws from the target.
    transition : callable
        Takes a position, a dict of Python numbers, and returns where it ends after some steps.
    marginals : mapping
        Name to `Continuous` or `Discrete`: what is compared. Functions of several parameters
        with a known distribution look at the joint structure.
    rng : numpy.random.Generator
        Draws the start points.
    plan : Plan, optional
        How to look; 1e-5 false alarms by default.
    least_moved : float, optional
        Least fraction of transitions that must end elsewhere: standing still is invariant too.
    """
    verdict, moved = judge_invariance(draw_start, transition, marginals, rng, plan or Plan())
    assert verdict.passed, str(verdict)
    assert moved >= least_moved, f"only {moved:.3g} of the transitions moved"
    return verdict


def stepping(chain: Any, steps: int) -> Transition:
    """The transition of `steps` steps of a chain."""

    def transition(x: Mapping[str, Any]) -> Mapping[str, Any]:
        chain.start_position = x
        for _ in range(steps):
            chain.step()
        end: Mapping[str, Any] = chain.current_position
        chain.clear()
        return end

    return transition


def assert_power(
    draw_start: DrawStart,
    transition: Transition,
    marginals: Marginals,
    rng: np.random.Generator,
    plan: Plan | None = None,
) -> Verdict:
    """Demand that the check of `check_invariance` fails: the defect in `transition` is seen."""
    verdict, _ = judge_invariance(draw_start, transition, marginals, rng, plan or Plan())
    assert not verdict.passed, f"a planted defect was not seen: {verdict}"
    return verdict
