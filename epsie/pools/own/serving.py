"""A worker process of our own pool, from inside, and messages to it and from it."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import cloudpickle

from epsie.process.signals import SENT_TO_ALL

_PARENT_INTERVAL = 1.0
"""Seconds between looks at the parent."""


def serve(descriptor: int | None) -> None:
    """Do what comes over a socket, until the other side is gone.

    Parameters
    ----------
    descriptor : int or None
        The socket; None if it comes through the standard input.
    """
    leave_signals_to_the_parent()
    with _socket(descriptor) as link:
        send(link, b"")
        Worker(link).run()


def _socket(descriptor: int | None) -> socket.socket:
    if sys.platform == "win32":
        return socket.fromshare(sys.stdin.buffer.read())
    return socket.socket(fileno=descriptor)


class Worker:
    """Does one task after the other. A thread takes them in, and sees when the parent is gone.

    Parameters
    ----------
    socket : socket.socket
        Where tasks come from, and results go.
    """

    def __init__(self, socket: socket.socket) -> None:
        self.socket = socket
        self._tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._busy = False
        self._function: Any = None

    def run(self) -> None:
        """Work until the parent is gone."""
        threading.Thread(target=self._take_in, daemon=True).start()
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
        while (task := self._tasks.get()) is not None:
            self._busy = True
            answer = self._answer(task)
            with suppress(BrokenPipeError, ConnectionError):
                send(self.socket, answer)
            self._busy = False

    def _take_in(self) -> None:
        try:
            while True:
                self._tasks.put(receive(self.socket))
        except EOFError:
            if self._busy:
                # Nobody waits for what it does.
                os._exit(1)
            self._tasks.put(None)

    def _answer(self, body: bytearray) -> bytes:
        """The pickled result, or the exception and its traceback."""
        try:
            function, item = pickle.loads(body)
            if function is not None:
                self._function = pickle.loads(function)
            answer = _pickled((self._function(pickle.loads(item)), None))
        except BaseException as error:
            answer = pickled_error(error)
        return answer


def _pickled(value: Any) -> bytes:
    """Cheaply if it can be: what the main script or a notebook defined needs more."""
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception:
        body: bytes = cloudpickle.dumps(value)
        return body


def pickled_error(error: BaseException) -> bytes:
    """An exception and its traceback, or one that says the same if it cannot be pickled."""
    text = "".join(traceback.format_exception(error))
    try:
        body: bytes = cloudpickle.dumps((error, text))
        pickle.loads(body)
    except Exception:
        body = pickle.dumps((RuntimeError(f"{type(error).__name__}: {error}"), text))
    return body


def leave_signals_to_the_parent() -> None:
    """Leave to the parent signals to stop or save: like SLURM's, they may reach all at once."""
    for number in SENT_TO_ALL:
        # What is ignored, as by nohup, stays so. Nothing else is to be: programs that the model
        # starts would inherit it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _nothing)
            if hasattr(signal, "siginterrupt"):
                signal.siginterrupt(number, False)
    if hasattr(signal, "pthread_sigmask"):
        os.register_at_fork(after_in_child=_heed_signals)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SENT_TO_ALL)


def _nothing(number: int, frame: Any) -> None:
    pass


def _heed_signals() -> None:
    for number in SENT_TO_ALL:
        if signal.getsignal(number) is _nothing:
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end_with(parent: int) -> None:
    """End this process when it is an orphan, even if a process forked meanwhile has the socket."""
    while os.getppid() == parent:
        _wait(_PARENT_INTERVAL)
    os._exit(1)


_wait = threading.Event().wait


_LENGTH = 8


def send(to: socket.socket, body: bytes, meanwhile: Callable[[], object] = bool) -> None:
    """Send a message; returns when all of it has left.

    On a socket that gives up after some time something else is done then, before it goes on.
    """
    head = len(body).to_bytes(_LENGTH, "big")
    for piece in [head + body] if len(body) < 65536 else [head, body]:
        left = memoryview(piece)
        while left:
            try:
                left = left[to.send(left) :]
            except BlockingIOError:
                meanwhile()


def receive(source: socket.socket) -> bytearray:
    """The next message.

    Raises
    ------
    EOFError
        If the other side is gone.
    """
    return _exactly(source, int.from_bytes(_exactly(source, _LENGTH), "big"))


def _exactly(source: socket.socket, size: int) -> bytearray:
    body = bytearray(size)
    view, at = memoryview(body), 0
    while at < size:
        try:
            got = source.recv_into(view[at:])
        except ConnectionError:
            got = 0
        if not got:
            raise EOFError("the other side is gone")
        at += got
    return body
