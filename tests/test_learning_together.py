"""Chains of a sampler that learn together."""

import copy
import math
import pickle

import numpy as np
import pytest

from epsie.errors import MalformedStateError, ProposalError
from epsie.proposals import Learned, Normal
from epsie.proposals.learned.barriers import first_barrier, following
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests.statistical import generator, seed

NAMES = ["x", "y"]


def model(x, y):
    """Two peaks, ten standard deviations apart; a quarter of the mass is in the first."""
    below, above = (-0.5 * ((x - at) ** 2 + (y - at) ** 2) for at in (-3.5, 3.5))
    return float(np.logaddexp(below + math.log(0.25), above + math.log(0.75))), 0.0


def sampler(nchains=4, pool=None, parts=None):
    parts = [Learned(NAMES)] if parts is None else parts
    made = MetropolisHastingsSampler(NAMES, model, nchains, parts, seed=seed(), pool=pool)
    starts = generator("starts").uniform(-8, 8, (2, nchains))
    made.start_position = dict(zip(NAMES, starts, strict=True))
    return made


def tempered(pool=None):
    betas = [1.0, 0.3]
    made = ParallelTemperedSampler(NAMES, model, 3, betas, 5, [Learned(NAMES)], seed=seed())
    made.pool = pool
    starts = generator("starts").uniform(-8, 8, (2, 2, 3))
    made.start_position = dict(zip(NAMES, starts, strict=True))
    return made


def parts_of(made, temperature=0):
    return [c.by_temperature[temperature].proposal_dist.proposals[0] for c in made.chains]


def test_all_chains_know_the_same_and_the_weights_of_modes():
    made = sampler(8)
    made.run(4000)
    known = [part.learned for part in parts_of(made)]
    assert all(each is known[0] for each in known)
    x = made.positions["x"][:, 2000:]
    # About 6,000 effective draws: the false-alarm rate is below 1e-6.
    assert (x < 0).mean() == pytest.approx(0.25, abs=0.03)
    assert (x < 0).mean(axis=1).min() > 0.1


def share_of_the_minor(number):
    """Of two modes in ten dimensions, which some chains leave before any is there."""
    names, at = [f"x{i}" for i in range(10)], 5 / math.sqrt(10)

    def two(**values):
        x = np.fromiter(values.values(), float)
        below, above = (-0.5 * float(np.square(x - m).sum()) for m in (-at, at))
        return float(np.logaddexp(below + math.log(0.25), above + math.log(0.75))), 0.0

    made = MetropolisHastingsSampler(names, two, 8, [Learned(names)], seed=number)
    starts = np.random.default_rng(number).uniform(-20, 20, (10, 8))
    made.start_position = dict(zip(names, starts, strict=True))
    made.run(600)
    return float((sum(made.positions[name][:, 300:] for name in names) < 0).mean())


def test_modes_that_all_chains_left_are_known(monkeypatch):
    """The planted defect looks for one mode alone, and one mode is lost in 6 runs of 16."""
    assert all(0.05 < share_of_the_minor(number) < 0.6 for number in (1, 4))
    monkeypatch.setattr("epsie.proposals.learned.surrogate._MOST", 1)
    assert any(share_of_the_minor(number) in (0, 1) for number in range(16))


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("make", [sampler, tempered])
@pytest.mark.parametrize("pool", ["None", "own"])
def test_splits_pools_and_resumes_change_nothing(make, pool, pools):
    """Before, at and after barriers, of which the record is thinned by several."""
    pool = pools[pool]
    whole = make()
    whole.run(900)
    made, rows = make(pool=pool), []
    for n in (59, 1, 1, 17, 122, 500, 200) if pool is None else (60, 640, 200):
        made.run(n)
        rows.append(made.positions)
        state = pickle.loads(pickle.dumps(made.state))
        made = make(pool=pool)
        made.set_state(state)
    np.testing.assert_equal(made.state, whole.state)
    assert np.concatenate(rows, axis=-1).tobytes() == whole.positions.tobytes()


def test_a_run_directory_and_a_file_bring_it_back(tmp_path):
    import h5py

    whole = sampler()
    whole.run(500)
    made = sampler(pool=2)
    made.run(301, directory=tmp_path / "run", keep=False)
    again = MetropolisHastingsSampler.resume(tmp_path / "run", model)
    with h5py.File(tmp_path / "state.hdf", "w") as file:
        again.checkpoint(file)
    other = sampler()
    with h5py.File(tmp_path / "state.hdf", "r") as file:
        other.set_state_from_checkpoint(file)
    for each in (again, other):
        each.run(199)
        np.testing.assert_equal(each.state, whole.state)


def test_what_fails_leaves_it_as_it_was():
    failing = []

    def target(x, y):
        if failing and x > 3:
            raise RuntimeError("no")
        return model(x, y)

    made = sampler()
    made.model = target
    made.run(70)
    before = copy.deepcopy(made.state)
    failing.append(True)
    with pytest.raises(Exception, match="no"):
        made.run(1000)
    np.testing.assert_equal(made.state, before)
    failing.clear()
    made.run(130)
    whole = sampler()
    whole.run(200)
    np.testing.assert_equal(made.state, whole.state)


def test_chains_do_not_carry_what_is_shared():
    """Neither record nor mixture is in the state of a chain, or goes to a worker with it."""
    made = sampler()
    made.run(2000)
    (part, *_) = parts_of(made)
    assert {"record", "learned"}.isdisjoint(part.state)
    assert len(part.learned.archive) > 500
    assert len(pickle.dumps(made.chains[0].shell())) < 20_000
    assert len(pickle.dumps(made.state["shared"])) < 12_000 * 5 * 8 * 1.5


def test_the_record_is_bounded_and_independent_of_what_is_kept():
    made, cleared = sampler(), sampler()
    made.run(9_000)
    for _ in range(3):
        cleared.run(3_000)
        cleared.clear()
    np.testing.assert_equal(made.state["shared"], cleared.state["shared"])
    rows = [r["visited"]["n"] for r in made.state["shared"]["learned"][0]["records"]]
    assert 1000 < max(rows) <= 3000 * 1.3


def test_barriers_follow_from_the_number_of_chains():
    assert first_barrier(10, 1) == 200
    assert first_barrier(10, 4) == 60
    assert first_barrier(50, 4) == 398
    barriers = [100]
    while barriers[-1] < 1e5:
        barriers.append(following(barriers[-1]))
    assert len(barriers) < 30


def test_two_proposals_learn_for_themselves():
    parts = [Learned(["x"]), Learned(["y"], adaptation_duration=300)]
    made = sampler(parts=parts)
    made.run(1000)
    first, second = made.state["shared"]["learned"]
    assert first["iteration"] == second["iteration"] == 1000
    assert first["lesson"] > second["lesson"] > 0


def test_verify_repeats_what_was_taught():
    made = sampler()
    made.run(500, verify=True)


def test_a_chain_by_itself_says_that_it_was_taught(tmp_path):
    made = sampler()
    made.run(100)
    alone = pickle.loads(pickle.dumps(made.chains[0]))
    with pytest.raises(ProposalError, match="learned together with those of other chains"):
        alone.run(10)


@pytest.mark.parametrize(
    ("way", "value"),
    [
        (("learned",), {}),
        (("learned",), []),
        (("learned", 0, "records"), lambda r: r[:2]),
        (("learned", 0, "barrier"), 1.0),
        (("learned", 0, "learned"), None),
        (("learned", 0, "lesson"), 0),
        (("learned", 0, "evaluated"), None),
        (("learned", 0, "learned", "rescale"), lambda r: 0 * r),
        (("learned", 0, "records", 0, "visited", "values"), lambda r: r[:, 1:]),
    ],
)
def test_what_is_malformed_is_refused(way, value):
    made = sampler()
    made.run(100)
    state = copy.deepcopy(made.state)
    tree = state["shared"]
    for key in way[:-1]:
        tree = tree[key]
    tree[way[-1]] = value(tree[way[-1]]) if callable(value) else value
    before = copy.deepcopy(made.state)
    with pytest.raises(MalformedStateError):
        made.set_state(state)
    np.testing.assert_equal(made.state, before)


def test_states_of_other_learning_are_refused():
    together, alone = sampler(), sampler(parts=[Learned(NAMES, pooled=False)])
    plain = sampler(parts=[Normal(NAMES)])
    for made in (together, alone, plain):
        made.run(100)
    for made, other in ((together, alone), (alone, together), (together, plain), (plain, together)):
        with pytest.raises(ValueError, match="learn|malformed|proposals"):
            made.set_state(other.state)


def test_a_part_of_a_run_cannot_learn_together():
    with pytest.raises(ValueError, match=r"pooled=False"):
        MetropolisHastingsSampler(NAMES, model, 8, [Learned(NAMES)], seed=1, chains=range(4))
    MetropolisHastingsSampler(
        NAMES, model, 8, [Learned(NAMES, pooled=False)], seed=1, chains=range(4)
    )


def test_a_state_is_taken_over_whatever_was_learned_before():
    """By a sampler that has made as many lessons, and by one that has made more."""
    one, other, fresh = sampler(), sampler(), sampler()
    one.run(200)
    other.chains[0].stream.state = other.chains[1].stream.state
    other.run(200)
    early = sampler()
    early.run(40)
    for state in (one.state, early.state):
        state = copy.deepcopy(state)
        fresh = sampler()
        fresh.set_state(state)
        other.set_state(state)
        for made in (fresh, other):
            made.run(150)
        np.testing.assert_equal(other.state, fresh.state)
        assert other.positions.tobytes() == fresh.positions.tobytes()


def test_another_model_is_learned_of_anew():
    """Nothing of the former one is in the evidence, or in what is searched for."""
    made = sampler()
    made.run(1000)
    former = made.log_evidence().log_z
    same_samples = sampler()
    same_samples.run(500)
    same_samples.model = lambda x, y: model(x, y)
    same_samples.run(500)
    np.testing.assert_equal(same_samples.state, made.state)
    made.model = lambda x, y: (model(x, y)[0] - 50, 0.0)
    made.run(1000)
    found = made.log_evidence()
    assert abs(found.log_z - (former - 50)) < 0.2


def test_new_starts_end_what_the_evidence_is_found_from():
    made = sampler()
    made.run(300)
    made.start_position = {name: np.zeros(4) for name in NAMES}
    with pytest.raises(ValueError, match="too few independent draws"):
        made.log_evidence()


def test_a_burn_in_of_the_evidence_is_where_a_stretch_begins():
    made = sampler()
    made.run(300)
    assert made.log_evidence(burn_in=200).log_z != made.log_evidence().log_z
    with pytest.raises(ValueError, match="burn_in may be .* at most; got 299"):
        made.log_evidence(burn_in=299)


def test_knowledge_of_other_parameters_is_refused():
    one = sampler(parts=[Learned(["x"]), Learned(["y"])])
    one.run(100)
    other = sampler(parts=[Learned(["y"]), Learned(["x"])])
    with pytest.raises(MalformedStateError, match="these temperatures and parameters"):
        other.set_state(one.state)
