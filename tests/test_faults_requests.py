"""Signals that ask to save reach all processes of a job; workers leave them to the parent."""

import os
import signal
import subprocess
import sys
import time

import pytest

from epsie.pools import InterruptiblePool

SIGNALS = [signal.SIGUSR1, signal.SIGUSR2]


def pid_of(_):
    time.sleep(0.05)
    return os.getpid()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_request_to_save_does_not_kill_workers(number):
    with InterruptiblePool(2) as pool:
        before = set(pool.map(pid_of, range(8)))
        for pid in before:
            os.kill(pid, number)
        assert set(pool.map(pid_of, range(8))) == before


def code_of_a_program(_):
    """What becomes of a program that a model starts and that gets the signal."""
    program = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGUSR1)"]
    return subprocess.run(program).returncode


def test_programs_that_a_model_starts_heed_signals():
    with InterruptiblePool(1) as pool:
        assert pool.map(code_of_a_program, [0]) == [-signal.SIGUSR1]
