"""Blobs of blocks: what each chain keeps alone."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from epsie.errors import ModelError
from epsie.proposals import Normal, arrays
from epsie.samplers import EnsembleSampler, MetropolisHastingsSampler
from tests.test_blocks import (
    PROPOSALS,
    alone,
    array_steps,
    everything,
    few_are_enough,
    in_blocks,
    model,
    sampler_of,
)

__all__ = ["array_steps", "few_are_enough"]


def with_blobs(outside, **x):
    """With numbers, counts, vectors and marks."""
    first = next(iter(x.values()))
    if np.ndim(first) == 0:
        vector, rounded = np.array([first, -first]), round(first)
    else:
        vector, rounded = np.stack([first, -first], axis=1), np.round(first).astype(int)
    marks = first > 0 if np.ndim(first) else bool(first > 0)
    return *model(outside, **x), {"v": vector, "n": rounded, "x": 2 * first, "b": marks}


def all_of(made):
    return [*everything(made), str(made.blobs.dtype), made.blobs.tobytes()]


@pytest.mark.parametrize("betas", [None, [1.0, 0.4, 0.0]])
def test_gives_the_bits_of_each_chain_alone(betas, array_steps):
    make = partial(sampler_of, PROPOSALS["full"], 2, betas, outside=1.2, ask=with_blobs)
    reference, split = make(), make()
    for sampler in (reference, split):
        sampler.run(1)
    alone(reference, 120)
    for niterations, size in ((50, 6), (1, 4), (69, 6)):
        in_blocks(split, niterations, size)
    assert all_of(split) == all_of(reference)
    assert array_steps[0] == 50 + 2 + 69
    alone(split, 20)
    alone(reference, 20)
    assert all_of(split) == all_of(reference)


def vectorized(ask):
    made = MetropolisHastingsSampler(["x"], ask, 6, [Normal(["x"])], seed=2, vectorize=True)
    made.start_position = {"x": np.linspace(-1, 1, 6)}
    return made


def changing(x):
    """Whole numbers as long as all are."""
    counts = np.round(3 * x).astype(int)
    return -0.5 * x**2, 0.0, {"n": counts if counts.max() < 6 else counts + 0.5}


def text(x):
    return -0.5 * x**2, 0.0, {"side": np.where(x > 0, "right", "left")}


@pytest.mark.parametrize("ask", [changing, text])
def test_blobs_of_other_forms_go_one_by_one(ask, array_steps, monkeypatch):
    pair = []
    for fewest in (1, 99):
        monkeypatch.setattr(arrays, "_FEWEST", {Normal: fewest})
        made = vectorized(ask)
        made.run(3)
        made.run(200, verify=True)
        pair.append(made)
    assert all_of(pair[0]) == all_of(pair[1])
    assert (array_steps[0] > 0) is (ask is changing)


@pytest.mark.parametrize("there", [True, False])
def test_blobs_now_and_then_are_an_error(there):
    made = vectorized(text if there else lambda x: text(x)[:2])
    made.run(3)
    made.model = (lambda x: text(x)[:2]) if there else text
    with pytest.raises(ModelError, match="blob"):
        made.run(3)
    assert made.niterations == 3


def test_ensembles_keep_them(array_steps):
    pair = []
    for vectorize in (False, True):
        made = EnsembleSampler(
            ["x", "y"], partial(with_blobs, 1.5), 2, 8, seed=4, vectorize=vectorize
        )
        rng = np.random.default_rng(3)
        made.start_position = {name: rng.uniform(-1, 1, (2, 8)) for name in ("x", "y")}
        made.run(60)
        pair.append((made.positions.tobytes(), str(made.state), made.blobs.tobytes()))
    assert pair[0] == pair[1]
    assert array_steps[0] == 60
