"""A run in a directory: rounds, saves, and signals."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from epsie.checks import as_path
from epsie.errors import RunDirectoryError
from epsie.execution.repeating import Verifier
from epsie.logs import logger
from epsie.process.signals import interrupt_deferred
from epsie.proposals.base import BaseProposal
from epsie.running.annealed_start import finish_annealed_start
from epsie.running.attaching import advanced, attach
from epsie.running.ending import Limits
from epsie.running.existing import examine, listing
from epsie.running.interrupts import Interrupts
from epsie.running.points import check_model, take_up
from epsie.running.progress import Progress, logged_run, next_length
from epsie.running.sampler import RunnableSampler
from epsie.running.saving import SaveTo, Saving
from epsie.running.writer import Writer
from epsie.storage.files import resolved
from epsie.storage.rundir.folder import RUN, refuse_strangers
from epsie.storage.rundir.lock import locked
from epsie.storage.rundir.manifest import (
    describe,
    differences,
    read_manifest,
    refuse_differences,
    refuse_other_state,
)
from epsie.storage.rundir.rebuilding import rebuilt
from epsie.storage.rundir.segments import bytes_per_iteration
from epsie.storage.rundir.states import last_state

_UNSAVED = 16 * 2**20
"""Bytes of what is not saved yet: more are saved even if it is not time to."""


def saved_run(
    sampler: RunnableSampler,
    saving: Saving,
    niterations: int,
    total: int | None,
    progress: bool,
    limits: Limits,
    verifier: Verifier | None,
) -> None:
    """Run a sampler in its directory: up to `total` if given, else `niterations` further; or less.

    Raises
    ------
    RunDirectoryError
        If the directory cannot be used, or not be written.
    KeyboardInterrupt, SystemExit
        After SIGINT, and after SIGTERM or what else ends a process; what was done is saved.
    """
    directory, save = saving.directory, saving.save
    asked = (sampler, directory, save.thin, total is not None, saving.run)
    standing = examine(*asked)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunDirectoryError(f"{directory} cannot be made: {error}") from error
    upto = sampler.niterations + niterations if total is None else total
    with Interrupts(save.grace) as interrupts, locked(directory, upto) as lock:
        if listing(directory) != standing.listing:
            standing = examine(*asked, mine=True)
        writer = Writer(sampler, lock, standing, save.thin)
        writer.remember(save.every)
        interrupts.begun()
        sampler._saving = replace(saving, run=writer.folder.run)
        left = niterations if total is None else max(0, total - sampler.niterations)
        left = max(left, writer.reported - writer.saved)
        ends = limits.ends(sampler)
        with logged_run(sampler, left, ends):
            shown = Progress(progress, ends)
            try:
                _Rounds(writer, save, interrupts, shown, verifier).make(left)
            finally:
                writer.settle()
    interrupts.end(
        f"stopped at iteration {writer.saved}; saved in {directory}. To go on: "
        f"{type(sampler).__name__}.resume({str(directory)!r}, model)"
    )


@dataclass
class _Rounds:
    """The rounds of a run in a directory: what is not saved yet is bounded, and signals heeded."""

    writer: Writer
    save: SaveTo
    interrupts: Interrupts
    progress: Progress
    verifier: Verifier | None

    def make(self, left: int) -> None:
        """Make so many iterations, in rounds, and save now and then."""
        writer, interrupts, progress = self.writer, self.interrupts, self.progress
        sampler = writer.sampler
        iterations, seconds = self.save.due
        most = max(1, _UNSAVED // bytes_per_iteration(sampler))
        most = min(iterations or most, most)
        most = max(most, writer.reported - writer.saved)
        length, saved_at = 1, time.monotonic()
        if not self._begin():
            return
        with progress.showing(left):
            while left and interrupts.stop is None and not progress.ended:
                if writer.saved == sampler.niterations and not self.save.keep:
                    sampler.clear()
                pending = sampler.niterations - writer.saved
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
                    writer.save()
                    saved_at = time.monotonic()

    def _begin(self) -> bool:
        """Let the sampler finish its annealed start, if it has one; whether it has."""
        writer, interrupts = self.writer, self.interrupts
        annealed = writer.sampler.annealed
        if annealed is None or annealed.done:
            return True
        asked = (self.progress, writer.save_start, lambda: interrupts.stop is not None)
        try:
            with interrupts.cuttable():
                done = finish_annealed_start(writer.sampler, *asked)
        except BaseException as error:
            writer.save_start()
            if isinstance(error, KeyboardInterrupt) and interrupts.stop is not None:
                return False
            error.add_note(f"The annealed start in {writer.directory} is saved as far as it came")
            raise
        if not done:
            writer.save_start()
        return done

    def _round(self, length: int) -> tuple[int, int]:
        """Let the sampler make a round; how many iterations it made, and how many next time."""
        writer, interrupts = self.writer, self.interrupts
        sampler = writer.sampler
        started = time.perf_counter()
        try:
            with interrupts.cuttable():
                advance = advanced(sampler, length, Progress(), self.verifier)
            with interrupt_deferred():
                attach(sampler, advance)
            for stretch in zip(*advance.segments, strict=True):
                self.progress.saw(stretch)
        except BaseException as error:
            writer.save()
            if isinstance(error, KeyboardInterrupt) and interrupts.stop is not None:
                return 0, length
            error.add_note(f"The run in {writer.directory} is saved up to {writer.saved}")
            raise
        elapsed = time.perf_counter() - started
        return length, next_length(length, elapsed, self.save.round_seconds, sampler.nchains)


def resumed(
    cls: Any,
    directory: Any,
    model: Any,
    pool: Any,
    check_workers: bool,
    proposals: BaseProposal | Iterable[BaseProposal] | None,
    annealer: Any,
) -> Any:
    """A sampler that goes on with the run in a directory.

    Raises
    ------
    RunDirectoryError
        If there is no run, it is of another sampler, or the model gives other values.
    """
    named, directory = as_path(directory), resolved(directory)
    manifest = read_manifest(directory)
    run = manifest.get(RUN)
    refuse_strangers(directory, run)
    _, state = last_state(directory, run)
    refuse_other_state(directory, manifest, state)
    sampler = rebuilt(manifest, cls, model, pool, proposals, annealer)
    sampler._executor.check_workers = check_workers
    fresh = manifest["start"] == 0
    refuse_differences(directory, differences(manifest, describe(sampler), fresh, seed=True))
    take_up(sampler, state)
    check_model(sampler)
    save = SaveTo(named, every=manifest.get("every", "60s"))
    sampler._saving = Saving(save, directory, run)
    logger.info("resumed %s at iteration %d", directory, sampler.niterations)
    return sampler
