"""Differential evolution: jumps by differences of former positions."""

from __future__ import annotations

from epsie.proposals.archived import Archived


class DifferentialEvolution(Archived):
    """A multiple of the difference of two former positions (ter Braak & Vrugt 2008).

    Half of the time it is of some parameters alone, as in DREAM (Vrugt et al. 2009), else of all
    and with some noise. As the archive is frozen the jump is symmetric,
    doi:10.1007/s11222-006-8769-1. The size is tuned to an acceptance of 0.234.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters, real numbers.
    boundaries, periods : dict, optional
        As those of `Learned`.
    archive : array_like, optional
        Positions, a column for each parameter. Shape (n, d), at least three different ones. By
        default those where the chain was, up to 1000 of the last three quarters of its iterations,
        renewed at the same barriers as of `Learned`; until the first of these it makes a robust
        adaptive random walk.
    adaptation_duration : int, optional
        The iteration from which on archive and sizes of jumps stay as they are; by default they go
        on to be learned, ever more slowly.
    std : float or array_like, optional
        As that of `Learned`. It is not needed with an archive.
    jump_interval, jump_interval_duration : int, optional
        See `set_jump_interval`.

    Raises
    ------
    ValueError
        If bounds or periods are for other parameters, or the archive has another shape, too few
        positions, or one out of bounds.
    """

    name = "differential_evolution"
    move = "difference"
