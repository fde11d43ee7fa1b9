"""A part of a run: those of its chains that a sampler holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from epsie.checks import as_count, given


class Part(NamedTuple):
    """The chains of a run that a sampler holds, by their ids, and how many the run has."""

    chains: tuple[int, ...]
    of: int

    @property
    def is_whole(self) -> bool:
        """Whether they are all."""
        return len(self.chains) == self.of

    def described(self) -> dict[str, Any]:
        """It as plain data of a manifest; nothing of a whole run."""
        return {} if self.is_whole else {"part": {"chains": list(self.chains), "of": self.of}}


def as_part(chains: Iterable[int] | None, nchains: int) -> Part:
    """The chains that are asked for of a run with so many; all if None.

    Raises
    ------
    TypeError
        If they are no whole numbers.
    ValueError
        If there is none, or one of them twice, or unknown.
    """
    of = as_count(nchains, "nchains")
    if chains is None:
        return Part(tuple(range(of)), of)
    if isinstance(chains, int | str) or not isinstance(chains, Iterable):
        raise TypeError(
            f"chains must be the ids of some of the {of} chains, as range(4); got {given(chains)}"
        )
    ids = [as_count(chain, "each of chains", least=0) for chain in chains]
    if not ids or len({*ids}) < len(ids) or max(ids) >= of:
        raise ValueError(
            f"chains must be different ids from 0 to {of - 1}, as the run has nchains={of}; got "
            f"{ids}"
        )
    return Part(tuple(sorted(ids)), of)
