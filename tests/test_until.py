"""Stopping: by the rule in writing, and at the same iteration however a run is split.

Chains are deterministic given the seed, so nothing here fails by chance for one seed; what depends
on the seed is compared with the rule computed anew.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import epsie
from epsie import diagnostics
from epsie.chain.history import Recent
from epsie.errors import ModelError
from epsie.model import Point
from epsie.proposals import Angular, ATAdaptiveNormal, Normal
from epsie.running.stopping import next_check
from epsie.running.trace import Trace
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.storage.statetree import encode
from tests.statistical import generator, seed

ROOT = Path(__file__).parent.parent
UNTIL = {"ess": 200, "rhat": 1.05}


def gauss(x, y):
    return -(x * x + y * y) / 2, 0.0


def two_modes(x, y):
    return -(min((x - 20) ** 2, (x + 20) ** 2) + y * y) / 2, 0.0


def made(cls=MetropolisHastingsSampler, pool=None, duration=300, spread=1.0, model=gauss):
    shape, kwargs = (4,), {}
    if cls is ParallelTemperedSampler:
        shape, kwargs = (2, 4), {"betas": [1.0, 0.3]}
    parts = ATAdaptiveNormal(["x", "y"], duration) if duration else Normal(["x", "y"])
    sampler = cls(["x", "y"], model, 4, proposals=[parts], seed=seed(), pool=pool, **kwargs)
    start = np.broadcast_to(spread * np.arange(4.0), shape)
    sampler.start_position = {"x": start, "y": -start}
    return sampler


def by_the_rule(positions, burn_in, ess, rhat):
    """The first iteration of the grid at which all is reached, computed anew without thinning."""
    n = positions.shape[-1]
    grid = [m * 2**k for k in range(5, 20) for m in (4, 5, 6, 7) if m * 2**k <= n]
    for at in grid:
        draws = positions[:, burn_in:at]
        if draws.shape[-1] < 8:
            continue
        worst = max(diagnostics.rhat(draws).values())
        sizes = [*diagnostics.ess_bulk(draws).values(), *diagnostics.ess_tail(draws).values()]
        if worst <= rhat and min(sizes) >= ess:
            return at
    return None


def test_the_grid():
    assert [next_check(n) for n in (0, 127, 128, 255, 256, 447, 1000)] == [
        128, 128, 160, 256, 320, 448, 1024,
    ]  # fmt: skip
    at, seen = 0, []
    while at < 10**6:
        at = next_check(at)
        seen.append(at)
    assert np.diff(seen).min() == 32
    assert 1.14 < min(np.divide(seen[1:], seen[:-1])) < max(np.divide(seen[1:], seen[:-1])) <= 1.25


@pytest.mark.parametrize("cls", [MetropolisHastingsSampler, ParallelTemperedSampler])
def test_it_stops_where_the_rule_says(cls):
    sampler = made(cls)
    sampler.run(20_000, until=UNTIL)
    stopped = sampler.niterations
    whole = made(cls)
    whole.run(stopped)
    assert encode(whole.state) == encode(sampler.state)
    cold = whole.positions if cls is MetropolisHastingsSampler else whole.positions[0]
    assert stopped == by_the_rule(cold, 300, 200, 1.05) > 448
    assert sampler.lacks(UNTIL) == ""
    assert "ess_" in sampler.lacks({"ess": 10**6})
    sampler.run(20_000, until=UNTIL)
    assert sampler.niterations == stopped
    sampler.run(1)
    sampler.run(20_000, until=UNTIL)
    assert sampler.niterations == next_check(stopped)


@pytest.mark.parametrize("cls", [MetropolisHastingsSampler, ParallelTemperedSampler])
def test_it_stops_there_however_it_is_split(cls, pools, tmp_path):
    """In pieces, on pools, in a directory, thinned in none, resumed, with a bar."""
    at_once = made(cls)
    at_once.run(20_000, until=UNTIL)
    stopped = at_once.niterations
    pieces = made(cls, pools["own"])
    for n in (1, 130, 77, 512, 20_000):
        pieces.run(n, until=UNTIL, progress=True)
    assert pieces.niterations == stopped
    assert encode(pieces.state) == encode(at_once.state)
    path = tmp_path / "run"
    first = made(cls)
    first.run(total=200, until=UNTIL, directory=path, every=90)
    made(cls, pools["threads"]).run(total=451, until=UNTIL, directory=path, every=1000)
    made(cls).run(total=500, directory=path)
    last = cls.resume(path, gauss)
    last.run(total=20_000, until=UNTIL, every=333)
    assert last.niterations == stopped
    assert encode(last.state) == encode(at_once.state)
    assert epsie.open_run(path).niterations == stopped
    again = made(cls)
    again.run(total=20_000, until=UNTIL, directory=path)
    assert again.niterations == stopped
    assert again.lacks(UNTIL) == ""


KILLED = """
import sys
from tests.test_until import made, UNTIL
made().run(total=20_000, until=UNTIL, directory=sys.argv[1], every=16)
print("stopped", flush=True)
"""


def test_it_stops_there_after_kills(tmp_path):
    """SIGKILL at any instant, twice."""
    whole = made()
    whole.run(20_000, until=UNTIL)
    rng = generator("kills")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED, str(tmp_path / "run")]
    killed = 0
    for _ in range(2):
        with subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.PIPE) as process:
            while not list(tmp_path.glob("run/state-*")) and process.poll() is None:
                time.sleep(0.01)
            time.sleep(rng.uniform(0, 0.3))
            process.send_signal(signal.SIGKILL)
            killed += b"stopped" not in process.stdout.read()
    assert killed
    subprocess.run(command, env=env, cwd=ROOT, check=True, capture_output=True)
    run = epsie.open_run(tmp_path / "run")
    assert run.niterations == whole.niterations
    np.testing.assert_array_equal(run.positions, whole.positions)


def test_the_maximum_ends_it(caplog):
    sampler = made(duration=None)
    with caplog.at_level(logging.INFO, "epsie"):
        sampler.run(300, until={"ess": 1e5})
    assert sampler.niterations == 300
    assert "not reached at iteration 300: ess_bulk of x is" in caplog.text
    sampler.run(0, until={"ess": 1e5})
    assert sampler.niterations == 300


def test_adaptation_is_burn_in():
    """Nothing counts before adaptation ends, nor before a burn-in that is given."""
    sampler = made(duration=1000)
    sampler.run(900, until={"ess": 10, "rhat": 1.5})
    assert sampler.niterations == 900
    assert sampler.lacks({"ess": 10}) == "the burn-in ends at iteration 1000"
    sampler.run(9000, until={"ess": 10, "rhat": 1.5})
    assert sampler.niterations > 1000
    early = made(duration=1000)
    early.run(9000, until={"ess": 10, "rhat": 1.5, "burn_in": 100})
    assert early.niterations < 1000


def test_without_adaptation_the_chains_must_have_settled():
    """A start at 30 sd: without a burn-in the transient would count."""
    sampler = made(duration=None, spread=30.0)
    sampler.run(20_000, until=UNTIL)
    suggested = sampler.suggest_burn_in()
    assert 20 < suggested < sampler.niterations / 2
    counted = {"ess": 200, "rhat": 1.05, "burn_in": 0}
    all_counted = made(duration=None, spread=30.0)
    all_counted.run(20_000, until=counted)
    assert all_counted.niterations > sampler.niterations


def test_a_stuck_chain_keeps_it_running():
    sampler = made(model=two_modes, duration=None)
    side = np.array([20.0, 20.0, 20.0, -20.0])
    sampler.start_position = {"x": side, "y": np.zeros(4)}
    sampler.run(2000, until={"ess": 100, "rhat": 1.05})
    assert sampler.niterations == 2000
    assert "R-hat of x" in sampler.lacks({"rhat": 1.05})
    assert "ess_bulk of x" in sampler.lacks({"ess": 100})
    sampler.start_position = {"x": np.abs(side), "y": np.zeros(4)}
    sampler.run(20_000, until={"ess": 100, "rhat": 1.05})
    assert sampler.niterations < 20_000


def test_after_a_clear_what_follows_counts():
    sampler = made()
    sampler.run(20_000, until=UNTIL)
    stopped = sampler.niterations
    sampler.clear()
    assert sampler.lacks(UNTIL) == "there are too few draws"
    sampler.run(20_000, until=UNTIL)
    found = sampler.niterations
    assert found > stopped
    assert next_check(found - 1) == found
    assert min(diagnostics.ess_bulk(sampler.positions).values()) >= 200


@pytest.mark.parametrize("n", [700, 900])
def test_all_or_nothing(n):
    """A model that fails after the first checks leaves the sampler as it was."""
    calls = 0

    def fails(x, y):
        nonlocal calls
        calls += 1
        if calls > n:
            raise RuntimeError("enough")
        return gauss(x, y)

    sampler = made(model=fails, duration=None)
    before = encode(sampler.state)
    with pytest.raises(ModelError):
        sampler.run(5000, until={"ess": 1e5})
    assert encode(sampler.state) == before
    assert sampler.niterations == 0


def test_angles_count_as_such():
    """Chains about the cut: as real numbers they never agree."""
    sampler = MetropolisHastingsSampler(
        "a", lambda a: (5 * np.cos(a), 0.0), 4, proposals=[Angular("a")], seed=seed()
    )
    sampler.start_position = {"a": np.zeros(4)}
    sampler.run(20_000, until={"ess": 200, "rhat": 1.05})
    assert 128 <= sampler.niterations < 20_000
    draws = sampler.positions[:, sampler.suggest_burn_in() :]
    assert diagnostics.ess_bulk(draws, ["a"])["a"] > 190


def test_a_thinned_run_counts_what_it_keeps(tmp_path):
    until = {"ess": 200, "rhat": 1.05, "burn_in": 300}
    made().run(20_000, until=until, directory=tmp_path / "run", thin=6)
    run = epsie.open_run(tmp_path / "run")
    split = made()
    split.run(600, until=until, directory=tmp_path / "split", thin=6)
    split.run(20_000, until=until)
    assert split.niterations == run.niterations
    draws = run.positions[:, 300 // 6 :]
    assert min(diagnostics.ess_bulk(draws).values()) >= 200


def test_the_trail_depends_on_its_end_alone():
    rng = generator("trail")
    table = np.zeros((2, 1000), dtype=[("x", float)])
    table["x"] = rng.normal(size=(2, 1000))
    stats = np.zeros((2, 1000), dtype=[("logl", float), ("logp", float)])
    at = np.arange(1000) + 1

    def chains(cut):
        """Few rows come as points, more as tables."""
        if len(at[cut]) < 100:
            points = [[Point((x,), 0.0, 0.0, None) for x in row] for row in table["x"][:, cut]]
            return [Recent({"x": float}, of_chain, [], []) for of_chain in points]
        return [{"positions": p, "stats": s} for p, s in zip(table[:, cut], stats[:, cut])]

    for after, spacing in ((0, 1), (37, 1), (0, 3)):
        whole = Trace(after, 50, spacing)
        whole.add(at, chains(slice(None)))
        parts = Trace(after, 50, spacing)
        for cut in np.split(np.arange(1000), [1, 2, 40, 300, 301, 777]):
            parts.add(at[cut], chains(cut))
        assert 25 <= len(whole.iterations) <= 50
        np.testing.assert_array_equal(parts.iterations, whole.iterations)
        np.testing.assert_array_equal(parts.values, whole.values)
        np.testing.assert_array_equal(whole.values[0], table["x"][:, whole.iterations - 1])
        assert whole.values.shape == (3, 2, len(whole.iterations))
        assert (whole.iterations % spacing == 0).all() and whole.iterations[0] > after


def test_checking_costs_the_same_however_long_the_run(monkeypatch):
    """Rows that are looked at do not grow with the run, and checks with its logarithm."""
    from epsie.diagnostics import convergence

    sizes = []
    inner = convergence.of_parameter

    def counted(what, parameter):
        sizes.append(parameter.values.shape[-1])
        return inner(what, parameter)

    monkeypatch.setattr(convergence, "of_parameter", counted)
    sampler = made(duration=None, model=two_modes)
    sampler.start_position = {"x": np.array([20.0, 20.0, -20.0, -20.0]), "y": np.zeros(4)}
    sampler.run(12_000, until={"rhat": 1.01})
    # Every check stops at the first parameter: 4 checks for each doubling from 128 on.
    assert 10 < len(sizes) <= 4 * np.log2(12_000 / 128) + 1
    assert 400 < max(sizes) <= 1000


@pytest.mark.parametrize(
    ("until", "words"),
    [
        ({}, "must have 'ess' or 'rhat'"),
        ({"ess": 100, "Rhat": 1.1}, "must have 'ess' or 'rhat'"),
        ({"burn_in": 10}, "must have 'ess' or 'rhat'"),
        ({"ess": 0}, "a number above 0; got 0"),
        ({"ess": "many"}, "a number above 0; got 'many'"),
        ({"rhat": 1.0}, "a number above 1; got 1.0"),
        ({"rhat": float("nan")}, "a number above 1; got nan"),
        ({"ess": 10, "burn_in": -1}, "burn_in must be at least 0"),
        ({"ess": 10, "angular": ["z"]}, "angular must name parameters"),
        (400, "until must be a dict"),
    ],
)
def test_bad_targets_are_refused(until, words, tmp_path):
    sampler = made(duration=None)
    with pytest.raises((ValueError, TypeError), match=words):
        sampler.run(10, until=until)
    with pytest.raises((ValueError, TypeError), match=words):
        sampler.lacks(until)
    with pytest.raises((ValueError, TypeError), match=words):
        sampler.run(10, until=until, directory=tmp_path / "run")
    assert sampler.niterations == 0


def test_nothing_moved():
    sampler = made(duration=None)
    sampler.proposals = []
    still = MetropolisHastingsSampler(
        "x",
        lambda x: (0.0, 0.0 if x == 0 else -np.inf),
        4,
        proposals=[Normal("x")],
        seed=seed(),
    )
    still.start_position = {"x": np.zeros(4)}
    still.run(200, until={"ess": 1})
    assert still.niterations == 200
    assert still.lacks({"ess": 1}) == "no chain has moved"
