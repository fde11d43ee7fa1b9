"""Robust adaptive Metropolis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from numpy.typing import ArrayLike

from epsie.proposals.one_move import OneMove


class RobustAdaptive(OneMove):
    """A normal jump whose covariance adapts so that a share of 0.234 of the jumps is accepted.

    It widens in the direction of jumps that are accepted, and narrows in that of others, so that
    it needs no moments of the target, which may have none (Vihola 2012,
    doi:10.1007/s11222-011-9269-5).

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters, real numbers.
    boundaries, periods : dict, optional
        As those of `Learned`.
    adaptation_duration : int, optional
        The iteration from which on it is fixed; by default it goes on, ever more slowly.
    std : float or array_like, optional
        As that of `Learned`.
    jump_interval, jump_interval_duration : int, optional
        See `set_jump_interval`.

    Raises
    ------
    ValueError
        If bounds or periods are for other parameters, or are none.
    """

    name = "robust_adaptive"

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]] | None = None,
        periods: Mapping[str, float] | None = None,
        adaptation_duration: int | None = None,
        std: ArrayLike | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
    ) -> None:
        super().__init__(
            parameters,
            boundaries,
            periods,
            adaptation_duration,
            std,
            jump_interval,
            jump_interval_duration,
            pooled=False,
        )
        self._learn_nothing()
