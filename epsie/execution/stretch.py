"""One stretch of all chains: dealt to the workers, collected, and failed as one."""

from __future__ import annotations

import pickle
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from itertools import chain as chained
from itertools import islice
from typing import Any, NoReturn

from epsie.chain.base import BaseChain, Segment
from epsie.errors import PoolError, WorkersDied
from epsie.execution.verification import Verifier, refuse_difference
from epsie.execution.work import Answer, Report, Settings, Task, this_process, work
from epsie.pools import Mapper, mapper_for
from epsie.pools.transport import ModelCarrier, Ticket, pickled
from epsie.process.threads import capped
from epsie.running.progress import Progress


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
            new = _advanced(map(_follower, chains, segments), length, len(chains), mapper, carrier)
            if verifier is not None and length:
                i = verifier.next(len(chains))
                _repeat(_follower(chains[i], segments[i]), length, new[i], mapper, carrier)
            for past, segment in zip(segments, new):
                past.append(segment)
            progress.saw(new)
    return segments


def _advanced(
    chains: Iterable[BaseChain], length: int, nchains: int, mapper: Mapper, carrier: ModelCarrier
) -> list[Segment]:
    """What so many steps of every chain bring."""
    at_once = mapper.portions.size(length, nchains, mapper.workers)
    answers = _answers(chains, "advance", [length] * nchains, mapper, carrier, at_once)
    mapper.portions.saw(length, [answer.seconds for answer in answers])
    return [answer.result for answer in answers]


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
    arguments: Sequence[Any],
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
    return [answer.result for answer in _answers(chains, job, arguments, mapper, carrier)]


def _answers(
    chains: Iterable[BaseChain],
    job: str,
    arguments: Sequence[Any],
    mapper: Mapper,
    carrier: ModelCarrier,
    at_once: int = 1,
) -> list[Answer]:
    """What workers say of every chain, if none failed."""
    started = time.perf_counter()
    try:
        reports = _asked(zip(chains, arguments, strict=True), job, mapper, carrier, at_once)
    except BaseException:
        carrier.sign.stop()
        raise
    worked = [(report.worker, answer) for report in reports for answer in report.answers]
    elapsed = time.perf_counter() - started
    mapper.utilisation.add(elapsed, [(worker, answer.seconds) for worker, answer in worked])
    answers = [answer for _, answer in worked]
    failed = [answer for answer in answers if answer.error is not None]
    if failed:
        _fail(failed)
    if any(answer.interrupted for answer in answers):
        raise KeyboardInterrupt("a worker was interrupted")
    return answers


def _asked(
    questions: Iterator[tuple[BaseChain, Any]],
    job: str,
    mapper: Mapper,
    carrier: ModelCarrier,
    at_once: int,
) -> list[Report]:
    """What the workers say, once they all have the model."""
    run = secrets.token_hex(8)
    ticket, sign = carrier.ticket(mapper.in_process), carrier.sign
    sign.run += 1
    here = sign.here if mapper.in_process else None
    settings = Settings(this_process(), sign.run, here, mapper.threads)
    tasks: list[Task] = []
    asked: list[tuple[BaseChain, Any]] = []

    def dealt(questions: Iterator[tuple[BaseChain, Any]], at_once: int) -> Iterator[Task]:
        # Packed as they are dealt, so that the first worker starts while the last chain is packed.
        while some := list(islice(questions, at_once)):
            chains = _packed([chain for chain, _ in some], mapper)
            arguments = [argument for _, argument in some]
            tasks.append(
                Task(run, len(tasks), job, len(asked), chains, arguments, ticket, settings)
            )
            asked.extend(some)
            yield tasks[-1]

    # In this process the cap is set once for all tasks, not for each.
    with capped(mapper.threads) if mapper.in_process else nullcontext():
        try:
            reports = _checked(mapper(work, dealt(questions, at_once)), tasks)
        except WorkersDied:
            if at_once == 1:
                raise
            # Again, one by one: the error is to name the chain.
            questions = chained(asked.copy(), questions)
            tasks.clear()
            asked.clear()
            reports = _checked(mapper(work, dealt(questions, 1)), tasks)
    for ticket in _deliveries(reports, mapper, carrier):
        again = [tasks[report.number] for report in reports if report.lacks_model]
        for task in again:
            task.ticket = ticket
        for report in _checked(mapper(work, again), again):
            reports[report.number] = report
    return reports


def _deliveries(reports: list[Report], mapper: Mapper, carrier: ModelCarrier) -> Iterator[Ticket]:
    """What to tell workers that lack the model, as long as there are any."""
    if any(report.lacks_model for report in reports):
        ticket = carrier.ticket(mapper.in_process, with_body=True)
        yield mapper.deliver(ticket)
        # Some may have joined since.
        if any(report.lacks_model for report in reports):
            yield ticket


def _packed(chains: list[BaseChain], mapper: Mapper) -> list[BaseChain | bytes]:
    """Copies of chains as they go to a worker."""
    if mapper.in_process:
        return [chain.detached() for chain in chains]
    shells = [chain.shell() for chain in chains]
    if all(chain.is_built_in for chain in chains):
        # Together in two thirds of the time. What they share is what their copies share, too.
        return [pickle.dumps(shells, pickle.HIGHEST_PROTOCOL)]
    return [pickled([shell], "a chain with its proposals") for shell in shells]


def _checked(reports: list[Any], tasks: Sequence[Task]) -> list[Report]:
    """The reports, if the pool gave one to each task, in order."""
    for report in reports:
        if not isinstance(report, Report):
            raise PoolError(
                f"the pool's map gave {report!r} of type {type(report).__name__} instead of the "
                "result of the function; it must return the results themselves"
            )
    given = [(report.run, report.number) for report in reports]
    if given != [(task.run, task.number) for task in tasks]:
        raise PoolError(
            f"the pool's map gave {len(given)} results for {len(tasks)} tasks, for items "
            f"{[number for _, number in given]}; it must give one for each, in order"
        )
    return reports


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
