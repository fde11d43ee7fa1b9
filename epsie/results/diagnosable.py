"""Diagnostics as methods: of samplers, and of runs on disk."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsie.checks import as_count
from epsie.logs import logger

if TYPE_CHECKING:
    from epsie.diagnostics import Summary
    from epsie.diagnostics.draws import Angular
    from epsie.results.visited import Visited

Floats = NDArray[np.float64]


class Chosen(NamedTuple):
    """The draws that are to be diagnosed, and how they were chosen."""

    draws: NDArray[np.void]
    periods: dict[str, float]
    burn_in: int
    burn_in_is: str
    spacing: int


class Diagnosable:
    """What has chains that can be diagnosed; see `epsie.diagnostics` for what each method gives.

    All take

    burn_in : int, optional
        The iteration after which draws are used. By default that at which all adaptation with a
        duration has ended; if there is none, or it goes on, the suggested one, at most half.
    temperature : int, optional
        Which temperature of a tempered chain, by index: 0 is the coldest.
    angular : iterable of str or mapping, optional
        Angles in radians, or the period of each, beside those known from their proposals.
    """

    @property
    def adaptation_end(self) -> int | None:
        """The iteration at which all adaptation with a duration has ended; None without any.

        Components of a transdimensional proposal, which are not always active, may adapt longer. It
        is not known (None) if proposals are reset after swaps.
        """
        return self._visited.known_end or None

    @property
    def _visited(self) -> Visited:
        from epsie.results.visited import Visited

        return Visited(self)

    # ---- how much draws are worth

    def autocorrelation_length(
        self, burn_in: int | None = None, *, temperature: int = 0, angular: Angular = ()
    ) -> dict[str, Floats]:
        """The integrated autocorrelation length of every chain, in iterations; by parameter."""
        from epsie import diagnostics

        chosen = self._chosen(burn_in, temperature, angular)
        lengths = diagnostics.autocorrelation_length(chosen.draws, chosen.periods)
        return {name: chosen.spacing * length for name, length in lengths.items()}

    def ess_bulk(
        self, burn_in: int | None = None, *, temperature: int = 0, angular: Angular = ()
    ) -> dict[str, float]:
        """The effective sample size for the centre of the distribution, by parameter."""
        found: dict[str, float] = self._diagnosed("ess_bulk", burn_in, temperature, angular)
        return found

    def ess_tail(
        self, burn_in: int | None = None, *, temperature: int = 0, angular: Angular = ()
    ) -> dict[str, float]:
        """The effective sample size for the tails, by parameter."""
        found: dict[str, float] = self._diagnosed("ess_tail", burn_in, temperature, angular)
        return found

    def rhat(
        self, burn_in: int | None = None, *, temperature: int = 0, angular: Angular = ()
    ) -> dict[str, float]:
        """The rank-normalised split R-hat, by parameter."""
        found: dict[str, float] = self._diagnosed("rhat", burn_in, temperature, angular)
        return found

    def nested_rhat(
        self,
        superchains: ArrayLike,
        burn_in: int | None = None,
        *,
        temperature: int = 0,
        angular: Angular = (),
    ) -> dict[str, float]:
        """The nested R-hat, by parameter; `superchains` has the superchain of each chain."""
        from epsie import diagnostics

        chosen = self._chosen(burn_in, temperature, angular)
        return diagnostics.nested_rhat(chosen.draws, superchains, chosen.periods)

    def mcse_mean(
        self, burn_in: int | None = None, *, temperature: int = 0, angular: Angular = ()
    ) -> dict[str, float]:
        """The Monte Carlo standard error of the mean, by parameter."""
        found: dict[str, float] = self._diagnosed("mcse_mean", burn_in, temperature, angular)
        return found

    def mcse_sd(
        self, burn_in: int | None = None, *, temperature: int = 0, angular: Angular = ()
    ) -> dict[str, float]:
        """The Monte Carlo standard error of the standard deviation, by parameter."""
        found: dict[str, float] = self._diagnosed("mcse_sd", burn_in, temperature, angular)
        return found

    # ---- how the chains do

    def acceptance_rate(self, burn_in: int = 0, *, temperature: int = 0) -> Floats:
        """The share of its jumps that each chain accepted after `burn_in`, shape (nchains,)."""
        from epsie import diagnostics

        visited = self._visited
        table = visited.table_at("acceptance", temperature)
        return diagnostics.acceptance_rate(table[:, visited.some_iterations > burn_in])

    def block_acceptance_rate(self, burn_in: int = 0, *, temperature: int = 0) -> dict[str, Floats]:
        """The share of each block's jumps that were accepted, by parameters joined with '+'."""
        from epsie import diagnostics

        visited = self._visited
        intervals = {
            "+".join(part.parameters): (part.jump_interval, part.jump_interval_duration)
            for part in visited.proposals
        }
        after = visited.some_iterations > burn_in
        table = visited.table_at("acceptance", temperature)[:, after]
        return diagnostics.block_acceptance_rate(table, visited.iterations[after], intervals)

    def suggest_burn_in(self, *, temperature: int = 0, angular: Angular = ()) -> int:
        """The iteration by which every chain has settled in all that it records; 0: at once."""
        from epsie import diagnostics
        from epsie.diagnostics.draws import as_periods

        visited = self._visited
        at = visited.some_iterations
        positions, stats = (visited.table_at(name, temperature) for name in ("positions", "stats"))
        draws = {name: positions[name] for name in visited.parameters}
        # Parameters may be called so, too.
        draws |= {f"({name})": stats[name] for name in ("logl", "logp")}
        periods = visited.periods | as_periods(angular, visited.parameters)
        first = diagnostics.suggest_burn_in(draws, periods)
        return int(at[first - 1]) if first else 0

    def stuck_chains(self, *, temperature: int = 0) -> dict[int, int]:
        """The chains that have ceased to move, and the iteration since which each stands."""
        from epsie import diagnostics

        visited = self._visited
        found = diagnostics.stuck_chains(visited.table_at("positions", temperature))
        return {chain: int(visited.iterations[first]) for chain, first in found.items()}

    def summary(
        self, burn_in: int | None = None, *, temperature: int = 0, angular: Angular = ()
    ) -> Summary:
        """Estimates, their errors, and what is wrong, in words: see `epsie.diagnostics.Summary`.

        The words are logged as warnings, too.
        """
        from epsie import diagnostics

        chosen = self._chosen(burn_in, temperature, angular)
        end, used = self.adaptation_end, chosen.burn_in
        adapting = end is not None and used < end
        summary = diagnostics.summarise(
            chosen.draws,
            chosen.periods,
            burn_in=used,
            burn_in_is=chosen.burn_in_is,
            spacing=chosen.spacing,
            acceptance_rate=self.acceptance_rate(used, temperature=temperature),
            stuck=self.stuck_chains(temperature=temperature),
            warnings=[f"proposals or the ladder adapt until iteration {end}"] if adapting else [],
        )
        for warning in summary.warnings:
            logger.warning("summary: %s", warning)
        return summary

    def to_arviz(
        self,
        burn_in: int | None = None,
        *,
        hot: bool = True,
        blob_groups: Mapping[str, str] | None = None,
    ) -> Any:
        """What was visited, for ArviZ: see `epsie.arviz.to_arviz`."""
        from epsie.results.arviz import to_arviz

        return to_arviz(self, burn_in, hot=hot, blob_groups=blob_groups)

    # ---- which draws

    def _diagnosed(self, name: str, burn_in: int | None, temperature: int, angular: Angular) -> Any:
        from epsie import diagnostics

        chosen = self._chosen(burn_in, temperature, angular)
        return getattr(diagnostics, name)(chosen.draws, chosen.periods)

    def _chosen(self, burn_in: int | None, temperature: int, angular: Angular) -> Chosen:
        from epsie.diagnostics.draws import as_periods

        visited = self._visited
        at = visited.some_iterations
        periods = visited.periods | as_periods(angular, visited.parameters)
        used, used_is = self._burn_in(burn_in, temperature, angular)
        draws = visited.table_at("positions", temperature)
        spacing = int(at[1] - at[0]) if len(at) > 1 else 1
        first = int(np.searchsorted(at, used, side="right"))
        return Chosen(draws[:, first:], periods, used, used_is, spacing)

    def _burn_in(self, burn_in: int | None, temperature: int, angular: Angular) -> tuple[int, str]:
        """The burn-in to use, and where it comes from."""
        if burn_in is not None:
            return as_count(burn_in, "burn_in", least=0), "as given"
        opened_with: int = getattr(self, "burn_in", 0)
        if opened_with:
            return opened_with, "as the run was opened with"
        end, at = self.adaptation_end, self._visited.some_iterations
        if end is not None and end < at[-1]:
            return end, "the end of adaptation"
        suggested = self.suggest_burn_in(temperature=temperature, angular=angular)
        half = int(at[(len(at) - 1) // 2])
        if suggested > half:
            return half, f"half of them; the chains settle only by iteration {suggested}"
        return suggested, "by when the chains have settled"
