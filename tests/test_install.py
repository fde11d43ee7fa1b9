"""Installing this package: bare, and over and beside EPSIE 1.0.0, whose name it has."""

import pickle
import signal
import site
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import epsie
from epsie.samplers import ParallelTemperedSampler

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent
OLD = "epsie==1.0.0"
NEEDS = "six"  # the old one does

LOOK = """
import importlib.metadata, pathlib, pkgutil, sys
import epsie, epsie.samplers, epsie.proposals
home = pathlib.Path(epsie.__file__).parent
assert [str(place) for place in epsie.__path__] == [str(home)]
names = [module.name for module in pkgutil.walk_packages(epsie.__path__, "epsie.")]
print(getattr(epsie, "__version__", None))
print(importlib.metadata.version("epsie"))
print(sum(found.metadata["Name"] == "epsie" for found in importlib.metadata.distributions(
    path=[str(home.parent)])))
print(home)
print(*names)
"""


@pytest.fixture
def environment(tmp_path):
    """A fresh environment that sees what this one has installed, after its own."""
    home = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "zz_outer.pth").write_text("\n".join(site.getsitepackages()))
    return home / "bin" / "python", packages


def pip(python, *arguments):
    command = [python, "-I", "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(python, *what):
    """Without dependencies, which are in the outer environment."""
    pip(python, "install", "--no-deps", *what)


def look(python):
    """Version, that of the metadata, how many of that name, where it is, and its modules."""
    done = subprocess.run(
        [python, "-P", "-c", LOOK], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"},
        cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    version, metadata, count, home, modules = done.stdout.splitlines()
    return version, metadata, int(count), Path(home), set(modules.split())


WRITE = """
import sys
import h5py, numpy
from epsie.samplers import ParallelTemperedSampler
def model(x, y):
    return -x * x - y * y, 0.0
sampler = ParallelTemperedSampler(["x", "y"], model, 2, [1, 0.5, 0.1], seed=1)
sampler.start_position = {"x": numpy.ones((3, 2)), "y": numpy.zeros((3, 2))}
sampler.run(20)
with h5py.File(sys.argv[1], "w") as fp:
    fp.create_group("sampler_info")
    sampler.checkpoint(fp, path="sampler_info")
    for name, values in sampler.current_positions.items():
        fp[name] = values
"""


def check_its_checkpoint(path):
    """A run goes on from where a checkpoint of the old one stood, as docs/migrating.md has it."""
    sampler = ParallelTemperedSampler(
        ["x", "y"], lambda x, y: (-x * x - y * y, 0.0), 2, [1, 0.5, 0.1]
    )
    with h5py.File(path) as fp:
        with pytest.raises(pickle.UnpicklingError, match="allow_pickle"):
            sampler.set_state_from_checkpoint(fp, path="sampler_info")
        state = epsie.load_state(fp, path="sampler_info", allow_pickle=True)
        expected = {name: fp[name][()] for name in sampler.parameters}
    with pytest.raises(ValueError, match="1.x"):
        sampler.set_state(state)
    sampler.start_position = {
        name: [
            [state[i][t]["current_position"][name] for i in range(sampler.nchains)]
            for t in range(sampler.ntemps)
        ]
        for name in sampler.parameters
    }
    np.testing.assert_equal(sampler.start_position, expected)
    sampler.run(5)


def modules_of_this():
    files = (ROOT / "epsie").rglob("*.py")
    parts = [file.relative_to(ROOT).with_suffix("").parts for file in files]
    names = {".".join(part for part in each if part != "__init__") for each in parts}
    return names - {"epsie"} | {"epsie.demo"}


def test_over_the_old_one(environment, tmp_path):
    python, packages = environment
    install(python, OLD, NEEDS)
    version, metadata, count, home, _ = look(python)
    assert (metadata, count, home) == ("1.0.0", 1, packages / "epsie")
    assert version != epsie.__version__
    subprocess.run([python, "-W", "ignore", "-I", "-c", WRITE, tmp_path / "old.hdf"], check=True)
    check_its_checkpoint(tmp_path / "old.hdf")
    install(python, str(ROOT))
    version, metadata, count, home, modules = look(python)
    assert version == metadata == epsie.__version__ == "2.0.0"
    assert (count, home) == (1, packages / "epsie")
    assert modules == modules_of_this()
    files = {str(file.relative_to(packages)) for file in (packages / "epsie").rglob("*.py")}
    here = {str(file.relative_to(ROOT)) for file in (ROOT / "epsie").rglob("*.py")}
    assert files == here | {"epsie/demo.py"}  # tutorials/lynx_hare.py
    assert (packages / "epsie" / "py.typed").exists()
    assert "Version: 2.0.0" in pip(python, "show", "epsie")
    # Whatever asks for the old one is content, and it can be had back.
    install(python, "epsie>=1.0")
    assert look(python)[1] == "2.0.0"
    install(python, OLD)
    assert look(python)[1] == "1.0.0"


def test_beside_the_old_one(environment, tmp_path):
    """The old one is in a directory later on the path: none of it is seen."""
    python, packages = environment
    beside = tmp_path / "beside"
    install(python, "--target", str(beside), OLD, NEEDS)
    (packages / "aa_beside.pth").write_text(str(beside))
    assert look(python)[3] == beside / "epsie"
    install(python, str(ROOT))
    version, metadata, _, home, modules = look(python)
    assert (version, metadata, home) == ("2.0.0", "2.0.0", packages / "epsie")
    assert modules == modules_of_this()


MINE = """
import hashlib, os, signal, sys
import epsie

calls = 0

def log_likelihood(slope, intercept):
    global calls
    calls += 1
    if calls == int(os.environ.get("KILLED_AT", 0)):
        os.kill(os.getpid(), signal.SIGKILL)
    points = [(0, 1.1), (1, 2.9), (2, 5.2), (3, 6.8)]
    return -sum((slope * x + intercept - y) ** 2 for x, y in points) / 0.08

prior = epsie.Prior(slope=(-10, 10), intercept=(-10, 10))
run = epsie.sample(log_likelihood, prior, seed=1, directory=sys.argv[1], every=20)
epsie.plots.corner(run, prior=True).savefig(sys.argv[1] + ".png")
evidence = run.log_evidence()
draws = run.draws(flat=True)
print(run.evaluations, evidence.log_z.hex(), draws["slope"].mean(),
    hashlib.sha256(b"".join(draws[name].tobytes() for name in sorted(draws))).hexdigest())
"""
"""What somebody writes in the first hour."""


def bare(home):
    """A wheel, what runs commands where it is installed with what it needs, and where they are."""
    subprocess.run([sys.executable, "-m", "venv", home / "bare"], check=True)
    places = home / "bare" / "bin"
    pip(places / "python", "wheel", "--no-deps", "-w", home, ROOT)
    (wheel,) = home.glob("epsie-*.whl")
    pip(places / "python", "install", "--no-compile", wheel)

    def run(program, *arguments, code=0, quietly=True, **variables):
        done = subprocess.run(
            [places / program, *arguments], capture_output=True, text=True, cwd=home,
            env={"PATH": "/usr/bin:/bin", "HOME": str(home), **variables},
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert not (quietly and done.stderr)
        return done.stdout

    return wheel, run, places


def test_the_first_hour_in_a_bare_environment(tmp_path):
    """The demonstration, which is cut short; a model of one's own, a kill, and the same bits."""
    wheel, run, places = bare(tmp_path)
    with zipfile.ZipFile(wheel) as held:
        metadata = held.read(f"epsie-{epsie.__version__}.dist-info/METADATA").decode()
    assert "## Beside its peers" in metadata
    assert metadata.count("](") == metadata.count("](https://")  # read outside of a checkout
    assert run("epsie", "--version") == f"epsie {epsie.__version__}\n"
    said = run("python", "-m", "epsie.demo", "--processes", "2", "--ess", "100")
    assert "sigma_lynx" in said
    assert "No picture: that takes matplotlib" in said
    assert "lynx_hare_run" in run("epsie", "info", "lynx_hare_run")

    pip(places / "python", "install", "--no-compile", f"{wheel}[plots]")
    # matplotlib says that it looks for fonts, if that takes long.
    run("python", "-c", "import matplotlib.pyplot", quietly=False)
    (tmp_path / "mine.py").write_text(MINE)
    whole = run("python", "mine.py", "whole")
    evaluations, _, slope, _ = whole.split()
    assert abs(float(slope) - 1.94) < 0.02
    late = str(int(0.9 * int(evaluations)))
    run("python", "mine.py", "killed", code=-signal.SIGKILL, KILLED_AT=late)
    assert epsie.open_run(tmp_path / "killed").niterations > 0
    assert run("python", "mine.py", "killed") == whole
    assert (tmp_path / "killed.png").stat().st_size > 10_000
    assert "ess_bulk" in run("epsie", "summary", "killed")
