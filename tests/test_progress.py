"""The bar, seen on a real terminal; what is logged; and that nothing else is said."""

import fcntl
import logging
import os
import re
import struct
import subprocess
import sys
import termios
import threading
from pathlib import Path

import numpy as np
import pytest

import epsie
from epsie.errors import ModelError
from epsie.proposals import ATAdaptiveNormal
from epsie.running.attaching import advanced
from epsie.running.progress import Bar, Progress, roughly
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.storage.statetree import encode
from tests.statistical import generator
from tests.test_diagnostics import ar1

ROOT = Path(__file__).parent.parent


def gauss(x, y):
    return -(x * x + y * y) / 2, 0.0


def made(cls=MetropolisHastingsSampler, model=gauss, **kwargs):
    shape = (4,)
    if cls is ParallelTemperedSampler:
        shape, kwargs["betas"] = (2, 4), [1.0, 0.3]
    parts = [ATAdaptiveNormal(["x", "y"], 300)]
    sampler = cls(["x", "y"], model, 4, proposals=parts, seed=1, **kwargs)
    sampler.start_position = {"x": np.ones(shape), "y": np.zeros(shape)}
    return sampler


class Terminal:
    """A terminal as standard error; `text` is what was written to it."""

    def __enter__(self):
        self.master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 150, 0, 0))
        self.pieces = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        self.former, sys.stderr = sys.stderr, os.fdopen(slave, "w")
        return self

    def _read(self):
        while True:
            try:
                piece = os.read(self.master, 4096)
            except OSError:
                return
            if not piece:
                return
            self.pieces.append(piece)

    def __exit__(self, *_):
        sys.stderr.close()
        sys.stderr = self.former
        self.reader.join()
        os.close(self.master)

    @property
    def text(self):
        return b"".join(self.pieces).decode()


@pytest.fixture
def quick(monkeypatch):
    """Rounds of some milliseconds, and all of the time for what the bar says."""
    monkeypatch.setattr("epsie.running.progress.Progress.seconds", 0.05)
    monkeypatch.setattr("epsie.running.saving.SaveTo.round_seconds", 0.05)
    monkeypatch.setattr("epsie.running.progress._SHARE", 1.0)


@pytest.mark.parametrize("cls", [MetropolisHastingsSampler, ParallelTemperedSampler])
@pytest.mark.parametrize("on_disk", [False, True])
def test_the_bar_on_a_terminal(cls, on_disk, tmp_path, quick):
    where = {"directory": tmp_path / "run"} if on_disk else {}
    sampler = made(cls)
    with Terminal() as terminal:
        sampler.run(700, progress=True, **where)
    last = [line for line in re.split(r"[\r\n]", terminal.text) if line.strip()][-1]
    assert "700/700" in last and "it/s" in last
    assert re.search(r"acceptance 0\.\d\d, ESS about \d+, slowest chain [0-3] \(\d+\)", last)
    counts = [int(n) for n in re.findall(r"(\d+)/700", terminal.text)]
    assert counts == sorted(counts)
    plain = made(cls)
    plain.run(700)
    assert encode(plain.state) == encode(sampler.state)


def test_a_run_that_stops_early_ends_its_bar(quick):
    sampler = made()
    with Terminal() as terminal:
        sampler.run(50_000, progress=True, until={"ess": 100, "rhat": 1.1})
    assert sampler.niterations < 50_000
    assert f"{sampler.niterations}/50000" in terminal.text


def test_the_bar_of_a_run_of_unknown_length_and_its_start():
    with Terminal() as terminal:
        run = epsie.sample(lambda x: -x * x / 2, {"x": (-9, 9)}, seed=1, max_evaluations=3000)
    assert re.search(r"annealed start: level \d+, beta 1, \d+ evaluations \[", terminal.text)
    assert f"{run.niterations}it [" in terminal.text


def test_no_bar_unless_asked_for():
    with Terminal() as terminal:
        made().run(50)
        made().run(0, progress=True)
    assert terminal.text == ""


SILENT = """
import sys, tempfile, logging
from tests.test_progress import made
s = made()
s.run(300, progress=True)
with tempfile.TemporaryDirectory() as path:
    s.run(200, progress=True, directory=path + "/run", until={"ess": 1e6})
    s.summary()
    type(s).resume(path + "/run", s.model).run(1)
"""


def test_nothing_is_printed_where_there_is_no_terminal():
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SILENT], env=environment, cwd=ROOT, capture_output=True, check=True
    )
    assert done.stdout == done.stderr == b""


def test_the_bar_says_which_chain_is_slow():
    """Autoregressions of known length; the figures are rough, so within a factor of 2."""
    rng = generator("slow chain")
    n = 4000
    x = ar1(rng, 0.5, 4, n)
    y = ar1(rng, 0.8, 4, n)
    text = roughly(np.array([x, y, np.ones((4, n)), np.full((4, n), -np.inf)]))
    total = int(re.search(r"about (\d+)", text)[1])
    assert 0.5 < total / (4 * n / 9) < 2
    y[2] = ar1(rng, 0.99, 1, n)
    assert "slowest chain 2" in roughly(np.array([x, y]))
    y[1] = 1.0
    assert "slowest chain 1 (0)" in roughly(np.array([x, y]))
    assert roughly(np.ones((1, 4, n))) == roughly(None) == ""
    assert "slowest" not in roughly(x[None, :1])


def test_the_bar_holds_little(quick):
    sampler = made()
    with Terminal():
        progress = Progress(True)
        advanced(sampler, 1500, progress)
        assert isinstance(progress.bar, Bar)
        assert progress.bar._trace.values.shape[-1] <= 512


def test_figures_cost_no_more_than_their_share():
    """A bar whose last figures took long waits with the next."""
    sampler = made()
    rounds = [[new for (new,) in advanced(sampler, 40, Progress()).segments] for _ in range(2)]
    with Terminal(), Bar(80) as bar:
        bar._began -= 1e3
        bar.saw(rounds[0])
        first = bar._ess
        assert "ESS about" in first
        bar._last = 1e6
        bar.saw(rounds[1])
        assert bar._ess == first
        bar._last = 0.0
        bar.saw(rounds[1])
        assert bar._ess != first


# ---- logging


def test_what_is_logged(tmp_path, caplog):
    caplog.set_level(logging.DEBUG, "epsie")
    sampler = made()
    sampler.run(100, directory=tmp_path / "run", every=60)
    type(sampler).resume(tmp_path / "run", gauss).run(28, until={"ess": 1e6})
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    texts = [text for _, text in told]
    assert texts[0] == "run of 100 iterations of 4 chains from iteration 0"
    path = str(tmp_path / "run")
    assert ("DEBUG", f"saved iteration 60 in {path}") in told
    assert ("DEBUG", f"saved iteration 100 in {path}") in told
    assert ("INFO", f"resumed {path} at iteration 100") in told
    assert any(text.startswith("run ended at iteration 100 after ") for text in texts)
    assert ("INFO", "run of at most 28 iterations of 4 chains from iteration 100") in told
    checked = "check at iteration 128: the burn-in ends at iteration 300"
    assert ("DEBUG", checked) in told
    assert told[-1] == (
        "WARNING",
        "not reached at iteration 128: the burn-in ends at iteration 300",
    )


def test_a_failure_is_logged(caplog):
    def fails(x, y):
        raise RuntimeError("no")

    sampler = made()
    sampler.model = fails
    caplog.set_level(logging.INFO, "epsie")
    with pytest.raises(ModelError):
        sampler.run(5)
    assert "run ended at iteration 0 by ModelError" in caplog.text


def test_the_library_leaves_logging_to_the_user():
    handlers = logging.getLogger("epsie").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)
    assert logging.getLogger("epsie").level == logging.NOTSET


NOTEBOOK = """
from tests.test_progress import made
made().run(3000, progress=True)
"""


@pytest.mark.slow
def test_the_bar_in_a_notebook(tmp_path, monkeypatch):
    """A real kernel, which says of its standard error that it is no terminal."""
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(ROOT)
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK)])
    client.NotebookClient(book, timeout=250).execute()
    # As text in the output, or in the state of its widgets.
    assert "3000/3000" in str(book)
    assert "acceptance 0." in str(book).replace("\u2007", " ")
