"""What a call of `run` sends, and what a sample keeps, does not grow with the history."""

import copy
import gc
import multiprocessing
import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from epsie.chain import Chain
from epsie.proposals import ATAdaptiveNormal, BaseProposal, Normal
from epsie.samplers import MetropolisHastingsSampler

NAMES = ("a", "b", "c", "d")
NCHAINS = 3


def gaussian(**x):
    return -0.5 * sum([value * value for value in x.values()]), 0.0


class WithData:
    """A model that holds data."""

    def __init__(self, nbytes):
        self.data = np.random.default_rng(1).bytes(nbytes)

    def __call__(self, **x):
        return gaussian(**x)


class CountingPool:
    """Pickles for its pool what travels, and so knows how long it is."""

    def __init__(self, pool):
        self.pool = pool
        self.piped = 0
        self.read = {}

    def map(self, function, items):
        sent = [pickle.dumps((function, item)) for item in items]
        answers = self.pool.map(do, sent, chunksize=1)
        self.piped += sum(map(len, sent)) + sum(len(body) for body, _, _ in answers)
        for _, worker, nread in answers:
            self.read[worker] = self.read.get(worker, 0) + nread
        return [pickle.loads(body) for body, _, _ in answers]

    def bytes_of(self, action):
        """What an action sends through the pipes and makes its workers read."""
        before = self.piped + sum(self.read.values())
        action()
        return self.piped + sum(self.read.values()) - before


def do(sent):
    before = bytes_read()
    function, item = pickle.loads(sent)
    body = pickle.dumps(function(item))
    return body, os.getpid(), bytes_read() - before


def bytes_read():
    """By this process, from files, so far; 0 where the system does not tell."""
    counts = Path("/proc/self/io")
    if not counts.exists():
        return 0
    return int(counts.read_text().split("\n", 1)[0].removeprefix("rchar: "))


@pytest.fixture(scope="module")
def workers():
    """Two, forked before any model is made, so that they cannot have it from the parent."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        yield pool


def started(model=gaussian, pool=None, proposal=None):
    parts = Normal(NAMES) if proposal is None else proposal
    sampler = MetropolisHastingsSampler(NAMES, model, NCHAINS, parts, seed=1, pool=pool)
    sampler.start_position = dict.fromkeys(NAMES, np.zeros(NCHAINS))
    sampler.run(100)
    return sampler


def keep_history(monkeypatch):
    """The defect that a chain travels with its history."""
    shell = Chain.shell

    def with_history(chain):
        twin = shell(chain)
        twin.kept = copy.deepcopy(chain.history)
        return twin

    monkeypatch.setattr(Chain, "shell", with_history)


# ---- bytes of a call


def check_traffic_against_history(workers, proposal):
    pool = CountingPool(workers)
    sampler = started(pool=pool, proposal=proposal)
    early = [pool.bytes_of(lambda: sampler.run(50)) for _ in range(4)]
    sampler.run(4000)
    late = [pool.bytes_of(lambda: sampler.run(50)) for _ in range(4)]
    # Variates that are drawn but not handed out travel too: up to two blocks of 128 a chain.
    assert max(late) < max(early) + NCHAINS * 2 * 2 * 128 * 9


@pytest.mark.parametrize(
    "proposal",
    [None, Normal(NAMES, 0.5 + np.eye(4)), ATAdaptiveNormal(NAMES, 100_000)],
    ids=["normal", "full", "andrieu-thoms"],
)
def test_traffic_does_not_grow_with_history(workers, proposal):
    check_traffic_against_history(workers, proposal)


def test_traffic_check_notices_a_history_that_travels(workers, monkeypatch):
    keep_history(monkeypatch)
    with pytest.raises(AssertionError):
        check_traffic_against_history(workers, None)


class Hoarder(BaseProposal):
    """A user's proposal whose state grows for ever."""

    name = "hoarder"
    symmetric = True
    evolving = ("seen",)
    parameters = NAMES

    def __init__(self):
        self.seen = []

    def _jump(self, fromx):
        return {name: fromx[name] + self.random_generator.normal() for name in NAMES}

    def _update(self, chain):
        self.seen = [*self.seen, *chain.point.x]


def test_traffic_check_notices_a_state_that_grows(workers):
    with pytest.raises(AssertionError):
        check_traffic_against_history(workers, Hoarder())


def test_model_travels_once_to_each_worker(workers):
    nbytes = 2_000_000
    pool = CountingPool(workers)
    sampler = started(WithData(nbytes), pool)
    per_worker = max(pool.read.values())
    if bytes_read():
        assert nbytes <= per_worker < 2 * nbytes
    for _ in range(3):
        # A worker that had nothing to do before may still have to read it.
        fresh = nbytes * (2 - sum(nread >= nbytes for nread in pool.read.values()))
        assert pool.bytes_of(lambda: sampler.run(50)) < fresh + nbytes / 10
    assert pool.piped < nbytes / 2


def test_size_of_a_model_does_not_change_what_is_piped(workers):
    piped = {}
    for nbytes in (1000, 1_000_000):
        pool = CountingPool(workers)
        started(WithData(nbytes), pool)
        piped[nbytes] = pool.piped
    assert abs(piped[1_000_000] - piped[1000]) < 1000


# ---- memory


@pytest.fixture
def traced():
    """Bytes in use, but for what the interpreter keeps for later tuples and floats."""
    tracemalloc.start()

    def now():
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    yield now
    tracemalloc.stop()


def kept_a_sample(sampler, now, lengths):
    """Bytes kept for each further sample of a chain, over runs of these lengths."""
    before = now()
    for length in lengths:
        sampler.run(length)
    return (now() - before) / sum(lengths) / NCHAINS


DUE = 8 * len(NAMES) + 8 + 8 + 8 + 1
"""Bytes of a sample: the position, logl, logp, the acceptance ratio and the decision."""


def check_kept_after_one_run(now):
    sampler = started()
    sampler.clear()
    assert kept_a_sample(sampler, now, [3000]) < 1.05 * DUE
    sampler.clear()
    sampler.scratchlen = 0
    assert kept_a_sample(sampler, now, [6000]) < 1.05 * DUE


def test_one_run_keeps_no_more_than_its_samples(traced):
    check_kept_after_one_run(traced)


@pytest.mark.slow
def test_growing_by_short_runs_keeps_little_more(traced):
    sampler = started()
    sampler.clear()
    for _ in range(3):
        # Tables grow by a quarter, so that at most that much lies idle.
        assert kept_a_sample(sampler, traced, [100] * 20) < 1.35 * DUE


def check_memory_of_a_call(now):
    """What a call takes for a while does not depend on the samples that there are."""
    sampler = started()
    peaks = []
    for length in (100, 6000):
        sampler.run(length)
        sampler.run(40)  # Tables grow here, if they have to, and then have room.
        before = now()
        tracemalloc.reset_peak()
        sampler.run(50)
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    assert peaks[1] < peaks[0] + 20_000


def test_memory_of_a_call_does_not_grow_with_history(traced):
    check_memory_of_a_call(traced)


def test_memory_check_notices_a_history_that_is_copied(traced, monkeypatch):
    keep_history(monkeypatch)
    with pytest.raises(AssertionError):
        check_memory_of_a_call(traced)


def test_memory_check_notices_points_that_are_kept(traced, monkeypatch):
    kept, decide = [], Chain.decide

    def hoarding(chain):
        decide(chain)
        kept.append(chain.point)

    monkeypatch.setattr(Chain, "decide", hoarding)
    with pytest.raises(AssertionError):
        check_kept_after_one_run(traced)
