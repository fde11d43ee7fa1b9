"""The writer of a run directory: segments and states of what a sampler does."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

from epsie.errors import EpsieError, RunDirectoryError
from epsie.logs import logger
from epsie.running.existing import Existing, starts_of
from epsie.running.points import check_model, is_stale, renew, take_up
from epsie.running.sampler import RunnableSampler
from epsie.storage.rundir import segments, states
from epsie.storage.rundir.folder import MANIFEST, RUN, Folder, leftovers, new_run, owner, unfinished
from epsie.storage.rundir.ladder import with_found
from epsie.storage.rundir.lock import Lock
from epsie.storage.rundir.manifest import Manifest, describe, with_history


class Writer:
    """Writes what a sampler does to a directory.

    Parameters
    ----------
    sampler : BaseSampler
        The sampler.
    lock : Lock
        The lock of the directory.
    standing : Existing
        What was found there.
    thin : int or None
        Of a new run: keep every so many-th iteration.

    Raises
    ------
    RunDirectoryError
        If the model is not that of the run, or the directory cannot be written to.
    """

    def __init__(
        self, sampler: RunnableSampler, lock: Lock, standing: Existing, thin: int | None
    ) -> None:
        self.sampler = sampler
        self.directory = lock.path.parent
        if standing.manifest is None:
            self.folder = Folder(lock, new_run())
            self.manifest = self._begin(thin or 1)
        else:
            self.manifest = standing.manifest
            self.folder = Folder(lock, self.manifest.get(RUN))
            self._go_on(standing.state)
        self.saved: int = sampler.niterations
        self.reported = max(self.saved, states.newest_state(self.directory, self.folder.run))
        """The iteration that was saved last. Of a state that cannot be read, later than `saved`:
        what follows it is made anew before anything is saved, and nothing is removed until then."""
        self._state = sampler.state

    def remember(self, every: int | str) -> None:
        """Note how often to save, for `resume`."""
        every = str(every) if isinstance(every, str) else int(every)
        if self.manifest.get("every") != every:
            self.manifest["every"] = every
            self.folder.write(MANIFEST, self.manifest)

    def _begin(self, thin: int) -> Manifest:
        """Make the directory one of a run."""
        sampler, folder = self.sampler, self.folder
        renew(sampler)
        for path in leftovers(self.directory):
            path.unlink(missing_ok=True)
        start = sampler.niterations
        assert folder.run is not None
        manifest = with_history(
            {**describe(sampler), "drawn": sampler._drawn},
            *(folder.run, start, thin, starts_of(sampler), sampler._remarks),
        )
        # With the manifest it becomes a run, so that comes last.
        states.write_state(folder, start, start, sampler.state)
        folder.write(MANIFEST, manifest)
        return manifest

    def _go_on(self, state: Any) -> None:
        """Take the sampler where the run was saved, unless it is there."""
        sampler, directory = self.sampler, self.directory
        if state is None:
            (check_model if is_stale(sampler) else renew)(sampler)
        else:
            self._tell_of_starts()
            take_up(sampler, state)
            sampler.seed = self.manifest["seed"]
            check_model(sampler)
            logger.info("going on in %s from iteration %d", directory, sampler.niterations)
        if states.newest_state(directory, self.folder.run) <= sampler.niterations:
            left = segments.left_over(directory, self.manifest["start"], sampler.niterations)
            self.folder.remove(left)
        self.folder.remove(unfinished(directory))

    def _tell_of_starts(self) -> None:
        """Warn of starts that are not those of the run, as they have no effect."""
        starts, began = starts_of(self.sampler), self.manifest.get("starts")
        if None not in (starts, began) and starts != began:
            warnings.warn(
                f"the start positions are not those that the run in {self.directory} began with, "
                "and are not used: it goes on where it was saved. For a run from other starts "
                "choose another directory",
                stacklevel=7,
            )

    def check(self) -> None:
        """Make sure that the directory is still that of the run, and whole.

        Raises
        ------
        RunDirectoryError
            If not. The sampler keeps what it has made since it was saved.
        """
        try:
            self.folder.check()
            saved = states.state_path(self.directory, self.saved)
            try:
                owner(saved)
            except FileNotFoundError:
                raise RunDirectoryError(f"{saved} was removed") from None
            segments.refuse_gaps(self.directory, self.manifest["start"], self.saved)
        except RunDirectoryError as error:
            error.add_note(
                f"Iterations after {self.saved} are in the memory of this process alone. The "
                "sampler can go on in another directory: run(..., directory=...)"
            )
            raise

    def save(self) -> None:
        """Save all iterations since the last time: first what was visited, then the state.

        Raises
        ------
        RunDirectoryError
            If it cannot be written: the sampler is back where it was saved last. If it is not
            the directory of the run any more: the sampler stays where it is.
        """
        sampler, directory = self.sampler, self.directory
        stop = sampler.niterations
        if stop == self.saved or stop < self.reported:
            return
        self.check()
        try:
            content = segments.gathered(sampler, stop - self.saved, self.manifest["thin"])
            state = sampler.state
            settings = with_found(self.manifest, state)
            segments.write_segment(self.folder, content, settings)
            states.write_state(self.folder, self.manifest["start"], stop, state)
        except BaseException as error:
            self.check()
            self._roll_back(stop)
            error.add_note(f"The run in {directory} is saved up to iteration {self.saved}")
            raise
        self.folder.check()
        former, self.saved, self._state = self.saved, stop, state
        logger.debug("saved iteration %d in %s", stop, directory)
        try:
            if self.reported > former:
                self._replace_unreadable()
            segments.merge_small(self.folder, states.saved_iterations(directory)[0], settings)
        except EpsieError as error:
            # All is saved; what is not tidied now is later.
            logger.warning("the segments in %s could not be merged: %s", directory, error)
        self.reported = stop

    def save_start(self) -> None:
        """Save how far an annealed start has come, before the first step."""
        self.check()
        state = self.sampler.state
        states.write_state(self.folder, self.manifest["start"], self.saved, state)
        self._state = state

    def _replace_unreadable(self) -> None:
        """Remove the state that could not be read, and what followed the one before it."""
        left = segments.left_over(self.directory, self.manifest["start"], self.saved)
        if self.reported < self.saved:
            left.append(states.state_path(self.directory, self.reported))
        self.folder.remove(left)

    def settle(self) -> None:
        """Take the sampler back if it was stopped before it came to where the run was saved."""
        if self.sampler.niterations < self.reported:
            self.sampler.set_state(self._state)

    def _roll_back(self, stop: int) -> None:
        """Take the sampler to where it is saved: where it stands, if that failed late."""
        with suppress(FileNotFoundError, EpsieError):
            self._state = states.read_state(
                states.state_path(self.directory, stop), self.folder.run
            )
            self.saved = self.reported = stop
        self.sampler.set_state(self._state)
