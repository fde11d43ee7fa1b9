"""From a likelihood and a prior to a posterior with evidence, in one call."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from epsie.errors import RunDirectoryError
from epsie.model.evaluation import NanPolicy, as_nan_policy
from epsie.model.posterior import Likelihood, Posterior
from epsie.model.prior import Prior
from epsie.running.ending import FOREVER, Limits
from epsie.samplers.base import BaseSampler
from epsie.samplers.mhsampler import MetropolisHastingsSampler
from epsie.samplers.ptsampler import ParallelTemperedSampler
from epsie.storage.files import is_there, resolved
from epsie.storage.rundir.folder import MANIFEST
from epsie.storage.rundir.manifest import read_manifest

_NCHAINS = 16


def sample(
    log_likelihood: Likelihood,
    prior: Prior | Mapping[Any, Any],
    *,
    nchains: int | None = None,
    tempered: bool | None = None,
    pool: Any = None,
    until: Mapping[str, Any] | None = {"ess": 1000, "rhat": 1.01},
    max_evaluations: int | None = None,
    max_time: str | float | None = None,
    directory: str | PathLike[str] | None = None,
    seed: int | None = None,
    progress: bool | None = None,
    vectorize: bool | int = False,
    every: int | str | None = None,
    nan: NanPolicy | None = None,
) -> BaseSampler:
    """Sample a posterior, with nothing to tune: the sampler is made, started, run and stopped.

    A population is led from the prior to the posterior, which finds the modes in whose basins draws
    from the prior lie; then plain chains go on from it, which learn together how to propose.

    Parameters
    ----------
    log_likelihood : callable
        The natural logarithm of the likelihood; called by name: see `Posterior`.
    prior : Prior or mapping
        The prior: see `Prior`.
    nchains : int, optional
        The number of chains; 16 if None.
    tempered : bool, optional
        True: the chains are tempered to the end, from the prior to the posterior, as for hundreds
        of modes, at temperatures that the start finds. It is the default if the prior has integers,
        as only tempering gives their evidence. False: plain chains from draws of the prior, which
        may miss modes.
    pool : object, optional
        Where the chains run: a number of processes, or any pool: see the samplers.
    until : mapping, optional
        When to stop: see `epsie.running.stopping.Until`; None: at a limit only.
    max_evaluations, max_time : optional
        When to stop at the latest: see `run` of the samplers. One of them is needed if `until` is
        None.
    directory : str or path, optional
        A run directory. The same line started again goes on where it was.
    seed : int, optional
        The seed; of a directory its own, if None.
    progress : bool, optional
        Whether to show a bar on a terminal or in a notebook; yes, if None.
    vectorize : bool or int, optional
        Whether the log likelihood takes arrays, with a value for each of many points, and returns
        an array: see the samplers.
    every : int or str, optional
        How often the directory is written to, as '60s' or so many iterations; None: as the run
        there does, or every minute.
    nan : {'raise', 'reject'}, optional
        What to do where the likelihood is NaN or +inf: refuse to go on, or reject the position.
        None: as the run in the directory does, or 'raise'.

    Returns
    -------
    ParallelTemperedSampler or MetropolisHastingsSampler
        The sampler, after the run: `summary`, `draws`, `log_evidence`, `to_arviz`, `stopped_by`,
        `lacks`, `recipe`.

    Raises
    ------
    TypeError, ValueError
        If likelihood and prior do not go together, or nothing ends the run.
    RunDirectoryError
        If the directory holds a run with another prior, number of chains, seed, `nan` or
        `tempered`.

    Examples
    --------
    >>> import epsie
    >>> run = epsie.sample(lambda x: -x * x / 2, {"x": (-10, 10)}, seed=1)
    >>> abs(run.log_evidence().log_z - -2.0768) < 0.05
    True
    """
    Limits(until, max_evaluations, max_time)
    if until is None and max_evaluations is None and max_time is None:
        raise ValueError(
            "nothing ends the run: give until=, as {'ess': 1000, 'rhat': 1.01}, max_evaluations= "
            "or max_time="
        )
    if tempered not in (None, True, False):
        raise ValueError(f"tempered must be True, False or None; got {tempered!r}")
    nan = None if nan is None else as_nan_policy(nan)
    posterior = Posterior(log_likelihood, prior, vectorize=vectorize)
    plain = "integer" not in posterior.prior.kinds.values()
    hot = tempered or (tempered is None and not plain)
    start = "annealed" if tempered is None and plain else None
    chosen = None if tempered is None else hot
    settings = {"nchains": nchains, "seed": seed, "nan": nan}
    sampler = _gone_on_with(directory, posterior, chosen, pool, settings)
    if sampler is None:
        given = {name: value for name, value in settings.items() if value is not None}
        sampler = _made(posterior, hot, start, pool, {"nchains": _NCHAINS, **given})
    sampler.run(
        FOREVER,
        until=until,
        max_evaluations=max_evaluations,
        max_time=max_time,
        progress=progress is not False,
        directory=directory,
        every=every,
    )
    return sampler


def _made(
    posterior: Posterior, hot: bool, start: str | None, pool: Any, settings: Mapping[str, Any]
) -> BaseSampler:
    if not hot:
        return MetropolisHastingsSampler(posterior, pool=pool, start=start, **settings)
    return ParallelTemperedSampler(posterior, pool=pool, **settings)


def _gone_on_with(
    directory: str | PathLike[str] | None,
    posterior: Posterior,
    hot: bool | None,
    pool: Any,
    settings: Mapping[str, Any],
) -> BaseSampler | None:
    """The sampler of the run in a directory; None if there is none.

    The settings are those that are to be as in the run, unless they are None.

    Raises
    ------
    RunDirectoryError
        If it is another run: all that differs is named.
    """
    if directory is None or not is_there(resolved(directory) / MANIFEST):
        return None
    manifest, plain = read_manifest(resolved(directory)), hot is False
    if hot is None:
        hot = manifest["sampler"] != MetropolisHastingsSampler.name
    kind = ParallelTemperedSampler if hot else MetropolisHastingsSampler
    names = list(posterior.parameters)
    wanted = {"parameters": names, **settings, "sampler": kind.name}
    other = [
        f"{name}: the run has {manifest.get(name)}, now it is {value}"
        for name, value in wanted.items()
        if value is not None and manifest.get(name) != value
    ]
    if plain and manifest.get("begins") is not None:
        other.append("tempered: the run has None, an annealed start, now it is False")
    if other:
        raise RunDirectoryError(
            f"the run in {directory} is another one:\n  " + "\n  ".join(other) + "\nGive what it "
            "has, or another directory"
        )
    return kind.resume(directory, posterior, pool=pool)
