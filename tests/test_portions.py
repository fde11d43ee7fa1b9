"""Short chains are dealt several at once: faster, and else as if they were dealt one by one."""

import concurrent.futures
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from epsie.errors import ModelError, PoolError
from epsie.execution.utilisation import Portions
from epsie.pools import InterruptiblePool
from epsie.proposals import ATAdaptiveNormal, Normal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

NCHAINS = 5


def slope(x, y):
    return -x * x - y * y, 0.0


class RecordedPool(InterruptiblePool):
    """Notes how many chains each task had."""

    def __init__(self, *args):
        super().__init__(*args)
        self.sizes = []

    def map(self, function, tasks):
        def noted():
            for task in tasks:
                self.sizes.append(len(task.arguments))
                yield task

        return super().map(function, noted())


def sampler(pool=None, model=slope, cls=MetropolisHastingsSampler, **settings):
    proposals = [ATAdaptiveNormal(["x"], 50), Normal(["y"])]
    made = cls(["x", "y"], model, NCHAINS, proposals=proposals, seed=3, pool=pool, **settings)
    shape = (NCHAINS,) if cls is MetropolisHastingsSampler else (2, NCHAINS)
    made.start_position = {"x": np.full(shape, 0.1), "y": np.full(shape, -0.2)}
    return made


def bits(made):
    return made.positions.tobytes(), made.acceptance.tobytes(), str(made.state)


def run_at_once(made, n):
    """Run as if each chain had taken a microsecond a step before."""
    made._executor.portions.saw(1, [1e-6] * NCHAINS)
    made.run(n)


# ---- how many


def test_so_many_at_once():
    portions = Portions()
    assert portions.size(10, 8, 2) == 1, "nothing is known before the first run"
    portions.saw(10, [0.010] * 8)
    assert portions.size(10, 8, 2) == 4
    assert portions.size(10, 7, 2) == 4
    assert portions.size(10, 7, 3) == 3
    assert portions.size(10, 2, 4) == 1
    assert portions.size(10, 8, None) == 1, "a pool whose size is not known"
    # At most 0.1 s, and alone if a chain takes longer.
    assert portions.size(20, 100, 2) == 5
    assert portions.size(60, 100, 2) == 1
    assert portions.size(1000, 100, 2) == 1


def test_unlike_chains_are_dealt_one_by_one():
    portions = Portions()
    portions.saw(10, [0.010] * 7 + [0.040])
    assert portions.size(10, 8, 2) == 1
    # A millisecond more or less is not worth it.
    assert portions.size(1, 8, 2) == 4


# ---- the same samples


def forked():
    return multiprocessing.get_context("fork").Pool(2)


@pytest.mark.parametrize(
    "pool", [lambda: RecordedPool(2), forked, lambda: concurrent.futures.ProcessPoolExecutor(2)]
)
@pytest.mark.parametrize("cls", [MetropolisHastingsSampler, ParallelTemperedSampler])
def test_the_bits_are_those_of_a_serial_run(pool, cls):
    settings = {} if cls is MetropolisHastingsSampler else {"betas": [1.0, 0.3]}
    alone = sampler(cls=cls, **settings)
    alone.run(90)
    with pool() as workers:
        made = sampler(workers, cls=cls, **settings)
        assert made._executor._mapper.workers == 2
        for n in (30, 1, 29, 30):
            run_at_once(made, n)
        assert bits(made) == bits(alone)
        if isinstance(workers, RecordedPool):
            assert workers.sizes == [1] * NCHAINS + [3, 2] * 4


def test_chains_that_turn_out_to_be_short_are_dealt_in_portions():
    with RecordedPool(2) as pool:
        made = sampler(pool)
        # A loaded machine lets them look longer now and then.
        while max(pool.sizes, default=1) < 3:
            made.run(1)
        assert max(pool.sizes) == 3


def test_pools_of_unknown_size_get_one_chain_an_item():
    class Mapped:
        sizes = []

        def map(self, function, tasks):
            self.sizes += [len(task.arguments) for task in tasks]
            return [function(task) for task in tasks]

    made = sampler(Mapped())
    made.run(5)
    made.run(5)
    assert set(Mapped.sizes) == {1}


# ---- failures


class Fails:
    """Fails at some place that not all chains come to at once."""

    def __init__(self, how, limit=1.2):
        self.how, self.limit = how, limit

    def __call__(self, x, y):
        if x > self.limit:
            self.how()
        return slope(x, y)


def give_up():
    raise ArithmeticError("too far")


def die():
    time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_model_that_raises_is_blamed_on_its_chain():
    alone = sampler()
    alone.run(60)
    with RecordedPool(2) as pool:
        said = []
        for made in (sampler(), sampler(pool)):
            made.run(10)
            made.model = Fails(give_up)
            before = bits(made)
            pool.sizes.clear()
            with pytest.raises(ModelError, match="too far") as caught:
                run_at_once(made, 50)
            said.append((str(caught.value), caught.value.__notes__))
            assert bits(made) == before
            made.model = slope
            run_at_once(made, 50)
            assert bits(made) == bits(alone)
        renewed = [1] * 5  # where the chains stand, asked of another model
        assert pool.sizes == [*renewed, 3, 2] * 2
        assert said[0] == said[1]


@pytest.mark.slow
def test_the_chain_that_kills_its_worker_is_named():
    with RecordedPool(2) as pool:
        made = sampler(pool)
        made.run(5)
        made.model = Fails(die, made.current_positions["x"].max() + 0.2)
        before = made.state
        pool.sizes.clear()
        with pytest.raises(PoolError, match=r"workers died.*worked on chain \d,"):
            run_at_once(made, 50)
        assert pool.sizes[:7] == [1, 1, 1, 1, 1, 3, 2]
        assert set(pool.sizes[7:]) == {1}, "dealt again, one by one"
        np.testing.assert_equal(made.state, before)
        made.model = slope
        made.run(5)
