"""Preconditioned Crank-Nicolson jumps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.linalg import LinAlgError
from numpy.typing import ArrayLike

from epsie.proposals.learned.knowledge import Knowledge
from epsie.proposals.learned.learning import known_of_archive, learn
from epsie.proposals.learned.mixture import Mixture
from epsie.proposals.learned.transform import Transform
from epsie.proposals.one_move import OneMove, Only, as_rows


class CrankNicolson(OneMove):
    """A jump that keeps a reference distribution, which should be like the target.

    The reference is a mixture of t distributions, by default learned as that of `Learned` is, or
    one that is given. A component is drawn given the point, then its precision g, and the jump is
    m + sqrt(1 - rho^2) (x - m) + rho L z / sqrt(g) for a component with the centre m and the
    factor L. It is accepted by the ratio of target and reference, so that it mixes the same in any
    number of dimensions (Cotter et al. 2013, doi:10.1214/13-STS421). Half of the jumps have the
    size rho that is tuned to an acceptance of 0.3, the others a smaller one.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters, real numbers.
    boundaries, periods : dict, optional
        As those of `Learned`.
    mean, cov : array_like, optional
        The centre and the scale matrix of a reference of one component. Shapes (d,) and (d, d).
    dofs : float, optional
        Its degrees of freedom.
    adaptation_duration : int, optional
        The iteration from which on nothing is learned; by default learning goes on, ever more
        rarely.
    std : float or array_like, optional
        As that of `Learned`. It is not needed with a reference.
    jump_interval, jump_interval_duration : int, optional
        See `set_jump_interval`.

    Raises
    ------
    ValueError
        If bounds or periods are for other parameters, there is a mean without a covariance or the
        other way round, or they are none.
    """

    name = "crank_nicolson"

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]] | None = None,
        periods: Mapping[str, float] | None = None,
        mean: ArrayLike | None = None,
        cov: ArrayLike | None = None,
        dofs: float = 10.0,
        adaptation_duration: int | None = None,
        std: ArrayLike | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
    ) -> None:
        interval = (jump_interval, jump_interval_duration)
        super().__init__(parameters, boundaries, periods, adaptation_duration, std, *interval)
        if (mean is None) != (cov is None):
            raise ValueError("mean and cov make a reference together: give both, or neither")
        only = Only(self.name, learn)
        if mean is None or cov is None:
            self._learn_only(only)
        else:
            self._know(only.of(self._reference(mean, cov, dofs)))

    def _reference(self, mean: ArrayLike, cov: ArrayLike, dofs: float) -> Knowledge:
        """A t distribution in the coordinates of its own centre and scales."""
        centre = as_rows([np.ravel(mean)], "mean", self.ndim, 1)
        scales = as_rows(np.atleast_2d(np.asarray(cov)), "cov", self.ndim, 1)
        if not dofs > 0:
            raise ValueError(f"dofs must be positive; got {dofs!r}")
        try:
            if scales.shape != (self.ndim, self.ndim) or not np.allclose(scales, scales.T):
                raise LinAlgError
            np.linalg.cholesky(scales)
        except LinAlgError:
            raise ValueError(
                f"cov must be symmetric and positive definite, of shape ({self.ndim}, {self.ndim})"
                f"; got {scales.tolist()}"
            ) from None
        stds = np.sqrt(np.diag(scales))
        shift = self.first.bend.forward_rows(centre)[0][0]
        transform = Transform(self.first.coordinates, shift, stds)
        unit = scales / np.outer(stds, stds)
        corners = np.linalg.cholesky(unit).T * np.sqrt(self.ndim)
        known = known_of_archive(transform, np.vstack([corners, -corners]), np.ones(self.ndim))
        reference = Mixture.of([1.0], np.zeros((1, self.ndim)), unit[np.newaxis], [dofs])
        return known._replace(mixture=reference)
