"""Modes of a population that chains began with, and keep or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from epsie.proposals.learned.history import History, spaced
from epsie.results.source import rows_of
from epsie.results.view import View
from epsie.tempering.log_z import Floats

_NEIGHBOUR, _FAR = 3, 3.0
"""A particle is left if the nearest draw is so many times farther than its third neighbour."""

_NEIGHBOURS, _LINKED = 5, 0.08
"""Particles that are left and near to each other are a mode if of so many nearest neighbours less
than that share are particles that were not left."""

_MOST_DRAWS, _LEAST_DRAWS = 2000, 500
MUCH = 0.02
"""Of a population: fewer are in no mode."""


def left_share(population: Floats, draws: Floats) -> float:
    """The share of a population that is in modes where no draw is.

    What is near to particles that were not left is no mode of its own: a population that has not
    arrived is wider than the posterior.

    Parameters
    ----------
    population : array
        Particles, some of them perhaps equal. Shape (n, d).
    draws : array
        Shape (m, d).
    """
    particles, counts = np.unique(population, axis=0, return_counts=True)
    if len(particles) <= _NEIGHBOURS:
        return 0.0
    scale = np.maximum(particles.std(axis=0), 1e-300)
    particles, draws = particles / scale, draws / scale
    away = np.array([np.square(particles - particle).sum(axis=1) for particle in particles])
    nearest = np.array([np.square(draws - particle).sum(axis=1).min() for particle in particles])
    np.fill_diagonal(away, np.inf)
    order = np.sort(away, axis=1)
    left = nearest > _FAR**2 * order[:, _NEIGHBOUR - 1]
    if not left.any():
        return 0.0
    from scipy.sparse.csgraph import connected_components

    near = away[left] <= order[left, _NEIGHBOURS - 1, np.newaxis]
    groups, group = connected_components(near[:, left], directed=False)
    links, to_others = near.sum(axis=1), near[:, ~left].sum(axis=1)
    of_others = np.bincount(group, to_others, groups) / np.bincount(group, links, groups)
    return float(counts[left][of_others[group] < _LINKED].sum() / len(population))


def left_behind(view: View, learned: Mapping[str, Any]) -> float:
    """The share of the population that the coldest chains began with, and have left since.

    Parameters
    ----------
    view : View
        The run.
    learned : mapping
        What was learned at the coldest temperature, as plain data.
    """
    n = len(rows_of(view.source))
    if learned.get("population") is None or n * view.nchains < _LEAST_DRAWS:
        return 0.0
    names = learned["parameters"]
    columns = view.columns_at("positions", 0, names, slice(n // 2, None))
    draws = np.stack([columns[name].ravel() for name in names], axis=-1).astype(float)
    population = History.from_plain(learned["population"], len(names)).rows
    return left_share(population, spaced(draws, _MOST_DRAWS))
