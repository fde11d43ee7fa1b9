"""Running in a directory: rounds, saves, and signals."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from epsie.checks import as_count
from epsie.errors import RunDirectoryError
from epsie.execution.verification import Verifier
from epsie.logs import logger
from epsie.process.signals import interrupt_deferred
from epsie.proposals.base import BaseProposal
from epsie.running.interrupts import Interrupts
from epsie.running.logged import logged_run
from epsie.running.modelcheck import check_model
from epsie.running.progress import Progress, next_length
from epsie.running.recorder import Recorder
from epsie.running.standing import examine, listing
from epsie.storage.files import resolved
from epsie.storage.rundir.folder import RUN, refuse_strangers
from epsie.storage.rundir.lock import locked
from epsie.storage.rundir.manifest import (
    describe,
    differences,
    read_manifest,
    rebuilt,
    refuse_differences,
    refuse_other_size,
)
from epsie.storage.rundir.segments import bytes_per_iteration
from epsie.storage.rundir.states import last_state

_SECONDS = {"s": 1, "min": 60, "h": 3600}

_UNSAVED = 16 * 2**20
"""Bytes of what is not saved yet: more are saved even if it is not time to."""


@dataclass(frozen=True)
class Recording:
    """Where and how a sampler saves its runs.

    Parameters
    ----------
    directory : Path
        The run directory, wherever the process is.
    named : Path
        What it was called when it was named.
    every : int or str, optional
        Save every so many iterations, or every so much time, as '60s', '10min', '1h'.
    thin : int, optional
        Keep every so many-th iteration.
    keep : bool, optional
        Whether the history stays in memory too.
    grace : float, optional
        Seconds that a round may take to end when the run is asked to stop.
    run : str, optional
        The id of the run that is there, once it was begun or taken up.
    """

    directory: Path
    named: Path
    every: int | str = "60s"
    thin: int | None = None
    keep: bool = False
    grace: float = 10.0
    run: str | None = None

    round_seconds = 1.0
    """How long a round should take: signals are heeded in between."""

    @property
    def due(self) -> tuple[int | None, float | None]:
        """The iterations, or else the seconds, from one save to the next.

        Raises
        ------
        ValueError
            If `every` is not positive, or no time.
        """
        if not isinstance(self.every, str):
            return as_count(self.every, "every"), None
        match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*(s|min|h)\s*", self.every)
        seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
        if seconds <= 0:
            raise ValueError(
                "every must be a positive number of iterations, or a time as '60s', '10min' or "
                f"'1h'; got {self.every!r}"
            )
        return None, seconds


def recording_of(former: Recording | None, directory: Any, **given: Any) -> Recording | None:
    """The recording that a call of `run` asks for; None for none.

    Raises
    ------
    ValueError
        If settings are given without a directory, or are out of range.
    """
    settings = {name: value for name, value in given.items() if value is not None}
    if directory is None and former is None:
        if settings:
            raise ValueError(f"{', '.join(settings)} needs a directory: run(..., directory='run')")
        return None
    made = former
    if made is None or (directory is not None and Path(directory) != made.named):
        place = resolved(directory)
        if made is None or place != made.directory:
            made = Recording(place, Path(directory))
    made = replace(made, **settings)
    if made.thin is not None:
        as_count(made.thin, "thin")
    assert made.due
    return made


def record(
    sampler: Any,
    recording: Recording,
    niterations: int | None,
    total: int | None,
    progress: bool,
    until: Any = None,
    verifier: Verifier | None = None,
) -> None:
    """Run a sampler in its directory: `niterations` further, or up to `total`; or `until`.

    Raises
    ------
    RunDirectoryError
        If the directory cannot be used, or not be written.
    KeyboardInterrupt, SystemExit
        After SIGINT, SIGTERM; what was done is saved.
    """
    directory = recording.directory
    asked = (sampler, directory, recording.thin, total is not None, recording.run)
    standing = examine(*asked)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunDirectoryError(f"{directory} cannot be made: {error}") from error
    upto = sampler.niterations + niterations if niterations is not None else total
    with locked(directory, upto) as lock, Interrupts(recording.grace) as interrupts:
        if listing(directory) != standing.listing:
            standing = examine(*asked, mine=True)
        recorder = Recorder(sampler, lock, standing, recording.thin)
        recorder.remember(recording.every)
        sampler._recording = replace(recording, run=recorder.folder.run)
        left = niterations if total is None else max(0, total - sampler.niterations)
        assert left is not None
        left = max(left, recorder.reported - recorder.saved)
        stopper = sampler._stopper(until)
        with logged_run(sampler, left, stopper):
            shown = Progress(progress, stopper)
            try:
                _Rounds(recorder, recording, interrupts, shown, verifier).make(left)
            finally:
                recorder.settle()
    interrupts.end(
        f"stopped at iteration {recorder.saved}; saved in {directory}. To go on: "
        f"{type(sampler).__name__}.resume({str(directory)!r}, model)"
    )


@dataclass
class _Rounds:
    """The rounds of a run in a directory: what is not saved yet is bounded, and signals heeded."""

    recorder: Recorder
    recording: Recording
    interrupts: Interrupts
    progress: Progress
    verifier: Verifier | None

    def make(self, left: int) -> None:
        """Make so many iterations, in rounds, and save now and then."""
        recorder, interrupts, progress = self.recorder, self.interrupts, self.progress
        sampler = recorder.sampler
        iterations, seconds = self.recording.due
        most = min(iterations or _UNSAVED, max(1, _UNSAVED // bytes_per_iteration(sampler)))
        most = max(most, recorder.reported - recorder.saved)
        length, saved_at = 1, time.monotonic()
        with progress.showing(left):
            while left and interrupts.stop is None and not progress.ended:
                if recorder.saved == sampler.niterations and not self.recording.keep:
                    sampler.clear()
                pending = sampler.niterations - recorder.saved
                length = int(min(length, left, most - pending, progress.room))
                done, length = self._round(length)
                left -= done
                pending += done
                due = pending == most or (
                    seconds is not None and time.monotonic() - saved_at >= seconds
                )
                asked = interrupts.save or interrupts.stop is not None
                if due or not left or progress.ended or asked:
                    interrupts.save = False
                    recorder.save()
                    saved_at = time.monotonic()

    def _round(self, length: int) -> tuple[int, int]:
        """Let the sampler make a round; how many iterations it made, and how many next time."""
        recorder, interrupts = self.recorder, self.interrupts
        sampler = recorder.sampler
        started = time.perf_counter()
        try:
            with interrupts.cuttable():
                segments = sampler._advanced(length, Progress(), self.verifier)
            with interrupt_deferred():
                sampler._attach(segments)
            self.progress.saw([segment for (segment,) in segments])
        except BaseException as error:
            recorder.save()
            if isinstance(error, KeyboardInterrupt) and interrupts.stop is not None:
                return 0, length
            error.add_note(f"The run in {recorder.directory} is saved up to {recorder.saved}")
            raise
        elapsed = time.perf_counter() - started
        return length, next_length(length, elapsed, self.recording.round_seconds, sampler.nchains)


def resumed(
    cls: Any,
    directory: Any,
    model: Any,
    pool: Any,
    proposals: BaseProposal | Iterable[BaseProposal] | None,
    annealer: Any,
) -> Any:
    """A sampler that goes on with the run in a directory.

    Raises
    ------
    RunDirectoryError
        If there is no run, it is of another sampler, or the model gives other values.
    """
    named, directory = Path(directory), resolved(directory)
    manifest = read_manifest(directory)
    run = manifest.get(RUN)
    refuse_strangers(directory, run)
    _, state = last_state(directory, run)
    refuse_other_size(directory, manifest, state)
    sampler = rebuilt(manifest, cls, model, pool, proposals, annealer)
    fresh = manifest["start"] == 0
    refuse_differences(directory, differences(manifest, describe(sampler), fresh, seed=True))
    sampler._take_up(state)
    check_model(sampler)
    every = manifest.get("every", "60s")
    sampler._recording = Recording(directory, named, every=every, run=run)
    logger.info("resumed %s at iteration %d", directory, sampler.niterations)
    return sampler
