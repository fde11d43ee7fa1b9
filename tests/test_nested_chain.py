"""Chains and samplers with a transdimensional proposal."""

import math

import numpy as np
import pytest

from epsie.chain import Chain, ParallelTemperedChain
from epsie.proposals import (
    BaseBirth,
    BaseProposal,
    BoundedDiscrete,
    JointProposal,
    NestedTransdimensional,
    Normal,
    NormalBirth,
    NormalDiscrete,
)
from epsie.samplers import MetropolisHastingsSampler
from tests.statistical import seed

NAN = math.nan
START = {"k": 1, "a": 0.5, "b": NAN, "c": 0.0}


def nested(k="k", a="a", b="b", first=None, births=None):
    return NestedTransdimensional(
        [k, a, b],
        NormalDiscrete(k),
        [first or Normal(a), Normal(b)],
        births or [NormalBirth(name, {name: 0}, {name: 1}) for name in (a, b)],
    )


def model(k, a, b, c):
    assert k == (a == a) + (b == b)
    return 0.0, -0.5 * sum(x * x + 1.8 for x in (a, b, c) if x == x)


def test_a_chain_knows_that_it_is_transdimensional():
    names = list(START)
    assert Chain(names, model, [nested(), Normal("c")]).transdimensional is True
    assert Chain(names, model, JointProposal(nested(), Normal("c"))).transdimensional is True
    assert ParallelTemperedChain(names, model, [nested(), Normal("c")]).transdimensional is True
    assert Chain("c", model, Normal("c")).transdimensional is None


def test_only_one_proposal_may_be_transdimensional():
    names = ["k", "a", "b", "j", "d", "e"]
    two = [nested(), nested("j", "d", "e")]
    with pytest.raises(ValueError, match="only one proposal may be transdimensional; got 2"):
        Chain(names, model, two)
    with pytest.raises(ValueError, match="only one proposal may be transdimensional"):
        MetropolisHastingsSampler(names, model, 2, two)
    with pytest.raises(ValueError, match="only one proposal may be transdimensional"):
        JointProposal(*two)
    with pytest.raises(ValueError, match="only one proposal may be transdimensional"):
        Chain(names, model, [JointProposal(two[0]), two[1]])


@pytest.mark.parametrize("k", [NAN, math.inf])
def test_a_number_of_components_that_is_no_number_is_refused(k):
    chain = Chain(list(START), model, [nested(), Normal("c")])
    with pytest.raises(ValueError, match="k, which is discrete, must be integers"):
        chain.start_position = {**START, "k": k}


class Zero(BaseBirth):
    """A user's birth of an integer."""

    parameters = ("a",)
    discrete = True

    @property
    def birth(self):
        return {"a": 0}

    def logpdf(self, xi):
        return 0.0 if xi["a"] == 0 else -math.inf


def test_integers_of_a_component_reach_the_model_as_integers():
    kinds = set()

    def integers(k, a, b, c):
        kinds.add(type(a) if a == a else None)
        return model(k, a, b, c)

    births = [Zero(), NormalBirth("b", {"b": 0}, {"b": 1})]
    part = nested(first=BoundedDiscrete("a", {"a": (-3, 3)}), births=births)
    chain = Chain(list(START), integers, [part, Normal("c")], seed())
    chain.start_position = {**START, "a": 2.0}
    chain.run(100)
    assert kinds == {int, None}
    assert chain.positions.dtype["a"].str == "<f8"


class Walk(BaseProposal):
    """A user's proposal that counts its jumps."""

    symmetric = True
    evolving = ("jumps",)

    def __init__(self, parameters):
        self.parameters = parameters
        self.jumps = 0

    def _jump(self, fromx):
        return {name: fromx[name] + self.random_generator.normal() for name in self.parameters}

    def _update(self, chain):
        self.jumps += 1


class Wide(BaseBirth):
    """A user's birth."""

    def __init__(self, parameters):
        self.parameters = parameters

    @property
    def birth(self):
        return {name: self.random_generator.normal(scale=2) for name in self.parameters}

    def logpdf(self, xi):
        return sum(-0.125 * xi[name] ** 2 - math.log(5.013) for name in self.parameters)


@pytest.mark.parametrize("pool", [None, 2], ids=["serial", "pool"])
def test_users_parts_and_births(pool):
    def make(**settings):
        part = nested(first=Walk("a"), births=[Wide("a"), Wide("b")])
        made = MetropolisHastingsSampler(list(START), model, 2, [part], seed=seed(), **settings)
        made.start_position = {name: [value] * 2 for name, value in START.items()}
        return made

    whole, split = make(), make(pool=pool)
    whole.run(60)
    split.run(25)
    split.run(35)
    assert whole.positions.tobytes() == split.positions.tobytes()
    np.testing.assert_equal(whole.state, split.state)
    walk = split.chains[0].proposal_dist.proposals[0].proposals[0]
    assert walk.jumps == walk.nsteps > 5
    assert not split.chains[0].is_built_in


def test_a_users_birth_alone_is_noticed():
    made = Chain(list(START), model, [nested(births=[Wide("a"), Wide("b")]), Normal("c")])
    assert not made.is_built_in
    assert Chain(list(START), model, [nested(), Normal("c")]).is_built_in
