"""Chains of a run whose jumps are far too large or too small."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from epsie.proposals.adaptation.base import end_of_learning
from epsie.results.view import View

if TYPE_CHECKING:
    from epsie.diagnostics.astray import Astray, Learning

_LEAST_ROWS = 100
"""Of fewer a rate tells nothing."""


def off_the_aim(
    view: View, burn_in: int, temperature: int, sds: Mapping[str, float]
) -> list[Astray]:
    """The chains that accept far too few or too many jumps, once learning has ended if it has.

    None of a transdimensional run, where births are accepted at rates of their own, or at beta = 0,
    where nothing need be rejected.

    Parameters
    ----------
    view : View
        The run.
    burn_in, temperature : int
        The iteration after which it is looked at, and the index of the temperature.
    sds : mapping
        The standard deviations of the draws, by parameter.
    """
    from epsie.diagnostics.acceptance import acceptance_rate
    from epsie.diagnostics.astray import astray, ensembles_astray

    learning = _learning(view)
    end = learning.end if learning.has_ended else None
    rows = view.after(max(burn_in, end or 0))
    if len(view.iterations[rows]) < _LEAST_ROWS:
        rows = view.after(burn_in)
    free = (view.source.betas[:, temperature] == 0).all()
    free |= any(part.transdimensional for part in view.source.proposals)
    if free or len(view.iterations[rows]) < _LEAST_ROWS:
        return []
    rates = acceptance_rate(view.columns_at("acceptance", temperature, rows=rows))
    if view.nwalkers > 1:
        return ensembles_astray(rates.reshape(-1, view.nwalkers).mean(axis=-1))
    return astray(rates, learning, sds)


def _learning(view: View) -> Learning:
    """The `Learning` of a run: the way its jumps come by their size."""
    from epsie.diagnostics.astray import Learning

    learn = [leaf for leaf in view.leaves if leaf.adaptation is not None]
    fixed: dict[str, float] = {}
    for leaf in view.leaves:
        # A user's class may lack the widths that its base has.
        with suppress(AttributeError):
            if leaf.adaptation is None:
                fixed.update(zip(leaf.parameters, map(float, leaf.jump_stds())))
    ends = [end_of_learning(leaf) for leaf in learn]
    # What is reset after swaps learns anew each time.
    never = not all(ends) or bool(view.source.settings.get("reset_after_swap"))
    return Learning(
        [leaf.adaptation.aim for leaf in learn if leaf.adaptation is not None],
        None if never else max(ends, default=None),
        view.source.niterations,
        fixed,
    )
