"""What a sampler holds or a run has saved, seen alike: for pictures and exports."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.chaindata import stack_tables
from epsie.checks import as_count
from epsie.proposals.adaptation.base import end_of_learning
from epsie.proposals.base import BaseProposal
from epsie.storage.rundir.manifest import Manifest, describe
from epsie.storage.rundir.reader import Run
from epsie.storage.rundir.recipes import remade
from epsie.storage.rundir.segments import concatenated


class Visited:
    """What the chains of a sampler or of an opened run have visited.

    Tables have an axis of temperatures, coldest first, also if there is one temperature only: shape
    (ntemps, nchains, n).

    Parameters
    ----------
    source : BaseSampler or Run
        A sampler, which has what was visited since its last clear, or what `epsie.open_run` gave.

    Raises
    ------
    TypeError
        If it is neither.
    """

    def __init__(self, source: Any) -> None:
        # Of the class: to ask the source itself would read a whole table.
        if not hasattr(type(source), "acceptance") or not hasattr(source, "nchains"):
            raise TypeError(
                "this takes a sampler or what epsie.open_run gives; got "
                f"{source!r} of type {type(source).__name__}"
            )
        self.source = source
        self.settings: Manifest = source.manifest if isinstance(source, Run) else describe(source)
        self.parameters: tuple[str, ...] = tuple(source.parameters)
        self.nchains: int = source.nchains
        self.tempered = "betas" in self.settings
        self.ntemps: int = self.settings["betas"].shape[1] if self.tempered else 1
        self.proposals = list(_proposals(source))
        """The proposals of a chain; of a run those that can be made anew."""
        self.leaves = [leaf for part in self.proposals for leaf in part.leaves()]
        """Those, and what is inside of them."""

    @property
    def iterations(self) -> NDArray[np.int64]:
        """The iterations of the rows, counted from 1, shape (n,)."""
        if isinstance(self.source, Run):
            return self.source.iterations
        return np.arange(self.source.lastclear + 1, self.source.niterations + 1)

    @property
    def some_iterations(self) -> NDArray[np.int64]:
        """The iterations of the rows, of which there must be some.

        Raises
        ------
        ValueError
            If there is none.
        """
        found = self.iterations
        if len(found) == 0:
            raise ValueError(
                "there are no iterations to look at: run the sampler first, or leave out fewer"
            )
        return found

    def table_at(self, name: str, temperature: int) -> NDArray[np.void]:
        """Positions, stats or acceptance at one temperature, shape (nchains, n).

        Raises
        ------
        ValueError
            If there is no such temperature, or no row.
        """
        if as_count(temperature, "temperature", least=0) >= self.ntemps:
            raise ValueError(
                f"temperature must be an index from 0, the coldest, to {self.ntemps - 1}; got "
                f"{temperature!r}"
            )
        assert len(self.some_iterations)
        if not self.tempered:
            whole: NDArray[np.void] = getattr(self.source, name)
            return whole
        if isinstance(self.source, Run):
            return concatenated([piece[temperature] for piece in self.source.pieces(name)], -1)
        return stack_tables(
            [getattr(chain.by_temperature[temperature], name) for chain in self.source.chains]
        )

    def table(self, name: str) -> NDArray[Any] | None:
        """Positions, stats, acceptance or blobs, shape (ntemps, nchains, n); None without blobs."""
        found: NDArray[Any] | None = getattr(self.source, name)
        return found if found is None or self.tempered else found[np.newaxis]

    @property
    def betas(self) -> NDArray[np.float64]:
        """Inverse temperatures where the chains are, shape (nchains, ntemps)."""
        return self.source.betas if self.tempered else np.ones((self.nchains, 1))

    @property
    def periods(self) -> dict[str, float]:
        """The periods of those parameters that are angles."""
        return {name: value for leaf in self.leaves for name, value in leaf.periods().items()}

    @property
    def end_of_adaptation(self) -> int:
        """The iteration at which all adaptation that has a duration ends."""
        entry = self.settings.get("annealer") or {}
        config = (entry.get("recipe") or {}).get("config", {})
        return max(config.get("duration") or 0, *map(end_of_learning, self.leaves), 0)

    @property
    def known_end(self) -> int:
        """`end_of_adaptation`; 0 if it is not known, as proposals are reset after swaps."""
        return 0 if self.settings.get("reset_after_swap") else self.end_of_adaptation

    def burn_in(self, given: int | None) -> int:
        """The iterations to leave out: those given, or those of adaptation.

        Raises
        ------
        ValueError
            If nothing would be left.
        """
        burn_in = self.end_of_adaptation if given is None else given
        iterations = self.iterations
        if not len(iterations) or iterations[-1] <= burn_in:
            last = iterations[-1] if len(iterations) else self.source.niterations
            why = "adaptation ends at" if given is None else "burn_in is"
            raise ValueError(
                f"no samples are left: {why} iteration {burn_in}, the chains are at {last}. Run "
                "on, or give a smaller burn_in"
            )
        return burn_in


def _proposals(source: Any) -> list[BaseProposal]:
    if not isinstance(source, Run):
        given: list[BaseProposal] = source.proposals
        return given
    recipes = [entry["recipe"] for entry in source.manifest["proposals"]]
    return [remade(recipe) for recipe in recipes if recipe is not None]
