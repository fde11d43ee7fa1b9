"""A directory as a sampler finds it, before anything is written to it."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from epsie.chain.state import ANNEALED, SHARED, chains_in
from epsie.errors import RunDirectoryError
from epsie.running.annealed_start import ensure_start
from epsie.running.sampler import RunnableSampler
from epsie.storage.rundir.folder import MANIFEST, RUN, leftovers, refuse_strangers
from epsie.storage.rundir.holder import NAME as LOCK
from epsie.storage.rundir.manifest import (
    Manifest,
    describe,
    differences,
    read_manifest,
    refuse_differences,
)
from epsie.storage.rundir.segments import left_over
from epsie.storage.rundir.states import last_state
from epsie.storage.rundir.takeover import refuse_living
from epsie.storage.statetree import encode

Listing = list[tuple[str, int, int, int]]


class Existing(NamedTuple):
    """The run that a directory has, and the state of it that a sampler is to take up."""

    listing: Listing
    """The listing of the directory, as it was found."""

    manifest: Manifest | None
    """The settings of the run; None if there is none yet."""

    state: Any = None
    """The state that the sampler is to take up; None if it is there already."""


def examine(
    sampler: RunnableSampler,
    directory: Path,
    thin: int | None,
    adopt: bool,
    run: str | None,
    *,
    mine: bool = False,
) -> Existing:
    """Look at a directory, and refuse it while it is as it was found.

    Parameters
    ----------
    sampler : BaseSampler
        The sampler.
    directory : Path
        The directory.
    thin : int or None
        Keep every so many-th iteration; None: as the directory does, or all.
    adopt : bool
        Whether a sampler that has made no step takes over the state of the directory.
    run : str or None
        The id of the run that the sampler writes there already, if any.
    mine : bool, optional
        Whether its lock is held by the sampler.

    Raises
    ------
    RunDirectoryError
        If it holds something else, or a run that is not this sampler's, or somebody writes to it.
    ValueError
        If a new run would have no start.
    TypeError
        If the state holds what cannot be saved; the message names it.
    """
    try:
        if not mine:
            refuse_living(directory)
        found = listing(directory)
        if (directory / MANIFEST).exists():
            return _at_run(sampler, directory, thin, adopt, run, found)
        if run is not None:
            raise _gone(directory)
        ensure_start(sampler)
        encode(sampler.state)
        if directory.is_dir():
            leftovers(directory)
    except OSError as error:
        raise RunDirectoryError(f"{directory} cannot be read: {error}") from error
    return Existing(found, None)


def _at_run(
    sampler: RunnableSampler,
    directory: Path,
    thin: int | None,
    adopt: bool,
    run: str | None,
    found: Listing,
) -> Existing:
    """The run of a directory, and the state of it that a sampler is to take up."""
    manifest = read_manifest(directory)
    if run is not None and manifest.get(RUN) != run:
        raise _gone(directory)
    fresh = sampler.niterations == 0
    other = differences(manifest, describe(sampler), fresh, fresh and sampler._seed_given)
    refuse_differences(directory, other)
    if thin is not None and thin != manifest["thin"]:
        raise RunDirectoryError(
            f"the run in {directory} was begun with thin={manifest['thin']}, which cannot change; "
            f"got thin={thin}. Leave it out, or choose another directory"
        )
    refuse_strangers(directory, manifest.get(RUN))
    iteration, state = last_state(directory, manifest.get(RUN))
    left_over(directory, manifest["start"], iteration)
    if sampler.chains[0].start is not None and _standing(sampler.state) == _standing(state):
        return Existing(found, manifest)
    if not (adopt and fresh):
        raise RunDirectoryError(
            f"the run in {directory} was saved at iteration {iteration}, and this sampler, at "
            f"{sampler.niterations}, is not where it was then. Go on with "
            f"{type(sampler).__name__}.resume, or with run(total=...), or choose another directory"
        )
    return Existing(found, manifest, state)


def _standing(state: Any) -> bytes:
    """Where chains and an annealed start are; another model makes what was learned another."""
    return encode({**chains_in(state), ANNEALED: state.get(SHARED, {}).get(ANNEALED)})


def _gone(directory: Path) -> RunDirectoryError:
    return RunDirectoryError(
        f"{directory} no longer holds the run that this sampler writes: put it back, or go on in "
        "another directory, run(..., directory=...)"
    )


def listing(directory: Path) -> Listing:
    """The files of a directory; none if there is no directory.

    Raises
    ------
    RunDirectoryError
        If it cannot be read.
    """
    found: Listing = []
    try:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(directory) as entries:
            for entry in entries:
                if entry.name != LOCK:
                    status = entry.stat(follow_symlinks=False)
                    found.append((entry.name, status.st_ino, status.st_size, status.st_mtime_ns))
    except OSError as error:
        raise RunDirectoryError(f"{directory} cannot be read: {error}") from error
    return sorted(found)


def starts_of(sampler: RunnableSampler) -> str | None:
    """A digest of where all chains of a run started; None if a sampler does not know any more."""
    if sampler.chains[0].start is None or sampler.niterations or sampler._starts is None:
        return None
    digest = hashlib.sha256()
    by_parameter = np.moveaxis(np.array(sampler._starts, dtype=float), (0, 1, 2), (2, 1, 0))
    for name, values in zip(sampler.parameters, map(sampler._faced, by_parameter), strict=True):
        # Zeros of both signs are one place.
        digest.update(
            name.encode(errors="surrogatepass")
            + b"\0"
            + (np.asarray(values, dtype=float) + 0.0).tobytes()
        )
    return digest.hexdigest()
