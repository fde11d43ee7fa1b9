"""A job of many chains: dealt out to workers as tasks, and failing as one."""

from __future__ import annotations

import linecache
import pickle
import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from epsie.chain.base import BaseChain
from epsie.errors import PoolError, WorkersDied
from epsie.execution.utilisation import evenly
from epsie.execution.work import Answer, Report, Settings, Task, host_and_pid, work
from epsie.model.batch import Batch
from epsie.pools.base import Mapper
from epsie.pools.transport import ModelCarrier, Ticket, pickled
from epsie.process.threads import capped

ChainAt = Callable[[int], BaseChain]
"""Gives the chain of an index. It is asked as late as can be: copies are made on the way."""


@dataclass
class Deal:
    """A job of many chains as tasks for a pool.

    Parameters
    ----------
    mapper : Mapper
        The pool.
    carrier : ModelCarrier
        The model.
    lessons : ModelCarrier or None
        What the chains have learned together.
    chain_at : callable
        Gives the chain of an index.
    job : str
        The method of each chain that is called.
    arguments : sequence
        Its argument for each chain.
    portions : list of range
        The indices of the chains of each task.
    """

    mapper: Mapper
    carrier: ModelCarrier
    lessons: ModelCarrier | None
    chain_at: ChainAt
    job: str
    arguments: Sequence[Any]
    portions: Sequence[range]

    def reports(self) -> list[Report]:
        """The workers' reports, with an answer for every chain.

        Raises
        ------
        PoolError
            If the pool failed.
        """
        # In this process the cap is set once for all tasks, not for each.
        with capped(self.mapper.threads) if self.mapper.in_process else nullcontext():
            one_by_one = evenly(len(self.arguments), 1)
            self._as_arrays = True
            try:
                reports = self._reports()
                if not any(report.apart for report in reports):
                    return reports
            except WorkersDied:
                if self.portions == one_by_one or isinstance(self.carrier.model, Batch):
                    raise
            # Again, one by one: the error is to name the chain.
            self._as_arrays = False
            if not isinstance(self.carrier.model, Batch):
                self.portions = one_by_one
            return self._reports()

    def _reports(self) -> list[Report]:
        """The workers' reports, once they all have the model."""
        mapper, sign = self.mapper, self.carrier.sign
        self._run = secrets.token_hex(8)
        carriers = [self.carrier] if self.lessons is None else [self.carrier, self.lessons]
        self._tickets = [carrier.ticket(mapper.in_process) for carrier in carriers]
        sign.run += 1
        here = sign.here if mapper.in_process else None
        self._settings = Settings(host_and_pid(), sign.run, here, mapper.threads)
        reports = self._asked(range(len(self.portions)))
        # Who lacks the model is asked first; who joins meanwhile may lack it later.
        for i, carrier in 2 * list(enumerate(carriers)):
            if any(report.lacks == carrier.key for report in reports):
                ticket = carrier.ticket(mapper.in_process, with_body=True)
                self._ask_again(reports, i, mapper.deliver(ticket))
                # Some may have joined since.
                self._ask_again(reports, i, ticket)
        return reports

    def _ask_again(self, reports: list[Report], i: int, ticket: Ticket) -> None:
        """Ask anew who lacked something, with another way to it."""
        self._tickets[i] = ticket
        if lacking := [report.number for report in reports if report.lacks == ticket.key]:
            for report in self._asked(lacking):
                reports[report.number] = report

    def _asked(self, numbers: Sequence[int]) -> list[Report]:
        # Made as they are dealt, so that the first worker starts while the last chain is packed.
        reports = self.mapper(work, map(self._task, numbers))
        _check(reports, [(self._run, number) for number in numbers])
        return reports

    def _task(self, number: int) -> Task:
        indices = self.portions[number]
        first, arguments = indices.start, [self.arguments[i] for i in indices]
        chains = map(self.chain_at, indices)
        packed = _packed(list(chains), self.mapper.in_process)
        model, *lessons = self._tickets
        taught = lessons[0] if lessons else None
        return Task(
            self._run, number, self.job, first, packed, arguments, model, taught, self._settings,
            self._as_arrays,
        )  # fmt: skip


def _packed(chains: list[BaseChain], in_process: bool) -> list[BaseChain | bytes]:
    """Copies of chains as they go to a worker."""
    if in_process:
        return [chain.detached() for chain in chains]
    shells = [chain.shell() for chain in chains]
    if all(chain.is_built_in for chain in chains):
        # Together in two thirds of the time. What they share is what their copies share, too.
        return [pickle.dumps(shells, pickle.HIGHEST_PROTOCOL)]
    return [pickled([shell], "a chain with its proposals") for shell in shells]


def _check(reports: Iterable[Any], asked: list[tuple[str, int]]) -> None:
    """Refuse what a pool gives if it is not one report for each task, in order."""
    for report in reports:
        if not isinstance(report, Report):
            raise PoolError(
                f"the pool's map gave {report!r} of type {type(report).__name__} instead of the "
                "result of the function; it must return the results themselves"
            )
    given = [(report.run, report.number) for report in reports]
    if given != asked:
        raise PoolError(
            f"the pool's map gave {len(given)} results for {len(asked)} tasks, for items "
            f"{[number for _, number in given]}; it must give one for each, in order"
        )


class WorkerTraceback(Exception):
    """The traceback in the worker, as text."""

    def __str__(self) -> str:
        return f"\n\n{self.args[0]}"


_FRAME = re.compile(r'( *)File "(.+)", line (\d+)(, in .*)?')


def with_lines(trace: str) -> str:
    """A worker's traceback, with those lines of the source that only this process has.

    A notebook's cells are in no file, and a script may be on this host alone.
    """
    lines = trace.splitlines()
    shown = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        shown.append(line)
        frame = _FRAME.fullmatch(line)
        if frame and not following.startswith(f"{frame[1]}  "):
            source = linecache.getline(frame[2], int(frame[3])).strip()
            shown += [f"{frame[1]}  {source}"] if source else []
    return "\n".join(shown)


def refuse_failures(answers: list[Answer]) -> None:
    """Raise the first error of any chain.

    Raises
    ------
    StepError
        If a chain failed.
    KeyboardInterrupt
        If a worker was interrupted.
    """
    failed = [answer for answer in answers if answer.error is not None]
    if failed:
        error = failed[0].error
        assert error is not None
        if error.__cause__ is None and failed[0].trace:
            error.__cause__ = WorkerTraceback(with_lines(failed[0].trace))
        if len(failed) > 1:
            error.add_note(f"{len(failed)} of {len(answers)} failed; this is the first")
        raise error
    if any(answer.interrupted for answer in answers):
        raise KeyboardInterrupt("a worker was interrupted")
