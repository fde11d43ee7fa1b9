"""Moves of a walker from where the walkers of the other half of its ensemble stand.

While one half moves the other rests: given where that stands, a move is an ordinary proposal, and
leaves the target invariant.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import hypot, inf, log, sqrt
from typing import Any, ClassVar

from epsie.checks import as_number
from epsie.model.evaluation import Position
from epsie.rng.stream import Stream

Drawn = tuple[Position, float]
"""A position, and what the move adds to the log ratio."""


class Move(ABC):
    """A way to draw where a walker goes, given where those of the other half stand."""

    name: ClassVar[str]

    least: ClassVar[int]
    """The number of walkers in the other half that it needs at least."""

    symmetric: ClassVar[bool] = False
    """Whether it adds nothing to the log ratio."""

    @property
    def config(self) -> dict[str, Any]:
        """Its arguments by name: they make an equal one."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]

    @abstractmethod
    def draw(self, x: Position, others: Sequence[Position], stream: Stream) -> Drawn:
        """A jump from `x`; `others` is where the walkers of the other half stand."""


@dataclass(frozen=True)
class Stretch(Move):
    r"""The stretch move: along the line to another walker (Goodman & Weare 2010).

    .. math:: x' = x_j + z (x - x_j), \qquad p(z) \propto z^{-1/2} \text{ on } [1/a, a],

    which adds :math:`(d - 1) \log z` to the log ratio (equation 7,
    doi:10.2140/camcos.2010.5.65). Affine invariant: it does not matter how parameters are scaled
    or correlated.

    Parameters
    ----------
    a : float, optional
        The greatest stretch, more than 1.

    Raises
    ------
    ValueError
        If `a` is not more than 1.
    TypeError
        If it is no number.
    """

    a: float = 2.0
    name = "stretch"
    least = 1

    def __post_init__(self) -> None:
        if not 1 < as_number(self.a, "the greatest stretch, a,") < inf:
            raise ValueError(f"the greatest stretch, a, must be more than 1; got {self.a!r}")

    def draw(self, x: Position, others: Sequence[Position], stream: Stream) -> Drawn:
        """A jump from `x`."""
        other = others[int(stream.uniform() * len(others))]
        root = (self.a - 1) * stream.uniform() + 1
        z = root * root / self.a
        return tuple([o + z * (v - o) for v, o in zip(x, other)]), (len(x) - 1) * log(z)


@dataclass(frozen=True)
class DifferentialEvolution(Move):
    r"""A multiple of the difference of two other walkers (ter Braak 2006).

    .. math:: x' = x + \gamma (1 + \sigma \epsilon) (x_i - x_j), \qquad \epsilon \sim N(0, 1),

    where the noise is on the factor, so that the move stays affine invariant (Nelson et al. 2014,
    doi:10.1088/0067-0049/210/1/11; doi:10.1007/s11222-006-8769-1). It is symmetric.

    Parameters
    ----------
    gamma : float, optional
        The multiple; :math:`2.38 / \sqrt{2 d}` in d dimensions if None. With 1 a walker goes from
        one mode to another as far away as those of the pair.
    sigma : float, optional
        The relative noise of it, positive.

    Raises
    ------
    ValueError
        If one is not positive.
    TypeError
        If one is no number.
    """

    gamma: float | None = None
    sigma: float = 1e-5
    name = "differential_evolution"
    least = 2
    symmetric = True

    def __post_init__(self) -> None:
        given = {"sigma": self.sigma} | ({} if self.gamma is None else {"gamma": self.gamma})
        for name, value in given.items():
            what = f"{name} of differential evolution"
            if not 0 < as_number(value, what) < inf:
                raise ValueError(f"{what} must be positive; got {value}")

    def draw(self, x: Position, others: Sequence[Position], stream: Stream) -> Drawn:
        """A jump from `x`."""
        one, other = _different(others, stream.uniforms(2))
        gamma = 2.38 / sqrt(2 * len(x)) if self.gamma is None else self.gamma
        gamma *= 1 + self.sigma * stream.normal()
        return tuple([v + gamma * (a - b) for v, a, b in zip(x, one, other)]), 0.0


@dataclass(frozen=True)
class Snooker(Move):
    r"""A jump along the line to another walker (ter Braak & Vrugt 2008).

    .. math:: x' = x + \gamma e \, e \cdot (x_i - x_j), \qquad e = (x - x_k) / |x - x_k|,

    with :math:`\gamma` uniform between `low` and `high`. It adds
    :math:`(d - 1) \log (|x' - x_k| / |x - x_k|)` to the log ratio (equation 4,
    doi:10.1007/s11222-008-9104-9). Lengths depend on units: best a small part of a mixture.

    Parameters
    ----------
    low, high : float, optional
        The range of the multiple, positive.

    Raises
    ------
    ValueError
        If they are no range of positive numbers.
    TypeError
        If one is no number.
    """

    low: float = 1.2
    high: float = 2.2
    name = "snooker"
    least = 3

    def __post_init__(self) -> None:
        low, high = (as_number(getattr(self, n), f"{n} of a snooker move") for n in ("low", "high"))
        if not 0 < low <= high < inf:
            raise ValueError(
                "the range of a snooker move must be 0 < low <= high; got "
                f"low={self.low!r}, high={self.high!r}"
            )

    def draw(self, x: Position, others: Sequence[Position], stream: Stream) -> Drawn:
        """A jump from `x`."""
        *which, u = stream.uniforms(4)
        centre, one, other = _different(others, which)
        away = [v - c for v, c in zip(x, centre)]
        length = hypot(*away)
        if length == 0.0:
            return x, 0.0
        projected = sum([e * (a - b) for e, a, b in zip(away, one, other)]) / length
        gamma = self.low + (self.high - self.low) * u
        factor = gamma * projected / length
        y = tuple([v + factor * e for v, e in zip(x, away)])
        # At the centre itself, where none comes from, it has no density.
        return y, (len(x) - 1) * log(abs(1 + factor)) if factor != -1.0 else -inf


def _different(others: Sequence[Position], uniforms: Sequence[float]) -> list[Position]:
    """As many different walkers as there are variates, in random order."""
    left = list(others)
    return [left.pop(int(u * len(left))) for u in uniforms]


MOVES: dict[str, type[Move]] = {cls.name: cls for cls in (Stretch, DifferentialEvolution, Snooker)}
"""The class of every move by its name."""
