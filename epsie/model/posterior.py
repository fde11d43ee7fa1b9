"""The posterior: a likelihood and a prior as one model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import given
from epsie.errors import ModelError
from epsie.model.part import rows_of
from epsie.model.prior import Prior

Likelihood = Callable[..., Any]
"""Called with the parameters that it names; returns logl, or ``(logl, blob)``."""


class Posterior:
    """A model made of a log likelihood and a prior: ``posterior(**x)`` gives ``(logl, logp)``.

    The likelihood is asked only where the prior does not vanish. Of the prior's parameters,
    sampled, fixed and following ones, it gets those that its signature names; all, if it takes
    ``**kwargs``. What else it needs is bound before, by a closure or `functools.partial`.

    Parameters
    ----------
    log_likelihood : callable
        Returns the natural logarithm of the likelihood, or a pair of it and a dict of further
        numbers or arrays to be stored with the sample.
    prior : Prior or mapping
        The prior, or what `Prior` takes as a dict.
    vectorize : bool or int, optional
        Whether the likelihood takes arrays, with a value for each of many points, and returns
        arrays. Samplers then ask it about many at once: see `MetropolisHastingsSampler`.

    Raises
    ------
    TypeError
        If the likelihood cannot be called, or wants parameters that the prior does not have.
    ValueError
        If nothing uses one of the sampled parameters.

    Examples
    --------
    >>> import epsie
    >>> posterior = epsie.Posterior(lambda x: -x * x / 2, epsie.Prior(x=(-10, 10)))
    >>> posterior(x=1.0)
    (-0.5, -2.995732273553991)
    """

    vectorize: bool | int = False
    """Whether the likelihood takes arrays, or how many points a call."""

    def __init__(
        self,
        log_likelihood: Likelihood,
        prior: Prior | Mapping[Any, Any],
        *,
        vectorize: bool | int = False,
    ) -> None:
        if not callable(log_likelihood):
            raise TypeError(
                f"the log likelihood comes first, then the prior; got {given(log_likelihood)}"
            )
        if isinstance(log_likelihood, Posterior):
            raise TypeError(
                "a Posterior has a prior already: give a sampler the Posterior, or here its "
                f"log_likelihood; got {given(log_likelihood)}"
            )
        self.prior = prior if isinstance(prior, Prior) else Prior(prior)
        self.log_likelihood = log_likelihood
        self.vectorize = as_vectorize(vectorize)
        self._takes = _taken(log_likelihood, self.prior)
        # Called as it comes where that is all there is to it.
        self._plainly = self._takes == set(self.prior.parameters)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the sampled parameters."""
        return self.prior.parameters

    def __call__(self, **values: Any) -> tuple[Any, ...]:
        """The log likelihood, the log prior density, and a blob if the likelihood returned one."""
        if self.vectorize:
            return self._at_one(values)
        logp = self.prior.log_density(values)
        if logp == -inf:
            return -inf, -inf
        if self._plainly:
            answer = self.log_likelihood(**values)
        else:
            full = self.prior.completed(values)
            answer = self.log_likelihood(**{name: full[name] for name in self._takes})
        if answer.__class__ is float:
            return answer, logp
        if not isinstance(answer, tuple) and not (
            np.ndim(answer) == 0 and hasattr(answer, "__float__")
        ):
            raise LikelihoodError(f"the log likelihood returned {given(answer)}")
        return _with_prior(answer, logp)

    def many(self, columns: Mapping[str, NDArray[Any]]) -> tuple[Any, ...]:
        """The same at many points, of a likelihood that takes arrays: arrays, and a dict of arrays.

        Points where the prior vanishes are replaced by one where it does not.
        """
        logp = self._log_prior(columns)
        inside = logp != -inf
        if not inside.any():
            return np.full(len(logp), -inf), logp
        asked = np.where(inside, np.arange(len(logp)), np.argmax(inside))
        if self._plainly:
            given_to = {name: column[asked] for name, column in columns.items()}
        else:
            rows = rows_of(columns, tuple(columns), len(logp))
            full = [self.prior.completed(rows[i]) for i in asked.tolist()]
            given_to = {name: np.array([row[name] for row in full]) for name in self._takes}
        return _with_prior(self.log_likelihood(**given_to), logp)

    def _log_prior(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """The log densities of the prior at points, with the bits of each alone."""
        prior, n = self.prior, len(next(iter(columns.values())))
        if prior._bound or prior._constraint is not None:
            rows = rows_of(columns, tuple(columns), n)
            return np.array([prior.log_density(row) for row in rows])
        total, outside = np.zeros(n), np.zeros(n, bool)
        with np.errstate(invalid="ignore"):
            for part in prior._free:
                found = part.distribution.many(columns[part.names[0]])
                outside |= found == -inf
                total += found
        # Also where another density is infinite.
        total[outside] = -inf
        return total

    def _at_one(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """The answer at a point, or at several, of a likelihood that takes arrays."""
        columns = {name: np.atleast_1d(value) for name, value in values.items()}
        answer = self.many(columns)
        if any(np.ndim(value) for value in values.values()):
            return answer
        logl, logp = float(np.asarray(answer[0])[0]), float(answer[1][0])
        if len(answer) == 2:
            return logl, logp
        return logl, logp, {name: np.asarray(of)[0] for name, of in answer[2].items()}

    def __repr__(self) -> str:
        name = getattr(self.log_likelihood, "__qualname__", type(self.log_likelihood).__qualname__)
        return f"Posterior({name}, {self.prior!r})"


class LikelihoodError(ModelError):
    """A likelihood returned something else than its logarithm."""

    advice = (
        "a Posterior wants the log likelihood alone, a number, or a pair (logl, {'name': value}) "
        "with what is to be stored beside it; the prior adds logp by itself"
    )


def _with_prior(answer: Any, logp: Any) -> tuple[Any, ...]:
    """The answer of a likelihood, with the log density of the prior."""
    if not isinstance(answer, tuple):
        return answer, logp
    if len(answer) != 2 or not isinstance(answer[1], Mapping):
        raise LikelihoodError(f"the log likelihood returned {given(answer)}")
    return answer[0], logp, answer[1]


def as_vectorize(vectorize: Any) -> bool | int:
    """Whether a model takes many points at once, or how many a call.

    Raises
    ------
    ValueError
        If it is no bool and no positive whole number.
    """
    if isinstance(vectorize, bool | np.bool_):
        return bool(vectorize)
    if not isinstance(vectorize, int | np.integer) or vectorize < 1:
        raise ValueError(
            "vectorize must be False, True or the number of points of each call, at least 1; got "
            f"{vectorize!r}"
        )
    return int(vectorize)


def _taken(log_likelihood: Likelihood, prior: Prior) -> set[str]:
    """The names of the parameters that a likelihood takes."""
    sampled, there = set(prior.parameters), {*prior.parameters, *prior.known}
    try:
        found = list(inspect.signature(log_likelihood).parameters.values())
    except (TypeError, ValueError):
        return there
    if any(p.kind is p.VAR_KEYWORD for p in found):
        return there
    named = [p for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    missing = [
        p.name
        for p in found
        if p.default is p.empty and p.name not in there and p.kind is not p.VAR_POSITIONAL
    ]
    if missing:
        raise TypeError(_uncovered(missing, [p.name for p in found], prior))
    taken = {p.name for p in named} & there
    used = taken | {name for part in prior.parts for name in part.needs} | set(prior.judged)
    idle = sorted(sampled - used)
    if idle:
        raise ValueError(
            f"nothing uses {', '.join(idle)}: by name the likelihood takes "
            f"{', '.join(p.name for p in named) or 'nothing'}, the prior has "
            f"{', '.join(prior.parameters)}. Correct a name, or let the likelihood take **others. "
            + _by_name(prior)
        )
    return taken


def _uncovered(missing: list[str], wanted: list[str], prior: Prior) -> str:
    text = (
        f"the prior does not cover the likelihood's arguments {', '.join(missing)}: the likelihood "
        f"takes {', '.join(wanted)}; the prior has {', '.join((*prior.parameters, *prior.known))}"
    )
    if len(missing) == 1 and len(wanted) == 1:
        text += f". {_by_name(prior)}"
    elif idle := [name for name in prior.parameters if name not in wanted]:
        text += f". If {missing[0]} is {' or '.join(idle)}, give it one name"
    return f"{text}. Bind data before, by functools.partial(log_likelihood, data=...)"


def _by_name(prior: Prior) -> str:
    names = ", ".join(prior.parameters)
    return f"It is called by name, with a keyword for each parameter: def log_likelihood({names})"
