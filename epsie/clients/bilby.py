"""The sampler ``epsie`` of bilby, which finds it by the entry point ``bilby.samplers``."""

from __future__ import annotations

import inspect
import shutil
import sys
from collections.abc import Callable
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np
from bilby.core.sampler.base_sampler import MCMCSampler
from bilby.core.utils import logger, random

from epsie.clients.bilby_priors import prior_of
from epsie.errors import RunDirectoryError
from epsie.results.burn_in import burn_in_of
from epsie.results.view import View
from epsie.samplers.sample import sample
from epsie.storage.files import is_there
from epsie.storage.rundir.folder import MANIFEST
from epsie.storage.rundir.holder import holder

_ZERO = -1e300
"""Log likelihoods below are none: ``nan_to_num(-inf)`` is how bilby's likelihoods write zero."""


class Epsie(MCMCSampler):  # type: ignore[misc]
    """Tempered Markov chains from the prior to the posterior, with evidence (`epsie.sample`).

    The run is kept in ``outdir/epsie_label/``, and goes on there.

    Parameters
    ----------
    nchains : int, optional
        The number of independent chains; 8.
    tempered : bool, optional
        Whether the chains are tempered: False gives no evidence.
    until : dict, optional
        When to stop: ``{"ess": 1000, "rhat": 1.01}``.
    max_evaluations, max_time : optional
        When to stop at the latest: a number of likelihoods, a time as ``"3h50m"``. The same call
        goes on then.
    seed : int, optional
        The seed; drawn from bilby's generator, if None.
    resume : bool, optional
        False: a run that is there is removed, and another one begun.
    pool : object, optional
        Where the chains run, if not in `npool` processes.
    progress : bool, optional
        Whether to show a bar; where somebody can see it, if None.
    """

    _npool: Any
    cached_result: Any
    sampler_name = "epsie"
    sampling_seed_key = "seed"
    default_kwargs = {
        "nchains": None,
        "tempered": None,
        "until": {"ess": 1000, "rhat": 1.01},
        "max_evaluations": None,
        "max_time": None,
        "seed": None,
        "resume": True,
        "pool": None,
        "progress": None,
    }

    def _translate_kwargs(self, kwargs: dict[str, Any]) -> None:
        super()._translate_kwargs(kwargs)
        for name in self.npool_equiv_kwargs:
            self._npool = kwargs.pop(name, self._npool)

    def _check_cached_result(self, result_class: Any = None) -> None:
        """Take a saved result only if it is of a run that reached what is wanted now."""
        super()._check_cached_result(result_class)
        if self.cached_result:
            ended = (self.cached_result.meta_data or {}).get("epsie", {})
            if ended.get("stopped_by") != "until" or ended["until"] != self.kwargs["until"]:
                self.cached_result = None

    def run_sampler(self) -> Any:
        """The result of a run, or of going on with the one that is there."""
        kwargs = dict(self.kwargs)
        directory = Path(self.get_expected_outputs(self.outdir, self.label)[1][0])
        if not kwargs.pop("resume"):
            _remove(directory)
        if kwargs["seed"] is None and not is_there(directory / MANIFEST):
            kwargs["seed"] = int(random.rng.integers(2**53))
        if kwargs["pool"] is None and (self.npool or 1) > 1:
            kwargs["pool"] = self.npool
        log_likelihood = LogLikelihood(self.likelihood, bool(self.use_ratio))
        try:
            run = sample(log_likelihood, prior_of(self.priors), directory=directory, **kwargs)
        except (KeyboardInterrupt, SystemExit):
            # All is saved. Schedulers know by this code that the job is to be put back.
            logger.info(f"Run interrupted, kept in {directory}: exit on {self.exit_code}")
            sys.exit(self.exit_code)
        self._fill(run)
        return self.result

    def _fill(self, run: Any) -> None:
        """Make the result of a run."""
        lacks = run.lacks()
        if lacks:
            logger.warning(f"The run was ended by {run.stopped_by}: {lacks}")
        view, result = View(run), self.result
        burn_in = burn_in_of(view).iteration
        rows = view.after(burn_in)
        lengths = [chains.mean() for chains in run.autocorrelation_length(burn_in).values()]
        length = float(max([1.0, *(value for value in lengths if isfinite(value))]))
        thinned = slice(rows.start, None, max(1, int(length) // view.source.spacing))
        draws = view.columns_at("positions", 0, rows=thinned)
        stats = view.columns_at("stats", 0, rows=thinned)
        result.samples = np.stack([draws[n].ravel() for n in self.search_parameter_keys], axis=1)
        result.log_likelihood_evaluations = stats["logl"].ravel()
        result.log_prior_evaluations = stats["logp"].ravel()
        result.log_evidence, result.log_evidence_err = _evidence(run)
        result.num_likelihood_evaluations = run.evaluations
        result.nburn, result.max_autocorrelation_time = burn_in, length
        ended = {name: getattr(run, name) for name in ("stopped_by", "seed")}
        ended["until"] = self.kwargs["until"]
        result.meta_data = {**(self.meta_data or {}), "epsie": ended}


class LogLikelihood:
    """The log likelihood, or its ratio to that of noise, as a function of parameters by name."""

    def __init__(self, likelihood: Any, use_ratio: bool) -> None:
        self.likelihood = likelihood
        self.name = "log_likelihood_ratio" if use_ratio else "log_likelihood"
        method = getattr(likelihood, self.name)
        self.keeps = "parameters" not in inspect.signature(method).parameters

    def __call__(self, **parameters: Any) -> float:
        """The natural logarithm; -inf for zero."""
        method: Callable[..., Any] = getattr(self.likelihood, self.name)
        if self.keeps:  # as likelihoods did before bilby 2.7
            self.likelihood.parameters.update(parameters)
            value = float(method())
        else:
            value = float(method(parameters=parameters))
        return -inf if value < _ZERO else value


def _evidence(run: Any) -> tuple[float, float]:
    """The log evidence and its error; NaN if it cannot be told, with the reason in the log."""
    try:
        found = run.log_evidence()
    except ValueError as error:
        logger.warning(f"No evidence: {error}")
        return np.nan, np.nan
    return found.log_z, found.standard_error


def _remove(directory: Path) -> None:
    """Remove a run that nobody writes to.

    Raises
    ------
    RunDirectoryError
        If somebody does.
    """
    if not is_there(directory / MANIFEST):
        return
    writer = holder(directory)
    if writer is not None and writer.is_alive is not False:
        raise RunDirectoryError(
            f"resume=False removes the run in {directory}, which process {writer.pid} on "
            f"{writer.host} is writing: let it end, or give another label"
        )
    shutil.rmtree(directory)
