"""Runs on disk: the whole run bit for bit, whoever is killed, and nothing else let in."""

import itertools
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import epsie
from epsie.errors import CheckpointError, ModelError, RunDirectoryError
from epsie.proposals import ATAdaptiveNormal, Normal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.storage.rundir import segments, states
from epsie.storage.statetree import encode
from epsie.tempering.annealing import DynamicalAnnealer
from tests.examples import Example, gaussian
from tests.statistical import seed
from tests.test_annealed_sampler import POSTERIOR
from tests.test_checkpoint import CASES, SAMPLERS, sampler
from tests.test_invariance import Drift, OldStyle

ROOT = Path(__file__).parent.parent
AT = CASES["at_adaptive_normal-0"]
TABLES = ("positions", "stats", "acceptance", "blobs")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


def assert_same_run(run, whole):
    """A run on disk equals the first part of one in memory, bit for bit."""
    n = run.niterations
    for name in TABLES:
        mine, other = getattr(run, name), getattr(whole, name)
        if other is None:
            assert mine is None
            continue
        assert mine.dtype == other.dtype
        assert mine.shape == other[..., :n].shape
        assert mine.tobytes() == other[..., :n].tobytes(), name
    if run.ntemps is not None:
        nsweeps = n // whole.swap_interval
        np.testing.assert_array_equal(run.temperature_swaps, whole.temperature_swaps[..., :nsweeps])
        ratios = whole.temperature_acceptance[..., :nsweeps]
        assert run.temperature_acceptance.tobytes() == ratios.tobytes()


@pytest.fixture(scope="module")
def whole():
    """Runs of 90 iterations in memory, by kind and case; made when first asked for."""
    known = {}

    def ask(kind, name="at_adaptive_normal-0", n=90):
        if (kind, name, n) not in known:
            made = sampler(kind, CASES[name])
            made.run(n)
            known[kind, name, n] = made
        return known[kind, name, n]

    return ask


# ---- the same samples


@pytest.mark.parametrize("kind", SAMPLERS)
def test_a_run_on_disk_is_the_run(tmp_path, kind, whole):
    made = sampler(kind, AT)
    made.run(20, directory=tmp_path / "run", every=7)
    made.run(13)
    assert made.positions.shape[-1] == 6
    again = type(made).resume(tmp_path / "run", gaussian)
    assert again.niterations == 33
    again.run(0)
    again.run(40, every="1h")
    script = sampler(kind, AT)
    script.run(total=90, directory=str(tmp_path / "run"))
    assert script.niterations == 90
    script.run(total=80)
    run = epsie.open_run(tmp_path / "run")
    assert_same_run(run, whole(kind))
    assert encode(script.state) == encode(whole(kind).state)
    if kind != "mh":
        assert run.betas.tobytes() == whole(kind).betas.tobytes()
        assert run.temperatures.shape == run.betas.shape
        iterations, ladders = run.ladders
        assert iterations.tolist() == [0, 7, 14, 20, 27, 33, 73, 90]
        assert ladders.shape == (8, 2, 3)


RESUMED = """
import sys
from pathlib import Path
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests.examples import gaussian
for path in sorted(Path(sys.argv[1]).iterdir()):
    cls = MetropolisHastingsSampler if path.name.endswith("mh") else ParallelTemperedSampler
    cls.resume(path, gaussian).run(45)
"""


@pytest.mark.slow
@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.rest)])
def test_resume_in_a_new_process(tmp_path, whole, every):
    """Every registered proposal, both samplers and annealers: run(2n) == run(n) twice.

    By default every fourth pair of them.
    """
    pairs = sorted(itertools.product(CASES, SAMPLERS))[::every]
    for name, kind in pairs:
        sampler(kind, CASES[name]).run(45, directory=tmp_path / f"{name} {kind}", every=20)
    subprocess.run(
        [sys.executable, "-c", RESUMED, str(tmp_path)], env=ENVIRONMENT, check=True, cwd=ROOT
    )
    for name, kind in pairs:
        run = epsie.open_run(tmp_path / f"{name} {kind}")
        assert run.niterations == 90
        assert_same_run(run, whole(kind, name))


@pytest.mark.parametrize("pool", [None, 2])
def test_rounds_and_pools_change_nothing(tmp_path, pool, whole, monkeypatch):
    monkeypatch.setattr("epsie.running.saving.SaveTo.round_seconds", 1e-4)
    made = sampler("annealed", AT, pool)
    made.run(90, directory=tmp_path, every=40, progress=True)
    assert_same_run(epsie.open_run(tmp_path), whole("annealed"))


def test_history_kept(tmp_path, whole):
    made = sampler("pt", AT)
    made.run(50, directory=tmp_path, every=20, keep=True)
    made.run(40)
    assert made.positions.tobytes() == whole("pt").positions.tobytes()
    assert_same_run(epsie.open_run(tmp_path), whole("pt"))


def test_where_to_save_as_one(tmp_path, whole):
    made = sampler("pt", AT)
    made.run(50, save=epsie.SaveTo(tmp_path, every=20, keep=True))
    made.run(40)
    assert made.positions.tobytes() == whole("pt").positions.tobytes()
    assert_same_run(epsie.open_run(tmp_path), whole("pt"))
    with pytest.raises(TypeError, match="save= says it all; directory, every cannot be given"):
        made.run(1, save=epsie.SaveTo(tmp_path), directory=tmp_path, every=3)
    with pytest.raises(TypeError, match="save must be a SaveTo.*got 'run'"):
        made.run(1, save="run")
    for wrong in ({"thin": 0}, {"every": "soon"}, {"every": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
            epsie.SaveTo(tmp_path, **wrong)
    assert made.niterations == 90


def test_a_run_that_began_in_memory(tmp_path, whole):
    made = sampler("annealed", AT)
    made.run(31)
    made.run(20, directory=tmp_path)
    made.run(39)
    run = epsie.open_run(tmp_path)
    assert run.iterations.tolist() == list(range(32, 91))
    assert run.positions.tobytes() == whole("annealed").positions[..., 31:].tobytes()
    np.testing.assert_array_equal(
        run.temperature_swaps, whole("annealed").temperature_swaps[..., 15:]
    )
    again = ParallelTemperedSampler.resume(tmp_path, gaussian)
    assert encode(again.state) == encode(whole("annealed").state)


@pytest.mark.parametrize("thin", [1, 3])
@pytest.mark.parametrize("burn_in", [0, 1, 29, 60, 88])
def test_thinning_and_burn_in(tmp_path, thin, burn_in, whole, monkeypatch):
    monkeypatch.setattr(segments, "_MOST_SMALL", 4)
    made = sampler("pt", AT)
    made.run(90, directory=tmp_path, every=11, thin=thin)
    for step in (1, 6):
        run = epsie.open_run(tmp_path, burn_in=burn_in, thin=step)
        iterations = np.arange(1, 91)
        rows = (iterations > burn_in) & (iterations % max(thin, step) == 0)
        assert run.iterations.tolist() == iterations[rows].tolist()
        if rows.any():
            assert run.positions.tobytes() == whole("pt").positions[..., rows].tobytes()
        else:
            with pytest.raises(ValueError, match="no positions after iteration 88"):
                run.positions  # noqa: B018
        sweeps = np.arange(2, 91, 2) > burn_in
        np.testing.assert_array_equal(
            run.temperature_acceptance, whole("pt").temperature_acceptance[..., sweeps]
        )
    with pytest.raises(RunDirectoryError, match="begun with thin="):
        made.run(1, thin=thin + 1)
    if thin == 3:
        with pytest.raises(ValueError, match="multiple"):
            epsie.open_run(tmp_path, thin=4)


def test_blobs_that_change_their_type(tmp_path):
    def model(x):
        return -x * x / 2, 0.0, {"a": 1 if x < 1 else 0.5, "b": "x" * int(abs(10 * x))}

    made = [MetropolisHastingsSampler("x", model, 2, seed=seed()) for _ in range(2)]
    for one in made:
        one.start_position = {"x": [0.0, 0.5]}
    made[0].run(100)
    made[1].run(100, directory=tmp_path, every=3)
    run = epsie.open_run(tmp_path)
    assert run.blobs.dtype == made[0].blobs.dtype
    assert run.blobs.tobytes() == made[0].blobs.tobytes()


def test_without_blobs_and_with_one_temperature(tmp_path):
    def model(x):
        return -x * x / 2, 0.0

    made = ParallelTemperedSampler("x", model, 2, 1.0, seed=1)
    made.start_position = {"x": [[0.0, 0.5]]}
    made.run(10, directory=tmp_path, every=3)
    run = epsie.open_run(tmp_path)
    assert run.blobs is None
    assert run.temperature_swaps is None
    assert run.temperature_acceptance is None
    assert run.positions.shape == (1, 2, 10)


# ---- growth


def test_files_are_merged_and_memory_is_flat(tmp_path, monkeypatch):
    """The number of files is bounded, and what one save writes does not grow with the run."""
    written = []
    monkeypatch.setattr(segments, "_MOST_SMALL", 10)
    monkeypatch.setattr(segments, "MERGED_SIZE", 20_000)
    replace = os.replace
    monkeypatch.setattr(
        os, "replace", lambda a, b: (written.append(os.path.getsize(a)), replace(a, b))
    )
    made = sampler("mh", AT)
    made.run(1000, directory=tmp_path, every=4)
    assert max(written) < 40_000
    found = segments.all_segments(tmp_path)
    size = sum(segment.path.stat().st_size for segment in found)
    assert len(found) <= 10 + size / 10_000 + 1
    assert len(states.saved_iterations(tmp_path)) == 2
    assert made.positions.shape[-1] <= 4
    other = sampler("mh", AT)
    other.run(1000)
    assert_same_run(epsie.open_run(tmp_path), other)


def test_saves_come_early_if_much_is_unsaved(tmp_path, monkeypatch, whole):
    monkeypatch.setattr("epsie.running.saved_run._UNSAVED", 10_000)
    made = sampler("pt", AT)
    made.run(90, directory=tmp_path, every="1h")
    assert 3 < len(segments.all_segments(tmp_path)) < 60
    assert_same_run(epsie.open_run(tmp_path), whole("pt"))


def test_reading_takes_one_segment_at_a_time(tmp_path):
    sampler("mh", AT).run(100, directory=tmp_path, every=10)
    pieces = epsie.open_run(tmp_path, burn_in=25).pieces("positions")
    assert [piece.shape for piece in pieces] == [(2, 5), *[(2, 10)] * 7]


def test_a_merge_that_was_cut_short(tmp_path, whole, monkeypatch):
    """Some of the small segments are still there beside the one they were merged to."""
    monkeypatch.setattr(segments, "_MOST_SMALL", 5)
    made = sampler("pt", AT)
    made.run(20, directory=tmp_path, every=5)
    kept = {s.path: s.path.read_bytes() for s in segments.all_segments(tmp_path)[1:3]}
    made.run(10)
    assert segments.all_segments(tmp_path)[0].stop == 25
    for path, content in kept.items():
        path.write_bytes(content)
    run = epsie.open_run(tmp_path)
    assert_same_run(run, whole("pt"))
    made.run(60)
    assert_same_run(epsie.open_run(tmp_path), whole("pt"))
    assert not any(path.exists() for path in kept)
    for burn_in in (7, 25, 33):
        run = epsie.open_run(tmp_path, burn_in=burn_in)
        assert run.stats.tobytes() == whole("pt").stats[..., burn_in:].tobytes()


# ---- kills

KILLED = """
import sys
from epsie.storage.rundir import segments
from tests.test_rundir import killed_sampler, TOTAL
segments._MOST_SMALL = 6
made = killed_sampler(int(sys.argv[2]) or None, sys.argv[3])
if sys.argv[3] != "annealed":
    print(0, flush=True)  # Its start may be killed, too.
made.run(total=0, directory=sys.argv[1], every=3)
print(made.niterations, flush=True)
while made.niterations < TOTAL:
    made.run(min(7, TOTAL - made.niterations))
    print(made.niterations, flush=True)
"""

TOTAL = 300


def killed_sampler(pool, kind="annealed"):
    """Tempered, adaptive, annealed, and with blobs; or learned, from an annealed start."""
    if kind == "annealed":
        return sampler("annealed", CASES["at_adaptive_normal-0"], pool)
    cls = ParallelTemperedSampler if kind == "ladder found" else MetropolisHastingsSampler
    return cls(POSTERIOR, nchains=4, pool=pool, seed=seed(), start="annealed")


def killed(directory, processes, delay, kind="annealed"):
    """Run until killed; the last iteration that was reported, and whether it was killed."""
    command = [sys.executable, "-c", KILLED, str(directory), str(processes), kind]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=ENVIRONMENT, text=True, cwd=ROOT
    ) as process:
        lines = [process.stdout.readline()]
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    reported = [int(line) for line in lines if line.endswith("\n")]
    return (reported[-1] if reported else 0), process.returncode == -signal.SIGKILL


def survive(directory, kills, processes=0, longest=0.4, kind="annealed"):
    """Kill runs so many times; after each, what was reported is there, and is right.

    Returns the number of runs that were finished.
    """
    rng = random.Random(seed())
    expected = killed_sampler(None, kind)
    expected.run(TOTAL)
    done = finished = 0
    while done < kills:
        reported, was_killed = killed(directory, processes, rng.uniform(0, longest), kind)
        done += was_killed
        if not (directory / "manifest.epsie").exists():
            assert reported == 0
            continue
        run = epsie.open_run(directory)
        assert run.niterations >= reported
        if run.niterations:
            assert_same_run(run, expected)
        if run.niterations == TOTAL:
            assert encode(states.last_state(directory)[1]) == encode(expected.state)
            finished += 1
            shutil.rmtree(directory)
    return finished


@pytest.mark.parametrize(
    ("kills", "processes"),
    [
        (2, 0),
        pytest.param(6, 2, marks=pytest.mark.slow),
        pytest.param(10, 0, marks=pytest.mark.rest),
        pytest.param(10, 2, marks=pytest.mark.rest),
    ],
)
def test_kills(tmp_path, kills, processes):
    survive(tmp_path / "run", kills, processes)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["start", "ladder found"])
def test_kills_where_chains_learn_together(tmp_path, kind):
    """In the annealed start, and where what was learned is replaced."""
    survive(tmp_path / "run", 6, 0, 1.5, kind)


def test_workers_of_a_killed_process_end(tmp_path):
    process = holder(tmp_path / "run", processes=2)
    assert process.stdout.readline() == "stepping\n"
    process.kill()
    # Its pipes are closed when the last of its workers has gone.
    process.communicate()


@pytest.mark.slow
def test_reading_while_it_is_written(tmp_path):
    expected = killed_sampler(None)
    expected.run(TOTAL)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "run"), "0", "annealed"]
    seen = set()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=ENVIRONMENT, text=True, cwd=ROOT
    ) as process:
        process.stdout.readline()
        while process.poll() is None:
            run = epsie.open_run(tmp_path / "run")
            seen.add(run.niterations)
            if run.niterations:
                assert_same_run(run, expected)
    assert process.returncode == 0
    assert len(seen) > 3
    run.refresh()
    assert run.niterations == TOTAL
    assert_same_run(run, expected)


# ---- locks

HOLDER = """
import sys, time
from tests.test_rundir import AT, sampler, slow
made = sampler("mh", AT, int(sys.argv[4]) or None)
made.model = slow
made.start_position = made.start_position
print("ready", flush=True)
made.run(100_000, directory=sys.argv[1], every=int(sys.argv[2]), grace=float(sys.argv[3]))
"""


calls = itertools.count(1)


def slow(**values):
    time.sleep(0.02)
    # After more than the starts and the first round.
    if next(calls) == 15:
        # Two workers may say so at once: in one piece, also where nothing is buffered.
        os.write(1, b"stepping\n")
    return 0.0, 0.0


held = []


@pytest.fixture(autouse=True)
def nobody_holds():
    """A test that fails leaves no process that runs on beside the others."""
    yield
    while held:
        with held.pop() as process:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def holder(directory, every=5, grace=10.0, processes=0):
    """A process that runs in a directory, in a process group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, *map(str, (directory, every, grace, processes))],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
        cwd=ROOT,
    )
    held.append(process)
    assert process.stdout.readline() == "ready\n"
    wait_for(lambda: (directory / "manifest.epsie").exists())
    return process


def wait_for(what):
    while not what():
        time.sleep(0.01)


def flat(**values):
    return 0.0, 0.0


def test_the_second_process_is_refused(tmp_path):
    process = holder(tmp_path / "run")
    try:
        wait_for(lambda: states.saved_iterations(tmp_path / "run")[-1] > 0)
        with pytest.raises(RunDirectoryError, match=f"in use by process {process.pid} on "):
            MetropolisHastingsSampler.resume(tmp_path / "run", flat).run(1)
    finally:
        process.kill()
        process.communicate()
    # The lock of a process that is no more is stale.
    assert (tmp_path / "run" / "lock").read_text()
    MetropolisHastingsSampler.resume(tmp_path / "run", flat).run(1)
    assert not (tmp_path / "run" / "lock").read_text()


def test_a_lock_of_another_host_stays(tmp_path):
    made = sampler("mh", AT)
    made.run(1, directory=tmp_path)
    (tmp_path / "lock").write_text(json.dumps({"pid": 1, "host": "elsewhere"}))
    with pytest.raises(RunDirectoryError, match=r"process 1 on elsewhere.*epsie unlock"):
        made.run(1)
    assert "elsewhere" in (tmp_path / "lock").read_text()
    (tmp_path / "lock").unlink()
    made.run(1)


def test_two_samplers_of_one_process(tmp_path):
    inner = sampler("mh", AT)
    problems = []

    def model(**values):
        try:
            inner.run(1, directory=tmp_path)
        except RunDirectoryError as error:
            problems.append(str(error))
        return gaussian(**values)

    outer = sampler("mh", AT)
    outer.model = model
    outer.run(1, directory=tmp_path)
    assert "another sampler of this process" in problems[0]
    with pytest.raises(RunDirectoryError, match="saved at iteration 1, and this sampler, at 0"):
        inner.run(1, directory=tmp_path)
    inner.run(total=3, directory=tmp_path)
    with pytest.raises(RunDirectoryError, match="saved at iteration 3, and this sampler, at 1"):
        outer.run(1)


# ---- signals


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)]
)
def test_signals_that_end_a_run(tmp_path, number, code):
    process = holder(tmp_path / "run", every=100_000)
    assert process.stdout.readline() == "stepping\n"
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == code
    reached = epsie.open_run(tmp_path / "run").niterations
    assert reached > 0
    line = said.strip().splitlines()[-1]
    assert f"stopped at iteration {reached}; saved in {tmp_path / 'run'}" in line
    assert "MetropolisHastingsSampler.resume(" in line
    if number == signal.SIGTERM:
        assert len(said.strip().splitlines()) == 1
    assert MetropolisHastingsSampler.resume(tmp_path / "run", flat).niterations == reached


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        pytest.param(signal.SIGINT, -signal.SIGINT, marks=pytest.mark.slow),
    ],
)
def test_signals_to_all_processes(tmp_path, number, code):
    """As Ctrl-C in a terminal, or a queue that ends a job: the workers are silent."""
    process = holder(tmp_path / "run", every=100_000, processes=2)
    assert process.stdout.readline() == "stepping\n"
    os.killpg(process.pid, number)
    _, said = process.communicate()
    assert process.returncode == code, said
    reached = epsie.open_run(tmp_path / "run").niterations
    assert reached > 0
    assert f"stopped at iteration {reached}; saved in " in said.strip().splitlines()[-1]
    assert said.count("Traceback") == (number == signal.SIGINT)


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_signals_that_save(tmp_path, number):
    process = holder(tmp_path / "run", every=100_000)
    try:
        for _ in range(2):
            before = states.saved_iterations(tmp_path / "run")[-1]
            process.send_signal(number)
            wait_for(lambda: states.saved_iterations(tmp_path / "run")[-1] > before)  # noqa: B023
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


class Stuck:
    """A model that hangs from some call on, after it has sent a signal."""

    def __init__(self, calls):
        self.calls = calls

    def __call__(self, **values):
        self.calls -= 1
        if self.calls < 0:
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                time.sleep(0.01)
        return gaussian(**values)


def test_grace_and_handlers_put_back(tmp_path, whole):
    former = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    made = sampler("mh", AT)
    made.model = Stuck(50)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt, match="stopped at iteration"):
        made.run(90, directory=tmp_path, grace=0.2)
    assert time.monotonic() - started > 0.2
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)] == former
    reached = made.niterations
    assert 0 < reached <= 25
    assert epsie.open_run(tmp_path).niterations == reached
    made.model = gaussian
    made.run(total=90)
    assert_same_run(epsie.open_run(tmp_path), whole("mh"))


def test_ctrl_c_without_a_directory_leaves_the_last_boundary():
    made = sampler("mh", AT)
    made.run(5)
    before = encode(made.state)
    made.model = Stuck(7)
    with pytest.raises(KeyboardInterrupt):
        made.run(20)
    assert encode(made.state) == before


# ---- failures


def test_a_model_that_fails_loses_nothing(tmp_path, whole):
    calls = [0]

    def failing(**values):
        calls[0] += 1
        if calls[0] > 101:
            raise ZeroDivisionError
        return gaussian(**values)

    made = sampler("mh", AT)
    made.model = failing
    with pytest.raises(ModelError) as caught:
        made.run(90, directory=tmp_path, every=1000)
    reached = made.niterations
    assert reached > 0
    assert f"saved up to {reached}" in "".join(caught.value.__notes__)
    assert epsie.open_run(tmp_path).niterations == reached
    made.model = gaussian
    made.run(90 - reached)
    assert_same_run(epsie.open_run(tmp_path), whole("mh"))


def test_a_failing_fsync(tmp_path, whole, monkeypatch):
    """Every call may be the one that fails: what was saved before can be read."""
    fsync = os.fsync
    for failing in range(1, 30):
        calls = [0]

        def failing_fsync(descriptor, calls=calls, failing=failing):
            calls[0] += 1
            if calls[0] == failing:
                raise OSError(5, "Input/output error")
            fsync(descriptor)

        directory = tmp_path / str(failing)
        made = sampler("mh", AT)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", failing_fsync)
            try:
                made.run(90, directory=directory, every=30)
            except RunDirectoryError as error:
                assert "Input/output error" in str(error)  # noqa: PT017
            else:
                break
        if (directory / "manifest.epsie").exists() and made.niterations:
            assert_same_run(epsie.open_run(directory), whole("mh"))
        made.run(total=90, directory=directory)
        assert_same_run(epsie.open_run(directory), whole("mh"))
    assert failing == 19


FULL = """
import resource, signal, sys
from epsie.errors import RunDirectoryError
from tests.test_rundir import AT, sampler
made = sampler("mh", AT)
made.run(30, directory=sys.argv[1], every=30)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
try:
    made.run(60)
except RunDirectoryError as error:
    print(error, *error.__notes__)
assert made.niterations == 30
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
made.run(60)
"""


def test_a_full_disk(tmp_path, whole):
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)],
        env=ENVIRONMENT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert "File too large" in done.stdout
    assert "is saved up to iteration 30" in done.stdout
    assert_same_run(epsie.open_run(tmp_path), whole("mh"))
    assert not list(tmp_path.glob("*.tmp"))


READ_ONLY = """
import os, sys
from epsie.errors import RunDirectoryError
from tests.test_rundir import AT, sampler
made = sampler("mh", AT)
made.run(1)
made = sampler("mh", AT)
if os.geteuid() == 0:
    os.seteuid(65534)  # root may write everywhere
for directory in (sys.argv[1], sys.argv[1] + "/inner"):
    try:
        made.run(total=9, directory=directory)
    except RunDirectoryError as error:
        print(error)
"""


def test_a_directory_that_cannot_be_written(whole):
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        sampler("mh", AT).run(5, directory=directory, every=5)
        directory.chmod(0o555)
        (directory / "lock").chmod(0o444)
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, name],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=ROOT,
        )
        said = done.stdout.splitlines()
        assert "cannot be written to: [Errno 13] Permission denied" in said[0]
        assert "cannot be made: [Errno 13] Permission denied" in said[1]
        assert_same_run(epsie.open_run(directory), whole("mh"))
        directory.chmod(0o755)


def test_a_path_that_is_no_directory(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunDirectoryError, match="cannot be made"):
        sampler("mh", AT).run(1, directory=tmp_path / "file")


def test_damaged_files(tmp_path, whole):
    made = sampler("mh", AT)
    made.run(60, directory=tmp_path, every=20)
    last = states.state_path(tmp_path, 60)
    last.write_bytes(last.read_bytes()[:-1])
    with pytest.warns(UserWarning, match="going on from iteration 40"):
        again = MetropolisHastingsSampler.resume(tmp_path, gaussian)
    with pytest.warns(UserWarning, match="going on from iteration 40"):
        again.run(50)
    assert_same_run(epsie.open_run(tmp_path), whole("mh"))
    found = segments.all_segments(tmp_path)
    found[0].path.write_bytes(b"x" * 1000)
    with pytest.raises(CheckpointError, match="cannot be read: it does not begin"):
        epsie.open_run(tmp_path).positions  # noqa: B018
    found[0].path.unlink()
    with pytest.raises(RunDirectoryError, match="follows iteration 0 is missing"):
        again.run(1)
    with pytest.raises(RunDirectoryError, match="follows iteration 0 is missing"):
        epsie.open_run(tmp_path).stats  # noqa: B018
    for iteration in states.saved_iterations(tmp_path):
        states.state_path(tmp_path, iteration).write_bytes(b"")
    with pytest.raises(CheckpointError, match="truncated"):
        MetropolisHastingsSampler.resume(tmp_path, gaussian)


# ---- bad input


def test_directories_that_are_no_runs(tmp_path):
    with pytest.raises(RunDirectoryError, match="does not exist"):
        epsie.open_run(tmp_path / "nowhere")
    with pytest.raises(RunDirectoryError, match="holds no run"):
        MetropolisHastingsSampler.resume(tmp_path, gaussian)
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RunDirectoryError, match=r"holds no run: it has thesis\.tex"):
        sampler("mh", AT).run(1, directory=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.tex"]


def test_a_newer_format(tmp_path):
    made = sampler("mh", AT)
    made.run(1, directory=tmp_path)
    path = tmp_path / "manifest.epsie"
    path.write_bytes(encode({"format": 99}))
    for use in (epsie.open_run, lambda d: made.run(1, directory=d)):
        with pytest.raises(RunDirectoryError, match="format 99.*newer epsie"):
            use(tmp_path)


@pytest.mark.parametrize("every", [0, -5, "0s", "-1s", "soon", "5", "s", 2.5])
def test_every(tmp_path, every):
    with pytest.raises(ValueError, match="every must be"):
        sampler("mh", AT).run(1, directory=tmp_path / "run", every=every)
    assert not (tmp_path / "run").exists()


def test_arguments_of_run(tmp_path):
    made = sampler("mh", AT)
    for arguments in ({}, {"niterations": 1, "total": 2}):
        with pytest.raises(TypeError, match="or total= be given instead"):
            made.run(**arguments)
    with pytest.raises(ValueError, match="total= needs a directory"):
        made.run(total=3)
    with pytest.raises(ValueError, match="every needs a directory"):
        made.run(3, every=2)
    with pytest.raises(ValueError, match="thin must be at least 1"):
        made.run(3, directory=tmp_path / "run", thin=0)
    with pytest.raises(ValueError, match="no start position"):
        MetropolisHastingsSampler("x", gaussian, 1).run(1, directory=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_blob_of_what_is_an_array_only_by_its_looks(tmp_path):
    made = MetropolisHastingsSampler("x", lambda x: (0.0, 0.0, {"odd": range(3)}), 1, seed=1)
    made.start_position = {"x": [0.0]}
    made.run(1, directory=tmp_path / "run")
    np.testing.assert_array_equal(epsie.open_run(tmp_path / "run").blobs["odd"], [[[0, 1, 2]]])


def tempered(**changes):
    settings = {
        "parameters": ["x", "y"],
        "model": gaussian,
        "nchains": 2,
        "betas": [1.0, 0.5],
        "proposals": [Normal("x", 2.0)],
        "seed": 5,
        **changes,
    }
    made = ParallelTemperedSampler(**settings)
    shape = (made.ntemps, made.nchains)
    made.start_position = {name: np.zeros(shape) for name in made.parameters}
    return made


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parameters": ["y", "x"]}, r"parameters: the run has \['x', 'y'\]"),
        ({"nchains": 3}, "nchains: the run has 2, this sampler 3"),
        ({"betas": [1.0, 0.4]}, r"betas: the run has \[\[1.0, 0.5\]"),
        ({"proposals": [Normal("x", 3.0)]}, r"proposals\[0\].*the run has"),
        ({"proposals": [ATAdaptiveNormal("x", 10)]}, "ATAdaptiveNormal"),
        ({"seed": 6}, "seed: the run has 5, this sampler 6"),
        ({"swap_interval": 3}, "swap_interval: the run has 1, this sampler 3"),
        ({"swap_scheme": "deo"}, "swap_scheme"),
        ({"adaptive_annealer": DynamicalAnnealer()}, "annealer: the run has None"),
        ({"nan": "reject"}, "nan: the run has 'raise'"),
        ({"bit_generator": "Philox"}, "bit_generator: the run has 'numpy.PCG64'"),
    ],
)
def test_other_samplers_are_refused_and_the_difference_named(tmp_path, changes, said):
    tempered().run(3, directory=tmp_path)
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(RunDirectoryError, match=said):
        tempered(**changes).run(total=9, directory=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    tempered().run(total=9, directory=tmp_path)


def test_a_seed_that_was_not_chosen_is_that_of_the_run(tmp_path):
    tempered().run(3, directory=tmp_path)
    made = tempered(seed=None)
    made.run(total=9, directory=tmp_path)
    assert made.seed == 5


def test_the_other_kind_of_sampler(tmp_path):
    tempered().run(3, directory=tmp_path)
    with pytest.raises(RunDirectoryError, match="of a parallel_tempered sampler, not of a metro"):
        MetropolisHastingsSampler.resume(tmp_path, gaussian)


def test_other_models(tmp_path):
    tempered().run(30, directory=tmp_path)

    def scaled(by):
        def model(**values):
            logl, logp, blob = gaussian(**values)
            return logl * by, logp, blob

        return model

    with pytest.raises(RunDirectoryError, match=r"the model is not that of the run.*\n.*logl was"):
        ParallelTemperedSampler.resume(tmp_path, scaled(1 + 1e-6))
    with pytest.raises(RunDirectoryError, match="outside of the prior"):
        ParallelTemperedSampler.resume(tmp_path, lambda **values: (0.0, -np.inf))
    with pytest.warns(UserWarning, match="differs in its last bits"):
        ParallelTemperedSampler.resume(tmp_path, scaled(1 + 1e-12))
    with pytest.raises(RunDirectoryError, match="the model is not that of the run"):
        tempered(model=scaled(2.0)).run(total=40, directory=tmp_path)


@pytest.mark.parametrize("cls", [Drift, OldStyle])
def test_own_proposals_are_passed_again(tmp_path, cls):
    def made():
        return sampler("mh", Example(lambda: cls(["y", "x"]), {"x": 0.3, "y": -0.4}))

    expected = made()
    expected.run(60)
    made().run(30, directory=tmp_path, every=9)
    with pytest.raises(RunDirectoryError, match=f"{cls.__name__} for y, x"):
        MetropolisHastingsSampler.resume(tmp_path, gaussian)
    with pytest.raises(RunDirectoryError, match="proposals.0., class: the run has"):
        MetropolisHastingsSampler.resume(tmp_path, gaussian, proposals=Normal(["y", "x"]))
    with pytest.raises(RunDirectoryError, match="no proposal for just z"):
        MetropolisHastingsSampler.resume(
            tmp_path, gaussian, proposals=[cls(["y", "x"]), Normal("z")]
        )
    MetropolisHastingsSampler.resume(tmp_path, gaussian, proposals=cls(["y", "x"])).run(30)
    assert_same_run(epsie.open_run(tmp_path), expected)


class SubclassOfNormal(Normal):
    """Has the registered name, but is another class."""


def test_a_proposal_that_was_changed_is_not_made_anew(tmp_path):
    changed = Normal(["x", "y"])
    changed.cov = 4.0
    for i, part in enumerate((changed, SubclassOfNormal(["x", "y"]))):
        tempered(proposals=[part]).run(3, directory=tmp_path / str(i))
        with pytest.raises(RunDirectoryError, match="changed after they were made; pass them"):
            ParallelTemperedSampler.resume(tmp_path / str(i), gaussian)
        ParallelTemperedSampler.resume(tmp_path / str(i), gaussian, proposals=part).run(3)


class OwnAnnealer:
    """Moves the middle of the ladder."""

    def setup_annealing(self, betas):
        self.n = 0

    def __call__(self, chain):
        self.n += 1
        chain.betas = [1.0, 0.5 + 0.1 / self.n, 0.1]


def test_an_own_annealer_is_passed_again(tmp_path):
    settings = {"betas": [1.0, 0.5, 0.1], "adaptive_annealer": OwnAnnealer()}
    expected = tempered(**settings)
    expected.run(60)
    tempered(**settings).run(30, directory=tmp_path)
    with pytest.raises(RunDirectoryError, match="annealer OwnAnnealer is not of epsie"):
        ParallelTemperedSampler.resume(tmp_path, gaussian)
    again = ParallelTemperedSampler.resume(tmp_path, gaussian, adaptive_annealer=OwnAnnealer())
    again.run(30)
    run = epsie.open_run(tmp_path)
    assert_same_run(run, expected)
    assert run.betas.tobytes() == expected.betas.tobytes()


def test_a_sampler_changed_behind_the_directory(tmp_path):
    made = sampler("mh", AT)
    made.run(5, directory=tmp_path)
    made.start_position = made.current_positions
    with pytest.raises(RunDirectoryError, match="not where it was then"):
        made.run(5)
    made.run(5, directory=tmp_path / "other")
    assert epsie.open_run(tmp_path / "other").niterations == 5


def test_every_registered_proposal_is_made_anew(tmp_path):
    """No example needs to be passed again, and what is made has the same settings."""
    from epsie.chain.recipes import recipe, remade
    from epsie.storage.statetree import decode

    for name, example in CASES.items():
        proposal = example.make()
        made = recipe(proposal)
        assert made is not None, name
        again = remade(decode(encode(made))[0])
        assert type(again) is type(proposal)
        assert repr(again) == repr(proposal)
        assert encode(recipe(again)) == encode(made)


def test_nothing_is_looked_up_outside_of_the_registries(tmp_path):
    from epsie.chain.recipes import CLASS, remade

    for kind, name in (("proposal", "os.system"), ("builtins", "eval"), ("proposal", "__init__")):
        with pytest.raises(CheckpointError, match="has no"):
            remade({CLASS: [kind, name], "config": {}})
    with pytest.raises(CheckpointError, match="no Normal can be made of"):
        remade({CLASS: ["proposal", "normal"], "config": {"evil": 1}})


def test_the_setting_that_differs_is_named(tmp_path):
    def proposals(duration):
        return [ATAdaptiveNormal([f"a_long_name_{i}" for i in range(30)], duration)]

    def made(duration):
        names = [f"a_long_name_{i}" for i in range(30)]
        one = MetropolisHastingsSampler(names, gaussian, 1, proposals(duration), seed=1)
        one.start_position = {name: [0.0] for name in names}
        return one

    made(100).run(3, directory=tmp_path)
    with pytest.raises(RunDirectoryError) as refused:
        made(150).run(total=9, directory=tmp_path)
    said = "proposals[0], adaptation_duration: the run has 100, this sampler 150"
    _, *named, advice = str(refused.value).splitlines()
    assert named == [f"  {said}"]
    assert "choose another directory" in advice


def test_resume_remembers_how_often_to_save(tmp_path):
    tempered().run(4, directory=tmp_path, every=2)
    again = ParallelTemperedSampler.resume(tmp_path, gaussian)
    again.run(6)
    assert epsie.open_run(tmp_path).ladders[0].tolist() == [0, 2, 4, 6, 8, 10]
    again.run(4, every=3)
    ParallelTemperedSampler.resume(tmp_path, gaussian).run(6)
    assert epsie.open_run(tmp_path).ladders[0].tolist()[6:] == [13, 14, 17, 20]
