"""A proposal that jumps by former positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from epsie.proposals.boundaries import out_of_bounds
from epsie.proposals.learned.learning import known_of_archive, remember
from epsie.proposals.one_move import OneMove, Only, as_rows


class Archived(OneMove):
    """A proposal that jumps by an archive of positions, which is frozen.

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

    move: ClassVar[str]

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]] | None = None,
        periods: Mapping[str, float] | None = None,
        archive: ArrayLike | None = None,
        adaptation_duration: int | None = None,
        std: ArrayLike | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
    ) -> None:
        interval = (jump_interval, jump_interval_duration)
        super().__init__(parameters, boundaries, periods, adaptation_duration, std, *interval)
        only = Only(self.move, remember)
        if archive is None:
            self._learn_only(only)
            return
        rows = as_rows(archive, "archive", self.ndim, 3)
        for row in rows.tolist():
            if found := out_of_bounds(self.parameters, tuple(row), self.subject.limits):
                raise ValueError(f"the archive has a position out of bounds: {found}")
        transform = self.first.refined(rows)
        known = known_of_archive(transform, transform.forward_rows(rows)[0], np.ones(self.ndim))
        self._know(only.of(known))
