"""Who may write to a run directory: one living process, and nobody is shut out by a dead one."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import epsie
from epsie.errors import RunDirectoryError
from epsie.process import identity
from epsie.samplers import MetropolisHastingsSampler
from epsie.storage.rundir import holder as holders
from epsie.storage.rundir import lock, takeover
from epsie.storage.rundir.facts import run_facts
from epsie.storage.rundir.holder import holder
from epsie.storage.rundir.lock import locked
from epsie.storage.rundir.source import DirectorySource
from epsie.storage.rundir.takeover import unlock
from tests.test_rundir import ENVIRONMENT, ROOT, wait_for


def model(x):
    return -x * x / 2, 0.0


def sampler(of=model, pool=None):
    made = MetropolisHastingsSampler("x", of, 2, seed=1, pool=pool)
    made.start_position = {"x": [0.0, 0.5]}
    return made


WRITER = """
import multiprocessing, sys, time
from tests.test_faults_locks import sampler
def slow(x):
    time.sleep(0.01)
    return -x * x / 2, 0.0
if __name__ == "__main__":
    pool = None
    if sys.argv[2] == "fork":
        pool = multiprocessing.get_context("fork").Pool(2)
    if sys.argv[2] == "late":
        import concurrent.futures
        context = multiprocessing.get_context("fork")
        pool = concurrent.futures.ProcessPoolExecutor(2, mp_context=context)
    made = sampler(slow, pool)
    made.run(total=100_000, directory=sys.argv[1], every=5)
"""


def writer(directory, pool="none", **environment):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(directory), pool],
        env=ENVIRONMENT | environment,
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: len(list(Path(directory).glob("segment-*"))) > 1)
    return process


def end(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def state_of(directory):
    return dict(run_facts(DirectorySource(directory)))["state"]


# ---- nobody in this process drops it, and no worker keeps it


def open_and_close(directory):
    (directory / "lock").read_bytes()


def copy(directory):
    shutil.copytree(directory, directory.parent / "backup")


def copy_by_name(directory):
    shutil.copy2(directory / "lock", directory.parent / "lock of the run")


def describe(directory):
    assert "being written" in state_of(directory)


CLOSING = {f.__name__: f for f in (open_and_close, copy, copy_by_name, describe)}

TRIES = """
import sys
from epsie.errors import RunDirectoryError
from tests.test_faults_locks import sampler
try:
    sampler().run(total=3, directory=sys.argv[1])
except RunDirectoryError as error:
    print(error)
"""


def said_by_another_process(directory, **environment):
    done = subprocess.run(
        [sys.executable, "-c", TRIES, str(directory)], env=ENVIRONMENT | environment, cwd=ROOT,
        text=True, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("how", CLOSING)
def test_the_lock_stays_whatever_this_process_opens(tmp_path, how):
    said = []

    def closing(x):
        if not said:
            CLOSING[how](tmp_path / "run")
            said.append(said_by_another_process(tmp_path / "run"))
        return model(x)

    made = sampler()
    made.run(5, directory=tmp_path / "run")
    made.model = closing
    made.run(5)
    assert f"in use by process {os.getpid()} on " in said[0]
    assert epsie.open_run(tmp_path / "run").niterations == 10


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("pool", ["fork", "late"])
def test_workers_that_outlive_a_killed_process_keep_no_lock(tmp_path, pool):
    process = writer(tmp_path / "run", pool)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert children
    for child in children:
        os.kill(int(child), signal.SIGSTOP)
    try:
        process.kill()
        # Not even waited for: it is a zombie.
        wait_for(lambda: holder(tmp_path / "run").is_alive is False)
        assert any(Path(f"/proc/{child}").exists() for child in children)
        assert "ended before it was done" in state_of(tmp_path / "run")
        reached = epsie.open_run(tmp_path / "run").niterations
        sampler().run(total=reached + 3, directory=tmp_path / "run")
        assert epsie.open_run(tmp_path / "run").niterations == reached + 3
    finally:
        end(process)


def test_a_forked_process_does_not_write(tmp_path):
    with locked(tmp_path) as held:
        child = os.fork()
        if not child:
            try:
                held.check()
            except RunDirectoryError as error:
                os._exit("forked" in str(error))
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        held.check()
        with pytest.raises(RunDirectoryError, match="another sampler of this process"):
            locked(tmp_path).__enter__()
    assert (tmp_path / "lock").read_bytes() == b""


# ---- who is alive


def left_by(directory, **changes):
    """A lock as some process leaves it that is killed."""
    with locked(directory, 7):
        content = json.loads((directory / "lock").read_bytes())
    (directory / "lock").write_text(json.dumps(content | changes))
    return content | changes


def test_a_number_that_is_used_again(tmp_path):
    """The process has the pid of the holder, but was started later; all see it."""
    sampler().run(5, directory=tmp_path)
    with subprocess.Popen(["sleep", "60"]) as other:
        for changes in ({"pid": other.pid}, {"pid": other.pid, "started": None}):
            left_by(tmp_path, **changes)
            assert "ended before it was done" in state_of(tmp_path)
            MetropolisHastingsSampler.resume(tmp_path, model).run(1)
            left_by(tmp_path, **changes)
            assert unlock(tmp_path).pid == other.pid
        # Of a format without all that.
        (tmp_path / "lock").write_text(json.dumps({"pid": other.pid, "host": socket.gethostname()}))
        assert "ended before it was done" in state_of(tmp_path)
        MetropolisHastingsSampler.resume(tmp_path, model).run(1)
        other.kill()


def test_a_living_process_without_the_operating_systems_lock(tmp_path):
    """As on a file system that has none: its pid and its start are enough."""
    sampler().run(5, directory=tmp_path)
    with subprocess.Popen(["sleep", "60"]) as other:
        started = identity._status(other.pid)[1]
        left_by(tmp_path, pid=other.pid, started=started, system=False)
        assert "being written up to 7" in state_of(tmp_path)
        for attempt in (
            lambda: sampler().run(total=9, directory=tmp_path),
            lambda: unlock(tmp_path),
        ):
            with pytest.raises(RunDirectoryError, match=f"in use by process {other.pid}"):
                attempt()
        other.send_signal(signal.SIGSTOP)
        assert holder(tmp_path).is_alive
        other.kill()
        # A zombie writes nothing more.
        wait_for(lambda: holder(tmp_path).is_alive is False)
        sampler().run(total=9, directory=tmp_path)


def test_a_stopped_holder_is_alive(tmp_path):
    process = writer(tmp_path / "run")
    try:
        process.send_signal(signal.SIGSTOP)
        assert "being written" in state_of(tmp_path / "run")
        with pytest.raises(RunDirectoryError, match=f"in use by process {process.pid}"):
            sampler().run(total=9, directory=tmp_path / "run")
    finally:
        end(process)
    assert "ended before it was done" in state_of(tmp_path / "run")


def test_file_systems_without_locks(tmp_path, monkeypatch):
    import fcntl

    def none(*arguments):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", none)
    said = []

    def asking(x):
        if not said:
            said.append(state_of(tmp_path))
            with pytest.raises(RunDirectoryError, match="another sampler of this process"):
                sampler().run(total=3, directory=tmp_path)
        return model(x)

    made = sampler()
    made.run(1, directory=tmp_path)
    made.model = asking
    made.run(4)
    assert "being written" in said[0]
    assert (tmp_path / "lock").read_bytes() == b""
    left_by(tmp_path, pid=2**22 + 1)
    sampler().run(total=9, directory=tmp_path)


def test_containers_on_one_machine(tmp_path):
    """Numbers mean nothing in another name space; the operating system's lock tells."""
    sampler().run(5, directory=tmp_path)
    left_by(tmp_path, namespace="pid:[1]")
    assert holder(tmp_path).is_alive is False
    MetropolisHastingsSampler.resume(tmp_path, model).run(1)
    with open(tmp_path / "lock", "r+b") as held:
        holders.exclusive(held.fileno())
        left_by_text = {
            "pid": 1,
            "host": socket.gethostname(),
            "started": 1,
            "namespace": "pid:[1]",
        }
        held.write(json.dumps({**left_by_text, "boot": identity.this_process().boot}).encode())
        held.flush()
        assert holder(tmp_path).is_alive
        with pytest.raises(RunDirectoryError, match="in use by process 1"):
            MetropolisHastingsSampler.resume(tmp_path, model).run(1)


# ---- other hosts


JOBS = [
    {"SLURM_JOB_ID": "12", "SLURM_PROCID": "0", "SLURM_STEP_ID": "0"},
    {"PBS_JOBID": "12.server"},
    {"LSB_JOBID": "3", "LSB_JOBINDEX": "1"},
    {"JOB_ID": "3"},
]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: next(iter(job)))
def test_a_requeued_job_takes_over(tmp_path, job, monkeypatch):
    sampler().run(5, directory=tmp_path)
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    left_by(tmp_path, host="elsewhere", boot="b", machine="c")
    sampler().run(total=9, directory=tmp_path)
    assert epsie.open_run(tmp_path).niterations == 9


def test_another_task_of_the_same_job_does_not(tmp_path, monkeypatch):
    sampler().run(5, directory=tmp_path)
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("SLURM_PROCID", "0")
    left_by(tmp_path, host="elsewhere", beats=False)
    monkeypatch.setenv("SLURM_PROCID", "1")
    with pytest.raises(RunDirectoryError, match=f"on elsewhere.*: epsie unlock {tmp_path}"):
        sampler().run(total=9, directory=tmp_path)


def test_a_lock_of_another_host_that_nobody_touches(tmp_path, caplog):
    sampler().run(5, directory=tmp_path)
    left = left_by(tmp_path, host="elsewhere")
    assert "said to be written up to 7 by process" in state_of(tmp_path)
    began = time.monotonic()
    with locked(tmp_path, patience=0.3):
        assert time.monotonic() - began >= 0.3
        assert holder(tmp_path).token != left["token"]
    assert f"epsie unlock {tmp_path}" in caplog.text


def touching(directory, ended):
    while not ended.wait(0.01):
        os.utime(directory / "lock")


def test_a_lock_of_another_host_that_is_touched(tmp_path):
    """Its clock may say what it likes: it changes, and that is seen from here."""
    sampler().run(5, directory=tmp_path)
    left_by(tmp_path, host="elsewhere", since=0.0)
    os.utime(tmp_path / "lock", (1, 1))
    before = (tmp_path / "lock").read_bytes()
    ended = threading.Event()
    thread = threading.Thread(target=touching, args=(tmp_path, ended))
    thread.start()
    try:
        for attempt in (lambda: locked(tmp_path).__enter__(), lambda: unlock(tmp_path)):
            with pytest.raises(RunDirectoryError, match="in use by process .* on elsewhere"):
                attempt()
    finally:
        ended.set()
        thread.join()
    assert (tmp_path / "lock").read_bytes() == before


def test_the_holder_touches_its_lock_however_long_a_step_takes(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "BEAT", 0.01)

    def waits(x):
        before = (tmp_path / "lock").stat().st_mtime_ns
        wait_for(lambda: (tmp_path / "lock").stat().st_mtime_ns != before)
        return model(x)

    made = sampler()
    made.run(1, directory=tmp_path)
    made.model = waits
    made.run(2)
    assert not [thread for thread in threading.enumerate() if thread.name == "epsie-lock"]


def taken_over(directory):
    left = json.loads((directory / "lock").read_bytes())
    (directory / "lock").write_text(json.dumps(left | {"token": "other", "host": "elsewhere"}))


def replaced(directory):
    text = (directory / "lock").read_text()
    (directory / "lock").unlink()
    (directory / "lock").write_text(text.replace('"token": "', '"token": "z'))


LOSING = {"taken over": taken_over, "replaced": replaced,
          "removed": lambda directory: (directory / "lock").unlink()}  # fmt: skip


@pytest.mark.parametrize("how", LOSING)
def test_a_holder_that_lost_its_lock_writes_nothing_more(tmp_path, how):
    calls = [0]

    def losing(x):
        calls[0] += 1
        if calls[0] == 50:
            LOSING[how](tmp_path)
            content = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
            calls.append(content)
        return model(x)

    made = sampler()
    made.run(10, directory=tmp_path)
    made.model = losing
    with pytest.raises(RunDirectoryError, match=f"lock of {tmp_path} was (taken over by|removed)"):
        made.run(100, every=1000)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == calls[1]
    assert made.niterations > 10


def test_the_message_says_what_to_type_and_that_works(tmp_path, monkeypatch):
    monkeypatch.setattr(takeover, "BEAT", 0.01)
    sampler().run(5, directory=tmp_path)
    left_by(tmp_path, host="elsewhere", beats=False)
    with pytest.raises(RunDirectoryError) as caught:
        sampler().run(total=9, directory=tmp_path)
    command = str(caught.value).rpartition(": ")[2].split()
    assert command[:2] == ["epsie", "unlock"]
    subprocess.run([sys.executable, "-m", *command], env=ENVIRONMENT, cwd=ROOT, check=True)
    sampler().run(total=9, directory=tmp_path)
