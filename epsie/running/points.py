"""Points where a sampler's chains stand: begun, taken up from a state, and the model asked anew."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from epsie.chain.wellformed import check_states, refuse_other_chains
from epsie.errors import MalformedStateError, RunDirectoryError
from epsie.execution.repeating import differences, encoded
from epsie.model.evaluation import Point, Position, in_one_order
from epsie.process.signals import interrupt_deferred
from epsie.proposals.base import BaseProposal
from epsie.proposals.learned.learned import Learned
from epsie.running.attaching import all_or_none
from epsie.running.sampler import Sampler


def place(
    sampler: Sampler,
    how: str,
    points: Sequence[Sequence[Point]],
    starts: Sequence[Sequence[Position]] | None = None,
) -> None:
    """Let every chain `begin` or `renew` with a point for each temperature.

    Parameters
    ----------
    sampler : BaseSampler
        The sampler.
    how : {'begin', 'renew'}
        What they do.
    points : sequence of sequence of Point
        By chain and temperature.
    starts : sequence of sequence of tuple, optional
        Those of all chains of the run, of which the sampler may hold a part.

    Raises
    ------
    ModelError
        If the points have different blobs.
    """
    if how == "begin":
        for chain, of_chain in zip(sampler.chains, points, strict=True):
            chain.check_start(of_chain)
    placed = iter(in_one_order([point for of_chain in points for point in of_chain]))
    with interrupt_deferred():
        for chain, of_chain in zip(sampler.chains, points, strict=True):
            getattr(chain, how)([next(placed) for _ in of_chain])
        if starts is not None:
            sampler._starts = starts
            if sampler._learner is not None:
                sampler._learner = sampler._learner.begun_anew()
            tell_spread(sampler, starts)


def is_stale(sampler: Sampler) -> bool:
    """Whether the chains' points may be of another model."""
    return any(chain.is_stale for chain in sampler.chains)


def renew(sampler: Sampler) -> None:
    """Ask the model anew about where the chains stand, if their points may be another's.

    If not, a pool that has said nothing yet is asked about one, so that it is compared.
    """
    executor = sampler._executor
    if is_stale(sampler):
        nothing = [None] * sampler.nchains
        points = executor.ask(sampler.chains, "present_points", nothing)
        if sampler._learner is not None and _are_others(sampler, points):
            # What was learned of another model is how to propose, and nothing else.
            sampler._learner = sampler._learner.forgetting()
        place(sampler, "renew", points)
    elif executor.is_unchecked:
        executor.ask(sampler.chains[0].by_temperature[:1], "present_points", [None])


def _are_others(sampler: Sampler, points: Sequence[Sequence[Point]]) -> bool:
    """Whether the model says anything else of where the chains stand."""
    former = [level.point for chain in sampler.chains for level in chain.by_temperature]
    now = [point for of_chain in points for point in of_chain]
    return [(p.logl, p.logp) for p in former] != [(p.logl, p.logp) for p in now]


def take_up(sampler: Sampler, state: Any) -> None:
    """Go on from a state that was read, of which nothing is sure but its checksum.

    Raises
    ------
    MalformedStateError
        If it is malformed, or of another sampler.
    """
    try:
        with all_or_none(sampler):
            refuse_other_chains(sampler.chains, state)
            if sampler._finds:
                sampler._fit_to(state)
            check_states(sampler.chains, state)
            sampler.set_state(state)
    except MalformedStateError:
        raise
    except ValueError as error:
        raise MalformedStateError(str(error)) from error


def check_model(sampler: Sampler) -> None:
    """Evaluate the model where the chains stand, and compare with what was saved.

    Raises
    ------
    RunDirectoryError
        If a value differs by more than rounding. Other last bits warn.
    """
    places = [[leaf.point.x for leaf in chain.by_temperature] for chain in sampler.chains]
    found = sampler._executor.ask(sampler.chains, "examine_starts", places)
    other = []
    for chain, (points, problems) in zip(sampler.chains, found, strict=True):
        if problems:
            other.append(f"chain {chain.chain_id}: {'; '.join(problems)}")
            continue
        for leaf, point in zip(chain.by_temperature, points, strict=True):
            if encoded(leaf.point.blob) != encoded(point.blob):
                _warn(f"the model's blob was {leaf.point.blob} in the run and is {point.blob} now")
            other += [f"chain {chain.chain_id}: {text}" for text in _changes(leaf.point, point)]
    if other:
        raise RunDirectoryError(
            "the model is not that of the run: at saved positions it gives other values\n  "
            + "\n  ".join(other[:10])
            + "\nGive the model of the run, or choose another directory"
        )
    for chain in sampler.chains:
        for leaf in chain.by_temperature:
            leaf.stale = False


def _changes(saved: Point, now: Point) -> Iterator[str]:
    for found in differences(saved, now):
        if not found.is_rounding:
            yield f"{found.name} was {found.was!r} and is {found.now!r}"
            continue
        _warn(
            f"the model's {found.name} differs in its last bits from that of the run: "
            f"{found.was!r} then, {found.now!r} now. Go on, but not bit for bit"
        )


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=2)


_EPS = float(np.finfo(float).eps)


def tell_spread(sampler: Sampler, starts: Sequence[Sequence[Position]]) -> None:
    """Tell all proposals that learn, and have not begun, how far the starts are apart.

    At each temperature it is the spread over all chains of the run, so that it depends on the
    starts alone.
    """
    for levels, xs in zip(sampler._leaves(), zip(*starts, strict=True), strict=True):
        columns = zip(*xs, strict=True)
        values = dict(zip(sampler.parameters, columns, strict=True))
        parts = zip(*[level.proposal_dist.leaves() for level in levels], strict=True)
        for part in parts:
            first = part[0]
            if first.nsteps or not (first.adaptation or isinstance(first, Learned)):
                continue
            stds = [_spread(first, i, values[name]) for i, name in enumerate(first.parameters)]
            for twin in part:
                if isinstance(twin, Learned):
                    twin._start_from(stds)
                elif twin.adaptation is not None:
                    twin.adaptation.start_from(twin, stds)


def _spread(proposal: BaseProposal, i: int, values: tuple[float, ...]) -> float:
    """The standard deviation of the starts of a parameter; 0 if it is nothing but rounding."""
    known = [value for value in values if value == value]
    if len(known) < 2:
        return 0.0
    near = np.array(proposal._nearest(i, known, known[0]), dtype=float)
    away = near - near.mean()
    farthest = float(np.abs(away).max())
    if farthest <= 4 * _EPS * float(np.abs(near).max()):
        return 0.0
    # Their squares may overflow.
    return farthest * float(np.std(away / farthest, ddof=1))
