"""Knowledge of a target, as learned: plain data, frozen from one barrier to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np

from epsie.proposals.learned.mixture import Array, Mixture
from epsie.proposals.learned.plain import counted, entry, fitting, malformed, rows_of
from epsie.proposals.learned.prior_part import PriorPart
from epsie.proposals.learned.transform import Transform
from epsie.proposals.learned.with_prior import beside_prior

MOVES = ("independence", "crank_nicolson", "difference", "snooker", "local", "random_walk")
"""The moves, in the order of their weights."""


class Knowledge(NamedTuple):
    """The knowledge that the moves of a kernel need. It may come from one chain or from many.

    All but the transform is in its coordinates.

    Parameters
    ----------
    transform : Transform
        The coordinates.
    mixture : Mixture
        What is like the target.
    ncore : int
        The number of its first components that were fitted; the others broaden them.
    archive : array
        Former positions, at most 1000. Shape (m, d).
    weights : array
        The probabilities of the moves in `MOVES`. Shape (6,).
    spread : array
        The half widths of the central 68 % of each parameter. Shape (d,).
    rescale : array
        The former units of the coordinates in these. Shape (d,).
    walk : array
        The factor of a random walk over what is known of the target. Shape (d, d).
    restart : bool
        Whether the random walk is to begin anew with it, and not to go on with its own.
    settled : bool
        Whether independent draws are accepted so often that nothing is to be searched for.
    share : float
        The weight of the prior beside the mixture; 0 for none.
    prior : PriorPart or None
        The prior, if it has a weight. It is no part of the plain data.
    """

    transform: Transform
    mixture: Mixture
    ncore: int
    archive: Array
    weights: Array
    spread: Array
    rescale: Array
    walk: Array
    restart: bool = False
    settled: bool = False
    share: float = 0.0
    prior: PriorPart | None = None

    def plain(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {
            "transform": self.transform.plain(),
            "mixture": self.mixture.plain(),
            "ncore": self.ncore,
            "archive": counted(self.archive),
            "weights": self.weights,
            "spread": self.spread,
            "rescale": self.rescale,
            "walk": self.walk,
            "restart": self.restart,
            "settled": self.settled,
            "share": self.share,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], ndim: int) -> Self:
        """Knowledge from what `plain` gave.

        Raises
        ------
        MalformedStateError
            If it is something else.
        """
        if plain.keys() != set(cls._fields) - {"prior"}:
            raise malformed("what was learned", f"a dict of {', '.join(cls._fields[:-1])}", plain)
        mixture = Mixture.from_plain(entry(plain, "mixture", dict), ndim)
        ncore, archive = entry(plain, "ncore", int), rows_of(plain, "archive", ndim)
        if not 0 < ncore <= mixture.size or not len(archive):
            raise malformed("ncore or archive", "of the size that was learned", ncore)
        weights = fitting(plain, "weights", (len(MOVES),))
        if not ((weights >= 0).all() and abs(weights.sum() - 1) < 1e-9):
            raise malformed("weights", "probabilities", weights)
        share = entry(plain, "share", float)
        if not 0 <= share < 1:
            raise malformed("share", "from 0 to 1", share)
        return cls(
            Transform.from_plain(entry(plain, "transform", dict), ndim),
            mixture,
            ncore,
            archive,
            weights,
            fitting(plain, "spread", (ndim,), positive=True),
            fitting(plain, "rescale", (ndim,), positive=True),
            fitting(plain, "walk", (ndim, ndim)),
            entry(plain, "restart", bool),
            entry(plain, "settled", bool),
            share,
        )

    def log_density(self, rows: Array) -> Array:
        """Log q of the mixture at positions, per unit of the parameters. Shape (n, d) to (n,)."""
        u, log_jacobians = self.transform.forward_rows(rows)
        found: Array = self.mixture.quick(u)[0] - log_jacobians
        return found - float(np.log(self.transform.scale).sum())

    def log_ratio_to_prior(self, rows: Array, logp: Array) -> Array:
        """Log m - log p, for the prior p and what independent draws are from, m. Shape (n,)."""
        log_q = self.log_density(rows) - logp
        found: Array = np.logaddexp(np.log(self.share), np.log1p(-self.share) + log_q)
        return found

    def with_prior(self, prior: PriorPart, rows: Array) -> Self:
        """The same with as much of the prior as fits positions best."""
        u, log_jacobians = self.transform.forward_rows(rows)
        log_prior = prior.log_densities(rows) + log_jacobians
        log_prior += np.log(self.transform.scale).sum()
        share, mixture = beside_prior(u, log_prior, self.mixture)
        ncore = self.ncore if mixture is self.mixture else mixture.size
        return self._replace(mixture=mixture, ncore=ncore, share=share, prior=prior)

    @property
    def slim(self) -> Self:
        """What is needed of it for densities alone."""
        return self._replace(archive=self.archive[:1], prior=None)

    @property
    def core(self) -> Mixture:
        """The components that were fitted."""
        return self.mixture.only(slice(self.ncore))
