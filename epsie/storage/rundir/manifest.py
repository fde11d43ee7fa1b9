"""The settings of a run as plain data, and a sampler anew from them."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from epsie.chain.state import chains_in
from epsie.errors import CheckpointError, RunDirectoryError
from epsie.model.posterior import Posterior
from epsie.proposals.base import BaseProposal
from epsie.rng.bit_generators import find_bit_generator, package_of
from epsie.storage.files import is_there, read_file
from epsie.storage.rundir.folder import MANIFEST, RUN
from epsie.storage.rundir.recipes import recipe, remade, updated
from epsie.storage.rundir.wellformed import check_settings
from epsie.storage.statetree import encode

FORMAT = 2
"""Of former ones, 1 had no id of the run."""

Manifest = dict[str, Any]


def describe(sampler: Any) -> Manifest:
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
"""The setting that says in words why a merged run is looked at, but not gone on with."""


def differing(
    where: str, theirs: Any, mine: Any, whose: tuple[str, str] = ("the run has", "this sampler")
) -> list[str]:
    """The settings that differ, each with the way to it, however deep they lie."""
    if encode(theirs) == encode(mine):
        return []
    if isinstance(theirs, dict) and isinstance(mine, dict) and theirs.keys() == mine.keys():
        pairs = [(where if key in _SILENT else f"{where}, {key}", key) for key in theirs]
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
            f"the run in {directory} is of another sampler:\n  " + "\n  ".join(found)
        )


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}..."


def refuse_other_size(directory: Path, manifest: Manifest, state: Any) -> None:
    """Refuse a number of chains that is not that of a state, before so many are made.

    Raises
    ------
    CheckpointError
        If it is another.
    """
    if len(chains_in(state)) != manifest["nchains"]:
        raise CheckpointError(
            f"{directory} has a state of {len(chains_in(state))} chains, but its settings say "
            f"{manifest['nchains']}"
        )


def rebuilt(
    manifest: Manifest,
    cls: Any,
    model: Any,
    pool: Any,
    proposals: BaseProposal | Iterable[BaseProposal] | None,
    annealer: Any,
) -> Any:
    """A sampler with the settings of a run.

    Raises
    ------
    RunDirectoryError
        If the run is of another kind of sampler, or needs proposals that were not given.
    """
    if manifest["sampler"] != cls.name:
        raise RunDirectoryError(
            f"the run is of a {manifest['sampler']} sampler, not of a {cls.name} one"
        )
    settings = {
        "parameters": manifest["parameters"],
        "model": model,
        **_chains(manifest),
        "proposals": _proposals(manifest, proposals),
        "seed": manifest["seed"],
        "pool": pool,
        "bit_generator": manifest["bit_generator"],
        "nan": manifest["nan"],
        "start": manifest.get("begins"),
        "vectorize": manifest.get("vectorize", False),
    }
    return cls._remade(manifest, annealer, settings)


def _chains(manifest: Manifest) -> dict[str, Any]:
    """The number of chains of a run, and which of them the manifest is of."""
    part = manifest.get("part")
    if part is None:
        return {"nchains": manifest["nchains"]}
    return {"nchains": part["of"], "chains": part["chains"]}


def _proposals(
    manifest: Manifest, given: BaseProposal | Iterable[BaseProposal] | None
) -> list[BaseProposal]:
    """The proposals of a run: those given, all others anew."""
    parts = (given,) if isinstance(given, BaseProposal) else tuple(given or ())
    by_parameters = {frozenset(part.parameters): part for part in parts}
    found, missing = [], []
    for entry in manifest["proposals"]:
        part = by_parameters.pop(frozenset(entry["parameters"]), None)
        if part is None and entry["recipe"] is not None:
            part = remade(entry["recipe"])
            if not isinstance(part, BaseProposal) or list(part.parameters) != entry["parameters"]:
                raise CheckpointError("the settings of the run are malformed: proposals")
        if part is None:
            missing.append(f"{entry['class']} for {', '.join(entry['parameters'])}")
        else:
            found.append(part)
    if missing:
        raise RunDirectoryError(
            "these proposals are not of epsie, or were changed after they were made; pass them "
            f"again with proposals=: {'; '.join(missing)}"
        )
    if by_parameters:
        surplus = [", ".join(sorted(names)) for names in by_parameters]
        raise RunDirectoryError(f"the run has no proposal for just {'; '.join(surplus)}")
    return found


def annealer_of(manifest: Manifest, given: Any) -> Any:
    """The annealer of a run: the one that was given, or it anew; None for none."""
    entry = manifest["annealer"]
    if given is not None or entry is None:
        return given
    if entry["recipe"] is None:
        raise RunDirectoryError(
            f"the annealer {entry['class']} is not of epsie; pass it again with adaptive_annealer="
        )
    made = remade(entry["recipe"])
    if not hasattr(made, "setup_annealing"):
        raise CheckpointError("the settings of the run are malformed: annealer")
    return made
