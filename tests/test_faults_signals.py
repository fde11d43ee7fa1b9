"""Signals: two at once, those that end a process, and what is left behind when it is ended."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import epsie
from epsie.pools.transport import Ticket
from epsie.samplers import MetropolisHastingsSampler
from tests import interrupting, signalled
from tests.statistical import seed

ROOT = Path(__file__).parent.parent
slow = pytest.mark.slow


# ---- two signals at once


@pytest.mark.parametrize("count", [6, pytest.param(50, marks=slow)])
def test_two_signals_within_a_millisecond(count):
    """Twelve: each pair, with and without a pool, in memory and in a directory."""
    found = signalled.outcomes(count, seed())
    assert len(found) == count
    assert [outcome for outcome in found if outcome["wrong"]] == []


def test_handlers_are_put_back_whatever_they_raise():
    from epsie.process.signals import put_back

    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM]
    before = {number: signal.getsignal(number) for number in numbers}

    class Arrived(Exception):
        pass

    def raises(number, frame):
        raise Arrived

    class Eager:
        """Of a signal that comes as soon as the handler of another one is back."""

        def __init__(self):
            self.left = 2

        def __call__(self, number, frame):
            raise Arrived

        def __eq__(self, other):
            if self.left:
                self.left -= 1
                raise Arrived
            return other is self

        __hash__ = None

    try:
        mine = Eager()
        for number in numbers:
            signal.signal(number, mine)
        former = dict.fromkeys(numbers, signal.SIG_DFL)
        former[signal.SIGINT] = former[signal.SIGALRM] = raises
        with pytest.raises(Arrived):
            put_back(former, mine)
        assert {number: signal.getsignal(number) for number in numbers} == former
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# ---- those that end a process

RUN = """
import signal, sys
from tests import signalled
made = signalled.sampler(signalled.slow, int(sys.argv[2]) or None)
made.run(2)
print("ready", flush=True)
try:
    made.run(10**6, directory=sys.argv[1], every=5)
finally:
    former = [signal.SIG_DFL] * 3
    numbers = [signal.SIGTERM, signal.SIGALRM, signal.SIGXCPU]
    assert [signal.getsignal(number) for number in numbers] == former, "other handlers"
"""


def begun(directory, pool=0, **settings):
    """A process that runs in a directory, once it has saved something."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(directory), str(pool)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
        **settings,
    )
    assert process.stdout.readline() == "ready\n"
    while not list(directory.glob("segment-*")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return process


def assert_saved(process, directory, code):
    _, said = process.communicate()
    assert process.returncode == code, said
    assert "stopped at iteration" in said
    assert "Traceback" not in said
    made = MetropolisHastingsSampler.resume(directory, signalled.quick)
    assert made.niterations > 2
    made.run(5)
    expected = signalled.sampler(signalled.quick)
    expected.run(made.niterations)
    found = epsie.open_run(directory).positions
    np.testing.assert_array_equal(found, expected.positions[:, -found.shape[-1] :])


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGXCPU", "SIGALRM"])
def test_what_ends_a_process_lets_it_save(tmp_path, name):
    number = getattr(signal, name)
    process = begun(tmp_path / "run")
    process.send_signal(number)
    assert_saved(process, tmp_path / "run", 128 + number)


@pytest.mark.parametrize("name", ["SIGHUP", "SIGXCPU", "SIGALRM"])
def test_what_reaches_all_processes_leaves_workers_alone(tmp_path, name):
    """As when a terminal is closed."""
    number = getattr(signal, name)
    process = begun(tmp_path / "run", pool=2)
    os.killpg(process.pid, number)
    assert_saved(process, tmp_path / "run", 128 + number)


def test_nohup(tmp_path):
    """What is ignored stays so, in workers too."""
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = begun(tmp_path / "run", pool=2)
    finally:
        signal.signal(signal.SIGHUP, former)
    os.killpg(process.pid, signal.SIGHUP)
    for pid in [process.pid, *children(process.pid)]:
        (ignored,) = (
            int(line.split()[1], 16)
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("SigIgn")
        )
        assert ignored >> (signal.SIGHUP - 1) & 1
    assert process.poll() is None
    process.terminate()
    assert_saved(process, tmp_path / "run", 143)


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_a_limit_of_processor_time(tmp_path):
    """The system says so every second from then on; that gives nothing up."""
    script = """
import resource, sys, time
from tests import signalled
def model(x, y):
    end = time.process_time() + 0.02
    while time.process_time() < end:
        pass
    return signalled.quick(x, y)
made = signalled.sampler(model)
resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 1, resource.RLIM_INFINITY))
made.run(10**6, directory=sys.argv[1])
"""
    process = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "run")],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert process.returncode == 128 + signal.SIGXCPU, process.stderr
    run = epsie.open_run(tmp_path / "run")
    assert run.niterations > 0 and f"stopped at iteration {run.niterations}" in process.stderr


@pytest.mark.parametrize("when", ["before", "inside"])
def test_an_alarm_of_the_models_own_is_left_alone(tmp_path, when):
    rung = []

    def ring(number, frame):
        rung.append(number)

    def model(x, y):
        if when == "inside":
            signal.signal(signal.SIGALRM, ring)
        signal.raise_signal(signal.SIGALRM)
        return -x * x - y * y, 0.0

    former = signal.getsignal(signal.SIGALRM)
    try:
        if when == "before":
            signal.signal(signal.SIGALRM, ring)
        made = signalled.sampler(model) if when == "before" else signalled.sampler(signalled.quick)
        made.model = model
        del rung[:]
        made.run(20, directory=tmp_path / "run")
        assert len(rung) == 2 * 21
        assert signal.getsignal(signal.SIGALRM) is ring
    finally:
        signal.signal(signal.SIGALRM, former)


# ---- what is left behind

KINDS = ["own", "executor", "spawned executor", "fork", "spawn"]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGKILL"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.in_part(4)
def test_nothing_is_left_in_the_temporary_directory(tmp_path, monkeypatch, kind, name):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    # Workers of others' pools may stay.
    interrupting.outcome(tmp_path, kind, getattr(signal, name), 0.1, group=False, patience=0.0)
    assert os.listdir(temporary) == []


@slow
@pytest.mark.parametrize(("name", "who"), [("SIGTERM", "mpiexec"), ("SIGKILL", "a rank")])
def test_nothing_is_left_by_ranks(mpich, tmp_path, name, who):
    job = mpich.start(3, ROOT / "tests" / "mpi_job.py", "choose_pool", "busy", TMPDIR=str(tmp_path))
    job.stdout.readline()
    pid = job.pid if who == "mpiexec" else int(job.stdout.readline().split()[0])
    os.kill(pid, getattr(signal, name))
    job.communicate()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("kind", ["nothing", "short", "a terabyte", "fifo"])
def test_what_another_host_has_there_is_not_taken_for_the_model(tmp_path, kind):
    """Its beginning tells; the rest is not read."""
    found = tmp_path / "data"
    if kind == "fifo":
        os.mkfifo(found)
    elif kind != "nothing":
        found.write_bytes(b"data")
    if kind == "a terabyte":
        os.truncate(found, 2**40)
    ticket = Ticket("0" * 32, hashlib.sha256(b"data").hexdigest(), str(found))
    assert not ticket.is_redeemed()
    assert ticket.sign()[0] == 0


@slow
def test_nothing_is_left_by_ranks_that_are_aborted(mpich, tmp_path):
    job = ("choose_pool", "dies")
    found = mpich.run(3, ROOT / "tests" / "mpi_job.py", *job, TMPDIR=str(tmp_path))
    assert found.code not in (0, None)
    assert os.listdir(tmp_path) == []
