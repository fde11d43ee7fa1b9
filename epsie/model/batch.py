"""A model that takes many points at once, always asked about the same number of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from epsie.checks import given
from epsie.errors import ModelError, said
from epsie.model.evaluation import Model, Position
from epsie.model.posterior import Posterior
from epsie.process.cancellation import is_interrupt

Columns = Mapping[str, NDArray[Any]]
"""For each name an array with a value for each point along its first axis."""


class VectorizedModelError(ModelError):
    """A model failed that takes many points at once, or returned something else than it may."""

    advice = (
        "with vectorize the model gets an array of values for each parameter and must return "
        "arrays (logl, logp), or (logl, logp, {'name': array}), with one entry for each point and "
        "in their order; one logp may stand for all. For a model of one point leave vectorize out"
    )


class SinglePrecisionError(VectorizedModelError):
    """A vectorised model returned 32-bit numbers."""

    advice = (
        "of a log likelihood of 1000 they leave four digits after the point. With JAX "
        "set jax.config.update('jax_enable_x64', True) in the module that defines the model, as "
        "workers need it too; else compute with float64"
    )


class Batch:
    """A model of many points as one of a single point, and of any number of them.

    Every call has exactly `rows` points; those that are missing repeat the first one. So what is
    said of a point does not depend on how many others there are, as it would in last bits, and a
    compiled model is compiled once.

    Parameters
    ----------
    model : callable
        ``model(**arrays)`` gives ``(logl, logp)`` or ``(logl, logp, blob)``, arrays and a dict of
        arrays; or a `Posterior` whose likelihood takes arrays.
    rows : int
        The number of points of each call.
    """

    def __init__(self, model: Model, rows: int) -> None:
        self.model, self.rows = model, rows
        self._fetched: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def __call__(self, **values: Any) -> tuple[Any, ...]:
        """Its answer at one point: that which was fetched, if it was."""
        answer = self._fetched.get(_key(tuple(values.values())))
        if answer is None:
            (answer,) = self._answers({name: np.array([value]) for name, value in values.items()})
        return answer

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_fetched": {}}

    def emptied(self) -> Batch:
        """One of the same model that has fetched nothing, for a task of its own."""
        return Batch(self.model, self.rows)

    def fetch(self, types: Mapping[str, type], xs: Sequence[Position]) -> None:
        """Ask about positions, at each of which it is going to be called.

        Parameters
        ----------
        types : mapping
            The type of each parameter, in the order of the positions.
        xs : sequence of tuple
            The positions.

        Raises
        ------
        VectorizedModelError
            If the model fails, or its answer is malformed.
        """
        self._fetched = {}
        if xs:
            columns = zip(types.items(), zip(*xs, strict=True), strict=True)
            arrays: dict[str, NDArray[Any]] = {
                name: np.array(column, dtype=kind) for (name, kind), column in columns
            }
            self._fetched = dict(zip(map(_key, xs), self._answers(arrays), strict=True))

    def many(self, columns: Columns) -> tuple[NDArray[Any], NDArray[Any], Columns | None]:
        """Log likelihoods, log prior densities and blobs at points, one array entry for each."""
        n, rows = len(next(iter(columns.values()))), self.rows
        if n == rows:
            return self._called(columns)
        parts = []
        for start in range(0, n, rows):
            part = {name: column[start : start + rows] for name, column in columns.items()}
            missing = rows - min(rows, n - start)
            if missing:
                part = {
                    name: np.concatenate([column, np.repeat(column[:1], missing, axis=0)])
                    for name, column in part.items()
                }
            parts.append(self._called(part))
        if len(parts) == 1:
            logl, logp, blobs = parts[0]
            kept = None if blobs is None else {name: of[:n] for name, of in blobs.items()}
            return logl[:n], logp[:n], kept
        logls, logps, all_blobs = zip(*parts, strict=True)
        joined = _joined([blobs for blobs in all_blobs if blobs is not None], len(parts), n)
        return np.concatenate(logls)[:n], np.concatenate(logps)[:n], joined

    def _called(self, columns: Columns) -> tuple[NDArray[Any], NDArray[Any], Columns | None]:
        """What the model says of exactly as many points as it is always asked about."""
        model: Any = self.model
        try:
            answer = model.many(columns) if isinstance(model, Posterior) else model(**columns)
        except BaseException as error:
            if is_interrupt(error) or isinstance(error, ModelError):
                raise
            text = f"the model raised {said(error)} when it was asked about {self.rows} points"
            raise VectorizedModelError(text) from error
        if not isinstance(answer, tuple | list) or len(answer) not in (2, 3):
            _refuse(f"the model returned {given(answer)} for {self.rows} points")
        logl = self._column("logl", answer[0])
        logp = self._column("logp", answer[1], one_for_all=True)
        return logl, logp, self._blobs(answer[2]) if len(answer) == 3 else None

    def _column(self, name: str, values: Any, one_for_all: bool = False) -> NDArray[np.float64]:
        array = np.asarray(values)
        if array.dtype.char in "ef":
            raise SinglePrecisionError(f"the model returned {name} of type {array.dtype}")
        if array.dtype.kind not in "fiu":
            _refuse(f"the model returned {name} = {given(values)}, which are no real numbers")
        if one_for_all and array.ndim == 0:
            array = np.broadcast_to(array, self.rows)
        if array.shape != (self.rows,):
            _refuse(f"the model returned {name} of shape {array.shape} for {self.rows} points")
        return array.astype(float)

    def _blobs(self, blobs: Any) -> Columns | None:
        if blobs is None:
            return None
        if not isinstance(blobs, Mapping):
            _refuse(f"the model returned a blob that is no dict of arrays: {given(blobs)}")
        columns = {name: np.asarray(values) for name, values in blobs.items()}
        for name, column in columns.items():
            if column.shape[:1] != (self.rows,):
                _refuse(
                    f"the model returned the blob's {name!r} of shape {column.shape} for "
                    f"{self.rows} points"
                )
        return columns

    def _answers(self, columns: Columns) -> Iterator[tuple[Any, ...]]:
        """The answers of a model of one point."""
        logl, logp, blobs = self.many(columns)
        if blobs is None:
            return zip(logl.tolist(), logp.tolist(), strict=True)
        rows = zip(*map(entries, blobs.values()), strict=True)
        each = [dict(zip(blobs, row, strict=True)) for row in rows]
        return zip(logl.tolist(), logp.tolist(), each, strict=True)


def entries(column: NDArray[Any]) -> Sequence[Any]:
    """The entries of an array as a model of one point would give them."""
    plain = column.ndim == 1 and column.dtype in (float, int, bool)
    return column.tolist() if plain else column  # type: ignore[return-value]


def _joined(parts: list[Columns], nparts: int, n: int) -> Columns | None:
    """The blobs of all calls as one."""
    if not parts:
        return None
    if len(parts) < nparts or any(part.keys() != parts[0].keys() for part in parts):
        _refuse("the model returned blobs with other names, or none, in some of its calls")
    return {name: np.concatenate([part[name] for part in parts])[:n] for name in parts[0]}


def _refuse(text: str) -> NoReturn:
    raise VectorizedModelError(text)


def _key(x: Position) -> tuple[Any, ...]:
    """A position as a key, which tells -0.0 from 0.0, as models may."""
    return (*x, *map(str, x)) if 0.0 in x else x


def bare(model: Any) -> Any:
    """The model as it was given."""
    return model.model if isinstance(model, Batch) else model


def asks_prior_first(model: Any) -> bool:
    """Whether its likelihood is asked only where the prior does not vanish."""
    return isinstance(bare(model), Posterior)
