"""One stretch of all chains: dealt to the workers, collected, and failed as one."""

from __future__ import annotations

import os
import pickle
import platform
import secrets
import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from typing import Any, NoReturn

from epsie.cancellation import GivenUp
from epsie.chain.base import BaseChain, Segment
from epsie.errors import EpsieError, PoolError, ProposalError
from epsie.pools import Mapper, mapper_for
from epsie.progress import Progress
from epsie.threads import capped
from epsie.transport import ModelCarrier, Ticket, cannot_import, pickled
from epsie.verification import Verifier, refuse_difference


@dataclass(slots=True)
class Task:
    """What one chain is to do: a method of it, and the arguments."""

    run: str
    index: int
    ticket: Ticket
    chain: BaseChain | bytes
    job: str
    argument: Any
    settings: Settings


@dataclass(slots=True)
class Settings:
    """What all tasks of one call have in common."""

    parent: tuple[str, int]
    """The process that asks: its host and number."""
    number: int
    """The number of the run, for the stop sign."""
    sign: Sequence[int] | None
    """The stop sign, if this is the process that asks."""
    threads: int
    """How many threads linear algebra may use."""


@dataclass(slots=True)
class Answer:
    """What a worker says of a task: a result, a failure, or that it lacks the model."""

    run: str
    index: int
    result: Any = None
    error: Exception | None = None
    trace: str = ""
    lacks_model: bool = False
    interrupted: bool = False
    worker: str = ""
    seconds: float = 0.0


def work(task: Task) -> Answer:
    """Do a task; in a worker. Failures come back as data."""
    started = time.perf_counter()
    chain = task.chain
    try:
        model = _redeemed(task)
        if model is None:
            return Answer(task.run, task.index, lacks_model=True)
        with capped(task.settings.threads):
            chain = _unpacked(task)
            chain.model = model
            answer = Answer(task.run, task.index, getattr(chain, task.job)(task.argument))
    except (Exception, SystemExit) as error:
        answer = _failed(task, chain, error)
    except (KeyboardInterrupt, GivenUp) as error:
        if isinstance(error, KeyboardInterrupt) and _this_process() == task.settings.parent:
            raise
        # The parent was interrupted too. A worker that raised would print a traceback, or die.
        answer = Answer(task.run, task.index, interrupted=True)
    answer.worker, answer.seconds = _worker(task), time.perf_counter() - started
    return answer


def _redeemed(task: Task) -> Any:
    """The model; None if this worker lacks it."""
    try:
        return task.ticket.redeem()
    except KeyError:
        return None


def _unpacked(task: Task) -> BaseChain:
    """The chain, which from now on watches whether its run is given up."""
    chain, settings = task.chain, task.settings
    if isinstance(chain, bytes):
        try:
            chain = pickle.loads(chain)
        except (ImportError, AttributeError) as error:
            raise PoolError(cannot_import("a proposal", error)) from error
    assert isinstance(chain, BaseChain)
    sign = task.ticket.sign() if settings.sign is None else settings.sign
    chain.watch = (sign, settings.number)
    return chain


def _worker(task: Task) -> str:
    """The name of this worker: its process, its host if another, and thread if one of several."""
    (host, pid), parent = _this_process(), task.settings.parent
    process = f"process {pid}" if (host, pid) != parent else "this process"
    if host != parent[0]:
        process += f" on {host}"
    thread = threading.current_thread()
    return process if thread is threading.main_thread() else f"{process}, {thread.name}"


def _this_process() -> tuple[str, int]:
    return platform.node(), os.getpid()


def _failed(task: Task, chain: Any, error: BaseException) -> Answer:
    cause = error.__cause__ or error
    if not isinstance(error, EpsieError):
        where = chain.where() if isinstance(chain, BaseChain) else {"chain": task.index}
        failure: EpsieError = ProposalError(f"{type(error).__name__}: {error}", where)
        failure.__cause__ = error
        error = failure
    trace = "".join(traceback.format_exception(cause))
    return Answer(task.run, task.index, error=error, trace=trace)


def run_all(
    chains: Sequence[BaseChain],
    niterations: int,
    mapper: Mapper,
    carrier: ModelCarrier,
    progress: Progress,
    verifier: Verifier | None = None,
) -> list[list[Segment]]:
    """Let every chain make so many steps, on copies; nothing is attached to `chains`.

    Parameters
    ----------
    chains : sequence of BaseChain
        The chains.
    niterations : int
        How many steps each is to make.
    mapper : Mapper
        Where they run.
    carrier : ModelCarrier
        Their model.
    progress : Progress
        Cuts the work into rounds, and is told after each.
    verifier : Verifier, optional
        Says which chain of each round is repeated, and compared.

    Returns
    -------
    list of list of Segment
        For every chain what each round brought.

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
    with closing(progress.rounds(niterations, len(chains))) as rounds:
        for length in rounds:
            followers = map(_follower, chains, segments)
            new = ask_all(followers, "advance", [length] * len(chains), mapper, carrier)
            if verifier is not None and length:
                i = verifier.next(len(chains))
                _repeat(_follower(chains[i], segments[i]), length, new[i], mapper, carrier)
            for past, segment in zip(segments, new):
                past.append(segment)
            progress.saw(new)
    return segments


def _follower(chain: BaseChain, past: list[Segment]) -> BaseChain:
    """The chain, or a copy of it that stands where its last segment ended."""
    if past:
        chain = chain.detached()
        chain.set_state(past[-1].state)
    return chain


def _repeat(
    chain: BaseChain, length: int, found: Segment, mapper: Mapper, carrier: ModelCarrier
) -> None:
    """Let a chain make so many steps again, in this process, and compare."""
    here = mapper_for(None)
    here.threads = mapper.threads
    (again,) = ask_all([chain], "advance", [length], here, carrier)
    refuse_difference(chain.chain_id, chain.iteration, found, again)


def ask_all(
    chains: Iterable[BaseChain],
    job: str,
    arguments: Iterable[Any],
    mapper: Mapper,
    carrier: ModelCarrier,
) -> list[Any]:
    """The results of a method of every chain, called on copies of them.

    Raises
    ------
    StepError
        If one failed: the error of the first one that did.
    PoolError
        If the pool failed.
    """
    started = time.perf_counter()
    try:
        answers = _asked(zip(chains, arguments, strict=True), job, mapper, carrier)
    except BaseException:
        carrier.sign.stop()
        raise
    elapsed = time.perf_counter() - started
    mapper.utilisation.add(elapsed, [(answer.worker, answer.seconds) for answer in answers])
    failed = [answer for answer in answers if answer.error is not None]
    if failed:
        _fail(failed)
    if any(answer.interrupted for answer in answers):
        raise KeyboardInterrupt("a worker was interrupted")
    return [answer.result for answer in answers]


def _asked(
    questions: Iterable[tuple[BaseChain, Any]], job: str, mapper: Mapper, carrier: ModelCarrier
) -> list[Answer]:
    """What the workers say, once they all have the model."""
    run = secrets.token_hex(8)
    ticket, sign = carrier.ticket(mapper.in_process), carrier.sign
    sign.run += 1
    here = sign.here if mapper.in_process else None
    settings = Settings(_this_process(), sign.run, here, mapper.threads)
    tasks: list[Task] = []

    def dealt() -> Iterator[Task]:
        # Packed one by one, so that the first worker starts while the last chain is packed.
        for i, (chain, argument) in enumerate(questions):
            tasks.append(Task(run, i, ticket, _packed(chain, mapper), job, argument, settings))
            yield tasks[-1]

    # In this process the cap is set once for all tasks, not for each.
    with capped(mapper.threads) if mapper.in_process else nullcontext():
        answers = _checked(mapper(work, dealt()), tasks)
    for ticket in _deliveries(answers, mapper, carrier):
        again = [tasks[answer.index] for answer in answers if answer.lacks_model]
        for task in again:
            task.ticket = ticket
        for answer in _checked(mapper(work, again), again):
            answers[answer.index] = answer
    return answers


def _deliveries(answers: list[Answer], mapper: Mapper, carrier: ModelCarrier) -> Iterator[Ticket]:
    """What to tell workers that lack the model, as long as there are any."""
    if any(answer.lacks_model for answer in answers):
        ticket = carrier.ticket(mapper.in_process, with_body=True)
        yield mapper.deliver(ticket)
        # Some may have joined since.
        if any(answer.lacks_model for answer in answers):
            yield ticket


def _packed(chain: BaseChain, mapper: Mapper) -> BaseChain | bytes:
    """A copy of a chain as it goes to a worker."""
    if mapper.in_process:
        return chain.detached()
    if chain.is_built_in:
        return pickle.dumps(chain.shell(), pickle.HIGHEST_PROTOCOL)
    return pickled(chain.shell(), "a chain with its proposals")


def _checked(answers: list[Any], tasks: Sequence[Task]) -> list[Answer]:
    """The answers, if the pool gave one to each task, in order."""
    for answer in answers:
        if not isinstance(answer, Answer):
            raise PoolError(
                f"the pool's map gave {answer!r} of type {type(answer).__name__} instead of the "
                "result of the function; it must return the results themselves"
            )
    given = [(answer.run, answer.index) for answer in answers]
    if given != [(task.run, task.index) for task in tasks]:
        raise PoolError(
            f"the pool's map gave {len(given)} results for {len(tasks)} tasks, for items "
            f"{[index for _, index in given]}; it must give one for each, in order"
        )
    return answers


class WorkerTraceback(Exception):
    """The traceback in the worker, as text."""

    def __str__(self) -> str:
        return f"\n\n{self.args[0]}"


def _fail(failed: list[Answer]) -> NoReturn:
    first = failed[0]
    error = first.error
    assert error is not None
    if error.__cause__ is None and first.trace:
        error.__cause__ = WorkerTraceback(first.trace)
    if len(failed) > 1:
        error.add_note(
            f"chains {', '.join(str(f.index) for f in failed)} failed; this is the first"
        )
    raise error
