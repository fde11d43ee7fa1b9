"""`run(..., verify=True)` finds models that do not always give the same."""

import concurrent.futures
import multiprocessing

import numpy as np
import pytest

import epsie
from epsie import NotReproducibleError
from epsie.pools import InterruptiblePool
from epsie.proposals import ATAdaptiveNormal, Normal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests.statistical import seed


class Honest:
    def __call__(self, x, y):
        return -x * x - y * y, 0.0, {"sum": x + y}


class Counts(Honest):
    """Adds something that grows with each call."""

    calls = 0

    def __call__(self, x, y):
        self.calls += 1
        logl, logp, blob = super().__call__(x, y)
        return logl + 1e-13 * self.calls, logp, blob


class Noisy(Honest):
    """Draws from numpy's global generator."""

    def __call__(self, x, y):
        logl, logp, blob = super().__call__(x, y)
        return logl + 1e-12 * np.random.random(), logp, blob  # noqa: NPY002


class NoisyBlob(Counts):
    """Only the blob is not what it was."""

    def __call__(self, x, y):
        _, _, blob = super().__call__(x, y)
        return -x * x - y * y, 0.0, {"sum": blob["sum"] + self.calls}


def sampler(model, pool=None, kind="mh", proposal=None, nchains=3):
    start, settings = np.zeros(nchains), {}
    if kind == "pt":
        start, settings = np.zeros((2, nchains)), {"betas": [1.0, 0.3]}
    made = (ParallelTemperedSampler if kind == "pt" else MetropolisHastingsSampler)(
        ["x", "y"],
        model,
        nchains,
        proposals=[proposal or ATAdaptiveNormal(["x", "y"], 100)],
        seed=seed(),
        pool=pool,
        check_workers=False,
        **settings,
    )
    made.start_position = {"x": start, "y": start}
    return made


POOLS = {
    "None": lambda: None,
    "threads": lambda: concurrent.futures.ThreadPoolExecutor(2),
    "fork": lambda: multiprocessing.get_context("fork").Pool(2),
    "own": lambda: InterruptiblePool(2),
}


def end(pool):
    if pool is not None:
        (pool.shutdown if hasattr(pool, "shutdown") else pool.close)()


@pytest.mark.parametrize("kind", ["mh", "pt"])
@pytest.mark.parametrize("name", POOLS)
@pytest.mark.in_part(3)
def test_what_is_found_and_what_is_not(name, kind):
    pool = POOLS[name]()
    for model in (Counts(), Noisy(), NoisyBlob()):
        made = sampler(model, pool, kind)
        before = made.state
        with pytest.raises(NotReproducibleError) as caught:
            made.run(20, verify=True)
        np.testing.assert_equal(made.state, before)
        text = str(caught.value)
        for word in ("chain: ", "iteration: ", "in the run: ", "repeated: ", "numpy.random"):
            assert word in text
        assert ("what differs: blob sum" in text) == isinstance(model, NoisyBlob)
    made = sampler(Honest(), pool, kind)
    for _ in range(4):
        made.run(20, verify=True)
    other = sampler(Honest(), None, kind)
    other.run(80)
    assert made.positions.tobytes() == other.positions.tobytes()
    end(pool)


def test_where_it_is_found():
    class FromTheTenth(Honest):
        """Jumps aside at a certain evaluation after the start."""

        def __init__(self):
            self.calls = 0

        def __call__(self, x, y):
            self.calls += 1
            logl, logp, _ = super().__call__(x, y)
            # One chain: its start, 20 steps, then the 20 repeated ones.
            return logl + (1.0 if self.calls == 1 + 20 + 10 else 0.0), logp, {"n": 0.0}

    made = sampler(FromTheTenth(), proposal=Normal(["x", "y"], [1e-9, 1e-9]), nchains=1)
    with pytest.raises(NotReproducibleError) as caught:
        made.run(20, verify=True)
    where = caught.value.where
    assert (where["chain"], where["iteration"], where["what differs"]) == (0, 10, "logl")
    assert where["repeated"] == pytest.approx(where["in the run"] + 1)


def test_chains_take_turns():
    from epsie.execution.repeating import Verifier

    verifier = Verifier()
    assert [verifier.next(3) for _ in range(6)] == [2, 1, 0, 2, 1, 0]


def test_a_proposal_with_hidden_state():
    class Growing(Normal):
        """Its jumps depend on how often any copy of it jumped."""

        jumps = [0]

        def _jump(self, fromx):
            self.jumps[0] += 1
            return {p: v + 0.1 * self.jumps[0] for p, v in fromx.items()}

    made = sampler(Honest(), proposal=Growing(["x", "y"]))
    with pytest.raises(NotReproducibleError, match="what differs: "):
        made.run(20, verify=True)


def test_nothing_is_written(tmp_path):
    made = sampler(Counts())
    made.run(10, directory=tmp_path / "run")
    before = made.niterations, made.state, epsie.open_run(tmp_path / "run").positions.tobytes()
    with pytest.raises(NotReproducibleError) as caught:
        made.run(10, verify=True)
    assert "saved up to 10" in str(caught.value.__notes__)
    again = epsie.open_run(tmp_path / "run")
    np.testing.assert_equal((made.niterations, made.state, again.positions.tobytes()), before)
