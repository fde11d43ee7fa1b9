"""Calling a model: what it may return, and how everything else is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, NoReturn, TypeAlias

import numpy as np

from epsie.errors import ModelError

Model: TypeAlias = Callable[..., Any]
"""Called as ``model(**parameters)``, returns ``(logl, logp)`` or ``(logl, logp, blob)``."""

Position: TypeAlias = tuple[float, ...]
"""Values in the order of a chain's parameters; Python floats, ints for discrete parameters."""

NanPolicy: TypeAlias = Literal["raise", "reject"]
"""What to do where a model returns NaN or +inf."""

STORABLE = "biufcUS"
"""The kinds of numpy types that a blob's values may have."""

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
    answer = model(**dict(zip(parameters, x)))
    blob: Any = None
    try:
        if len(answer) == 2:
            logl, logp = answer
        else:
            logl, logp, blob = answer
        if logp.__class__ is not float:
            logp = float(logp)
        if logp == -inf:
            return Point(x, -inf, -inf, None)
        if logl.__class__ is not float:
            logl = float(logl)
    except (TypeError, ValueError):
        _refuse_answer(answer)
    # A comparison with NaN is False, so that this one line finds NaN and +inf.
    if not (logl < inf and logp < inf):
        raise NotFiniteError(f"the model returned logl = {logl!r}, logp = {logp!r}")
    if like is None:
        check_first_blob(blob)
    elif blob is not like.blob:
        _check_blob(blob, like.blob)
    return Point(x, logl, logp, blob)


def as_nan_policy(nan: Any) -> NanPolicy:
    """What to do with NaN.

    Raises
    ------
    ValueError
        If it is neither 'raise' nor 'reject'.
    """
    if nan not in ("raise", "reject"):
        raise ValueError(f"nan must be 'raise' or 'reject'; got {nan!r}")
    policy: NanPolicy = nan
    return policy


class NotFiniteError(ModelError):
    """The model returned NaN or +inf where the prior does not vanish."""

    advice = (
        "where the prior does not vanish, logl must be finite or -inf and logp finite. Mend the "
        "model (assign it anew to `sampler.model`), return logp = -inf for positions that are to "
        "be rejected, or ask for nan='reject'"
    )


class BlobTypeError(ModelError, TypeError):
    """The model's blob is no dict of names and values."""


def no_model(**parameters: Any) -> NoReturn:
    """Stands for a model where there is none, as in a chain on its way to a worker."""
    raise RuntimeError("this chain has no model: a worker gives it one")


def model_error(error: Exception, where: Mapping[str, Any]) -> ModelError:
    """An error of a model, or of what it returned, as one that says where it happened."""
    if isinstance(error, ModelError):
        return error.at(where)
    return ModelError(f"the model raised {type(error).__name__}: {error}", where)


def _refuse_answer(answer: Any) -> NoReturn:
    try:
        length = len(answer)
    except TypeError:
        raise ModelError(f"the model returned {_shown(answer)}; {_EXPECTED}") from None
    if length not in (2, 3):
        raise ModelError(f"the model returned {length} values, {_shown(answer)}; {_EXPECTED}")
    raise ModelError(
        f"the model returned {_shown(answer)}; logl and logp must be real numbers (logl may be "
        "None or NaN only where logp is -inf)"
    )


def check_first_blob(blob: Any) -> None:
    """Refuse a blob that is no dict of names and storable values."""
    if blob is None:
        return
    if not isinstance(blob, Mapping):
        raise BlobTypeError(
            f"the model's blob must be a dict of names and values; got {_shown(blob)}. "
            "Return (logl, logp) if there is nothing to add"
        )
    for key, value in blob.items():
        if not isinstance(key, str):
            raise BlobTypeError(f"the keys of the model's blob must be str; got {key!r}")
        check_storable(key, value)


def check_storable(key: str, value: Any) -> None:
    """Refuse a blob's value that has no place in an array.

    Raises
    ------
    ModelError
        If the value is no number, bool, string or array of those.
    """
    try:
        kind = np.asarray(value).dtype.kind
    except ValueError:
        kind = "O"
    if kind not in STORABLE:
        raise ModelError(
            f"the model's blob has {key!r}: {_shown(value)}, which cannot be stored; allowed are "
            "numbers, bools, strings and arrays of a fixed shape (for a missing number use NaN)"
        )


def _check_blob(blob: Any, first: Mapping[str, Any] | None) -> None:
    if first is None:
        raise ModelError(
            f"the model returned a blob, {_shown(blob)}, but none at the start position; "
            "it must always return one, with the same keys, or never"
        )
    if not isinstance(blob, Mapping) or blob.keys() != first.keys():
        got = sorted(blob) if isinstance(blob, Mapping) else _shown(blob)
        raise ModelError(
            f"the model's blob changed: got {got}, at the start it had the keys {sorted(first)}"
        )


def _shown(value: Any, limit: int = 200) -> str:
    text = f"{value!r} of type {type(value).__name__}"
    return text if len(text) <= limit else f"{text[:limit]}..."
