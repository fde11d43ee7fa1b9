"""An annealed start, on its way or done, as a sampler keeps and saves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

from epsie.annealed.progress import Progress
from epsie.annealed.start import AnnealedStart
from epsie.proposals.learned.plain import entry, malformed


class StartProgress(NamedTuple):
    """An annealed start, on its way or done.

    Parameters
    ----------
    seed : int
        Its seed.
    evaluations : int
        The number of evaluations.
    betas : list of float
        The inverse temperatures of its levels.
    live_share : float
        The share of draws of the prior that have a likelihood.
    progress : dict or None
        All that evolves; None once it is done.
    """

    seed: int
    evaluations: int = 0
    betas: Sequence[float] = ()
    live_share: float = 1.0
    progress: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, start: AnnealedStart) -> Self:
        """What is kept of a start that goes on."""
        share = float(start.live_share)
        return cls(start.seed, start.evaluations, list(start.betas), share, start.state)

    def __repr__(self) -> str:
        where = "done" if self.done else f"at beta = {self.beta:.4g}"
        return f"<{type(self).__name__}: {where}, {self.evaluations} evaluations>"

    @property
    def beta(self) -> float:
        """The inverse temperature to which it has come."""
        return self.betas[-1] if self.betas else 0.0

    @property
    def done(self) -> bool:
        """Whether the chains have begun."""
        return self.progress is None

    def plain(self) -> dict[str, Any]:
        """Itself as plain data."""
        return {**self._asdict(), "betas": list(self.betas)}

    @classmethod
    def from_plain(cls, plain: Any) -> Self:
        """An annealed start from what `plain` gave.

        Raises
        ------
        MalformedStateError
            If it is something else.
        """
        seed, evaluations = entry(plain, "seed", int), entry(plain, "evaluations", int)
        betas, share = entry(plain, "betas", list), entry(plain, "live_share", float)
        if plain.keys() != set(cls._fields):
            raise malformed("an annealed start", f"a dict of {', '.join(cls._fields)}", plain)
        progress = plain["progress"]
        if progress is not None and entry(plain, "progress", dict).keys() != {*Progress._fields}:
            raise malformed("progress", f"a dict of {', '.join(Progress._fields)}", progress)
        return cls(seed, evaluations, betas, share, progress)
