"""Workers that do nothing while they are waited for are named in the log, and no others."""

import logging
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from epsie.pools import InterruptiblePool
from epsie.process.identity import activity
from epsie.samplers import MetropolisHastingsSampler
from tests.statistical import seed


class Once:
    """Does something at its first call anywhere."""

    def __init__(self, folder, act, *args):
        self.mark, self.act, self.args = str(folder / "mark"), act, args

    def __call__(self, x, y):
        try:
            open(self.mark, "x").close()
        except FileExistsError:
            pass
        else:
            self.act(*self.args)
        return -x * x - y * y, 0.0


def stop():
    os.kill(os.getpid(), signal.SIGSTOP)


def compute(path):
    while not os.path.exists(path):
        pass


def compute_elsewhere(path):
    code = "import os, sys\nwhile not os.path.exists(sys.argv[1]): pass"
    subprocess.run([sys.executable, "-c", code, path], check=True)


def sleep(path):
    while not os.path.exists(path):
        time.sleep(0.1)


def sampler(model, pool):
    # The model acts in a chain's first step, not at its start.
    made = MetropolisHastingsSampler(["x", "y"], quick, 3, seed=seed(), pool=pool)
    made.start_position = {"x": np.zeros(3), "y": np.zeros(3)}
    made.run(1)
    made._executor.check_workers = False
    made.model = model
    return made


def quick(x, y):
    return -x * x - y * y, 0.0


@pytest.fixture
def said(monkeypatch):
    """What the log says; the first warning is answered by a function."""
    monkeypatch.setattr("epsie.pools.own.process.Silence.interval", 0.05)

    class Heard(logging.Handler):
        answer = staticmethod(lambda text: None)

        def __init__(self):
            super().__init__(logging.WARNING)
            self.texts = []

        def emit(self, record):
            self.texts.append(record.getMessage())
            self.answer(self.texts[-1])

    handler = Heard()
    logger = logging.getLogger("epsie")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def pid_in(text):
    return int(re.search(r"process (\d+)", text)[1])


def expected():
    made = sampler(quick, None)
    made.run(20)
    return made.positions.tobytes()


def test_a_stopped_worker_is_named(tmp_path, said):
    said.answer = lambda text: os.kill(pid_in(text), signal.SIGCONT)
    with InterruptiblePool(2) as pool:
        made = sampler(Once(tmp_path, stop), pool)
        made.run(20)
    assert made.positions.tobytes() == expected()
    (text,) = said.texts
    assert re.search(r"which has chain \d, is stopped.*kill -CONT \d+", text)


@pytest.mark.slow
def test_one_that_is_ended_then_is_replaced(tmp_path, said):
    said.answer = lambda text: os.kill(pid_in(text), signal.SIGKILL)
    with InterruptiblePool(2) as pool:
        made = sampler(Once(tmp_path, stop), pool)
        made.run(20)
    assert made.positions.tobytes() == expected()
    assert len(said.texts) == 1


@pytest.mark.parametrize("size", [1, pytest.param(10**7, marks=pytest.mark.slow)])
def test_one_that_was_stopped_while_it_was_idle(said, size):
    """Also if what it is given does not fit into its socket."""
    said.answer = lambda text: os.kill(pid_in(text), signal.SIGCONT)
    with InterruptiblePool(1) as pool:
        assert pool.map(len, [b"1"]) == [1]
        (worker,) = pool._workers
        os.kill(worker.pid, signal.SIGSTOP)
        while not activity(worker.pid).is_stopped:
            time.sleep(0.01)
        assert pool.map(len, [bytes(size)]) == [size]
    (text,) = said.texts
    assert f"process {worker.pid}, which has item 0, is stopped" in text


@pytest.mark.slow
def test_one_that_is_stopped_twice_is_named_twice(tmp_path, said):
    said.answer = lambda text: os.kill(pid_in(text), signal.SIGCONT)

    def stop_twice(seconds):
        for _ in range(2):
            stop()
            end = time.process_time() + seconds
            while time.process_time() < end:
                pass

    with InterruptiblePool(1) as pool:
        made = sampler(Once(tmp_path, stop_twice, 1.0), pool)
        made.run(20)
    assert made.positions.tobytes() == expected()
    assert len(said.texts) == 2


@pytest.mark.slow
@pytest.mark.parametrize("act", [compute, pytest.param(compute_elsewhere, marks=pytest.mark.slow)])
def test_one_that_computes_is_not_named(tmp_path, monkeypatch, said, act):
    """However long: it takes until it was looked at a hundred times."""
    looks, end = [], tmp_path / "end"

    def looked(pid):
        looks.append(pid)
        if len(looks) == 100:
            end.touch()
        return activity(pid)

    monkeypatch.setattr("epsie.pools.own.process.activity", looked)
    # Ten times as long as a loaded machine lets it wait for its core.
    monkeypatch.setattr("epsie.pools.own.process.Silence.patience", 2.0)
    with InterruptiblePool(1) as pool:
        made = sampler(Once(tmp_path, act, str(end)), pool)
        made.run(20)
    assert len(looks) >= 100
    assert said.texts == []


def test_one_that_waits_is_named_after_a_while(tmp_path, monkeypatch, said):
    monkeypatch.setattr("epsie.pools.own.process.Silence.patience", 0.5)
    end = tmp_path / "end"
    said.answer = lambda text: end.touch() if len(said.texts) == 2 else None
    with InterruptiblePool(1) as pool:
        made = sampler(Once(tmp_path, sleep, str(end)), pool)
        made.run(20)
    assert made.positions.tobytes() == expected()
    for text in said.texts:
        assert re.search(r"nothing was heard of .* has chain \d, and it used no processor", text)


def test_where_nothing_can_be_known_that_is_said(tmp_path, monkeypatch, said):
    monkeypatch.setattr("epsie.pools.own.process.Silence.patience", 0.5)
    monkeypatch.setattr("epsie.pools.own.process.activity", lambda pid: None)
    end = tmp_path / "end"
    said.answer = lambda text: end.touch()
    with InterruptiblePool(1) as pool:
        sampler(Once(tmp_path, compute, str(end)), pool).run(20)
    assert "whether it computes cannot be seen on this system" in said.texts[0]


def test_minutes():
    """A model may take ten of them without a word, whether or not it uses the processor."""
    from epsie.pools.own.process import Silence

    assert Silence.patience == 600 and Silence.interval == 10


def test_activity():
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            first = activity(process.pid)
            while not activity(process.pid).seconds > first.seconds:
                time.sleep(0.01)
            assert activity(os.getpid()).seconds >= activity(process.pid).seconds
            process.send_signal(signal.SIGSTOP)
            while not activity(process.pid).is_stopped:
                time.sleep(0.01)
        finally:
            process.kill()
    assert activity(process.pid) is None
