"""Learning from where chains were: a pure function of their histories."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.linalg import LinAlgError

from epsie.proposals.learned.envelope import enveloped
from epsie.proposals.learned.fit import Fitted, fit
from epsie.proposals.learned.history import History, Sample, resampled, sample, spaced
from epsie.proposals.learned.knowledge import Knowledge
from epsie.proposals.learned.mixture import Array, Mixture
from epsie.proposals.learned.splitting import covariance
from epsie.proposals.learned.subject import Subject
from epsie.proposals.learned.surrogate import surrogates
from epsie.proposals.learned.transform import HARDLY, Transform, chosen
from epsie.proposals.learned.weights import FIRST_WEIGHTS, next_weights

SETTLED = 0.35
"""The acceptance rate of independent draws from which on nothing is searched for."""

WINDOW, LONG_WINDOW = 0.5, 0.75
"""The share of all iterations, the last ones, that is learned from; the second when settled."""

_CHOICE_ROWS, _CLEARLY = 1000, 0.06
"""Of so many rows coordinates are chosen anew once settled, if the log likelihood of each is higher
by that: early ones may have been chosen before the target was known."""

_ARCHIVE = 1000
_FOR_SHARE = 3000
"""Rows from which the weight of a prior is found, at most."""

_BOOST, _LARGEST_BOOST = 0.7, 20.0
_SURROGATE_WEIGHT = 0.15
_MANY_ROWS = 4000
"""As long as there are fewer rows, a population is learned from, too."""

_ORIGIN_WEIGHT = 0.05
"""The weight of the mixture that is fitted to the population alone."""

_DIFFERENCE_FLOOR = 0.4
_ENVELOPE_ROWS = 8000
_ROUNDING = 1e-9
_BROAD = 5.0


class Lesson(NamedTuple):
    """The data that can be learned from at a barrier.

    Parameters
    ----------
    iteration : int
        That of the barrier.
    histories : sequence of History
        Of each chain.
    tallies : array
        For each move the number of jumps since the last barrier, and sums of their acceptance
        ratios and of these times the squared jumps, by parameter. Shape (6, 2 + d).
    evaluated : History or None
        Points at which the target was evaluated, accepted or not, in any order.
    subject : Subject
        What is learned.
    population : History or None
        A population of the target from before the first iteration.
    """

    iteration: int
    histories: Sequence[History]
    tallies: Array
    evaluated: History | None
    subject: Subject
    population: History | None = None

    @property
    def settled(self) -> bool:
        """Whether independent draws are accepted often."""
        jumps, accepted = self.tallies[0, :2]
        return bool(jumps > 0 and accepted > SETTLED * jumps)


def learn(lesson: Lesson, former: Knowledge | None, first: Transform) -> Knowledge | None:
    """The knowledge of the moves until the next barrier; None to leave all as it is.

    Parameters
    ----------
    lesson : Lesson
        What is learned from.
    former : Knowledge or None
        What is known already.
    first : Transform
        The coordinates before anything was known.
    """
    share = LONG_WINDOW if lesson.settled else WINDOW
    histories = [h.since(lesson.iteration * (1 - share)) for h in lesson.histories]
    population = lesson.population
    if population is not None and sum(len(h.rows) for h in histories) < _MANY_ROWS:
        histories.append(population)
    rows = np.concatenate([h.rows for h in histories])
    if len(np.unique(rows, axis=0)) < 3:
        return None
    transform = _transform(lesson, former, first, rows)
    prior = lesson.subject.prior
    try:
        found = _learned(lesson, former, first, transform, sample(histories, transform))
        if former is not None and lesson.settled and not _is_better(found, former, rows):
            known = former.transform
            found = _learned(lesson, former, first, known, sample(histories, known))
        return found if prior is None else found.with_prior(prior, spaced(rows, _FOR_SHARE))
    except LinAlgError:
        return None


def _transform(
    lesson: Lesson, former: Knowledge | None, first: Transform, rows: Array
) -> Transform:
    """The coordinates: once settled the former ones, unless others are clearly better."""
    subject, known = lesson.subject, first if former is None else former.transform
    if former is None or not lesson.settled:
        return _chosen(subject, rows, known)
    if not (np.isfinite(subject.bounds).any() or subject.standards) or any(subject.periods):
        return known
    other = _chosen(subject, spaced(rows, _CHOICE_ROWS), known, _CLEARLY)
    return known if other.coordinates == known.coordinates else other.refined(rows)


def _chosen(subject: Subject, rows: Array, known: Transform, least: float = HARDLY) -> Transform:
    return chosen(subject.bounds, subject.periods, rows, known, least, subject.standards)


def _is_better(found: Knowledge, former: Knowledge, rows: Array) -> bool:
    """Whether other coordinates are a gain, if they are others: several modes look like anything.

    They are not so if what was learned in them is less likely than what was known.
    """
    if found.transform.coordinates == former.transform.coordinates:
        return True
    rows = spaced(rows, _CHOICE_ROWS)
    return bool(found.log_density(rows).mean() > former.log_density(rows).mean())


def _learned(
    lesson: Lesson,
    former: Knowledge | None,
    first: Transform,
    transform: Transform,
    given: Sample,
) -> Knowledge:
    bent = former is None or former.transform.coordinates != transform.coordinates
    settled = lesson.settled and not bent
    fitted = _fitted(given, former if settled else None)
    mixture, logs = fitted.broad, given.log_densities
    if settled and mixture.size > 2 and logs is not None:
        every = slice(None, None, max(1, len(logs) // _ENVELOPE_ROWS))
        mixture = enveloped(mixture, given.u[every], logs[every])
    near = None if settled or lesson.evaluated is None else _surrogate(lesson.evaluated, transform)
    if near is not None:
        mixture = mixture.joined(near, _SURROGATE_WEIGHT)
    archive = spaced(given.u, _ARCHIVE)
    if lesson.population is not None:
        mixture, archive = _with_origin(mixture, archive, sample([lesson.population], transform).u)
    known = first if former is None else former.transform
    restart = near is not None or (bent and known.coordinates != transform.coordinates)
    return Knowledge(
        transform=transform,
        mixture=mixture,
        ncore=fitted.core.size,
        archive=archive,
        weights=FIRST_WEIGHTS if former is None else _weights(lesson, former),
        spread=_spread(archive),
        rescale=known.scale / transform.scale,
        walk=_walk(covariance(given.u) if near is None else near.covs[0]),
        restart=restart,
        settled=lesson.settled,
    )


def remember(lesson: Lesson, former: Knowledge | None, first: Transform) -> Knowledge | None:
    """The knowledge of moves that need former positions alone: `learn`, but nothing is fitted."""
    histories = [h.since(lesson.iteration * (1 - LONG_WINDOW)) for h in lesson.histories]
    rows = np.concatenate([h.rows for h in histories])
    if len(np.unique(rows, axis=0)) < 3:
        return None
    known = first if former is None else former.transform
    transform = known if former else _chosen(lesson.subject, rows, known)
    archive = spaced(transform.forward_rows(rows)[0], _ARCHIVE)
    return known_of_archive(transform, archive, known.scale / transform.scale)


def known_of_archive(transform: Transform, archive: Array, rescale: Array) -> Knowledge:
    """The knowledge that former positions alone give."""
    cov = covariance(archive) + _ROUNDING * np.eye(archive.shape[1])
    return Knowledge(
        transform=transform,
        mixture=Mixture.of([1.0], archive.mean(axis=0)[np.newaxis], cov[np.newaxis], [_BROAD]),
        ncore=1,
        archive=archive,
        weights=FIRST_WEIGHTS,
        spread=_spread(archive),
        rescale=rescale,
        walk=_walk(cov),
    )


def _walk(cov: Array) -> Array:
    """The factor of the random walk for a target with this covariance."""
    d = len(cov)
    factor: Array = np.linalg.cholesky(cov + _ROUNDING * np.eye(d)) * np.float64(2.38 / sqrt(d))
    return factor


def _with_origin(mixture: Mixture, archive: Array, population: Array) -> tuple[Mixture, Array]:
    """The mixture and the archive with what they keep for good of a population."""
    origin = fit(population[::2], population[1::2]).core
    rest = spaced(archive, max(_ARCHIVE - len(population), 1))
    return mixture.joined(origin, _ORIGIN_WEIGHT), np.concatenate([population, rest])


def _weights(lesson: Lesson, former: Knowledge) -> Array:
    floor = 0.0 if lesson.population is None else _DIFFERENCE_FLOOR
    return next_weights(former.weights, lesson.tallies, lesson.subject.walk_floor, floor)


def _fitted(given: Sample, former: Knowledge | None) -> Fitted:
    """Fit every other stretch of time, and hold out the others."""
    most = max(6000, 60 * given.u.shape[1]) // 2
    boosts = former is not None and former.mixture.size > 2 and given.log_densities is not None
    parts = []
    for chosen_rows in (~given.held_out, given.held_out):
        u = given.u[chosen_rows]
        if boosts and len(u) > most:
            assert former is not None and given.log_densities is not None
            u = _boosted(u, given.log_densities[chosen_rows], former.mixture, most)
        parts.append(spaced(u, most))
    if min(map(len, parts)) == 0:
        parts = [given.u, given.u]
    return fit(parts[0], parts[1], former=None if former is None else former.core)


def _boosted(u: Array, log_densities: Array, mixture: Mixture, n: int) -> Array:
    """Rows where the mixture was too low more often, up to 20 times."""
    rows = np.column_stack([u, log_densities])
    rows = spaced(rows, 5 * n)
    lacks = rows[:, -1] - mixture.quick(rows[:, :-1])[0]
    lacks -= np.median(lacks)
    weights = np.exp(np.clip(_BOOST * lacks, 0.0, log(_LARGEST_BOOST)))
    return resampled(rows[:, :-1], weights, n)


def _surrogate(evaluated: History, transform: Transform) -> Mixture | None:
    u, log_jacobians = transform.forward_rows(evaluated.rows)
    assert evaluated.log_densities is not None
    return surrogates(u, evaluated.log_densities + log_jacobians)


def _spread(archive: Array) -> Array:
    """The half widths of the central 68 %, or what stands for them where most rows are equal."""
    low, high = np.percentile(archive, [16, 84], axis=0)
    spread, stds = (high - low) / 2, archive.std(axis=0)
    spread = np.where(spread > 0, spread, stds)
    return np.where(spread > 0, spread, 1.0)
