"""Saving a run: the directory that a sampler writes to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from epsie.chain.start import NO_START
from epsie.errors import RunDirectoryError
from epsie.logs import logger
from epsie.running.modelcheck import check_model
from epsie.storage.files import remove_unfinished, write_file
from epsie.storage.rundir import holder
from epsie.storage.rundir.lock import Lock
from epsie.storage.rundir.manifest import (
    NAME,
    Manifest,
    describe,
    differences,
    read_manifest,
    refuse_differences,
    with_history,
)
from epsie.storage.rundir.segments import gathered, merge_small, remove_leftovers, segment_path
from epsie.storage.rundir.states import last_state, saved_iterations, write_state
from epsie.storage.statetree import encode


class Recorder:
    """Writes what a sampler does to a directory.

    Parameters
    ----------
    sampler : BaseSampler
        The sampler.
    directory : Path
        The directory; it exists.
    lock : Lock
        Its lock.
    thin : int or None
        Keep every so many-th iteration; None: as the directory does, or all.
    adopt : bool
        Whether a sampler that has made no step takes over the state of the directory.

    Raises
    ------
    RunDirectoryError
        If the directory holds something else, or a run that is not this sampler's.
    """

    def __init__(
        self, sampler: Any, directory: Path, lock: Lock, thin: int | None, adopt: bool
    ) -> None:
        self.sampler = sampler
        self.lock = lock
        self.directory = directory
        if (directory / NAME).exists():
            self.manifest = read_manifest(directory)
            self._go_on(adopt)
        else:
            self.manifest = self._begin(thin or 1)
        if thin is not None and thin != self.manifest["thin"]:
            raise RunDirectoryError(
                f"the run in {directory} keeps every {self.manifest['thin']}-th iteration; it "
                f"cannot change to {thin}"
            )
        self.saved: int = sampler.niterations

    def remember(self, every: int | str) -> None:
        """Note how often to save, for `resume`."""
        if self.manifest.get("every") != every:
            self.manifest["every"] = every
            write_file(self.directory / NAME, encode(self.manifest))

    def _begin(self, thin: int) -> Manifest:
        """Make the directory one of a run."""
        sampler, directory = self.sampler, self.directory
        remove_unfinished(directory)
        others = sorted({path.name for path in directory.iterdir()} - {holder.NAME})
        if [name for name in others if not name.startswith("state-")]:
            raise RunDirectoryError(
                f"{directory} exists but holds no run: it has {', '.join(others[:5])}"
            )
        for name in others:
            (directory / name).unlink()
        sampler._renew()
        start = sampler.niterations
        manifest = with_history(describe(sampler), start, thin)
        # With the manifest it becomes a run, so that comes last.
        write_state(directory, start, sampler.state)
        write_file(directory / NAME, encode(manifest))
        return manifest

    def _go_on(self, adopt: bool) -> None:
        """Make sure that the sampler stands where the run was saved."""
        sampler, directory = self.sampler, self.directory
        fresh = sampler.niterations == 0
        seed = fresh and sampler._seed_given
        found = differences(self.manifest, describe(sampler), fresh, seed)
        refuse_differences(directory, found)
        iteration, state = last_state(directory)
        remove_leftovers(directory, self.manifest["start"], iteration)
        remove_unfinished(directory)
        if sampler._has_start and encode(sampler.state) == encode(state):
            if sampler._is_stale:
                check_model(sampler)
            return
        if not (adopt and fresh):
            raise RunDirectoryError(
                f"the run in {directory} was saved at iteration {iteration}, and this sampler, at "
                f"{sampler.niterations}, is not where it was then. Go on with "
                f"{type(sampler).__name__}.resume, or with run(total=...), or choose another "
                "directory"
            )
        sampler._take_up(state)
        sampler.seed = self.manifest["seed"]
        check_model(sampler)
        logger.info("going on in %s from iteration %d", directory, iteration)

    def save(self) -> None:
        """Save all iterations since the last time: first what was visited, then the state.

        Raises
        ------
        RunDirectoryError
            If it cannot be written. The sampler is back where it was saved last.
        """
        sampler, directory = self.sampler, self.directory
        stop = sampler.niterations
        if stop == self.saved:
            return
        self.lock.check()
        try:
            content = gathered(sampler, stop - self.saved, self.manifest["thin"])
            write_file(segment_path(directory, self.saved, stop), encode(content, stop))
            write_state(directory, stop, sampler.state)
        except BaseException as error:
            self._roll_back()
            error.add_note(f"The run in {directory} is saved up to iteration {self.saved}")
            raise
        self.saved = stop
        logger.debug("saved iteration %d in %s", stop, directory)
        before = saved_iterations(directory)[0]
        merge_small(directory, before)

    def _roll_back(self) -> None:
        self.saved, state = last_state(self.directory)
        self.sampler.set_state(state)


def starting(sampler: Any, directory: Path) -> None:
    """Refuse a directory before anything is written to it.

    Raises
    ------
    ValueError
        If a new run would have no start.
    TypeError
        If the state holds what cannot be saved; the message names it.
    """
    if not (directory / NAME).exists():
        if not sampler._has_start:
            raise ValueError(NO_START)
        encode(sampler.state)
