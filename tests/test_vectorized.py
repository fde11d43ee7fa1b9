"""Models that take many points at once: their calls, the samples they give, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import inf

import numpy as np
import pytest

import epsie
from epsie.errors import ModelError, NotReproducibleError
from epsie.model.batch import Batch
from epsie.proposals import ATAdaptiveNormal, Learned, Normal, NormalDiscrete
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

N = 10
TABLES = ("positions", "stats", "acceptance", "blobs")


def one(a, b):
    """A model of one point."""
    return -0.5 * (a * a + 2.0 * b * b), -inf if abs(a) > 2 else 0.0, {"sum": a + b}


def many(a, b):
    """The same of many points: whatever logl is where the prior vanishes."""
    logl = np.where(abs(a) > 2, np.nan, -0.5 * (a * a + 2.0 * b * b))
    return logl, np.where(abs(a) > 2, -inf, 0.0), {"sum": a + b}


class Counting:
    """A model of many points that notes how many it is asked about."""

    def __init__(self, model=many):
        self.model, self.calls = model, []

    def __call__(self, **columns):
        self.calls.append({len(column) for column in columns.values()})
        return self.model(**columns)


def plain(model, vectorize=False, proposals=None, n=N, **settings):
    sampler = MetropolisHastingsSampler(
        ["a", "b"], model, n, proposals, seed=3, vectorize=vectorize, **settings
    )
    x = np.random.default_rng(1).uniform(-1, 1, size=(2, n))
    sampler.start_position = {"a": x[0], "b": x[1]}
    return sampler


def tempered(model, vectorize=False, **settings):
    sampler = ParallelTemperedSampler(
        ["a", "b"], model, 4, [1, 0.4, 0.0], 2, seed=3, vectorize=vectorize, **settings
    )
    x = np.random.default_rng(1).uniform(-1, 1, size=(2, 3, 4))
    sampler.start_position = {"a": x[0], "b": x[1]}
    return sampler


def bits(sampler):
    return [getattr(sampler, name).tobytes() for name in TABLES]


@pytest.fixture(scope="module")
def tempered_bits():
    sampler = tempered(one)
    sampler.run(60)
    return bits(sampler)


PROPOSALS = {
    "default": lambda: None,
    "normal": lambda: [Normal(["a", "b"])],
    "virtual": lambda: [ATAdaptiveNormal(["a", "b"], 40, componentwise=True)],
    "resting": lambda: [Normal(["a"], None, 3, 30), Normal(["b"], None, 2, 30)],
}


@pytest.mark.parametrize("proposals", PROPOSALS)
def test_gives_the_samples_of_the_model_of_one_point(proposals):
    make = PROPOSALS[proposals]
    reference = plain(one, proposals=make())
    reference.run(60)
    for vectorize in (True, 4):
        sampler = plain(many, vectorize, make())
        sampler.run(35)
        sampler.run(25, verify=True)
        assert bits(sampler) == bits(reference)
        assert sampler.evaluations == reference.evaluations


@pytest.mark.parametrize(
    ("vectorize", "pool"), [(True, None), (7, 2), (7, "threads"), (2, None), (2, "threads")]
)
def test_is_the_same_on_any_pool_and_in_any_batches(tempered_bits, vectorize, pool):
    with ThreadPoolExecutor(2) as threads:
        sampler = tempered(many, vectorize, pool=threads if pool == "threads" else pool)
        sampler.run(25)
        sampler.run(35)
        assert bits(sampler) == tempered_bits


@pytest.mark.parametrize(("vectorize", "rows"), [(True, 10), (4, 4), (3, 3), (16, 16)])
def test_calls_have_always_the_same_number_of_points(vectorize, rows):
    model = Counting()
    sampler = plain(model, vectorize)
    calls = -(-N // rows)
    # One more shows that each row is of its point.
    assert model.calls == [{rows}] * (calls + 1)
    model.calls.clear()
    sampler.run(20)
    assert model.calls == [{rows}] * (20 * calls)


def test_a_chain_is_always_in_the_same_batch():
    seen = []

    def model(a, b):
        seen.append(len(a))
        return many(a, b)[:2]

    sampler = MetropolisHastingsSampler(
        ["a", "b"], model, 8, [Normal(["a", "b"])], seed=3, vectorize=4, chains=[1, 2, 5]
    )
    whole = plain(lambda a, b: many(a, b)[:2], True, [Normal(["a", "b"])], 8)
    sampler.start_position = whole.start_position
    seen.clear()
    sampler.run(30)
    whole.run(30)
    assert seen == [4] * 60
    assert sampler.positions.tobytes() == whole.positions[[1, 2, 5]].tobytes()


def test_integers_are_integers():
    kinds = set()

    def model(k, x):
        kinds.add((k.dtype, x.dtype))
        return -0.5 * x * x - abs(k), 0.0

    sampler = MetropolisHastingsSampler(
        ["k", "x"], model, 4, [NormalDiscrete(["k"]), Normal(["x"])], seed=1, vectorize=True
    )
    sampler.start_position = {"k": [0, 1, 2, 3], "x": [0.0, 1.0, 2.0, 3.0]}
    sampler.run(20)
    assert kinds == {(np.dtype(np.int64), np.dtype(float))}


def test_tells_zeros_apart():
    batch = Batch(lambda x: (np.copysign(1.0, x), 0.0), 4)
    batch.fetch({"x": float}, [(0.0,), (-0.0,)])
    assert [batch(x=0.0)[0], batch(x=-0.0)[0]] == [1.0, -1.0]


def test_run_directories_keep_the_number_of_points(tmp_path, tempered_bits):
    sampler = tempered(many, 5)
    sampler.run(30, directory=tmp_path / "run")
    other = tempered(many, 6)
    with pytest.raises(epsie.errors.RunDirectoryError, match="vectorize: the run has 5"):
        other.run(30, directory=tmp_path / "run")
    model = Counting()
    resumed = ParallelTemperedSampler.resume(tmp_path / "run", model)
    # One chain with its three temperatures a call, and the check of rows.
    assert model.calls == [{5}] * (4 + 1)
    resumed.run(total=60, directory=tmp_path / "run")
    reference = tempered(one)
    reference.run(60)
    for mine, theirs in zip(resumed.chains, reference.chains, strict=True):
        assert str(mine.state) == str(theirs.state)
    assert "vectorize=5" in sampler.recipe()


def likelihood(x, y, scale):
    x = x / scale
    return -0.5 * (x * x + y * y)


@pytest.mark.parametrize("start", [None, "annealed"])
def test_a_posterior_whose_likelihood_takes_arrays(start):
    prior = epsie.Prior(x=(-3, 3), y=(-3, 3), scale=2.0)
    samplers = []
    for posterior in (
        epsie.Posterior(likelihood, prior),
        epsie.Posterior(likelihood, prior, vectorize=True),
    ):
        sampler = MetropolisHastingsSampler(posterior, nchains=6, seed=1, start=start)
        sampler.run(40)
        samplers.append(sampler)
    assert samplers[0].positions.tobytes() == samplers[1].positions.tobytes()
    assert samplers[0].evaluations == samplers[1].evaluations
    assert samplers[1].model is posterior
    assert posterior(x=1.0, y=0.5) == epsie.Posterior(likelihood, prior)(x=1.0, y=0.5)
    logl, logp = posterior(x=np.array([1.0, 9.0]), y=np.array([0.5, 0.5]))
    assert logl.shape == logp.shape == (2,) and logp[1] == -inf


def test_sample_takes_it():
    prior = {"x": (-3, 3), "y": (-3, 3)}
    flat = partial(likelihood, scale=2.0)
    settings = {"seed": 1, "until": None, "max_evaluations": 1000, "tempered": False}
    runs = [epsie.sample(flat, prior, vectorize=v, **settings) for v in (False, True)]
    assert runs[0].positions.tobytes() == runs[1].positions.tobytes()


WRONG = {
    "another length": (lambda a, b: (many(a, b)[0][:-1], 0.0), r"logl of shape \(9,\) for 10"),
    "one row": (lambda a, b: (many(a, b)[0][:1], 0.0), r"logl of shape \(1,\)"),
    "a number": (lambda a, b: (-1.0, 0.0), r"logl of shape \(\)"),
    "logp": (lambda a, b: (a, b[:3]), r"logp of shape \(3,\)"),
    "text": (lambda a, b: (["x"] * len(a), 0.0), "no real numbers"),
    "alone": (lambda a, b: -a * a, "leave vectorize out"),
    "one point": (lambda a, b: (-a * a if a > 0 else a, 0.0), "raised ValueError.*vectorize"),
    "blob": (lambda a, b: (a, 0.0, {"s": 1.0}), r"blob's 's' of shape \(\)"),
    "single": (lambda a, b: (a.astype(np.float32), 0.0), "jax_enable_x64"),
    "sorted": (lambda a, b: (np.sort(many(a, b)[0]), 0.0), "point i alone"),
    "reversed": (lambda a, b: (-(a * a)[::-1], 0.0), "point i alone"),
    "of all": (lambda a, b: (-a * a - (b * b).sum(), 0.0), "point i alone"),
    "not finite": (lambda a, b: (np.where(a > 0.5, np.nan, -a), 0.0), "logl = nan"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_refuses_other_answers_at_the_start(wrong):
    model, message = WRONG[wrong]
    with pytest.raises((ModelError, ValueError), match=message):
        plain(model, True)


@pytest.mark.parametrize("vectorize", [0, -3, 2.5, "yes"])
def test_refuses_other_numbers_of_points(vectorize):
    with pytest.raises(ValueError, match="vectorize must be False, True or the number"):
        plain(many, vectorize)


def test_names_the_chain_of_a_bad_row():
    bad = np.nan

    def model(a, b):
        return np.where(a > 1.5, bad, -0.5 * a * a), 0.0

    sampler = plain(model, True, [Normal(["a", "b"])])
    before = str(sampler.state)
    with pytest.raises(ModelError) as found:
        sampler.run(100)
    error = found.value
    assert error.where["proposed position"]["a"] > 1.5
    assert {"chain", "temperature", "iteration"} <= error.where.keys()
    assert str(sampler.state) == before
    rejecting = plain(model, True, [Normal(["a", "b"])], nan="reject")
    rejecting.run(100)
    assert sum(chain.nan_count for chain in rejecting.chains) > 0


def test_names_the_chains_of_a_call_that_failed():
    def model(a, b):
        if np.any(a > 1.5):
            raise RuntimeError("no convergence")
        return -0.5 * a * a, 0.0

    with pytest.raises(ModelError, match="no convergence") as found:
        plain(model, 5, [Normal(["a", "b"])]).run(100)
    assert found.value.where["chains"] in ("0 to 4", "5 to 9")


def test_tells_of_padding_and_of_idle_workers(caplog):
    plain(many, 64)
    assert "vectorize=64 is more than the 10 points" in caplog.text
    sampler = plain(many, True, pool=2)
    sampler.run(2)
    sampler.run(2)
    assert caplog.text.count("of 2 workers 1 are busy") == 1


def test_verify_repeats_whole_batches():
    offset = [0.0]

    def drifting(a, b):
        offset[0] += 1e-3
        return -0.5 * a * a + offset[0] * 1e-6, 0.0

    sampler = plain(lambda a, b: many(a, b)[:2], True)
    sampler.model = drifting
    with pytest.raises(NotReproducibleError):
        sampler.run(20, verify=True)


def test_learned_together_in_batches():
    reference, sampler = (
        plain(model, vectorize, [Learned(["a", "b"])])
        for model, vectorize in ((one, False), (many, 5))
    )
    reference.run(80)
    sampler.run(80)
    assert bits(sampler) == bits(reference)


IN_JAX = """
import jax
{setting}
import numpy as np
from epsie.errors import EpsieError
from epsie.samplers import MetropolisHastingsSampler

traced = []

@jax.jit
@jax.vmap
def model(m, b):
    traced.append(1)
    return -0.5 * (m * m + b * b), 0.0

def sampler(pool=None):
    made = MetropolisHastingsSampler(["m", "b"], model, 6, seed=1, vectorize=4, pool=pool)
    made.start_position = {{"m": np.linspace(-1, 1, 6), "b": np.linspace(-1, 1, 6)}}
    made.run(30)
    return made

try:
    made = sampler()
    assert len(traced) == 1, traced
    assert (sampler().positions == made.positions).all()
    print(made.current_stats["logl"].dtype)
    sampler(pool=1)
    print("in a worker, too")
except EpsieError as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.parametrize("double", [True, False])
def test_jax_is_compiled_once_and_in_double_precision(double, tmp_path):
    pytest.importorskip("jax", reason="JAX is not installed")
    setting = 'jax.config.update("jax_enable_x64", True)' if double else ""
    script = tmp_path / "in_jax.py"
    script.write_text(IN_JAX.format(setting=setting))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.startswith("float64") == double, done.stderr
    # A worker that does not import the script lacks the setting, and says which.
    assert "jax_enable_x64" in done.stdout or "in a worker, too" in done.stdout
