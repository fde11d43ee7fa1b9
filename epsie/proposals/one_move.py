"""A proposal that makes one move of a learned kernel alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from epsie.checks import as_floats
from epsie.proposals.learned.knowledge import MOVES, Knowledge
from epsie.proposals.learned.learned import Learned
from epsie.proposals.learned.learning import Lesson
from epsie.proposals.learned.own_learning import OwnLearning
from epsie.proposals.learned.subject import Subject
from epsie.proposals.learned.transform import Transform


@dataclass(frozen=True)
class Only:
    """What is learned for one move alone.

    Parameters
    ----------
    move : str
        Its name.
    teacher : callable
        What makes knowledge of a lesson.
    """

    move: str
    teacher: Callable[[Lesson, Knowledge | None, Transform], Knowledge | None]

    def __call__(
        self, lesson: Lesson, former: Knowledge | None, first: Transform
    ) -> Knowledge | None:
        """The knowledge, by which no other move is made."""
        found = self.teacher(lesson, former, first)
        return None if found is None else self.of(found)

    def of(self, knowledge: Knowledge) -> Knowledge:
        """The same knowledge, by which no other move is made."""
        return knowledge._replace(weights=np.eye(len(MOVES))[MOVES.index(self.move)])


class OneMove(Learned):
    """A proposal that makes one move alone, each chain by itself.

    What it knows it is given, or it learns that from where its chain was, at the same barriers as
    `Learned`; until the first it makes a robust adaptive random walk, and for good if it is to
    learn nothing else.
    """

    name = ""

    def __init__(
        self,
        parameters: str | Iterable[str],
        boundaries: Mapping[str, Iterable[float]] | None = None,
        periods: Mapping[str, float] | None = None,
        adaptation_duration: int | None = None,
        std: ArrayLike | None = None,
        jump_interval: int = 1,
        jump_interval_duration: int | None = None,
    ) -> None:
        interval = (jump_interval, jump_interval_duration)
        super().__init__(
            parameters, boundaries, periods, adaptation_duration, std, *interval, pooled=False
        )
        self._learn_nothing()

    def _learn_only(self, only: Only) -> None:
        """Learn for this move alone."""
        self._own = OwnLearning(self.subject, only)

    def _learn_nothing(self) -> None:
        """Tune the sizes of jumps, and learn nothing else."""
        self._own = OwnLearning(Subject(self.subject.bounds, self.subject.periods, 1))

    def _know(self, knowledge: Knowledge) -> None:
        """Draw by this from the first jump on."""
        self._scale_given = True
        self._kernel.tuning.factor = knowledge.walk
        self._kernel.take(knowledge)


def as_rows(rows: Any, what: str, ndim: int, least: int) -> Any:
    """Finite positions as an array, shape (n, ndim).

    Raises
    ------
    ValueError
        If they are none, or too few.
    """
    found = as_floats(rows, what)
    if found.ndim == 1 and ndim == 1:
        found = found[:, np.newaxis]
    if found.ndim != 2 or found.shape[1] != ndim or not np.isfinite(found).all():
        raise ValueError(
            f"{what} must be finite positions of shape (n, {ndim}), a column for each parameter; "
            f"got shape {found.shape}"
        )
    if len(np.unique(found, axis=0)) < least:
        raise ValueError(f"{what} must have {least} different positions; got {len(found)} rows")
    return found
