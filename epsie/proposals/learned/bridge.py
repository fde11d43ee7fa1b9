"""A bridge from what was learned to the target: what the evidence is found from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.plain import counted, entry, malformed, rows_of


class Bridge(NamedTuple):
    """Log densities of target and mixture, from one barrier to another, by chain.

    The mixture is normalised and frozen meanwhile. The target is likelihood times prior.

    Parameters
    ----------
    begin, end : int
        The barriers.
    draws : sequence of array
        Where each chain was, in the order of time. Shape (n, 2).
    fresh : sequence of array
        At its independent draws from the mixture, accepted or not; -inf where the target vanishes.
        Shape (m, 2).
    """

    begin: int
    end: int
    draws: Sequence[Array]
    fresh: Sequence[Array]

    def plain(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {
            "begin": self.begin,
            "end": self.end,
            "draws": [counted(rows) for rows in self.draws],
            "fresh": [counted(rows) for rows in self.fresh],
        }

    @classmethod
    def from_plain(cls, plain: Any, nchains: int) -> Self:
        """A bridge from what `plain` gave.

        Raises
        ------
        MalformedStateError
            If it is something else.
        """
        draws, fresh = (pairs_of(plain, name, nchains) for name in ("draws", "fresh"))
        return cls(entry(plain, "begin", int), entry(plain, "end", int), draws, fresh)


def pairs_of(plain: Mapping[str, Any], name: str, nchains: int) -> list[Array]:
    """The pairs of log densities of this name, by chain.

    Raises
    ------
    MalformedStateError
        If they are none.
    """
    tables = entry(plain, name, list)
    if len(tables) != nchains:
        raise malformed(name, f"of {nchains} chains", tables)
    return [rows_of({name: table}, name, 2, finite=False) for table in tables]
