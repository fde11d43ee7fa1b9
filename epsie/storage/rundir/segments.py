"""Segments: immutable files of what the chains visited in some stretch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from epsie.chain.adaptation_history import AdaptationHistory, adaptation_history
from epsie.errors import CheckpointError, RunDirectoryError
from epsie.storage.files import names_in, size_of
from epsie.storage.rundir.folder import Folder, read_of
from epsie.storage.rundir.savable import Savable
from epsie.storage.rundir.wellformed import check_content

TABLES = ("positions", "stats", "acceptance", "blobs")

MERGED_SIZE = 4 * 2**20
"""Bytes of a segment that is not merged any more."""

_MOST_SMALL = 64
"""Small segments that may lie about before they are merged whatever their size."""

_NAME = re.compile(r"segment-(\d{12})-(\d{12})\.epsie")

Content = dict[str, Any]


class SegmentFile(NamedTuple):
    """A file of what was visited after iteration `start` up to `stop`."""

    start: int
    stop: int
    path: Path


def all_segments(directory: Path) -> list[SegmentFile]:
    """All segments that are there, also those that are merged or not accounted for yet."""
    matches = filter(None, map(_NAME.fullmatch, names_in(directory)))
    return sorted(SegmentFile(int(m[1]), int(m[2]), directory / m[0]) for m in matches)


def reaches(segments: Iterable[SegmentFile], iteration: int) -> list[SegmentFile]:
    """The segments of what was visited up to an iteration, by their names."""
    return [segment for segment in segments if segment.start < iteration <= segment.stop]


def covering(segments: Iterable[SegmentFile], iteration: int) -> SegmentFile:
    """The segment of what was visited right after an iteration; the longest, if it was merged.

    Raises
    ------
    RunDirectoryError
        If there is none.
    """
    found = [segment for segment in segments if segment.start <= iteration < segment.stop]
    if not found:
        raise RunDirectoryError(f"the segment that follows iteration {iteration} is missing")
    return max(found, key=lambda segment: (size_of(segment.path) > 0, segment.stop))


def left_over(directory: Path, start: int, stop: int) -> list[Path]:
    """The segments that no state accounts for, and those that were merged.

    Raises
    ------
    RunDirectoryError
        If the others do not reach from `start` to `stop`.
    """
    segments = all_segments(directory)
    accounted = [segment for segment in segments if segment.stop <= stop]
    needed, at = set(), start
    while at < stop:
        segment = covering(accounted, at)
        needed.add(segment)
        at = segment.stop
    return [segment.path for segment in segments if segment not in needed]


def refuse_gaps(directory: Path, start: int, stop: int) -> None:
    """Make sure that the segments still reach from `start` to `stop`.

    Raises
    ------
    RunDirectoryError
        If something was removed.
    """
    at = start
    # Names sort as iterations do; this is done at every save.
    for match in filter(None, map(_NAME.fullmatch, names_in(directory))):
        if int(match[1]) <= at:
            at = max(at, int(match[2]))
    if at < stop:
        raise RunDirectoryError(
            f"the segment that follows iteration {at} was removed from {directory}"
        )


def gathered(sampler: Savable, n: int, thin: int) -> Content:
    """The last `n` iterations of all chains, every `thin`-th of them."""
    stop = sampler.niterations
    start = stop - n
    rows = slice(start - sampler.lastclear + -(start + 1) % thin, None, thin)
    tables = TABLES if sampler.chains[0].hasblobs else TABLES[:3]
    notes = adaptation_history(sampler.chains, start, stop)._asdict()
    return {
        "start": start,
        "stop": stop,
        **dict.fromkeys(TABLES),
        **{name: sampler._stacked(name, rows) for name in tables},
        **{f"noted {name}": value for name, value in notes.items()},
        **sampler._swept(start, stop),
    }


def bytes_per_iteration(sampler: Savable) -> int:
    """About how much all chains store in an iteration."""
    numbers = len(sampler.parameters) + 5
    blobs = sampler.current_blobs or {}
    places = sum(len(chain.by_temperature) for chain in sampler.chains)
    return int(8 * numbers * places + sum(values.nbytes for values in blobs.values()))


_NOTES = {f"noted {name}": 0 for name in AdaptationHistory._fields}
_AXES = {"orders": 1, "ratios": 1, "ladder_iterations": 0, "ladders": 0, **_NOTES}


def merge_small(folder: Folder, stop: int, settings: Mapping[str, Any]) -> None:
    """Merge the latest small segments up to `stop`, if they are many or large together."""
    small: list[tuple[SegmentFile, int]] = []
    for segment in reversed([s for s in all_segments(folder.path) if s.stop <= stop]):
        size = size_of(segment.path)
        if size >= MERGED_SIZE // 2:
            break
        small.insert(0, (segment, size))
    if len(small) < 2:
        return
    if len(small) >= _MOST_SMALL or sum(size for _, size in small) >= MERGED_SIZE:
        merge(folder, [segment for segment, _ in small], settings)


def merge(folder: Folder, segments: list[SegmentFile], settings: Mapping[str, Any]) -> None:
    """Write one segment in place of several that follow each other."""
    if any(a.stop != b.start for a, b in pairwise(segments)):
        return
    contents = [read_segment(segment, folder.run, settings) for segment in segments]
    write_segment(folder, joined(contents), settings)
    folder.remove(segment.path for segment in segments)


def read_segment(segment: SegmentFile, run: str | None, settings: Mapping[str, Any]) -> Content:
    """The content of a segment of a run with these settings.

    Raises
    ------
    FileNotFoundError
        If there is none.
    CheckpointError
        If it is damaged.
    RunDirectoryError
        If it is of another run, or cannot be read.
    """
    found = read_of(segment.path, run, copy=False)
    try:
        check_content(found, segment.start, segment.stop, settings)
    except CheckpointError as error:
        raise CheckpointError(f"{segment.path} cannot be read: {error.args[0]}") from error
    return found


def write_segment(folder: Folder, content: Content, settings: Mapping[str, Any]) -> None:
    """Write a segment."""
    start, stop = content["start"], content["stop"]
    check_content(content, start, stop, settings)
    folder.write(f"segment-{start:012d}-{stop:012d}.epsie", content, stop)


def joined(contents: list[Content]) -> Content:
    """The contents of segments that follow each other, as one."""
    first = contents[0]
    made: Content = {"start": first["start"], "stop": contents[-1]["stop"]}
    for name in first:
        if name in made:
            continue
        axis = _AXES.get(name, -1)
        arrays = [content[name] for content in contents]
        made[name] = None if all(array is None for array in arrays) else concatenated(arrays, axis)
    return made


def concatenated(arrays: list[NDArray[Any]], axis: int) -> NDArray[Any]:
    """Arrays one after the other, in the type that holds all."""
    try:
        dtype = np.result_type(*{array.dtype for array in arrays})
    except (TypeError, AttributeError) as error:
        raise CheckpointError(f"what was visited has changed its columns: {error}") from error
    return np.concatenate([array.astype(dtype, copy=False) for array in arrays], axis=axis)
