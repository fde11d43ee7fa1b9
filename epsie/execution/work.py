"""A job of one chain or several in a worker, and the report of it."""

from __future__ import annotations

import os
import pickle
import platform
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from epsie.chain.alike import fewest_of
from epsie.chain.base import POINTS, BaseChain
from epsie.chain.block_blobs import OtherBlobsError
from epsie.chain.together import advance_together, prefetch
from epsie.errors import EpsieError, PoolError, ProposalError, said
from epsie.model.batch import Batch
from epsie.model.one_by_one import OneByOne
from epsie.pools.transport import Ticket, cannot_import
from epsie.process.cancellation import GivenUp, is_interrupt
from epsie.process.threads import capped

THIS = "this process"
"""The name of a worker that is the process that asks, or begins with it."""


ADVANCE = "advance"
"""The job of making steps: see `BaseChain.advance`."""


@dataclass(slots=True)
class Task:
    """A job of some chains: a method to call of each, and its argument."""

    run: str
    number: int
    job: str
    first: int
    """The index of the first of the chains, which are in order."""
    chains: list[BaseChain | bytes]
    """As they are, or pickled: one by one or several together."""
    arguments: list[Any]
    ticket: Ticket
    lessons: Ticket | None
    """What the chains have learned together, if they do."""
    settings: Settings
    as_arrays: bool = True
    """Whether its chains may be stepped as arrays."""

    @property
    def indices(self) -> range:
        """The indices of the chains."""
        return range(self.first, self.first + len(self.arguments))

    @property
    def name(self) -> str:
        """The chains, or points that are of none, in words."""
        if self.job == POINTS:
            return f"{sum(map(len, self.arguments))} points of the start"
        indices = ", ".join(map(str, self.indices))
        return f"chain {indices}" if len(self.arguments) == 1 else f"one of the chains {indices}"


@dataclass(slots=True)
class Settings:
    """The settings common to all tasks of one call."""

    parent: tuple[str, int]
    """The process that asks: its host and number."""
    number: int
    """The number of the run, for the stop sign."""
    sign: Sequence[int] | None
    """The stop sign, if this is the process that asks."""
    threads: int
    """The number of threads that linear algebra may use."""


@dataclass(slots=True)
class Answer:
    """A worker's answer for a chain: a result or a failure."""

    index: int
    result: Any = None
    error: Exception | None = None
    trace: str = ""
    interrupted: bool = False
    seconds: float = 0.0


@dataclass(slots=True)
class Report:
    """A worker's report of a task: an answer for each chain, or what it lacks."""

    run: str
    number: int
    worker: str
    answers: list[Answer]
    lacks: str = ""
    """The key of a ticket that it cannot redeem; '' if of none."""
    apart: bool = False
    """Whether chains failed as arrays: one by one they go on, or say which of them cannot."""


def work(task: Task) -> Report:
    """Do a task; in a worker. Failures come back as data."""
    answers = [Answer(index) for index in task.indices]
    report = Report(task.run, task.number, _worker(task), answers)
    model: Any = None
    lessons: Any = {}
    chains: list[BaseChain] = []
    former = here.keys
    try:
        here.keys = (*former, task.ticket.key)
        with capped(task.settings.threads):
            with _caught(answers[0], task, None):
                try:
                    model = task.ticket.redeem()
                    lessons = task.lessons.redeem() if task.lessons else {}
                except KeyError as lacking:
                    report.lacks = lacking.args[0]
                else:
                    chains = _unpacked(task)
            if chains:
                _do(task, chains, model, lessons, report)
    finally:
        here.keys = former
    return report


def _do(task: Task, chains: list[BaseChain], model: Any, lessons: Any, report: Report) -> None:
    """Do a job of chains one by one or together."""
    answers, at_once = report.answers, isinstance(model, Batch)
    if not at_once and not _are_arrays(task, chains):
        for answer, chain, argument in zip(answers, chains, task.arguments):
            chain.lend(model)
            with _caught(answer, task, chain):
                chain.teach(lessons)
                answer.result = getattr(chain, task.job)(argument)
        return
    with _caught(answers[0], task, None):
        _do_together(task, chains, model.emptied() if at_once else model, lessons, answers)
    error = answers[0].error
    report.apart = isinstance(error, OtherBlobsError if at_once else Exception)
    seconds = sum(answer.seconds for answer in answers) / len(answers)
    for answer in answers:
        answer.seconds = seconds


def _are_arrays(task: Task, chains: list[BaseChain]) -> bool:
    """Whether chains whose model takes one point are faster as arrays."""
    enough = len(chains) >= fewest_of(chains[0], at_once=False)
    return task.job == ADVANCE and task.as_arrays and enough


def _do_together(
    task: Task, chains: list[BaseChain], model: Any, lessons: Any, answers: list[Answer]
) -> None:
    """Do a job of chains whose model is asked about the points of all before any goes on."""
    for chain in chains:
        chain.lend(model)
        chain.teach(lessons)
    if task.job == ADVANCE:
        asked = model if isinstance(model, Batch) else OneByOne(model)
        segments = advance_together(chains, task.arguments[0], asked, task.as_arrays)
        for answer, segment in zip(answers, segments):
            answer.result = segment
        return
    prefetch(chains, task.job, task.arguments, model)
    for answer, chain, argument in zip(answers, chains, task.arguments):
        with _caught(answer, task, chain):
            answer.result = getattr(chain, task.job)(argument)


def _unpacked(task: Task) -> list[BaseChain]:
    """The chains, which from now on watch whether their run is given up."""
    chains: list[BaseChain] = []
    for packed in task.chains:
        if isinstance(packed, BaseChain):
            chains.append(packed)
            continue
        try:
            chains += pickle.loads(packed)
        except (ImportError, AttributeError) as error:
            raise PoolError(cannot_import("a proposal", error)) from error
    settings = task.settings
    sign = task.ticket.sign() if settings.sign is None else settings.sign
    for chain in chains:
        chain.watch = (sign, settings.number)
    return chains


@contextmanager
def _caught(answer: Answer, task: Task, chain: BaseChain | None) -> Iterator[None]:
    """Put what goes wrong, and how long it took, into an answer."""
    started = time.perf_counter()
    try:
        yield
    except GivenUp:
        answer.interrupted = True
    except BaseException as error:
        if is_interrupt(error) and host_and_pid() == task.settings.parent:
            raise
        if isinstance(error, KeyboardInterrupt):
            # The parent was interrupted too. A worker that raised would print a traceback, or die.
            answer.interrupted = True
        else:
            where = {"chain": answer.index} if chain is None else chain.where()
            _say(answer, error, {} if task.job == POINTS else where, task.settings.parent)
    answer.seconds += time.perf_counter() - started


def _say(
    answer: Answer, error: BaseException, where: dict[str, Any], parent: tuple[str, int]
) -> None:
    """Put a failure into an answer: the error, and the traceback of what caused it."""
    cause = error.__cause__ or error
    if not isinstance(error, EpsieError):
        failure: EpsieError = ProposalError(said(error), where)
        failure.__cause__ = error
        error = failure
    answer.trace = "".join(traceback.format_exception(cause))
    if host_and_pid() != parent:
        # Some libraries let causes travel, but not where they were raised: the text says it all.
        error.__cause__ = None
    answer.error = error


def _worker(task: Task) -> str:
    """The name of this worker: its process, its host if another, and thread if one of several."""
    (host, pid), parent = host_and_pid(), task.settings.parent
    process = f"process {pid}" if (host, pid) != parent else THIS
    if host != parent[0]:
        process += f" on {host}"
    thread = threading.current_thread()
    return process if thread is threading.main_thread() else f"{process}, {thread.name}"


def host_and_pid() -> tuple[str, int]:
    """Its host and number."""
    return platform.node(), os.getpid()


class Here(threading.local):
    """The state of this thread: the models with which it steps chains."""

    keys: tuple[str, ...] = ()
    """The keys of the models with which it steps chains; inside of one may be a sampler of another.

    To be put back in a bare `finally`: a second Ctrl-C would keep a function from doing so.
    """


here = Here()


def serves(key: str) -> bool:
    """Whether this thread is asking the model of this key."""
    return key in here.keys
