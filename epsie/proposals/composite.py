"""Proposals that consist of others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from epsie.model.evaluation import Position
from epsie.proposals.base import BaseProposal
from epsie.proposals.distribution import set_state_of, state_of
from epsie.proposals.outcome import VirtualMove
from epsie.proposals.places import Picker, picker
from epsie.rng.stream import Stream


class Assembly(BaseProposal):
    """A proposal that consists of others, its parts."""

    _parts: tuple[BaseProposal, ...]

    def _locate(self, parameters: tuple[str, ...]) -> None:
        super()._locate(parameters)
        for part in self._parts:
            part._locate(parameters)

    def _meet(self, model: Any) -> None:
        for part in self._parts:
            part._meet(model)

    def _share(self, stream: Stream) -> None:
        super()._share(stream)
        for part in self._parts:
            part._share(stream)

    def leaves(self) -> Iterator[BaseProposal]:
        """Its parts, and theirs."""
        for part in self._parts:
            yield from part.leaves()

    @property
    def _learns_virtually(self) -> bool:
        return any(part._learns_virtually for part in self._parts)


class Composite(Assembly):
    """A proposal that consists of others, each of which is for some of its parameters."""

    _ordered: Callable[[Any], Position]
    """Puts the values of all parts, one part after the other, in the order of its parameters."""

    def _arrange(self) -> list[list[int]]:
        """Take and give positions in the order of `parameters`: where each part has its places."""
        self._locate(self.parameters)
        where = {name: i for i, name in enumerate(self.parameters)}
        places = [[where[name] for name in part.parameters] for part in self._parts]
        given = [i for place in places for i in place]
        order = [given.index(i) for i in range(len(given))]
        self._ordered = tuple if order == sorted(order) else picker(order)
        return places

    def _position(self, values: Mapping[str, Any]) -> Position:
        return self._ordered([value for part in self._parts for value in part._position(values)])

    def _moves_of(
        self, blocks: Iterable[tuple[BaseProposal, Picker]], x: Position, y: Position
    ) -> list[VirtualMove]:
        """The virtual moves of some parts, with the other parameters as they are at `x`."""
        moves = []
        for part, pick in blocks:
            for move in part._virtual_moves(pick(x), pick(y)):
                moved = dict(zip(part.parameters, move.x, strict=True))
                here = zip(self.parameters, x, strict=True)
                moves.append(move._replace(x=tuple([moved.get(n, v) for n, v in here])))
        return moves

    def reset(self) -> None:
        """Let all parts forget what they learned."""
        for part in self._parts:
            part.reset()

    def _evolved(self) -> dict[str, Any]:
        return {"+".join(part.parameters): state_of(part) for part in self._parts}

    def _form(self) -> dict[str, Any]:
        forms = {"+".join(part.parameters): part._form() for part in self._parts}
        return {**self._evolved(), **forms}

    def _check_state(self, keys: set[str]) -> None:
        """Refuse a state of other parts.

        Raises
        ------
        ValueError
            If there are other parts than these.
        """
        mine = {"+".join(part.parameters) for part in self._parts}
        if mine != keys:
            raise ValueError(
                f"the state is of proposals for {sorted(keys)}, but these are for {sorted(mine)}"
            )

    def _evolve(self, state: Mapping[str, Any]) -> None:
        self._check_state(set(state) - {"random_state"})
        for part in self._parts:
            set_state_of(part, state["+".join(part.parameters)])
