"""The proposal of a walker: a mixture of moves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from math import inf
from typing import Any

from epsie.checks import as_count, given
from epsie.ensembles.moves import MOVES, Drawn, Move, Stretch
from epsie.model.evaluation import Position
from epsie.proposals.base import BaseProposal
from epsie.proposals.learned.arguments import as_periods

Moves = str | Move | Mapping[str | Move, float] | Iterable[str | Move | tuple[str | Move, float]]
"""A move, or several with weights; by its name with the settings it has by default."""


class EnsembleMoves(BaseProposal):
    """A mixture of moves from where the other half of an ensemble stands.

    Parameters
    ----------
    parameters : str or iterable of str
        The parameters, real numbers: all of the model.
    moves : str, Move, mapping or iterable, optional
        The moves and their weights, as ``[(DifferentialEvolution(), 0.8), ("snooker", 0.2)]`` or
        ``{"stretch": 1, "snooker": 1}``; `Stretch` alone if None.
    periods : mapping, optional
        The period of those parameters that are angles, for diagnostics. They are moved as real
        numbers.

    Raises
    ------
    ValueError
        If there is no move, one is unknown, or a weight or a period is not positive.
    TypeError
        If something is no move.
    """

    name = "ensemble_moves"

    def __init__(
        self,
        parameters: str | Iterable[str],
        moves: Moves | None = None,
        periods: Mapping[str, float] | None = None,
    ) -> None:
        self.parameters = parameters
        self.moves = as_moves(moves)
        total = sum(weight for _, weight in self.moves)
        self._upto = [(upto / total, m) for (m, _), upto in zip(self.moves, _sums(self.moves))]
        self._only = self.moves[0][0] if len(self.moves) == 1 else None
        self.symmetric = all(move.symmetric for move, _ in self.moves)
        turns = zip(self.parameters, as_periods(periods, self.parameters))
        self._periods = {name: turn for name, turn in turns if turn is not None}

    @property
    def config(self) -> dict[str, Any]:
        """Its arguments by name: they make an equal one."""
        moves = [list(of) for of in self.moves]
        return {"parameters": self.parameters, "moves": moves, "periods": self._periods}

    @property
    def least(self) -> int:
        """The number of walkers in the other half that it needs at least."""
        return max(move.least for move, _ in self.moves)

    def draw_from(self, x: Position, others: Sequence[Position]) -> Drawn:
        """A jump from `x` by one of the moves, and what it adds to the log ratio."""
        move = self._only
        if move is None:
            u = self.stream.uniform()
            move = next((m for upto, m in self._upto if u < upto), self._upto[-1][1])
        return move.draw(x, others, self.stream)

    def set_jump_interval(self, jump_interval: int, duration: int | None = None) -> None:
        """Refused: all walkers move at every step.

        Raises
        ------
        ValueError
            Unless it is 1.
        """
        if as_count(jump_interval, "jump_interval") != 1:
            raise ValueError(
                f"the walkers of an ensemble move at every step: leave out the jump_interval; got "
                f"{jump_interval}"
            )

    def draw(self, x: Position) -> Position:
        """Refused: a walker by itself cannot jump."""
        raise TypeError("an ensemble moves its walkers from where others stand: draw_from")

    def periods(self) -> dict[str, float]:
        """The period of each parameter that is an angle."""
        return self._periods


def as_moves(moves: Moves | None) -> list[tuple[Move, float]]:
    """Moves and their weights.

    Raises
    ------
    ValueError
        If there is none, one is unknown, or a weight is not positive.
    TypeError
        If something is no move.
    """
    if moves is None:
        return [(Stretch(), 1.0)]
    several: Any = [moves] if isinstance(moves, str | Move) else moves
    if not isinstance(several, Iterable):
        raise TypeError(f"moves must be {_EXAMPLES}; got {given(moves)}")
    pairs = list(several.items() if isinstance(several, Mapping) else several)
    if not pairs:
        raise ValueError(f"moves must be {_EXAMPLES}; got none")
    return [_weighted(pair) for pair in pairs]


_EXAMPLES = f"of {', '.join(MOVES)}, with weights, as [('stretch', 0.8), ('snooker', 0.2)]"


def _weighted(pair: Any) -> tuple[Move, float]:
    move, weight = pair if isinstance(pair, tuple | list) and len(pair) == 2 else (pair, 1.0)
    if isinstance(move, str) and move in MOVES:
        move = MOVES[move]()
    elif isinstance(move, str):
        raise ValueError(f"moves must be {_EXAMPLES}; got {move!r}")
    if not isinstance(move, Move):
        raise TypeError(f"moves must be {_EXAMPLES}; got {given(move)}")
    try:
        weight = float(weight)
    except (TypeError, ValueError):
        weight = 0.0
    if not 0 < weight < inf:
        raise ValueError(f"the weight of {move} must be a positive number; got {pair[1]!r}")
    return move, weight


def _sums(moves: Sequence[tuple[Move, float]]) -> Iterable[float]:
    """The sums of the weights up to each move."""
    return accumulate(weight for _, weight in moves)
