"""A move: a way to propose, with its own Hastings term."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from epsie.errors import ProposalError
from epsie.proposals.learned.spot import Spot
from epsie.rng.stream import Stream


class Move(ABC):
    """A way to propose, in the coordinates of a transform.

    `draw` gets the kernel that it is part of, with all that was learned and tuned.
    """

    name: ClassVar[str]

    wraps: ClassVar[bool] = False
    """Whether its jumps do not depend on where they begin: an angle may go round."""

    @abstractmethod
    def draw(self, kernel: Any, here: Spot, stream: Stream) -> Spot | None:
        """A jump from here; None if it would leave the bounds."""

    def log_hastings(self, kernel: Any, here: Spot, there: Spot) -> float:
        """Log q(here | there) - log q(there | here), in the coordinates."""
        return 0.0

    def log_density(self, kernel: Any, there: Spot, here: Spot) -> float:
        """Log q(there | here), in the coordinates.

        Raises
        ------
        ProposalError
            If it has no closed form.
        """
        raise ProposalError(
            f"the density of a jump by the move {self.name} has no closed form: log_hastings has "
            "the difference of two, which is all that a chain needs"
        )

    def learn(self, kernel: Any, ratio: float) -> None:
        """Tune the size of its jumps by the acceptance ratio of the last."""
        if kernel.tunes:
            kernel.tuning.resize(self.name, ratio)
