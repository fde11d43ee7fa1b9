"""PyCBC Inference, as it is on PyPI, samples with this package in place of EPSIE 1.x.

Its stock programs run in an environment of their own, made once a session: several temperatures,
proposals of most kinds, checkpoints, one and two processes; killed, resumed, with damaged states.
The posterior is known, and chains are compared bit for bit. (PyCBC 2.11 forgets to ask for six, and
takes its ladder from emcee 2.2.1. For Python 3.11 pip needs no system packages.)

``EPSIE_PYCBC`` may name an environment that has PyCBC and this package already.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy import stats

import epsie
from tests.references import deviations
from tests.statistical import seed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ("pycbc==2.11.0", "emcee==2.2.1", "six", str(ROOT))

PRIORS = {
    "x": (-10.0, 10.0),
    "y": (-10.0, 10.0),
    "z": (-10.0, 10.0),
    "w": (-10.0, 10.0),
    "b": (0.0, 3.0),
    "c": (-1.0, 2.0),
    "phi": (0.0, 2 * np.pi),
    "k": (-6.5, 6.5),
    "n": (-6.5, 6.5),
}
WHOLE = ("k", "n")
# All jump together, so that fewer are accepted than where one adapts alone.
SLOW = "\nadaptation-duration = 300\ntarget-rate = 0.1"
# By the names of PyCBC; its sections give settings and, where needed, bounds or prior widths.
PROPOSALS = {
    "x": "name = normal\nvar-x = 0.5",
    "y": "name = adaptive_normal\nmin-y = -10\nmax-y = 10" + SLOW,
    "z+w": "name = at_adaptive_normal\nadaptation-duration = 300",
    "b": "name = bounded_normal\nvar-b = 0.3\nmin-b = 0\nmax-b = 3",
    "c": "name = adaptive_bounded_normal\nmin-c = -1\nmax-c = 2" + SLOW,
    "phi": "name = angular\nvar-phi = 0.3",
    "k": "name = discrete\nvar-k = 0.5",
    "n": "name = adaptive_bounded_discrete\nmin-n = -6\nmax-n = 6" + SLOW,
}
ENDLESS = {  # what EPSIE 1.x refuses
    "x": "name = adaptive_normal\nadaptation-duration = 100\nstart-iteration = 20\n"
    "min-x = -10\nmax-x = 10",
    "y+z": "name = at_adaptive_normal",
    "b": "name = at_adaptive_bounded_normal\nstart-iteration = 10\nmin-b = 0\nmax-b = 3",
    "phi": "name = at_adaptive_angular\ncomponentwise =",
}


@pytest.fixture(scope="session")
def shared(tmp_path_factory, worker_id):
    """A directory that all workers of a session share."""
    base = tmp_path_factory.getbasetemp()
    made = (base if worker_id == "master" else base.parent) / "pycbc"
    made.mkdir(exist_ok=True)
    return made


def once(directory, make):
    """Let the first one that comes make a directory, and others wait for it."""
    with open(directory.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            unfinished = directory.with_suffix(".unfinished")
            make(unfinished)
            unfinished.rename(directory)
    return directory


@pytest.fixture(scope="session")
def programs(shared):
    """The directory of PyCBC's programs."""
    given = os.environ.get("EPSIE_PYCBC")
    if given:
        return Path(given) / "bin"
    environment = shared / "environment"

    def make(marker):
        python = environment / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        # -I: what another path brings must not count as installed.
        subprocess.run([python, "-I", "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        marker.mkdir()

    once(shared / "installed", make)
    return environment / "bin"


def config(proposals, **settings):
    """A configuration of PyCBC: a normal likelihood of unit width about zero in all parameters."""
    names = [name for tag in proposals for name in tag.split("+")]
    lines = ["[model]", "name = test_normal", "[sampler]", "name = epsie", f"seed = {seed()}"]
    lines += [f"{name.replace('_', '-')} = {value}" for name, value in settings.items()]
    lines += ["[variable_params]", *(f"{name} =" for name in names)]
    for name in names:
        low, high = PRIORS[name]
        uniform = f"name = uniform\nmin-{name} = {low}\nmax-{name} = {high}"
        lines += [f"[prior-{name}]", "name = uniform_angle" if name == "phi" else uniform]
    for tag, jump in proposals.items():
        lines += [f"[jump_proposal-{tag}]", jump]
    return "\n".join(lines) + "\n"


SHORT = config(
    PROPOSALS, nchains=4, ntemps=3, niterations=360, swap_interval=2, checkpoint_interval=120
)
TWO = config(ENDLESS, nchains=4, ntemps=2, niterations=200, checkpoint_interval=100)
LONG = config(
    PROPOSALS, nchains=8, ntemps=2, niterations=2000, swap_interval=2, checkpoint_interval=2000
)


def inference(programs, directory, text, nprocesses, before=""):
    """Start PyCBC's program in a directory. All that it prints goes to log.txt.

    `before` is Python that is run before it.
    """
    directory.mkdir(exist_ok=True, parents=True)
    (directory / "config.ini").write_text(text)
    start = "import runpy, sys\n\nsys.argv = sys.argv[1:]\n"
    start += "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    (directory / "start.py").write_text(before + start)
    program = [directory / "start.py"] if before else []
    command = [programs / "python", *program, programs / "pycbc_inference"]
    command += ["--verbose", "--seed", "3"]
    command += ["--config-files", "config.ini", "--output-file", "out.hdf"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with open(directory / "log.txt", "a") as log:
        return subprocess.Popen(
            [*map(str, command), "--nprocesses", str(nprocesses)],
            cwd=directory,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**environment, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )


def finished(programs, directory, text, nprocesses, before=""):
    """Run PyCBC's program to its end; what it wrote."""
    process = inference(programs, directory, text, nprocesses, before)
    try:
        assert process.wait() == 0, (directory / "log.txt").read_text()[-4000:]
    finally:
        ended(process)
    return read(directory / "out.hdf")


def ended(process):
    """End a program and all its workers."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read(path):
    """All samples, acceptance ratios, swaps and the state in a file of PyCBC's."""
    with h5py.File(path) as fp:
        info = fp["sampler_info"]
        found = {name: fp["samples"][name][()] for name in fp["samples"]}
        for name in ("acceptance_ratio", "betas"):
            found[name] = info[name][()]
        for name in info["temperature_swaps"]:
            found[f"swaps: {name}"] = info["temperature_swaps"][name][()]
        return found, epsie.load_state(fp, "sampler_info")


def assert_same_bits(first, second):
    tables, others = first[0], second[0]
    assert tables.keys() == others.keys()
    for name, table in tables.items():
        assert table.shape == others[name].shape and table.dtype == others[name].dtype, name
        assert table.tobytes() == others[name].tobytes(), name
    np.testing.assert_equal(first[1], second[1])


@pytest.fixture(scope="session")
def undisturbed(programs, shared):
    """What a run with one process gives that nothing disturbs."""
    made = once(shared / "undisturbed", lambda where: finished(programs, where, SHORT, 1))
    return read(made / "out.hdf")


@pytest.fixture(scope="session")
def killed(programs, shared):
    """The directory of a run with two processes, killed after two of its three checkpoints."""

    def make(where):
        process = inference(programs, where, SHORT, 2)
        try:
            while "Running sampler for 240 to 360" not in (where / "log.txt").read_text():
                assert process.poll() is None, (where / "log.txt").read_text()[-4000:]
                time.sleep(0.02)
        finally:
            ended(process)

    return once(shared / "killed", make)


def test_process_counts(programs, undisturbed, tmp_path):
    tables, state = undisturbed
    for name in PRIORS:
        assert tables[name].shape == (3, 4, 360)
        assert tables[name].dtype == (int if name in WHOLE else float)
    assert tables["acceptance_ratio"].shape == (3, 4, 360)
    assert tables["swaps: acceptance_ratio"].shape == (2, 4, 180)
    assert tables["swaps: swap_index"].shape == (3, 4, 180)
    assert tables["betas"].shape == (4, 3)
    assert list(state) == [0, 1, 2, 3] and state[0][0]["iteration"] == 360
    assert_same_bits(finished(programs, tmp_path / "two", SHORT, 2), undisturbed)
    # The comparison sees a single bit.
    changed = {**tables, "x": np.nextafter(tables["x"], np.where(tables["x"] == 1, 2, np.inf))}
    with pytest.raises(AssertionError, match="x"):
        assert_same_bits((changed, state), undisturbed)


def test_killed_and_resumed(programs, killed, undisturbed, tmp_path):
    shutil.copytree(killed, tmp_path / "resumed")
    assert_same_bits(finished(programs, tmp_path / "resumed", SHORT, 1), undisturbed)


@pytest.mark.parametrize("damage", ["last state", "both states", "nothing there"])
def test_a_damaged_state_is_taken_from_the_backup(programs, killed, undisturbed, tmp_path, damage):
    where = tmp_path / "damaged"
    shutil.copytree(killed, where)
    with h5py.File(where / "out.hdf.checkpoint", "r+") as fp:
        dataset = fp["sampler_info/sampler_state"]
        half = dataset.size // 2
        if damage == "last state":
            # The second: two checkpoints were written. (Samples are newer than the first.)
            dataset[half + 100 :: 512] = ~dataset[half + 100 :: 512]
        elif damage == "both states":
            dataset[100::512] = ~dataset[100::512]
        else:
            del fp["sampler_info/sampler_state"]
    assert_same_bits(finished(programs, where, SHORT, 1), undisturbed)
    assert "backup" in (where / "log.txt").read_text().split("Running sampler for 240 to 360")[1]


def test_what_epsie_1_refuses(programs, tmp_path):
    """Two temperatures, `start-iteration`, and Andrieu-Thoms without a duration."""
    tables, state = finished(programs, tmp_path / "two", TWO, 2)
    assert tables["x"].shape == (2, 4, 200)
    assert tables["swaps: acceptance_ratio"].shape == (1, 4, 200)
    assert tables["swaps: swap_index"].shape == (2, 4, 200)
    part = state[0][0]["proposal_dist"]
    assert (part["x"]["start_step"], part["b"]["start_step"]) == (20, 10)
    assert part["y+z"]["nblocks"] == 200 // 32 and part["phi"]["nblocks"] == 200 // 32


def moments():
    """Mean and standard deviation of each parameter, by hand."""
    known = {}
    for name, (low, high) in PRIORS.items():
        known[name] = stats.truncnorm.mean(low, high), stats.truncnorm.std(low, high)
    grid = np.arange(-6, 7)
    mass = np.exp(-0.5 * grid**2) / np.exp(-0.5 * grid**2).sum()
    for name in WHOLE:
        known[name] = (mass @ grid, np.sqrt(mass @ grid**2 - (mass @ grid) ** 2))
    return known


def offset(draws):
    """By how many Monte Carlo errors moments are off: the largest.

    There are 18; for normal errors one beyond 6 has a probability of 4e-8, and the tails of ratios
    with an estimated error are left 1e-5.
    """
    return max(abs(value) for name in PRIORS for value in deviations(draws[name], *moments()[name]))


def test_posterior(programs, tmp_path):
    tables, _ = finished(programs, tmp_path / "long", LONG, 2)
    draws = {name: tables[name][0, :, 300:] for name in PRIORS}
    print(
        offset(draws),
        offset({**draws, "b": draws["b"] + 0.6}),
        offset({**draws, "n": 2 * draws["n"]}),
    )
    assert offset(draws) < 6
    assert offset({**draws, "b": draws["b"] + 0.6}) > 6
    assert offset({**draws, "n": 2 * draws["n"]}) > 6
    assert (draws["b"] >= 0).all() and (draws["phi"] < 2 * np.pi).all()
    assert tables["logprior"].min() > -np.inf


SKY = """
[model]
name = test_normal
[sampler]
name = epsie
seed = {seed}
nchains = 8
ntemps = 2
niterations = 4000
checkpoint-interval = 4000
[variable_params]
ra =
dec =
[prior-ra+dec]
name = uniform_sky
[jump_proposal-ra+dec]
name = {name}
"""
# PyCBC has none of its own for directions; a plugin adds one like this.
WITH_SKY = """
from pycbc.inference import jump

from epsie.proposals import AdaptiveIsotropicSolidAngle, IsotropicSolidAngle


class Sky(IsotropicSolidAngle):
    name = "sky"

    @classmethod
    def from_config(cls, cp, section, tag):
        return cls("ra", "dec", 3.0, radec=True)


class Learning(AdaptiveIsotropicSolidAngle):
    name = "learning"

    @classmethod
    def from_config(cls, cp, section, tag):
        return cls("ra", "dec", 300, radec=True)


class Former(IsotropicSolidAngle):
    name = "former"

    @classmethod
    def from_config(cls, cp, section, tag):
        return cls("ra", "dec", 3.0, radec=True, density="steradian")


for cls in (Sky, Learning, Former):
    jump.epsie_proposals[cls.name] = cls
"""


def moments_of(log_density, low, high):
    """Mean and standard deviation of a density, by quadrature."""
    x = np.linspace(low, high, 20001)
    mass = np.exp(log_density(x))
    mean = np.average(x, weights=mass)
    return mean, np.sqrt(np.average((x - mean) ** 2, weights=mass))


@pytest.mark.parametrize("name", ["sky", "learning", "former"])
def test_uniform_sky(programs, tmp_path, name):
    """PyCBC's prior has the cosine of the declination, which must count once.

    The likelihood is normal in both angles. Of four errors one beyond 6 has a probability of 1e-8.
    """
    text = SKY.format(seed=seed(), name=name)
    tables, _ = finished(programs, tmp_path / "sky", text, 2, WITH_SKY)
    half = np.pi / 2
    known = {
        "ra": moments_of(lambda x: -0.5 * x**2, 0, 4 * half),
        "dec": moments_of(lambda x: -0.5 * x**2 + np.log(np.cos(x) + 1e-300), -half, half),
    }
    draws = {angle: tables[angle][0, :, 300:] for angle in known}
    found = [abs(v) for angle in known for v in deviations(draws[angle], *known[angle])]
    print(name, found)
    assert bool(max(found) < 6) is (name != "former")
