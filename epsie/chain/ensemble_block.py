"""A block of ensembles that are stepped as arrays, with the bits of each stepped alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from epsie.chain.base import BaseChain
from epsie.chain.block import Array, Block, Rows
from epsie.chain.block_blobs import BlockBlobs
from epsie.chain.ensemble import EnsembleChain
from epsie.ensembles.moves import Drawn, Stretch
from epsie.ensembles.proposal import EnsembleMoves
from epsie.errors import ProposalError, said
from epsie.model.batch import Batch
from epsie.model.one_by_one import OneByOne
from epsie.rng.elementwise import exps, logs
from epsie.rng.uniforms import UniformsAhead, UniformsInTurn

_FEWEST = 64
"""So many walkers are faster as arrays than one by one: in 2 and 10 dimensions."""


def fewest_ensembles(ensemble: EnsembleChain, at_once: bool) -> float:
    """From how many ensembles like this one on they are faster as arrays; inf if they never are.

    Parameters
    ----------
    ensemble : EnsembleChain
        One of them.
    at_once : bool
        Whether the model takes many points.
    """
    if at_once:
        return 0.0
    if type(ensemble.moves._only) is not Stretch or ensemble.hasblobs:
        return inf
    return _FEWEST / ensemble.nwalkers


def moves_of(ensembles: Sequence[Any]) -> EnsembleMoves | None:
    """The moves of ensembles; None if they cannot be stepped as arrays."""
    first = ensembles[0]
    alike = all(one.iteration == first.iteration and not one.is_stale for one in ensembles)
    moves: EnsembleMoves = first.moves
    return moves if alike else None


class _Counted:
    """The proposals of walkers, which count their jumps, and learn nothing."""

    def __init__(self, chains: Sequence[BaseChain]) -> None:
        self._parts = [part for chain in chains for part in chain.leaves()]
        self.jumps = 0

    def give_back(self) -> None:
        """Let each know how many jumps were made."""
        for part in self._parts:
            part._nsteps += self.jumps
        self.jumps = 0


class EnsembleBlock(Block):
    """Ensembles at the same iteration, as arrays.

    Rows are ensemble-major: the first are the walkers of the first ensemble. Stretch moves are
    made as arrays, too, others walker by walker.

    Parameters
    ----------
    chains : sequence of EnsembleChain
        The ensembles.
    moves : EnsembleMoves
        Their moves.
    model : Batch or OneByOne
        The model.
    room : int
        The number of steps that they are going to make at most.
    blobs : BlockBlobs, optional
        Their blobs.
    """

    chains: Sequence[EnsembleChain]
    _streams: UniformsAhead | UniformsInTurn

    def __init__(
        self,
        chains: Sequence[BaseChain],
        moves: EnsembleMoves,
        model: Batch | OneByOne,
        room: int,
        blobs: BlockBlobs | None = None,
    ) -> None:
        self._counted = _Counted(chains)
        self._stretch = moves._only if type(moves._only) is Stretch else None
        self._half, self._room = chains[0].nwalkers // 2, room
        super().__init__(chains, self._counted, model, room, blobs)  # type: ignore[arg-type]
        self._first_of_halves = np.arange(len(chains))[:, np.newaxis] * self._half
        self._numbers = np.arange(self._half)
        self._proposed: list[tuple[Rows, Array, Array, Array]] = []

    def _streams_of(self, chains: Sequence[BaseChain]) -> UniformsAhead | UniformsInTurn:
        streams = [chain.stream for chain in chains]
        if self._stretch is None:
            return UniformsInTurn(streams)
        return UniformsAhead(streams, 7 * self._half, self._room)

    def _step(self) -> None:
        """Move one half of the walkers of each ensemble, then the other."""
        self._streams.reserve()
        self._proposed = []
        one, other = self._divided()
        self._move_half(one, other)
        self._move_half(other, one)
        self.iteration += 1
        self._counted.jumps += 1

    def _divided(self) -> Rows:
        """The halves of each ensemble, divided at random. Shape (2, nwalkers / 2 of each)."""
        n, half = 2 * self._half, self._half
        steps = self._streams.each(half) * (n - self._numbers)
        one: list[int] = []
        other: list[int] = []
        for number, others in enumerate((steps.astype(np.intp) + self._numbers).tolist()):
            walkers = list(range(number * n, number * n + n))
            for i, j in enumerate(others):
                walkers[i], walkers[j] = walkers[j], walkers[i]
            one += walkers[:half]
            other += walkers[half:]
        return np.fromiter(one + other, np.intp, 2 * len(one)).reshape(2, -1)

    def _move_half(self, rows: Rows, rest: Rows) -> None:
        if self._stretch is None:
            y, log_factor = self._drawn_in_turn(rows, rest)
        else:
            y, log_factor = self._stretched(self._stretch.a, rows, rest)
        logl, logp = self._asked(y, rows)
        self._proposed.append((rows, y, logl, logp))
        log_ratio = logp - self.logp.take(rows)
        log_ratio += logl - self.logl.take(rows)
        log_ratio += log_factor
        self._decide_for(*self._proposed[-1], log_ratio)

    def _stretched(self, a: float, rows: Rows, rest: Rows) -> tuple[Array, Array]:
        """Where stretch moves lead, and what they add to the log ratios."""
        shape = (len(self.chains), self._half, 2)
        which, u = self._streams.each(2 * self._half).reshape(shape).transpose(2, 0, 1)
        places = (which * self._half).astype(np.intp) + self._first_of_halves
        other = self.x.take(rest.take(places.ravel()), axis=0)
        root = (a - 1) * u.ravel() + 1
        z = root * root / a
        y = self.x.take(rows, axis=0)
        y -= other
        y *= z[:, np.newaxis]
        y += other
        return y, (len(self.names) - 1) * logs(z)

    def _drawn_in_turn(self, rows: Rows, rest: Rows) -> tuple[Array, Array]:
        """Where moves of any kind lead, and what they add to the log ratios."""
        here, there = ([*map(tuple, self.x.take(of, axis=0).tolist())] for of in (rows, rest))
        drawn: list[Drawn] = []
        for first, chain in zip(range(0, len(rows), self._half), self.chains, strict=True):
            part = slice(first, first + self._half)
            draw, others = chain.moves.draw_from, there[part]
            try:
                drawn += [draw(x, others) for x in here[part]]
            except Exception as error:
                self.tell()
                raise ProposalError(said(error), chain.where()) from error
        ys, log_factors = zip(*drawn, strict=True)
        return np.array(ys), np.array(log_factors)

    def _decide_for(self, rows: Rows, y: Array, logl: Array, logp: Array, log_ratio: Array) -> None:
        """Accept with the probabilities that log ratios say."""
        inside = logp != -inf
        if (where := np.flatnonzero(np.isnan(log_ratio) & inside)).size:
            self._refuse_density(int(rows[where[0]]))
        if not inside.all():
            self._outside[rows] += ~inside
        ratio = exps(np.minimum(log_ratio, 0.0))
        open_ = inside & (log_ratio <= 0)
        # Where none is needed any will do, as the ratio is 0 or 1.
        u = self._streams.where(open_.reshape(len(self.chains), -1)).ravel()
        accepted = u < ratio
        self.ratio[rows], self.accepted[rows] = ratio, accepted
        where = np.flatnonzero(accepted)
        moved = rows.take(where)
        self.x[moved] = y.take(where, axis=0)
        self.logl[moved], self.logp[moved] = logl.take(where), logp.take(where)
        if self.blobs is not None:
            self.blobs.accept(moved)

    def tell(self) -> None:
        """Let the ensembles know where they stand."""
        for rows, *proposed in self._proposed:
            self.y[rows], self.new_logl[rows], self.new_logp[rows] = proposed
        super().tell()
