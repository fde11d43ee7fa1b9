"""What every registered proposal must do. A class that is added cannot escape it."""

import copy
import inspect
import math
import pickle

import numpy as np
import pytest

from epsie.chain import Chain
from epsie.proposals import BaseProposal, Learned, proposals
from epsie.proposals import __all__ as exported
from tests.examples import EXAMPLES, every_example, gaussian
from tests.statistical import seed

CASES = pytest.mark.parametrize(
    "example",
    [example for _, example in every_example()],
    ids=[name for name, _ in every_example()],
)
PLAIN = (dict, list, tuple, str, int, float, bool, type(None), np.ndarray)


CLOSED_FORMS = ("crank_nicolson",)


def chain_of(example, bit_generator=None, **settings):
    source = seed() if bit_generator is None else bit_generator
    made = Chain(example.names, gaussian, [example.make()], source, **settings)
    made.start_position = example.start
    return made


def neighbours(example, n=30):
    """Pairs of positions, each a jump from the last, some after learning."""
    proposal = example.make()
    proposal.bit_generator = seed()
    x = dict(example.start)
    for _ in range(n):
        y = {**x, **proposal.jump(x)}
        yield proposal, x, y
        x = y


def test_every_registered_class_has_an_example_and_is_exported():
    assert set(EXAMPLES) == set(proposals)
    for name, cls in proposals.items():
        assert cls.name == name
        assert issubclass(cls, BaseProposal)
        assert cls.__name__ in exported
        for example in EXAMPLES[name]:
            assert type(example.make()) is cls


@CASES
def test_jump_speaks_dicts_of_python_numbers(example):
    proposal = example.make()
    proposal.bit_generator = seed()
    given = {**example.start, "other": 1.0, "_state": [True]}
    kept = copy.deepcopy(given)
    jump = proposal.jump(given)
    assert list(jump) == list(proposal.parameters)
    assert {type(value) for value in jump.values()} <= {float, int}
    assert repr(given) == repr(kept)


def refuse_no_closed_form(example):
    if getattr(example.make(), "learned", None) and example.make().name not in CLOSED_FORMS:
        pytest.skip("its density has no closed form: see test_single_moves")


@CASES
def test_logpdf_agrees_with_log_hastings(example):
    refuse_no_closed_form(example)
    for proposal, x, y in neighbours(example):
        there, here = proposal._position(y), proposal._position(x)
        forward, backward = proposal.logpdf(y, x), proposal.logpdf(x, y)
        assert math.isfinite(forward)
        assert proposal.pdf(y, x) == pytest.approx(math.exp(forward))
        if proposal.symmetric:
            assert backward == pytest.approx(forward, abs=1e-9)
        # Directions have a density per steradian, and a ratio of those in the angles.
        expected = backward - forward
        expected += proposal._log_jacobian(here) - proposal._log_jacobian(there)
        assert proposal.log_hastings(here, there) == pytest.approx(expected, rel=1e-6, abs=1e-6)


@CASES
def test_jumps_follow_the_seed(example):
    first, second, other = example.make(), example.make(), example.make()
    first.bit_generator = second.bit_generator = None
    second.random_state = first.random_state
    other.bit_generator = 12345
    jumps = [[p.jump(example.start) for _ in range(20)] for p in (first, second, other)]
    assert repr(jumps[0]) == repr(jumps[1])
    assert repr(jumps[0]) != repr(jumps[2])


@CASES
def test_config_makes_an_equal_proposal(example):
    proposal = example.make()
    config = proposal.config
    given = inspect.signature(type(proposal)).parameters
    star = [n for n, p in given.items() if p.kind is inspect.Parameter.VAR_POSITIONAL]
    args = [part for name in star for part in config.pop(name)]
    twin = type(proposal)(*args, **config)
    twin.bit_generator = proposal.bit_generator = 3
    twin.random_state = proposal.random_state
    assert repr(twin.config) == repr(proposal.config)
    assert repr(twin.jump(example.start)) == repr(proposal.jump(example.start))
    assert type(proposal).__name__ in repr(proposal)


@CASES
def test_the_state_is_plain_data_and_brings_everything_back(example):
    made = chain_of(example)
    made.run(37)
    part = made.proposal_dist.proposals[0]
    state = part.state
    _assert_plain(state)
    kept = copy.deepcopy(state)
    fresh = example.make()
    fresh.set_state(state)
    position = {**example.start, **made.current_position}
    ahead = [part.jump(position) for _ in range(20)]
    assert repr([fresh.jump(position) for _ in range(20)]) == repr(ahead)
    np.testing.assert_equal(state, kept)
    assert fresh.nsteps == part.nsteps


def _assert_plain(value):
    assert isinstance(value, PLAIN), f"{value!r} is no plain data"
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value)
    if isinstance(value, np.ndarray):
        assert value.dtype.kind in "biuf"
    for item in (
        value.values()
        if isinstance(value, dict)
        else value
        if isinstance(value, list | tuple)
        else ()
    ):
        _assert_plain(item)


@CASES
@pytest.mark.parametrize("copier", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_copies_are_independent(example, copier):
    made = chain_of(example)
    made.run(37)
    part = made.proposal_dist.proposals[0]
    twin = copier(part)
    position = {**example.start, **made.current_position}
    expected = repr([twin.jump(position) for _ in range(20)])
    assert repr([part.jump(position) for _ in range(20)]) == expected


@CASES
def test_learning_ends(example):
    """After the duration nothing of the state changes but counters and random numbers."""
    proposal = example.make()
    if not any(p.adaptation and p.adaptation.adaptation_duration for p in proposal.leaves()):
        pytest.skip("it learns for ever, or not at all")
    made = chain_of(example)
    made.run(400)
    learned = _without_counters(made.state["proposal_dist"])
    made.run(200)
    np.testing.assert_equal(_without_counters(made.state["proposal_dist"]), learned)


def _without_counters(state):
    counters = {"random_state", "nsteps", "iterations_at_interval", "ind"}
    return {
        key: _without_counters(value) if isinstance(value, dict) else value
        for key, value in state.items()
        if key not in counters
    }


@CASES
def test_reset_forgets_what_was_learned(example):
    if any(isinstance(part, Learned) for part in example.make().leaves()):
        pytest.skip("it forgets the sizes of jumps alone: see test_learned")
    fresh = chain_of(example)
    made = chain_of(example)
    for _ in range(2):
        made.run(150)
        made.reset_proposals()
    learned, first = (_without_counters(c.state["proposal_dist"]) for c in (made, fresh))
    _drop_start_step(learned), _drop_start_step(first)
    np.testing.assert_equal(learned, first)


def _drop_start_step(state):
    state.pop("start_step", None)
    for value in state.values():
        if isinstance(value, dict):
            _drop_start_step(value)


@CASES
def test_a_subclass_that_overrides_jump_is_obeyed(example):
    refuse_no_closed_form(example)
    cls = type(example.make())
    if cls.name in ("joint", "mixture"):
        pytest.skip("its parts are what is overridden")
    calls = []

    class Mine(cls):
        def _jump(self, fromx):
            jump = super()._jump(fromx)
            calls.append(fromx)
            return jump

        def _logpdf(self, xi, givenx):
            calls.append(xi)
            return super()._logpdf(xi, givenx)

    original = example.make()
    args, kwargs = original._arguments
    mine = Mine(*args, **kwargs)
    made = Chain(example.names, gaussian, [mine], seed())
    made.start_position = example.start
    made.run(40)
    usual = chain_of(example)
    usual.run(40)
    assert calls
    # The same draws as without the detour, but log densities may round otherwise.
    for name in example.names:
        np.testing.assert_allclose(made.positions[name], usual.positions[name], rtol=1e-6)
    assert math.isfinite(mine.logpdf(mine.jump(example.start), example.start))


@CASES
def test_parameters_may_be_any_iterable_of_names(example):
    proposal = example.make()
    assert isinstance(proposal.parameters, tuple)
    assert proposal.ndim == len(proposal.parameters)
