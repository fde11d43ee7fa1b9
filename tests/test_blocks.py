"""Chains stepped as arrays: they give, bit for bit, what each gives alone."""

from __future__ import annotations

from functools import partial
from math import inf

import numpy as np
import pytest

from epsie.chain import block as block_file
from epsie.chain import together
from epsie.chain.alike import proposals_of
from epsie.chain.block import Block
from epsie.execution import utilisation
from epsie.model.batch import Batch
from epsie.proposals import (
    AdaptiveAngular,
    AdaptiveBoundedNormal,
    AdaptiveNormal,
    Angular,
    ATAdaptiveNormal,
    Boundaries,
    BoundedNormal,
    Learned,
    Normal,
    Snooker,
    SSAdaptiveAngular,
    SSAdaptiveBoundedNormal,
    SSAdaptiveNormal,
    arrays,
)
from epsie.proposals.adaptation import many_covariances
from epsie.rng.elementwise import exps
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.storage.statetree import encode

N, STEPS = 6, 300


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch):
    # Half as many where the model takes many points.
    monkeypatch.setattr(arrays, "_FEWEST", dict.fromkeys(arrays._FEWEST, 2))
    # Samplers whose model takes one point are what others are compared with.
    monkeypatch.setattr(utilisation, "_CHEAP", -1.0)


def model(outside=inf, **x):
    """Asked about one point or many; the prior vanishes beyond a distance."""
    values = list(x.values())
    logl, beyond = 0.0, False
    for i, value in enumerate(values):
        logl = logl - (0.5 + 0.2 * i) * value * value
        beyond = beyond | (abs(value) > outside)
    return (logl, np.where(beyond, -inf, 0.0)) if np.ndim(logl) else (logl, -inf if beyond else 0.0)


def full(ndim):
    a = np.random.default_rng(3).normal(size=(ndim, ndim))
    return a @ a.T / ndim**2 + 0.1 * np.eye(ndim)


PROPOSALS = {
    "normal": lambda names: Normal(names, 0.6 / len(names)),
    "full": lambda names: Normal(names, full(len(names))),
    "veitch": lambda names: AdaptiveNormal(names, {n: Boundaries((-3, 3)) for n in names}, 300),
    "sivia": lambda names: SSAdaptiveNormal(names),
    "sivia, limited": lambda names: SSAdaptiveNormal(names, 1.0, max_cov=1.5),
    "sivia, full": lambda names: SSAdaptiveNormal(names, full(len(names))),
    "thoms": lambda names: ATAdaptiveNormal(names, 400),
    "angular": lambda names: Angular(names, bounds=(-1.0, 2.0)),
    "angular, wide": lambda names: SSAdaptiveAngular(names, 9.0, bounds=(-1.0, 1.0)),
    "angular, veitch": lambda names: AdaptiveAngular(names, 200, bounds=(-3.0, 3.0)),
    "bounded": lambda names: BoundedNormal(names, dict.fromkeys(names, (-1.0, inf)), 0.2),
    "bounded, wide": lambda names: SSAdaptiveBoundedNormal(
        names, dict.fromkeys(names, (-1, 1)), 1.0
    ),
    "bounded, veitch": lambda names: AdaptiveBoundedNormal(
        names, dict.fromkeys(names, (-3, 1)), 300
    ),
    "thoms, for ever": lambda names: ATAdaptiveNormal(names, None, start_step=5),
}


def sampler_of(proposal, ndim=3, betas=None, scheme="cascade", outside=inf, n=N, ask=model):
    names = [f"p{i}" for i in range(ndim)]
    asked = partial(ask, outside)
    rng = np.random.default_rng(1)
    if betas is None:
        made = MetropolisHastingsSampler(names, asked, n, [proposal(names)], seed=5)
        x = rng.uniform(-0.9, 0.9, size=(ndim, n))
    else:
        made = ParallelTemperedSampler(
            names, asked, n, betas, 2, [proposal(names)], seed=5, swap_scheme=scheme
        )
        x = rng.uniform(-0.9, 0.9, size=(ndim, len(betas), n))
    made.start_position = dict(zip(names, x, strict=True))
    return made


def alone(sampler, niterations):
    """Each chain by itself."""
    for chain in sampler.chains:
        twin = chain.detached()
        twin.lend(sampler.model)
        chain.attach(twin.advance(niterations))


def in_blocks(sampler, niterations, size):
    """Chains together in groups; how many steps were made as arrays."""
    batch = Batch(sampler.model, size * sampler.chains[0].ntemps)
    for first in range(0, len(sampler.chains), size):
        chains = sampler.chains[first : first + size]
        twins = [chain.detached() for chain in chains]
        for twin in twins:
            twin.lend(batch)
        for chain, segment in zip(
            chains, together.advance_together(twins, niterations, batch), strict=True
        ):
            chain.attach(segment)


def everything(sampler):
    """All bits of it: states, rows, sweeps, notes."""
    found = [encode(sampler.state), str([chain.notes for chain in sampler.chains])]
    found += [getattr(sampler, name).tobytes() for name in ("positions", "stats", "acceptance")]
    if sampler.chains[0].ntemps > 1:
        found += [sampler.temperature_swaps.tobytes(), sampler.temperature_acceptance.tobytes()]
    return found


@pytest.fixture
def array_steps(monkeypatch):
    """Counts the steps that are made as arrays."""
    made = [0]
    run = Block.run

    def counted(block, niterations):
        made[0] += niterations
        run(block, niterations)

    monkeypatch.setattr(Block, "run", counted)
    return made


@pytest.mark.parametrize(
    ("kind", "ndim"),
    [("normal", 1), ("full", 2), ("veitch", 10), ("sivia", 2), ("sivia, limited", 3)]
    + [("sivia, full", 3), ("thoms", 10), ("thoms, for ever", 1), ("thoms, for ever", 3)]
    + [("angular", 1), ("angular, wide", 2), ("angular, veitch", 3)]
    + [("bounded", 3), ("bounded, wide", 2), ("bounded, veitch", 1)],
)
def test_gives_the_bits_of_each_chain_alone(kind, ndim, array_steps):
    make = partial(sampler_of, PROPOSALS[kind], ndim, outside=1.1 if "ever" in kind else inf)
    check(make, STEPS, ((1, N), (132, 4), (1, 1), (STEPS - 134, N)))
    assert array_steps[0] > 100


@pytest.mark.slow
@pytest.mark.in_part(3)
@pytest.mark.parametrize("ndim", [1, 2, 10, 20])
@pytest.mark.parametrize("kind", PROPOSALS)
def test_gives_the_bits_of_each_chain_alone_in_any_grouping(kind, ndim):
    make = partial(sampler_of, PROPOSALS[kind], ndim, n=70, outside=1.5 if "ever" in kind else inf)
    check(make, STEPS, ((132, 1), (1, 70), (132, 7), (STEPS - 265, 64)))


def check(make, total, parts):
    """Compare chains alone with those in blocks of sizes, for so many steps each."""
    reference, split = make(), make()
    alone(reference, total)
    for niterations, size in parts:
        in_blocks(split, niterations, size)
    assert everything(split) == everything(reference)
    # Each goes on alone.
    alone(split, 20)
    alone(reference, 20)
    assert everything(split) == everything(reference)


@pytest.mark.parametrize(
    ("kind", "ndim", "ntemps", "scheme"),
    [
        ("normal", 2, 4, "cascade"),
        ("normal", 10, 7, "deo"),
        ("thoms", 3, 3, "cascade"),
        ("full", 2, 2, "deo"),
        ("bounded, wide", 2, 3, "deo"),
        ("angular", 3, 2, "cascade"),
    ],
)
def test_temperatures_swap_as_they_do_alone(kind, ndim, ntemps, scheme, array_steps):
    betas = [0.5**t for t in range(ntemps - 1)] + [0.0]
    make = partial(sampler_of, PROPOSALS[kind], ndim, betas, scheme, 1.5, 6)
    reference, split = make(), make()
    alone(reference, 300)
    for niterations, size in ((101, 6), (199, 5)):
        in_blocks(split, niterations, size)
    assert everything(split) == everything(reference)
    assert array_steps[0] > 200


def test_a_sampler_steps_them_so(array_steps):
    names = ["x", "y"]
    samplers = []
    for vectorize in (False, True):
        sampler = MetropolisHastingsSampler(
            names, partial(model, inf), 20, [Normal(names)], seed=1, vectorize=vectorize
        )
        sampler.start_position = {name: np.linspace(-1, 1, 20) for name in names}
        sampler.run(50)
        sampler.run(100, verify=True)
        samplers.append(sampler)
    assert samplers[0].positions.tobytes() == samplers[1].positions.tobytes()
    assert encode(samplers[0].state) == encode(samplers[1].state)
    assert array_steps[0] == 250


def test_what_has_no_form_as_arrays_is_stepped_one_by_one():
    by_parts = partial(ATAdaptiveNormal, adaptation_duration=9, componentwise=True)
    for proposal in (Learned, Snooker, by_parts):
        made = sampler_of(proposal)
        assert proposals_of(made.chains) is None
    assert proposals_of(sampler_of(Normal).chains) is not None
    other = sampler_of(Normal)
    other.chains[0].proposal_dist.proposals[0].set_jump_interval(2, 10)
    assert proposals_of(other.chains) is None
    limits = sampler_of(PROPOSALS["bounded"])
    limits.chains[1].proposal_dist.proposals[0].boundaries = dict.fromkeys(
        ["p0", "p1", "p2"], (0, 1)
    )
    assert proposals_of(limits.chains) is None
    assert proposals_of(limits.chains[1:2]) is None  # it stands outside, which is an error


def test_refused_answers_name_the_chain_or_are_counted():
    def bad(outside, **x):
        first = next(iter(x.values()))
        logl = -0.5 * first * first
        return np.where(first > 1.5, np.nan, logl), 0.0 * first

    for nan in ("raise", "reject"):
        pair = []
        for vectorize in (False, True):
            sampler = MetropolisHastingsSampler(
                ["x"], partial(bad, None), 8, [Normal(["x"])], seed=2, vectorize=vectorize, nan=nan
            )
            sampler.start_position = {"x": np.linspace(-1, 1, 8)}
            pair.append(sampler)
        if nan == "reject":
            for sampler in pair:
                sampler.run(100)
            assert encode(pair[0].state) == encode(pair[1].state)
            assert pair[0].evaluations == pair[1].evaluations
            continue
        with pytest.raises(Exception, match="logl = nan") as found:
            pair[1].run(100)
        where = found.value.where
        chain = pair[0].chains[where["chain"]].detached()
        chain.lend(pair[0].model)
        with pytest.raises(Exception, match="logl = nan"):
            chain.advance(where["iteration"] + 1)
        assert chain.where(chain._drawn) == where


DEFECTS = {
    "exponentials of numpy": (block_file, "exps", lambda x: np.nextafter(exps(x), 0.0)),
    "a product by einsum": (np, "matmul", lambda a, b: np.einsum("nij,njk->nik", a, b)),
    "a sum in another order": (
        many_covariances,
        "_sums",
        lambda x: np.add.reduce(np.ascontiguousarray(x[:, ::-1]), axis=1),
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_other_last_bits_are_found(defect, monkeypatch):
    make = partial(sampler_of, PROPOSALS["thoms, for ever"], 3)
    reference, broken = make(), make()
    alone(reference, STEPS)
    monkeypatch.setattr(*DEFECTS[defect])
    in_blocks(broken, STEPS, N)
    assert everything(broken) != everything(reference)
