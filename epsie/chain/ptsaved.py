"""What of a tempered chain travels to a worker and back, and is saved: its state."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Self

from epsie.chain.base import Segment
from epsie.chain.notes import Note
from epsie.chain.ptrecorded import RecordedTemperedChain
from epsie.tempering.annealing import annealer_state, set_annealer_state
from epsie.tempering.swaps import SwapHistory


class SavedTemperedChain(RecordedTemperedChain):
    """A tempered chain that can be sent, saved and taken up again."""

    adaptive_annealer: Any

    # ---- travelling to a worker and back

    def reserve(self, niterations: int) -> None:
        """Make room for the rows of so many steps."""
        for chain in self.chains:
            chain.reserve(niterations)

    def shell(self) -> Self:
        """Itself without its history and its model, and sharing all else: to be pickled."""
        twin = copy.copy(self)
        twin.chains = [chain.shell() for chain in self.chains]
        twin.swaps = SwapHistory(self.ntemps)
        twin.notes = []
        return twin

    def detached(self) -> Self:
        """An independent copy without its history and its model."""
        twin = copy.copy(self)
        twin.stream = self.stream.copied()
        twin.chains = [chain.detached(twin.stream) for chain in self.chains]
        twin.swaps = SwapHistory(self.ntemps)
        twin.notes = []
        twin.adaptive_annealer = copy.deepcopy(self.adaptive_annealer)
        return twin

    def segment(self) -> Segment:
        """What it did since it was detached."""
        rows = [chain.history.rows() for chain in self.chains]
        return Segment(self._evolved(), rows, self.swaps.rows())

    def attach(self, segment: Segment) -> None:
        """Take over what a detached copy did."""
        self.resume(segment.state)
        for chain, rows in zip(self.chains, segment.by_temperature, strict=True):
            chain.history.extend(rows)
        self.swaps.extend(segment.swaps)
        self.notes += segment.notes

    def note(self) -> Note:
        """How it jumps at each temperature now."""
        notes = [chain.note() for chain in self.chains]
        widths = [width for note in notes for width in note.widths]
        return Note(self.iteration, widths, tuple([chain.beta for chain in self.chains]))

    # ---- state

    @property
    def state(self) -> dict[int, Any]:
        """All that its future depends on, as plain data: the state of each temperature by index.

        Every one has the state of the random numbers, which all share; in that of the coldest is,
        under 'tempering', what belongs to no single temperature.
        """
        states = self._evolved()
        for t in range(1, self.ntemps):
            states[t]["proposal_dist"]["random_state"] = self.stream.state
        return states

    def _evolved(self) -> dict[int, Any]:
        """The state, with that of the random numbers only once."""
        states = {t: chain.evolved() for t, chain in enumerate(self.chains)}
        states[0]["proposal_dist"]["random_state"] = self.stream.state
        states[0]["tempering"] = {
            "nsweeps": self.nsweeps,
            "last_annealed": self.last_annealed,
            "annealer": annealer_state(self.adaptive_annealer),
        }
        return states

    def check_state(self, state: Mapping[Any, Any]) -> None:
        """Refuse a state that is not of a chain like this one.

        Raises
        ------
        ValueError
            If the state is of other temperatures, parameters or proposals.
        """
        found = list(state) if isinstance(state, Mapping) else []
        if found != list(range(self.ntemps)):
            raise ValueError(
                f"the state must be of {self.ntemps} temperatures; got one of {len(found)}"
            )
        for t, chain in enumerate(self.chains):
            chain.check_state(state[t])
        if "tempering" not in state[0]:
            raise ValueError("this is no state of a tempered chain: there is no 'tempering' in it")
        if self.adaptive_annealer is None:
            theirs = [state[t]["beta"] for t in range(self.ntemps)]
            ours = [chain.beta for chain in self.chains]
            if theirs != ours:
                raise ValueError(f"the state has the betas {theirs}, this chain has {ours}")

    def resume(self, state: Mapping[Any, Any]) -> None:
        """Take over a state, and keep the history."""
        for t, chain in enumerate(self.chains):
            chain.resume(state[t])
        tempering = state[0]["tempering"]
        self.nsweeps, self.last_annealed = tempering["nsweeps"], tempering["last_annealed"]
        set_annealer_state(self.adaptive_annealer, tempering["annealer"])
        self.iteration = self.chains[0].iteration
        self.chain_id = self.chains[0].chain_id
