"""States and runs whose checksums are right and whose content is wrong."""

import collections
import random

import h5py
import numpy as np
import pytest

import epsie
from epsie.chain.recipes import remade, updated
from epsie.errors import CheckpointError
from epsie.storage.statetree import decode, encode
from tests.damage import wrong
from tests.statistical import seed
from tests.test_checkpoint import CASES, SAMPLERS, bits, same, sampler


def wrong_states(count, directory):
    """How samplers take wrong states in HDF5 files: counts by outcome, and what was not refused."""
    rng, outcomes, remarks, whole = random.Random(seed()), collections.Counter(), [], {}
    names = rng.sample(list(CASES), min(len(CASES), 2 + count // 40))
    for _ in range(count):
        case = rng.choice(names), rng.choice(SAMPLERS)
        if case not in whole:
            made = sampler(case[1], CASES[case[0]])
            made.run(33)
            data = encode(made.state)
            made.clear()
            made.run(15)
            whole[case] = data, bits(made)
        data, right = whole[case]
        tree, what = wrong(rng, decode(data)[0])
        made = sampler(case[1], CASES[case[0]])
        before = encode(made.state)
        with h5py.File(directory / "a.hdf", "w") as file:
            try:
                epsie.dump_state(tree, file)
            except TypeError:
                outcomes["not written"] += 1
                continue
            if same(epsie.load_state(file), decode(data)[0]):
                outcomes["the same"] += 1
                continue
            try:
                made.set_state_from_checkpoint(file)
            except CheckpointError:
                outcome = "refused" if encode(made.state) == before else "half taken"
            except Exception as error:
                outcome = f"raw {type(error).__name__}"
            else:
                made.run(15)
                outcome = "equal" if bits(made) == right else "silent"
        outcomes[outcome] += 1
        if outcome != "refused":
            remarks.append((outcome, case, what))
    return outcomes, remarks


@pytest.mark.parametrize("count", [200, pytest.param(500, marks=pytest.mark.rest)])
def test_wrong_states_are_refused(tmp_path, count):
    """Entries that lack, or are of another type or size: a `CheckpointError`, or no difference."""
    outcomes, remarks = wrong_states(count, tmp_path)
    known = {"refused", "equal", "the same", "not written"}
    assert outcomes.keys() <= known, remarks
    assert outcomes["refused"] > 0.9 * count


@pytest.mark.parametrize(
    "way",
    [
        ("iteration",),
        ("proposal_dist", "random_state"),
        ("proposal_dist", "random_state", "undrawn"),
        ("proposal_dist", "random_state", "module"),
        ("proposal_dist", "x+y", "nsteps"),
        ("current_blob",),
        ("nan_count",),
    ],
)
def test_a_state_that_lacks_an_entry_is_refused(tmp_path, way):
    """Also one without which it could go on, with other samples. The sampler stays as it was."""
    made = sampler("mh", CASES["at_adaptive_normal-0"])
    made.run(10)
    state = made.state
    inner = state[1]
    for key in way[:-1]:
        inner = inner[key]
    del inner[way[-1]]
    with h5py.File(tmp_path / "a.hdf", "w") as file:
        epsie.dump_state(state, file)
        before = encode(made.state)
        with pytest.raises(CheckpointError, match="malformed|no state"):
            made.set_state_from_checkpoint(file)
    assert encode(made.state) == before


def test_chains_at_other_iterations_are_refused(tmp_path):
    made = sampler("mh", CASES["normal-0"])
    made.run(10)
    state = made.state
    state[1]["iteration"] = 9
    with h5py.File(tmp_path / "a.hdf", "w") as file:
        epsie.dump_state(state, file)
        with pytest.raises(CheckpointError, match="different iterations"):
            made.set_state_from_checkpoint(file)


def test_whatever_is_no_state_is_refused(tmp_path):
    made = sampler("barrier", CASES["normal-0"])
    for tree in (None, 1, "x", [], {}, {0: None, 1: None}, {0: {}, 1: {}}, {0: [], 1: {0: 1}}):
        with h5py.File(tmp_path / "a.hdf", "w") as file:
            epsie.dump_state(tree, file)
            with pytest.raises(CheckpointError):
                made.set_state_from_checkpoint(file)


@pytest.mark.parametrize(
    "kind",
    [np.arange(3.0), ["proposal", np.arange(3.0)], [np.arange(3.0), "x"], None, 3, [["proposal"]]],
    ids=str,
)
def test_whatever_stands_for_a_class_is_no_class(kind):
    written = {"epsie class": kind, "config": {"kappa": 1.0}}
    assert updated([written])[0]["config"] == {"kappa": 1.0}
    with pytest.raises(CheckpointError):
        remade(written)
