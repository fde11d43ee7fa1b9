"""Simulation-based calibration: whether likelihood, prior and sampler belong to the simulation."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import as_count, as_rate, given
from epsie.model.posterior import Likelihood
from epsie.model.prior import Prior
from epsie.pools.mapper import mapper_for
from epsie.pools.pickling import dumps
from epsie.rng.bit_generators import create_seed
from epsie.samplers.sample import sample

LEVELS = 31
"""The number of draws of each posterior among which the truth is ranked."""

_UNTIL = {"ess": 8 * LEVELS, "rhat": 1.05}
_MOST_EVALUATIONS = 1_000_000
_IN_A_BIN = 15
"""The least mean count in a bin, for the distribution of chi-square to hold."""

_MOMENTS = 2
"""Of the ranks, that are tested: more would see less of these two."""

_LOG_LIKELIHOOD = "log likelihood"


@dataclass(frozen=True)
class Calibration:
    """The ranks of true values among draws of their posteriors, which must be uniform.

    Parameters
    ----------
    ranks : dict of ndarray
        For each parameter, and the log likelihood, the rank of each simulation's truth among
        `levels` draws, 0 to `levels`, shape (n,).
    levels : int
        The number of draws.
    unfinished : int
        How many of the posteriors did not reach what they were to reach, and count all the same.
    false_alarm : float
        The probability to be called wrong if all is right.
    """

    ranks: dict[str, NDArray[np.int64]]
    levels: int
    unfinished: int
    false_alarm: float

    @property
    def n(self) -> int:
        """The number of simulations."""
        return len(next(iter(self.ranks.values())))

    @property
    def counts(self) -> dict[str, NDArray[np.int64]]:
        """For each quantity the counts of ranks in bins of equal probability."""
        width = 1
        while self.n * width / (self.levels + 1) < _IN_A_BIN and 4 * width <= self.levels + 1:
            width *= 2
        edges = np.arange(0, self.levels + 2, width)
        return {name: np.histogram(ranks, edges)[0] for name, ranks in self.ranks.items()}

    @property
    def p_values(self) -> dict[str, float]:
        """For each quantity the probability of ranks at least as uneven, if all is right.

        Of two tests the smaller, doubled: chi-square of the counts, and Neyman's smooth test of
        mean and variance (1937, doi:10.1080/03461238.1937.10404821), which sees in few simulations
        that posteriors are too far to one side, too narrow or too wide.
        """
        from scipy.special import chdtrc

        found = {}
        for name, counts in self.counts.items():
            mean = counts.mean()
            uneven = ((counts - mean) ** 2 / mean).sum()
            moments = _orthonormal(self.levels)[self.ranks[name]].sum(axis=0) / self.n**0.5
            smaller = min(chdtrc(len(counts) - 1, uneven), chdtrc(_MOMENTS, moments @ moments))
            found[name] = min(2 * float(smaller), 1.0)
        return found

    @property
    def is_right(self) -> bool:
        """Whether no quantity is uneven, at the false-alarm rate of all together."""
        return min(self.p_values.values()) * len(self.ranks) >= self.false_alarm

    def __str__(self) -> str:
        texts = [f"{name}: p = {p:.2g}" for name, p in self.p_values.items()]
        verdict = "the ranks are uniform" if self.is_right else "THE RANKS ARE NOT UNIFORM"
        remark = f"; {self.unfinished} posteriors were unfinished" if self.unfinished else ""
        return (
            f"{verdict} ({self.n} simulations, false-alarm rate {self.false_alarm:g}; "
            f"{', '.join(texts)}{remark})"
        )


def calibrate(
    simulate: Callable[..., Any],
    log_likelihood_of: Callable[[Any], Likelihood],
    prior: Prior | Mapping[Any, Any],
    n: int = 200,
    *,
    pool: Any = None,
    seed: int | None = None,
    false_alarm: float = 1e-3,
    **settings: Any,
) -> Calibration:
    """Simulate data at draws from the prior, sample each posterior, and rank the truth in it.

    If likelihood, prior and sampler are right, the rank of a true value among draws of the
    posterior is uniform (Talts et al. 2018, arXiv:1804.06788, theorem 1); that of the log
    likelihood finds errors that no parameter shows (Modrak et al. 2023, doi:10.1214/23-BA1404).

    Parameters
    ----------
    simulate : callable
        ``simulate(rng, **parameters)``, with a numpy generator, gives data.
    log_likelihood_of : callable
        Gives the log likelihood of such data: a function of the parameters, as `sample` takes it.
    prior : Prior or mapping
        The prior.
    n : int, optional
        The number of simulations; at least 30.
    pool : object, optional
        Where the simulations run, each on one worker.
    seed : int, optional
        The seed of all.
    false_alarm : float, optional
        The probability that the verdict is wrong though all is right.
    **settings
        For `sample`: `nchains`, `tempered` (by default False), `until`, `max_evaluations`.

    Returns
    -------
    Calibration
        ``print`` it for the verdict; `ranks` for a picture: see `epsie.plots.calibration`.

    Raises
    ------
    ValueError
        If `n` is less than 30 or `false_alarm` is no probability.
    TypeError
        If one of the functions cannot be called.
    """
    for function in (simulate, log_likelihood_of):
        if not callable(function):
            raise TypeError(
                "calibrate takes two functions, simulate(rng, **parameters) and "
                f"log_likelihood_of(data); got {given(function)}"
            )
    prior = prior if isinstance(prior, Prior) else Prior(prior)
    n = as_count(n, "n", least=30)
    rate = as_rate(false_alarm, "false_alarm")
    settings = {
        "tempered": False,
        "nchains": 4,
        "until": _UNTIL,
        "max_evaluations": _MOST_EVALUATIONS,
        **settings,
    }
    seed = create_seed(seed)
    trial = dumps((simulate, log_likelihood_of, prior, settings))
    mapper = mapper_for(pool)
    try:
        found = mapper(_trial, [(trial, seed, number) for number in range(n)])
    finally:
        mapper.close()
    ranks = {name: np.array([of[name] for of, _ in found]) for name in found[0][0]}
    return Calibration(ranks, LEVELS, sum(unfinished for _, unfinished in found), rate)


def _trial(task: tuple[bytes, int, int]) -> tuple[dict[str, int], bool]:
    """One simulation: the ranks of the truth, and whether its posterior is unfinished."""
    body, seed, number = task
    simulate, log_likelihood_of, prior, settings = pickle.loads(body)
    rng = np.random.default_rng([seed, number])
    truth = {name: column[0].item() for name, column in prior.draw(rng, 1).items()}
    log_likelihood = log_likelihood_of(simulate(rng, **prior.completed(truth)))
    run = sample(log_likelihood, prior, seed=int(rng.integers(2**63)), progress=False, **settings)
    draws = run.draws(flat=True)
    picked = np.linspace(0, len(draws.logl) - 1, LEVELS).round().astype(int)
    ranks = {name: _rank(truth[name], values[picked], rng) for name, values in draws.items()}
    at_truth = float(run.model(**truth)[0])
    return {
        **ranks,
        _LOG_LIKELIHOOD: _rank(at_truth, draws.logl[picked], rng),
    }, run.stopped_by != "until"


def _rank(truth: float, draws: NDArray[Any], rng: np.random.Generator) -> int:
    """The number of draws below the truth; of equal ones, as integers may be, a random share."""
    equal = int((draws == truth).sum())
    return int((draws < truth).sum()) + int(rng.integers(equal + 1))


@cache
def _orthonormal(levels: int) -> NDArray[np.float64]:
    """Polynomials of ranks, of mean 0, variance 1 and no correlation if these are uniform."""
    powers = np.vander(np.linspace(-1, 1, levels + 1), _MOMENTS + 1, increasing=True)
    found: NDArray[np.float64] = np.linalg.qr(powers)[0][:, 1:] * (levels + 1) ** 0.5
    return found
