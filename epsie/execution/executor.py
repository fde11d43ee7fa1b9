"""An executor: a pool in which chains do their jobs, and a model on its way to its workers."""

from __future__ import annotations

import copy
import time
import weakref
from collections.abc import Sequence
from contextlib import closing
from math import inf
from typing import Any

from epsie.chain.alike import fewest_of
from epsie.chain.base import POINTS, BaseChain, Segment
from epsie.errors import StepError, said
from epsie.execution.batches import by_id, by_points, each_twice, refuse_other_rows
from epsie.execution.dealing import ChainAt, Deal, refuse_failures
from epsie.execution.repeating import Verifier, first_point, refuse_difference, refuse_other_answer
from epsie.execution.stretch import Advance, Learner, Rounds
from epsie.execution.utilisation import Portions, Utilisation, evenly
from epsie.execution.work import ADVANCE, THIS, Answer, serves
from epsie.logs import logger
from epsie.model.batch import Batch
from epsie.model.evaluation import Model, Point
from epsie.pools.base import Mapper
from epsie.pools.mapper import SerialPool, mapper_for
from epsie.pools.transport import ModelCarrier


class Executor:
    """Has copies of chains do their jobs in a pool, and measures how its workers do.

    Parameters
    ----------
    pool : object
        See `epsie.pools.mapper_for`.
    model : callable
        The model.
    check_workers : bool
        Whether a worker's answer about the first position is compared with that of this process.

    Raises
    ------
    TypeError
        If `pool` is no pool, or the model cannot be called or not be sent to its workers.
    """

    utilisation: Utilisation
    """The utilisation of the workers."""

    def __init__(self, pool: Any, model: Model, check_workers: bool = True) -> None:
        self._use(mapper_for(pool))
        self.check_workers = check_workers
        self.model = model

    def _use(self, mapper: Mapper) -> None:
        self._mapper = mapper
        self._checked = mapper.in_process
        self.utilisation = Utilisation()
        self.portions = Portions()
        weakref.finalize(self, mapper.close)

    @property
    def pool(self) -> Any:
        """The pool. Settable, as long as the model can be sent to its workers."""
        return self._mapper.pool

    @pool.setter
    def pool(self, pool: Any) -> None:
        mapper = mapper_for(pool)
        self._carrier.ticket(mapper.in_process)
        self._mapper.close()
        self._use(mapper)

    @property
    def model(self) -> Model:
        """The model. It is frozen when assigned: to change it, assign it again."""
        model: Model = self._carrier.model
        return model

    @model.setter
    def model(self, model: Model) -> None:
        if not callable(model):
            raise TypeError(f"the model must be callable; got {model!r}")
        carrier = ModelCarrier(model)
        carrier.ticket(self._mapper.in_process)
        self._carrier = carrier
        self._checked = self._mapper.in_process
        self._rows_checked = self._told_of_workers = not isinstance(model, Batch)

    @property
    def rows(self) -> int | None:
        """The number of points of each call, if the model takes many."""
        return self.model.rows if isinstance(self.model, Batch) else None

    @property
    def workers(self) -> int | None:
        """The number of workers, where it is known."""
        return self._mapper.workers

    @property
    def is_unchecked(self) -> bool:
        """Whether a worker is to be compared with this process."""
        return self.check_workers and not self._checked

    @property
    def is_asking(self) -> bool:
        """Whether this thread is inside of the model."""
        return serves(self._carrier.key)

    def ask(self, chains: Sequence[BaseChain], job: str, arguments: Sequence[Any]) -> list[Any]:
        """The model's answers at positions: the results of a method of every chain, on copies.

        What it says of the first one is compared with what it says in this process, once for a pool
        and a model.

        Raises
        ------
        StepError
            If one failed: the error of the first one that did.
        PoolError
            If the pool failed, or a worker gives something else than this process.
        """
        rows = self.rows
        portions = evenly(len(chains), 1) if rows is None else by_points(chains, arguments, rows)
        answers = self._answers(chains.__getitem__, job, arguments, portions)
        found = [answer.result for answer in answers]
        if job == "examine_starts" and not self._rows_checked:
            self._check_rows(chains[0].by_temperature[0], [found[i][0] for i in portions[0]])
        if self.is_unchecked:
            self._compare(chains[0].by_temperature[0], job, arguments[0], found[0])
            self._checked = True
        return found

    def _check_rows(self, level: Any, found: Sequence[Sequence[Point | None]]) -> None:
        """Ask a vectorised model again about some of the first points, in other places."""
        points = [point for of_chain in found for point in of_chain if point is not None]
        self._rows_checked = True
        if len(points) > 1:
            xs = each_twice([point.x for point in points])
            try:
                (again,) = self.ask([level], POINTS, [xs])
                refuse_other_rows(points, again)
            except BaseException:
                self._rows_checked = False
                raise

    def _compare(self, level: Any, job: str, argument: Any, found: Any) -> None:
        """Compare the first answer of a worker with that of this process."""
        try:
            (again,) = self._here().ask([level], job, [argument and argument[:1]])
        except StepError as error:
            # As one that needs what only workers have.
            logger.info("the workers are not checked: in this process %s", said(error))
        else:
            refuse_other_answer(first_point(found), first_point(again))

    def run(
        self,
        chains: Sequence[BaseChain],
        niterations: int,
        progress: Rounds,
        verifier: Verifier | None = None,
        learner: Learner | None = None,
    ) -> Advance:
        """Let every chain make so many steps, on copies; nothing is attached to `chains`.

        Parameters
        ----------
        chains : sequence of BaseChain
            The chains.
        niterations : int
            How many steps each is to make.
        progress : Rounds
            Cuts the work into rounds, and is told after each.
        verifier : Verifier, optional
            Says which chain of each round is repeated, and compared.
        learner : Learner, optional
            Teaches the chains what they have learned together, and learns from each round.

        Raises
        ------
        StepError
            If a chain failed: the error of the first one that did.
        PoolError
            If the pool failed.
        NotReproducibleError
            If a chain that is repeated gives something else.
        """
        segments: list[list[Segment]] = [[] for _ in chains]

        def follower(i: int) -> BaseChain:
            return _follower(chains[i], segments[i])

        fewest = fewest_of(chains[0], at_once=False) if self.rows is None else inf
        with closing(progress.rounds(niterations, len(chains))) as rounds:
            for length in rounds:
                while length:
                    n = self.portions.stretch(length, len(chains), self._mapper.shares, fewest)
                    n = n if learner is None else min(n, learner.room)
                    lessons = None if learner is None else learner.carrier
                    portions = self._dealt(chains, n, fewest)
                    new = self._advanced(follower, n, portions, lessons)
                    if verifier is not None:
                        i = verifier.next(len(chains))
                        whole = evenly(len(chains), 1) if self.rows is None else portions
                        (batch,) = [portion for portion in whole if i in portion]
                        self._repeat(list(map(follower, batch)), n, new[batch.start :], lessons)
                    for past, segment in zip(segments, new):
                        past.append(segment)
                    learner = None if learner is None else learner.after(new)
                    progress.saw(new)
                    length -= n
        return Advance(segments, learner)

    def _dealt(self, chains: Sequence[BaseChain], length: int, fewest: float) -> list[range]:
        """The chains that each task is to have for so many steps; so many are faster as arrays."""
        workers, n = self._mapper.workers, len(chains)
        if (rows := self.rows) is None:
            share = self.portions.share(n, self._mapper.shares, fewest)
            return evenly(n, share or self.portions.size(length, n, workers))
        found = by_id(chains, rows)
        if not self._told_of_workers and workers is not None and workers > len(found):
            logger.warning(
                "of %d workers %d are busy: the model is asked about %d points at a time, which "
                "makes %d batches. Give a smaller vectorize=, or fewer workers",
                workers, len(found), rows, len(found),
            )  # fmt: skip
        self._told_of_workers = True
        return found

    def _advanced(
        self, chain_at: ChainAt, length: int, portions: list[range], lessons: ModelCarrier | None
    ) -> list[Segment]:
        """The segments of so many steps, one for each chain."""
        nchains = portions[-1].stop
        answers = self._answers(chain_at, ADVANCE, [length] * nchains, portions, lessons)
        segments = [answer.result for answer in answers]
        points = len(segments[0].by_temperature)
        self.portions.saw(length, [answer.seconds for answer in answers], points)
        return segments

    def _repeat(
        self,
        chains: list[BaseChain],
        length: int,
        found: Sequence[Segment],
        lessons: ModelCarrier | None,
    ) -> None:
        """Let chains make so many steps again, in this process and as one task, and compare."""
        arguments, together = [length] * len(chains), [range(len(chains))]
        answers = self._here()._answers(chains.__getitem__, ADVANCE, arguments, together, lessons)
        for chain, was, answer in zip(chains, found, answers, strict=False):
            refuse_difference(chain.chain_id, chain.iteration, was, answer.result)

    def _here(self) -> Executor:
        """The same without the pool."""
        here = copy.copy(self)
        here._use(mapper_for(SerialPool(self._mapper.threads)))
        return here

    def _answers(
        self,
        chain_at: ChainAt,
        job: str,
        arguments: Sequence[Any],
        portions: list[range],
        lessons: ModelCarrier | None = None,
    ) -> list[Answer]:
        """The answers of the workers, one for each chain, if none failed."""
        started = time.perf_counter()
        try:
            deal = Deal(self._mapper, self._carrier, lessons, chain_at, job, arguments, portions)
            reports = deal.reports()
        except BaseException:
            self._carrier.sign.stop()
            raise
        self._checked = self._checked or reports[0].worker.startswith(THIS)
        worked = [(report.worker, answer) for report in reports for answer in report.answers]
        elapsed = time.perf_counter() - started
        self.utilisation.add(elapsed, [(worker, answer.seconds) for worker, answer in worked])
        answers = [answer for _, answer in worked]
        refuse_failures(answers)
        return answers


def _follower(chain: BaseChain, past: list[Segment]) -> BaseChain:
    """The chain, or a copy of it that stands where its last segment ended."""
    if past:
        chain = chain.detached()
        chain.follow(past[-1].state)
    return chain
