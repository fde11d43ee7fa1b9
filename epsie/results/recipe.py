"""The Python text that makes a run again."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from epsie.chain.recipes import CLASS, arguments_of, class_of
from epsie.results.source import Beginning, source_of

_SAMPLERS = {
    "metropolis_hastings": "MetropolisHastingsSampler",
    "parallel_tempered": "ParallelTemperedSampler",
    "ensemble": "EnsembleSampler",
}
_AS_THEY_ARE = (
    "nwalkers",
    "swap_interval",
    "swap_scheme",
    "reset_after_swap",
    "seed",
    "bit_generator",
    "nan",
    "vectorize",
)


def recipe(self: Any) -> str:
    """The Python text that makes the run again, bit for bit, with all that was chosen for it.

    It speaks of what is a user's own by name: ``model``, or ``log_likelihood`` and ``prior``, and
    ``start_position`` unless the starts were drawn.

    Raises
    ------
    ValueError
        If the run cannot be made from its settings alone: says why.
    """
    source = source_of(self)
    settings, beginning = source.settings, source.beginning
    if beginning is None:
        raise ValueError(
            "this is not a whole run from its start on, but what followed a state or a clear, or "
            "several runs: ask the run that was there at the start, or each of them"
        )
    classes: set[tuple[str, str]] = set()
    arguments = list(_arguments(settings, beginning, classes))
    yours = ["log_likelihood", "prior"] if "prior" in settings else ["model"]
    yours += [] if beginning.drawn else ["start_position"]
    lines = [f"# Of your own: {', '.join(yours)}.", "import epsie"]
    lines += ["import numpy"] if any("numpy.array(" in text for text in arguments) else []
    lines += [f"from {module} import {name}" for module, name in sorted(classes)]
    lines += ["", f"sampler = epsie.{_SAMPLERS[settings['sampler']]}("]
    lines += [*[f"    {text}," for text in arguments], ")"]
    lines += [] if beginning.drawn else ["sampler.start_position = start_position"]
    return "\n".join([*lines, f"sampler.run({source.niterations})", ""])


def _arguments(
    settings: Mapping[str, Any], beginning: Beginning, classes: set[tuple[str, str]]
) -> Iterator[str]:
    """The arguments of the sampler."""
    if "prior" in settings:
        yield "epsie.Posterior(log_likelihood, prior)"
    else:
        yield repr(settings["parameters"])
        yield "model"
    part = settings.get("part", {"of": settings["nchains"], "chains": None})
    yield f"{'nensembles' if 'nwalkers' in settings else 'nchains'}={part['of']}"
    if beginning.betas is not None:
        yield f"betas={beginning.betas.tolist()}"
    yield _moved_by(settings, classes)
    annealer = settings.get("annealer")
    if annealer is not None:
        if annealer["recipe"] is None:
            raise ValueError(f"the annealer {annealer['class']} is of a class of your own")
        yield f"adaptive_annealer={_text(annealer['recipe'], classes)}"
    found = ("swap_interval",) if "ladder" in settings else ()
    names = [name for name in _AS_THEY_ARE if name in settings and name not in found]
    yield from (f"{name}={settings[name]!r}" for name in names)
    if part["chains"] is not None:
        yield f"chains={part['chains']}"
    if "begins" in settings:
        yield f"start={settings['begins']!r}"


def _moved_by(settings: Mapping[str, Any], classes: set[tuple[str, str]]) -> str:
    """The argument that says how chains propose.

    Raises
    ------
    ValueError
        If a proposal is of a user's own class.
    """
    entries = settings["proposals"]
    unknown = [f"{entry['class']}(...)" for entry in entries if entry["recipe"] is None]
    if unknown:
        raise ValueError(
            f"{', '.join(unknown)} is of a class of your own, or was changed after it was made: "
            "there is no text that makes it"
        )
    if "nwalkers" in settings:
        return f"moves={_text(entries[0]['recipe']['config']['moves'], classes)}"
    texts = [_text(entry["recipe"], classes) for entry in entries]
    return f"proposals=[{', '.join(texts)}]"


def _home(cls: type) -> str:
    """Where a class is imported from: its room, if that has it, else its file."""
    room = ".".join(cls.__module__.split(".")[:2])
    return room if getattr(sys.modules[room], cls.__name__, None) is cls else cls.__module__


def _text(plain: Any, classes: set[tuple[str, str]]) -> str:
    """The text that makes what plain data stand for; the classes in it are noted."""
    if isinstance(plain, dict) and CLASS in plain:
        cls = class_of(plain)
        classes.add((_home(cls), cls.__name__))
        positional, config = arguments_of(cls, plain["config"])
        texts = [_text(value, classes) for value in positional]
        texts += [f"{name}={_text(value, classes)}" for name, value in config.items()]
        return f"{cls.__name__}({', '.join(texts)})"
    if isinstance(plain, dict):
        return f"{{{', '.join(f'{k!r}: {_text(v, classes)}' for k, v in plain.items())}}}"
    if isinstance(plain, list):
        return f"[{', '.join(_text(value, classes) for value in plain)}]"
    if isinstance(plain, tuple):
        texts = [_text(value, classes) for value in plain]
        return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
    if isinstance(plain, np.ndarray):
        return f"numpy.array({_text(plain.tolist(), classes)})"
    value = plain.item() if isinstance(plain, np.generic) else plain
    if isinstance(value, float) and not np.isfinite(value):
        return f"float({str(value)!r})"
    return repr(value)
