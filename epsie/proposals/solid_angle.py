"""Jumps on the sphere."""

from __future__ import annotations

from collections.abc import Iterable
from math import atan2, cos, degrees, expm1, hypot, inf, log, log1p, pi, radians, sin, sqrt
from typing import Any, Literal, TypeAlias

from epsie.checks import as_bool, as_number
from epsie.model.evaluation import Position
from epsie.proposals.adaptation.concentration import KAPPA_RANGE as KAPPA_RANGE
from epsie.proposals.adaptation.concentration import ConcentrationAdaptation
from epsie.proposals.base import BaseProposal, is_built_in
from epsie.proposals.boundaries import Boundaries
from epsie.proposals.turn import as_turns, outside, wrapped

Density: TypeAlias = Literal["angles", "steradian"]

_POLE = 1e-15
"""Nearer to a pole, in radians, is at it: that is the rounding of the angles."""


class IsotropicSolidAngle(BaseProposal):
    r"""A jump to a direction on the sphere about the present one, alike to all sides.

    The model's logp is a density in the two angles, as with any other proposal: for directions that
    are equally likely all over the sky, the logarithm of the sine of the polar angle, or of the
    cosine of the declination. (EPSIE 1.x took it as a density per steradian: see `density`.)

    The new direction follows the von Mises-Fisher distribution (Fisher 1953,
    doi:10.1098/rspa.1953.0064): at the angle d from the present one its density is

    .. math:: q = \frac{\kappa}{2\pi (1 - e^{-2\kappa})} e^{\kappa (\cos d - 1)}

    *per steradian*. For large :math:`\kappa` that is a normal distribution with a standard
    deviation of :math:`1/\sqrt\kappa` radians in both directions; for small, uniform.

    Parameters
    ----------
    azimuthal_parameter : str
        The azimuth, or right ascension.
    polar_parameter : str
        The polar angle in [0, pi], in degrees [0, 180], counted from the pole.
    kappa : float, optional
        The concentration, positive.
    radec : bool, optional
        Whether `polar_parameter` is a declination in [-pi/2, pi/2], in degrees [-90, 90].
    degs : bool, optional
        Whether both are in degrees.
    jump_interval, jump_interval_duration : int, optional
        See `set_jump_interval`.
    azimuth_bounds : (float, float), optional
        The domain of the azimuth, that of the model's prior, as (-pi, pi). By default [0, 2 pi), in
        degrees [0, 360). Its width is a turn, in whatever unit: (0, 24) are hours. A start outside
        is refused.
    density : {'angles', 'steradian'}, optional
        What the model's logp is a density in. With 'steradian', the meaning of EPSIE 1.x, it has no
        term for the area: it is constant where the direction is equally likely all over the sky.

    Raises
    ------
    ValueError
        If `kappa` is not positive and finite; if `radec` or `degs` is no bool; if `azimuth_bounds`
        are no finite interval, or there is no such `density`.
    """

    name = "isotropic_solid_angle"
    symmetric = True
    _learned = ("kappa",)

    def __init__(
        self,
        azimuthal_parameter: str,
        polar_parameter: str,
        kappa: float = 10,
        radec: bool = False,
        degs: bool = False,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
        *,
        azimuth_bounds: Iterable[float] | None = None,
        density: Density = "angles",
    ) -> None:
        self.parameters = (azimuthal_parameter, polar_parameter)
        self.kappa = kappa
        if density not in ("angles", "steradian"):
            raise ValueError(f"density must be 'angles' or 'steradian'; got {density!r}")
        self._density = density
        self._turn: Boundaries | None = None
        if azimuth_bounds is not None:
            names = self.parameters[:1]
            self._turn = as_turns(azimuth_bounds, names, "azimuth_bounds")[azimuthal_parameter]
        self._radec = self._degs = False
        self.isradec, self.isdegs = radec, degs
        self.set_jump_interval(jump_interval, jump_interval_duration)

    @property
    def azimuthal_parameter(self) -> str:
        """The name of the azimuth."""
        return self.parameters[0]

    @property
    def polar_parameter(self) -> str:
        """The name of the polar angle or the declination."""
        return self.parameters[1]

    @property
    def kappa(self) -> float:
        """The concentration. Settable.

        Raises
        ------
        ValueError
            If it is not positive and finite.
        TypeError
            If it is no number.
        """
        return self._kappa

    @kappa.setter
    def kappa(self, kappa: float) -> None:
        number = as_number(kappa, "kappa")
        if not 0 < number < inf:
            raise ValueError(f"kappa must be positive and finite; got {kappa!r}")
        self._kappa = number
        self._span = expm1(-2 * self._kappa)

    @property
    def norm(self) -> float:
        """The density at the centre, per steradian: kappa / (2 pi (1 - exp(-2 kappa)))."""
        return self._kappa / (-2 * pi * self._span)

    @property
    def isradec(self) -> bool:
        """Whether the polar parameter is a declination. Settable."""
        return self._radec

    @isradec.setter
    def isradec(self, radec: bool) -> None:
        self._radec = as_bool(radec, "radec")
        self._measure()

    @property
    def isdegs(self) -> bool:
        """Whether the angles are in degrees. Settable."""
        return self._degs

    @isdegs.setter
    def isdegs(self, degs: bool) -> None:
        self._degs = as_bool(degs, "degs")
        self._measure()

    @property
    def azimuth_bounds(self) -> Boundaries:
        """The domain of the azimuth. The upper bound, the lower one again, is not in it."""
        return self._azimuths

    @property
    def density(self) -> Density:
        """The measure in which the model's logp is a density: 'angles', or 'steradian'."""
        return self._density

    @property
    def config(self) -> dict[str, Any]:
        """The arguments of its constructor, and the density, which was no choice before."""
        config = super().config
        return {**config, "density": self._density} if is_built_in(self) else config

    def _measure(self) -> None:
        """Work out the domain of the azimuth and the range of the polar parameter."""
        half = 180.0 if self._degs else pi
        self._azimuths = self._turn or Boundaries((0.0, 2 * half))
        self._per_radian = abs(self._azimuths) / (2 * pi)
        self._lowest, self._highest = (-half / 2, half / 2) if self._radec else (0.0, half)

    def draw(self, x: Position) -> Position:
        """A jump from `x`.

        Raises
        ------
        ValueError
            If the polar parameter is out of its range.
        """
        stream, (azimuth, polar) = self.stream, x
        # The inverse of the distribution of 1 - cos d, which is exact for small and large kappa.
        versine = min(-log1p(stream.uniform() * self._span) / self._kappa, 2.0)
        aside, ahead = sqrt(versine * (2 - versine)), 1 - versine
        turn = 2 * pi * stream.uniform()
        up, out = self._axis(polar)
        # Cartesian, with the z axis at the pole and the azimuth counted from the present one.
        south = aside * cos(turn)
        x1, x2 = ahead * out + south * up, aside * sin(turn)
        x3, away = ahead * up - south * out, hypot(x1, x2)
        polar = atan2(x3, away) if self._radec else atan2(away, x3)
        azimuth += self._per_radian * atan2(x2, x1)
        if self._degs:
            polar = degrees(polar)
        return wrapped(azimuth, *self._azimuths), min(max(polar, self._lowest), self._highest)

    def _axis(self, polar: float) -> tuple[float, float]:
        """The distances of a direction along the axis of the poles, and off it."""
        if not self._lowest <= polar <= self._highest:
            raise ValueError(self._beyond(polar))
        if self._degs:
            polar = radians(polar)
        return (sin(polar), cos(polar)) if self._radec else (cos(polar), sin(polar))

    def _beyond(self, polar: float) -> str:
        return (
            f"Given point has {self.polar_parameter} = {polar!r}, which must lie in "
            f"[{self._lowest}, {self._highest}]"
        )

    def log_density(self, y: Position, x: Position) -> float:
        """The density per steradian; -inf where the polar parameter is out of its range.

        Raises
        ------
        ValueError
            If the polar parameter of `x` is out of its range.
        """
        _, out = self._axis(x[1])
        if not self._lowest <= y[1] <= self._highest:
            return -inf
        azimuth, polar = (y[0] - x[0]) / self._per_radian, y[1] - x[1]
        if self._degs:
            polar = radians(polar)
        # The haversine keeps its precision for near directions, where cos d does not.
        haversine = sin(polar / 2) ** 2 + out * self._axis(y[1])[1] * sin(azimuth / 2) ** 2
        return log(self.norm) - 2 * self._kappa * haversine

    def log_hastings(self, x: Position, y: Position) -> float:
        """Log q(x | y) - log q(y | x) of the densities in the angles; 0 if per steradian."""
        if self._density == "steradian":
            return 0.0
        here, there = self._axis(x[1])[1], self._axis(y[1])[1]
        # A pole has no azimuth and no area, whatever the target: a chain that starts there leaves.
        return inf if here < _POLE else log(here / max(there, _POLE))

    def _log_jacobian(self, x: Position) -> float:
        """The log area of a unit of both angles, if the density is in these."""
        if self._density == "steradian":
            return 0.0
        per_radians = self._per_radian * (degrees(1) if self._degs else 1)
        return log(max(self._axis(x[1])[1], _POLE) / per_radians)

    def _adds_hastings(self) -> bool:
        """Whether the log ratio needs `log_hastings`: it is symmetric per steradian alone."""
        return self._density == "angles" or not self.symmetric

    def _refusal(self, x: Position) -> str | None:
        """The reason why no jump can be made from `x`; None if one can."""
        if not self._lowest <= x[1] <= self._highest:
            return self._beyond(x[1])
        return outside(self.parameters, x, (self._azimuths,), "azimuth_bounds")

    def jump_stds(self) -> Iterable[float]:
        """That of a normal distribution on the tangent plane, 1 / sqrt(kappa), in both angles."""
        std = 1 / sqrt(self._kappa)
        return [self._per_radian * std, degrees(std) if self._degs else std]

    def periods(self) -> dict[str, float]:
        """The period of the azimuth: the width of its domain."""
        return {self.azimuthal_parameter: abs(self._azimuths)}


class AdaptiveIsotropicSolidAngle(IsotropicSolidAngle, learns=ConcentrationAdaptation):
    """An `IsotropicSolidAngle` jump whose concentration adapts: see `ConcentrationAdaptation`.

    It starts from a kappa of 5.
    """

    name = "adaptive_isotropic_solid_angle"

    def __init__(
        self,
        azimuthal_parameter: str,
        polar_parameter: str,
        adaptation_duration: int | None,
        start_step: int = 1,
        target_rate: float = 0.234,
        radec: bool = False,
        degs: bool = False,
        jump_interval: int = 1,
        start_iteration: int | None = None,
        *,
        azimuth_bounds: Iterable[float] | None = None,
        density: Density = "angles",
    ) -> None:
        shape = (azimuthal_parameter, polar_parameter, 5.0, radec, degs)
        interval, domain = (jump_interval, adaptation_duration), azimuth_bounds
        super().__init__(*shape, *interval, azimuth_bounds=domain, density=density)
        start_step = start_step if start_iteration is None else start_iteration
        self._learn_by(ConcentrationAdaptation(target_rate, adaptation_duration, start_step))
