"""A `Posterior` given to a sampler: its names, it as the model, and proposals by kind."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from epsie.checks import given
from epsie.errors import EpsieError
from epsie.model.conditional import relative_among
from epsie.model.evaluation import Model
from epsie.model.posterior import Posterior
from epsie.model.prior import Prior
from epsie.proposals.base import BaseProposal
from epsie.proposals.bounded_discrete import SSAdaptiveBoundedDiscrete
from epsie.proposals.discrete import SSAdaptiveNormalDiscrete
from epsie.proposals.learned.learned import Learned
from epsie.proposals.normal import Normal

Init = Callable[..., None]


def takes_posterior(init: Init) -> Init:
    """An ``__init__(parameters, model, ...)`` that takes a `Posterior` in place of both, too."""

    @functools.wraps(init)
    def taking(self: Any, *args: Any, **kwargs: Any) -> None:
        first = args[0] if args else kwargs.get("parameters")
        if isinstance(first, Posterior):
            kwargs.pop("parameters", None)
            if "model" in kwargs:
                raise TypeError("a Posterior stands for parameters and model; got a model, too")
            args = (first.parameters, first, *args[1:])
        elif callable(first):
            model = args[1] if args[1:] else kwargs.get("model")
            _refuse_model_first(type(self).__name__, first, model)
        init(self, *args, **kwargs)

    return taking


def _refuse_model_first(sampler: str, parameters: Any, model: Any) -> None:
    if not callable(model):
        raise TypeError(
            f"the names of the parameters come first, then the model: "
            f"{sampler}(['x', 'y'], model, nchains); got {given(parameters)} first"
        )


def as_begins(start: str | None, model: Any) -> str | None:
    """The way a sampler finds its starts, if none are set.

    Raises
    ------
    ValueError
        If it is unknown, or needs the prior of a `Posterior`.
    """
    if start not in (None, "annealed"):
        raise ValueError(f"start must be 'annealed' or None; got {start!r}")
    if start == "annealed" and not isinstance(model, Posterior):
        raise ValueError(
            "start='annealed' goes from the prior to the posterior, so that it needs both: give "
            "epsie.Posterior(log_likelihood, prior) in place of names and model"
        )
    return start


def check_names_of(model: Any, parameters: Sequence[str]) -> None:
    """Refuse names that are not those of a posterior.

    Raises
    ------
    ValueError
        That has both lists.
    """
    if isinstance(model, Posterior) and set(model.parameters) != set(parameters):
        raise ValueError(
            f"the parameters must be those of the posterior, {', '.join(model.parameters)}; got "
            f"{', '.join(parameters)}"
        )


def default_proposals(
    model: Model,
    names: Sequence[str],
    default: type[BaseProposal] | None,
    arguments: Mapping[str, Any],
) -> list[BaseProposal]:
    """Proposals for parameters that have none: the default one, or of a posterior one by kind.

    Raises
    ------
    TypeError
        If the default is no class of proposals, or its arguments are no dict.
    """
    if not isinstance(arguments, Mapping):
        raise TypeError(
            "default_proposal_args must be a dict of keyword arguments, as {'cov': 2.0}; got "
            f"{given(arguments)}"
        )
    if default is not None and not callable(default):
        raise TypeError(
            "default_proposal must be a class of epsie.proposals, as Normal, which is called with "
            f"the names of the parameters; got {given(default)}"
        )
    if default is None and isinstance(model, Posterior):
        return list(_by_kind(model.prior, names, arguments))
    if default is None:
        # Arguments without a class are those of `Normal`, as ever.
        default = Normal if arguments else Learned
    return [default(names, **arguments)]


def _by_kind(
    prior: Prior, names: Sequence[str], arguments: Mapping[str, Any]
) -> Iterator[BaseProposal]:
    """Proposals for some of the parameters of a prior, by their kinds.

    Yields
    ------
    BaseProposal
        One for all real numbers and angles, those of directions, too, and one for each integer.
    """
    kinds, bounds = prior.kinds, prior.bounds
    learned = [name for name in names if kinds[name] != "integer"]
    if learned:
        periods = {name: of for name, of in prior.periods.items() if name in learned}
        within = {name: bounds[name] for name in learned if np.isfinite(bounds[name]).any()}
        if relative := relative_among(prior.parts, learned):
            arguments = {"relative": relative, **arguments}
        yield Learned(learned, within or None, periods or None, **arguments)
    integers = [name for name in names if kinds[name] == "integer"]
    for name, scale in _scales(prior, integers).items():
        yield _of_integer(name, prior.bounds[name], scale**2)
    for part in prior.directions:
        if len(set(part.names) & set(names)) == 1:
            raise EpsieError(f"{' and '.join(part.names)} are one direction: move both, or none")


def _of_integer(name: str, bounds: tuple[float, float], variance: float) -> BaseProposal:
    if np.isfinite(bounds).all():
        within = {name: (int(bounds[0]), int(bounds[1]))}
        return SSAdaptiveBoundedDiscrete([name], within, cov=[variance])
    return SSAdaptiveNormalDiscrete([name], cov=[variance])


def _scales(prior: Prior, names: Sequence[str]) -> dict[str, float]:
    """Half the width of the middle two thirds of draws of some parameters."""
    drawn = prior.draw(0, 1000) if names else {}
    found = {name: np.quantile(drawn[name], [1 / 6, 5 / 6]) for name in names}
    return {name: max(float(high - low) / 2, 0.5) for name, (low, high) in found.items()}
