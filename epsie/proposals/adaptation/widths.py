"""Schemes for widths: after Veitch et al., and after Sivia & Skilling.

An adaptation is held by a proposal. After each of the proposal's jumps it reads the
outcome, and writes one thing of the proposal: its `widths`, or its covariance `factor`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, inf, log10
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsie.checks import as_count, as_number, given
from epsie.proposals.adaptation.base import Adaptation
from epsie.proposals.adaptation.search import LOG_STEP, ScaleSearch
from epsie.proposals.covariance import as_covariance
from epsie.proposals.outcome import Outcome

_ENOUGH = 5
"""Jumps accepted, and rejected, until the size of jumps counts as found."""


class Veitch(Adaptation):
    r"""Widths in steps proportional to the prior's.

    After the k-th jump every width :math:`\sigma_i` changes by

    .. math:: \Delta\sigma_i = s_k (a - \alpha^*) \frac{\Delta_i}{100}, \qquad
              s_k = 10 k^{-1/\tau} - 1,

    where a is 1 if the jump was accepted and 0 if not, :math:`\alpha^*` is the target rate and
    :math:`\Delta_i` the width of the prior. A change that would leave a width without a positive
    value is not made. With the default decay :math:`s_k` reaches zero at the end.

    Veitch et al. (2015), doi:10.1103/PhysRevD.91.042003, equations 35 and 36.

    Parameters
    ----------
    widths : array_like
        The prior's widths, :math:`\Delta_i`.
    adaptation_duration : int
        For how many jumps to learn.
    adaptation_decay : float, optional
        The exponent, :math:`1/\tau`; by default 1 / log10(duration).
    start_step : int, optional
        The jump at which learning begins.
    target_rate : float, optional
        The acceptance rate to reach.
    """

    shows = (*Adaptation.shows, "adaptation_decay", "prior_widths", "deltas")

    def __init__(
        self,
        widths: ArrayLike,
        adaptation_duration: int,
        adaptation_decay: float | None = None,
        start_step: int = 1,
        target_rate: float = 0.234,
    ) -> None:
        super().__init__(
            target_rate, as_count(adaptation_duration, "adaptation_duration"), start_step
        )
        self.deltas = np.array(widths, dtype=float, ndmin=1)
        if not (np.isfinite(self.deltas).all() and (self.deltas > 0).all()):
            raise ValueError(f"prior widths must be finite and positive; got {self.deltas}")
        if adaptation_decay is None:
            adaptation_decay = 1 / log10(max(self._end, 10))
        self.adaptation_decay = float(adaptation_decay)
        if not 0 < self.adaptation_decay < inf:
            raise ValueError(f"adaptation_decay must be positive; got {adaptation_decay!r}")
        self.prior_widths: dict[str, float] = {}
        self._hundredths = tuple((self.deltas / 100).tolist())

    def update(self, proposal: Any, outcome: Outcome) -> None:
        """Widen after an accepted jump, narrow after a rejected one."""
        k = proposal._nsteps - self.start_step + 1
        if not 1 <= k < self._end:
            return
        gain = 10 * k**-self.adaptation_decay - 1
        if gain <= 0:
            return
        gain *= 1 - self.target_rate if outcome.accepted else -self.target_rate
        widths = []
        for width, hundredth in zip(proposal.widths, self._hundredths):
            changed = width + gain * hundredth
            widths.append(changed if changed > 0 else width)
        proposal.widths = tuple(widths)


class SiviaSkilling(ScaleSearch):
    r"""All widths by one factor, ever closer to 1.

    With A accepted and R rejected jumps so far, the widths are multiplied by :math:`e^{1/A}` while
    the acceptance rate A / (A + R) is above the target, and by :math:`e^{-1/R}` while it is below.
    Widths that nobody gave are those of the starts over chains, and while they are too large they
    shrink as `ScaleSearch` has it; A and R count from then on.

    Sivia & Skilling, Data Analysis (2nd edition, 2006, ISBN 978-0-19-856832-2), chapter 9, where
    the target rate is 1/2.

    Parameters
    ----------
    target_rate : float, optional
        The acceptance rate to reach.
    max_std : array_like, optional
        The largest standard deviation of each parameter.
    from_starts : bool, optional
        Whether to start from the spread of the starts over chains, where there is one.
    """

    evolving = (*ScaleSearch.SEARCH, "start_step", "n_accepted", "n_forgotten")
    shows = (*Adaptation.shows, "n_accepted", "max_std")

    def __init__(
        self,
        target_rate: float = 0.234,
        max_std: ArrayLike | None = None,
        from_starts: bool = False,
    ) -> None:
        super().__init__(target_rate)
        self.max_std = max_std
        self.units_given = not from_starts
        self._count_anew()

    def _count_anew(self) -> None:
        self.n_accepted = self.n_forgotten = 0
        # What a person gave is taken as it is.
        self.seek(1, 0 if self.units_given else _ENOUGH)

    def begin(self, proposal: Any) -> None:
        """Note what the proposal starts from, for `reset`."""
        super().begin(proposal)
        self.units = self.default_units = tuple(proposal.jump_stds())

    @property
    def max_std(self) -> NDArray[np.float64] | None:
        """The largest standard deviations; None for no limit. Settable."""
        return None if self._max_std is None else np.array(self._max_std)

    @max_std.setter
    def max_std(self, max_std: ArrayLike | None) -> None:
        # As plain numbers: they are compared at every step.
        self._max_std: tuple[float, ...] | None = None
        if max_std is not None:
            self._max_std = tuple(np.array(max_std, dtype=float, ndmin=1).tolist())

    def update(self, proposal: Any, outcome: Outcome) -> None:
        """Widen while too much has been accepted, narrow while too little."""
        k = proposal._nsteps - self.start_step + 1 - self.n_forgotten
        if k < 1:
            return
        if outcome.accepted:
            self.n_accepted += 1
        if self.nsought and self.move(0, outcome.accepted) < 0:
            # It counts anew, or would take as long to see that it went too far.
            self.n_accepted, self.n_forgotten = 0, self.n_forgotten + k
            proposal._scale(exp(-LOG_STEP), self._max_std)
            return
        accepted = self.n_accepted
        excess = accepted - self.target_rate * k
        if excess > 0:
            proposal._scale(exp(1 / accepted), self._max_std)
        elif excess < 0:
            proposal._scale(exp(-1 / (k - accepted)), self._max_std)

    def restart(self, proposal: Any) -> None:
        """Go back to the initial widths."""
        if self.units_given:
            for name, value in self._initial.items():
                setattr(proposal, name, value)
        else:
            proposal.widths = self.units
            proposal._scale(1.0, self._max_std)
        self._count_anew()


def learn_veitch(
    proposal: Any,
    prior_widths: Mapping[str, Any],
    adaptation_duration: int,
    adaptation_decay: float | None = None,
    start_step: int = 1,
    target_rate: float = 0.234,
    initial_std: ArrayLike | None = None,
    start_iteration: int | None = None,
) -> None:
    """Give a proposal of independent widths the scheme of `Veitch`.

    Parameters
    ----------
    proposal : WidthProposal
        The proposal.
    prior_widths : dict
        The width of each parameter's prior: a number, or something whose `abs` is one.
    initial_std : float or array_like, optional
        The widths to start from; by default 0.09 (1 - target rate) of the prior's.
    start_iteration : int, optional
        Another name of `start_step`.
    adaptation_duration, adaptation_decay, start_step, target_rate
        See `Veitch`.

    Raises
    ------
    ValueError
        If a parameter has no width, or a setting is out of its range.
    TypeError
        If the widths are no dict of numbers.
    """
    if not isinstance(prior_widths, Mapping):
        raise TypeError(
            f"prior_widths must be a dict, a width for each parameter; got {given(prior_widths)}"
        )
    missing = [name for name in proposal.parameters if name not in prior_widths]
    if missing:
        raise ValueError(
            f"the prior widths of all parameters are needed; missing are {', '.join(missing)}"
        )
    widths = {name: _width(name, prior_widths[name]) for name in proposal.parameters}
    start_step = start_step if start_iteration is None else start_iteration
    scheme = Veitch(
        [*widths.values()], adaptation_duration, adaptation_decay, start_step, target_rate
    )
    scheme.prior_widths = widths
    if initial_std is None:
        initial_std = 0.09 * (1 - scheme.target_rate) * scheme.deltas
    proposal.std = initial_std
    proposal._learn_by(scheme)


def _width(name: str, of: Any) -> float:
    try:
        width = abs(of)
    except TypeError:
        width = of
    return as_number(width, f"the prior width of {name}")


def learn_sivia_skilling(
    proposal: Any,
    target_rate: float = 0.234,
    max_cov: ArrayLike | None = None,
    *,
    from_starts: bool = False,
) -> None:
    """Give a proposal the scheme of `SiviaSkilling`.

    Parameters
    ----------
    proposal : WidthProposal
        The proposal.
    target_rate : float, optional
        The acceptance rate to reach.
    max_cov : float or array_like, optional
        The largest variances, one for all or one for each. If None the largest standard deviations
        are the distances of bounds, or a turn of an angle; no limit where there is neither.
    from_starts : bool, optional
        Whether to start from the spread of the starts over chains, where there is one.
    """
    max_std: ArrayLike | None = proposal._extents()
    if max_cov is not None:
        limits = as_covariance(max_cov, proposal.ndim)
        max_std = np.sqrt(limits if limits.ndim == 1 else np.diagonal(limits))
    proposal._learn_by(SiviaSkilling(target_rate, max_std, from_starts))
