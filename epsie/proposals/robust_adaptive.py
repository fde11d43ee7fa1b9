"""Robust adaptive Metropolis."""

from __future__ import annotations

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
