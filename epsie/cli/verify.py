"""The command `verify`: whether a run on disk is whole, and can be gone on with."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from epsie.errors import CheckpointError, EpsieError, RunDirectoryError
from epsie.samplers.mhsampler import MetropolisHastingsSampler
from epsie.samplers.ptsampler import ParallelTemperedSampler
from epsie.storage.rundir.folder import strangers
from epsie.storage.rundir.manifest import rebuilt, unknown_parts
from epsie.storage.rundir.saved import Saved
from epsie.storage.rundir.segments import TABLES, Content, Segment, all_segments
from epsie.storage.rundir.states import last_state, read_state, saved_iterations, state_path


def problems(directory: Path) -> Iterator[str]:
    """The problems of a run, one line each; none if it is whole.

    Every file is read and its checksum compared; the segments must follow each other from the start
    to the last state, and hold what they should; a sampler must take up the last state.
    """
    try:
        run = Saved(directory)
    except EpsieError as error:
        yield _line(error)
        return
    for path in strangers(directory, run.run):
        yield f"{path} is not of this run: move it away"
    for iteration in saved_iterations(directory):
        try:
            read_state(state_path(directory, iteration), run.run)
        except FileNotFoundError:
            pass  # a newer one was written meanwhile
        except (CheckpointError, RunDirectoryError) as error:
            yield _line(error)
    yield from _segments(run)
    yield from _resumability(run)


def _line(error: BaseException) -> str:
    return " ".join(str(error.args[0] if error.args else error).split())


def _segments(run: Saved) -> Iterator[str]:
    """The problems of its segments."""
    at = run.start
    while at < run.niterations:
        try:
            content = run.content(at)
        except (CheckpointError, RunDirectoryError, FileNotFoundError) as error:
            yield _line(error)
            at = _next(run, at)
            continue
        yield from _contents(content, run)
        at = content["stop"]


def _next(run: Saved, at: int) -> int:
    """The iteration to go on from after a segment that is missing or damaged."""
    there: list[Segment] = all_segments(run.directory)
    ends = [segment.stop for segment in there if segment.start <= at < segment.stop]
    starts = [segment.start for segment in there if segment.start > at]
    return max(ends, default=min(starts, default=run.niterations))


def _contents(content: Content, run: Saved) -> Iterator[str]:
    """The problems of a segment that can be read."""
    start, stop, thin = content["start"], content["stop"], run.settings["thin"]
    shape = (*run.places, stop // thin - start // thin)
    for name in TABLES:
        table = content.get(name)
        if table is None and name == "blobs":
            continue
        found = None if table is None else table.shape[: len(shape)]
        if found != shape:
            yield f"iterations {start} to {stop} have {name} of shape {found} instead of {shape}"


def _resumability(run: Saved) -> Iterator[str]:
    """The reasons why a sampler cannot take up the last state."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damage was told of above
            iteration, state = last_state(run.directory, run.run)
    except EpsieError as error:
        yield f"it cannot be resumed: {_line(error)}"
        return
    if iteration < run.niterations:
        yield f"it can be resumed from iteration {iteration} only"
    manifest = run.settings
    if unknown_parts(manifest):
        return
    classes: Any = {cls.name: cls for cls in (MetropolisHastingsSampler, ParallelTemperedSampler)}
    try:
        made = rebuilt(manifest, classes[manifest["sampler"]], _no_model, None, None, None)
        made._take_up(state)
    except (EpsieError, ValueError, KeyError, TypeError) as error:
        yield f"it cannot be resumed: {_line(error)}"


def _no_model(**x: float) -> tuple[float, float]:
    raise AssertionError("no model is asked")
