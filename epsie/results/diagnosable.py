"""Diagnostics and the evidence as methods: of samplers, and of runs on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsie.logs import logger
from epsie.results import learned, plain, tempered
from epsie.results.arviz import to_arviz
from epsie.results.burn_in import BurnIn, burn_in_of, rows_after, suggested_burn_in
from epsie.results.draws import draws, maximum_a_posteriori
from epsie.results.jumps import off_the_aim
from epsie.results.quantities import Quantity, chosen, draws_of, left_out
from epsie.results.recipe import recipe
from epsie.results.source import Source
from epsie.results.view import Columns, View
from epsie.tempering import communication
from epsie.tempering.evidence import Evidence

# Imported where they are used: to sample needs none.
if TYPE_CHECKING:
    from epsie.diagnostics.draws import Angular
    from epsie.diagnostics.summary import Summary

Floats = NDArray[np.float64]


def _of_draws(name: str, gives: str) -> Callable[..., dict[str, float]]:
    """The method that applies a function of `epsie.diagnostics` to the draws that count."""

    def method(
        self: Diagnosable,
        burn_in: int | None = None,
        *,
        temperature: int = 0,
        angular: Angular = (),
    ) -> dict[str, float]:
        from epsie.diagnostics import convergence

        draws, periods, _ = self._chosen(burn_in, temperature, angular)
        found: dict[str, float] = getattr(convergence, name)(draws, periods, self._source.nwalkers)
        return found

    method.__name__, method.__doc__ = name, gives
    method.__qualname__ = f"Diagnosable.{name}"
    return method


class Diagnosable:
    """Diagnostics of a sampler or a run; see `epsie.diagnostics` for what each method gives.

    A sampler that writes a run directory speaks of the whole run there, as `epsie.open_run` does;
    another one of what it did since the last clear. All take

    burn_in : int, optional
        The iteration after which draws are used; by default see `epsie.results.burn_in.burn_in_of`.
    temperature : int, optional
        Which temperature of a tempered chain, by index: 0 is the coldest.
    angular : iterable of str or mapping, optional
        Angles in radians, or the period of each, beside those known from their proposals.
    """

    @property
    def _source(self) -> Source:
        """The source of what is looked at."""
        raise NotImplementedError

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the run as plain data, those that were chosen for it included."""
        return self._source.settings

    @property
    def adaptation_end(self) -> int | None:
        """The iteration at which all adaptation with a duration has ended; None without any.

        Components of a transdimensional proposal, which are not always active, may adapt longer. It
        is not known (None) if proposals are reset after swaps.
        """
        return View(self).known_end or None

    ess_bulk = _of_draws(
        "ess_bulk", "The effective sample size for the centre of the distribution, by parameter."
    )
    ess_tail = _of_draws("ess_tail", "The effective sample size for the tails, by parameter.")
    rhat = _of_draws("rhat", "The rank-normalised split R-hat, by parameter.")
    mcse_mean = _of_draws("mcse_mean", "The Monte Carlo standard error of the mean, by parameter.")
    mcse_sd = _of_draws("mcse_sd", "That of the standard deviation, by parameter.")

    def autocorrelation_length(
        self, burn_in: int | None = None, *, temperature: int = 0, angular: Angular = ()
    ) -> dict[str, Floats]:
        """The autocorrelation length of every chain or ensemble, in iterations; by parameter."""
        from epsie.diagnostics import convergence

        draws, periods, _ = self._chosen(burn_in, temperature, angular)
        lengths = convergence.autocorrelation_length(draws, periods, self._source.nwalkers)
        return {name: self._source.spacing * length for name, length in lengths.items()}

    def nested_rhat(
        self,
        superchains: ArrayLike,
        burn_in: int | None = None,
        *,
        temperature: int = 0,
        angular: Angular = (),
    ) -> dict[str, float]:
        """The nested R-hat, by parameter; `superchains` has the superchain of each chain."""
        from epsie.diagnostics import convergence

        draws, periods, _ = self._chosen(burn_in, temperature, angular)
        return convergence.nested_rhat(draws, superchains, periods)

    def acceptance_rate(self, burn_in: int = 0, *, temperature: int = 0) -> Floats:
        """The share of its jumps that each chain accepted after `burn_in`, shape (nchains,)."""
        from epsie.diagnostics import acceptance

        view = View(self)
        rows = rows_after(view, burn_in_of(view, burn_in))
        return acceptance.acceptance_rate(view.columns_at("acceptance", temperature, rows=rows))

    def block_acceptance_rate(self, burn_in: int = 0, *, temperature: int = 0) -> dict[str, Floats]:
        """The share of each block's jumps that were accepted, by parameters joined with '+'."""
        from epsie.diagnostics import acceptance

        view = View(self)
        rows = rows_after(view, burn_in_of(view, burn_in))
        table = view.columns_at("acceptance", temperature, rows=rows)
        intervals = {
            "+".join(part.parameters): (part.jump_interval, part.jump_interval_duration)
            for part in view.source.proposals
        }
        return acceptance.block_acceptance_rate(table, view.iterations[rows], intervals)

    def suggest_burn_in(self, *, temperature: int = 0, angular: Angular = ()) -> int:
        """The iteration by which every chain has settled in all that it records; 0: at once."""
        return suggested_burn_in(View(self), temperature=temperature, angular=angular)

    def stuck_chains(self, *, temperature: int = 0) -> dict[int, int]:
        """The chains that have ceased to move, and the iteration since which each stands."""
        from epsie.diagnostics import burnin

        view = View(self)
        found = burnin.stuck_chains(view.columns_at("positions", temperature))
        return {chain: int(view.iterations[first]) for chain, first in found.items()}

    def summary(
        self,
        burn_in: int | None = None,
        *,
        temperature: int = 0,
        angular: Angular = (),
        parameters: str | Iterable[str] | None = None,
        blobs: bool | str | Iterable[str] = False,
    ) -> Summary:
        """Estimates, their errors, and what is wrong, in words: see `epsie.diagnostics.Summary`.

        The words are logged as warnings, too. It has the evidence, or why there is none, and of
        tempered chains the round trips.

        Parameters
        ----------
        burn_in, temperature, angular
            As for all.
        parameters : str or iterable of str, optional
            Which, or names of blobs; all parameters by default. Of a blob that is an array all
            elements, or one, as ``"a[0]"``.
        blobs : bool, str or iterable of str, optional
            Blobs beside these; True: all numbers, and arrays that are not long.

        Raises
        ------
        ValueError
            If there is no such parameter or blob, or it is no number.
        """
        from epsie.diagnostics.summary import summarise

        view = View(self)
        wanted = chosen(view, parameters, blobs)
        draws, periods, used = self._chosen(burn_in, temperature, angular, wanted)
        end, remarks = view.known_end, [*view.source.remarks, *plain.remarks(view)]
        if used.iteration < end:
            remarks.append(f"proposals or the ladder adapt until iteration {end}")
        if blobs is True and (unseen := left_out(view)):
            remarks.append(unseen)
        summary = summarise(
            draws,
            periods,
            burn_in=used.iteration,
            burn_in_is=used.why,
            spacing=view.source.spacing,
            acceptance_rate=self.acceptance_rate(used.iteration, temperature=temperature),
            stuck=self.stuck_chains(temperature=temperature),
            warnings=remarks,
            facts=tempered.facts(view, burn_in),
            labels=view.labels,
            off=partial(off_the_aim, view, used.iteration, temperature),
            nwalkers=view.nwalkers,
        )
        for warning in summary.warnings:
            logger.warning("summary: %s", warning)
        return summary

    def _chosen(
        self,
        burn_in: int | None,
        temperature: int,
        angular: Angular,
        wanted: dict[str, Quantity] | None = None,
    ) -> tuple[Columns, dict[str, float], BurnIn]:
        """The draws that are to be diagnosed, the periods of angles, and the burn-in."""
        from epsie.diagnostics.draws import angular_periods

        view = View(self)
        wanted = wanted or chosen(view)
        periods = angular_periods(angular, {**dict.fromkeys(view.parameters), **wanted})
        own = {name: period for name, period in periods.items() if name in view.parameters}
        used = burn_in_of(view, burn_in, temperature=temperature, angular=own)
        draws = draws_of(view, wanted, temperature, rows_after(view, used))
        periods = view.periods | periods
        return draws, {name: periods[name] for name in draws if name in periods}, used

    learned = property(learned.learned)
    recipe = recipe
    to_arviz = to_arviz
    draws = draws
    maximum_a_posteriori = maximum_a_posteriori

    @property
    def round_trips(self) -> NDArray[np.int64]:
        """The number of times that a point went from coldest to hottest and back, by chain.

        Raises
        ------
        ValueError
            If there is one temperature only.
        """
        return tempered.round_trips(View(self))

    @property
    def swap_acceptance(self) -> Floats:
        """The mean acceptance ratio of each adjacent pair, shape (ntemps - 1, nchains).

        Raises
        ------
        ValueError
            If there is one temperature only, or no sweep.
        """
        return communication.swap_acceptance(tempered.ratios(View(self)))

    @property
    def communication_barrier(self) -> Floats:
        """The barrier of each chain, shape (nchains,); see `epsie.tempering.communication`.

        Raises
        ------
        ValueError
            If there is one temperature only, or no sweep.
        """
        return communication.communication_barrier(tempered.ratios(View(self)))

    @property
    def recommended_ntemps(self) -> int:
        """The number of temperatures that the mean barrier of the chains recommends."""
        return communication.recommended_ntemps(float(self.communication_barrier.mean()))

    def log_evidence(self, method: str | None = None, burn_in: int | None = None) -> Evidence:
        """The evidence.

        Of a `Posterior` nothing else is needed, and the error includes that of the normalisation of
        a constraint. Of another model `logp` must be the logarithm of a normalised density, of
        which `caveat` reminds.

        Parameters
        ----------
        method : {'mbar', 'bridge', 'stepping_stone', 'thermodynamic', 'mixture'}, optional
            How to estimate it: from temperatures by one of the first four, 'mbar' if None, see
            `epsie.tempering.evidence`; of plain chains that learned together by the last, that sees
            nothing of modes in which none of them was: see `epsie.tempering.bridges`.
        burn_in : int, optional
            Samples up to this iteration are left out, iterations before a clear counted. By default
            as everywhere, but not before adaptation has ended and all ladders have come to rest.

        Returns
        -------
        Evidence
            `log_z`, its `standard_error`, `method`, and `per_chain`, each with its own ladder.

        Raises
        ------
        ValueError
            If the ladder does not reach beta = 0; if it moved after `burn_in`; if too few samples
            are left.
        """
        return tempered.log_evidence(View(self), method, burn_in)
