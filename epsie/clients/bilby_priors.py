"""Priors of bilby as a `Prior`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

import numpy as np
from bilby.core import prior as priors_of_bilby
from numpy.typing import NDArray

from epsie.model.direction import Angle
from epsie.model.distributions import uniforms
from epsie.model.prior import Prior


def prior_of(priors: Any) -> Prior:
    """A `PriorDict` as a `Prior`: fixed, periodic, conditional, joint and constrained ones, too.

    The density is that of bilby, normalised where there are constraints.

    Raises
    ------
    TypeError, ValueError
        If one of them cannot be sampled.
    """
    declared: dict[Any, Any] = {}
    for name, prior in priors.items():
        if isinstance(prior, priors_of_bilby.Constraint):
            continue
        if isinstance(prior, priors_of_bilby.JointPrior):
            _add_joint(declared, name, prior, priors)
        else:
            declared[name] = _declared(name, prior)
    constrained = bool(priors.constraint_keys)
    known = [name for name, prior in priors.items() if name not in priors.constraint_keys]
    labels = {name: priors[name].latex_label for name in known if priors[name].latex_label}
    return Prior(declared, where=Allowed(priors, known) if constrained else None, labels=labels)


def _declared(name: str, prior: Any) -> Any:
    """The declaration of one parameter: a closed form, if there is one, for speed."""
    from scipy import stats

    if hasattr(prior, "condition_func"):
        return Conditioned(prior)
    if isinstance(prior, priors_of_bilby.WeightedDiscreteValues):
        return _integers(name, prior)
    periodic = getattr(prior, "boundary", None) == "periodic"
    if periodic and not (isfinite(prior.minimum) and isfinite(prior.maximum)):
        raise ValueError(f"the prior of {name} is periodic, but has no finite bounds: {prior!r}")
    # Of classes derived from these nothing is known.
    kind = type(prior)
    if kind is priors_of_bilby.Uniform:
        bounds = (prior.minimum, prior.maximum)
        return Angle(*bounds) if periodic else bounds
    if kind is priors_of_bilby.LogUniform and not periodic:
        return stats.loguniform(prior.minimum, prior.maximum)
    if kind in (priors_of_bilby.Gaussian, priors_of_bilby.Normal):
        return stats.norm(prior.mu, prior.sigma)
    return prior


def _integers(name: str, prior: Any) -> Any:
    from scipy import stats

    values = np.asarray(prior.values)
    if (values != np.round(values)).any():
        raise ValueError(
            f"the values of the prior of {name} are no integers: {values}. Sample their index (a "
            "Categorical), and let the likelihood look the value up"
        )
    weights = np.asarray(prior.weights)
    return stats.rv_discrete(values=(values.astype(int), weights / weights.sum()))()


def _add_joint(declared: dict[Any, Any], name: str, prior: Any, priors: Any) -> None:
    """Declare all parameters of a joint prior when the first of them comes."""
    dist = prior.dist
    missing = [other for other in dist.names if other not in priors]
    if name not in dist.names or missing:
        raise ValueError(
            f"{name} has a joint prior of {', '.join(dist.names)}, which must be parameters by "
            f"these names; there are {', '.join(priors)}"
        )
    first = next(other for other in priors if other in dist.names)
    if name == first:
        declared[tuple(dist.names)] = Together(dist)


class Together:
    """A joint distribution of bilby, with the methods that `Joint` wants."""

    def __init__(self, dist: Any) -> None:
        self.dist = dist

    def logpdf(self, values: Any) -> float:
        """The natural logarithm of the density."""
        return float(self.dist.ln_prob(np.asarray(values)))

    def rvs(self, size: int, random_state: np.random.Generator) -> NDArray[Any]:
        """Independent draws."""
        n = len(self.dist.names)
        cube = uniforms(random_state, size * n).reshape(size, n)
        return np.asarray(self.dist.rescale(cube)).reshape(size, n)


class Conditioned:
    """A function of the parameters that a prior depends on, which returns the prior given them."""

    def __init__(self, prior: Any) -> None:
        self.prior = prior
        self.__signature__ = signature_of(prior.required_variables)

    def __call__(self, **given: Any) -> At:
        """The prior at their values."""
        return At(self.prior, given)


class At:
    """A conditional prior at values of what it depends on."""

    def __init__(self, prior: Any, given: Mapping[str, Any]) -> None:
        self.prior, self.given = prior, given

    def ln_prob(self, value: float) -> Any:
        """The natural logarithm of the density."""
        return self.prior.ln_prob(value, **self.given)

    def rescale(self, value: Any) -> Any:
        """The quantiles at some probabilities."""
        return self.prior.rescale(value, **self.given)

    sample: Callable[..., Any] = rescale  # never called where there is `rescale`


class Allowed:
    """The constraints of a `PriorDict`: whether values of its other parameters are allowed."""

    def __init__(self, priors: Any, names: list[str]) -> None:
        self.priors = priors
        self.__signature__ = signature_of(names)

    def __call__(self, **values: Any) -> bool:
        """Whether values are allowed."""
        return bool(self.priors.evaluate_constraints(values))


def signature_of(names: list[str]) -> inspect.Signature:
    """That of a function that takes so many parameters by name."""
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature([inspect.Parameter(name, kind) for name in names])
