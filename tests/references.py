"""Posteriors of real and simulated data with gold-standard results to compare with.

The data and tables in ``data/`` are from posteriordb (https://github.com/stan-dev/posteriordb):
10,000 nearly independent draws each, by dynamic Hamiltonian Monte Carlo. A `Reference` is the
density as its file's ``model`` field states it, scales sampled as logarithms with their Jacobian
in ``logp``; all but the flat priors are normalised.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from arviz_stats.base import array_stats
from scipy.signal import lfilter

Draws = Mapping[str, np.ndarray]
Table = Mapping[str, Mapping[str, float]]

INF = math.inf
LOG_2PI = math.log(2 * math.pi)
REFERENCE_NDRAWS = 10_000


def normal_logpdf(x: float, sd: float) -> float:
    """Return the log density of a normal distribution about 0."""
    return -0.5 * ((x / sd) ** 2 + LOG_2PI) - math.log(sd)


def half_cauchy_logpdf(x: float, scale: float) -> float:
    """Return the log density of the absolute value of a Cauchy variate, for x > 0."""
    return math.log(2 / (math.pi * scale)) - math.log1p((x / scale) ** 2)


class Reference(ABC):
    """A posterior: call it with its `parameters`, compare what was drawn with its `table`."""

    name: ClassVar[str]
    parameters: tuple[str, ...]

    def __init__(self) -> None:
        path = Path(__file__).parent / "data" / f"{self.name}.json"
        content = json.loads(path.read_text())
        self.data: dict[str, Any] = content["data"]
        self.table: Table = content["reference"]

    @abstractmethod
    def __call__(self, **params: float) -> tuple[float, float]:
        """Return the log likelihood and the log prior."""

    @abstractmethod
    def start(self, rng: np.random.Generator) -> dict[str, float]:
        """Draw a start point that is spread wider than the posterior."""

    def derived(self, positions: Draws) -> dict[str, np.ndarray]:
        """Return the quantities of `table`, from arrays of the parameters of any shape."""
        return dict(zip(self.table, (positions[name] for name in self.parameters), strict=True))


class EightSchools(Reference):
    """Coaching in eight schools: 10 parameters, a funnel taken apart."""

    name = "eight_schools-eight_schools_noncentered"

    def __init__(self) -> None:
        super().__init__()
        self.schools = tuple(f"theta_trans{j}" for j in range(1, 9))
        self.parameters = (*self.schools, "mu", "tau")
        scales = self.data["sigma"]
        self._rows = list(zip(self.schools, self.data["y"], scales, strict=True))
        self._norm = -0.5 * 8 * LOG_2PI - sum(math.log(scale) for scale in scales)

    def __call__(self, **params: float) -> tuple[float, float]:
        mu, tau = params["mu"], params["tau"]
        if tau <= 0:
            return -INF, -INF
        residuals = prior = 0.0
        for name, y, scale in self._rows:
            z = params[name]
            residuals += ((y - mu - tau * z) / scale) ** 2
            prior += z * z
        logp = normal_logpdf(mu, 5) + half_cauchy_logpdf(tau, 5) - 0.5 * (prior + 8 * LOG_2PI)
        return self._norm - 0.5 * residuals, logp

    def start(self, rng: np.random.Generator) -> dict[str, float]:
        """Draw from the prior."""
        values = [*rng.standard_normal(8), rng.normal(0, 5), abs(5 * rng.standard_cauchy())]
        return dict(zip(self.parameters, map(float, values), strict=True))

    def derived(self, positions: Draws) -> dict[str, np.ndarray]:
        mu, tau = positions["mu"], positions["tau"]
        theta = [mu + tau * positions[name] for name in self.schools]
        return dict(zip(self.table, [*theta, mu, tau], strict=True))


class Regression(Reference):
    """A linear regression ``y ~ Normal(X beta, sigma)`` with parameters beta and log_sigma.

    The sum of squares is taken about the least-squares solution, which is exact and needs no
    pass over the data.
    """

    prior_sd: ClassVar[float | None] = None
    """Standard deviation of the coefficients' normal prior; None: flat."""
    sigma_logpdf: ClassVar[Callable[[float], float]]

    def __init__(self) -> None:
        super().__init__()
        self.design, self.outcome = self.load()
        self.n, ncoef = self.design.shape
        self.coefficients = tuple(f"beta{i}" for i in range(1, ncoef + 1))
        self.parameters = (*self.coefficients, "log_sigma")
        self.solution = np.linalg.lstsq(self.design, self.outcome)[0]
        self._rss = float(np.sum((self.outcome - self.design @ self.solution) ** 2))
        self._factor = np.linalg.qr(self.design, mode="r")

    @abstractmethod
    def load(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the design matrix, one column for each coefficient, and the outcome."""

    def __call__(self, **params: float) -> tuple[float, float]:
        beta = np.array([params[name] for name in self.coefficients])
        log_sigma = params["log_sigma"]
        sigma = math.exp(log_sigma)
        apart = self._factor.dot(beta - self.solution)
        squares = self._rss + float(apart.dot(apart))
        logl = -0.5 * (squares / sigma**2 + self.n * LOG_2PI) - self.n * log_sigma
        logp = self.sigma_logpdf(sigma) + log_sigma
        if self.prior_sd is not None:
            scaled = float(beta.dot(beta)) / self.prior_sd**2
            logp -= 0.5 * scaled + len(beta) * (0.5 * LOG_2PI + math.log(self.prior_sd))
        return logl, logp

    def start(self, rng: np.random.Generator) -> dict[str, float]:
        """Draw about the least-squares solution, 5 times wider than the posterior."""
        sigma = math.sqrt(self._rss / self.n)
        noise = np.linalg.solve(self._factor, rng.standard_normal(len(self.solution)))
        beta = (self.solution + 5 * sigma * noise).tolist()
        log_sigma = math.log(sigma) + 5 * rng.standard_normal() / math.sqrt(2 * self.n)
        return dict(zip(self.parameters, [*beta, float(log_sigma)], strict=True))

    def derived(self, positions: Draws) -> dict[str, np.ndarray]:
        beta = [positions[name] for name in self.coefficients]
        return dict(zip(self.table, [*beta, np.exp(positions["log_sigma"])], strict=True))


class Kidscore(Regression):
    """Children's test scores: 5 parameters, very strongly correlated."""

    name = "kidiq-kidscore_interaction"
    sigma_logpdf = staticmethod(partial(half_cauchy_logpdf, scale=2.5))

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        hs, iq = (np.array(self.data[key], dtype=float) for key in ("mom_hs", "mom_iq"))
        score = np.array(self.data["kid_score"], dtype=float)
        return np.column_stack([np.ones_like(hs), hs, iq, hs * iq]), score


class LogMesquite(Regression):
    """Biomass of mesquite bushes, all in logarithms: 8 parameters."""

    name = "mesquite-logmesquite"
    sigma_logpdf = staticmethod(lambda sigma: 0.0)

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        measures = ("diam1", "diam2", "canopy_height", "total_height", "density")
        columns = [np.log(self.data[key]) for key in measures]
        group = np.array(self.data["group"], dtype=float)
        design = np.column_stack([np.ones_like(group), *columns, group])
        return design, np.log(self.data["weight"])


class AutoRegression(Regression):
    """A time series with five lags: 7 parameters; beta1 is the level alpha."""

    name = "arK-arK"
    prior_sd = 10.0
    sigma_logpdf = staticmethod(partial(half_cauchy_logpdf, scale=2.5))

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        y, order = np.array(self.data["y"]), self.data["K"]
        lags = [y[order - lag : len(y) - lag] for lag in range(1, order + 1)]
        return np.column_stack([np.ones(len(y) - order), *lags]), y[order:]


class CorrelatedRegression(Regression):
    """A simulated regression with correlated coefficients: 6 parameters."""

    name = "sblrc-blr"
    prior_sd = 10.0
    sigma_logpdf = staticmethod(lambda sigma: math.log(2) + normal_logpdf(sigma, 10))

    def load(self) -> tuple[np.ndarray, np.ndarray]:
        return np.array(self.data["X"]), np.array(self.data["y"])


class GaussMix(Reference):
    """A mixture of two normal distributions, ordered: 5 parameters."""

    name = "low_dim_gauss_mix-low_dim_gauss_mix"
    parameters = ("mu1", "mu2", "sigma1", "sigma2", "theta")

    def __init__(self) -> None:
        super().__init__()
        self.y = np.array(self.data["y"])

    def __call__(self, **params: float) -> tuple[float, float]:
        mu1, mu2, sigma1, sigma2, theta = (params[name] for name in self.parameters)
        if not (mu1 < mu2 and sigma1 > 0 and sigma2 > 0 and 0 < theta < 1):
            return -INF, -INF
        first = math.log(theta / sigma1) - 0.5 * ((self.y - mu1) / sigma1) ** 2
        second = math.log((1 - theta) / sigma2) - 0.5 * ((self.y - mu2) / sigma2) ** 2
        logl = float(np.logaddexp(first, second).sum()) - 0.5 * LOG_2PI * len(self.y)
        # All four priors are normal; a factor of 2 for each sigma > 0, and one for mu1 < mu2.
        logp = 3 * math.log(2) + sum(normal_logpdf(x, 2) for x in (mu1, mu2, sigma1, sigma2))
        return logl, logp + math.log(630) + 4 * math.log(theta * (1 - theta))

    def start(self, rng: np.random.Generator) -> dict[str, float]:
        """Draw the means wide apart, the widths broad enough for every datum."""
        mu1, mu2 = np.sort(rng.normal(0, 2, 2))
        values = [mu1, mu2, *rng.uniform(0.5, 3, 2), rng.beta(5, 5)]
        return dict(zip(self.parameters, map(float, values), strict=True))


class Garch(Reference):
    """A series whose variance follows its past: 4 parameters, skewed."""

    name = "garch-garch11"
    parameters = ("mu", "alpha0", "alpha1", "beta1")

    def __init__(self) -> None:
        super().__init__()
        self.y = np.array(self.data["y"])
        self._first = self.data["sigma1"] ** 2

    def __call__(self, **params: float) -> tuple[float, float]:
        mu, alpha0, alpha1, beta1 = (params[name] for name in self.parameters)
        if not (alpha0 > 0 and alpha1 > 0 and beta1 > 0 and alpha1 + beta1 < 1):
            return -INF, -INF
        squares = (self.y - mu) ** 2
        variance = np.empty_like(squares)
        variance[0] = self._first
        gains = alpha0 + alpha1 * squares[:-1]
        variance[1:] = lfilter([1.0], [1.0, -beta1], gains, zi=[beta1 * self._first])[0]
        total = float(np.log(variance).sum() + (squares / variance).sum())
        return -0.5 * (total + LOG_2PI * len(self.y)), math.log(2)

    def start(self, rng: np.random.Generator) -> dict[str, float]:
        """Draw the coefficients from their prior, the others widely."""
        alpha1, beta1, _ = rng.dirichlet([1, 1, 1])
        values = [rng.normal(5, 1), rng.uniform(0.1, 4), alpha1, beta1]
        return dict(zip(self.parameters, map(float, values), strict=True))


REGRESSIONS = (Kidscore, LogMesquite, AutoRegression, CorrelatedRegression)
REFERENCES: tuple[type[Reference], ...] = (EightSchools, *REGRESSIONS, GaussMix, Garch)


def deviations(draws: np.ndarray, mean: float, sd: float) -> tuple[float, float]:
    """Return how many Monte Carlo errors mean and standard deviation are off.

    The error of the mean is ``sd sqrt(1/ESS + 1/10000)``; that of the standard deviation follows
    from the variance of the squared deviations and their own ESS.
    """
    ess_mean = array_stats.ess(draws, chain_axis=0, draw_axis=1, method="mean")
    own_sd = float(draws.std())
    squares = (draws - draws.mean()) ** 2
    ess_squares = array_stats.ess(squares, chain_axis=0, draw_axis=1, method="mean")
    sd_scale = float(squares.std()) / (2 * own_sd)
    mean_error = sd * math.sqrt(1 / ess_mean + 1 / REFERENCE_NDRAWS)
    sd_error = sd_scale * math.sqrt(1 / ess_squares + 1 / REFERENCE_NDRAWS)
    return (float(draws.mean()) - mean) / mean_error, (own_sd - sd) / sd_error


def compare_with_reference(draws: Draws, table: Table, least_ess: float = 400) -> None:
    """Demand that draws agree with a reference table within 4 Monte Carlo errors.

    `draws` are arrays (chains, draws) of each quantity of `table`. With large errors everything
    agrees: fewer effective draws than `least_ess` (by ranks, which a rare excursion does not
    upset) or an R-hat of 1.02 or more fail too.
    """
    faults = []
    for name, row in table.items():
        values = np.asarray(draws[name])
        ess = array_stats.ess(values, chain_axis=0, draw_axis=1, method="bulk")
        rhat = array_stats.rhat(values, chain_axis=0, draw_axis=1)
        mean, sd = deviations(values, row["mean"], row["sd"])
        if not (ess >= least_ess and rhat < 1.02 and abs(mean) < 4 and abs(sd) < 4):
            faults.append(
                f"{name}: mean off by {mean:.2f} and sd by {sd:.2f} Monte Carlo errors, "
                f"ESS {ess:.0f}, R-hat {rhat:.4f}"
            )
    assert not faults, "\n".join(faults)
