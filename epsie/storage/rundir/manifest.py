"""The settings of a run as plain data."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from epsie.chain.recipes import recipe, updated
from epsie.chain.state import ANNEALED, SHARED, chains_in
from epsie.errors import CheckpointError, RunDirectoryError
from epsie.model.posterior import Posterior
from epsie.rng.bit_generators import find_bit_generator, package_of
from epsie.storage.files import is_there, read_file
from epsie.storage.rundir.folder import MANIFEST, RUN
from epsie.storage.rundir.savable import Savable
from epsie.storage.rundir.wellformed import check_settings
from epsie.storage.statetree import encode

FORMAT = 2
"""Of former ones, 1 had no id of the run."""

Manifest = dict[str, Any]


def describe(sampler: Savable) -> Manifest:
    """The settings of a sampler."""
    cls = find_bit_generator(sampler.bit_generator)
    described = {
        "sampler": sampler.name,
        "parameters": list(sampler.parameters),
        "nchains": sampler.nchains,
        "seed": sampler.seed,
        "bit_generator": f"{package_of(cls)}.{cls.__name__.rpartition('.')[2]}",
        "nan": str(sampler.nan),
        "proposals": [
            {
                "class": type(part).__qualname__,
                "parameters": list(part.parameters),
                "recipe": recipe(part),
            }
            for part in sampler.proposals
        ],
    }
    given = {"vectorize": sampler._executor.rows, "begins": sampler._begins}
    described |= {name: value for name, value in given.items() if value is not None}
    if isinstance(sampler.model, Posterior):
        prior = sampler.model.prior
        labels = {name: label for name, label in prior.labels.items() if label != name}
        described |= {"prior": prior.described()} | ({"labels": labels} if labels else {})
    return {**described, **sampler._part.described(), **sampler._described()}


def annealer_entry(annealer: Any) -> dict[str, Any] | None:
    """An annealer as plain data; None for none."""
    if annealer is None:
        return None
    # The chains' annealers have evolved; what they were made of has not.
    config = getattr(annealer, "config", None)
    made = None if config is None else recipe(type(annealer)(**config))
    return {"class": type(annealer).__qualname__, "recipe": made}


def with_history(
    described: Manifest,
    run: str,
    start: int,
    thin: int,
    starts: str | None,
    remarks: Iterable[str],
) -> Manifest:
    """The settings with those of the directory."""
    from epsie._version import __version__

    versions = {"epsie": __version__, "numpy": np.__version__, "python": platform.python_version()}
    made = {
        RUN: run,
        "format": FORMAT,
        **described,
        "start": start,
        "starts": starts,
        "remarks": list(remarks),
        "thin": thin,
        "versions": versions,
    }
    check_settings(made)
    return made


def read_manifest(directory: Path) -> Manifest:
    """The settings of a run.

    Raises
    ------
    RunDirectoryError
        If there is no run, or it is of a newer epsie.
    CheckpointError
        If the file is damaged.
    """
    try:
        manifest: Manifest = read_file(directory / MANIFEST)
    except (FileNotFoundError, NotADirectoryError):
        there = "holds no run" if is_there(directory) else "does not exist"
        raise RunDirectoryError(f"{directory} {there}") from None
    if not isinstance(manifest, dict) or manifest.get("format").__class__ is not int:
        raise CheckpointError(f"{directory / MANIFEST} cannot be read: it holds no settings")
    if manifest["format"] not in (1, FORMAT):
        raise RunDirectoryError(
            f"the run in {directory} has format {manifest.get('format')}, this epsie knows "
            f"{FORMAT}: a newer epsie is needed"
        )
    try:
        check_settings(manifest)
        if manifest["format"] == FORMAT and manifest.get(RUN).__class__ is not str:
            raise CheckpointError("it has no id of its run")
    except CheckpointError as error:
        raise CheckpointError(f"{directory / MANIFEST} cannot be read: {error.args[0]}") from error
    return {**manifest, "proposals": updated(manifest["proposals"])}


def unknown_parts(manifest: Manifest) -> list[str]:
    """The classes of the run's proposals and annealer that are not of epsie."""
    entries = [*manifest["proposals"], manifest.get("annealer")]
    return [entry["class"] for entry in entries if entry is not None and entry["recipe"] is None]


def differences(manifest: Manifest, described: Manifest, fresh: bool, seed: bool) -> list[str]:
    """In what a sampler differs from the one of a run.

    Parameters
    ----------
    manifest, described : dict
        The settings of the run and of the sampler.
    fresh : bool
        Whether the sampler has made no step, so that annealers have not moved its ladders.
    seed : bool
        Whether the seed counts.
    """
    skipped = {"labels"} if seed else {"labels", "seed"}
    if described.get("annealer") is not None and not (fresh and manifest["start"] == 0):
        skipped.add("betas")
    skipped |= {"betas", "swap_interval"} if "ladder" in described else set()
    found = []
    for name in (described.keys() | {"part", "vectorize"}) - skipped:
        found += differing(name, manifest.get(name), described.get(name))
    if APART in manifest:
        found.append(f"it {manifest[APART]}")
    return sorted(found)


APART = "learned apart"
"""The setting that says in words why a merged run can be looked at, but not resumed."""


def differing(
    where: str, theirs: Any, mine: Any, whose: tuple[str, str] = ("the run has", "this sampler")
) -> list[str]:
    """The settings that differ, each with the way to it, however deep they lie."""
    if encode(theirs) == encode(mine):
        return []
    if isinstance(theirs, dict) and isinstance(mine, dict) and theirs.keys() == mine.keys():
        # Of two classes all else differs with them.
        keys = ["class"] if theirs.get("class") != mine.get("class") else theirs
        pairs = [(where if key in _SILENT else f"{where}, {key}", key) for key in keys]
    elif (
        isinstance(theirs, list | tuple)
        and isinstance(mine, list | tuple)
        and len(theirs) == len(mine)
        and all(isinstance(item, dict) for item in (*theirs, *mine))
    ):
        pairs = [(f"{where}[{i}]", i) for i in range(len(theirs))]
    else:
        return [f"{where}: {whose[0]} {_shown(theirs)}, {whose[1]} {_shown(mine)}"]
    return [text for way, key in pairs for text in differing(way, theirs[key], mine[key], whose)]


_SILENT = ("recipe", "config")
"""Keys that say nothing to a person."""


def refuse_differences(directory: Path, found: list[str]) -> None:
    """Refuse a sampler that differs from that of the run.

    Raises
    ------
    RunDirectoryError
        That names all differences.
    """
    if found:
        raise RunDirectoryError(
            f"the run in {directory} is of another sampler:\n  " + "\n  ".join(found) + "\nMake "
            "the sampler as the run has it, which `resume` does, or choose another directory"
        )


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}..."


def refuse_other_state(directory: Path, manifest: Manifest, state: Any) -> None:
    """Refuse a state of another number of chains, before so many are made; or of another beginning.

    Raises
    ------
    CheckpointError
        If it is of another, or has lost the annealed start from which the run began.
    """
    if len(chains_in(state)) != manifest["nchains"]:
        raise CheckpointError(
            f"{directory} has a state of {len(chains_in(state))} chains, but its settings say "
            f"{manifest['nchains']}"
        )
    annealed = manifest.get("begins") == "annealed" and manifest.get("drawn", False)
    if annealed and APART not in manifest and ANNEALED not in state.get(SHARED, {}):
        raise CheckpointError(f"{directory} has a state without the annealed start of its run")
