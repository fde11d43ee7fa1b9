"""The burn-in: which draws count, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from epsie.checks import as_count
from epsie.proposals.learned.bridge import Bridge
from epsie.results.view import View

if TYPE_CHECKING:
    from epsie.diagnostics.draws import Angular


class BurnIn(NamedTuple):
    """The draws after an iteration count, for a reason. Its `str` says so."""

    iteration: int
    why: str

    def __str__(self) -> str:
        return f"after iteration {self.iteration} ({self.why})"


def burn_in_of(
    view: View, given: int | None = None, *, temperature: int = 0, angular: Angular = ()
) -> BurnIn:
    """The burn-in that counts, wherever draws are looked at.

    It is the first of these that there is: what was given; what the run was opened with; the end of
    all adaptation with a duration, if the chains are beyond it; where they have settled, in the
    first half of the draws, or the half of them.

    Parameters
    ----------
    view : View
        What is looked at.
    given : int, optional
        What a person gave.
    temperature : int, optional
        The index of the temperature that is looked at.
    angular : iterable of str or mapping, optional
        Angles beside those known from their proposals.

    Raises
    ------
    ValueError, TypeError
        If it is no count, or there are no draws.
    """
    if given is not None:
        return BurnIn(as_burn_in(given), "as given")
    at, end = view.iterations, view.known_end
    if view.source.left_out:
        return BurnIn(view.source.left_out, "as the run was opened with")
    if 0 < end < at[-1]:
        return BurnIn(end, "the end of adaptation")
    suggested = suggested_burn_in(view, temperature=temperature, angular=angular)
    half = int(at[(len(at) - 1) // 2])
    if suggested > half:
        return BurnIn(half, f"half of them; the chains settle only by iteration {suggested}")
    return BurnIn(suggested, "by when the chains have settled")


def as_burn_in(given: Any) -> int:
    """The iteration that a person gave.

    Raises
    ------
    ValueError, TypeError
        If it is no count; of a name it is said what it is to be given to.
    """
    names = given if isinstance(given, list | tuple) else [given]
    if names and all(isinstance(name, str) for name in names):
        raise TypeError(
            f"burn_in must be a whole number of iterations; got {given!r}. To pick a parameter: "
            f"draws()[{names[0]!r}], as of all that comes by name, or summary(parameters={given!r})"
        )
    return as_count(given, "burn_in", least=0)


def stretches_after(bridges: Sequence[Bridge], burn_in: int | None) -> list[Bridge]:
    """The stretches between lessons that are after a burn-in; all if None.

    Raises
    ------
    ValueError, TypeError
        If all are within it, or it is no count.
    """
    least = 0 if burn_in is None else as_burn_in(burn_in)
    used = [bridge for bridge in bridges if bridge.begin >= least]
    if bridges and not used:
        raise ValueError(
            "a stretch counts whole, from one lesson to the next: burn_in may be "
            f"{bridges[-1].begin} at most; got {burn_in}"
        )
    return used


def suggested_burn_in(view: View, *, temperature: int = 0, angular: Angular = ()) -> int:
    """The iteration by which every chain has settled in all that it records; 0: at once."""
    draws = view.columns_at("positions", temperature)
    stats = view.columns_at("stats", temperature)
    first = settled(draws, stats, view.periods_with(angular))
    return int(view.iterations[first - 1]) if first else 0


def settled(
    draws: Mapping[str, NDArray[Any]], stats: Mapping[str, NDArray[Any]], periods: Angular
) -> int:
    """The number of rows until chains have settled in their parameters and in `stats`."""
    from epsie.diagnostics.burnin import suggest_burn_in

    # Parameters may be called logl, too.
    return suggest_burn_in({**draws, **{f"({n})": stats[n] for n in ("logl", "logp")}}, periods)


def rows_after(view: View, burn_in: BurnIn) -> slice:
    """The rows after a burn-in, of which there must be some.

    Raises
    ------
    ValueError
        If there is none.
    """
    last = int(view.iterations[-1])
    if last <= burn_in.iteration:
        raise ValueError(
            f"no samples are left: burn_in is iteration {burn_in.iteration}, the chains are at "
            f"{last}. Run on, or give a smaller burn_in"
        )
    return view.after(burn_in.iteration)


def evidence_burn_in(view: View, given: int | None = None) -> BurnIn:
    """The burn-in of the evidence, for which learning must have ended and ladders be at rest.

    Raises
    ------
    ValueError
        If it is no count, or there are no draws.
    """
    burn_in, moved = burn_in_of(view, given), view.source.last_moved
    # What is reset after swaps learns anew each time.
    known = view.known_end == view.end_of_adaptation
    end = view.end_of_adaptation if known else view.source.niterations
    if given is not None or burn_in.iteration >= max(end, moved):
        return burn_in
    if end >= moved:
        return BurnIn(end, "the end of adaptation")
    return BurnIn(moved, "by when the ladder has come to rest")
