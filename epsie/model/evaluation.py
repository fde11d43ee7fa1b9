"""Calling a model: what it may return, and how everything else is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, NoReturn, TypeAlias

import numpy as np

from epsie.checks import given
from epsie.errors import ModelError, said
from epsie.model.blob import first_blob, next_blob
from epsie.process.cancellation import is_interrupt

Model: TypeAlias = Callable[..., Any]
"""Called as ``model(**parameters)``, returns ``(logl, logp)`` or ``(logl, logp, blob)``."""

Position: TypeAlias = tuple[float, ...]
"""Values in the order of a chain's parameters; Python floats, ints for discrete parameters."""

NanPolicy: TypeAlias = Literal["raise", "reject"]
"""The policy where a model returns NaN or +inf."""

_EXPECTED = "it must return (logl, logp) or (logl, logp, blob)"


@dataclass(slots=True)
class Point:
    """A position, and what the model said of it. Never changed once made.

    It is what is proposed, accepted, swapped and stored.

    Parameters
    ----------
    x : tuple of float
        The position.
    logl, logp : float
        Natural logarithms of the likelihood and of the prior density.
    blob : mapping, optional
        What else the model returned.
    """

    x: Position
    logl: float
    logp: float
    blob: Mapping[str, Any] | None

    def __reduce__(self) -> tuple[type[Point], tuple[Any, ...]]:
        # Half the time and three quarters of the bytes of what dataclasses do.
        return Point, (self.x, self.logl, self.logp, self.blob)


def evaluate(model: Model, parameters: Sequence[str], x: Position, like: Point | None) -> Point:
    """The point at `x`.

    Parameters
    ----------
    model : callable
        The model.
    parameters : sequence of str
        The names that go with `x`.
    x : tuple of float
        The position.
    like : Point or None
        A point of the same chain, whose blob has the keys that every blob must have. None at the
        start, which decides whether there are blobs and with which keys.

    Raises
    ------
    ModelError
        If the model returned something else than it may. Where the prior vanishes (logp = -inf)
        `logl` and the blob are not looked at; elsewhere NaN and +inf are refused.
    """
    answer: Any = None
    blob: Any = None
    try:
        answer = model(**dict(zip(parameters, x)))
    except BaseException as error:
        if instead := _instead(error, parameters):
            raise instead from error
        raise
    try:
        answer = answer if answer.__class__ is tuple else _in_order(answer)
        if len(answer) == 2:
            logl, logp = answer
        else:
            logl, logp, blob = answer
        if logp.__class__ is not float:
            logp = float(logp) if logp.__class__ in REAL else _as_float(logp)
        if logp == -inf:
            return Point(x, -inf, -inf, None)
        if logl.__class__ is not float:
            logl = float(logl) if logl.__class__ in REAL else _as_float(logl)
    except (TypeError, ValueError):
        _refuse_answer(answer)
    # A comparison with NaN is False, so that this one line finds NaN and +inf.
    if not (logl < inf and logp < inf):
        raise NotFiniteError(f"the model returned logl = {logl!r}, logp = {logp!r}")
    if like is None or blob is not like.blob:
        blob = first_blob(blob) if like is None else next_blob(blob, like.blob)
    return Point(x, logl, logp, blob)


def in_one_order(points: Sequence[Point]) -> list[Point]:
    """Points of several starts, with their blobs' keys in the order of the first one's.

    Raises
    ------
    ModelError
        If the blobs have other keys, or some points have none.
    """
    first, *others = points
    made = [first]
    for point in others:
        blob = point.blob
        if blob is not first.blob:
            blob = next_blob(blob, first.blob)
        made.append(Point(point.x, point.logl, point.logp, blob))
    return made


def as_nan_policy(nan: Any) -> NanPolicy:
    """A policy for NaN, checked.

    Raises
    ------
    ValueError
        If it is neither 'raise' nor 'reject'.
    """
    if nan not in ("raise", "reject"):
        raise ValueError(f"nan must be 'raise' or 'reject'; got {nan!r}")
    return "raise" if nan == "raise" else "reject"


class NotFiniteError(ModelError):
    """The model returned NaN or +inf where the prior does not vanish."""

    advice = (
        "where the prior does not vanish, logl must be finite or -inf, and logp finite. To reject "
        "a position return -inf there, from a likelihood or, from a model, as logp. Assign what is "
        "mended to `sampler.model`, or make the sampler with nan='reject'"
    )


def no_model(**parameters: Any) -> NoReturn:
    """Stands for a model where there is none, as in a chain on its way to a worker."""
    raise RuntimeError("this chain has no model: a worker gives it one")


def model_error(error: BaseException, where: Mapping[str, Any]) -> ModelError:
    """An error of a model, or of what it returned, as one that says where it happened."""
    if isinstance(error, ModelError) and type(error).__module__.startswith("epsie."):
        return error.at(where)
    text = f"the model raised {said(error)}"
    if isinstance(error, TypeError | AttributeError) and re.search("'(float|int)'", str(error)):
        text += ". Parameters reach it one by one, by name, each a number, and not as an array"
    return ModelError(text, where)


class CalledByNameError(ModelError):
    """The model does not take the parameters by name."""

    advice = (
        "models are called by name, with a keyword for each parameter: define it as "
        "def model(x, y) with the parameters' names, or as def model(**parameters)"
    )


def _instead(error: BaseException, parameters: Sequence[str]) -> ModelError | None:
    """The error to raise instead of what a model raised; None to let it pass."""
    if is_interrupt(error):
        return None
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if isinstance(error, TypeError) and trace and trace.tb_frame.f_code is evaluate.__code__:
        # It did not even begin.
        text = f"the model was called with {', '.join(map(repr, parameters))}: {said(error)}"
        if any(len(name.replace(",", " ").split()) > 1 for name in parameters):
            text += ". Several parameters are a list of names, as ['x', 'y']"
        return CalledByNameError(text)
    return None if isinstance(error, Exception) else model_error(error, {})


def _in_order(answer: Any) -> tuple[Any, ...]:
    """An answer that is no tuple as one.

    Raises
    ------
    TypeError
        If it has no order, or is no sequence of values.
    """
    if isinstance(answer, Set | Mapping | str | bytes) or not hasattr(answer, "__len__"):
        raise TypeError
    return tuple(answer)


def _as_float(value: Any) -> float:
    """A real number as a Python float, which no array that the model updates can change.

    Raises
    ------
    TypeError, ValueError
        If it is none. A string that reads like one is none, and of a complex one half would be
        lost.
    """
    kind: str = getattr(getattr(value, "dtype", None), "kind", "")
    if isinstance(value, str | bytes | bytearray) or kind in tuple("SUc"):
        raise TypeError
    number: Any = value.item() if kind == "O" else value
    return float(number)


REAL: frozenset[Any] = frozenset({float, int, np.float64, np.float32, np.int64})


def _refuse_answer(answer: Any) -> NoReturn:
    try:
        length = len(answer)
    except TypeError:
        raise ModelError(f"the model returned {given(answer)}; {_EXPECTED}") from None
    if length not in (2, 3):
        raise ModelError(f"the model returned {length} values, {given(answer)}; {_EXPECTED}")
    raise ModelError(
        f"the model returned {given(answer)}; logl and logp must be real numbers (logl may be "
        "None or NaN only where logp is -inf)"
    )
