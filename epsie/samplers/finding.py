"""A ladder that is to be found: what it needs."""

from __future__ import annotations

from typing import Any

from epsie.model.posterior import Posterior

PROVISIONAL = (1.0, 0.0)
"""The ladder of chains that wait for theirs."""


def check_finds(model: Any, swap_interval: int, annealer: Any, start: str | None) -> None:
    """Refuse what does not go with a ladder that is found.

    Raises
    ------
    ValueError, TypeError
        That says what to give.
    """
    if not isinstance(model, Posterior):
        raise TypeError(
            "a tempered sampler needs betas, inverse temperatures, as betas=[1, 0.3, 0.1, 0]; or "
            "epsie.Posterior(log_likelihood, prior) in place of names and model, of which it finds "
            "them itself"
        )
    if swap_interval != 1 or annealer is not None:
        name = "swap_interval" if swap_interval != 1 else "adaptive_annealer"
        raise ValueError(f"{name} needs betas: a ladder that is found has its own, and stays")
    if start not in (None, "annealed"):
        raise ValueError(f"start must be 'annealed' or None; got {start!r}")
