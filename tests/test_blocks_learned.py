"""`Learned` proposals stepped as arrays: they give, bit for bit, what each chain gives alone."""

from __future__ import annotations

from functools import partial
from math import inf

import numpy as np
import pytest

from epsie.chain.alike import proposals_of
from epsie.errors import ProposalError
from epsie.proposals import Learned
from epsie.proposals.learned import components, distances, many_kernels
from epsie.proposals.learned.many_kernels import ManyKernels
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.storage.statetree import encode
from tests.test_blocks import (
    alone,
    array_steps,
    check,
    everything,
    few_are_enough,
    in_blocks,
    model,
    sampler_of,
)

__all__ = ["array_steps", "few_are_enough"]


def bounded(names):
    """Bounds that jumps are refused at, one that bends, and an angle."""
    first, *others = names
    return Learned(names, {first: (-1, 3), others[0]: (-2, inf)}, {others[-1]: 4.0})


def ending(names):
    return Learned(names, adaptation_duration=100)


def learned(ndim, begun, proposal=Learned, betas=None, scheme="cascade", outside=inf, n=6):
    """Chains that have learned something together, between two lessons."""
    made = sampler_of(proposal, ndim, betas, scheme, outside, n)
    made.run(begun)
    made.clear()
    return made


CASES = [
    (2, 220, Learned, 1.5),
    (1, 130, Learned, inf),
    (3, 130, bounded, inf),
    (2, 100, Learned, inf),
    (10, 130, Learned, inf),
    (3, 130, ending, inf),
]


@pytest.mark.in_part(2)
@pytest.mark.parametrize(("ndim", "begun", "proposal", "outside"), CASES)
def test_gives_the_bits_of_each_chain_alone(ndim, begun, proposal, outside, array_steps):
    make = partial(learned, ndim, begun, proposal, outside=outside)
    check(make, 150, ((1, 6), (60, 4), (1, 1), (88, 6)))
    assert array_steps[0] == 1 + 2 * 60 + 6 + 88


@pytest.mark.slow
@pytest.mark.in_part(5)
@pytest.mark.parametrize("begun", [150, 1100])
@pytest.mark.parametrize("ndim", [1, 2, 3, 10, 20])
def test_gives_the_bits_of_each_chain_alone_in_any_grouping(ndim, begun):
    make = partial(learned, ndim, begun, n=70)
    check(make, 300, ((132, 1), (1, 70), (132, 7), (35, 64)))


@pytest.mark.in_part(2)
@pytest.mark.parametrize("scheme", ["cascade", "deo"])
def test_temperatures_swap_as_they_do_alone(scheme, array_steps):
    make = partial(learned, 2, 90, Learned, [1.0, 0.3, 0.0], scheme, 1.5)
    check(make, 120, ((51, 6), (69, 5)))
    assert array_steps[0] == 51 + 2 * 69


@pytest.mark.in_part(3)
@pytest.mark.parametrize("betas", [[1.0, 0.2], None])
@pytest.mark.parametrize("proposal", [Learned, bounded, ending])
def test_chains_learn_the_same_together(proposal, betas, array_steps):
    names, pair = ["x", "y", "z"], []
    for vectorize in (False, True):
        settings = {"seed": 3, "vectorize": vectorize}
        asked, parts = partial(model, 1.8), [proposal(names)]
        if betas is None:
            sampler = MetropolisHastingsSampler(names, asked, 5, parts, **settings)
        else:
            sampler = ParallelTemperedSampler(names, asked, 5, betas, 1, parts, **settings)
        shape = sampler.chains[0].ntemps, 5
        x = np.linspace(-0.9, 0.9, 5) if betas is None else np.full(shape, 0.3)
        sampler.start_position = dict.fromkeys(names, x)
        for niterations in (70, 1, 180):
            sampler.run(niterations)
        pair.append(sampler)
    assert everything(pair[1]) == everything(pair[0])
    assert np.array_equal(pair[1].evaluations, pair[0].evaluations)
    assert array_steps[0] > 150


def test_what_is_refused_is_rejected_as_it_is_alone():
    def bad(**x):
        first = next(iter(x.values()))
        return np.where(first > 0.9, np.nan, -0.5 * first * first), 0.0 * first

    pair = []
    for vectorize in (False, True):
        sampler = MetropolisHastingsSampler(
            ["x"], bad, 6, [Learned(["x"])], seed=2, vectorize=vectorize, nan="reject"
        )
        sampler.start_position = {"x": np.linspace(-1, 0.5, 6)}
        sampler.run(120)
        pair.append(sampler)
    assert encode(pair[0].state) == encode(pair[1].state)
    assert pair[0].evaluations == pair[1].evaluations


def test_what_has_no_form_as_arrays_is_stepped_one_by_one():
    known = learned(2, 100)
    assert proposals_of(known.chains) is not None
    assert proposals_of(sampler_of(Learned).chains) is None  # nothing is known yet
    by_itself = learned(2, 100, partial(Learned, pooled=False))
    assert proposals_of(by_itself.chains) is None
    resting = learned(2, 100)
    resting.chains[0].proposal_dist.proposals[0].set_jump_interval(2, 10)
    assert proposals_of(resting.chains) is None


def test_no_density_is_an_error_that_tells_where(monkeypatch):
    made = learned(2, 100)
    monkeypatch.setattr(ManyKernels, "log_hastings", lambda self: np.full(6, np.nan))
    with pytest.raises(ProposalError, match="gave no density") as found:
        in_blocks(made, 1, 6)
    assert found.value.where["chain"] == 0
    assert found.value.where["iteration"] == 100


def unseen_swaps(self, x, streams, draw=ManyKernels.draw):
    """A jump from where the temperature stood before a swap."""
    return draw(self, self.here.x, streams)


def backwards(a, b):
    return np.add.reduce(np.ascontiguousarray((a * b)[..., ::-1]), axis=-1)


DEFECTS = {
    "other exponentials": (components, "exp", lambda x: np.nextafter(np.exp(x), 0.0)),
    "a product by einsum": (np, "matmul", lambda a, b: np.einsum("...ij,...jk->...ik", a, b)),
    "a sum in another order": (distances, "_dots", backwards),
    "no term of local jumps": (many_kernels, "log_hastings_of_local", lambda *_: 0.0),
    "a point of before a swap": (ManyKernels, "draw", unseen_swaps),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_defects_are_found(defect, monkeypatch):
    make = partial(learned, 3, 150, betas=[1.0, 0.3] if "swap" in defect else None)
    reference, broken = make(), make()
    alone(reference, 100)
    monkeypatch.setattr(*DEFECTS[defect])
    in_blocks(broken, 100, 6)
    assert everything(broken) != everything(reference)
