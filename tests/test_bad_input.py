"""Bad input raises at once, says what was given and what to do, and changes nothing."""

import threading
import warnings

import numpy as np
import pytest

from epsie.chain import Chain
from epsie.proposals import (
    AdaptiveNormal,
    ATAdaptiveNormal,
    BaseProposal,
    JointProposal,
    Normal,
    NormalDiscrete,
    SSAdaptiveNormal,
)
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler


def model(x, y):
    return (-x * x - y * y, 0.0) if x < 5 else (0.0, -np.inf)


def sampler(**changes):
    settings = {"parameters": ["x", "y"], "model": model, "nchains": 3, "seed": 1, **changes}
    return MetropolisHastingsSampler(**settings)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"parameters": ["x", "x"]}, ValueError, "x more than once"),
        ({"parameters": []}, ValueError, "at least one name"),
        ({"parameters": ["x", 3]}, TypeError, "got 3 of type int"),
        ({"nchains": 0}, ValueError, "nchains must be at least 1; got 0"),
        ({"nchains": 2.5}, ValueError, "nchains must be a whole number; got 2.5"),
        ({"nchains": "four"}, TypeError, "nchains must be a whole number; got 'four'"),
        ({"model": 3}, TypeError, "must be callable; got 3"),
        ({"seed": -1}, ValueError, "seed must be at least 0; got -1"),
        ({"proposals": [Normal("z")]}, ValueError, "unknown are z"),
        ({"proposals": [Normal("x"), Normal(["x", "y"])]}, ValueError, "'x' has two proposals"),
        ({"proposals": ["normal"]}, TypeError, "instances of BaseProposal; got 'normal'"),
        ({"pool": "four"}, TypeError, "an object with a method `map`; got 'four'"),
        ({"pool": 0}, ValueError, "at least 1; got 0"),
        ({"pool": True}, TypeError, "got True of type bool"),
        ({"bit_generator": "PCG65"}, ValueError, "there is no bit generator 'PCG65'"),
        ({"nan": "ignore"}, ValueError, "'raise' or 'reject'; got 'ignore'"),
        ({"default_proposal_args": {"cov": -1}}, ValueError, "not negative"),
        ({"default_proposal": "normal"}, TypeError, "a class of epsie.proposals.*got 'normal'"),
    ],
)
def test_settings(changes, error, said):
    with pytest.raises(error, match=said):
        sampler(**changes)


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ({"x": [0, 0, 0]}, "missing: y"),
        ({"x": [0, 0, 0], "y": [0, 0, 0], "z": [1, 1, 1]}, "unknown: z"),
        ({"x": [0, 0], "y": [0, 0, 0]}, r"shape \(3,\).*x: \(2,\)"),
        ({"x": 0.0, "y": [[0, 0, 0]]}, r"x: \(\), y: \(1, 3\)"),
        ({"x": ["a", 0, 0], "y": [0, 0, 0]}, "the start of x must be numbers"),
        (
            {"x": [0, 9, 7], "y": [0, 0, 0]},
            r"(?s)2 of the start.*chain 1.*9.0.*chain 2.*7.0.*prior",
        ),
    ],
)
def test_start(start, said):
    made = sampler()
    made.start_position = {"x": [1, 2, 3], "y": [0.5, 0, 0]}
    made.run(2)
    before = made.state
    with pytest.raises(ValueError, match=said):
        made.start_position = start
    np.testing.assert_equal(made.state, before)


def test_all_offending_starts_are_listed():
    def difficult(x, y):
        return {0: (0.0, 0.0), 1: (-np.inf, 0.0), 2: (np.nan, 0.0), 3: (None, -np.inf)}[int(x)]

    for pool in (None, 2):
        made = sampler(model=difficult, nchains=4, pool=pool)
        with pytest.raises(ValueError, match="3 of the start positions") as caught:
            made.start_position = {"x": [0, 1, 2, 3], "y": np.zeros(4)}
        text = str(caught.value)
        for said in ("chain 1", "logl = -inf", "chain 2", "nan", "chain 3", "outside of the prior"):
            assert said in text
        assert "chain 0" not in text
        with pytest.raises(ValueError, match="start_position"):
            made.run(1)


def test_a_start_where_the_model_raises():
    def raising(x, y):
        raise OSError("no such file")

    with pytest.raises(RuntimeError, match="OSError: no such file"):
        sampler(model=raising).start_position = {"x": np.zeros(3), "y": np.zeros(3)}


@pytest.mark.parametrize(
    ("blob", "said"), [(3, "a dict"), ({"a": object()}, "'a'"), ({1: 2}, "str")]
)
def test_blobs_that_cannot_be_kept(blob, said):
    made = sampler(model=lambda x, y: (0.0, 0.0, blob))
    with pytest.raises((TypeError, RuntimeError), match=said):
        made.start_position = {"x": np.zeros(3), "y": np.zeros(3)}
    if blob == 3:
        with pytest.raises(TypeError):
            made.start_position = {"x": np.zeros(3), "y": np.zeros(3)}


@pytest.mark.parametrize(
    ("n", "error"), [(-1, ValueError), (2.5, ValueError), ("9", TypeError), (None, TypeError)]
)
def test_niterations(n, error):
    made = sampler()
    made.start_position = {"x": np.zeros(3), "y": np.zeros(3)}
    with pytest.raises(error, match="niterations must be"):
        made.run(n)
    assert made.niterations == 0


def test_whole_floats_count():
    made = sampler()
    made.start_position = {"x": np.zeros(3), "y": np.zeros(3)}
    made.run(np.int64(2))
    made.run(3.0)
    assert made.niterations == 5


def test_before_the_start_and_before_the_first_step():
    made = sampler()
    for ask in ("start_position", "current_positions", "state", "positions"):
        with pytest.raises(ValueError, match=r"set `start_position` first|run the sampler first"):
            getattr(made, ask)
    with pytest.raises(ValueError, match="set `start_position` first"):
        made.run(1)
    made.start_position = {"x": np.zeros(3), "y": np.zeros(3)}
    with pytest.raises(ValueError, match="no positions yet: run the sampler first"):
        made.positions  # noqa: B018


COVARIANCES = [
    ([[1, 2], [3, 4]], "symmetric"),
    ([[1, 2], [2, 1]], "positive semi-definite; its lowest eigenvalue is -1"),
    ([1, 2, 3], r"2 parameter\(s\); got shape \(3,\)"),
    (np.eye(3), r"got shape \(3, 3\)"),
    ([1, -1], "not negative"),
    ([1, np.nan], "finite"),
    ([[1, np.inf], [np.inf, 1]], "finite"),
]


@pytest.mark.parametrize("cls", [Normal, SSAdaptiveNormal])
@pytest.mark.parametrize(("cov", "said"), COVARIANCES)
def test_covariances(cls, cov, said):
    with pytest.raises(ValueError, match=said):
        cls(["x", "y"], cov)
    proposal = cls(["x", "y"], 4)
    with pytest.raises(ValueError, match=said):
        proposal.cov = cov
    assert (proposal.cov == 4).all()


@pytest.mark.parametrize("cov", [2, (1, 2), [1, 2], ((2, 1), (1, 2)), np.eye(2, dtype=int), 0.5])
@pytest.mark.parametrize("cls", [Normal, SSAdaptiveNormal])
def test_covariances_that_are_cast(cls, cov):
    jump = cls(("x", "y"), cov).jump({"x": 1, "y": 2})
    assert {type(value) for value in jump.values()} == {float}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Normal([]), "at least one name"),
        (lambda: Normal("x", jump_interval=0), "jump_interval must be at least 1; got 0"),
        (lambda: Normal("x", jump_interval=2), "needs a jump_interval_duration"),
        (lambda: AdaptiveNormal("x", {}, 10), "missing are x"),
        (lambda: AdaptiveNormal("x", {"x": 0}, 10), "finite and positive"),
        (lambda: AdaptiveNormal("x", {"x": 1}, 0), "adaptation_duration must be at least 1; got 0"),
        (lambda: AdaptiveNormal("x", {"x": 1}, 9, 0), "start_step must be at least 1; got 0"),
        (lambda: AdaptiveNormal("x", {"x": 1}, 9, target_rate=1), "target_rate .* got 1"),
        (lambda: AdaptiveNormal("x", {"x": 1}, 9, adaptation_decay=0), "adaptation_decay"),
        (lambda: AdaptiveNormal("x", {"x": 1}, 9, initial_std=[1, 2]), r"got shape \(2,\)"),
        (lambda: SSAdaptiveNormal("x", target_rate=0), "target_rate .* got 0"),
        (lambda: ATAdaptiveNormal("x", -5), "adaptation_duration must be at least 1; got -5"),
        (lambda: ATAdaptiveNormal("x", None, jump_interval=3), "needs a jump_interval_duration"),
        (lambda: Normal("x", "wide"), "cov must be numbers; got 'wide' of type str"),
        (lambda: ParallelTemperedSampler("x", model, 2, "hot"), "betas must be numbers"),
        (lambda: JointProposal(), "at least one proposal"),
        (lambda: JointProposal(Normal("x"), Normal("x")), "'x' has two proposals"),
    ],
)
def test_proposals(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_prior_widths_are_a_dict():
    with pytest.raises(TypeError, match="a dict, a width for each parameter; got 1.0"):
        AdaptiveNormal("x", 1.0, 10)


def test_a_proposal_without_a_jump():
    class Empty(BaseProposal):
        name = "empty"

    with pytest.raises(TypeError, match=r"Empty must define _jump\(fromx\)"):
        Empty()


def test_jumps_need_their_parameters():
    with pytest.raises(ValueError, match="needs a value for 'y'; got values for"):
        Normal(["x", "y"]).jump({"x": 1.0})


@pytest.mark.parametrize("given", [tuple, iter, list])
def test_proposals_in_any_container(given):
    made = sampler(proposals=given([Normal("y", 2), Normal("x", 3)]))
    assert [part.parameters for part in made.proposals] == [("y",), ("x",)]
    assert sampler(proposals=Normal("y")).proposals[1].parameters == ("x",)


class WithLock:
    def __init__(self):
        self.inner = {"guard": threading.Lock()}

    def __call__(self, x, y):
        return 0.0, 0.0


def test_a_model_that_cannot_be_pickled():
    with pytest.raises(TypeError, match=r"inner\.guard of type lock cannot be pickled"):
        sampler(model=WithLock(), pool=2)
    guard = threading.Lock()

    def closure(x, y):
        with guard:
            return 0.0, 0.0

    with pytest.raises(TypeError, match="guard of type lock cannot be pickled"):
        sampler(model=closure, pool=2)
    made = sampler(model=closure)
    with pytest.raises(TypeError, match="guard of type lock"):
        made.pool = 2
    assert made.pool is None


def test_states_of_others():
    made = sampler()
    made.start_position = {"x": np.zeros(3), "y": np.zeros(3)}
    made.run(2)
    state = made.state
    before = made.state
    other = MetropolisHastingsSampler(["x", "z"], lambda x, z: (0.0, 0.0), 3)
    other.start_position = {"x": np.zeros(3), "z": np.zeros(3)}
    for wrong, said in [
        ({0: state[0]}, r"chains 0 to 2; got one of \[0\]"),
        ({**state, 3: state[0]}, "chains 0 to 2"),
        ({**state, 2: {}}, "no state of a chain"),
        ([1, 2], "got one of list"),
        (other.state, r"the state has the parameters \['x', 'z'\]"),
        (_with_parts(state), "proposals for"),
    ]:
        with pytest.raises(ValueError, match=said):
            made.set_state(wrong)
        np.testing.assert_equal(made.state, before)


def _with_parts(state):
    made = sampler(proposals=[Normal("x"), Normal("y")])
    made.start_position = {"x": np.zeros(3), "y": np.zeros(3)}
    return made.state


def test_chains():
    with pytest.raises(ValueError, match=r"beta must lie in \[0, 1\]; got 1.3"):
        Chain("x", lambda x: (0.0, 0.0), Normal("x"), beta=1.3)
    with pytest.raises(ValueError, match="without a proposal: y"):
        Chain(["x", "y"], model, [Normal("x")])
    with pytest.raises(TypeError, match="must be an instance of a bit generator"):
        Chain("x", lambda x: (0.0, 0.0), Normal("x"), bit_generator="PCG64")
    chain = Chain("x", lambda x: (-x * x, 0.0), Normal("x"))
    with pytest.raises(ValueError, match="set `start_position` first"):
        chain.step()
    with pytest.raises(ValueError, match="one number; got an array"):
        chain.start_position = {"x": [1.0, 2.0]}
    chain.start_position = {"x": 1}
    with pytest.raises(ValueError, match="nothing was proposed yet"):
        chain.proposed_position  # noqa: B018
    with pytest.raises(ValueError, match="outside of the prior"):
        chain.stats0 = {"logl": 0.0, "logp": -np.inf}
    chain.run(3)
    with pytest.raises(ValueError, match="read-only"):
        chain.positions["x"][0] = 1.0


def test_a_discrete_start_is_rounded_once():
    class Walk(BaseProposal):
        name, symmetric, discrete = "walk", True, True

        def __init__(self, parameters):
            self.parameters = parameters

        def _jump(self, fromx):
            step = self.random_generator.integers(-1, 2)
            return {p: fromx[p] + step for p in self.parameters}

    seen = set()

    def counted(k):
        seen.add(type(k))
        return -k * k / 8, 0.0

    made = MetropolisHastingsSampler("k", counted, 3, [Walk("k")], seed=1)
    with pytest.warns(UserWarning, match="k is discrete"):
        made.start_position = {"k": [0.5, -0.5, 2.0]}
    assert made.start_position["k"].tolist() == [1, 0, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.run(20)
    assert made.positions["k"].dtype == np.int64
    assert seen == {int}


def _set_start(of, values):
    of.start_position = {"k": values}


@pytest.mark.parametrize("tempered", [False, True])
def test_the_warning_of_a_rounded_start_tells_the_line_that_set_it(tempered):
    settings = {"betas": [1, 0.5]} if tempered else {}
    cls = ParallelTemperedSampler if tempered else MetropolisHastingsSampler
    made = cls(
        "k", lambda k: (-k * k / 8, 0.0), 2, proposals=NormalDiscrete("k"), seed=1, **settings
    )
    of_chain = [0.5, 2.0] if tempered else 0.5
    starts = [(made, [[0.5, 2.0]] * 2 if tempered else [0.5, 2.0]), (made.chains[0], of_chain)]
    for of, values in starts:
        with pytest.warns(UserWarning, match="k is discrete") as caught:
            _set_start(of, values)
        lines = {(warning.filename, warning.lineno) for warning in caught}
        assert lines == {(__file__, _set_start.__code__.co_firstlineno + 1)}
