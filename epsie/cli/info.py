"""What a run on disk is, and how far."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from epsie.cli.verify import unknown_parts
from epsie.results.visited import Visited
from epsie.storage.rundir import lock
from epsie.storage.rundir.reader import Run
from epsie.storage.rundir.states import saved_iterations, state_path


class Pace(NamedTuple):
    """How fast a run goes."""

    saved_at: float
    """When it was saved last, in seconds since the epoch."""

    rate: float | None
    """Iterations a second from the save before to the last; None if there is only one."""

    left: float | None
    """Seconds from the last save to its end at this rate; None if it is not running."""


def pace(run: Run, holder: lock.Holder | None) -> Pace:
    """How fast a run goes, from the times at which it was saved."""
    times = {}
    for iteration in saved_iterations(run.directory):
        try:
            times[iteration] = state_path(run.directory, iteration).stat().st_mtime
        except FileNotFoundError:
            continue
    (last, saved_at), *before = sorted(times.items(), reverse=True)
    rate = None
    if before:
        # Since a process began to write, not since another one ended.
        began = max(before[0][1], holder.since if holder else 0.0)
        if saved_at > began:
            rate = (last - before[0][0]) / (saved_at - began)
    left = None
    if holder and holder.upto is not None and holder.is_alive is not False and rate:
        left = max(0.0, (holder.upto - last) / rate)
    return Pace(saved_at, rate, left)


def describe_run(directory: Path) -> list[tuple[str, str]]:
    """What a person wants to know of a run, line by line.

    Raises
    ------
    RunDirectoryError
        If there is no run.
    CheckpointError
        If its settings are damaged.
    """
    run = Run(directory)
    holder = lock.holder(directory)
    visited, manifest = Visited(run), run.manifest
    kind = {"metropolis_hastings": "Metropolis-Hastings", "parallel_tempered": "parallel tempered"}
    chains = f"{run.nchains} chains" + (f" x {run.ntemps} temperatures" if run.ntemps else "")
    kept = "" if manifest["thin"] == 1 else f", every {manifest['thin']}-th kept"
    began = "" if manifest["start"] == 0 else f", kept from {manifest['start']} on"
    lines = [
        ("run", str(directory)),
        ("sampler", f"{kind.get(manifest['sampler'], manifest['sampler'])}, {chains}"),
        ("parameters", f"{len(run.parameters)}: {', '.join(run.parameters)}"),
        ("iterations", f"{run.niterations}{kept}{began}"),
    ]
    end = visited.known_end
    if end:
        lines.append(("adaptation", f"{'ended' if end <= run.niterations else 'ends'} at {end}"))
    parts = [f"{e['class']}({', '.join(e['parameters'])})" for e in manifest["proposals"]]
    lines.append(("proposals", ", ".join(parts)))
    if unknown_parts(manifest):
        lines.append(("to resume", f"pass again: {', '.join(unknown_parts(manifest))}"))
    if run.ntemps:
        betas = run.betas.mean(axis=0)
        lines.append(("betas", ", ".join(f"{beta:.4g}" for beta in betas)))
    lines.append(("seed", f"{manifest['seed']} ({manifest['bit_generator']})"))
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    lines += [("begun with", versions), ("on disk", _size(directory)), *_progress(run, holder)]
    return lines


def _size(directory: Path) -> str:
    sizes = []
    for path in directory.iterdir():
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue
    return f"{sum(sizes) / 2**20:.1f} MiB in {len(sizes)} files"


def _progress(run: Run, holder: lock.Holder | None) -> list[tuple[str, str]]:
    """When it was saved, how fast it goes, and who writes to it."""
    found = pace(run, holder)
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.saved_at))
    lines = [("last saved", f"{when}, {duration(time.time() - found.saved_at)} ago")]
    if found.rate:
        lines.append(("rate", f"{found.rate:.4g} iterations/s between the last two saves"))
    if holder is None:
        return [*lines, ("state", "at rest")]
    state = f"process {holder.pid} on {holder.host}"
    if holder.is_alive is False:
        return [*lines, ("state", f"at rest; {state} ended before it was done")]
    upto = "" if holder.upto is None else f" up to {holder.upto}"
    sure = "written" if holder.is_alive else "said to be written"
    lines.append(("state", f"being {sure}{upto} by {state}"))
    if found.left is not None:
        seconds = max(0.0, found.left - (time.time() - found.saved_at))
        end = time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() + seconds))
        lines.append(("remaining", f"{duration(seconds)}, until about {end}"))
    return lines


def duration(seconds: float) -> str:
    """A time in words."""
    seconds = max(0.0, seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
