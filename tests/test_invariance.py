"""Promise 1: the same samples bit for bit, on any pool, however the run is split or resumed."""

import copy
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from epsie import StateError
from epsie.proposals import BaseProposal
from epsie.running.progress import next_length
from epsie.samplers import MetropolisHastingsSampler
from tests.examples import Example, every_example, gaussian
from tests.statistical import seed

NCHAINS, NITERATIONS = 3, 90
POOLS = [
    "None",
    "own",
    "threads",
    "executor",
    "fork",
    "spawn",
    "forkserver",
    "schwimmbad serial",
    "schwimmbad multi",
    "map only",
]


class Drift(BaseProposal):
    """A user's own proposal on dicts, which adapts and skips."""

    name = "drift"
    symmetric = False
    evolving = ("shift", "seen")

    def __init__(self, parameters):
        self.parameters = parameters
        self.shift = 0.1
        self.seen = []
        self.set_jump_interval(2, 40)

    def _jump(self, fromx):
        noise = self.random_generator.normal(size=len(self.parameters))
        return {p: fromx[p] + self.shift + z for p, z in zip(self.parameters, noise, strict=True)}

    def _logpdf(self, xi, givenx):
        away = [xi[p] - givenx[p] - self.shift for p in self.parameters]
        return -0.5 * sum(z * z for z in away)

    def _update(self, chain):
        self.shift *= 0.99 if chain.acceptance[-1]["accepted"] else 1.01
        self.seen = [*self.seen[-2:], chain.positions[-1]["x"].item()]


class OldStyle(Drift):
    """The same in the way of EPSIE 1.x, with a state of its own."""

    evolving = ()

    @property
    def state(self):
        return {"random_state": self.random_state, "shift": self.shift, "seen": list(self.seen)}

    def set_state(self, state):
        self.random_state = state["random_state"]
        self.shift = state["shift"]
        self.seen = list(state["seen"])


CASES = [
    *every_example(),
    ("own", Example(lambda: Drift(["y", "x"]), {"x": 0.3, "y": -0.4})),
    ("own-old", Example(lambda: OldStyle(["y", "x"]), {"x": 0.3, "y": -0.4})),
]


def sampler(example, pool, model=gaussian):
    made = MetropolisHastingsSampler(
        example.names, model, NCHAINS, proposals=[example.make()], seed=seed(), pool=pool
    )
    made.start_position = {name: [value] * NCHAINS for name, value in example.start.items()}
    return made


def bits(made):
    tables = (made.positions, made.stats, made.acceptance, made.blobs)
    return [(str(table.dtype), table.tobytes()) for table in tables]


@pytest.fixture(scope="module")
def whole():
    """What one serial run gives, by case; made when first asked for."""
    known = {}

    def ask(name, example):
        if name not in known:
            made = sampler(example, None)
            made.run(NITERATIONS)
            known[name] = bits(made), made.state
        return known[name]

    return ask


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize(("name", "example"), CASES, ids=[name for name, _ in CASES])
@pytest.mark.in_part(3)
def test_pool_and_split(pools, pool, name, example, whole):
    made = sampler(example, pools[pool])
    for n in (1, 0, 30, 17, NITERATIONS - 48):
        made.run(n)
    expected, state = whole(name, example)
    assert bits(made) == expected
    np.testing.assert_equal(made.state, state)


@pytest.mark.parametrize("pool", ["None", "own", "spawn"])
@pytest.mark.parametrize(("name", "example"), CASES, ids=[name for name, _ in CASES])
@pytest.mark.in_part(4)
def test_pool_and_clear_and_resume(pools, pool, name, example, whole):
    """Every stretch is made by a new sampler, on another pool, from a saved state."""
    rng = random.Random(f"{seed()} {name} {pool}")
    parts, state, left = [], None, NITERATIONS
    while left:
        made = sampler(example, pools[rng.choice(["None", pool])])
        if state is not None:
            kept = copy.deepcopy(state)
            made.set_state(state)
        n = min(left, rng.randint(1, 40))
        made.run(n)
        if state is not None:
            np.testing.assert_equal(state, kept)
        parts.append(made.positions)
        left -= n
        if rng.random() < 0.5:
            made.clear()
        state = made.state
    expected, final = whole(name, example)
    assert np.concatenate(parts, axis=1).tobytes() == expected[0][1]
    np.testing.assert_equal(state, final)


@pytest.mark.parametrize(("name", "example"), CASES, ids=[name for name, _ in CASES])
@pytest.mark.in_part(3)
def test_rounds_for_a_bar_change_nothing(name, example, whole, monkeypatch):
    monkeypatch.setattr("epsie.running.progress.Progress.seconds", 0.001)
    made = sampler(example, None)
    made.run(NITERATIONS, progress=True)
    assert bits(made) == whole(name, example)[0]


@pytest.mark.parametrize(("scaled", "share"), [(True, 0.15), (False, 0.99)])
def test_rounds_of_many_chains_do_more_than_deal_them_out(scaled, share):
    dealing, step = 0.6e-3 * 2000, 1e-3
    length = 1
    for _ in range(30):
        elapsed = dealing + step * length
        length = next_length(length, elapsed, 1.0, 2000 if scaled else 1)
    found = dealing / (dealing + step * length)
    assert found < share if scaled else found > share


def test_a_proposal_that_forgets_to_save_is_caught(pools):
    class Forgetful(Drift):
        evolving = ("shift",)

    for pool in ("None", "own", "threads"):
        made = sampler(Example(lambda: Forgetful(["x", "y"]), {"x": 0.3, "y": -0.4}), pools[pool])
        before = made.state
        with pytest.raises(StateError, match=r"^Forgetful changed seen while it was used"):
            made.run(20)
        np.testing.assert_equal(made.state, before)


def test_the_state_holds_nothing_alive():
    for _, example in CASES:
        made = sampler(example, None)
        made.run(7)
        state = made.state
        kept = copy.deepcopy(state)
        made.run(50)
        np.testing.assert_equal(state, kept)


SCRIPT = """
import hashlib, sys
from epsie.pools import InterruptiblePool
from tests.test_invariance import CASES, bits, sampler
if __name__ == "__main__":
    digest = hashlib.sha256()
    pool = None if sys.argv[1] == "serial" else InterruptiblePool(2)
    for name, example in CASES:
        made = sampler(example, pool)
        made.run(20), made.run(15)
        digest.update(repr(bits(made)).encode())
    print(digest.hexdigest())
"""


@pytest.mark.slow
def test_hash_seeds():
    """Other hash seeds, in other processes, give the same."""
    root = Path(__file__).parent.parent
    printed = set()
    for hash_seed, pool in (("1", "serial"), ("2", "own")):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(root)}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, pool],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
        )
        printed.add(done.stdout)
    assert len(printed) == 1
