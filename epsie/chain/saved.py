"""What of a chain travels to a worker and back, and is saved: its state."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import suppress
from math import nan
from typing import Any, Self

from epsie.chain.base import Segment
from epsie.chain.notes import Note
from epsie.chain.recorded import RecordedChain
from epsie.copying import copied
from epsie.model.evaluation import Point, no_model
from epsie.proposals.outcome import Outcome
from epsie.rng.stream import Stream


class SavedChain(RecordedChain):
    """A chain at one temperature that can be sent, saved and taken up again."""

    nan_count: int

    # ---- travelling to a worker and back

    def reserve(self, niterations: int) -> None:
        """Make room for the rows of so many steps."""
        self.history.reserve(niterations)

    def shell(self) -> Self:
        """Itself without its history and its model, and sharing all else: to be pickled."""
        twin = copy.copy(self)
        twin._model = no_model
        twin.history = self.history.emptied()
        twin.notes = []
        twin.outcome = copy.copy(self.outcome)
        return twin

    def detached(self, stream: Stream | None = None) -> Self:
        """An independent copy without its history and its model."""
        twin = self.shell()
        twin.stream = self.stream.copied() if stream is None else stream
        twin.proposal_dist = self.proposal_dist._copied(twin.stream)
        return twin

    def segment(self) -> Segment:
        """What it did since it was detached."""
        return Segment(self.state, [self.history.rows()])

    def attach(self, segment: Segment) -> None:
        """Take over what a detached copy did."""
        self.resume(segment.state)
        (rows,) = segment.by_temperature
        self.history.extend(rows)
        self.notes += segment.notes

    def note(self) -> Note:
        """How it jumps now."""
        stds: dict[str, float] = {}
        for leaf in self.leaves():
            # A user's class may lack the widths that its base has.
            with suppress(AttributeError):
                stds.update(zip(leaf.parameters, leaf.jump_stds()))
        widths = tuple([float(stds.get(name, nan)) for name in self.parameters])
        return Note(self.iteration, [widths], (self.beta,))

    # ---- state

    @property
    def state(self) -> dict[str, Any]:
        """All that its future depends on, as plain data.

        Raises
        ------
        ValueError
            If no start is set.
        """
        state = self.evolved()
        state["proposal_dist"]["random_state"] = self.stream.state
        return state

    def evolved(self) -> dict[str, Any]:
        """The state without that of its random numbers."""
        self._started()
        proposed = self.proposed
        return {
            "chain_id": self.chain_id,
            "beta": self.beta,
            "iteration": self.iteration,
            "current_position": self.current_position,
            "current_stats": self.current_stats,
            "hasblobs": self.hasblobs,
            "current_blob": copied(self.current_blob),
            "proposed_position": None if proposed is None else self._named(proposed.x),
            "accepted": self.accepted,
            "acceptance_ratio": self.acceptance_ratio,
            "nan_count": self.nan_count,
            "proposal_dist": self.proposal_dist._evolved(),
        }

    def check_state(self, state: Mapping[str, Any]) -> None:
        """Refuse a state that is not of a chain like this one.

        Raises
        ------
        ValueError
            If the state is of other parameters or proposals.
        """
        try:
            parameters = set(state["current_position"])
            proposals = set(state["proposal_dist"]) - {"random_state"}
        except (KeyError, TypeError):
            raise ValueError(f"this is no state of a chain: {type(state).__name__}") from None
        if any(isinstance(key, frozenset) for key in proposals):
            raise ValueError(
                "this is a state of EPSIE 1.x, whose proposals learned in other ways. Start anew "
                "from its positions: set start_position to the values of 'current_position'"
            )
        if parameters != set(self.parameters):
            raise ValueError(
                f"the state has the parameters {sorted(parameters)}, this chain has "
                f"{sorted(self.parameters)}"
            )
        self.proposal_dist._check_state(proposals)

    def resume(self, state: Mapping[str, Any]) -> None:
        """Take over a state, which is its own from now on, and keep the history."""
        x = tuple([state["current_position"][name] for name in self.parameters])
        stats, blob, proposed = (
            state[k] for k in ("current_stats", "current_blob", "proposed_position")
        )
        proposals = state["proposal_dist"]
        self.proposal_dist._evolve(proposals)
        if "random_state" in proposals:
            self.stream.state = proposals["random_state"]
        self.point = Point(x, stats["logl"], stats["logp"], blob)
        self.stale = False
        self.proposed = None
        if proposed is not None:
            self.proposed = Point(tuple([proposed[n] for n in self.parameters]), nan, nan, None)
        self.outcome = Outcome(
            self.point, self.proposed, state["accepted"], state["acceptance_ratio"]
        )
        for name in ("chain_id", "beta", "iteration", "nan_count"):
            setattr(self, name, state[name])
