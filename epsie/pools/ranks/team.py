"""MPI workers, and their master: it deals items to them, and ends them with its process."""

from __future__ import annotations

import atexit
import os
import pickle
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import cloudpickle

from epsie.errors import PoolError
from epsie.pools.base import Function
from epsie.pools.own.serving import leave_signals_to_the_parent, pickled_error
from epsie.pools.ranks.ranks import Ranks
from epsie.pools.transport import pickled
from epsie.process.signals import interrupt_deferred
from epsie.process.threads import capped

_teams: list[Team] = []
"""Those of this process; as a rule one."""


def team_of(comm: Any = None) -> Team:
    """The workers of a communicator. Only its rank 0 returns; the others work, and exit.

    Raises
    ------
    ImportError
        If mpi4py or the MPI library is missing.
    PoolError
        If there is one rank only.
    """
    for team in _teams:
        if team.link.made_from(comm):
            return team
    link = Ranks(comm)
    if link.rank != 0:
        serve(link)
        sys.exit(0)
    _teams.append(Team(link))
    return _teams[-1]


class Team:
    """The workers of a communicator, as its rank 0 has them.

    They end with the process of rank 0, not before: a rank that waits for others in
    ``MPI_Finalize`` does so at the cost of a core.

    Parameters
    ----------
    link : Ranks
        The communicator.
    """

    patience = (5.0, 1.0)
    """Seconds that busy workers have when the process of rank 0 ends, by itself or after an error.
    Then all are aborted."""

    def __init__(self, link: Ranks) -> None:
        self.link = link
        self._owner = os.getpid()
        self.size = link.size - 1
        self.threads = 1
        self.sent = self.received = 0
        self._idle = set(range(1, link.size))
        self._busy: dict[int, Any] = {}
        self._run = 0
        self._ended = False
        self._failure: type[BaseException] | None = None
        atexit.register(self.end)
        link.before_finalize(self.end)
        self._excepthook, sys.excepthook = sys.excepthook, self._note_failure

    def map(self, function: Function, items: Iterable[Any]) -> list[Any]:
        """The results of a function, in the order of the items.

        They are asked for the next one when a worker is free. What workers still do for a call that
        was interrupted is awaited, and dropped.
        """
        body = self._begin(function)
        fresh = enumerate(items)
        given, results = 0, dict[int, Any]()
        # A Ctrl-C that takes effect anywhere would lose track of who is busy.
        with interrupt_deferred() as take_effect:
            while True:
                while self._idle and (found := next(fresh, None)):
                    self._give(next(iter(self._idle)), found[0], body, found[1])
                    given += 1
                if self._idle and len(results) == given:
                    return [results[i] for i in range(given)]
                results.update(self._next_result(take_effect))

    def on_each(self, function: Function, item: Any, ranks: Iterable[int] | None = None) -> Any:
        """The results of a function in each of some ranks (all by default), as a dict."""
        body = self._begin(function)
        waiting = set(range(1, self.size + 1) if ranks is None else ranks)
        n, results = len(waiting), dict[int, Any]()
        with interrupt_deferred() as take_effect:
            while len(results) < n:
                for rank in waiting & self._idle:
                    waiting.remove(rank)
                    self._give(rank, rank, body, item)
                results.update(self._next_result(take_effect))
        return results

    def _begin(self, function: Function) -> bytes:
        if self._ended:
            raise PoolError("the MPI workers have ended: MPI.Finalize was called")
        self._run += 1
        return pickled(function, "the function")

    def _give(self, rank: int, number: int, function: bytes, item: Any) -> None:
        message = Message(self._run, number, self.threads, function, pickled(item, "an item"))
        self._idle.remove(rank)
        self._busy[rank] = self.link.send(message, rank)
        self.sent += len(function) + len(message.item)

    def _next_result(self, between: Callable[[], None]) -> dict[int, Any]:
        """The result that comes next, by its number; nothing if it is late."""
        reply = self._receive(self.link.wait(between))
        if reply.run != self._run:
            return {}
        result, trace = pickle.loads(reply.body)
        if trace is not None:
            result.add_note(f"\nIn a worker:\n\n{trace}")
            raise result
        return {reply.number: result}

    def _receive(self, rank: int) -> Reply:
        reply: Reply = self.link.receive(rank)
        self._busy.pop(rank).wait()
        self._idle.add(rank)
        self.received += len(reply.body)
        return reply

    def _note_failure(
        self, kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        self._failure = kind
        self._excepthook(kind, error, trace)

    def end(self) -> None:
        """Let the workers end. If they are busy and stay so, all ranks are aborted."""
        if self._ended or os.getpid() != self._owner:
            return
        self._ended = True
        deadline = time.monotonic() + self.patience[self._failure is not None]
        while self._busy and (rank := self.link.wait(seconds=deadline - time.monotonic())) > 0:
            self._receive(rank)
        if self._busy:
            self._abort()
        for rank in self._idle:
            self.link.send_all(None, rank)

    def _abort(self) -> None:
        sys.stdout.flush()
        print(  # noqa: T201
            f"epsie: rank 0 ends while {len(self._busy)} of {self.size} MPI workers are busy; "
            "aborting them",
            file=sys.stderr,
            flush=True,
        )
        self.link.abort(130 if self._failure is KeyboardInterrupt else 1)


@dataclass(slots=True)
class Message:
    """An item for a worker; function and item are pickled."""

    run: int
    number: int
    threads: int
    function: bytes
    item: bytes


@dataclass(slots=True)
class Reply:
    """A worker's reply to an item, pickled: a result and None, or an error and its traceback."""

    run: int
    number: int
    body: bytes


def serve(ranks: Ranks) -> None:
    """Work for rank 0 until it says that it has ended. If that cannot be, all ranks are aborted."""
    try:
        _begin()
        while ranks.wait() == 0 and (message := ranks.receive(0)) is not None:
            ranks.send_all(_reply(message), 0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        ranks.abort(1)


def _begin() -> None:
    """Leave it to rank 0 what a Ctrl-C or the end of a job means."""
    if threading.current_thread() is threading.main_thread():
        leave_signals_to_the_parent()


def _reply(message: Message) -> Reply:
    try:
        function, item = pickle.loads(message.function), pickle.loads(message.item)
        with capped(message.threads):
            body = cloudpickle.dumps((function(item), None))
    except BaseException as error:
        body = pickled_error(error)
    return Reply(message.run, message.number, body)
