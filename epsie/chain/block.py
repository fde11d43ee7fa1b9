"""A block of chains that are stepped as arrays, with the bits of each stepped alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.adaptation_history import Note
from epsie.chain.base import BaseChain
from epsie.chain.block_blobs import BlockBlobs, OtherBlobsError, dicts_of
from epsie.chain.block_rows import BlockRows
from epsie.chain.chain import NO_DENSITY
from epsie.chain.ptchain import ParallelTemperedChain
from epsie.errors import ProposalError
from epsie.model.batch import Batch, asks_prior_first
from epsie.model.evaluation import NotFiniteError, Point
from epsie.model.one_by_one import OneByOne
from epsie.process.cancellation import GivenUp
from epsie.proposals.arrays import ProposalArrays
from epsie.proposals.outcome import Outcomes
from epsie.rng.elementwise import exps
from epsie.rng.streams import Streams
from epsie.tempering.many_sweeps import SWEEPS

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]


def positions_of(levels: Sequence[Any]) -> Array:
    """Where temperatures stand. Shape (nlevels, ndim)."""
    return np.array([level.point.x for level in levels])


def betas_of(levels: Sequence[Any]) -> Array:
    """Their inverse temperatures. Shape (nlevels,)."""
    return np.array([level.beta for level in levels])


def _points(x: Array, logl: Array, logp: Array, blobs: Sequence[Any]) -> list[Point]:
    columns = zip(x.tolist(), logl.tolist(), logp.tolist(), blobs, strict=True)
    return [
        Point(tuple(at), like, prior, None if prior == -inf else blob)
        for at, like, prior, blob in columns
    ]


class Block:
    """Chains at the same iteration, each at the same number of temperatures, as arrays.

    Rows are chain-major: the first are the temperatures of the first chain. Whatever rounds is
    computed as for a single chain: by IEEE arithmetic, by `math` element by element, or by LAPACK
    and BLAS matrix by matrix.

    Parameters
    ----------
    chains : sequence of BaseChain
        The chains.
    proposals : ProposalArrays
        Their proposals.
    model : Batch or OneByOne
        The model.
    room : int
        The number of steps that they are going to make at most.
    blobs : BlockBlobs, optional
        Their blobs.
    """

    def __init__(
        self,
        chains: Sequence[BaseChain],
        proposals: ProposalArrays,
        model: Batch | OneByOne,
        room: int,
        blobs: BlockBlobs | None = None,
    ) -> None:
        self.chains, self.proposals, self.model = chains, proposals, model
        self.blobs = blobs
        self.levels: list[Any] = [level for chain in chains for level in chain.by_temperature]
        self.names, self.ntemps = chains[0].parameters, chains[0].ntemps
        self.x = positions_of(self.levels)
        self.logl = np.array([level.point.logl for level in self.levels])
        self.logp = np.array([level.point.logp for level in self.levels])
        self.y, self.new_logl, self.new_logp = self.x.copy(), self.logl.copy(), self.logp.copy()
        self.ratio = np.zeros(len(self.levels))
        self.accepted = np.zeros(len(self.levels), bool)
        self._outside = np.zeros(len(self.levels), np.int64)
        self._drawn = np.ones(len(self.levels), bool)
        self._resting = np.zeros(len(self.levels), np.int64)
        betas = betas_of(self.levels)
        self._betas, self._at_prior = betas, betas == 0
        self._streams: Any = self._streams_of(chains)
        kind = None if blobs is None else blobs.here.dtype
        self._rows = BlockRows(room, len(self.x), chains[0].dtypes, kind)
        self.iteration, self._nsweeps = chains[0].iteration, chains[0].nsweeps

    def _streams_of(self, chains: Sequence[BaseChain]) -> Any:
        """The random numbers of the chains."""
        return Streams([chain.stream for chain in chains], len(self.names) * self.ntemps)

    def run(self, niterations: int) -> None:
        """Make so many steps."""
        given_up, number = self.chains[0].watch
        with np.errstate(all="ignore"):
            for _ in range(niterations):
                if given_up[0] >= number:
                    raise GivenUp
                self._step()
                if self.ntemps > 1 and self.iteration % self.chains[0].swap_interval == 0:
                    self._rows.add_sweeps(*self._sweep())
                self._rows.put(self)

    def note(self) -> None:
        """Note what was learned up to here."""
        widths = iter(map(tuple, self.proposals.stds().tolist()))
        for chain in self.chains:
            levels = chain.by_temperature
            betas = tuple([level.beta for level in levels])
            chain.notes.append(Note(self.iteration, [next(widths) for _ in levels], betas))

    def _step(self) -> None:
        """Propose, evaluate, decide and learn."""
        proposals = self.proposals
        self.y, self._drawn = proposals.draw(self.x, self._streams), proposals.drawn
        self.new_logl, self.new_logp = self._asked(self.y, slice(None))
        log_ratio = self.new_logp - self.logp
        log_ratio += np.where(self._at_prior, 0.0, self._betas * (self.new_logl - self.logl))
        if proposals.corrects:
            log_ratio += proposals.log_hastings()
        self._decide(log_ratio)
        self.iteration += 1
        news = self.y, self.new_logl, self.new_logp, self.accepted, self.ratio
        proposals.learn_from(Outcomes(self.x, *news))

    def _asked(self, y: Array, rows: slice | Rows) -> tuple[Array, Array]:
        """What the model says of where these rows are to go."""
        columns = dict(zip(self.names, np.ascontiguousarray(y.T), strict=True))
        logl, logp, blobs = self.model.many(columns)
        if self.blobs is not None:
            self.blobs.propose(rows, blobs, logp)
        elif blobs is not None:
            raise OtherBlobsError("the model returned a blob, but none at the start")
        if not np.isfinite(logl + logp).all():
            # A comparison with NaN is False.
            good = (logp == -inf) | ((logl < inf) & (logp < inf))
            if not good.all():
                self._refuse(y, np.arange(len(self.levels))[rows], ~good, logl, logp)
            logl = np.where(logp == -inf, -inf, logl)
        return logl, logp

    def _refuse(self, y: Array, rows: Rows, bad: Mask, logl: Array, logp: Array) -> None:
        """Reject what is not finite of rows, or raise an error that tells where."""
        self.tell()
        for j in np.flatnonzero(bad).tolist():
            text = f"the model returned logl = {float(logl[j])!r}, logp = {float(logp[j])!r}"
            self.levels[rows[j]]._rejected(tuple(y[j].tolist()), NotFiniteError(text))
            logp[j] = -inf

    def _decide(self, log_ratio: Array) -> None:
        """Accept with the probabilities that log ratios say."""
        inside = self.new_logp != -inf
        self._outside += ~inside
        if self.proposals.corrects:
            inside &= self._drawn
            self._resting += ~self._drawn
        up = inside & (log_ratio > 0)
        open_ = inside & ~up
        where = np.flatnonzero(open_)
        ratios = exps(log_ratio[where])
        self.ratio = up.astype(float)
        if self.proposals.corrects:
            if np.isnan(ratios).any():
                self._refuse_density(int(where[np.isnan(ratios)][0]))
            self.ratio[~self._drawn] = nan
        self.ratio[where] = ratios
        if self.ntemps == 1:
            u = self._streams.uniforms_at(where)
        else:
            u = self._streams.uniforms_where(open_.reshape(-1, self.ntemps))
        self.accepted = accepted = up
        accepted[where] = u < ratios
        moved = np.flatnonzero(accepted)
        # What was handed out, to who learns or keeps rows, is copied there.
        self.x[moved] = self.y[moved]
        self.logl[moved], self.logp[moved] = self.new_logl[moved], self.new_logp[moved]
        if self.blobs is not None:
            self.blobs.accept(moved)

    def _refuse_density(self, i: int) -> None:
        """Raise an error that tells where the proposals gave no density."""
        self.tell()
        raise ProposalError(NO_DENSITY, self.levels[i].where(tuple(self.y[i].tolist())))

    def _sweep(self) -> tuple[NDArray[np.int64], Array]:
        """Swap points between temperatures; where they came from, and the ratios."""
        ntemps, chain = self.ntemps, self.chains[0]
        assert isinstance(chain, ParallelTemperedChain)
        logls, betas = self.logl.reshape(-1, ntemps), self._betas.reshape(-1, ntemps)
        uniforms = self._streams.uniforms(ntemps - 1)
        order, ratios = SWEEPS[chain.swap_scheme](logls, betas, uniforms, self._nsweeps)
        self._nsweeps += 1
        came_from = (order + ntemps * np.arange(len(order))[:, np.newaxis]).ravel()
        self.x, self.logl = self.x[came_from], self.logl[came_from]
        self.logp = self.logp[came_from]
        if self.blobs is not None:
            self.blobs.swap(came_from)
        return order, ratios

    def tell(self) -> None:
        """Let the chains know where they stand and what they learned."""
        self.proposals.give_back()
        asks_prior = asks_prior_first(self.levels[0]._model)
        here: list[Any] = [None] * len(self.levels)
        there = here
        if self.blobs is not None:
            here, there = dicts_of(self.blobs.here), dicts_of(self.blobs.there)
        points = _points(self.x, self.logl, self.logp, here)
        proposed = _points(self.y, self.new_logl, self.new_logp, there)
        decisions = zip(self.accepted.tolist(), self.ratio.tolist(), strict=True)
        outside, drawn = self._outside.tolist(), self._drawn.tolist()
        resting = self._resting.tolist()
        for i, (level, point, new, decision) in enumerate(
            zip(self.levels, points, proposed, decisions, strict=True)
        ):
            level.point = point
            if self.iteration > level.iteration:
                level.proposed = new if drawn[i] else None
                outcome = level.outcome
                outcome.point, outcome.proposed, outcome.beta = (
                    level.point,
                    level.proposed,
                    level.beta,
                )
                outcome.accepted, outcome.acceptance_ratio = decision
            level.iteration = self.iteration
            level._unasked += asks_prior * outside[i] + resting[i]
        self._outside[:] = self._resting[:] = 0
        for chain in self.chains:
            chain.iteration, chain.nsweeps = self.iteration, self._nsweeps

    def end(self) -> None:
        """Let the chains go on alone."""
        self.tell()
        self._rows.give(self.chains)
        self._streams.give_back()
