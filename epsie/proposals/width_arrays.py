"""Proposals of many chains that learn widths or a covariance, as arrays, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.proposals.adaptation.andrieu_thoms import SCALE_GAIN
from epsie.proposals.adaptation.covariance import LARGEST_LOG_SCALE
from epsie.proposals.adaptation.many_covariances import ManyCovariances
from epsie.proposals.many_jumps import ManyJumps
from epsie.proposals.outcome import Outcomes
from epsie.rng.elementwise import exps
from epsie.rng.streams import Streams

Array = NDArray[np.float64]


class WidthArrays:
    """Proposals of many chains that learn nothing.

    Parameters
    ----------
    parts : sequence of WidthProposal
        Those of the chains, alike.
    jumps : ManyJumps, optional
        Their jumps; normal ones if None.
    """

    def __init__(self, parts: Sequence[Any], jumps: ManyJumps | None) -> None:
        self.parts, self.nsteps, self._jumps = parts, parts[0]._nsteps, jumps
        self.corrects = jumps is not None and jumps.corrects
        """Whether there are Hastings terms."""
        self.drawn = np.ones(len(parts), bool)
        self.is_full = not parts[0].isdiagonal
        if self.is_full:
            self.factor = np.array([part.factor for part in parts])
        else:
            self.widths = np.array([part.widths for part in parts])

    @staticmethod
    def likeness(part: Any) -> Any:
        """What parts have in common that can be together; None if this one cannot be."""
        return part._nsteps, part.isdiagonal

    def draw(self, x: Array, streams: Streams) -> Array:
        """Jumps from positions. Shape (nparts, ndim)."""
        if self._jumps is not None:
            return self._jumps.draw(x, self.widths, streams)
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
        """As `log_hastings` of the last jump of each."""
        assert self._jumps is not None
        return self._jumps.log_hastings(self.widths)

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


class VeitchArrays(WidthArrays):
    """Proposals of many chains that learn by `Veitch`."""

    def __init__(self, parts: Sequence[Any], jumps: ManyJumps | None) -> None:
        super().__init__(parts, jumps)
        self._scheme = parts[0].adaptation
        self._hundredths = np.array(self._scheme._hundredths)

    @staticmethod
    def likeness(part: Any) -> Any:
        """The steps that it made, and where it began to learn."""
        return part._nsteps, part.isdiagonal, part.adaptation.start_step

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


class SiviaSkillingArrays(WidthArrays):
    """Proposals of many chains that learn by `SiviaSkilling`, once the size of jumps is found."""

    def __init__(self, parts: Sequence[Any], jumps: ManyJumps | None) -> None:
        super().__init__(parts, jumps)
        self._scheme = parts[0].adaptation
        self._accepted = np.array([part.adaptation.n_accepted for part in parts])
        self._forgotten = np.array([part.adaptation.n_forgotten for part in parts])

    @staticmethod
    def likeness(part: Any) -> Any:
        """The steps that it made, and where it began to learn; None while it searches."""
        scheme = part.adaptation
        if scheme.nsought or (not part.isdiagonal and scheme._max_std is not None):
            return None
        return part._nsteps, part.isdiagonal, scheme.start_step

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


class AndrieuThomsArrays(WidthArrays):
    """Proposals of many chains that learn a covariance, once the size of jumps is found."""

    def __init__(self, parts: Sequence[Any], jumps: ManyJumps | None) -> None:
        super().__init__(parts, jumps)
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
