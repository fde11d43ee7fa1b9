"""An executor: a pool in which chains do their jobs, and a model on its way to its workers."""

from __future__ import annotations

import copy
import time
import weakref
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import Any, NamedTuple, Protocol

from epsie.chain.base import BaseChain, Segment
from epsie.errors import StepError, said
from epsie.execution.dealing import ChainAt, Deal, refuse_failures
from epsie.execution.repeating import Verifier, first_point, refuse_difference, refuse_other_answer
from epsie.execution.utilisation import Portions, Utilisation
from epsie.execution.work import THIS, Answer, serves
from epsie.logs import logger
from epsie.model.evaluation import Model
from epsie.pools.base import Mapper
from epsie.pools.mapper import SerialPool, mapper_for
from epsie.pools.transport import ModelCarrier


class Rounds(Protocol):
    """Cuts a run into rounds, and is told what each brought."""

    def rounds(self, niterations: int, nchains: int) -> Generator[int]:
        """The lengths of the rounds."""

    def saw(self, segments: Sequence[Segment]) -> None:
        """Take in what a round brought, or a part of it: a segment of each chain."""


class Learner(Protocol):
    """Learns from all chains together. It never changes."""

    @property
    def room(self) -> int:
        """The number of iterations until it learns next."""

    @property
    def carrier(self) -> ModelCarrier | None:
        """What it has taught, on its way to the workers; None if nothing yet."""

    def after(self, segments: Sequence[Segment]) -> Learner:
        """Itself after a stretch: a segment of each chain."""


class Advance(NamedTuple):
    """Many steps of all chains.

    Parameters
    ----------
    segments : list of list of Segment
        For every chain what each stretch brought.
    learner : Learner or None
        What has learned from them.
    """

    segments: list[list[Segment]]
    learner: Any


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
        If the pool is none, or the model cannot be called or not be sent to its workers.
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
        found = [answer.result for answer in self._answers(chains.__getitem__, job, arguments)]
        if self.is_unchecked:
            self._compare(chains[0].by_temperature[0], job, arguments[0], found[0])
            self._checked = True
        return found

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

        with closing(progress.rounds(niterations, len(chains))) as rounds:
            for length in rounds:
                while length:
                    n = length if learner is None else min(length, learner.room)
                    lessons = None if learner is None else learner.carrier
                    new = self._advanced(follower, n, len(chains), lessons)
                    if verifier is not None:
                        i = verifier.next(len(chains))
                        self._repeat(follower(i), n, new[i], lessons)
                    for past, segment in zip(segments, new):
                        past.append(segment)
                    learner = None if learner is None else learner.after(new)
                    progress.saw(new)
                    length -= n
        return Advance(segments, learner)

    def _advanced(
        self, chain_at: ChainAt, length: int, nchains: int, lessons: ModelCarrier | None
    ) -> list[Segment]:
        """The segments of so many steps, one for each chain."""
        at_once = self.portions.size(length, nchains, self._mapper.workers)
        answers = self._answers(chain_at, "advance", [length] * nchains, at_once, lessons)
        self.portions.saw(length, [answer.seconds for answer in answers])
        return [answer.result for answer in answers]

    def _repeat(
        self, chain: BaseChain, length: int, found: Segment, lessons: ModelCarrier | None
    ) -> None:
        """Let a chain make so many steps again, in this process, and compare."""
        (again,) = self._here()._answers([chain].__getitem__, "advance", [length], 1, lessons)
        refuse_difference(chain.chain_id, chain.iteration, found, again.result)

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
        at_once: int = 1,
        lessons: ModelCarrier | None = None,
    ) -> list[Answer]:
        """The answers of the workers, one for each chain, if none failed."""
        started = time.perf_counter()
        try:
            deal = Deal(self._mapper, self._carrier, lessons, chain_at, job, arguments, at_once)
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
