"""Learning by one chain for itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from epsie.model.evaluation import Position
from epsie.process.threads import capped
from epsie.proposals.learned.barriers import first_barrier, following
from epsie.proposals.learned.kernel import Kernel
from epsie.proposals.learned.knowledge import Knowledge
from epsie.proposals.learned.learning import Lesson, learn
from epsie.proposals.learned.plain import entry
from epsie.proposals.learned.record import Record
from epsie.proposals.learned.subject import Subject
from epsie.proposals.learned.transform import Transform
from epsie.proposals.outcome import Outcome

Pick = Callable[[Position], Position]
Teacher = Callable[[Lesson, Knowledge | None, Transform], Knowledge | None]

_PRUNED_EVERY = 2048
"""Iterations after which of the evaluated points the best ones are kept: a record is bounded."""


class OwnLearning:
    """A chain's record of itself, and its lessons from it at barriers.

    Parameters
    ----------
    subject : Subject
        What is learned.
    teacher : callable, optional
        What makes knowledge of a lesson, as `learn` does.
    """

    def __init__(self, subject: Subject, teacher: Teacher = learn) -> None:
        self.subject, self.teacher = subject, teacher
        self.barrier = first_barrier(subject.ndim)
        self.record = Record(subject.ndim)

    def note(
        self,
        iteration: int,
        outcome: Outcome,
        jumped: bool,
        pick: Pick,
        kernel: Kernel,
        first: Transform,
    ) -> Knowledge | None:
        """Record an iteration; what was learned from all of them, if it is time to."""
        if self.barrier > self.subject.end:
            return None
        record, point, proposed = self.record, outcome.point, outcome.proposed
        if iteration % record.stride == 0:
            record.visit(iteration, point, pick(point.x))
        if proposed is not None and jumped and not kernel.is_settled:
            record.evaluate(outcome.beta, proposed, pick(proposed.x))
            if not iteration % _PRUNED_EVERY:
                record.prune()
        if iteration != self.barrier:
            return None
        alone = len(point.x) == self.subject.ndim
        # Also where a chain is run alone: the last bits of a fit depend on the number of threads.
        with capped():
            lesson = self._lesson(outcome.beta, alone, kernel)
            knowledge = self.teacher(lesson, kernel.knowledge, first)
        self._pass_barrier()
        if knowledge is not None and knowledge.settled:
            record.forget_evaluated()
        return knowledge

    def _pass_barrier(self) -> None:
        self.barrier = following(self.barrier)
        if self.barrier <= self.subject.end:
            self.record.pass_barrier(self.barrier)
        else:
            self.record.forget()

    def _lesson(self, beta: float, alone: bool, kernel: Kernel) -> Lesson:
        """The data that there are to learn from; `alone` if there are no other parameters."""
        record = self.record
        return Lesson(
            iteration=self.barrier,
            histories=[record.history(beta, alone)],
            tallies=kernel.tallies,
            evaluated=record.evaluated(beta) if alone else None,
            subject=self.subject,
        )

    def copied(self) -> Self:
        """An independent copy."""
        twin = type(self)(self.subject, self.teacher)
        twin.barrier, twin.record = self.barrier, self.record.copied()
        return twin

    def plain(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {"barrier": self.barrier, "record": self.record.plain()}

    def restored(self, plain: Mapping[str, Any]) -> Self:
        """One that goes on from what `plain` gave."""
        twin = type(self)(self.subject, self.teacher)
        twin.barrier = plain["barrier"]
        twin.record = Record.from_plain(entry(plain, "record", dict), self.subject.ndim)
        return twin
