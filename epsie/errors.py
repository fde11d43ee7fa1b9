"""The errors that `epsie` raises beside Python's own."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any, Self


def said(error: BaseException) -> str:
    """The type of an error and what it says, even if it fails to say it."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return f"{type(error).__name__} (that cannot say what it is)"


class EpsieError(RuntimeError):
    """The base class of all errors of a run.

    The sampler is as it was before the call; in a run directory as it was when an iteration was
    made last by all chains.
    """


class StepError(EpsieError):
    """A chain could not make its step.

    Parameters
    ----------
    problem : str
        What went wrong, and what to do.
    where : mapping
        Where it happened: `chain`, `temperature`, `iteration`, positions, settings.
    """

    advice = ""
    """The remedy, where it is the same for all errors of a class."""

    def __init__(self, problem: str, where: Mapping[str, Any] | None = None) -> None:
        self.problem = problem
        self.where = dict(where or {})
        super().__init__(problem, self.where)

    def at(self, where: Mapping[str, Any]) -> Self:
        """The same error, with where it happened."""
        return type(self)(self.problem, {**where, **self.where})

    def __str__(self) -> str:
        problem = f"{self.problem}; {self.advice}" if self.advice else self.problem
        return "\n".join([problem, *(f"  {key}: {value}" for key, value in self.where.items())])


class ModelError(StepError):
    """The model raised, or returned what no sampler can use."""


class ProposalError(StepError):
    """A proposal raised, or gave what is no position or no density."""


class NotReproducibleError(StepError):
    """A chain gave something else when it was repeated: see `verify` of a sampler's `run`."""


class StateError(StepError):
    """Something that evolves while a chain runs is missing from its state."""


class NoLikelihoodError(EpsieError):
    """The likelihood vanishes for all but so small a part of the prior that there is no start."""


class PoolError(EpsieError):
    """The pool failed, not the model: a worker died, or results were lost."""


class WorkersDied(PoolError):
    """Workers died one after the other at the same task."""


class InUseError(EpsieError):
    """A sampler was asked to run or to change while it runs. What runs is not disturbed."""


class CheckpointError(EpsieError, pickle.UnpicklingError):
    """A saved state cannot be read, or not be written.

    It is a `pickle.UnpicklingError` because programs written for states that were pickles take that
    as "use the backup". Nothing is unpickled.
    """


class MalformedStateError(CheckpointError, ValueError):
    """A saved state is as it was written, and is no state that a sampler can go on from."""


class NewerFormatError(CheckpointError):
    """A saved state is whole, and of a format that only a newer epsie reads."""


class RunDirectoryError(EpsieError):
    """A run directory cannot be used: it is no run, another one, in use, or cannot be written."""


class UnreadableError(RunDirectoryError):
    """The system cannot read a file, for now at least."""
