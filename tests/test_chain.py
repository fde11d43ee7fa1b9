"""A chain on its own, and the sampler's tables."""

import pickle

import numpy as np
import pytest

from epsie import array2dict
from epsie.chain import Chain, ChainData
from epsie.chain.base import BaseChain
from epsie.chain.chaindata import detect_dtypes
from epsie.proposals import ATAdaptiveNormal, JointProposal, Normal, SSAdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler


def model(x, y):
    return -x * x - y * y, -abs(x), {"sum": x + y, "n": 1}


@pytest.fixture
def chain():
    made = Chain(["x", "y"], model, [Normal("y"), Normal("x", 0.5)], bit_generator=5, chain_id=2)
    made.start_position = {"y": 1, "x": 0.5}
    return made


def test_a_step_is_the_metropolis_hastings_step(chain):
    """Every record follows from the one before, by the rule, recomputed by hand."""
    assert isinstance(chain, BaseChain)
    for _ in range(50):
        before, stats = chain.current_position, chain.current_stats
        assert chain.step() is chain
        proposed = chain.proposed_position
        logl, logp, blob = model(**proposed)
        ratio = min(1.0, np.exp(logl + logp - stats["logl"] - stats["logp"]))
        assert chain.acceptance_ratio == pytest.approx(ratio, rel=1e-12)
        assert chain.current_position == (proposed if chain.accepted else before)
        last = chain[-1]
        assert last["positions"] == chain.current_position
        assert last["stats"] == chain.current_stats
        assert last["acceptance"] == {
            "acceptance_ratio": chain.acceptance_ratio,
            "accepted": chain.accepted,
        }
        assert last["blobs"] == chain.current_blob
        if chain.accepted:
            assert chain.current_blob == blob
    rate = chain.acceptance["accepted"].mean()
    assert 0.1 < rate < 0.9


def test_names_and_order(chain):
    assert chain.start_position == {"x": 0.5, "y": 1.0}
    assert list(chain.start_position) == ["x", "y"]
    assert chain.stats0 == {"logl": -1.25, "logp": -0.5}
    assert chain.blob0 == {"sum": 1.5, "n": 1}
    assert chain.hasblobs
    assert chain.chain_id == 2
    assert chain.transdimensional is None
    chain.run(4)
    assert chain.positions.dtype.names == ("x", "y")
    assert chain.blobs.dtype.names == ("sum", "n")
    assert chain.blobs["n"].dtype.kind == "i"
    assert len(chain) == chain.iteration == 4
    slice_of = chain[1:3]
    assert slice_of["positions"]["x"].shape == (2,)


def test_the_model_gets_python_floats_in_the_order_of_the_parameters():
    seen = []

    def asked(**parameters):
        seen.append([(name, type(value)) for name, value in parameters.items()])
        return 0.0, 0.0

    made = Chain(["b", "a"], asked, [Normal("a"), Normal("b")])
    made.start_position = {"a": np.float32(1), "b": 2}
    made.run(3)
    assert seen == [[("b", float), ("a", float)]] * 4


def test_clear(chain):
    chain.run(5)
    position = chain.current_position
    kept = chain.positions
    assert chain.clear() is chain
    assert (len(chain), chain.iteration, chain.lastclear) == (0, 5, 5)
    assert len(chain.positions) == 0
    assert chain.start_position == chain.current_position == position
    chain.run(3)
    assert len(kept) == 5


def test_scratchlen(chain):
    chain.scratchlen = 100
    chain.run(3)
    assert len(chain.positions) == 3
    assert chain.scratchlen == 100
    chain.clear()
    chain.run(120)
    assert len(chain.positions) == 120


def test_the_start_can_be_told_what_the_model_says(chain):
    chain.stats0 = {"logl": -2.0, "logp": -3.0}
    chain.blob0 = {"sum": 0.0, "n": 3}
    assert chain.current_stats == {"logl": -2.0, "logp": -3.0}
    assert chain.current_blob == {"sum": 0.0, "n": 3}


def test_set_state_needs_no_start_and_no_call_of_the_model(chain):
    chain.run(30)
    calls = []

    def counted(**parameters):
        calls.append(parameters)
        return model(**parameters)

    other = Chain(["x", "y"], counted, [Normal("y"), Normal("x", 0.5)])
    other.set_state(chain.state)
    assert not calls
    assert (other.iteration, other.lastclear, len(other)) == (30, 30, 0)
    assert other.proposed_position == chain.proposed_position
    assert other.chain_id == 2
    other.run(20)
    chain.clear()
    chain.run(20)
    assert other.positions.tobytes() == chain.positions.tobytes()


def test_state_keys(chain):
    state = chain.state
    assert {
        "chain_id",
        "proposal_dist",
        "iteration",
        "current_position",
        "proposed_position",
        "current_stats",
        "hasblobs",
        "current_blob",
    } <= set(state)
    assert set(state["proposal_dist"]) == {"y", "x", "random_state"}
    assert state["proposal_dist"]["random_state"]["bit_generator"] == "PCG64"


def test_beta_tempers_the_likelihood_alone():
    def flat(x):
        return -1e6 * x * x, -x * x / 2

    hot = Chain("x", flat, Normal("x"), bit_generator=3, beta=0)
    hot.start_position = {"x": 0.0}
    prior = Chain("x", lambda x: (0.0, -x * x / 2), Normal("x"), bit_generator=3)
    prior.start_position = {"x": 0.0}
    hot.run(100)
    prior.run(100)
    assert hot.positions.tobytes() == prior.positions.tobytes()


def test_at_beta_zero_a_point_without_likelihood_is_taken():
    chain = Chain("x", lambda x: (-np.inf, -x * x / 2), Normal("x"), bit_generator=3, beta=0)
    chain.start_position = {"x": 0.0}
    chain.run(20)
    assert chain.acceptance["accepted"].any()


def test_reset_proposals():
    for proposal in (
        SSAdaptiveNormal(["x", "y"], [4.0, 9.0]),
        SSAdaptiveNormal(["x", "y"], [[4.0, 1.0], [1.0, 9.0]]),
        ATAdaptiveNormal(["x", "y"], 1000),
    ):
        first = proposal.cov
        made = Chain(["x", "y"], model, proposal, bit_generator=1)
        made.start_position = {"x": 0.0, "y": 0.0}
        for _ in range(2):
            made.run(100)
            part = made.proposal_dist.proposals[0]
            assert not np.allclose(part.cov, first)
            made.reset_proposals()
            np.testing.assert_array_equal(part.cov, first)
            assert part.start_step == part.nsteps == made.iteration


def test_jump_interval():
    made = Chain(["x", "y"], model, [Normal("x", 1, 4, 40), Normal("y", 1, 2, 40)], bit_generator=1)
    made.start_position = {"x": 0.0, "y": 0.0}
    made.run(60)
    ratio = made.acceptance["acceptance_ratio"]
    rests = np.arange(1, 61) % 2 == 1
    rests[40:] = False
    np.testing.assert_array_equal(np.isnan(ratio), rests)
    assert not made.acceptance["accepted"][rests].any()
    x = np.r_[0.0, made.positions["x"]]
    moved = np.flatnonzero(np.diff(x)) + 1
    assert all(i % 4 == 0 or i > 40 for i in moved)
    assert [part.nsteps for part in made.proposal_dist.proposals] == [30, 40]


def test_a_resting_chain_does_not_ask_the_model():
    calls = []

    def counted(x):
        calls.append(x)
        return -x * x, 0.0

    made = Chain("x", counted, Normal("x", 1, 5, 200), bit_generator=1)
    made.start_position = {"x": 0.0}
    made.run(200)
    assert len(calls) == 1 + 40


def test_a_joint_proposal_in_a_joint_proposal():
    inner = JointProposal(Normal("a"), SSAdaptiveNormal("b"))
    made = Chain(
        ["b", "c", "a"],
        lambda **p: (-sum(v * v for v in p.values()), 0.0),
        [Normal("c"), inner],
        bit_generator=2,
    )
    made.start_position = {"a": 0.0, "b": 0.0, "c": 0.0}
    made.run(100)
    assert all(np.ptp(made.positions[name]) > 0 for name in "abc")
    jump = made.proposal_dist.jump({"a": 1.0, "b": 2.0, "c": 3.0})
    assert set(jump) == {"a", "b", "c"}
    here = {"a": 1.0, "b": 2.0, "c": 3.0}
    parts = [Normal("a"), SSAdaptiveNormal("b"), Normal("c")]
    assert JointProposal(*parts).logpdf(jump, here) == pytest.approx(
        sum(part.logpdf(jump, here) for part in parts)
    )


class TestBlobs:
    def run(self, values, n=300):
        def told(x):
            return -x * x / 2, 0.0, {"b": values[int(abs(x) * 10) % len(values)], "x": x}

        made = MetropolisHastingsSampler("x", told, 2, seed=3)
        made.start_position = {"x": [0.0, 0.0]}
        made.run(n)
        return made

    def test_types_are_widened_as_rows_arrive(self):
        made = self.run([1, 2.5])
        expected = [[1, 2.5][int(abs(x) * 10) % 2] for x in made.positions["x"].ravel()]
        assert made.blobs["b"].ravel().tolist() == expected
        texts = self.run(["a", "longer"])
        assert {"a", "longer"} == set(texts.blobs["b"].ravel().tolist())

    def test_arrays_of_a_fixed_shape(self):
        made = self.run([np.arange(3), np.ones(3)])
        assert made.blobs["b"].shape == (2, 300, 3)

    @pytest.mark.parametrize("values", [[np.ones(2), np.ones(3)], [1, "a"], [1.0, None]])
    def test_what_changes_its_kind_is_refused(self, values):
        with pytest.raises(RuntimeError, match="'b'"):
            self.run(values)

    def test_blobs_belong_to_their_positions(self):
        made = self.run([1, 2.5])
        np.testing.assert_array_equal(made.blobs["x"], made.positions["x"])
        np.testing.assert_array_equal(made.current_blobs["x"], made.current_positions["x"])

    def test_none_without(self):
        made = MetropolisHastingsSampler("x", lambda x: (0.0, 0.0), 2)
        made.start_position = {"x": [0.0, 0.0]}
        made.run(2)
        assert made.blobs is None
        assert made.current_blobs is None


def test_sampler_tables():
    made = MetropolisHastingsSampler(["x", "y"], model, 3, seed=8)
    made.start_position = {"x": [0.0, 1.0, 2.0], "y": np.zeros(3)}
    np.testing.assert_array_equal(made.current_positions["x"], [0, 1, 2])
    made.run(7)
    assert made.positions.shape == made.stats.shape == made.acceptance.shape == (3, 7)
    for name in ("x", "y"):
        np.testing.assert_array_equal(made.positions[name][:, -1], made.current_positions[name])
    logl, logp = made.stats["logl"], made.stats["logp"]
    x, y = made.positions["x"], made.positions["y"]
    np.testing.assert_allclose(logl, -x * x - y * y)
    np.testing.assert_allclose(logp, -abs(x))
    np.testing.assert_array_equal(made.current_stats["logl"], logl[:, -1])
    made.positions["x"][:] = 0
    assert (made.positions["x"] != 0).any()
    streams = {chain.random_generator.random() for chain in made.chains}
    assert len(streams) == 3
    assert (made.niterations, made.lastclear, made.nchains) == (7, 0, 3)
    made.clear()
    assert made.positions.shape == (3, 0)
    assert (made.niterations, made.lastclear) == (7, 7)


def test_sampler_chains_stay_the_same_objects():
    made = MetropolisHastingsSampler(["x", "y"], model, 2, seed=8, pool=2)
    chains = list(made.chains)
    made.start_position = {"x": [0.0, 1.0], "y": np.zeros(2)}
    made.run(3)
    assert all(a is b for a, b in zip(chains, made.chains, strict=True))


def test_the_default_proposal_covers_what_is_missing_in_order():
    made = MetropolisHastingsSampler(
        ["c", "a", "b"],
        lambda a, b, c: (0.0, 0.0),
        2,
        [Normal("a")],
        SSAdaptiveNormal,
        {"cov": 4},
    )
    assert [(type(p), p.parameters) for p in made.proposals] == [
        (Normal, ("a",)),
        (SSAdaptiveNormal, ("c", "b")),
    ]
    assert made.proposals[1].std.tolist() == [2, 2]


def test_chaindata():
    data = ChainData(["x", "n"], {"n": int}, ntemps=2)
    assert data.data is None
    data.extend(2)
    assert data.data.shape == (2, 2)
    assert np.isnan(data["x"]).all()
    data[1] = {"x": [1.0, 2.0], "n": [3, 4]}
    assert data.asdict(1)["n"].tolist() == [3, 4]
    data.set_len(5)
    assert len(data) == 5
    with pytest.raises(ValueError, match="cannot shrink to 3 rows"):
        data.set_len(3)
    data.dtypes = {"n": float}
    assert data.data["n"].dtype == float
    with pytest.raises(ValueError, match="no field z"):
        data.dtypes = {"z": float}
    data.clear(newlen=1)
    assert len(data) == 1
    assert detect_dtypes(data.data) == {"x": np.dtype(float), "n": np.dtype(float)}
    assert detect_dtypes({"a": 1, "b": 2.0}) == {"a": int, "b": float}


def test_array2dict():
    array = np.array([(1.0, 2)], dtype=[("a", float), ("b", int)])
    assert array2dict(array[0]) == {"a": 1.0, "b": 2}
    assert type(array2dict(array[0])["b"]) is int
    plain = np.zeros(3)
    assert array2dict(plain) is plain
    with pytest.raises(AttributeError):
        array2dict(None)


@pytest.mark.parametrize("n", [1, 32, 33, 300])
def test_rows_that_travel_give_the_same_tables(n):
    chain = Chain("x", lambda x: (-x * x, 0.0), Normal("x"), bit_generator=5)
    chain.start_position = {"x": 1.0}
    worker = pickle.loads(pickle.dumps(chain.shell()))
    worker.model = chain.model
    segment = worker.advance(n)
    (rows,) = pickle.loads(pickle.dumps(segment)).by_temperature
    chain.attach(segment)
    for table in ("positions", "stats", "acceptance"):
        assert rows[table].tobytes() == getattr(chain, table).tobytes()
        assert len(rows[table]) == n
    assert rows["blobs"] is None
