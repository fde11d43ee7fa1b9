"""The domain of an angle: an interval of one turn, closed below and open above."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite, tau

from epsie.model.evaluation import Position
from epsie.proposals.boundaries import Boundaries, as_boundaries

Bounds = Mapping[str, Iterable[float]] | Iterable[float] | None
"""The domain of all angles as a pair, or of each by name; [0, 2 pi) if None."""


def as_turns(bounds: Bounds, parameters: tuple[str, ...], what: str) -> dict[str, Boundaries]:
    """The domain of each angle, in the order of the parameters.

    Raises
    ------
    ValueError
        If there are not two finite numbers for each, the lower one first.
    """
    try:
        if not isinstance(bounds, Mapping):
            bounds = dict.fromkeys(parameters, Boundaries((0.0, tau) if bounds is None else bounds))
        turns = as_boundaries(bounds, parameters, finite=True, apart=True)
    except ValueError as error:
        raise ValueError(
            f"{what}, the domain of an angle, whose width is the period, is a pair as (-pi, pi) or "
            f"(0, 360), or one for each in a dict: {error}"
        ) from None
    for name, turn in turns.items():
        if not isfinite(abs(turn)):
            raise ValueError(f"the width of {what} of {name!r} must be finite; got {tuple(turn)}")
    return turns


def wrapped(angle: float, lower: float, upper: float) -> float:
    """The angle in the domain, whatever turn it was in."""
    inside = lower + (angle - lower) % (upper - lower)
    # A small negative remainder rounds to the upper end itself, which is the lower one.
    return inside if inside < upper else lower


def outside(
    names: tuple[str, ...], x: Position, turns: Sequence[Iterable[float]], what: str
) -> str | None:
    """The refusal of angles that are not in their domains; None if all are."""
    found = []
    for name, value, (lower, upper, *_) in zip(names, x, turns):
        if not lower <= value < upper:
            found.append(f"{name} = {value!r} not in [{lower!r}, {upper!r})")
    if not found:
        return None
    return (
        f"an angle is outside of its domain: {', '.join(found)}; start within it, or give the "
        f"proposal the domain of the model's prior, as {what}=(-pi, pi) or {what}=(0, 360): its "
        "width is the period"
    )
