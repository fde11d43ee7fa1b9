"""Run another sampler on a target; started by `side_by_side` where they are installed.

All are as they come. Ensembles have 32 walkers, or 4 for each parameter if those are more.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from math import inf, isfinite
from pathlib import Path
from typing import Any

import numpy as np
from known_targets import TARGETS
from sharp_targets import Array, Target

Results = dict[str, Any]

NOT_SO_LOW = -1e30
"""Stands for a log likelihood of -inf where that is not taken."""


class Counted:
    """A target that counts how often its likelihood is asked for.

    Parameters
    ----------
    target : Target
        The target.
    """

    def __init__(self, target: Target) -> None:
        self.target, self.calls = target, 0

    def logl(self, x: Array) -> float:
        """The log likelihood."""
        self.calls += 1
        found = self.target.logl(x)
        return found if isfinite(found) else NOT_SO_LOW

    def posterior(self, x: Array) -> float:
        """The log posterior; outside of the prior the likelihood is not asked for."""
        log_prior = self.target.log_prior(x)
        return log_prior + self.logl(x) if isfinite(log_prior) else -inf

    def starts(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Dispersed starts."""
        return rng.uniform(*self.target.starts.T, (*shape, len(self.target.box)))


def _walkers(target: Target) -> int:
    return max(32, 4 * len(target.box))


def emcee(counted: Counted, seed: int, budget: int, moves: Any = None) -> Results:
    """Stretch moves, which are the default."""
    import emcee

    np.random.seed(seed)  # noqa: NPY002 - it takes its seed from there
    walkers, ndim = _walkers(counted.target), len(counted.target.box)
    sampler = emcee.EnsembleSampler(walkers, ndim, counted.posterior, moves=moves)
    starts = counted.starts(np.random.default_rng(seed), (walkers,))
    sampler.run_mcmc(starts, budget // walkers, skip_initial_state_check=True)
    return {"draws": sampler.get_chain().swapaxes(0, 1)}


def emcee_de(counted: Counted, seed: int, budget: int) -> Results:
    """The mixture that its documentation recommends."""
    from emcee import moves

    mixture = [(moves.DEMove(), 0.8), (moves.DESnookerMove(), 0.2)]
    return emcee(counted, seed, budget, mixture)


def zeus(counted: Counted, seed: int, budget: int) -> Results:
    """Slices along differences; each step makes several evaluations."""
    import zeus

    np.random.seed(seed)  # noqa: NPY002
    walkers, ndim = _walkers(counted.target), len(counted.target.box)
    sampler = zeus.EnsembleSampler(walkers, ndim, counted.posterior, verbose=False)
    starts = counted.starts(np.random.default_rng(seed), (walkers,))
    for _ in sampler.sample(starts, iterations=budget // walkers, progress=False):
        if counted.calls >= budget:
            break
    return {"draws": sampler.get_chain()[: sampler.iteration].swapaxes(0, 1)}


def ptmcmc(counted: Counted, seed: int, budget: int) -> Results:
    """One chain, as of one process; the first jumps have the spread of starts."""
    from PTMCMCSampler.PTMCMCSampler import PTSampler

    target = counted.target
    start = counted.starts(np.random.default_rng(seed), ())
    covariance = np.diag(np.square(np.diff(target.starts)[:, 0]) / 12)
    np.random.seed(seed)  # noqa: NPY002
    with tempfile.TemporaryDirectory() as folder:
        sampler = PTSampler(
            len(start),
            counted.logl,
            target.log_prior,
            covariance,
            outDir=folder,
            verbose=False,
            seed=seed,
        )
        sampler.sample(start, budget)
        path = next(Path(folder).glob("chain_1*.txt"))
        rows = np.loadtxt(path)
    return {"draws": rows[np.newaxis, :, : len(start)]}


def ptemcee(counted: Counted, seed: int, budget: int) -> Results:
    """Eight adapted temperatures, the hottest infinite."""
    vars(np).update(float=float, trapz=np.trapezoid)  # names that it knows numpy by
    import ptemcee

    target, ntemps = counted.target, 8
    walkers, ndim = _walkers(target), len(target.box)
    sampler = ptemcee.Sampler(
        walkers,
        ndim,
        counted.logl,
        target.log_prior,
        ntemps=ntemps,
        Tmax=inf,
        random=np.random.RandomState(seed),
    )
    rng = np.random.default_rng(seed)
    starts = np.array([dist.rvs((ntemps, walkers), rng) for dist in target.prior])
    iterations = budget // (walkers * ntemps)
    sampler.run_mcmc(np.moveaxis(starts, 0, -1), iterations, adapt=True)
    log_z, error = sampler.log_evidence_estimate(fburnin=0.5)
    return {"draws": sampler.chain[0], "log_z": log_z, "error": error}


def dynesty(counted: Counted, seed: int, _: int) -> Results:
    """Nested sampling with a fixed number of live points."""
    import dynesty

    return _nested(counted, seed, dynesty.NestedSampler)


def dynesty_dynamic(counted: Counted, seed: int, _: int) -> Results:
    """Dynamic nested sampling."""
    import dynesty

    return _nested(counted, seed, dynesty.DynamicNestedSampler)


def _nested(counted: Counted, seed: int, kind: Any) -> Results:
    rng = np.random.default_rng(seed)
    sampler = kind(counted.logl, counted.target.from_cube, len(counted.target.box), rstate=rng)
    sampler.run_nested(print_progress=False)
    found = sampler.results
    return {
        "draws": found.samples,
        "weights": found.importance_weights(),
        "log_z": found.logz[-1],
        "error": found.logzerr[-1],
    }


def nautilus(counted: Counted, seed: int, _: int) -> Results:
    """Importance nested sampling with networks; it gives no error of the evidence."""
    import nautilus

    prior = nautilus.Prior()
    for name, dist in zip(counted.target.names, counted.target.prior):
        prior.add_parameter(name, dist)
    sampler = nautilus.Sampler(prior, counted.logl, pass_dict=False, seed=seed)
    sampler.run()
    points, log_weights, _ = sampler.posterior()
    return {"draws": points, "weights": np.exp(log_weights), "log_z": sampler.log_z}


def pocomc(counted: Counted, seed: int, _: int) -> Results:
    """Sequential Monte Carlo, preconditioned by a flow."""
    import pocomc

    prior = pocomc.Prior(counted.target.prior)
    sampler = pocomc.Sampler(prior, counted.logl, random_state=seed)
    sampler.run(progress=False)
    points, weights, *_ = sampler.posterior()
    log_z, error = sampler.evidence()
    return {"draws": points, "weights": weights, "log_z": log_z, "error": error}


def nutpie(counted: Counted, seed: int, _: int) -> Results:
    """NUTS, without bounds by logits. A gradient is of differences, and taken to cost nothing."""
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    free, ndim = Free(counted), len(counted.target.box)
    rng = np.random.default_rng(seed)
    model = from_pyfunc(
        ndim,
        lambda: free,
        lambda *_: lambda at: {"x": free.place(at)[0]},
        [np.dtype(float)],
        [(ndim,)],
        ["x"],
        make_initial_point_fn=lambda _: free.at(counted.starts(rng, ())),
    )
    found = nutpie.sample(model, cores=1, seed=seed, progress_bar=False)
    parts = [found.warmup_posterior["x"], found.posterior["x"]]
    return {"draws": np.concatenate(parts, axis=1)}


class Free:
    """The log posterior of parameters without bounds, and its gradient.

    Parameters
    ----------
    counted : Counted
        The target.
    """

    step = 1e-5
    """Of differences; relative to a value that is larger than 1."""

    def __init__(self, counted: Counted) -> None:
        self.counted, box = counted, counted.target.box
        self.bounded = np.isfinite(box).all(axis=1)
        self.low, self.width = box[self.bounded, 0], np.diff(box[self.bounded])[:, 0]

    def at(self, x: Array) -> Array:
        """A position without bounds."""
        free, share = np.array(x), (x[self.bounded] - self.low) / self.width
        free[self.bounded] = np.log(share / (1 - share))
        return free

    def place(self, free: Array) -> tuple[Array, Array]:
        """The position, and of parameters with bounds the share of what is below."""
        x, share = np.array(free), 1 / (1 + np.exp(-free[self.bounded]))
        x[self.bounded] = self.low + self.width * share
        return x, share

    def slope(self, x: Array) -> Array:
        """The gradient by the position; flat priors have none."""
        target, steps = self.counted.target, np.diag(self.step * np.maximum(1, abs(x)))
        rises = [target.logl(x + step) - target.logl(x - step) for step in steps]
        slope = np.array(rises) / (2 * np.diag(steps))
        for where, dist in target.given.items():
            at = x[list(where)]
            rise = dist.logpdf(at + self.step) - dist.logpdf(at - self.step)
            slope[list(where)] += rise / (2 * self.step)
        return slope

    def __call__(self, free: Array) -> tuple[float, Array]:
        """The log density, with the Jacobian of the logits, and its gradient."""
        x, share = self.place(free)
        stretch = self.width * share * (1 - share)
        gradient = self.slope(x)
        gradient[self.bounded] = gradient[self.bounded] * stretch + 1 - 2 * share
        return self.counted.posterior(x) + float(np.log(stretch).sum()), gradient


SAMPLERS: dict[str, tuple[str, Callable[[Counted, int, int], Results]]] = {
    "emcee": ("emcee", emcee),
    "emcee, DE and snooker": ("emcee", emcee_de),
    "zeus": ("zeus-mcmc", zeus),
    "PTMCMCSampler": ("ptmcmcsampler", ptmcmc),
    "ptemcee": ("ptemcee", ptemcee),
    "nautilus": ("nautilus-sampler", nautilus),
    "pocoMC": ("pocomc", pocomc),
    "dynesty": ("dynesty", dynesty),
    "dynesty, dynamic": ("dynesty", dynesty_dynamic),
    "nutpie": ("nutpie", nutpie),
}
"""Samplers, and the packages that have them."""


def main() -> None:
    """Run what the argument names, write what it drew, print the version."""
    job = json.loads(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_CPU, (job["seconds"], job["seconds"]))
    package, run = SAMPLERS[job["sampler"]]
    counted = Counted(TARGETS[job["target"]]())
    found = run(counted, job["seed"], job["budget"])
    np.savez(job["path"], evaluations=counted.calls, **found)
    print(metadata.version(package))


if __name__ == "__main__":
    main()
