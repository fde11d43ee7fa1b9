"""A view of a source: its columns, and what follows from its settings."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import as_count
from epsie.proposals.adaptation.base import end_of_learning
from epsie.proposals.base import BaseProposal
from epsie.results.source import ALL, Source, rows_of, source_of

if TYPE_CHECKING:
    from epsie.diagnostics.draws import Angular

Columns = dict[str, NDArray[Any]]


class View:
    """A look at a sampler or an opened run: columns, and what follows from its settings.

    Parameters
    ----------
    given : BaseSampler or Run
        A sampler, or what `epsie.open_run` gave.

    Raises
    ------
    TypeError
        If it is neither.
    """

    def __init__(self, given: Any) -> None:
        self.source: Source = source_of(given)
        self.nchains = self.source.nchains
        self.ntemps, self.nwalkers = self.source.ntemps, self.source.nwalkers

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return tuple(self.source.settings["parameters"])

    @property
    def labels(self) -> dict[str, str]:
        """Labels that were given with the prior, of those parameters that have one."""
        found: dict[str, str] = self.source.settings.get("labels", {})
        return found

    @cached_property
    def leaves(self) -> list[BaseProposal]:
        """The proposals of a chain, and what is inside of them."""
        return [leaf for part in self.source.proposals for leaf in part.leaves()]

    @property
    def has_hot(self) -> bool:
        """Whether a chain is not at beta = 1."""
        return bool((self.source.betas != 1).any())

    @cached_property
    def iterations(self) -> NDArray[np.int64]:
        """The iterations of the rows, of which there must be some.

        Raises
        ------
        ValueError
            If there is none.
        """
        found = rows_of(self.source)
        if len(found) == 0:
            raise ValueError(
                "there are no iterations to look at: run the sampler, or run it on if its annealed "
                "start is not done, or leave out fewer"
            )
        return found

    def after(self, iteration: int) -> slice:
        """The rows after an iteration."""
        return slice(int(np.searchsorted(self.iterations, iteration, side="right")), None)

    def columns(
        self, table: str, names: Iterable[str] | None = None, temperatures: slice = ALL
    ) -> Columns:
        """Columns of a table, each of shape (ntemps, nchains, n, ...); none without blobs.

        Raises
        ------
        ValueError
            If there is no row.
        """
        _ = self.iterations  # which refuses to be empty
        found: dict[str, list[NDArray[Any]]] = {}
        for piece in self.source.pieces(table, temperatures):
            # A view would keep what was read of the other columns.
            for name in piece.dtype.names or () if names is None else names:
                found.setdefault(name, []).append(piece[name].copy())
        return {
            name: parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
            for name, parts in found.items()
        }

    def columns_at(
        self,
        table: str,
        temperature: int,
        names: Iterable[str] | None = None,
        rows: slice = ALL,
    ) -> Columns:
        """Columns of a table at one temperature, each of shape (nchains, n, ...).

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
        found = self.columns(table, names, slice(temperature, temperature + 1))
        return {name: column[0][:, rows] for name, column in found.items()}

    @cached_property
    def periods(self) -> dict[str, float]:
        """The periods of those parameters that are angles."""
        return {name: value for leaf in self.leaves for name, value in leaf.periods().items()}

    def periods_with(self, angular: Angular) -> dict[str, float]:
        """The periods of those, and of angles that were given."""
        from epsie.diagnostics.draws import angular_periods

        return self.periods | angular_periods(angular, self.parameters)

    @cached_property
    def end_of_adaptation(self) -> int:
        """The iteration at which all adaptation that has a duration ends; 0 without any."""
        entry = self.source.settings.get("annealer") or {}
        config = (entry.get("recipe") or {}).get("config", {})
        return max(config.get("duration") or 0, *map(end_of_learning, self.leaves), 0)

    @property
    def known_end(self) -> int:
        """`end_of_adaptation`; 0 if it is not known, as proposals are reset after swaps."""
        return 0 if self.source.settings.get("reset_after_swap") else self.end_of_adaptation
