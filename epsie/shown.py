"""Samplers, chains and runs in a line and in a notebook."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any
from unicodedata import category

import numpy as np

Facts = Sequence[tuple[str, str]]


class Shown:
    """Shows itself by facts. It never fails: half made, it says what it is."""

    def _facts(self) -> Facts:
        """The facts that a person wants to know, by name."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return shown(self, type(self)._facts)

    def _repr_html_(self) -> str:
        return shown_in_html(self, type(self)._facts)


def shown(thing: Any, facts_of: Callable[[Any], Facts]) -> str:
    """A thing by its facts, in a line. It never fails: of what is half made it says what it is."""
    name = type(thing).__name__
    texts = ", ".join(text for _, text in _facts(thing, facts_of))
    return in_line(f"<{name}: {texts}>") if texts else f"<{name}>"


def shown_in_html(thing: Any, facts_of: Callable[[Any], Facts]) -> str:
    """A thing by its facts, as a table of HTML."""
    return table(type(thing).__name__, _facts(thing, facts_of))


def _facts(thing: Any, facts_of: Callable[[Any], Facts]) -> Facts:
    try:
        return facts_of(thing)
    except Exception:  # whatever is not there yet
        return ()


def printable(text: str) -> str:
    """A text of which a terminal obeys nothing: names may hold what moves its cursor or worse."""
    return "".join(
        [character if _is_shown(character) else _escaped(character) for character in text]
    )


def in_line(text: str) -> str:
    """The same, in one line."""
    return printable(text).replace("\n", "\\n")


def _is_shown(character: str) -> bool:
    return character == "\n" or category(character)[0] != "C"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


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
    """The facts by which a sampler is shown."""
    first = sampler.chains[0]
    chains = chains_in_words(sampler.nchains * first.nwalkers, first.nwalkers)
    if (ntemps := first.ntemps) > 1:
        chains += f" x {ntemps} temperatures"
    facts = [("chains", chains), ("parameters", f"parameters {some(sampler.parameters)}")]
    facts.append(("proposals", some([type(part).__name__ for part in sampler.proposals])))
    if first.start is None:
        return [*facts, ("iterations", "no start position yet")]
    facts.append(("iterations", counted(sampler.niterations, "iteration")))
    if sampler.niterations > sampler.lastclear:
        coldest = [levels[0] for chain in sampler.chains for levels in chain.by_walker]
        rates = [chain.acceptance["accepted"].mean() for chain in coldest]
        facts.append(("acceptance", f"acceptance {np.mean(rates):.2f}"))
    return facts


def chain_facts(chain: Any) -> Facts:
    """The facts by which a chain is shown."""
    facts = [("chain", f"chain {chain.chain_id}")]
    coldest = chain.by_temperature[0]
    if chain.nwalkers > 1:
        facts.append(("walkers", f"{chain.nwalkers} walkers"))
    elif chain.ntemps > 1:
        facts.append(("temperatures", f"{chain.ntemps} temperatures"))
    elif coldest.beta != 1:
        facts.append(("beta", f"beta {coldest.beta:.4g}"))
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


def chains_in_words(nchains: int, nwalkers: int = 1) -> str:
    """A number of chains; of ensembles how many, and of how many walkers each."""
    if nwalkers == 1:
        return counted(nchains, "chain")
    return f"{counted(nchains // nwalkers, 'ensemble')} of {nwalkers} walkers"


def counted(n: int, thing: str) -> str:
    """A number of things."""
    return f"{n} {thing}" + ("" if n == 1 else "s")


def digits(value: float, error: float) -> str:
    """A value with as many digits as its error, of which there are two, lets be told."""
    if not error > 0 or not np.isfinite(value) or not np.isfinite(error):
        return f"{value:.4g}"
    places = np.floor(np.log10(abs(value) or error)) - np.floor(np.log10(error))
    return f"{value:#.{int(np.clip(places + 2, 2, 8))}g}".removesuffix(".")


def setting(value: Any) -> str:
    """A setting in a line: of large arrays the shape."""
    if isinstance(value, np.ndarray):
        if value.size > 9:
            return f"<array of shape {value.shape}>"
        value = value.tolist()
    return repr(value)
