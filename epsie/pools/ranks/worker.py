"""A worker of a team of MPI ranks."""

from __future__ import annotations

import pickle
import sys
import threading
import traceback
from dataclasses import dataclass

import cloudpickle

from epsie.pools.own.serving import leave_signals_to_the_parent, pickled_error
from epsie.pools.ranks.ranks import Ranks
from epsie.process.threads import capped


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
    """What a worker made of an item, pickled: a result and None, or an error and its traceback."""

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
