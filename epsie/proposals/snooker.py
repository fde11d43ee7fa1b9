"""Snooker jumps: along the line to a former position."""

from __future__ import annotations

from epsie.proposals.archived import Archived


class Snooker(Archived):
    """A jump along the line to a former position (ter Braak & Vrugt 2008).

    It is by the projection of a difference of two others, times a factor between 1.2 and 2.2,
    doi:10.1007/s11222-008-9104-9. Best beside another proposal, in a `Mixture`.

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

    name = "snooker"
    move = "snooker"
