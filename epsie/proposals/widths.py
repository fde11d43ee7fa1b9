"""Jumps with one width for every parameter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsie.model.evaluation import Position
from epsie.proposals.base import BaseProposal
from epsie.proposals.covariance import as_covariance, as_stds


class WidthProposal(BaseProposal):
    """A proposal whose parameters jump independently, each with a standard deviation.

    All that an adaptation of widths reads and writes is `widths`.
    """

    _learned: ClassVar[tuple[str, ...]] = ("widths",)

    def __init__(
        self,
        parameters: str | Iterable[str],
        cov: ArrayLike | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
    ) -> None:
        self.parameters = parameters
        self.cov = cov
        self.set_jump_interval(jump_interval, jump_interval_duration)

    @property
    def _shown(self) -> tuple[str, ...]:  # type: ignore[override]
        """The widths, if they are learned, as standard deviations or as a covariance."""
        if self.adaptation is None:
            return ()
        return ("std",) if self.isdiagonal else ("cov",)

    widths: tuple[float, ...]
    """Standard deviations."""

    @property
    def isdiagonal(self) -> bool:
        """Whether the parameters jump independently."""
        return True

    @property
    def std(self) -> NDArray[np.float64]:
        """Standard deviations. Settable with one for all or one for each.

        Raises
        ------
        ValueError
            If the covariance is not diagonal.
        """
        self._refuse_unless_diagonal()
        return np.array(self.widths)

    @std.setter
    def std(self, std: ArrayLike) -> None:
        self._refuse_unless_diagonal()
        self.widths = tuple(as_stds(std, self.ndim, "std").tolist())

    def _refuse_unless_diagonal(self) -> None:
        if not self.isdiagonal:
            raise ValueError("std is for independent jumps, but this covariance is not diagonal")

    @property
    def cov(self) -> NDArray[np.float64]:
        """The covariance: an array of variances, or a matrix if it is not diagonal. Settable."""
        return np.array(self.widths) ** 2

    @cov.setter
    def cov(self, cov: ArrayLike | None) -> None:
        variances = as_covariance(cov, self.ndim)
        if variances.ndim > 1:
            raise ValueError(
                f"cov of {type(self).__name__} must be diagonal: a number or {self.ndim} variances"
            )
        self.widths = tuple(np.sqrt(variances).tolist())

    def jump_stds(self) -> Iterable[float]:
        """The standard deviation of the jump of each parameter, before any truncation."""
        return self.widths

    def _scale(self, by: float, max_std: Sequence[float] | None = None) -> None:
        """Multiply all widths, none beyond its maximum."""
        if max_std is None:
            self.widths = tuple([by * width for width in self.widths])
            return
        widths = []
        for width, most in zip(self.widths, max_std):
            scaled = by * width
            widths.append(scaled if scaled < most else most)
        self.widths = tuple(widths)

    def _parts_of_jump(self, x: Position, y: Position, by: float) -> list[Position]:
        """The positions to which each part of a jump alone leads, if it is `by` times as long."""
        return [
            (*x[:i], self._part_of_jump(i, here, there, by), *x[i + 1 :])
            for i, (here, there) in enumerate(zip(x, y, strict=True))
        ]

    def _part_of_jump(self, i: int, here: float, there: float, by: float) -> float:
        """The end of a jump of the i-th parameter that is `by` times as long."""
        return here + by * (there - here)

    def _extents(self) -> list[float] | None:
        """The largest distance of two values of each parameter; None if it is not known."""
        return None
