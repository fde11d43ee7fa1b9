"""Two answers of a model about one position compared: of a worker, and of this process."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from math import isfinite
from typing import Any, NamedTuple

from epsie.errors import PoolError
from epsie.execution.repeating import encoded
from epsie.model.evaluation import Point

_CAUSES = (
    "The model depends on something that the workers have not: what the main script sets after "
    "imports (jax.config.update('jax_enable_x64', True), numpy.seterr, variables of modules), "
    "environment variables, the number of threads of linear algebra (BLAS), the type of machine. "
    "Set it inside the model or in the module where it is defined, or in the environment before "
    "Python starts. If the workers are right, give the sampler check_workers=False"
)

_TOLERANCE = 1e-8
"""The relative difference beyond which it is another model."""

_NOTHING = 1e-12
"""An absolute difference that is none of models: what is left where large terms cancel."""


class Difference(NamedTuple):
    """Something that two answers do not have in common."""

    name: str
    was: float
    now: float

    @property
    def is_rounding(self) -> bool:
        """Whether it is one of last bits."""
        largest = max(abs(self.was), abs(self.now))
        allowed = max(_NOTHING, _TOLERANCE * largest)
        return isfinite(largest) and abs(self.was - self.now) <= allowed


def differences(was: Point, now: Point) -> Iterator[Difference]:
    """In what two answers differ, of log likelihood and log prior."""
    for name in ("logl", "logp"):
        difference = Difference(name, getattr(was, name), getattr(now, name))
        if difference.was != difference.now:
            yield difference


def refuse_other_answer(there: Point | None, here: Point | None) -> None:
    """Compare what a worker and this process say of a position.

    Parameters
    ----------
    there, here : Point or None
        Their answers; None if the model gave NaN.

    Raises
    ------
    PoolError
        If they differ by more than rounding. Other last bits warn, and other blobs.
    """
    if there is None or here is None:
        if there is not here:
            which = "a worker" if there is None else "this process"
            raise PoolError(f"the model gives NaN or +inf in {which} alone. {_CAUSES}")
        return
    for found in differences(there, here):
        text = f"{found.name} is {found.was!r} in a worker and {found.now!r} in this process"
        if not found.is_rounding:
            raise PoolError(f"at {here.x} {text}. {_CAUSES}")
        _warn(f"{text}: they differ in their last bits, so samples depend on the pool")
    if encoded(there.blob) != encoded(here.blob):
        _warn(f"the blob is {there.blob} in a worker and {here.blob} in this process")


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=2)


def first_point(result: Any) -> Point | None:
    """The first point of what chains answer that are asked about positions."""
    points = result[0] if isinstance(result, tuple) else result
    point: Point | None = points[0]
    return point
