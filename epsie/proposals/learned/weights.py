"""The probabilities with which moves are drawn."""

from __future__ import annotations

import numpy as np

from epsie.proposals.learned.mixture import Array

FIRST_WEIGHTS = np.array([0.3, 0.3, 0.2, 0.05, 0.12, 0.12]) / 1.09
"""Of independence, Crank-Nicolson, difference, snooker, local and random walk."""

_FLOORS = np.array([0.0, 0.3, 0.2, 0.07, 0.35, 0.08])
"""The share of each move in a floor that shrinks as independent draws are accepted more often."""

_INDEPENDENCE = 0.06


def next_weights(
    former: Array, tallies: Array, walk_floor: float, difference_floor: float = 0.0
) -> Array:
    """The probabilities of the moves after a barrier.

    They follow the square of the capped squared jump a step of the worst parameter, half and half
    with the former ones. None falls below a floor, so that each goes on being tried.

    Parameters
    ----------
    former : array
        The probabilities up to now. Shape (6,).
    tallies : array
        See `Lesson`.
    walk_floor : float
        The least probability of the random walk, less where over half of what is independent is
        accepted.
    difference_floor : float
        The least probability of differences where no independent draw is accepted: of many modes
        some are in no component. It shrinks to nothing where a fifth is accepted.
    """
    jumps, accepted = tallies[:, 0], tallies[:, 1]
    if not jumps[0]:
        return former
    worth = (tallies[:, 2:] / np.maximum(jumps, 1)[:, np.newaxis]).min(axis=1)
    worth = np.square(np.maximum(worth, 1e-12))
    weights = 0.5 * former + 0.5 * worth / worth.sum()
    floors = (0.08 + 0.3 * (1 - accepted[0] / jumps[0])) * _FLOORS
    floors[0] = _INDEPENDENCE
    floors[2] = max(floors[2], difference_floor * (1 - 5 * accepted[0] / jumps[0]))
    floors[-1] = max(floors[-1], walk_floor * min(1.0, 2 * (1 - accepted[0] / jumps[0])))
    found: Array = floors + (1 - floors.sum()) * weights / weights.sum()
    found /= found.sum()
    return found
