"""Signals that ask to save reach all processes of a job; workers leave them to the parent."""

import os
import signal
import subprocess
import sys

import pytest

from epsie.pools import InterruptiblePool

SIGNALS = [signal.SIGUSR1, signal.SIGUSR2]


@pytest.mark.parametrize("number", SIGNALS)
def test_a_request_to_save_does_not_kill_workers(number):
    with InterruptiblePool(2) as pool:
        assert pool.map(abs, range(8)) == list(range(8))
        before = {worker.pid for worker in pool._workers}
        for pid in before:
            os.kill(pid, number)
        assert pool.map(abs, range(8)) == list(range(8))
        assert {worker.pid for worker in pool._workers} == before


def code_of_a_program(_):
    """What becomes of a program that a model starts and that gets the signal."""
    program = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGUSR1)"]
    return subprocess.run(program).returncode


def test_programs_that_a_model_starts_heed_signals():
    with InterruptiblePool(1) as pool:
        assert pool.map(code_of_a_program, [0]) == [-signal.SIGUSR1]
