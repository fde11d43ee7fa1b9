"""Angles and directions: parameters that live on a circle or on the sphere."""

from __future__ import annotations

from math import cos, inf, log, pi, radians, sin, tau
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import as_bool, given
from epsie.model.distributions import Distribution
from epsie.model.part import Bounds, Part, Values, is_number


class Angle:
    """A periodic parameter, uniform from `low` up to `high`, which is the same as `low`.

    Parameters
    ----------
    low, high : float, optional
        The domain; by default a full turn in radians, from 0.

    Raises
    ------
    ValueError
        If they are not finite and ascending.

    Examples
    --------
    >>> import epsie
    >>> epsie.Prior(phase=epsie.Angle(), longitude=epsie.Angle(-180, 180)).periods
    {'phase': 6.283185307179586, 'longitude': 360.0}
    """

    def __init__(self, low: float = 0.0, high: float = tau) -> None:
        if not (is_number(low) and is_number(high) and low < high):
            raise ValueError(
                "an angle's domain is given by two finite bounds, low < high, as Angle(-180, 180) "
                f"in degrees; got ({low!r}, {high!r})"
            )
        self.low, self.high = float(low), float(high)

    def __repr__(self) -> str:
        return f"Angle({self.low:.6g}, {self.high:.6g})"

    def distribution(self) -> Distribution:
        """The uniform distribution on the circle."""
        low, high = self.low, self.high
        value = -log(high - low)

        def draw(rng: np.random.Generator, n: int) -> NDArray[Any]:
            return np.minimum(low + (high - low) * rng.random(n), np.nextafter(high, low))

        return Distribution(
            lambda x: value if low <= x < high else -inf,
            draw,
            (low, high),
            "angle",
            ["angle", low, high],
        )


class Direction(Part):
    """A direction in space, isotropic: an azimuth, and a declination or a polar angle.

    Its density in these angles is ``cos(declination) / (4 pi)``, or ``sin(polar) / (4 pi)``.

    Parameters
    ----------
    azimuth, polar : str
        The names of the two parameters.
    radec : bool, optional
        Whether the second is a declination, from -pi/2 to pi/2 (as the right ascension's), not a
        polar angle, from 0 to pi.
    degs : bool, optional
        Whether both are in degrees.

    Raises
    ------
    TypeError
        If a name is none.
    ValueError
        If both have one name, or a setting is neither True nor False.
    """

    kind = "direction"

    def __init__(self, azimuth: str, polar: str, radec: bool = True, degs: bool = False) -> None:
        for name in (azimuth, polar):
            if not (isinstance(name, str) and name):
                raise TypeError(
                    f"a Direction takes the names of its two parameters; got {given(name)}"
                )
        if azimuth == polar:
            raise ValueError(f"a Direction has two parameters; both are called {azimuth!r}")
        super().__init__((azimuth, polar))
        self.radec, self.degs = as_bool(radec, "radec"), as_bool(degs, "degs")
        self.plain = ["direction", azimuth, polar, self.radec, self.degs]
        # Of the unit of the angles, squared: the density is one in the parameters.
        self._constant = -log(4 * pi) + (2 * log(radians(1.0)) if degs else 0.0)

    def __repr__(self) -> str:
        azimuth, polar = self.names
        return f"Direction({azimuth!r}, {polar!r}, radec={self.radec}, degs={self.degs})"

    @property
    def bounds(self) -> tuple[Bounds, ...]:
        """For each parameter bounds outside of which the density vanishes."""
        turn = 360.0 if self.degs else tau
        return (0.0, turn), (-turn / 4, turn / 4) if self.radec else (0.0, turn / 2)

    @property
    def periods(self) -> tuple[float | None, ...]:
        """For each parameter its period, or None."""
        return (360.0 if self.degs else tau, None)

    def log_density(self, values: Values) -> float:
        """The natural logarithm of the density."""
        azimuth, polar = values[self.names[0]], values[self.names[1]]
        (_, turn), (low, high) = self.bounds
        if not (0.0 <= azimuth < turn and low <= polar <= high):
            return -inf
        angle = radians(polar) if self.degs else polar
        area = cos(angle) if self.radec else sin(angle)
        return self._constant + log(area) if area > 0 else -inf

    def draw(self, rng: np.random.Generator, n: int, values: Values) -> tuple[NDArray[Any], ...]:
        """For each parameter n draws, given draws of those that it needs."""
        (_, turn), _ = self.bounds
        height = 2 * rng.random(n) - 1
        polar = np.arcsin(height) if self.radec else np.arccos(height)
        azimuth = np.minimum(turn * rng.random(n), np.nextafter(turn, 0))
        return azimuth, np.degrees(polar) if self.degs else polar
