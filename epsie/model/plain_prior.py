"""A prior made anew from the plain data of a run's settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from epsie.model.conditional import Given
from epsie.model.direction import Angle, Direction
from epsie.model.distributions import argument_names
from epsie.model.families import CONTINUOUS, DISCRETE
from epsie.model.prior import Prior

_GIVE_IT = "give it, as in corner(run, prior=epsie.Prior(...))"


def prior_of(settings: Mapping[str, Any]) -> Prior:
    """The prior of a run, from the settings of the run alone.

    Parameters
    ----------
    settings : mapping
        The settings, as `epsie.open_run(...).manifest` has them.

    Raises
    ------
    ValueError
        If there is none, or not all of it is plain data: functions and objects of a user's own are
        not written down.
    """
    described = settings.get("prior")
    if described is None:
        raise ValueError(
            f"the prior is not known here, as this is no run of a Posterior: {_GIVE_IT}"
        )
    parts = described["parts"]
    if lacking := unwritten(described):
        raise ValueError(
            "the prior of this run is more than its directory tells, as functions and objects of "
            f"your own are not written there ({', '.join(lacking)}): {_GIVE_IT}"
        )
    order = {name: i for i, name in enumerate(settings["parameters"])}
    names = sorted(parts, key=lambda name: order.get(name.partition(", ")[0], len(order)))
    try:
        made = Prior(
            {name: _declared(parts[name]) for name in names}, labels=settings.get("labels")
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"the settings have a prior that is none ({error}): {_GIVE_IT}") from None
    if made.described() != described:
        raise ValueError(f"the prior of the settings is of another version of epsie: {_GIVE_IT}")
    return made


def unwritten(described: Mapping[str, Any]) -> list[str]:
    """What is not written down in the plain data of a prior."""
    lacking = [name for name, plain in described["parts"].items() if isinstance(plain, Mapping)]
    return lacking + (["the constraint where="] if "normalisation_error" in described else [])


def _declared(plain: Any) -> Any:
    """What stands for a parameter, from its plain data."""
    match plain:
        case [float() as low, float() as high]:
            return low, high
        case ["angle", low, high]:
            return Angle(low, high)
        case ["direction", azimuth, polar, radec, degs]:
            return Direction(azimuth, polar, radec, degs)
        case ["known", value]:
            return value
        case ["given", name, *values]:
            family = _family(name)
            return Given(family, **dict(zip(argument_names(family), values, strict=True)))
        case [str(name), *values]:
            return _family(name)(*values)
    raise ValueError(f"{plain!r} stands for no distribution")


def _family(name: Any) -> Any:
    """A family of `scipy.stats`, of those that are known here."""
    if name not in CONTINUOUS and name not in DISCRETE:
        raise ValueError(f"{name!r} is no known family")
    from scipy import stats

    return getattr(stats, name)
