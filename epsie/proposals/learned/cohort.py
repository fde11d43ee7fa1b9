"""A cohort: the same proposal of many chains, which learn together what they need."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from epsie.process.threads import capped
from epsie.proposals.learned.barriers import first_barrier, following
from epsie.proposals.learned.knowledge import Knowledge
from epsie.proposals.learned.learning import Lesson, learn
from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.plain import counted, entry, malformed, rows_of
from epsie.proposals.learned.record import EVALUATED, Record, best, history_of
from epsie.proposals.learned.subject import Subject
from epsie.proposals.learned.surrogate import points_needed
from epsie.proposals.learned.transform import Transform


class Stretch(NamedTuple):
    """A stretch of one chain at one temperature.

    Parameters
    ----------
    logl, logp : array
        At each of its iterations. Shape (n,).
    rows : array
        Where it was. Shape (n, d).
    evaluated : array
        The best points that were evaluated: see `Contribution`.
    tallies : array
        The counts of its kernel at the end.
    beta : float
        The inverse temperature at the end.
    """

    logl: Array
    logp: Array
    rows: Array
    evaluated: Array
    tallies: Array
    beta: float


class Cohort:
    """What many chains have learned together at one temperature. It never changes.

    Parameters
    ----------
    subject : Subject
        What is learned.
    nchains : int
        The number of chains.
    alone : bool
        Whether the target has no other parameters.
    """

    def __init__(self, subject: Subject, nchains: int, alone: bool) -> None:
        self.subject, self.nchains, self.alone = subject, nchains, alone
        self.iteration = self.learned_at = 0
        self.barrier = first_barrier(subject.ndim, nchains)
        self.knowledge: Knowledge | None = None
        self._records = tuple([Record(subject.ndim, nchains) for _ in range(nchains)])
        self._evaluated = np.empty((0, EVALUATED + subject.ndim))

    @property
    def learns(self) -> bool:
        """Whether it is to learn again."""
        return self.barrier <= self.subject.end

    def after(self, stretches: Sequence[Stretch], first: Transform) -> Self:
        """Itself after a stretch of each chain, which ends at its barrier or before.

        Parameters
        ----------
        stretches : sequence of Stretch
            Of each chain.
        first : Transform
            The coordinates before anything is learned.
        """
        twin = copy.copy(self)
        twin.iteration += len(stretches[0].rows)
        if not self.learns:
            return twin
        twin._records = tuple([record.copied() for record in self._records])
        for record, stretch in zip(twin._records, stretches, strict=True):
            _note(record, self.iteration, stretch)
        if twin.iteration == self.barrier:
            twin._learn(stretches, first)
        return twin

    def _learn(self, stretches: Sequence[Stretch], first: Transform) -> None:
        """Learn at a barrier from all records, which are then thinned."""
        pooled = np.concatenate([self._evaluated, *[r.evaluated_rows() for r in self._records]])
        self._evaluated = best(pooled, points_needed(self.subject.ndim))
        knowledge = None
        with capped():
            knowledge = learn(self._lesson(stretches), self.knowledge, first)
        if knowledge is not None:
            self.knowledge, self.learned_at = knowledge, self.barrier
            if knowledge.settled:
                self._evaluated = self._evaluated[:0]
        self.barrier = following(self.barrier)
        for record in self._records:
            record.forget_evaluated()
            record.pass_barrier(self.barrier)

    def _lesson(self, stretches: Sequence[Stretch]) -> Lesson:
        betas = [stretch.beta for stretch in stretches]
        histories = [r.history(beta, self.alone) for r, beta in zip(self._records, betas)]
        evaluated = history_of(self._evaluated, float(np.mean(betas)), True)
        return Lesson(
            iteration=self.barrier,
            histories=histories,
            tallies=np.sum([stretch.tallies for stretch in stretches], axis=0),
            evaluated=evaluated if self.alone else None,
            subject=self.subject,
        )

    def plain(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {
            "iteration": self.iteration,
            "barrier": self.barrier,
            "learned_at": self.learned_at,
            "learned": None if self.knowledge is None else self.knowledge.plain(),
            "records": [record.plain() for record in self._records],
            "evaluated": counted(self._evaluated),
        }

    def restored(self, plain: Mapping[str, Any]) -> Self:
        """One like it that goes on from what `plain` gave.

        Raises
        ------
        MalformedStateError
            If it is something else.
        """
        twin, ndim = copy.copy(self), self.subject.ndim
        for name in ("iteration", "barrier", "learned_at"):
            setattr(twin, name, entry(plain, name, int))
        learned, records = plain.get("learned"), entry(plain, "records", list)
        if (learned is None) != (twin.learned_at == 0) or len(records) != self.nchains:
            raise malformed("it", f"of {self.nchains} chains that learned", records)
        if learned is not None:
            twin.knowledge = Knowledge.from_plain(entry(plain, "learned", dict), ndim)
        twin._records = tuple([Record.from_plain(each, ndim, self.nchains) for each in records])
        twin._evaluated = rows_of(plain, "evaluated", EVALUATED + ndim, finite=False)
        return twin


def _note(record: Record, before: int, stretch: Stretch) -> None:
    """Record a stretch that follows an iteration."""
    stride = record.stride
    noted = slice(-(before + 1) % stride, None, stride)
    iterations = np.arange(before + 1.0, before + 1 + len(stretch.rows))[noted]
    if len(iterations):
        record.extend(iterations, stretch.logl[noted], stretch.logp[noted], stretch.rows[noted])
    record.extend_evaluated(stretch.evaluated)
