"""The facts of a run on disk: what it is, how far, how fast, and who writes to it."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from epsie.results.view import View
from epsie.shown import Facts, chains_in_words
from epsie.storage.files import names_in, size_of
from epsie.storage.rundir import holder as lock
from epsie.storage.rundir.manifest import unknown_parts
from epsie.storage.rundir.source import DirectorySource
from epsie.storage.rundir.states import saved_iterations, state_path


def run_facts(run: DirectorySource) -> Facts:
    """What a person wants to know of a run, line by line."""
    settings, end, holder = run.settings, View(run).known_end, lock.holder(run.directory)
    parts = [f"{e['class']}({', '.join(e['parameters'])})" for e in settings["proposals"]]
    unknown = unknown_parts(settings)
    betas = run.betas.mean(axis=0).tolist() if run.is_tempered else ()
    facts = [
        ("run", str(run.directory)),
        ("sampler", _kind(run)),
        ("parameters", f"{len(settings['parameters'])}: {', '.join(settings['parameters'])}"),
        ("iterations", _kept(run)),
        ("adaptation", f"{'ended' if end <= run.niterations else 'ends'} at {end}" if end else ""),
        ("proposals", ", ".join(parts)),
        ("to resume", f"pass again: {', '.join(unknown)}" if unknown else ""),
        ("betas", ", ".join(f"{beta:.4g}" for beta in betas)),
        ("seed", f"{settings['seed']} ({settings['bit_generator']})"),
        ("begun with", ", ".join(f"{name} {v}" for name, v in settings["versions"].items())),
        ("on disk", _size(run.directory)),
        *_progress(run, holder),
    ]
    return [(name, text) for name, text in facts if text]


_KINDS = {
    "metropolis_hastings": "Metropolis-Hastings",
    "parallel_tempered": "parallel tempered",
    "ensemble": "affine-invariant ensembles",
}


def _kind(run: DirectorySource) -> str:
    name: str = run.settings["sampler"]
    hot = f" x {run.ntemps} temperatures" if run.is_tempered else ""
    return f"{_KINDS.get(name, name)}, {chains_in_words(run.nchains, run.nwalkers)}{hot}"


def _kept(run: DirectorySource) -> str:
    thin = run.settings["thin"]
    kept = "" if thin == 1 else f", every {thin}-th kept"
    return f"{run.niterations}{kept}" + (f", kept from {run.start} on" if run.start else "")


def _size(directory: Path) -> str:
    sizes = [size_of(directory / name) for name in names_in(directory)]
    return f"{sum(sizes) / 2**20:.1f} MiB in {len(sizes)} files"


def _progress(run: DirectorySource, holder: lock.Holder | None) -> list[tuple[str, str]]:
    """When it was saved, how fast it goes, and who writes to it."""
    now = time.time()
    saved_at, rate = pace(run, holder)
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(saved_at))
    lines = [("last saved", f"{when}, {duration(now - saved_at)} ago")]
    if rate:
        lines.append(("rate", f"{rate:.4g} iterations/s between the last two saves"))
    if holder is None:
        return [*lines, ("state", "at rest")]
    state = str(holder)
    if holder.is_alive is False:
        return [*lines, ("state", f"at rest; {state} ended before it was done")]
    upto = "" if holder.upto is None else f" up to {holder.upto}"
    sure = "being" if holder.is_alive else "said to be"
    lines.append(("state", f"{sure} written{upto} by {state}"))
    if holder.upto is not None and rate:
        left = max(0.0, saved_at + max(0.0, (holder.upto - run.niterations) / rate) - now)
        end = time.strftime("%Y-%m-%d %H:%M", time.localtime(now + left))
        lines.append(("remaining", f"{duration(left)}, until about {end}"))
    return lines


def pace(run: DirectorySource, holder: lock.Holder | None) -> tuple[float, float | None]:
    """When a run was saved last, and its rate from the save before, None if there is only one.

    In seconds since the epoch, and iterations a second.
    """
    times = {}
    for iteration in saved_iterations(run.directory):
        with suppress(OSError):
            times[iteration] = state_path(run.directory, iteration).stat().st_mtime
    (last, saved_at), *before = sorted(times.items(), reverse=True)
    if before:
        # Since a process began to write, not since another one ended.
        began = max(before[0][1], holder.since if holder else 0.0)
        if saved_at > began:
            return saved_at, (last - before[0][0]) / (saved_at - began)
    return saved_at, None


def duration(seconds: float) -> str:
    """A time in words."""
    seconds = max(0.0, seconds)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
