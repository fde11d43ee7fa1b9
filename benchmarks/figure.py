"""One measured figure: a row of the table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, and what it may be.

    Parameters
    ----------
    name : str
        What it is of.
    value : float or None
        The figure; None if it could not be measured.
    unit : str
        Its unit.
    limit : float or None
        The most (or the least) that it may be; None if it is for information.
    at_least : bool
        Whether the limit is a lower one.
    remark : str
        Whatever helps to read it.
    """

    name: str
    value: float | None
    unit: str
    limit: float | None = None
    at_least: bool = False
    remark: str = ""

    @property
    def missed(self) -> bool:
        """Whether it is beyond its limit. What was not measured misses nothing."""
        if self.limit is None or self.value is None:
            return False
        return self.value < self.limit if self.at_least else self.value > self.limit

    @property
    def row(self) -> str:
        """It as a row of a markdown table."""
        sign = "≥" if self.at_least else "≤"
        limit = "" if self.limit is None else f"{sign} {self.limit:g}"
        verdict = "" if not limit or self.value is None else "**missed**" if self.missed else "met"
        value = "not measured" if self.value is None else f"{rounded(self.value)} {self.unit}"
        return f"| {self.name} | {value} | {limit} | {verdict} | {self.remark} |"


HEADING = "| figure | measured | limit | | remark |\n|---|---|---|---|---|"


def rounded(value: float) -> str:
    """A number with three or four digits that mean something."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def asked_for(
    about: str | None,
    known: list[str],
    seeds: int,
    figures: Callable[[list[str], int], Iterator[Figure]],
) -> int:
    """Print the figures of what the command line asks for, all by default; 1 if one is missed.

    Parameters
    ----------
    about : str
        What the script says of itself.
    known : list of str
        What may be asked for.
    seeds : int
        How many runs of each there are by default.
    figures : callable
        Gives the figures of some of what is known, from so many runs.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(known)}")
    parser.add_argument("--seeds", type=int, default=seeds, help="how many runs of each")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(known))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; choose from {', '.join(known)}")
    return table(figures(options.names or known, options.seeds))


def table(figures: Iterable[Figure]) -> int:
    """Print figures as they come; 1 if one is missed."""
    print(HEADING, flush=True)
    missed = 0
    for figure in figures:
        print(figure.row, flush=True)
        missed += figure.missed
    return 1 if missed else 0
