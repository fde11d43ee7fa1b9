"""Jumps on the sphere."""

from __future__ import annotations

from collections.abc import Iterable
from math import atan2, cos, degrees, exp, expm1, hypot, inf, log, log1p, pi, radians, sin, sqrt
from typing import Any

import numpy as np

from epsie.model.evaluation import Position
from epsie.proposals.adaptation.base import Adaptation
from epsie.proposals.base import BaseProposal
from epsie.proposals.outcome import Outcome

_GAIN = 0.6

KAPPA_RANGE = (1e-3, 1e16)
"""The range that an adaptation keeps kappa in: from uniform to what still moves the angles."""


class IsotropicSolidAngle(BaseProposal):
    r"""A jump to a direction on the sphere about the present one, alike to all sides.

    The new direction follows the von Mises-Fisher distribution (Fisher 1953,
    doi:10.1098/rspa.1953.0064): at the angle d from the present one its density is

    .. math:: q = \frac{\kappa}{2\pi (1 - e^{-2\kappa})} e^{\kappa (\cos d - 1)}

    *per steradian*. For large :math:`\kappa` that is a normal distribution with a standard
    deviation of :math:`1/\sqrt\kappa` radians in both directions; for small, uniform.

    The model's prior must be a density per steradian too: where the direction is equally likely all
    over the sky, logp is constant in the angles, without a term for the sine of the polar angle.

    Parameters
    ----------
    azimuthal_parameter : str
        The azimuth, or right ascension. Jumps land in [0, 2 pi), in degrees [0, 360).
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

    Raises
    ------
    ValueError
        If `kappa` is not positive and finite; if `radec` or `degs` is no bool.
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
    ) -> None:
        self.parameters = (azimuthal_parameter, polar_parameter)
        self.kappa = kappa
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
        """
        return self._kappa

    @kappa.setter
    def kappa(self, kappa: float) -> None:
        if not 0 < kappa < inf:
            raise ValueError(f"kappa must be positive and finite; got {kappa!r}")
        self._kappa = float(kappa)
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
        self._radec = _as_bool(radec, "radec")
        self._measure()

    @property
    def isdegs(self) -> bool:
        """Whether the angles are in degrees. Settable."""
        return self._degs

    @isdegs.setter
    def isdegs(self, degs: bool) -> None:
        self._degs = _as_bool(degs, "degs")
        self._measure()

    def _measure(self) -> None:
        """Work out the period of the azimuth and the range of the polar parameter."""
        self._period = 360.0 if self._degs else 2 * pi
        half = self._period / 2
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
        by = atan2(x2, x1)
        if self._degs:
            polar, by = degrees(polar), degrees(by)
        azimuth = (azimuth + by) % self._period
        # A remainder may be rounded up to the period.
        return (
            azimuth if azimuth < self._period else 0.0,
            min(max(polar, self._lowest), self._highest),
        )

    def _axis(self, polar: float) -> tuple[float, float]:
        """The distances of a direction along the axis of the poles, and off it."""
        if not self._lowest <= polar <= self._highest:
            raise ValueError(
                f"Given point has {self.polar_parameter} = {polar!r}, which must lie in "
                f"[{self._lowest}, {self._highest}]"
            )
        if self._degs:
            polar = radians(polar)
        return (sin(polar), cos(polar)) if self._radec else (cos(polar), sin(polar))

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
        azimuth, polar = y[0] - x[0], y[1] - x[1]
        if self._degs:
            azimuth, polar = radians(azimuth), radians(polar)
        # The haversine keeps its precision for near directions, where cos d does not.
        haversine = sin(polar / 2) ** 2 + out * self._axis(y[1])[1] * sin(azimuth / 2) ** 2
        return log(self.norm) - 2 * self._kappa * haversine

    def log_hastings(self, x: Position, y: Position) -> float:
        """Zero: it is symmetric."""
        return 0.0

    def jump_stds(self) -> Iterable[float]:
        """That of a normal distribution on the tangent plane, 1 / sqrt(kappa), in both angles."""
        std = 1 / sqrt(self._kappa)
        return [degrees(std) if self._degs else std] * 2

    def periods(self) -> dict[str, float]:
        """The period of the azimuth: 2 pi, or 360 in degrees."""
        return {self.azimuthal_parameter: self._period}


def _as_bool(value: Any, name: str) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False; got {value!r}")
    return bool(value)


class ConcentrationAdaptation(Adaptation):
    r"""The concentration of jumps on the sphere, by the acceptance rate.

    After the k-th jump, with its acceptance ratio :math:`\alpha`, the target rate
    :math:`\alpha^*` and the duration K,

    .. math:: \log\kappa \leftarrow \log\kappa
              - (k^{-0.6} - K^{-0.6}) \frac{\alpha - \alpha^*}{\alpha^* (1 - \alpha^*)},

    kept within `KAPPA_RANGE`: Robbins & Monro (1951), doi:10.1214/aoms/1177729586, with the gain of
    Andrieu & Thoms (2008), doi:10.1007/s11222-008-9110-y. The denominator lets a chain find a
    direction that is known to a fraction of an arc minute in a few thousand jumps.
    """

    def __init__(
        self, target_rate: float, adaptation_duration: int | None, start_step: int = 1
    ) -> None:
        super().__init__(target_rate, adaptation_duration, start_step)
        self._last_gain = self._end**-_GAIN
        self._steepness = 1 / (self.target_rate * (1 - self.target_rate))

    def update(self, proposal: Any, outcome: Outcome) -> None:
        """Concentrate jumps if too few are accepted, spread them if too many."""
        k = proposal._nsteps - self.start_step + 1
        if not 1 <= k < self._end:
            return
        gain = self._steepness * (k**-_GAIN - self._last_gain)
        kappa = proposal.kappa * exp(-gain * (outcome.acceptance_ratio - self.target_rate))
        proposal.kappa = min(max(kappa, KAPPA_RANGE[0]), KAPPA_RANGE[1])


class AdaptiveIsotropicSolidAngle(IsotropicSolidAngle, learns=ConcentrationAdaptation):
    """An `IsotropicSolidAngle` jump that learns as `ConcentrationAdaptation` has it.

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
    ) -> None:
        shape, interval = (5.0, radec, degs), (jump_interval, adaptation_duration)
        super().__init__(azimuthal_parameter, polar_parameter, *shape, *interval)
        start_step = start_step if start_iteration is None else start_iteration
        self._learn_by(ConcentrationAdaptation(target_rate, adaptation_duration, start_step))
