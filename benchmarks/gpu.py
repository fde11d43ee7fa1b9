"""Chains whose model JAX evaluates, on a GPU where there is one: ``python benchmarks/gpu.py``."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
from figure import HEADING, Figure

from epsie.proposals import Normal
from epsie.samplers import MetropolisHastingsSampler

NCHAINS, NSTEPS = 4096, 200


def figures() -> Iterator[Figure]:
    """The time of a step and chain of 4,096 chains in one block, and that of the model alone."""
    try:
        import jax
    except ImportError:
        yield Figure("gpu: 4,096 chains", None, "us", remark="left out: there is no JAX")
        return
    kind = jax.default_backend()
    if kind == "cpu":
        yield Figure("gpu: 4,096 chains", None, "us", remark="left out: JAX has no GPU")
        return
    jax.config.update("jax_enable_x64", True)
    t = np.linspace(0, 1, 1000)
    data = np.sin(6 * t)

    @jax.jit
    @jax.vmap
    def model(amplitude: float, frequency: float) -> tuple[float, float]:
        away = data - amplitude * jax.numpy.sin(frequency * t)
        return -0.5 * (away * away).sum(), 0.0

    sampler = MetropolisHastingsSampler(
        ["amplitude", "frequency"], model, NCHAINS, [Normal(["amplitude", "frequency"], 1e-3)],
        seed=1, vectorize=NCHAINS,
    )  # fmt: skip
    x = np.random.default_rng(1).normal(size=(2, NCHAINS)) * 0.01
    sampler.start_position = {"amplitude": 1 + x[0], "frequency": 6 + x[1]}
    sampler.run(10)
    started = time.perf_counter()
    sampler.run(NSTEPS)
    taken = time.perf_counter() - started
    started = time.perf_counter()
    for _ in range(NSTEPS):
        jax.block_until_ready(model(amplitude=1 + x[0], frequency=6 + x[1]))
    alone = time.perf_counter() - started
    each = 1e6 / NSTEPS / NCHAINS
    device = jax.devices()[0].device_kind
    yield Figure("gpu: 4,096 chains, a step and chain", each * taken, "us", remark=device)
    yield Figure("gpu: the model alone, a point", each * alone, "us", remark=device)


if __name__ == "__main__":
    print(HEADING)
    for figure in figures():
        print(figure.row)
