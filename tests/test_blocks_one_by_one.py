"""Blocks of chains whose model takes one point: the bits, and the errors, of each chain alone."""

from __future__ import annotations

from functools import partial
from math import inf

import numpy as np
import pytest

from epsie.chain import ensemble_block, together
from epsie.errors import ModelError
from epsie.execution import utilisation
from epsie.execution.utilisation import Portions
from epsie.model.one_by_one import OneByOne
from epsie.proposals import ATAdaptiveNormal, Normal, arrays
from epsie.samplers import EnsembleSampler, MetropolisHastingsSampler, ParallelTemperedSampler
from tests.examples import every_example, gaussian
from tests.test_blocks import alone, array_steps, everything, few_are_enough
from tests.test_portions import Fails, give_up, slope

__all__ = ["array_steps", "few_are_enough"]

N = 6


@pytest.fixture(autouse=True)
def any_model_is_cheap(few_are_enough, monkeypatch):
    """However loaded the machine is."""
    monkeypatch.setattr(utilisation, "_CHEAP", inf)


def sampler(model=slope, proposal=Normal, betas=None, **settings):
    names = ["x", "y"]
    if betas is None:
        made = MetropolisHastingsSampler(names, model, N, [proposal(names)], seed=3, **settings)
    else:
        made = ParallelTemperedSampler(names, model, N, betas, 1, [proposal(names)], seed=3)
    shape = (N,) if betas is None else (len(betas), N)
    made.start_position = {"x": np.full(shape, 0.1), "y": np.full(shape, -0.2)}
    return made


def without_blobs(**values):
    return gaussian(**values)[:2]


@pytest.mark.in_part(2)
@pytest.mark.parametrize(
    "example", [case[1] for case in every_example() if type(case[1].make()) in arrays._FEWEST]
)
def test_gives_the_bits_of_each_chain_alone(example):
    pair = []
    for steps in (alone, in_blocks):
        made = MetropolisHastingsSampler(
            example.names, without_blobs, N, proposals=[example.make()], seed=1
        )
        made.start_position = {name: [value] * N for name, value in example.start.items()}
        steps(made, 50)
        steps(made, 1)
        pair.append(made)
    assert everything(pair[1]) == everything(pair[0])


def in_blocks(made, niterations):
    twins = [chain.detached() for chain in made.chains]
    for twin in twins:
        twin.lend(made.model)
    segments = together.advance_together(twins, niterations, OneByOne(made.model))
    for chain, segment in zip(made.chains, segments, strict=True):
        chain.attach(segment)


@pytest.mark.parametrize("betas", [None, [1.0, 0.3]])
def test_a_sampler_steps_many_chains_so(betas, array_steps, monkeypatch):
    learning = partial(ATAdaptiveNormal, adaptation_duration=500)
    made = sampler(proposal=learning, betas=betas)
    made.run(250)
    made.run(30, verify=True)
    # Chain by chain until it is known how long they take, or while they search; verified alone.
    assert 90 < array_steps[0] < 250
    monkeypatch.setattr(utilisation, "_CHEAP", -1.0)
    one_by_one = sampler(proposal=learning, betas=betas)
    one_by_one.run(280)
    assert everything(made) == everything(one_by_one)


@pytest.mark.parametrize(
    "answer",
    [
        lambda logl: (np.float64(logl), 0),
        lambda logl: [logl, 0.0],
        lambda logl: (np.array(logl), 0.0) if logl > -0.5 else (None, -inf),
        lambda logl: (logl, 0.0) if logl > -0.9 else (np.nan, 0.0),
    ],
)
def test_answers_of_any_form_count_as_they_do_alone(answer):
    pair = [sampler(lambda x, y: answer(slope(x, y)[0]), nan="reject") for _ in range(2)]
    alone(pair[0], 40)
    in_blocks(pair[1], 40)
    assert everything(pair[1]) == everything(pair[0])


def press():
    raise KeyboardInterrupt


def test_the_error_is_that_of_chains_one_by_one(array_steps, monkeypatch):
    said = []
    for cheap in (inf, -1.0):
        monkeypatch.setattr(utilisation, "_CHEAP", cheap)
        made = sampler()
        made.run(5)
        made.model = Fails(give_up, made.current_positions["x"].max() + 0.5)
        before = everything(made)
        with pytest.raises(ModelError, match="too far") as caught:
            made.run(300)
        assert everything(made) == before
        said.append((str(caught.value), caught.value.where, caught.value.__notes__))
        made.model = slope
        made.run(60)
    assert said[0] == said[1]
    assert array_steps[0] > 60


def test_an_interrupt_ends_it_within_a_step(array_steps):
    made = sampler()
    made.run(5)
    made.model = Fails(press, made.current_positions["x"].max() + 0.5)
    before = everything(made)
    with pytest.raises(KeyboardInterrupt):
        made.run(300)
    assert array_steps[0] > 0 and everything(made) == before


def test_cheap_steps_are_dealt_in_equal_shares(monkeypatch):
    monkeypatch.undo()
    portions = Portions()
    assert portions.share(64, 2, 16) == 0, "nothing is known before the first steps"
    assert [portions.stretch(900, n, 2, 16) for n in (64, 30)] == [64, 900]
    portions.saw(64, [64 * 1e-5] * 63 + [1.0])
    assert [portions.share(n, 2, 16) for n in (64, 31, 30)] == [32, 16, 0]
    assert portions.share(64, None, 16) == 0, "a pool whose size is not known"
    assert [portions.stretch(900, 64, n, 16) for n in (2, None)] == [256, 900]
    portions.saw(64, [64 * 1e-3] * 64)
    assert portions.share(64, 2, 16) == 0
    assert portions.stretch(900, 64, 2, 16) == 900


def test_ensembles_step_so(array_steps, monkeypatch):
    monkeypatch.setattr(ensemble_block, "_FEWEST", 16)
    pair = []
    for cheap in (inf, -1.0):
        monkeypatch.setattr(utilisation, "_CHEAP", cheap)
        made = EnsembleSampler(["x", "y"], slope, 2, 8, seed=4)
        rng = np.random.default_rng(3)
        made.start_position = {name: rng.uniform(-1, 1, (2, 8)) for name in ("x", "y")}
        made.run(100)
        made.run(20, verify=True)
        pair.append((made.positions.tobytes(), made.acceptance.tobytes(), str(made.state)))
    assert pair[0] == pair[1]
    assert array_steps[0] == 36 + 20
