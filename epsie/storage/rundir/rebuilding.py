"""A sampler anew from the settings of its run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from epsie.chain.recipes import remade
from epsie.errors import CheckpointError, RunDirectoryError
from epsie.proposals.base import BaseProposal
from epsie.storage.rundir.manifest import Manifest


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
            f"the run is of a {manifest['sampler']} sampler, not of a {cls.name} one: resume it "
            "with the class of that name"
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
