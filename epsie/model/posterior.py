"""The posterior: a likelihood and a prior as one model."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from epsie.checks import given
from epsie.errors import ModelError
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

    def __init__(self, log_likelihood: Likelihood, prior: Prior | Mapping[Any, Any]) -> None:
        if not callable(log_likelihood):
            raise TypeError(
                f"the log likelihood comes first, then the prior; got {given(log_likelihood)}"
            )
        self.prior = prior if isinstance(prior, Prior) else Prior(prior)
        self.log_likelihood = log_likelihood
        self._takes = _taken(log_likelihood, self.prior)
        # Called as it comes where that is all there is to it.
        self._plainly = self._takes == set(self.prior.parameters)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the sampled parameters."""
        return self.prior.parameters

    def __call__(self, **values: Any) -> tuple[Any, ...]:
        """The log likelihood, the log prior density, and a blob if the likelihood returned one."""
        logp = self.prior.log_density(values)
        if logp == -inf:
            return -inf, -inf
        if self._plainly:
            answer = self.log_likelihood(**values)
        else:
            full = self.prior.completed(values)
            answer = self.log_likelihood(**{name: full[name] for name in self._takes})
        if not isinstance(answer, tuple):
            return answer, logp
        if len(answer) != 2 or not isinstance(answer[1], Mapping):
            raise LikelihoodError(f"the log likelihood returned {given(answer)}")
        return answer[0], logp, answer[1]

    def __repr__(self) -> str:
        name = getattr(self.log_likelihood, "__qualname__", type(self.log_likelihood).__qualname__)
        return f"Posterior({name}, {self.prior!r})"


class LikelihoodError(ModelError):
    """A likelihood returned more than its logarithm."""

    advice = (
        "a Posterior wants the log likelihood alone, a number, or a pair (logl, {'name': value}) "
        "with what is to be stored beside it; the prior adds logp by itself"
    )


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
            f"nothing uses {', '.join(idle)}: the likelihood takes "
            f"{', '.join(p.name for p in named) or 'nothing'}, the prior has "
            f"{', '.join(prior.parameters)}. Correct a name, or let the likelihood take **others"
        )
    return taken


def _uncovered(missing: list[str], wanted: list[str], prior: Prior) -> str:
    text = (
        f"the prior does not cover the likelihood's arguments {', '.join(missing)}: the likelihood "
        f"takes {', '.join(wanted)}; the prior has {', '.join((*prior.parameters, *prior.known))}"
    )
    if len(missing) == 1 and len(wanted) == 1:
        text += (
            ". It is called by name, with a keyword for each parameter: def log_likelihood("
            f"{', '.join(prior.parameters)})"
        )
    return f"{text}. Bind data before, by functools.partial(log_likelihood, data=...)"
