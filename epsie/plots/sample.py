"""The samples of a parameter as they are to be shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.plots.style import angle_ticks, number, number_ticks
from epsie.results.quantities import chosen, draws_of
from epsie.results.source import ALL
from epsie.results.view import View

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sample:
    """The draws of one parameter at one temperature.

    Parameters
    ----------
    name : str
        What it is called.
    values : array
        Shape (nchains, n); NaN where it is inactive.
    discrete : bool
        Whether they are integers.
    period : float or None
        The period of an angle.
    """

    name: str
    values: Floats
    discrete: bool = False
    period: float | None = None

    @property
    def active(self) -> Floats:
        """All values that there are, shape (m,)."""
        return self.values[np.isfinite(self.values)]

    @property
    def share_active(self) -> float:
        """The share of samples in which it is active."""
        return float((~np.isnan(self.values)).mean())

    def limits(self) -> tuple[float, float]:
        """From where to where to show it: nearly all of it."""
        values = self.active
        if not values.size:
            return 0.0, 1.0
        if self.discrete:
            return float(values.min()) - 0.5, float(values.max()) + 0.5
        low, high = np.quantile(values, (0.001, 0.999))
        room = 0.08 * (high - low) or 0.5 * abs(low) or 0.5
        low, high = max(low - room, values.min() - room), min(high + room, values.max() + room)
        if self.period is not None and high - low > 0.8 * self.period:
            middle = round((low + high) / self.period) * self.period / 2
            return middle - self.period / 2, middle + self.period / 2
        return float(low), float(high)

    @property
    def all_around(self) -> bool:
        """Whether it is an angle that takes values all around the circle."""
        low, high = self.limits()
        return self.period is not None and high - low >= self.period

    def edges(self, most: int) -> Floats:
        """Edges of bins: for integers one for each, or several in each if there are very many."""
        low, high = self.limits()
        if self.discrete:
            step = max(1, round((high - low) / most))
            return np.arange(low, high + step, step, dtype=float)
        return np.linspace(low, high, most + 1)

    def ticks(self, axis: Any, most: int = 4) -> None:
        """Ticks of an axis along which it is shown."""
        if self.period is not None:
            angle_ticks(axis, *self.limits(), self.period, most + 1)
        else:
            number_ticks(axis, most, whole=self.discrete)

    def summary(self, most: float) -> str:
        """Its median and how far its central 90 % reach, if that takes no more characters."""
        values = self.active
        if not values.size:
            return "never active"
        low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
        if self.discrete:
            return f"{middle:.0f} ({low:.0f} to {high:.0f})".replace("-", "\N{MINUS SIGN}")
        if high == low:
            return number(middle, abs(middle) / 100)
        # Two digits of the interval.
        precision = 10 ** np.floor(np.log10((high - low) / 2) - 1 + 1e-9)
        up, down = number(high - middle, precision), number(middle - low, precision)
        median = number(middle, precision)
        # What stands above and below is written smaller.
        if len(median) + 0.75 * (1 + max(len(up), len(down))) > most:
            return ""
        up, down, median = (text.replace("\N{MINUS SIGN}", "{-}") for text in (up, down, median))
        return f"${median}^{{+{up}}}_{{-{down}}}$"


def samples(
    view: View,
    parameters: str | Iterable[str] | None,
    labels: Mapping[str, str] | None,
    temperature: int = 0,
    rows: slice = ALL,
) -> list[Sample]:
    """The samples of some parameters, or blobs, at a temperature.

    Raises
    ------
    ValueError
        If there are no such parameters, blobs or temperature, or nothing was visited yet.
    """
    quantities, labels = chosen(view, parameters), labels_of(view, labels)
    draws, periods = draws_of(view, quantities, temperature, rows), view.periods
    return [
        _sample(labels.get(name, name), values, periods.get(name)) for name, values in draws.items()
    ]


def labels_of(view: View, given: Mapping[str, str] | None) -> dict[str, str]:
    """The labels that are given, and those of the prior.

    Raises
    ------
    ValueError
        If they are of parameters or blobs that there are not.
    """
    if given:
        chosen(view, given, what="labels")
    return {**view.labels, **(given or {})}


def _sample(name: str, values: NDArray[Any], period: float | None) -> Sample:
    discrete = values.dtype.kind in "iub"
    values = values.astype(float)
    if period is not None:
        values = centred(values, period)
    return Sample(name, values, discrete, period)


def centred(angles: Floats, period: float) -> Floats:
    """Angles in the turns that are nearest to their mean, which is -1/4 to 3/4 of a turn."""
    turns = angles * (2 * np.pi / period)
    if np.isnan(turns).all():
        return angles
    x, y = np.nanmean(np.cos(turns)), np.nanmean(np.sin(turns))
    middle = period / 2
    if np.hypot(x, y) > 0.1:  # else all around, and there is no mean
        middle = float(np.arctan2(y, x) * period / (2 * np.pi))
        middle = (middle + period / 4) % period - period / 4
    return angles - period * np.round((angles - middle) / period)
