"""The command `verify`: whether a run on disk is whole, and can be resumed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from epsie.errors import CheckpointError, EpsieError
from epsie.model.plain_prior import prior_of, unwritten
from epsie.model.posterior import Posterior
from epsie.running.points import take_up
from epsie.samplers.ensemble import EnsembleSampler
from epsie.samplers.mhsampler import MetropolisHastingsSampler
from epsie.samplers.ptsampler import ParallelTemperedSampler
from epsie.storage.rundir.folder import strangers
from epsie.storage.rundir.manifest import (
    APART,
    Manifest,
    describe,
    differences,
    refuse_differences,
    refuse_other_state,
    unknown_parts,
)
from epsie.storage.rundir.rebuilding import rebuilt
from epsie.storage.rundir.segments import SegmentFile, all_segments
from epsie.storage.rundir.source import DirectorySource
from epsie.storage.rundir.states import read_state, saved_iterations, state_path


def problems(directory: Path) -> Iterator[str]:
    """The problems of a run, one line each; none if it is whole.

    Every file is read and its checksum compared; the segments must follow each other from the start
    to the last state, and hold what they should; a sampler must take up each state.
    """
    try:
        run = DirectorySource(directory)
        foreign, saved = strangers(directory, run.run), saved_iterations(directory)
    except EpsieError as error:
        yield _line(error)
        return
    for path in foreign:
        yield f"{path} is not of this run: move it away"
    states = []
    for iteration in saved:
        try:
            state = read_state(state_path(directory, iteration), run.run)
            refuse_other_state(directory, run.settings, state)
            states.append((iteration, state))
        except FileNotFoundError:
            pass  # a newer one was written meanwhile
        except EpsieError as error:
            yield _line(error)
    yield from _prior(run)
    yield from _segments(run)
    yield from _resumability(run, states)


def _line(error: BaseException) -> str:
    return " ".join(str(error.args[0] if error.args else error).split())


def _prior(run: DirectorySource) -> Iterator[str]:
    """The problem of its prior, if it is one that is written down whole."""
    described = run.settings.get("prior")
    if described is not None and not unwritten(described):
        try:
            prior_of(run.settings)
        except ValueError as error:
            yield _line(error)


def _segments(run: DirectorySource) -> Iterator[str]:
    """The problems of its segments."""
    at, blobs = run.start, set()
    while at < run.niterations:
        try:
            content = run.content(at)
        except (EpsieError, FileNotFoundError) as error:
            yield _line(error)
            at = _next(run, at)
            continue
        found = content["blobs"]
        blobs.add(None if found is None else found.dtype.names)
        at = content["stop"]
    if len(blobs) > 1:
        yield f"its segments have blobs of several kinds: {blobs}"


def _next(run: DirectorySource, at: int) -> int:
    """The iteration to go on from after a segment that is missing or damaged."""
    there: list[SegmentFile] = all_segments(run.directory)
    ends = [segment.stop for segment in there if segment.start <= at < segment.stop]
    starts = [segment.start for segment in there if segment.start > at]
    return max(ends, default=min(starts, default=run.niterations))


def _resumability(run: DirectorySource, states: list[tuple[int, Any]]) -> Iterator[str]:
    """The reasons why a sampler cannot take up the states."""
    if not states:
        yield "it cannot be resumed: it has no state that can be read"
    elif states[-1][0] < run.niterations:
        yield f"it can be resumed from iteration {states[-1][0]} only"
    settings = run.settings
    if unknown_parts(settings) or not states or APART in settings:
        return
    kinds: Any = (MetropolisHastingsSampler, ParallelTemperedSampler, EnsembleSampler)
    classes = {cls.name: cls for cls in kinds}
    try:
        model = _UnaskedPosterior(settings, states[-1][1]) if "prior" in settings else _no_model
        made = rebuilt(settings, classes[settings["sampler"]], model, None, None, None)
        fresh = settings["start"] == 0
        refuse_differences(run.directory, differences(settings, describe(made), fresh, seed=True))
    except (EpsieError, ValueError, TypeError) as error:
        yield f"it cannot be resumed: {_line(error)}"
        return
    for iteration, state in states:
        try:
            take_up(made, state)
        except EpsieError as error:
            yield f"it cannot be resumed from iteration {iteration}: {_line(error)}"


def _no_model(**x: float) -> tuple[float, float]:
    raise AssertionError("no model is asked")


class _UnaskedPosterior(Posterior):
    """What a sampler needs to know of a run's posterior to take up a state; nothing is asked."""

    def __init__(self, settings: Manifest, state: Any) -> None:
        try:
            at = next(iter(state.values()))
            at = at.get(0, at)["current_position"]
            kinds = {
                name: "integer" if type(at[name]) is int else "real"
                for name in settings["parameters"]
            }
        except (AttributeError, KeyError, TypeError) as error:
            raise CheckpointError("its state has no positions of its parameters") from error
        known = {"parameters": tuple(settings["parameters"]), "kinds": kinds}
        self.prior: Any = SimpleNamespace(**known, labels={}, described=lambda: settings["prior"])
