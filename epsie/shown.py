"""How samplers, chains and runs show themselves, in a line and in a notebook."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Facts = Sequence[tuple[str, str]]


class Shown:
    """Shows itself by facts. It never fails: half made, it says what it is."""

    def _facts(self) -> Facts:
        """What a person wants to know, by name."""
        raise NotImplementedError

    def __repr__(self) -> str:
        name = type(self).__name__
        facts = _or_else(self._facts, ())
        return f"<{name}: {', '.join(text for _, text in facts)}>" if facts else f"<{name}>"

    def _repr_html_(self) -> str:
        return table(type(self).__name__, _or_else(self._facts, ()))


def _or_else(ask: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return ask()
    except Exception:  # whatever is not there yet
        return otherwise


def table(title: str, facts: Facts) -> str:
    """Facts as a table of HTML."""
    rows = "".join(
        f'<tr><th style="text-align: left">{html.escape(name)}</th>'
        f'<td style="text-align: left">{html.escape(text)}</td></tr>'
        for name, text in facts
    )
    return f"<table><caption>{html.escape(title)}</caption>{rows}</table>"


def some(names: Sequence[str], most: int = 6) -> str:
    """Names, of many the first ones."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])}, ... ({len(names)})"


def sampler_facts(sampler: Any) -> Facts:
    """What there is to know of a sampler."""
    chains = counted(sampler.nchains, "chain")
    if hasattr(sampler, "ntemps"):
        chains += f" x {counted(sampler.ntemps, 'temperature')}"
    facts = [("chains", chains), ("parameters", f"parameters {some(sampler.parameters)}")]
    facts.append(("proposals", some([type(part).__name__ for part in sampler.proposals])))
    if not sampler._has_start:
        return [*facts, ("iterations", "no start position yet")]
    facts.append(("iterations", counted(sampler.niterations, "iteration")))
    if sampler.niterations > sampler.lastclear:
        coldest = [chain.by_temperature[0] for chain in sampler.chains]
        rates = [chain.acceptance["accepted"].mean() for chain in coldest]
        facts.append(("acceptance", f"acceptance {np.mean(rates):.2f}"))
    return facts


def chain_facts(chain: Any) -> Facts:
    """What there is to know of a chain."""
    facts = [("chain", f"chain {chain.chain_id}")]
    if hasattr(chain, "betas"):
        facts.append(("temperatures", counted(chain.ntemps, "temperature")))
    elif chain.beta != 1:
        facts.append(("beta", f"beta {chain.beta:.4g}"))
    coldest = chain.by_temperature[0]
    if coldest.start is None:
        return [*facts, ("iteration", "no start position yet")]
    values = [f"{name}={value:.4g}" for name, value in coldest.current_position.items()]
    stats = coldest.current_stats
    return [
        *facts,
        ("iteration", f"iteration {chain.iteration}"),
        ("position", f"at {some(values)}"),
        ("log likelihood", f"logl {stats['logl']:.6g}"),
        ("log prior", f"logp {stats['logp']:.6g}"),
    ]


def counted(n: int, thing: str) -> str:
    """A number of things."""
    return f"{n} {thing}" + ("" if n == 1 else "s")


def setting(value: Any) -> str:
    """A setting in a line: of large arrays the shape."""
    if isinstance(value, np.ndarray):
        if value.size > 9:
            return f"<array of shape {value.shape}>"
        value = value.tolist()
    return repr(value)
