"""Looking at a run: a sampler in memory, one with a directory and an opened run say the same.

Chains are deterministic given the seed, so what is compared is compared to the last digit.
"""

import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import epsie
from epsie.cli import commands
from epsie.proposals import ATAdaptiveNormal, Normal
from epsie.results.burn_in import burn_in_of
from epsie.results.view import View
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.storage.rundir import segments
from epsie.tempering.annealing import BarrierAnnealer, DynamicalAnnealer
from epsie.tempering.evidence import log_evidence
from tests.statistical import seed

ROOT = Path(__file__).parent.parent
NAMES = ["x", "y"]
N = 700
METHODS = ("mbar", "bridge", "stepping_stone", "thermodynamic")


def gauss(x, y):
    return -(x * x + y * y) / 2, -0.005 * (x * x + y * y)


def made(kind="tempered", start=1.0):
    """A sampler of one of the kinds below."""
    adaptive, plain = ATAdaptiveNormal(NAMES, 150), Normal(NAMES)
    if kind in ("learning", "plain"):
        proposal = adaptive if kind == "learning" else plain
        sampler = MetropolisHastingsSampler(NAMES, gauss, 3, proposal, seed=seed())
        sampler.start_position = dict.fromkeys(NAMES, np.array([0.0, start, -start]))
        return sampler
    annealer = {"annealed": BarrierAnnealer(200), "moving": DynamicalAnnealer()}.get(kind)
    proposal = plain if kind == "plain tempered" else adaptive
    sampler = ParallelTemperedSampler(
        NAMES, gauss, 3, [1, 0.4, 0.1, 0], 2, proposal, annealer, seed=seed(), swap_scheme="deo"
    )
    sampler.start_position = dict.fromkeys(NAMES, np.full((4, 3), start))
    return sampler


KINDS = ("learning", "plain", "tempered", "plain tempered", "annealed", "moving")


def told(thing):
    """All that can be asked of a sampler or a run, but for pictures and files."""
    found = {"summary": str(thing.summary()), "adaptation_end": thing.adaptation_end}
    for name in ("rhat", "ess_bulk", "ess_tail", "mcse_mean", "mcse_sd"):
        found[name] = getattr(thing, name)(temperature=0)
    for name in ("autocorrelation_length", "block_acceptance_rate"):
        found[name] = {key: value.tolist() for key, value in getattr(thing, name)().items()}
    found["acceptance"] = thing.acceptance_rate().tolist()
    found["settled"], found["stuck"] = thing.suggest_burn_in(), thing.stuck_chains()
    for name in ("round_trips", "swap_acceptance", "communication_barrier", "recommended_ntemps"):
        try:
            found[name] = np.asarray(getattr(thing, name)).tolist()
        except ValueError as error:
            found[name] = str(error)
    for method in METHODS:
        try:
            found[method] = [np.asarray(value).tolist() for value in thing.log_evidence(method)]
        except ValueError as error:
            found[method] = str(error)
    return found


KILLED = """
import sys
from tests.test_looking import N, made
made(sys.argv[1]).run(total=N, directory=sys.argv[2], every=7)
"""


def killed(kind, directory):
    """Begin a run in a process that is killed, and go on in another way."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED, kind, str(directory)]
    with subprocess.Popen(command, env=environment, cwd=ROOT) as process:
        while len(list(directory.glob("state-*"))) < 2 and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert epsie.open_run(directory).niterations > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.in_part(2)
def test_in_memory_in_a_directory_and_opened(kind, tmp_path, monkeypatch):
    """Split, cleared, killed, resumed, merged: to the last digit."""
    monkeypatch.setattr(segments, "_MOST_SMALL", 4)
    whole = made(kind)
    for n in (1, 99, N - 100):
        whole.run(n)
    expected = told(whole)
    if kind == "annealed":
        assert 0 < expected["mbar"][1] < 0.2 and sum(expected["round_trips"]) > 10
    directory = tmp_path / "run"
    killed(kind, directory)
    again = type(whole).resume(directory, gauss)
    left = (N - again.niterations) // 3
    again.run(left, every=31)
    again.clear()
    again.run(total=N, every=17)
    assert again.positions.shape[-1] < N
    assert told(again) == expected
    assert told(epsie.open_run(directory)) == expected
    finished = made(kind)
    finished.run(total=N, directory=directory)
    assert finished.niterations == N
    assert told(finished) == expected


@pytest.mark.parametrize("kind", ["learning", "annealed"])
def test_a_thinned_run(kind, tmp_path):
    """All that is saved counts: with the annealer, every sweep."""
    sampler = made(kind)
    sampler.run(N, directory=tmp_path, thin=3, every=100)
    found = told(sampler)
    assert found == told(epsie.open_run(tmp_path))
    whole = made(kind)
    whole.run(N)
    assert found["summary"] != str(whole.summary())
    for name in ("round_trips", "swap_acceptance", "communication_barrier"):
        assert found[name] == told(whole)[name]


def test_since_the_last_clear():
    """Without a directory what is in memory counts."""
    sampler = made("tempered")
    sampler.run(300)
    before = sampler.round_trips.sum()
    sampler.clear()
    with pytest.raises(ValueError, match="there are no iterations to look at"):
        sampler.summary()
    sampler.run(400)
    assert sampler.summary().ndraws == 400 and before > 0
    assert sampler.suggest_burn_in() == 0 or sampler.suggest_burn_in() > 300
    logl = sampler.stats["logl"]
    assert sampler.log_evidence().log_z == log_evidence(logl, sampler.betas).log_z


def test_what_an_opened_run_refuses(tmp_path):
    sampler = made("annealed")
    sampler.run(100, directory=tmp_path / "short")
    short = epsie.open_run(tmp_path / "short")
    for thing in (sampler, short):
        with pytest.raises(ValueError, match=r"ends at iteration 200, .* the chains are at 100"):
            thing.log_evidence()
        with pytest.raises(ValueError, match="ladder moved until iteration .*; got 3"):
            thing.log_evidence(burn_in=3)
    long = made("tempered")
    long.run(300, directory=tmp_path / "long")
    for thing in (long, epsie.open_run(tmp_path / "long")):
        with pytest.raises(ValueError, match="method must be one of mbar"):
            thing.log_evidence("nested")
    plain = made("plain")
    plain.run(20, directory=tmp_path / "plain")
    for thing in (plain, epsie.open_run(tmp_path / "plain")):
        with pytest.raises(ValueError, match="learn together"):
            thing.log_evidence()
        with pytest.raises(ValueError, match="one temperature only"):
            _ = thing.round_trips
    assert epsie.open_run(tmp_path / "short", burn_in=50).round_trips.shape == (3,)


def test_without_knowing_when_learning_ends():
    """Proposals that are reset after swaps may learn to the end: no evidence by default."""
    sampler = ParallelTemperedSampler(
        NAMES, gauss, 2, [1, 0], 1, ATAdaptiveNormal(NAMES, 20), None, True, seed=seed()
    )
    sampler.start_position = dict.fromkeys(NAMES, np.zeros((2, 2)))
    sampler.run(200)
    with pytest.raises(ValueError, match="ends at iteration 200"):
        sampler.log_evidence()
    assert np.isfinite(sampler.log_evidence(burn_in=100).log_z)


@pytest.mark.filterwarnings("ignore")  # of what ArviZ itself uses
def test_one_burn_in(tmp_path, capsys):
    """Started far away: whatever looks takes the same draws, and says which."""
    h5py = pytest.importorskip("h5py")
    pytest.importorskip("arviz")
    plots = pytest.importorskip("epsie.plots")
    sampler = MetropolisHastingsSampler("x", lambda x: (-x * x / 2, 0.0), 4, Normal("x"), seed=1)
    sampler.start_position = {"x": [60.0, 70.0, 80.0, 90.0]}
    sampler.run(2000, directory=tmp_path / "run")
    run = epsie.open_run(tmp_path / "run")
    for thing in (sampler, run):
        summary = thing.summary()
        assert 50 < summary.burn_in < 800 and abs(summary.mean["x"]) < 0.5
        words = f"after iteration {summary.burn_in} (by when the chains have settled)"
        assert words in str(summary) and str(burn_in_of(View(thing))) == words
        tree = thing.to_arviz()
        assert float(tree["posterior"]["x"].mean()) == pytest.approx(summary.mean["x"])
        assert tree.attrs["tuning_steps"] == tree.attrs["burn_in"] == summary.burn_in
        assert tree.attrs["burn_in_is"] == summary.burn_in_is
        for name in ("corner", "trace"):
            texts = [
                text.get_text().replace("\n", " ") for text in getattr(plots, name)(thing).texts
            ]
            assert any(text.endswith(words) for text in texts)
        for given in (0, 900):
            assert thing.summary(given).mean["x"] == pytest.approx(
                float(thing.to_arviz(given)["posterior"]["x"].mean())
            )
    with pytest.raises(SystemExit):
        commands.main(["export", str(run.directory), str(tmp_path / "run.h5")])
    with h5py.File(tmp_path / "run.h5") as file:
        assert file.attrs["burn_in"] == summary.burn_in and file["iterations"][0] == 1
        assert file.attrs["burn_in_is"] == summary.burn_in_is
    with pytest.raises(SystemExit):
        commands.main(["summary", str(run.directory)])
    assert words in capsys.readouterr().out
    later = epsie.open_run(tmp_path / "run", burn_in=1500)
    assert later.to_arviz()["posterior"].sizes["draw"] == later.summary().ndraws == 500
    assert later.to_arviz().attrs["burn_in_is"] == "as the run was opened with"


@pytest.mark.parametrize("kind", ["tempered", "plain tempered", "annealed"])
def test_the_evidence_of_a_picture_is_that_of_the_sampler(kind):
    plots = pytest.importorskip("epsie.plots")
    sampler = made(kind, start=9.0)
    sampler.run(N)
    summary, found = sampler.summary(), sampler.log_evidence()
    assert found.log_z == sampler.log_evidence(burn_in=summary.burn_in).log_z
    figure = plots.evidence(sampler)
    assert f"after iteration {summary.burn_in} (" in figure.get_supxlabel()
    assert f"log Z = {found.log_z:.1f}"[:9].replace("-", "\N{MINUS SIGN}") in figure.get_suptitle()
    moving = made("moving")
    moving.run(100)
    assert "the ladder moved until" in plots.evidence(moving).get_suptitle()


def test_pictures_of_a_directory_show_the_whole_run(tmp_path):
    plots = pytest.importorskip("epsie.plots")
    sampler = made("annealed")
    sampler.run(400, directory=tmp_path / "run")
    sampler.run(5)
    assert sampler.positions.shape[-1] == 5
    resumed = ParallelTemperedSampler.resume(tmp_path / "run", gauss)
    for thing in (sampler, resumed, epsie.open_run(tmp_path / "run")):
        assert plots.trace(thing).axes[0].get_xlim() == (0, 405)
        noted = plots.adaptation(thing).axes[1].lines[0].get_xdata()
        assert noted[0] == 1 and len(noted) > 25
        assert plots.temperatures(thing).axes[0].get_xlim()[0] == 1
        assert f"{1000 * thing.round_trips.mean() / 202:.3g} in 1000" in (
            plots.round_trips(thing).axes[1].get_title(loc="right")
        )


def test_a_sampler_in_a_directory_gives_arviz_the_whole_run(tmp_path):
    pytest.importorskip("arviz")
    sampler = made("tempered")
    sampler.run(300, directory=tmp_path / "run")
    sampler.run(10)
    tree = sampler.to_arviz()
    assert tree["posterior_t3"].sizes["draw"] == 160 and tree.attrs["thin"] == 1
    assert json.loads(tree.attrs["betas"]) == [[1, 0.4, 0.1, 0]] * 3
    opened = epsie.open_run(tmp_path / "run").to_arviz()
    assert opened["posterior"].equals(tree["posterior"])


def test_what_is_read_is_bounded(tmp_path, monkeypatch):
    """A summary of a run on disk holds the columns of a temperature, not all of them."""
    monkeypatch.setattr(segments, "MERGED_SIZE", 2**18)
    names = [f"p{i}" for i in range(8)]
    betas = np.linspace(1, 0, 8)
    sampler = ParallelTemperedSampler(
        names, lambda **x: (-sum(v * v for v in x.values()) / 2, 0.0), 4, betas, seed=1,
        default_proposal=Normal,
    )  # fmt: skip
    sampler.start_position = dict.fromkeys(names, np.zeros((8, 4)))
    sampler.run(4000, directory=tmp_path / "run", every=400)
    run = epsie.open_run(tmp_path / "run")
    positions = run.positions.nbytes
    assert positions == 8 * 8 * 4 * 4000 * 8
    for look in (
        lambda: run.suggest_burn_in(),
        lambda: run.acceptance_rate(),
        lambda: run.stuck_chains(),
        lambda: run.round_trips,
        lambda: View(run).columns_at("positions", 3, ["p2"]),
    ):
        look()
        tracemalloc.start()
        look()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # A temperature is an eighth; statistics, facets and a segment come on top.
        assert peak < positions / 2
