"""Runs that are sent two signals at once, again and again, and what becomes of them.

``python -m tests.signalled count seed``: each run is a process of its own, forked by one that has
imported all it needs. A line of JSON for each.
"""

import contextlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import epsie
from epsie.errors import RunDirectoryError
from epsie.samplers import MetropolisHastingsSampler

PAIRS = [("SIGINT", "SIGINT"), ("SIGTERM", "SIGTERM"), ("SIGINT", "SIGTERM")]
KINDS = [(pool, saved) for pool in (None, 2) for saved in (False, True)]
CODES = {"SIGINT": {-signal.SIGINT, 130}, "SIGTERM": {-signal.SIGTERM, 143}}
"""Of the process; a shell gives 130 and 143 for all of them."""

WATCHED = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM]
LONGEST = 3000


def slow(x, y):
    time.sleep(0.0005)
    return quick(x, y)


def quick(x, y):
    return -x * x - y * y, 0.0


def sampler(model, pool=None):
    made = MetropolisHastingsSampler(["x", "y"], model, 2, seed=3, pool=pool)
    made.start_position = {"x": np.zeros(2), "y": np.zeros(2)}
    return made


def outcomes(count, seed):
    """What becomes of so many runs: a dict for each, with what is wrong with it."""
    found = subprocess.run(
        [sys.executable, "-m", "tests.signalled", str(count), str(seed)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
        cwd=Path(__file__).parent.parent,
    )
    return [json.loads(line) for line in found.stdout.splitlines()]


def outcome(number, rng, directory, expected):
    """Fork a run, send it two signals, and look at what it leaves behind."""
    pool, saved = KINDS[number % len(KINDS)]
    pair = PAIRS[number // len(KINDS) % len(PAIRS)]
    handled = rng.random() < 0.3
    delay, gap = rng.uniform(0, 0.08), rng.uniform(0, 0.001) * rng.randrange(2)
    back, out = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(back)
        if handled:
            signal.signal(signal.SIGTERM, ends)
        run(pool, directory if saved else None, out)
    os.close(out)
    with os.fdopen(back) as heard:
        assert heard.readline() == "ready\n"
        time.sleep(delay)
        for i, name in enumerate(pair):
            time.sleep(gap * i)
            os.kill(pid, getattr(signal, name))
        report = heard.read() if select.select([heard], [], [], 200)[0] else '["deaf"]'
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL if report == '["deaf"]' else 0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    wrong = [*json.loads(report or "[]")]
    allowed = set.union(*(CODES[name] for name in pair))
    wrong += [] if code in allowed else [f"exit code {code}"]
    killed = "SIGTERM" in pair and code == -signal.SIGTERM
    wrong += [] if report or killed else ["no report"]
    wrong += left_wrong(directory, expected) if saved else []
    of = {"pool": pool, "saved": saved, "pair": pair, "handled": handled}
    return {**of, "code": code, "wrong": wrong}


def run(pool, directory, out):
    """In the child: run until a signal comes, and say what is not as it was."""
    former = [signal.getsignal(number) for number in WATCHED]
    made = sampler(slow, pool)
    made.run(2)
    try:
        try:
            os.write(out, b"ready\n")
            made.run(10**6, directory=directory)
        except BaseException as error:
            ended_by = error
            time.sleep(0.02)
    except (KeyboardInterrupt, SystemExit):
        # The second one came late.
        pass
    wrong = [] if isinstance(ended_by, KeyboardInterrupt | SystemExit) else [repr(ended_by)]
    wrong += [] if [signal.getsignal(n) for n in WATCHED] == former else ["other handlers"]
    wrong += ["deaf"] if is_deaf() else []
    try:
        made.run(3)
    except Exception as failure:
        wrong.append(f"cannot go on: {failure!r}")
    os.write(out, json.dumps(wrong).encode())
    raise ended_by


def ends(number, frame):
    """A handler of one's own."""
    raise SystemExit(128 + number)


def is_deaf():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        return False
    return True


def left_wrong(directory, expected):
    """What is wrong with the run in a directory: it is to be whole, and to go on."""
    try:
        made = MetropolisHastingsSampler.resume(directory, quick)
    except RunDirectoryError as error:
        if "holds no run" not in str(error) and "does not exist" not in str(error):
            return [repr(error)]
        made = sampler(quick)
    made.run(5, directory=directory)
    found = epsie.open_run(directory).positions
    start = made.niterations - found.shape[-1]
    same = np.array_equal(found, expected[:, start : made.niterations])
    return [] if same else ["other samples"]


if __name__ == "__main__":
    # A shell lets what it starts in the background ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    whole = sampler(quick)
    whole.run(LONGEST)
    rng = random.Random(int(sys.argv[2]))
    for number in range(int(sys.argv[1])):
        with tempfile.TemporaryDirectory() as folder:
            found = outcome(number, rng, str(Path(folder) / "run"), whole.positions)
        print(json.dumps(found), flush=True)
