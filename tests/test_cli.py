"""The command line, as processes: what it says, where, and with which code."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import epsie
from epsie.cli import commands as cli
from epsie.proposals import ATAdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.storage.rundir import segments
from epsie.storage.rundir.facts import duration
from tests.test_invariance import Drift

ROOT = Path(__file__).parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def model(x, y):
    return -0.5 * (x * x + y * y), 0.0, {"sum": x + y, "pair": np.array([x, y]), "word": "a"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    where = tmp_path_factory.mktemp("runs")
    names = ["x", "y"]
    plain = MetropolisHastingsSampler(names, model, 3, ATAdaptiveNormal(names, 50), seed=1)
    plain.start_position = dict.fromkeys(names, np.zeros(3))
    plain.run(200, directory=where / "plain", every=40)
    hot = ParallelTemperedSampler(names, model, 2, [1, 0.4, 0], seed=1)
    hot.start_position = dict.fromkeys(names, np.ones((3, 2)))
    hot.run(100, directory=where / "hot", every=40, thin=2)
    own = MetropolisHastingsSampler("x", lambda x: (-x * x, 0.0), 2, Drift("x"), seed=1)
    own.start_position = {"x": [0.0, 1.0]}
    own.run(20, directory=where / "own")
    return where


@pytest.fixture
def runs(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "runs"))


def epsie_command(*arguments, capsys=None):
    """What `epsie` does with arguments, in this process: its code, what it says, and regrets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.showwarning", None)
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


@pytest.fixture
def command(capsys):
    return lambda *arguments: epsie_command(*arguments, capsys=capsys)


def one_line(text):
    return text.startswith("epsie") and text.count("\n") == 1 and "Traceback" not in text


# ---- what each command says


def test_info(runs, command):
    code, said, _ = command("info", runs / "hot")
    assert code == 0
    for text in (
        "parallel tempered, 2 chains x 3 temperatures",
        "100, every 2-th kept",
        "betas        1, 0.4, 0\n",
        "at rest",
        "Learned(x, y)",
    ):
        assert text in said
    assert "adaptation   ended at 50" in command("info", runs / "plain")[1]
    assert "pass again: Drift" in command("info", runs / "own")[1]


def test_summary(runs, command):
    code, said, _ = command("summary", runs / "plain", "--burn-in", 100)
    assert code == 0 and "3 chains x 100 draws after iteration 100" in said
    assert said == f"{epsie.open_run(runs / 'plain').summary(100)}\n"
    assert command("summary", runs / "hot", "--temperature", 2)[0] == 0
    code, said, regretted = command("summary", runs / "hot", "--temperature", 3)
    assert code == 1 and not said and one_line(regretted)


def test_plot(runs, command, tmp_path):
    pytest.importorskip("matplotlib")
    pictures = ["--only", "adaptation", "temperatures", "-o"]
    code, said, _ = command("plot", runs / "hot", *pictures, tmp_path / "p")
    files = [tmp_path / "p" / f"{name}.png" for name in ("adaptation", "temperatures")]
    assert code == 0 and said.split() == [str(file) for file in files]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)
    code, said, regretted = command("plot", runs / "plain", *pictures, tmp_path / "p")
    assert code == 1 and said.split() == [str(files[0])]
    assert regretted.startswith("epsie: no temperatures: there is one temperature only")


def test_export_to_hdf5(runs, command, tmp_path):
    h5py = pytest.importorskip("h5py")
    for name in ("plain", "hot"):
        file = tmp_path / f"{name}.h5"
        assert command("export", runs / name, file)[:2] == (0, f"{file}\n")
        run = epsie.open_run(runs / name)
        with h5py.File(file) as written:
            assert written["iterations"][:].tolist() == run.iterations.tolist()
            for table in ("positions", "stats", "acceptance", "blobs"):
                expected = getattr(run, table)
                assert set(written[table]) == set(expected.dtype.names)
                for field in expected.dtype.names:
                    values = written[table][field][:]
                    if field == "word":
                        values = np.char.decode(values, "utf-8")
                    np.testing.assert_array_equal(values, expected[field])
            assert written.attrs["seed"] == "1"
            if name == "hot":
                np.testing.assert_array_equal(written["betas"], run.betas)
                swaps = written["temperature_swaps"][:]
                np.testing.assert_array_equal(swaps, run.temperature_swaps)
    code, _, regretted = command("export", runs / "hot", tmp_path / "plain.h5")
    assert code == 1 and one_line(regretted) and "--force replaces it" in regretted
    assert command("export", runs / "hot", tmp_path / "plain.h5", "--force")[0] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hot.h5", "plain.h5", "runs"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ending", ["nc", "zarr"])
def test_export_to_arviz(runs, command, tmp_path, ending):
    pytest.importorskip("arviz")
    if ending == "zarr":
        pytest.importorskip("zarr")
    import xarray

    file = tmp_path / f"run.{ending}"
    for _ in range(2):
        code, _, regretted = command("export", runs / "plain", file, "--burn-in", 150, "--force")
        assert code == 0, regretted
    engine = "zarr" if ending == "zarr" else "h5netcdf"
    back = xarray.open_datatree(file, engine=engine)
    expected = epsie.open_run(runs / "plain", burn_in=150).positions["x"]
    np.testing.assert_array_equal(back["posterior"]["x"], expected)


@pytest.mark.parametrize(
    ("suffix", "lacking"),
    [("nc", "arviz"), ("zarr", "arviz"), ("h5", "h5py"), ("png", "matplotlib")],
)
def test_missing_extras(runs, command, tmp_path, suffix, lacking, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == lacking]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, lacking, None)
    for name in [name for name in sys.modules if name.startswith("epsie.plots")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(epsie, "plots", raising=False)
    asked = ["export", runs / "plain", tmp_path / f"run.{suffix}"]
    code, said, regretted = command(*(asked if suffix != "png" else ["plot", runs / "plain"]))
    assert code == 1 and not said and one_line(regretted) and "pip install" in regretted


# ---- arguments, and runs that are none


@pytest.mark.parametrize(
    "arguments",
    [[], ["bogus"], ["info"], ["info", "a", "b"], ["summary", "a", "--burn-in", "-1"],
     ["plot", "a", "--only", "b"], ["export", "a"]],
)  # fmt: skip
def test_wrong_arguments(command, arguments):
    code, said, regretted = command(*arguments)
    assert code == 2 and not said and one_line(regretted)


def test_runs_that_are_none(command, tmp_path):
    (tmp_path / "file").write_text("")
    for directory, why in ((tmp_path, "holds no run"), (tmp_path / "no", "does not exist")):
        for name in ("info", "summary", "plot", "verify", "unlock"):
            code, said, regretted = command(name, directory)
            assert code == 1 and not said and one_line(regretted) and why in regretted
    assert command("info", tmp_path / "file")[0] == 1
    code, _, regretted = command("export", tmp_path, tmp_path / "x.txt")
    assert code == 1 and one_line(regretted)


def test_an_export_to_nowhere(runs, command, tmp_path):
    code, _, regretted = command("export", runs / "plain", tmp_path / "no" / "x.h5")
    assert code == 1 and one_line(regretted) and "there is no directory" in regretted


# ---- damage


def newest(directory, pattern):
    return sorted(directory.glob(pattern))[-1]


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


DAMAGE = {"flipped": flip, "truncated": truncate, "empty": lambda p: p.write_bytes(b"")}


@pytest.mark.parametrize("how", DAMAGE)
def test_damage(runs, command, how):
    """Every file of a run, damaged by itself: it is named, and nothing ends in a traceback."""
    for name in ("plain", "hot"):
        assert command("verify", runs / name)[0] == 0
        for path in sorted((runs / name).glob("*.epsie")):
            before = path.read_bytes()
            DAMAGE[how](path)
            code, said, regretted = command("verify", runs / name)
            assert code == 1 and not said and path.name in regretted
            assert all(line.startswith("epsie: ") for line in regretted.splitlines())
            for other in ("info", "summary", "export"):
                more = [runs / f"{name}.h5"] if other == "export" else []
                code, _, regretted = command(other, runs / name, *more)
                if not path.name.startswith("state-") and (other != "info" or "man" in path.name):
                    assert code == 1 and one_line(regretted) and path.name in regretted
                (runs / f"{name}.h5").unlink(missing_ok=True)
            path.write_bytes(before)


def test_missing_files(runs, command):
    run = runs / "plain"
    middle = sorted(run.glob("segment-*"))[1]
    kept = middle.read_bytes()
    middle.unlink()
    code, said, regretted = command("verify", run)
    assert code == 1 and not said and "follows iteration 40 is missing" in regretted
    assert one_line(regretted)
    code, said, regretted = command("summary", run)
    assert code == 1 and not said and one_line(regretted)
    middle.write_bytes(kept)
    state = newest(run, "state-*")
    flip(state)
    code, _, regretted = command("verify", run)
    assert code == 1 and "it can be resumed from iteration 160 only" in regretted
    for path in run.glob("state-*"):
        path.unlink()
    code, _, regretted = command("verify", run)
    assert code == 1 and "holds no state" in regretted


def test_segments_that_hold_something_else(runs, command):
    one, other, *_ = sorted((runs / "plain").glob("segment-*"))
    third = sorted((runs / "hot").glob("segment-*"))[0]
    other.write_bytes(third.read_bytes())
    code, _, regretted = command("verify", runs / "plain")
    assert code == 1 and f"{other.name} is of another run" in regretted
    assert one.exists()
    code, _, regretted = command("summary", runs / "plain")
    assert code == 1 and one_line(regretted)


def test_a_state_of_something_else(runs, command):
    state = newest(runs / "plain", "state-*")
    state.write_bytes(newest(runs / "hot", "state-*").read_bytes())
    code, _, regretted = command("verify", runs / "plain")
    assert code == 1 and f"{state.name} is of another run" in regretted


def test_verify_of_merged_segments_and_own_proposals(runs, command, monkeypatch):
    monkeypatch.setattr(segments, "_MOST_SMALL", 2)
    MetropolisHastingsSampler.resume(runs / "plain", model).run(100, every=10)
    assert command("verify", runs / "plain")[0] == 0
    assert "with Drift passed again" in command("verify", runs / "own")[1]


# ---- locks


def test_unlock(runs, command):
    run = runs / "plain"
    assert command("unlock", run) == (0, f"{run} is not locked\n", "")
    (run / "lock").write_text(json.dumps({"pid": 7, "host": "elsewhere"}))
    assert "said to be written by process 7 on elsewhere" in command("info", run)[1]
    with pytest.raises(epsie.RunDirectoryError, match="epsie unlock"):
        MetropolisHastingsSampler.resume(run, model).run(5)
    code, said, _ = command("unlock", run)
    assert code == 0 and "was locked by process 7 on elsewhere" in said
    MetropolisHastingsSampler.resume(run, model).run(5)


WRITER = """
import sys, time
from epsie.samplers import MetropolisHastingsSampler
def model(x):
    time.sleep(0.002)
    return -x * x, 0.0
sampler = MetropolisHastingsSampler("x", model, 2, seed=1)
sampler.start_position = {"x": [0.0, 1.0]}
sampler.run(total=100_000, directory=sys.argv[1], every=25)
"""


def process(*arguments, **kwargs):
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)], env=ENVIRONMENT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs,
    )  # fmt: skip


def test_while_it_is_written(tmp_path, command):
    """Another process writes: all commands read, nothing disturbs it, and its lock is kept."""
    run = tmp_path / "run"
    with process("-c", WRITER, run) as writer:
        try:
            while len(list(run.glob("segment-*"))) < 3 and writer.poll() is None:
                time.sleep(0.02)
            code, said, _ = command("info", run)
            assert code == 0
            assert f"being written up to 100000 by process {writer.pid}" in said
            assert "iterations/s" in said and "remaining" in said
            first = epsie.open_run(run).niterations
            for name in ("verify", "summary"):
                assert command(name, run)[0] == 0
            code, said, regretted = command("unlock", run)
            assert code == 1 and not said and one_line(regretted) and "is alive" in regretted
            while epsie.open_run(run).niterations <= first and writer.poll() is None:
                time.sleep(0.02)
            assert epsie.open_run(run).niterations > first and writer.poll() is None
        finally:
            writer.kill()
    assert "ended before it was done" in command("info", run)[1]
    code, said, _ = command("unlock", run)
    assert code == 0 and f"was locked by process {writer.pid}" in said
    assert command("verify", run)[0] == 0


# ---- as a process


def test_interrupts_and_pipes(runs):
    slow = "import time, epsie.cli.commands as c; "
    slow += "c.info = lambda o: (print(1, flush=True), time.sleep(600)); "
    with process("-c", slow + "c.main(['info', 'x'])") as waiting:
        assert waiting.stdout is not None and waiting.stdout.readline() == "1\n"
        waiting.send_signal(signal.SIGINT)
        _, regretted = waiting.communicate()
    assert waiting.returncode == 130 and regretted == ""
    shell = f'"{sys.executable}" -m epsie info "{runs / "plain"}" | true; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", shell], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    assert done.stderr == "" and done.stdout.strip() in ("0", "141")
    loud = (
        "import epsie.cli.commands as c; "
        "c.info = lambda o: [print('x' * 99) for _ in range(9999)] and 0;"
    )
    shell = f"\"{sys.executable}\" -c \"{loud} c.main(['info', 'x'])\" | head -1; "
    done = subprocess.run(
        ["bash", "-c", shell + "echo ${PIPESTATUS[0]}"], env=ENVIRONMENT, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert done.stderr == "" and done.stdout.endswith("141\n")


def test_what_nobody_expected(command, monkeypatch):
    def broken(options):
        raise KeyError("spam")

    monkeypatch.setattr(cli, "info", broken)
    code, _, regretted = command("info", "x")
    assert code == 1 and regretted == "epsie: KeyError: 'spam'\n"
    with pytest.raises(KeyError):
        cli.main(["--traceback", "info", "x"])


def test_durations():
    asked = (0.2, 59, 100, 5400, 3 * 86400)
    assert [duration(s) for s in asked] == ["0 s", "59 s", "1.7 min", "1.5 h", "3.0 d"]
