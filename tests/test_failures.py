"""Promise 2: a run advances every chain or none, whatever fails, and says what and where."""

import math
import os
import signal
import time

import numpy as np
import pytest

import epsie
from epsie import ModelError, PoolError
from epsie.proposals import ATAdaptiveNormal, BaseProposal, Normal
from epsie.samplers import MetropolisHastingsSampler
from tests import interrupting
from tests.interrupting import Dies

PROCESSES = ["own", "executor", "fork", "spawn", "forkserver", "schwimmbad multi"]
POOLS = ["None", "threads", "schwimmbad serial", "map only", *PROCESSES]


class Fails:
    """A model that does something beyond `limit` or after the switch was set."""

    def __init__(self, what, limit=0.5):
        self.what, self.limit = what, limit

    def __call__(self, x, y):
        if x > self.limit:
            return self.fail()
        return -x * x - y * y, 0.0

    def fail(self):
        if self.what == "raises":
            raise ZeroDivisionError("a bug in the likelihood")
        if self.what == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "exits":
            raise SystemExit(3)
        return {
            "nan": (float("nan"), 0.0),
            "inf": (float("inf"), 0.0),
            "nan prior": (0.0, float("nan")),
            "inf prior": (0.0, float("inf")),
            "none": (None, 0.0),
            "one": (0.0,),
            "four": (0.0, 0.0, {}, 1),
            "number": 0.0,
            "text": ("a", "b"),
            "array": (np.zeros(2), 0.0),
            "complex": (1j, 0.0),
            "blob": (0.0, 0.0, {"late": 1}),
            "nothing": None,
        }[self.what]


def sampler(model, pool=None, nchains=3, **settings):
    made = MetropolisHastingsSampler(
        ["x", "y"],
        model,
        nchains,
        [Normal("x"), ATAdaptiveNormal("y", 500)],
        seed=4,
        pool=pool,
        **settings,
    )
    made.start_position = {"x": np.full(nchains, -0.5), "y": np.zeros(nchains)}
    return made


def snapshot(made):
    return made.state, made.niterations, made.positions.tobytes() if made.niterations else b""


def assert_unchanged(made, before):
    np.testing.assert_equal(snapshot(made), before)


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("what", ["raises", "nan"])
def test_nothing_is_advanced(pools, pool, what):
    made = sampler(Fails(what, limit=40), pools[pool])
    made.run(5)
    before = snapshot(made)
    made.model = Fails(what, limit=-0.3)
    with pytest.raises(ModelError) as caught:
        made.run(200)
    assert_unchanged(made, before)
    text = str(caught.value)
    for word in (
        "chain: ",
        "iteration: ",
        "position: {'x':",
        "proposed position: {'x':",
        "Normal(",
    ):
        assert word in text
    if what == "raises":
        assert "ZeroDivisionError: a bug in the likelihood" in text
        assert "in fail" in full_text(caught.value)
    # A mended model goes on, with the same samples as if nothing had happened.
    made.model = Fails(what, limit=40)
    made.run(20)
    untroubled = sampler(Fails(what, limit=40))
    untroubled.run(25)
    assert made.positions.tobytes() == untroubled.positions.tobytes()


def full_text(error):
    import traceback

    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "what",
    ["inf", "nan prior", "inf prior", "none", "one", "four", "number", "text", "array", "complex"]
    + ["blob", "nothing", "exits"],
)
def test_what_a_model_may_not_return(what):
    made = sampler(Fails(what, limit=40))
    before = snapshot(made)
    made.model = Fails(what, limit=-0.3)
    with pytest.raises(ModelError if what != "exits" else RuntimeError, match="model|SystemExit"):
        made.run(100)
    assert_unchanged(made, before)


def test_where_the_prior_vanishes_nothing_else_is_looked_at():
    answers = [(None, -np.inf), (np.nan, -np.inf, None), (np.inf, np.float32(-np.inf), 3)]

    def model(x, y):
        return (-x * x - y * y, 0.0) if x < 0 else answers[int(x * 10) % 3]

    made = sampler(model)
    made.run(300)
    assert made.positions["x"].max() < 0
    assert (made.acceptance["acceptance_ratio"] == 0).any()


def test_nan_can_be_rejected_and_is_counted():
    made = sampler(Fails("nan", limit=0.0), nan="reject")
    made.run(300)
    assert made.positions["x"].max() <= 0
    counts = [chain.nan_count for chain in made.chains]
    assert min(counts) > 0
    again = sampler(Fails("nan", limit=0.0), nan="reject")
    again.run(100)
    again.set_state(again.state)
    again.run(200)
    assert [chain.nan_count for chain in again.chains] == counts
    said = f"nan: {sum(counts)} jumps rejected, as the model gave NaN or +inf there"
    assert said in str(made.summary())


@pytest.mark.parametrize("tempered", [False, True])
def test_a_run_on_disk_tells_of_rejected_nans(tmp_path, tempered):
    settings = {"until": None, "max_evaluations": 4000, "seed": 1, "nan": "reject"}
    made = epsie.sample(
        lambda x: math.nan if x > 2 else -x * x,
        {"x": (-5, 5)},
        directory=tmp_path,
        tempered=tempered,
        **settings,
    )
    found = [
        str(run.summary()).split("nan: ")[1].split()[0] for run in (made, epsie.open_run(tmp_path))
    ]
    assert found[0] == found[1] and int(found[0]) > 0


def test_values_of_numpy_are_taken_as_they_are():
    def model(x, y):
        return np.array(-x * x), np.float32(-y * y)

    made = sampler(model)
    made.run(10)
    assert made.stats["logl"].dtype == float


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("kind", ["fork", "spawn", "executor", "own", "schwimmbad"])
def test_a_worker_that_dies(kind):
    import concurrent.futures
    import multiprocessing

    import schwimmbad

    made = sampler(Fails("dies", limit=40))
    made.run(5)
    before = snapshot(made)
    made.model = Fails("dies", limit=-0.3)
    made.pool = {
        "fork": lambda: multiprocessing.get_context("fork").Pool(2),
        "spawn": lambda: multiprocessing.get_context("spawn").Pool(2),
        "executor": lambda: concurrent.futures.ProcessPoolExecutor(2),
        "own": lambda: 2,
        "schwimmbad": lambda: schwimmbad.MultiPool(2),
    }[kind]()
    with pytest.raises(PoolError, match="died"):
        made.run(200)
    assert_unchanged(made, before)
    for end in ("terminate", "shutdown"):
        if hasattr(made.pool, end):
            getattr(made.pool, end)()
    made.pool = None
    made.model = Fails("dies", limit=40)
    made.run(20)
    untroubled = sampler(Fails("dies", limit=40))
    untroubled.run(25)
    assert made.positions.tobytes() == untroubled.positions.tobytes()


def test_our_own_pool_does_lost_work_again(tmp_path):
    made, untroubled = sampler(Dies(tmp_path, 1), pool=2), sampler(Dies(tmp_path, 0))
    made.run(100)
    assert len(os.listdir(tmp_path)) == 1
    untroubled.run(100)
    assert made.positions.tobytes() == untroubled.positions.tobytes()


@pytest.mark.parametrize("pool", ["None", "threads", "own"])
def test_ctrl_c_leaves_the_last_boundary(pools, pool, tmp_path):
    def model(x, y):
        time.sleep(0.001)
        (tmp_path / "stepping").touch()
        return -x * x - y * y, 0.0

    made = sampler(model, pools[pool])
    made.run(2)
    before = snapshot(made)
    (tmp_path / "stepping").unlink()
    pressed = interrupting.press_when((tmp_path / "stepping").exists)
    with pytest.raises(KeyboardInterrupt):
        made.run(100_000)
    pressed.join()
    assert_unchanged(made, before)
    made.run(3)
    assert made.niterations == 5


def test_ctrl_c_while_results_are_taken_over_takes_effect_after(monkeypatch):
    made = sampler(lambda x, y: (-x * x, -y * y))
    attach = type(made.chains[0]).attach

    def pressing(chain, segment):
        if chain.chain_id == 1:
            os.kill(os.getpid(), signal.SIGINT)
        attach(chain, segment)

    monkeypatch.setattr(type(made.chains[0]), "attach", pressing)
    with pytest.raises(KeyboardInterrupt):
        made.run(10)
    assert [chain.iteration for chain in made.chains] == [10, 10, 10]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class Broken(BaseProposal):
    name, symmetric = "broken", False

    def __init__(self, parameters, what):
        self.parameters, self.what = parameters, what

    def _jump(self, fromx):
        if self.what == "raises":
            raise KeyError("oops")
        if self.what == "nan":
            return dict.fromkeys(self.parameters, np.nan)
        if self.what == "missing":
            return {}
        return {p: fromx[p] + 0.1 for p in self.parameters}

    def _logpdf(self, xi, givenx):
        return -np.inf


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("raises", "KeyError: 'oops'"),
        ("nan", "a number for each of x, y"),
        ("missing", "a number for each of x, y"),
        ("no density", "no density for a jump of their own"),
    ],
)
@pytest.mark.parametrize("pool", ["None", "own"])
def test_a_proposal_that_fails(pools, pool, what, said):
    made = MetropolisHastingsSampler(
        ["x", "y"], lambda x, y: (0.0, 0.0), 2, [Broken(["x", "y"], what)], pool=pools[pool]
    )
    made.start_position = {"x": [0.0, 0.0], "y": [0.0, 0.0]}
    before = snapshot(made)
    with pytest.raises(RuntimeError, match=said):
        made.run(3)
    assert_unchanged(made, before)


class Shuffled:
    def map(self, function, iterable):
        return [function(item) for item in iterable][::-1]


class TooFew:
    def map(self, function, iterable):
        return [function(item) for item in iterable][1:]


class Nonsense:
    def map(self, function, iterable):
        return ["done" for _ in iterable]


@pytest.mark.parametrize(
    ("pool", "said"),
    [(Shuffled(), "in order"), (TooFew(), "2 results for 3 tasks"), (Nonsense(), "'done'")],
)
def test_a_map_that_is_none(pool, said):
    made = sampler(lambda x, y: (-x * x, -y * y), check_workers=False)
    before = snapshot(made)
    made.pool = pool
    with pytest.raises(PoolError, match=said):
        made.run(3)
    assert_unchanged(made, before)
