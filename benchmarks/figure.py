"""One measured figure: a row of the table."""

from __future__ import annotations

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
