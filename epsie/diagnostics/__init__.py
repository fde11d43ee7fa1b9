"""Diagnostics: whether chains have converged, and how much their draws are worth.

All functions take draws by parameter: a structured array of shape (nchains, n), as
`sampler.positions` is, or a dict of such arrays; and give a dict by parameter. Samplers and
`epsie.open_run` have methods of the same names, which choose the draws. Effective sample sizes and
R-hat are those of Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021, doi:10.1214/20-BA1221, as
arviz-stats computes them.

A parameter is treated as what it is:

* *angular* (given with `angular`): the mean is the mean direction, the standard deviation that of
  the circle; all else is computed of its cosine and its sine, and the worse is given.
* *discrete*: ranks of equal draws are averaged, and a quantile that divides nothing is replaced by
  one that does.
* *transdimensional* (NaN where it is inactive): moments and quantiles are those of the active
  draws, with the error of such a ratio; ``active(x)``, 1 where `x` is active and 0 elsewhere, is
  listed as a parameter of its own.

Where `nwalkers` is given, so many neighbouring chains are the walkers of one ensemble, and not
independent: errors and effective sample sizes are those of the means over walkers, with ensembles
as chains, and R-hat compares ensembles with each other.

What cannot be told is NaN: of a parameter that never changes, or of fewer than 8 draws.
"""

from __future__ import annotations

from epsie.diagnostics.acceptance import acceptance_rate, block_acceptance_rate
from epsie.diagnostics.burnin import stuck_chains, suggest_burn_in
from epsie.diagnostics.convergence import (
    autocorrelation_length,
    ess_bulk,
    ess_tail,
    mcse_mean,
    mcse_sd,
    nested_rhat,
    rhat,
)
from epsie.diagnostics.summary import Summary, summarise

__all__ = [
    "Summary",
    "acceptance_rate",
    "autocorrelation_length",
    "block_acceptance_rate",
    "ess_bulk",
    "ess_tail",
    "mcse_mean",
    "mcse_sd",
    "nested_rhat",
    "rhat",
    "stuck_chains",
    "suggest_burn_in",
    "summarise",
]
