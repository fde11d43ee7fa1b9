"""Proposals of many chains as arrays: jumps, and what is learned from them, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from epsie.proposals.adaptation.andrieu_thoms import SCALE_GAIN
from epsie.proposals.adaptation.covariance import LARGEST_LOG_SCALE
from epsie.proposals.adaptation.many_covariances import ManyCovariances
from epsie.proposals.base import BaseProposal
from epsie.proposals.learned.learned import Learned
from epsie.proposals.learned.together import LearnedArrays
from epsie.proposals.normal import AdaptiveNormal, ATAdaptiveNormal, Normal, SSAdaptiveNormal
from epsie.proposals.outcome import Outcomes
from epsie.rng.elementwise import exps
from epsie.rng.streams import Streams

Array = NDArray[np.float64]


class NormalArrays:
    """`Normal` proposals of many chains.

    Parameters
    ----------
    parts : sequence of Normal
        Those of the chains, alike.
    """

    corrects = False
    """Whether there are Hastings terms."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts, self.nsteps = parts, parts[0]._nsteps
        self.drawn = np.ones(len(parts), bool)
        self.is_full = parts[0].factor is not None
        if self.is_full:
            self.factor = np.array([part.factor for part in parts])
        else:
            self.widths = np.array([part.widths for part in parts])

    @staticmethod
    def likeness(part: Any) -> Any:
        """What parts have in common that can be together; None if this one cannot be."""
        return part._nsteps, part.factor is None

    def draw(self, x: Array, streams: Streams) -> Array:
        """Jumps from positions. Shape (nparts, ndim)."""
        per_stream = x.size // len(streams.streams)
        z = streams.normals(per_stream).reshape(x.shape)
        if not self.is_full:
            return x + self.widths * z
        step: Array = np.matmul(self.factor, z[:, :, np.newaxis])[:, :, 0]
        return x + step

    def stds(self) -> Array:
        """The standard deviations of jumps, as `jump_stds` of each. Shape (nchains, ndim)."""
        if not self.is_full:
            return self.widths
        stds: Array = np.sqrt(np.square(self.factor).sum(axis=2))
        return stds

    def log_hastings(self) -> Array:
        """As `log_hastings` of the last jump of each: there is none."""
        raise NotImplementedError

    def learn_from(self, outcomes: Outcomes) -> None:
        """Count a jump of each, and learn from it."""
        self.nsteps += 1

    def give_back(self) -> None:
        """Let each part know what it learned."""
        for i, part in enumerate(self.parts):
            part._nsteps = self.nsteps
            if self.is_full:
                part.factor = self.factor[i].copy()
            else:
                part.widths = tuple(self.widths[i].tolist())


class VeitchArrays(NormalArrays):
    """`AdaptiveNormal` proposals of many chains."""

    def __init__(self, parts: Sequence[Any]) -> None:
        super().__init__(parts)
        self._scheme = parts[0].adaptation
        self._hundredths = np.array(self._scheme._hundredths)

    @staticmethod
    def likeness(part: Any) -> Any:
        """The steps that it made, and where it began to learn."""
        return part._nsteps, part.factor is None, part.adaptation.start_step

    def learn_from(self, outcomes: Outcomes) -> None:
        """As `Veitch.update`."""
        self.nsteps += 1
        scheme = self._scheme
        k = self.nsteps - scheme.start_step + 1
        gain = 10 * k**-scheme.adaptation_decay - 1 if 1 <= k < scheme._end else 0.0
        if gain > 0:
            up, down = gain * (1 - scheme.target_rate), gain * -scheme.target_rate
            by = np.where(outcomes.accepted, up, down)
            changed = self.widths + by[:, np.newaxis] * self._hundredths
            self.widths = np.where(changed > 0, changed, self.widths)


class SiviaSkillingArrays(NormalArrays):
    """`SSAdaptiveNormal` proposals of many chains, once the size of their jumps is found."""

    def __init__(self, parts: Sequence[Any]) -> None:
        super().__init__(parts)
        self._scheme = parts[0].adaptation
        self._accepted = np.array([part.adaptation.n_accepted for part in parts])
        self._forgotten = np.array([part.adaptation.n_forgotten for part in parts])

    @staticmethod
    def likeness(part: Any) -> Any:
        """The steps that it made, and where it began to learn; None while it searches."""
        scheme = part.adaptation
        if scheme.nsought or (part.factor is not None and scheme._max_std is not None):
            return None
        return part._nsteps, part.factor is None, scheme.start_step

    def learn_from(self, outcomes: Outcomes) -> None:
        """As `SiviaSkilling.update`."""
        self.nsteps += 1
        scheme = self._scheme
        k = self.nsteps - scheme.start_step + 1 - self._forgotten
        learns = k >= 1
        self._accepted += outcomes.accepted & learns
        excess = self._accepted - scheme.target_rate * k
        up = np.flatnonzero(learns & (excess > 0))
        down = np.flatnonzero(learns & (excess < 0))
        by = np.ones(len(k))
        by[up] = exps(1 / self._accepted[up])
        by[down] = exps(-1 / (k - self._accepted)[down])
        if self.is_full:
            self.factor = by[:, np.newaxis, np.newaxis] * self.factor
            return
        scaled = by[:, np.newaxis] * self.widths
        if scheme._max_std is not None:
            scaled = np.where(scaled < scheme._max_std, scaled, scheme._max_std)
            scaled[by == 1] = self.widths[by == 1]
        self.widths = scaled

    def give_back(self) -> None:
        """Let each part know what it learned."""
        super().give_back()
        for part, accepted in zip(self.parts, self._accepted.tolist(), strict=True):
            part.adaptation.n_accepted = accepted


class AndrieuThomsArrays(NormalArrays):
    """`ATAdaptiveNormal` proposals of many chains, once the size of their jumps is found."""

    def __init__(self, parts: Sequence[Any]) -> None:
        super().__init__(parts)
        schemes = [part.adaptation for part in parts]
        self._scheme = schemes[0]
        self._log_lambda = np.array([scheme.log_lambda for scheme in schemes])
        self._unit_factor = np.array([scheme.unit_factor for scheme in schemes])
        self._covariances = ManyCovariances(schemes)

    @staticmethod
    def likeness(part: Any) -> Any:
        """The steps that it made and learned from; None while it searches, or of other forms."""
        scheme = part.adaptation
        if scheme.nsought or scheme.componentwise or scheme.diagonal:
            return None
        return part._nsteps, scheme.start_step, len(scheme.positions), scheme.nblocks

    def learn_from(self, outcomes: Outcomes) -> None:
        """As `AndrieuThoms.update`."""
        self.nsteps += 1
        scheme = self._scheme
        k = self.nsteps - scheme.start_step + 1
        if not 1 <= k < scheme._end:
            return
        gain = k**-SCALE_GAIN - scheme._last_gain
        raised = self._log_lambda + gain * (outcomes.ratio - scheme.target_rate)
        self._log_lambda = np.minimum(raised, LARGEST_LOG_SCALE)
        if self._covariances.take_in(outcomes.x, outcomes.accepted):
            self._covariances.refactor(self._unit_factor)
        scales = exps(0.5 * self._log_lambda)
        np.multiply(scales[:, np.newaxis, np.newaxis], self._unit_factor, out=self.factor)

    def give_back(self) -> None:
        """Let each part know what it learned."""
        super().give_back()
        self._covariances.give_back()
        for i, part in enumerate(self.parts):
            part.adaptation.log_lambda = float(self._log_lambda[i])
            part.adaptation.unit_factor = self._unit_factor[i].copy()


_ARRAYS: dict[type, type[NormalArrays]] = {
    Normal: NormalArrays,
    AdaptiveNormal: VeitchArrays,
    SSAdaptiveNormal: SiviaSkillingArrays,
    ATAdaptiveNormal: AndrieuThomsArrays,
}

ProposalArrays: TypeAlias = NormalArrays | LearnedArrays

_FEWEST: dict[type, int] = {
    Normal: 16,
    AdaptiveNormal: 12,
    SSAdaptiveNormal: 12,
    ATAdaptiveNormal: 10,
    Learned: 48,
}
"""So many are faster as arrays than one by one: in 2 and 10 dimensions, with a model of 0.3 us."""


def fewest_of(part: BaseProposal | None, ntemps: int, at_once: bool) -> float:
    """The number of chains from which on their proposals are faster as arrays.

    Parameters
    ----------
    part : BaseProposal or None
        The proposal of one of them, if it has only one.
    ntemps : int
        The number of temperatures of each.
    at_once : bool
        Whether the model takes many points. Then chains one by one have to wait for each other in
        every step, which takes them about twice as long.

    Returns
    -------
    float
        inf if there is no such form.
    """
    kind: type[Any] = type(part)
    fewest = _FEWEST.get(kind, inf) / (2 if at_once else 1)
    # What was learned is of a temperature, and jumps from it are drawn for each by itself.
    return fewest if kind is Learned else fewest / ntemps


def together(
    parts: Sequence[BaseProposal], x: Array, betas: Array, ntemps: int
) -> ProposalArrays | None:
    """Proposals of many chains as arrays; None if they have no such form, or are not alike.

    Parameters
    ----------
    parts : sequence of BaseProposal
        Those of the first chain, coldest first, then of the next.
    x, betas : array
        Where they stand, shape (nparts, ndim), and the inverse temperatures, shape (nparts,).
    ntemps : int
        The number of temperatures of each chain.
    """
    kind: type[Any] = type(parts[0])
    if any(type(part) is not kind or part.jump_interval != 1 for part in parts):
        return None
    if kind is Learned:
        alike: Sequence[Any] = parts
        known = LearnedArrays.are_alike(alike, ntemps)
        return LearnedArrays(alike, x, betas, ntemps) if known else None
    arrays = _ARRAYS.get(kind)
    if arrays is None:
        return None
    likeness = arrays.likeness(parts[0])
    if likeness is None or any(arrays.likeness(part) != likeness for part in parts):
        return None
    return arrays(parts)
