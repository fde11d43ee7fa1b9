"""A kernel whose knowledge is elsewhere: it travels once to each worker, not with each chain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from epsie.errors import ProposalError
from epsie.model.evaluation import Position
from epsie.proposals.learned.kernel import Kernel
from epsie.proposals.learned.knowledge import Knowledge
from epsie.proposals.learned.plain import entry, fitting, rows_of
from epsie.proposals.learned.transform import Transform
from epsie.proposals.learned.tuning import Tuning
from epsie.rng.stream import Stream


class Untaught(Kernel):
    """A kernel that awaits the knowledge that it goes on with.

    Parameters
    ----------
    first : Transform
        The coordinates as long as nothing was learned.
    plain : mapping
        What `Kernel.plain` gave.
    """

    def __init__(self, first: Transform, plain: Mapping[str, Any]) -> None:
        ndim = len(first.scale)
        super().__init__(first, Tuning.from_plain(entry(plain, "tuning", dict), ndim))
        self.tallies = fitting(plain, "tallies", self.tallies.shape)
        if plain["ahead"] is not None:
            rows_of(plain, "ahead", ndim, finite=False)
        self._plain = {name: plain[name] for name in ("tuning", "tallies", "ahead")}

    def taught(self, knowledge: Knowledge) -> Kernel:
        """The kernel with its knowledge."""
        kernel = Kernel(self.transform, self.tuning)
        kernel.take(knowledge)
        kernel.restore(self._plain)
        return kernel

    def plain(self) -> dict[str, Any]:
        """What changes between barriers, as plain data."""
        return self._plain

    def copied(self) -> Kernel:
        """An independent copy: nothing of it changes."""
        return Untaught(self.transform, self._plain)

    def draw(self, x: Position, stream: Stream) -> Position | None:
        """Refused: nothing is known."""
        raise ProposalError(
            "this proposal has learned together with those of other chains, and what it learned is "
            "with their sampler: let the sampler run, or give it pooled=False"
        )
