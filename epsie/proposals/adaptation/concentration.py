"""The scheme of jumps on the sphere, which learns their concentration."""

from __future__ import annotations

from math import exp
from typing import Any

from epsie.proposals.adaptation.base import Adaptation
from epsie.proposals.outcome import Outcome

_GAIN = 0.6

KAPPA_RANGE = (1e-3, 1e16)
"""The range that an adaptation keeps kappa in: from uniform to what still moves the angles."""


class ConcentrationAdaptation(Adaptation):
    r"""The concentration of jumps on the sphere, by the acceptance rate.

    After the k-th jump, with its acceptance ratio :math:`\alpha`, the target rate
    :math:`\alpha^*` and the duration K,

    .. math:: \log\kappa \leftarrow \log\kappa
              - (k^{-0.6} - K^{-0.6}) \frac{\alpha - \alpha^*}{\alpha^* (1 - \alpha^*)},

    kept within `KAPPA_RANGE`: Robbins & Monro (1951), doi:10.1214/aoms/1177729586, with the gain of
    Andrieu & Thoms (2008), doi:10.1007/s11222-008-9110-y. The denominator lets a chain find a
    direction that is known to a fraction of an arc minute in a few thousand jumps.
    """

    def __init__(
        self, target_rate: float, adaptation_duration: int | None, start_step: int = 1
    ) -> None:
        super().__init__(target_rate, adaptation_duration, start_step)
        self._last_gain = self._end**-_GAIN
        self._steepness = 1 / (self.target_rate * (1 - self.target_rate))

    def update(self, proposal: Any, outcome: Outcome) -> None:
        """Concentrate jumps if too few are accepted, spread them if too many."""
        k = proposal._nsteps - self.start_step + 1
        if not 1 <= k < self._end:
            return
        gain = self._steepness * (k**-_GAIN - self._last_gain)
        kappa = proposal.kappa * exp(-gain * (outcome.acceptance_ratio - self.target_rate))
        proposal.kappa = min(max(kappa, KAPPA_RANGE[0]), KAPPA_RANGE[1])
