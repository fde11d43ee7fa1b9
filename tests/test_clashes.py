"""A user's class, or an object of it, with a name that proposals need themselves is refused."""

import pytest

from epsie.chain import Chain
from epsie.proposals import (
    ATAdaptiveNormal,
    BaseBirth,
    BaseProposal,
    NestedTransdimensional,
    Normal,
    NormalDiscrete,
)
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests.statistical import seed


class Walk(BaseProposal):
    """A user's random walk, with some attributes of its own."""

    symmetric = True

    def __init__(self, parameters=("x",), **attributes):
        self.parameters = parameters
        for name, value in attributes.items():
            setattr(self, name, value)

    def _jump(self, fromx):
        steps = self.random_generator.normal(size=self.ndim)
        return {name: fromx[name] + step for name, step in zip(self.parameters, steps)}


class Birth(BaseBirth):
    """A user's birth."""

    def __init__(self, **attributes):
        self.parameters = "x"
        for name, value in attributes.items():
            setattr(self, name, value)

    @property
    def birth(self):
        return {"x": self.random_generator.normal()}

    def logpdf(self, xi):
        return -0.5 * xi["x"] ** 2


def model(x):
    return -0.5 * x * x, 0.0


INTERNALS = ["_pick", "_locate", "_tick", "_rests", "_share", "_evolved", "_copied", "_refusal"]
INTERNALS += ["_virtual_moves", "_learn_from", "_learn_by", "_counters", "_learned", "_nsteps"]
INTERNALS += ["_iterations_at_interval", "_position", "_dtypes", "_routes", "nsteps", "stream"]


@pytest.mark.parametrize("value", [3, property(lambda self: 3), lambda self, *args: None])
@pytest.mark.parametrize("base", [BaseProposal, Normal, Walk, ATAdaptiveNormal])
@pytest.mark.parametrize("name", INTERNALS)
def test_a_class_that_defines_an_internal_is_refused(name, base, value):
    with pytest.raises(TypeError, match=rf"Mine defines '{name}'.*another name"):
        type("Mine", (base,), {name: value, "__module__": "users"})


def test_so_is_one_that_takes_it_from_another_class():
    class Mixin:
        def _locate(self):
            return "here"

    with pytest.raises(TypeError, match="Mine defines '_locate'"):
        type("Mine", (Mixin, Normal), {"__module__": "users"})


@pytest.mark.parametrize("name", ["_share", "_evolve", "_position", "_drawn", "stream"])
def test_so_is_a_birth(name):
    with pytest.raises(TypeError, match=f"Mine defines '{name}'"):
        type("Mine", (BaseBirth,), {name: 3, "__module__": "users"})


HOOKS = ["_jump", "_logpdf", "_update", "draw", "log_density", "log_hastings", "update", "state"]
HOOKS += ["set_state", "evolving", "reset", "name", "symmetric", "_repr_html_", "jump_stds"]
OWN = ["pick", "locate", "tick", "rests", "hold", "position", "refusal", "scale", "widths", "cov"]


@pytest.mark.parametrize("name", HOOKS + OWN)
def test_hooks_and_former_internals_are_users_own(name):
    type("Mine", (Walk,), {name: getattr(Walk, name, 3), "__module__": "users"})


TAKERS = [
    lambda part: Chain("x", model, [part], seed()),
    lambda part: MetropolisHastingsSampler("x", model, 2, proposals=[part], seed=1),
    lambda part: ParallelTemperedSampler("x", model, 2, [1.0, 0.5], proposals=[part], seed=1),
    lambda part: NestedTransdimensional(
        ["k", "x"], NormalDiscrete("k"), [part], [Birth()], bit_generator=1
    ),
]


@pytest.mark.parametrize("take", TAKERS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_pick", 3),
        ("_pick", lambda x: x),
        ("_locate", len),
        ("_nsteps", "many"),
        ("_iterations_at_interval", None),
        ("stream", "river"),
        ("adaptation", "mine"),
        ("reset", True),
        ("leaves", 5),
        ("periods", {"x": 1.0}),
        ("update", None),
        ("evolving", ("nsteps",)),
        ("evolving", ("random_state",)),
        ("evolving", ("iterations_at_interval",)),
    ],
)
def test_an_object_with_such_an_attribute_is_refused_when_it_is_taken(take, name, value):
    with pytest.raises(TypeError, match=rf"Walk.*'?{value[0] if name == 'evolving' else name}'"):
        take(Walk(**{name: value}))


@pytest.mark.parametrize(("name", "value"), [("_share", 3), ("_evolved", len), ("draw", 0.5)])
def test_so_is_a_birth_with_such_an_attribute(name, value):
    with pytest.raises(TypeError, match=f"Birth defines '{name}'"):
        NestedTransdimensional(
            ["k", "x"], NormalDiscrete("k"), [Walk()], [Birth(**{name: value})], bit_generator=1
        )


def test_the_counter_of_jumps_cannot_be_set():
    with pytest.raises(TypeError, match="Walk defines 'nsteps', which counts its jumps"):
        Walk(nsteps=4)


def test_what_a_scheme_keeps_cannot_be_named_twice():
    class Mine(ATAdaptiveNormal):
        evolving = ("start_step",)

    with pytest.raises(TypeError, match=r"Mine.evolving has 'start_step'"):
        Chain("x", model, [Mine("x", 100)], seed())


def test_attributes_with_the_former_names_are_left_alone():
    proposal = Walk(pick=1, iterations_at_interval=2, tick=[3], hold="4", virtual_ratios=None)
    proposal.set_jump_interval(2, 10)
    chain = Chain("x", model, [proposal], seed())
    chain.start_position = {"x": 0.0}
    chain.run(100)
    assert (proposal.pick, proposal.iterations_at_interval, proposal.tick) == (1, 2, [3])
    assert proposal.nsteps == 95
    assert chain.state["proposal_dist"]["x"]["iterations_at_interval"] == 100


def test_one_that_a_chain_has_used_is_taken_by_another():
    proposal = Walk()
    for _ in range(2):
        chain = Chain("x", model, [proposal], seed())
        chain.start_position = {"x": 0.0}
        chain.run(20)
    assert proposal.nsteps == 40


def test_a_class_whose_hooks_are_called_may_be_subclassed_and_made_anew():
    class Learning(Walk):
        def _update(self, chain):
            self.seen = len(chain)

    class Further(Learning):
        pass

    again = type("Further", (Learning,), dict(vars(Further)))
    assert again.draw is Walk.draw
    type("Learning", (Walk,), dict(vars(Learning)))
