"""What proposals learn from: an outcome reaches each scheme, and users' hooks get the chain."""

import numpy as np
import pytest

from epsie.chain import Chain
from epsie.proposals import ATAdaptiveNormal, NestedTransdimensional, Normal, NormalDiscrete
from epsie.proposals.birth import NormalBirth
from epsie.proposals.outcome import Outcome
from tests.examples import every_example, gaussian
from tests.statistical import seed


def chain_of(names, proposal, start, model=gaussian):
    chain = Chain(names, model, [proposal], seed())
    chain.start_position = start
    return chain


def noting(update, noted):
    """The update of a scheme, with a note of what it was given."""

    def noting_update(proposal, outcome):
        noted.append(outcome)
        update(proposal, outcome)

    return noting_update


LEARNING = [(name, e) for name, e in every_example() if any(
    leaf.adaptation is not None for leaf in e.make().leaves())]  # fmt: skip


@pytest.mark.parametrize("example", [e for _, e in LEARNING], ids=[name for name, _ in LEARNING])
def test_an_outcome_reaches_each_scheme(example):
    chain = chain_of(example.names, example.make(), example.start)
    noted = []
    for leaf in chain.leaves():
        if leaf.adaptation is not None:
            leaf.adaptation.update = noting(leaf.adaptation.update, noted)
    for _ in range(20):
        noted.clear()
        chain.step()
        for outcome in noted:
            assert type(outcome) is Outcome
            assert outcome.point is chain.point
            assert outcome.proposed is chain.proposed
            if outcome is chain.outcome:
                decided = chain.acceptance[-1].item()
                assert (outcome.acceptance_ratio, outcome.accepted) == decided
            else:  # a number of components that does not exist
                assert (outcome.accepted, outcome.acceptance_ratio) == (False, 0.0)
    assert any(leaf.nsteps for leaf in chain.leaves())


def test_virtual_ratios_are_those_of_the_proposal_that_asked():
    chain = Chain(
        ["a", "b", "c", "d"],
        lambda a, b, c, d: (-0.5 * (a * a + b * b + c * c + d * d), 0.0),
        [
            ATAdaptiveNormal(["a", "b"], None, componentwise=True),
            ATAdaptiveNormal(["c", "d"], None),
        ],
        seed(),
    )
    chain.start_position = dict.fromkeys("abcd", 0.0)
    chain.step()
    assert list(chain.outcome.virtual) == [("a", "b")]
    ratios = chain.outcome.ratios_of_parts(("a", "b"))
    assert len(ratios) == 2
    assert chain.acceptance_ratio not in ratios
    assert chain.outcome.ratios_of_parts(("c",)) == (chain.acceptance_ratio,)


class Hooked(Normal):
    """Notes what its hook is called with."""

    def _update(self, chain):
        assert self.nsteps == len(chain)
        self.seen.append((chain, chain.acceptance[-1].item(), chain.positions[-1].item()))


class Updating(Normal):
    """The same by the public method, which counts only if that of the base is called."""

    def update(self, chain):
        super().update(chain)
        assert self.nsteps == len(chain)
        self.seen.append((chain, chain.acceptance[-1].item(), chain.positions[-1].item()))


@pytest.mark.parametrize("cls", [Hooked, Updating])
def test_users_hooks_get_the_chain_with_its_latest_record(cls):
    proposal = cls(["x", "y"], 4.0)
    proposal.seen = []
    chain = chain_of(["x", "y"], proposal, {"x": 0.0, "y": 0.0}, lambda x, y: (-x * x - y * y, 0.0))
    for _ in range(10):
        chain.step()
        seen, acceptance, position = proposal.seen[-1]
        assert seen is chain
        assert acceptance == (chain.acceptance_ratio, chain.accepted)
        assert position == chain.point.x
    assert len(proposal.seen) == 10


@pytest.mark.parametrize("how", ["hook", "update"])
def test_a_hook_may_leave_the_learning_to_its_base(how):
    class Hook(ATAdaptiveNormal):
        def _update(self, chain):
            super()._update(chain)

    class Update(ATAdaptiveNormal):
        def update(self, chain):
            super().update(chain)

    stds = []
    for cls in (ATAdaptiveNormal, {"hook": Hook, "update": Update}[how]):
        proposal = cls(["x", "y"], 400, True, True)
        start = {"x": 0.0, "y": 0.0}
        chain = chain_of(["x", "y"], proposal, start, lambda x, y: (-x * x - 9 * y * y, 0.0))
        chain.run(300)
        assert proposal.nsteps == 300
        stds.append(proposal.std)
    np.testing.assert_array_equal(*stds)


class NotingDiscrete(NormalDiscrete):
    """Notes what the chain that its hook gets says of the step."""

    def _update(self, chain):
        decided = chain.acceptance[-1].item()
        self.seen.append(((chain.accepted, chain.acceptance_ratio), decided[::-1], chain))


def test_a_number_of_components_that_does_not_exist_is_rejected_for_its_proposal_alone():
    k = NotingDiscrete("k", 2.0, {"k": False})
    k.seen = []
    nested = NestedTransdimensional(
        ["k", "x"], k, [Normal("x")], [NormalBirth("x", {"x": 0}, {"x": 1})]
    )
    chain = chain_of(["k", "x"], nested, {"k": 1, "x": 0.0}, lambda k, x: (0.0, 0.0))
    attributes = set(vars(chain))
    strayed = 0
    for _ in range(100):
        chain.step()
        said, decided, seen = k.seen[-1]
        assert decided == (chain.accepted, chain.acceptance_ratio)
        if nested._strayed:
            strayed += 1
            assert said == (False, 0.0)
            assert seen is not chain
        else:
            assert said == decided
            assert seen is chain
    assert 10 < strayed < 100
    assert set(vars(chain)) - attributes <= {"_drawn"}
