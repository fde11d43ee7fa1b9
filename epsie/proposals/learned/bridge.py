"""A bridge from what was learned to the target: what the evidence is found from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from epsie.proposals.learned.knowledge import Knowledge
from epsie.proposals.learned.mixture import Array
from epsie.proposals.learned.plain import counted, entry, malformed, rows_of

FRESH_COLUMNS = 3
"""Of an independent draw: log densities of target, mixture and prior."""


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
        At its independent draws from the mixture, accepted or not, the same and log densities of
        the prior; -inf where the target vanishes. Shape (m, 3).
    reference : Knowledge or None
        What was learned, where it has the prior as a component; then `draws` are empty, as chains
        at several temperatures have more of them.
    """

    begin: int
    end: int
    draws: Sequence[Array]
    fresh: Sequence[Array]
    reference: Knowledge | None = None

    def plain(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {
            "begin": self.begin,
            "end": self.end,
            "draws": [counted(rows) for rows in self.draws],
            "fresh": [counted(rows) for rows in self.fresh],
            "reference": None if self.reference is None else self.reference.plain(),
        }

    @classmethod
    def from_plain(cls, plain: Any, nchains: int, ndim: int) -> Self:
        """A bridge from what `plain` gave.

        Raises
        ------
        MalformedStateError
            If it is something else.
        """
        begin, end = entry(plain, "begin", int), entry(plain, "end", int)
        draws, fresh = tables_of(plain, "draws", nchains, 2), fresh_of(plain, nchains)
        known = None
        if plain.get("reference", plain) is not None:
            known = Knowledge.from_plain(entry(plain, "reference", dict), ndim)
        return cls(begin, end, draws, fresh, known)


def fresh_of(plain: Mapping[str, Any], nchains: int) -> list[Array]:
    """The independent draws by chain.

    Raises
    ------
    MalformedStateError
        If they are none.
    """
    return tables_of(plain, "fresh", nchains, FRESH_COLUMNS)


def tables_of(plain: Mapping[str, Any], name: str, nchains: int, columns: int) -> list[Array]:
    """The log densities of this name, by chain.

    Raises
    ------
    MalformedStateError
        If they are none.
    """
    tables = entry(plain, name, list)
    if len(tables) != nchains:
        raise malformed(name, f"of {nchains} chains", tables)
    return [rows_of({name: table}, name, columns, finite=False) for table in tables]
