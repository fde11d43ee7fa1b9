"""Whether settings and segments that were read are such as are written.

Their checksums may be right and their content wrong all the same. The same is asked of them before
they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from epsie.checks import seconds_in
from epsie.errors import CheckpointError
from epsie.rng.bit_generators import find_bit_generator
from epsie.tempering.ladders import is_ladder
from epsie.tempering.sweeps import SWAP_SCHEMES

_TABLES = {
    "stats": {"logl": "<f8", "logp": "<f8"},
    "acceptance": {"acceptance_ratio": "<f8", "accepted": "|b1"},
}
_TOGETHER = (
    ("noted iterations", "noted widths", "noted betas"),
    ("ladder_iterations", "ladders"),
)
"""Groups of arrays with equal numbers of rows."""

_MOST_CHAINS = 2**31


def _is_text(value: Any) -> bool:
    return value.__class__ is str and bool(value)


def _is_count(value: Any, least: int = 0) -> bool:
    return value.__class__ is int and value >= least


def _are_names(value: Any) -> bool:
    return value.__class__ is list and bool(value) and all(map(_is_text, value))


def _is_part(value: Any) -> bool:
    """Whether it describes a proposal or an annealer."""
    return (
        value.__class__ is dict
        and _is_text(value.get("class"))
        and "recipe" in value
        and value["recipe"].__class__ in (dict, type(None))
    )


def _is_part_of_run(value: Any, nchains: Any) -> bool:
    """Whether it names so many chains of a run of more."""
    if value.__class__ is not dict or value.keys() != {"chains", "of"}:
        return False
    chains, of = value["chains"], value["of"]
    return (
        chains.__class__ is list
        and all(map(_is_count, chains))
        and sorted({*chains}) == chains
        and _is_count(of, 1)
        and len(chains) == nchains < of < _MOST_CHAINS
        and chains[-1] < of
    )


def _is_prior(value: Any, parameters: Any) -> bool:
    """Whether it looks like a prior of these parameters, and perhaps of further, fixed ones."""
    if value.__class__ is not dict or not {"parts", "logp"} <= value.keys():
        return False
    parts, logp = value["parts"], value["logp"]
    if parts.__class__ is not dict or not all(map(_is_text, parts)):
        return False
    names = {name for joined in parts for name in joined.split(", ")}
    return (
        all(
            plain.keys() == {"kind", "bounds"}
            if plain.__class__ is dict
            else plain.__class__ is list
            for plain in parts.values()
        )
        and logp.__class__ is list
        and all(value.__class__ is float for value in logp)
        and names.issuperset(parameters)
    )


_SETTINGS: dict[str, Callable[[Any], bool]] = {
    "sampler": lambda v: _is_text(v) and v in _KINDS,
    "parameters": lambda v: _are_names(v) and len(set(v)) == len(v),
    "nchains": lambda v: _is_count(v, 1) and v < _MOST_CHAINS,
    "seed": _is_count,
    "bit_generator": lambda v: _is_bit_generator(v),
    "nan": lambda v: _is_text(v) and v in ("raise", "reject"),
    "proposals": lambda v: (
        v.__class__ is list
        and all(_is_part(part) and _are_names(part.get("parameters")) for part in v)
    ),
    "start": _is_count,
    "thin": lambda v: _is_count(v, 1),
    "versions": lambda v: v.__class__ is dict and all(map(_is_text, [*v, *v.values()])),
}
_OF_LADDERS: dict[str, Callable[[Any], bool]] = {
    "betas": lambda v: (
        isinstance(v, np.ndarray)
        and v.dtype == np.float64
        and v.ndim == 2
        and v.size > 0
        and all(map(is_ladder, v))
    ),
    "swap_interval": lambda v: _is_count(v, 1),
    "swap_scheme": lambda v: _is_text(v) and v in SWAP_SCHEMES,
    "reset_after_swap": lambda v: v.__class__ is bool,
    "annealer": lambda v: v is None or _is_part(v),
}
_KINDS: dict[str, dict[str, Callable[[Any], bool]]] = {
    "metropolis_hastings": {},
    "parallel_tempered": _OF_LADDERS,
    "ensemble": {"nwalkers": lambda v: _is_count(v, 4) and v % 2 == 0 and v < _MOST_CHAINS},
}
"""The checks of the settings of each kind of sampler, beside those that all kinds have."""


_OPTIONAL: dict[str, Callable[[Any], bool]] = {
    "every": lambda v: _is_count(v, 1) or (_is_text(v) and seconds_in(v) is not None),
    "remarks": lambda v: v.__class__ is list and all(map(_is_text, v)),
    "starts": lambda v: v is None or _is_text(v),
    "labels": lambda v: v.__class__ is dict and all(map(_is_text, [*v, *v.values()])),
    "drawn": lambda v: v.__class__ is bool,
    "vectorize": lambda v: _is_count(v, 1),
    "ladder": lambda v: _is_text(v) and v == "found",
    "begins": lambda v: _is_text(v) and v == "annealed",
}
"""The checks of what need not be there."""


def _is_bit_generator(name: Any) -> bool:
    try:
        return _is_text(name) and find_bit_generator(name) is not None
    except (TypeError, ValueError):
        return False


def check_settings(settings: Any) -> None:
    """Refuse what are no settings of a run.

    Raises
    ------
    CheckpointError
        That names what is missing or malformed.
    """
    if settings.__class__ is not dict:
        raise CheckpointError("it holds no settings")
    expected = _SETTINGS | _KINDS.get(str(settings.get("sampler")), {})
    wrong = [
        name
        for kind in _KINDS.values()
        for name in (kind.keys() & settings.keys()) - expected.keys()
    ]
    wrong += [
        name
        for name, right in expected.items()
        if name not in settings or not right(settings[name])
    ]
    wrong += [
        name for name, right in _OPTIONAL.items() if name in settings and not right(settings[name])
    ]
    if "part" in settings and not _is_part_of_run(settings["part"], settings.get("nchains")):
        wrong.append("part")
    if not wrong and "prior" in settings:
        wrong += [] if _is_prior(settings["prior"], settings["parameters"]) else ["prior"]
    if not wrong and len(settings.get("betas", range(settings["nchains"]))) != settings["nchains"]:
        wrong.append("betas")
    if not wrong:
        covered = [name for part in settings["proposals"] for name in part["parameters"]]
        if sorted(covered) != sorted(settings["parameters"]):
            wrong.append("proposals")
    if wrong:
        raise CheckpointError(f"of its settings are missing or malformed: {', '.join(wrong)}")


def check_content(content: Any, start: int, stop: int, settings: Mapping[str, Any]) -> None:
    """Refuse what is no content of a segment of a run.

    Parameters
    ----------
    content : object
        The content.
    start, stop : int
        The iterations of its name.
    settings : mapping
        The settings of the run.

    Raises
    ------
    CheckpointError
        That names what is missing or malformed.
    """
    if content.__class__ is not dict:
        raise CheckpointError("it holds no segment")
    held = content.get("start"), content.get("stop")
    if not all(map(_is_count, held)) or held != (start, stop):
        raise CheckpointError(f"it holds iterations {held[0]} to {held[1]}, not those of its name")
    wrong = [
        name
        for name, right in _expected(start, stop, settings).items()
        if name not in content or not right(content[name])
    ]
    for first, *others in _TOGETHER:
        if not wrong and first in content:
            wrong += [name for name in others if len(content[name]) != len(content[first])]
    if wrong:
        raise CheckpointError(
            f"of iterations {start} to {stop} are missing or malformed: {', '.join(wrong)}"
        )


def _expected(
    start: int, stop: int, settings: Mapping[str, Any]
) -> dict[str, Callable[[Any], bool]]:
    """The contents of a segment: the name of each, and the check of its value."""
    nchains, names, thin = settings["nchains"], settings["parameters"], settings["thin"]
    ladders = settings.get("betas")
    ntemps = 1 if ladders is None else ladders.shape[1]
    shape = (*places(settings), stop // thin - start // thin)

    def notes(*axes: int) -> Callable[[Any], bool]:
        return lambda v: _is_array(v, "<f8", (-1, nchains, ntemps, *axes))

    expected: dict[str, Callable[[Any], bool]] = {
        "positions": lambda v: _is_table(v, dict.fromkeys(names, "<f8 <i8"), shape),
        **{
            name: lambda v, fields=fields: _is_table(v, fields, shape)  # type: ignore[misc]
            for name, fields in _TABLES.items()
        },
        "blobs": lambda v: (
            v is None or (isinstance(v, np.ndarray) and bool(v.dtype.names) and v.shape == shape)
        ),
        "noted iterations": lambda v: _are_iterations(v, start, stop),
        "noted widths": notes(len(names)),
        "noted betas": notes(),
    }
    if ladders is None:
        return expected
    interval = settings["swap_interval"]
    nsweeps = stop // interval - start // interval if ntemps > 1 else 0
    return expected | _expected_of_ladders(start, stop, (nchains, nsweeps), ntemps)


def _expected_of_ladders(
    start: int, stop: int, sweeps: tuple[int, int], ntemps: int
) -> dict[str, Callable[[Any], bool]]:
    return {
        "orders": lambda v: _is_array(v, "<i2", (*sweeps, ntemps), 0, ntemps - 1),
        "ratios": lambda v: _is_array(v, "<f8", (*sweeps, max(ntemps - 1, 0))),
        "ladder_iterations": lambda v: _are_iterations(v, start, stop),
        "ladders": lambda v: _is_array(v, "<f8", (-1, sweeps[0], ntemps), 0, 1),
    }


def places(settings: Mapping[str, Any]) -> tuple[int, ...]:
    """The first axes of the tables of a run, as they are on disk, and as a person gets them."""
    nchains, ladders = settings["nchains"], settings.get("betas")
    if ladders is not None:
        return ladders.shape[1], nchains
    return (nchains, settings["nwalkers"]) if "nwalkers" in settings else (nchains,)


def _is_table(value: Any, fields: Mapping[str, str], shape: tuple[int, ...]) -> bool:
    return (
        isinstance(value, np.ndarray)
        and value.dtype.names == tuple(fields)
        and all(value.dtype[name].str in kinds.split() for name, kinds in fields.items())
        and value.shape == shape
    )


def _is_array(
    value: Any, kind: str, shape: tuple[int, ...], least: float = -np.inf, most: float = np.inf
) -> bool:
    """Whether it is an array of that type and shape (-1: any number), and within bounds."""
    return (
        isinstance(value, np.ndarray)
        and value.dtype.str == kind
        and value.ndim == len(shape)
        and all(n in (m, -1) for n, m in zip(shape, value.shape, strict=True))
        and (least == -np.inf or bool(np.all((value >= least) & (value <= most))))
    )


def _are_iterations(value: Any, start: int, stop: int) -> bool:
    return _is_array(value, "<i8", (-1,), start + 1, stop) and bool(np.all(np.diff(value) > 0))
