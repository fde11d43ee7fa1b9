"""A cohort: the same proposal of many chains, which learn together what they need."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from epsie.process.threads import capped
from epsie.proposals.learned.barriers import first_barrier, following
from epsie.proposals.learned.bridge import FRESH_COLUMNS, Bridge, fresh_of
from epsie.proposals.learned.contribution import Contributed
from epsie.proposals.learned.history import History
from epsie.proposals.learned.knowledge import MOVES, Knowledge
from epsie.proposals.learned.learning import Lesson, learn
from epsie.proposals.learned.logbook import WIDTH, row_of
from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.plain import counted, entry, malformed, rows_of
from epsie.proposals.learned.record import EVALUATED, Record, best, history_of
from epsie.proposals.learned.rows import Rows, rows_from
from epsie.proposals.learned.subject import Subject
from epsie.proposals.learned.surrogate import points_kept
from epsie.proposals.learned.transform import Transform

_SINCE = 0.4
"""The evidence needs no stretches that ended before this share of all iterations."""


class Stretch(NamedTuple):
    """A stretch of one chain at one temperature.

    Parameters
    ----------
    logl, logp : array
        At each of its iterations. Shape (n,).
    rows : array
        Where it was. Shape (n, d).
    contributed : Contributed
        What else it contributes.
    tallies : array
        The counts of its kernel at the end.
    beta : float
        The inverse temperature at the end.
    every : int
        It stepped at every so many-th iteration.
    """

    logl: Array
    logp: Array
    rows: Array
    contributed: Contributed
    tallies: Array
    beta: float
    every: int = 1


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
        self.iteration = self.lesson = 0
        self.barrier = first_barrier(subject.ndim, nchains)
        self.knowledge: Knowledge | None = None
        self._records = tuple([Record(subject.ndim, nchains) for _ in range(nchains)])
        self._evaluated = np.empty((0, EVALUATED + subject.ndim))
        self._begun = 0
        self._population: History | None = None
        self._log = np.empty((0, WIDTH))
        self._fresh = _none_of(nchains)
        self._bridges: tuple[Bridge, ...] = ()

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
        twin._records = tuple([record.copied() for record in self._records])
        twin._fresh = tuple([rows.copied() for rows in self._fresh])
        for record, fresh, stretch in zip(twin._records, twin._fresh, stretches, strict=True):
            _note(record, self.iteration, stretch)
            if len(stretch.contributed.fresh):
                fresh.extend(stretch.contributed.fresh)
        if twin.iteration == self.barrier:
            twin._pass_barrier(stretches, first)
        return twin

    def _pass_barrier(self, stretches: Sequence[Stretch], first: Transform) -> None:
        """Learn from all records, unless that has ended; they are then thinned."""
        self._bridges = tuple(self.bridges())
        self._begun, self._fresh = self.barrier, _none_of(self.nchains)
        if self.barrier <= self.subject.end:
            self._learn(stretches, first)
        self.barrier = following(self.barrier)
        for record in self._records:
            record.forget_evaluated()
            record.pass_barrier(self.barrier)

    def _learn(self, stretches: Sequence[Stretch], first: Transform) -> None:
        pooled = np.concatenate([self._evaluated, *[r.evaluated_rows() for r in self._records]])
        self._evaluated = best(pooled, points_kept(self.subject.ndim))
        lesson = self._lesson(stretches)
        with capped():
            knowledge = learn(lesson, self.knowledge, first)
        if knowledge is not None:
            former, self.knowledge, self.lesson = self.knowledge, knowledge, self.lesson + 1
            rows = np.concatenate([h.since(self.barrier / 2).rows for h in lesson.histories])
            with capped():
                row = row_of(self.barrier, former, knowledge, lesson.tallies, rows)
            self._log = np.concatenate([self._log, [row]])
            if knowledge.settled:
                self._evaluated = self._evaluated[:0]

    def begun_with(self, population: History, first: Transform) -> Self:
        """Itself with what is learned of a population of the target, before the first step.

        The population is learned from until there are many more draws, and part of the mixture
        stays fitted to it: what no chain visits for a while is not forgotten.
        """
        # In no order: others are held out in a fit.
        order = np.random.default_rng(0).permutation(len(population.rows))
        population = population.taken(order)
        twin = copy.copy(self)
        twin._population = population
        nothing = np.zeros((len(MOVES), 2 + self.subject.ndim))
        lesson = Lesson(0, [], nothing, None, self.subject, population)
        with capped():
            knowledge = learn(lesson, None, first)
        if knowledge is not None:
            twin.knowledge, twin.lesson = knowledge, 1
        return twin

    def begun_anew(self) -> Self:
        """Itself where chains begin at new starts: the evidence is found from what follows."""
        twin = copy.copy(self)
        twin._begun, twin._bridges = self.iteration, ()
        twin._fresh = _none_of(self.nchains)
        return twin

    def forgetting(self) -> Self:
        """Itself for another target: only how to propose is kept."""
        twin, empty = self.begun_anew(), self._evaluated[:0]
        twin._population, twin._evaluated = None, empty
        twin._records = tuple([record.copied() for record in self._records])
        for record in twin._records:
            record.forget()
        return twin

    def bridges(self) -> list[Bridge]:
        """What the evidence is found from: of the last stretches between barriers, and the present.

        They reach from a quarter of all iterations, at least.
        """
        former = [b for b in self._bridges if b.end > _SINCE * self.iteration]
        known = self.knowledge
        if known is None or not self.alone or self.iteration == self._begun:
            return former
        fresh = [rows.array() for rows in self._fresh]
        if not sum(map(len, fresh)):
            return former
        if known.share:
            empty = [np.empty((0, 2))] * self.nchains
            return [*former, Bridge(self._begun, self.iteration, empty, fresh, known.slim)]
        histories = [record.history(1.0, True).since(self._begun) for record in self._records]
        with capped():
            logs = [(h.log_densities, known.log_density(h.rows)) for h in histories]
        draws = [np.column_stack([log_pi, log_q]) for log_pi, log_q in logs if log_pi is not None]
        return [*former, Bridge(self._begun, self.iteration, draws, fresh)]

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
            population=self._population,
        )

    def plain(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {
            "iteration": self.iteration,
            "barrier": self.barrier,
            "lesson": self.lesson,
            "learned": None if self.knowledge is None else self.knowledge.plain(),
            "records": [record.plain() for record in self._records],
            "evaluated": counted(self._evaluated),
            "begun": self._begun,
            "log": counted(self._log),
            "population": None if self._population is None else self._population.plain(),
            "fresh": [counted(rows.array()) for rows in self._fresh],
            "bridges": [bridge.plain() for bridge in self._bridges],
        }

    def restored(self, plain: Mapping[str, Any]) -> Self:
        """One like it that goes on from what `plain` gave.

        Raises
        ------
        MalformedStateError
            If it is something else.
        """
        twin, ndim = type(self)(self.subject, self.nchains, self.alone), self.subject.ndim
        for name in ("iteration", "barrier", "lesson"):
            setattr(twin, name, entry(plain, name, int))
        twin._begun = entry(plain, "begun", int)
        twin._log = rows_of(plain, "log", WIDTH, finite=False)
        if plain.get("population", plain) is not None:
            twin._population = History.from_plain(entry(plain, "population", dict), ndim)
        twin._fresh = tuple([rows_from(rows) for rows in fresh_of(plain, self.nchains)])
        bridges = entry(plain, "bridges", list)
        twin._bridges = tuple([Bridge.from_plain(each, self.nchains, ndim) for each in bridges])
        if twin.barrier <= twin.iteration:
            raise malformed("barrier", f"after iteration {twin.iteration}", twin.barrier)
        learned, records = plain.get("learned"), entry(plain, "records", list)
        if (learned is None) != (twin.lesson == 0) or len(records) != self.nchains:
            raise malformed("it", f"of {self.nchains} chains that learned", records)
        if learned is not None:
            twin.knowledge = Knowledge.from_plain(entry(plain, "learned", dict), ndim)
            if twin.knowledge.share:
                twin.knowledge = twin.knowledge._replace(prior=self.subject.prior)
        twin._records = tuple([Record.from_plain(each, ndim, self.nchains) for each in records])
        twin._evaluated = rows_of(plain, "evaluated", EVALUATED + ndim, finite=False)
        return twin


def _none_of(nchains: int) -> tuple[Rows, ...]:
    return tuple([Rows(FRESH_COLUMNS) for _ in range(nchains)])


def _note(record: Record, before: int, stretch: Stretch) -> None:
    """Record a stretch that follows an iteration."""
    stride = record.stride
    noted = slice(-(before + 1) % stride, None, stride)
    iterations = np.arange(before + 1.0, before + 1 + len(stretch.rows))[noted]
    stepped = iterations % stretch.every == 0
    if stepped.any():
        tables = stretch.logl, stretch.logp, stretch.rows
        record.extend(iterations[stepped], *(table[noted][stepped] for table in tables))
    record.extend_evaluated(stretch.contributed.evaluated)


def bridges_in(plain: Any, ndim: int, nchains: int) -> list[Bridge]:
    """The bridges of a cohort, from what `plain` gave of one.

    Raises
    ------
    MalformedStateError
        If it is something else.
    """
    subject = Subject([(-np.inf, np.inf)] * ndim, [None] * ndim)
    return Cohort(subject, nchains, True).restored(plain).bridges()
