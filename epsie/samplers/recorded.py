"""What a sampler says of where its chains started, where they stand, and what they visited."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.notes import Learned, learned
from epsie.chain.start import whole_numbers
from epsie.checks import as_count
from epsie.logs import logger
from epsie.model.evaluation import Point, in_one_order
from epsie.process.signals import interrupt_deferred
from epsie.results.diagnosable import Diagnosable
from epsie.results.source import Source
from epsie.running.recording import Recording
from epsie.running.starts import Prior, drawn_starts
from epsie.samplers.exclusive import exclusive
from epsie.samplers.memory import Memory
from epsie.samplers.settings import ConfiguredSampler
from epsie.shown import Facts, Shown, sampler_facts
from epsie.storage.rundir.saved import Saved


class RecordedSampler(Shown, Diagnosable, ConfiguredSampler):
    """A sampler whose chains keep records, which it shows as arrays."""

    def _facts(self) -> Facts:
        return sampler_facts(self)

    _recording: Recording | None = None
    """Where its runs are saved."""

    @property
    def _source(self) -> Source:
        """The whole run, if it is saved in a directory; else what is in memory."""
        return Memory(self) if self._recording is None else Saved(self._recording.directory)

    @property
    def nchains(self) -> int:
        """The number of chains."""
        return len(self.chains)

    @property
    def niterations(self) -> int:
        """How many iterations the chains have made, those before a clear or a resume included."""
        iterations: int = self.chains[0].iteration
        return iterations

    @property
    def lastclear(self) -> int:
        """The iteration of the last clear."""
        lastclear: int = self.chains[0].lastclear
        return lastclear

    # ---- start

    @property
    def start_position(self) -> dict[str, NDArray[Any]]:
        """Where the chains started, after a clear: where they stood.

        Set it with a dict of arrays, one value for each chain. The model is evaluated at all of
        them, in the pool.

        Raises
        ------
        ValueError
            If it is not set; if parameters are missing, unknown or of another shape; or if starts
            lie outside of the prior, have no likelihood, or the model gives NaN: all are listed.
        """
        return self._gathered([chain.start_position for chain in self.chains])

    @start_position.setter
    @exclusive
    def start_position(self, values: Mapping[str, Any]) -> None:
        starts = self._starts(values)
        found = self._executor.ask(self.chains, "examine_starts", starts)
        refused = [
            f"chain {chain.chain_id}: {problem}"
            for chain, (_, problems) in zip(self.chains, found, strict=True)
            for problem in problems
        ]
        if refused:
            raise ValueError(
                f"{len(refused)} of the start positions cannot be used:\n  "
                + "\n  ".join(refused)
                + "\nChoose others for these chains and set start_position again"
            )
        self._begin([points for points, _ in found])
        self._tell_of_integers(values)

    def _tell_of_integers(self, values: Mapping[str, Any]) -> None:
        """Say which parameters started at integers and are sampled as real numbers."""
        leaves = [leaf for leaf in self.chains[0].leaves() if leaf.discrete]
        discrete = {name for leaf in leaves for name in leaf.parameters}
        found = whole_numbers(values, [name for name in self.parameters if name not in discrete])
        self._remarks = ()
        if found:
            self._remarks = (
                f"{', '.join(found)}: all starts are integers, but no discrete proposal moves it, "
                "so it is sampled as a real number. If it counts something, give it a "
                "NormalDiscrete or BoundedDiscrete; else start it at floats, as 1.0",
            )
            logger.warning("start_position: %s", self._remarks[0])

    def _begin(self, starts: list[list[Point]]) -> None:
        """Let all chains start, from a point for each temperature."""
        points = iter(in_one_order([point for start in starts for point in start]))
        with interrupt_deferred():
            for chain in self.chains:
                chain.begin([next(points) for _ in starts[0]])

    @property
    def _is_stale(self) -> bool:
        """Whether the chains' points may be of another model."""
        return any(chain.is_stale for chain in self.chains)

    def _renew(self) -> None:
        """Ask the model anew about where the chains stand, if their points may be another's."""
        if not self._is_stale:
            return
        found = self._executor.ask(self.chains, "present_points", [None] * self.nchains)
        points = iter(in_one_order([point for of_chain in found for point in of_chain]))
        with interrupt_deferred():
            for chain, of_chain in zip(self.chains, found, strict=True):
                chain.renew([next(points) for _ in of_chain])

    @abstractmethod
    def _starts(self, values: Mapping[str, Any]) -> list[Any]:
        """The start of each chain, from arrays over the chains."""

    @exclusive
    def draw_start(self, prior: Prior, tries: int = 1000) -> None:
        """Draw `start_position` from the prior, anew where the model refuses it; all or none.

        The same seed gives the same starts. Every temperature draws its own.

        Parameters
        ----------
        prior : callable or mapping
            ``prior(rng)``, with a numpy generator, gives a dict with a value for each parameter; or
            a dict of distributions with ``rvs``, as those of `scipy.stats`.
        tries : int, optional
            How often to draw at most for each chain and temperature.

        Raises
        ------
        ValueError
            If the prior gives other parameters, or so many draws were refused.
        ModelError
            If the model fails.
        """
        self._begin(drawn_starts(self, prior, as_count(tries, "tries")))

    @property
    def _has_start(self) -> bool:
        return self.chains[0].start is not None

    @exclusive
    def clear(self) -> None:
        """Drop the history. The present positions become the start; results do not change."""
        for chain in self.chains:
            chain.clear()

    # ---- what was visited

    @property
    def positions(self) -> NDArray[np.void]:
        """Positions since the last clear: fields are the parameters, shape (nchains, niterations).

        Raises
        ------
        ValueError
            Before the first step.
        """
        return self._stacked("positions")

    @property
    def stats(self) -> NDArray[np.void]:
        """Fields `logl` and `logp`, shape (nchains, niterations)."""
        return self._stacked("stats")

    @property
    def acceptance(self) -> NDArray[np.void]:
        """Fields `acceptance_ratio` (NaN if no jump was made) and `accepted`."""
        return self._stacked("acceptance")

    @property
    def blobs(self) -> NDArray[np.void] | None:
        """Fields are the blobs' keys, shape (nchains, niterations). None without blobs."""
        if self._has_start and not self.chains[0].hasblobs:
            return None
        return self._stacked("blobs")

    @property
    def learned(self) -> Learned:
        """What was learned since the start or a resume: see `epsie.chain.notes`."""
        return learned(self.chains)

    @abstractmethod
    def _stacked(self, table: str) -> NDArray[np.void]:
        """A table of all chains as one array."""

    def _refuse_before_first_step(self, what: str) -> None:
        if self.niterations == 0:
            raise ValueError(f"there are no {what} yet: run the sampler first")

    @property
    def current_positions(self) -> dict[str, NDArray[Any]]:
        """Where the chains stand."""
        return self._gathered([chain.current_position for chain in self.chains])

    @property
    def current_stats(self) -> dict[str, NDArray[np.float64]]:
        """`logl` and `logp` where the chains stand."""
        return self._gathered([chain.current_stats for chain in self.chains])

    @property
    def current_blobs(self) -> dict[str, NDArray[Any]] | None:
        """The blobs where the chains stand; None without blobs."""
        if self._has_start and not self.chains[0].hasblobs:
            return None
        return self._gathered([chain.current_blob for chain in self.chains])

    @abstractmethod
    def _gathered(self, values: list[Any]) -> dict[str, NDArray[Any]]:
        """Dicts of the chains as a dict of arrays."""
