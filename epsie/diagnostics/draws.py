"""The draws of a parameter as what they are: real, angular, or not always there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import tau
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from epsie.checks import given

Floats: TypeAlias = NDArray[np.float64]
Angular: TypeAlias = Iterable[str] | Mapping[str, float]
"""Names of angles in radians, or the period of each."""


LEAST_DRAWS = 8
"""Fewer draws of a chain tell nothing: each half needs four."""


@dataclass(frozen=True)
class Parameter:
    """The draws of one parameter.

    Parameters
    ----------
    values : array
        Shape (nchains, n); NaN where it is inactive.
    period : float or None
        The period of an angle.
    nwalkers : int
        The number of neighbouring chains that are the walkers of one ensemble.
    """

    values: Floats
    period: float | None = None
    nwalkers: int = 1

    @property
    def facets(self) -> list[Floats]:
        """The numbers that are looked at: the draws, of an angle its cosine and its sine."""
        if self.period is None:
            return [self.values]
        turns = self.values * (tau / self.period)
        return [np.cos(turns), np.sin(turns)]

    @property
    def is_constant(self) -> bool:
        """Whether it never changes; so if it is never active."""
        active = self.values[~np.isnan(self.values)]
        return active.size == 0 or bool((active == active[0]).all())

    @property
    def has_moments(self) -> bool:
        """Whether there are enough draws for moments, which change, and none is infinite."""
        enough = self.values.shape[-1] >= LEAST_DRAWS
        return enough and not self.is_constant and not np.isinf(self.values).any()


def as_parameters(draws: Any, angular: Angular = (), nwalkers: int = 1) -> dict[str, Parameter]:
    """All parameters, each followed by its activity if it is not always active.

    Parameters
    ----------
    draws : structured array or mapping
        Shape (nchains, n), or (n,) for one chain, or (nensembles, nwalkers, n); or a dict of such
        arrays.
    angular : iterable of str, or mapping
        See `Angular`.
    nwalkers : int
        See `Parameter`.

    Raises
    ------
    TypeError
        If draws have no names.
    ValueError
        If chains are no whole number of ensembles, arrays have another or different shapes,
        `angular` names no parameter, or an angle is infinite.
    """
    if not isinstance(draws, Mapping) and not getattr(getattr(draws, "dtype", None), "names", None):
        raise TypeError(
            "draws come by parameter: give a structured array, as sampler.positions, or a dict of "
            f"arrays of shape (nchains, n), as {{'x': draws}}; got {given(draws)}"
        )
    names = list(draws) if isinstance(draws, Mapping) else list(draws.dtype.names or ())
    periods = angular_periods(angular, names)
    found: dict[str, Parameter] = {}
    for name in names:
        values = _by_chain(draws[name], name, nwalkers)
        if name in periods and np.isinf(values).any():
            raise ValueError(f"{name!r} is an angle, and must be finite")
        found[name] = Parameter(values, periods.get(name), nwalkers)
        inactive = np.isnan(values)
        if inactive.any():
            activity = f"active({name})"
            while activity in names:
                activity += "'"
            found[activity] = Parameter(np.where(inactive, 0.0, 1.0), None, nwalkers)
    shapes = {parameter.values.shape for parameter in found.values()}
    if len(shapes) > 1:
        raise ValueError(f"all parameters must have draws of one shape; got {sorted(shapes)}")
    return found


def _by_chain(draws: Any, name: str, nwalkers: int) -> Floats:
    """The draws of a parameter, shape (nchains, n): of ensembles one walker after the other.

    Raises
    ------
    ValueError
        If they have another shape, or are of no whole number of ensembles.
    """
    values = np.atleast_2d(np.asarray(draws, dtype=float))
    if nwalkers > 1 and values.ndim == 3 and values.shape[1] == nwalkers:
        values = values.reshape(-1, values.shape[-1])
    if values.ndim != 2 or len(values) % nwalkers:
        meant = "(nchains, n)" if nwalkers == 1 else f"(nensembles, {nwalkers}, n)"
        raise ValueError(
            f"draws must have shape {meant}; those of {name!r} have {values.shape}. Of a tempered "
            "sampler choose a temperature: positions[0] is the coldest; of ensembles give nwalkers="
        )
    return values


def angular_periods(angular: Angular, names: Iterable[str]) -> dict[str, float]:
    """The periods of the angles.

    Raises
    ------
    ValueError
        If there is no such parameter, or a period is not positive.
    """
    if isinstance(angular, str):
        angular = (angular,)
    periods = dict(angular) if isinstance(angular, Mapping) else dict.fromkeys(angular, tau)
    known = list(names)
    unknown = [name for name in periods if name not in known]
    if unknown:
        raise ValueError(
            f"angular must name parameters, which are {', '.join(known)}; got {', '.join(unknown)}"
        )
    for name, period in periods.items():
        if not 0 < period < np.inf:
            raise ValueError(f"the period of {name!r} must be positive; got {period!r}")
    return periods
