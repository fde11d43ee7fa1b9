"""When a run has enough: the rule of `until`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import ceil, inf, isnan
from numbers import Real
from typing import TYPE_CHECKING, Any

from epsie.chain.base import Segment
from epsie.checks import as_count
from epsie.logs import logger
from epsie.results.burn_in import settled
from epsie.results.source import rows_of
from epsie.results.view import View
from epsie.running.sampler import Sampler
from epsie.running.trace import Trace

# The diagnostics are imported where they are used: to sample needs none.
if TYPE_CHECKING:
    from epsie.diagnostics.draws import Angular, Parameter

_FIRST = 128
"""The first iteration at which is checked."""

_LEAST_ROWS = 1000
"""So many rows of each chain are looked at, if there are as many: R-hat needs no more."""

_ROWS_PER_ESS = 16
"""Rows for each effective sample that is wanted: thinning to it costs less than 1 % of them."""


@dataclass(frozen=True)
class Until:
    """Effective sample sizes and R-hat that a run is to reach.

    The rule: a run stops at the first iteration at which

    * is checked: 128, 160, 192, 224, and from there on doubled: 256, 320, 384, 448, 512, ...,
      always counted from the start of the chains;
    * of every parameter, at the coldest temperature, the rank-normalised split R-hat is at most
      `rhat`, and the bulk and the tail effective sample size of all chains together are at
      least `ess`. Angles, discrete and transdimensional parameters (and whether they are
      active) are looked at as `epsie.diagnostics` does; those that never changed are left out.

    The draws after the burn-in count. It is `burn_in`, if given; else the iteration at which
    all adaptation with a duration ends; else what `epsie.diagnostics.suggest_burn_in` suggests
    at each check, which must be in the first half. In a run directory the whole run counts (of
    a thinned one, what is kept); else what was visited since the last clear or resume. Long
    runs are thinned for it, by the smallest power of 2 that leaves at most 1000 draws of each
    chain, or 16 for each effective sample wanted of it.

    So where a run stops depends on the samples alone, not on how it was split or resumed, nor
    on the pool.

    Parameters
    ----------
    ess : float, optional
        The least bulk and tail effective sample size, of all chains together.
    rhat : float, optional
        The largest rank-normalised split R-hat.
    burn_in : int, optional
        The iteration after which draws count.
    angular : iterable of str or mapping, optional
        Angles beside those that are known from their proposals: see `epsie.diagnostics`.
    """

    ess: float | None = None
    rhat: float | None = None
    burn_in: int | None = None
    angular: Angular = ()

    def __post_init__(self) -> None:
        for name, least in (("ess", 0), ("rhat", 1)):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, Real) and least < float(value) < inf):
                raise ValueError(
                    f"the {name} to reach must be a number above {least}; got {value!r}"
                )
        if self.burn_in is not None:
            as_count(self.burn_in, "burn_in", least=0)


def as_until(given: Mapping[str, Any] | Until) -> Until:
    """The targets of a run, from the dict that a person gives.

    Raises
    ------
    ValueError
        If there is no target, or one is unknown or cannot be reached.
    TypeError
        If it is no dict.
    """
    if isinstance(given, Until):
        given = vars(given)
    if not isinstance(given, Mapping):
        raise TypeError(
            f"until must be a dict, as {{'ess': 400, 'rhat': 1.01}}; got {given!r} of type "
            f"{type(given).__name__}"
        )
    known = {field.name for field in fields(Until)}
    if not set(given) <= known or (given.get("ess") is None and given.get("rhat") is None):
        raise ValueError(
            "until must have 'ess' or 'rhat' or both, and may have 'burn_in' and 'angular'; got "
            f"{dict(given)!r}"
        )
    return Until(**given)


def next_check(iteration: int) -> int:
    """The first iteration after this one at which is checked: 4, 5, 6 or 7 times a power of 2."""
    if iteration < _FIRST:
        return _FIRST
    exponent = iteration.bit_length() - 3
    return ((iteration >> exponent) + 1) << exponent


class Stopper:
    """Checks a run as it goes; one of the ends of `epsie.running.ending`.

    Parameters
    ----------
    until : Until
        What is to be reached.
    view : View
        The sampler.
    """

    name = "until"

    def __init__(self, until: Until, view: View) -> None:
        start = view.source.start
        self.until = until
        self.parameters, self.nwalkers = view.parameters, view.nwalkers
        self.periods = view.periods_with(until.angular)
        # Where `burn_in_of` makes do with what there is, a run goes on: until learning has ended,
        # or the chains have settled in the first half of the draws (of the trace, which is short).
        known = view.known_end or None
        self.burn_in = known if until.burn_in is None else until.burn_in
        rows = _ROWS_PER_ESS * (until.ess or 0) / view.nchains
        after = max(start, self.burn_in or 0)
        self.trace = Trace(after, max(_LEAST_ROWS, ceil(rows)), view.source.spacing)
        self.iteration = start
        self.met = False
        """Whether the present iteration is one at which is checked, and all is reached."""

    @property
    def room(self) -> int:
        """The number of iterations until it wants to check."""
        return next_check(self.iteration) - self.iteration

    def at(self, iteration: int) -> None:
        """Check, if it is time to."""
        self.iteration = iteration
        self.met = False
        if iteration == next_check(iteration - 1):
            lack = self.lack()
            self.met = not lack
            logger.debug("check at iteration %d: %s", iteration, lack or "all is reached")

    def saw(self, segments: Sequence[Segment]) -> None:
        """Take in a segment of each chain, and check if it is time to."""
        self.at(self.trace.add_segments(self.iteration, segments))

    def lack(self) -> str:
        """The reason to go on at the present iteration, in words; '' if all targets are reached."""
        from epsie.diagnostics.draws import LEAST_DRAWS, as_parameters

        values = self.trace.values
        if self.burn_in is not None and self.iteration <= self.burn_in:
            return f"the burn-in ends at iteration {self.burn_in}"
        if values is None:
            return "there are too few draws" if self.iteration else "the chains have yet to begin"
        draws = dict(zip(self.parameters, values, strict=False))
        first = 0
        if self.burn_in is None:
            first = settled(draws, {"logl": values[-2], "logp": values[-1]}, self.periods)
            if first > len(self.trace.iterations) // 2:
                return f"the chains settle only by iteration {self.trace.iterations[first]}"
        if len(self.trace.iterations) - first < LEAST_DRAWS:
            return "there are too few draws"
        counted = {name: of_it[:, first:] for name, of_it in draws.items()}
        parameters = as_parameters(counted, self.periods, self.nwalkers)
        moving = {name: p for name, p in parameters.items() if not p.is_constant}
        if not moving:
            return "no chain has moved"
        return next(filter(None, (self._lack_of(n, p) for n, p in moving.items())), "")

    def _lack_of(self, name: str, parameter: Parameter) -> str:
        from epsie.diagnostics import convergence

        ess, rhat = self.until.ess, self.until.rhat
        if rhat is not None:
            found = convergence.of_parameter("rhat", parameter)
            if isnan(found) or found > rhat:
                return f"R-hat of {name} is {found:.4g}, and is to be {rhat:g}"
        for kind in ("ess_bulk", "ess_tail"):
            found = inf if ess is None else convergence.of_parameter(kind, parameter)
            if isnan(found) or found < (ess or 0):
                return f"{kind} of {name} is {found:.0f}, and is to be {ess:g}"
        return ""


def stopper_of(sampler: Sampler, until: Until) -> Stopper:
    """A stopper that knows what a sampler has visited: in its directory, or since its last clear.

    Parameters
    ----------
    sampler : BaseSampler
        The sampler; if it has a directory it stands where it was saved.
    until : Until
        What is to be reached.
    """
    view = View(sampler)
    source, cold = view.source, slice(1)
    stopper = Stopper(until, view)
    at = rows_of(source)
    tables = zip(source.pieces("positions", cold), source.pieces("stats", cold), strict=True)
    for (positions,), (stats,) in tables:
        n = positions.shape[-1]
        chains = [{"positions": p, "stats": s} for p, s in zip(positions, stats, strict=True)]
        stopper.trace.add(at[:n], chains)
        at = at[n:]
    stopper.at(sampler.niterations)
    return stopper
