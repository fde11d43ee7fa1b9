"""A model on its way to workers: once to each, however many chains and runs there are."""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import secrets
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from epsie.errors import PoolError, said
from epsie.pools.pickling import dumps
from epsie.process.cancellation import NEVER, SIZE, StopSign, is_interrupt, sign_at
from epsie.process.sharedfile import SharedFile, opened

_CACHED = 4
"""The number of models, and of what chains have learned together, that a worker keeps."""

_here: dict[str, Any] = {}
"""The models of this process by key. A forked worker finds those of its parent in it."""

_cache: OrderedDict[str, Any] = OrderedDict()
"""The models that this worker received, the one used last at the end."""

_cache_lock = threading.Lock()
"""Workers of Dask are threads of one process."""


@dataclass(slots=True)
class Ticket:
    """A reference to a model for a worker: its key, and where to find it if it is new."""

    key: str
    digest: str = ""
    path: str = ""
    body: bytes | None = None

    def redeem(self) -> Any:
        """The model.

        Raises
        ------
        KeyError
            If this worker does not have it and cannot read the file: it must be sent.
        PoolError
            If it has it, but cannot import what it needs.
        """
        if self.key in _here:
            return _here[self.key]
        with _cache_lock:
            if self.key not in _cache:
                _cache[self.key] = _loaded(self._received())
                while len(_cache) > _CACHED:
                    _cache.popitem(last=False)
            _cache.move_to_end(self.key)
            return _cache[self.key]

    def is_redeemed(self) -> bool:
        """Whether this worker has the model, or got it just now."""
        try:
            self.redeem()
        except KeyError:
            return False
        return True

    def sign(self) -> Sequence[int]:
        """The sign that says which runs are given up; in a worker."""
        return sign_at(self.path, self.key) if self.path else NEVER[0]

    def without_body(self) -> Ticket:
        """The same for workers that were given the model."""
        return replace(self, body=None)

    def _received(self) -> bytes:
        body = self.body
        if body is None:
            try:
                body = _body_at(self.path, self.key)
            except OSError:
                raise KeyError(self.key) from None
        if hashlib.sha256(body).hexdigest() != self.digest:
            raise KeyError(self.key)
        return body


def _loaded(body: bytes) -> Any:
    """The model, or what a worker lacks to have it.

    Raises
    ------
    PoolError
        If it cannot be unpickled here.
    """
    try:
        return pickle.loads(body)
    except (ImportError, AttributeError) as error:
        raise PoolError(cannot_import("the model", error)) from error
    except BaseException as error:
        if is_interrupt(error):
            raise
        raise PoolError(f"a worker could not unpickle the model: {said(error)}") from error


def cannot_import(what: str, error: Exception) -> str:
    """Say that a worker cannot import a module of the user's."""
    where = f"process {os.getpid()} on {platform.node()}"
    return (
        f"a worker ({where}) cannot import what {what} needs: {type(error).__name__}: {error}. "
        f"Install it there, or put its directory on the PYTHONPATH of the workers, which have "
        f"{sys.path}; or define it in the main script, or call "
        "cloudpickle.register_pickle_by_value(module), so that it travels"
    )


class ModelCarrier:
    """A model on its way to the workers. Frozen when made: a changed model needs a new one.

    In this process and in workers forked from it later the model is found by reference. Others read
    it, pickled, from a file of this process; where they cannot, it is sent to them.

    Parameters
    ----------
    model : callable
        The model.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.key = secrets.token_hex(16)
        self.sign = StopSign()
        self._body: bytes | None = None
        self._ticket: Ticket | None = None
        self._owner = 0
        _here[self.key] = model
        weakref.finalize(self, _forget, self.key, self.sign)

    def ticket(self, in_process: bool, with_body: bool = False) -> Ticket:
        """The ticket by which a worker gets the model.

        Raises
        ------
        TypeError
            If the model has to be pickled and cannot be.
        """
        if in_process:
            return Ticket(self.key)
        if self._ticket is None or self._owner != os.getpid():
            self._ticket, self._owner = self._filed(pickled(self.model, "the model")), os.getpid()
        if not with_body:
            return self._ticket
        try:
            body = self._body or _body_at(self._ticket.path, self.key)
        except OSError:
            # Something that clears away temporary files has taken it.
            self._ticket = None
            return self.ticket(in_process, with_body)
        return Ticket(self.key, self._ticket.digest, self._ticket.path, body)

    def _filed(self, body: bytes) -> Ticket:
        """A ticket for a model in a file, behind the stop sign and the key."""
        self._body = path = None
        try:
            self.sign.file = SharedFile(bytes(SIZE), self.key.encode(), body)
            path = self.sign.file.path
        except OSError:
            self._body = body
        return Ticket(self.key, hashlib.sha256(body).hexdigest(), path or "")


def _body_at(path: str, key: str) -> bytes:
    """The pickled model in a file, which follows the stop sign and the key.

    Raises
    ------
    OSError
        If there is none, or it has another key, as on another host.
    """
    with opened(path) as file:
        if file.read(SIZE + len(key))[SIZE:] != key.encode():
            raise FileNotFoundError(path)
        return file.read()


def _forget(key: str, sign: StopSign) -> None:
    _here.pop(key, None)
    sign.close()


def pickled(value: Any, what: str) -> bytes:
    """Something as bytes; lambdas, closures and what a notebook defines included.

    Raises
    ------
    TypeError
        If it cannot be pickled. The message names the attribute at fault.
    """
    try:
        body = dumps(value)
    except Exception as error:
        raise TypeError(
            f"{what} cannot be sent to the workers of the pool: {_culprit(value) or repr(value)} "
            f"cannot be pickled ({error}). Make it in the worker when it is first needed, or run "
            "with pool=None or a thread pool"
        ) from error
    return body


def _culprit(value: Any, depth: int = 3) -> str:
    """The attribute, closure variable or element that cannot be pickled; '' if none is found."""
    for name, part in _parts(value).items():
        try:
            dumps(part)
        except Exception:
            inner = _culprit(part, depth - 1) if depth else ""
            return f"{name}{'.' if inner else ''}{inner or f' of type {type(part).__name__}'}"
    return ""


def _parts(value: Any) -> dict[str, Any]:
    parts = dict(getattr(value, "__dict__", {}))
    if isinstance(value, dict):
        parts.update({str(key): item for key, item in value.items()})
    code, cells = getattr(value, "__code__", None), getattr(value, "__closure__", None)
    if code is not None and cells:
        names = zip(code.co_freevars, cells, strict=True)
        parts.update({name: cell.cell_contents for name, cell in names})
    if code is not None:
        known = value.__globals__
        parts.update({name: known[name] for name in code.co_names if name in known})
    if hasattr(value, "__func__"):
        parts.update({"self": value.__self__})
    return parts
