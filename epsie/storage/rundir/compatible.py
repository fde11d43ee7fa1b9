"""Which runs on disk may be looked at, or merged, as one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.errors import RunDirectoryError
from epsie.storage.rundir.folder import RUN
from epsie.storage.rundir.manifest import APART, Manifest, differing
from epsie.storage.rundir.source import DirectorySource

_OF_EACH = {
    *(RUN, "format", "versions", "every", "remarks", "starts", "labels", "drawn"),
    *("seed", "seeds", "nchains", "part", "betas", APART),
}
"""Settings in which runs that go together may differ, or that are looked at by themselves."""


def in_order(runs: Sequence[DirectorySource]) -> tuple[list[DirectorySource], NDArray[np.int64]]:
    """Runs that go together, parts of one following each other, and the order of their chains.

    Raises
    ------
    RunDirectoryError
        If they do not: says what differs, or which chains are missing or there twice.
    """
    first, *others = runs
    for other in others:
        _refuse_other_settings(first, other)
    by_seed: dict[int, list[DirectorySource]] = {}
    for run in runs:
        by_seed.setdefault(run.settings["seed"], []).append(run)
    order: list[NDArray[np.int64]] = []
    for parts in by_seed.values():
        _refuse_no_whole(parts)
        ids = np.concatenate([chains_of(part.settings)[0] for part in parts])
        order.append(np.argsort(ids) + sum(map(len, order)))
    return [run for parts in by_seed.values() for run in parts], np.concatenate(order)


def chains_of(settings: Manifest) -> tuple[list[int], int]:
    """The ids of the chains that a manifest is of, and the number of chains of the run."""
    nchains: int = settings["nchains"]
    part = settings.get("part", {"chains": list(range(nchains)), "of": nchains})
    return part["chains"], part["of"]


def _refuse_other_settings(a: DirectorySource, b: DirectorySource) -> None:
    """Refuse runs that differ in more than their seeds, ladders and chains."""
    names = (a.settings.keys() | b.settings.keys()) - _OF_EACH
    parts = a.settings["seed"] == b.settings["seed"]
    whose = f"{a.directory} has", f"{b.directory}"
    found = [
        text
        for name in sorted(names)
        for text in differing(name, a.settings.get(name), b.settings.get(name), whose)
    ]
    found += differing("betas", _ladder(a, parts), _ladder(b, parts), whose)
    if found:
        raise RunDirectoryError("these are no runs of the same settings:\n  " + "\n  ".join(found))


def _ladder(run: DirectorySource, is_part: bool) -> Any:
    """What must be the same of ladders; independent runs may have found them each by itself."""
    ladders = run.settings.get("betas")
    return None if ladders is None else np.unique(ladders, axis=0) if is_part else run.ntemps


def _refuse_no_whole(parts: Sequence[DirectorySource]) -> None:
    """Refuse what is not all chains of one run, each once."""
    for a, b in combinations(parts, 2):
        (ours, of), (theirs, also_of) = chains_of(a.settings), chains_of(b.settings)
        if of != also_of:
            raise RunDirectoryError(
                f"{a.directory} is of a run of {of} chains, {b.directory} of one of {also_of} with "
                "the same seed: parts are made with the same nchains"
            )
        if twice := sorted({*ours} & {*theirs}):
            raise RunDirectoryError(
                f"chains {', '.join(map(str, twice))} are in {a.directory} and in {b.directory}, "
                "which have the same seed: parts of a run have different chains, independent runs "
                "different seeds"
            )
        starts = {run.settings.get("starts") for run in (a, b)}
        if len(starts - {None}) > 1:
            raise RunDirectoryError(
                f"{a.directory} and {b.directory} are parts that were given other starts: give "
                "the same, of all chains of the run, to each part"
            )
    here = {chain for part in parts for chain in chains_of(part.settings)[0]}
    if missing := sorted({*range(chains_of(parts[0].settings)[1])} - here):
        raise RunDirectoryError(
            f"{' and '.join(str(part.directory) for part in parts)} are not all of their run: "
            f"chains {', '.join(map(str, missing))} are missing"
        )
