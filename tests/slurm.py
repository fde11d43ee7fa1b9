"""A real SLURM of one node: in a folder of its own, without root or systemd, on loopback only.

``python slurm.py command ...`` keeps a daemon, see `keep`.
"""

import contextlib
import ctypes
import getpass
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.mpirun import REPOSITORY

PROGRAMS = ("munged", "mungekey", "slurmctld", "slurmd", "srun", "sbatch", "scancel", "scontrol")
PLACES = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
"""Daemons are not in the path of everybody."""
PATIENCE = 240
"""Seconds after which something is not late but will never come."""

SETTINGS = """
ClusterName=test
FirstJobId={first}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=30
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
MailProg=/bin/true
ReturnToService=2
KillWait=5
SlurmdTimeout=30
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=8
PartitionName=all Nodes=node Default=YES State=UP
"""
"""A job that is started again waits until its credential has expired: 30 s, by default 120. A node
that is silent for 30 s has failed, by default 300."""


def lacking():
    """The programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name, path=PLACES) is None]


def keep(command):
    """Run a daemon until standard input ends, and kill it then with all that came of it.

    What daemonizes stays below this process, so nothing outlives it; and as standard input is a
    pipe from the tests, it ends when they do, however they do.
    """
    subreaper = 36
    ctypes.CDLL(None).prctl(subreaper, 1, 0, 0, 0)
    signal.signal(signal.SIGCHLD, _bury)
    daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    sys.stdin.buffer.read()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # All are stopped first, and children killed before parents: none sees another die.
    _signal_all_below(signal.SIGSTOP, 1)
    memory = {path for pid in _below(os.getpid()) for path in _shared_memory(pid)}
    _signal_all_below(signal.SIGKILL, -1)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    for path in memory:
        path.unlink(missing_ok=True)
    del daemon


def _bury(number, frame):
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _signal_all_below(number, step):
    sent = set()
    while new := [pid for pid in _below(os.getpid())[::step] if pid not in sent]:
        sent.update(new)
        for pid in new:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _shared_memory(pid):
    """The files of shared memory that a process has.

    A loss of power removes them, SIGKILL does not, and MPICH waits for ever if it finds one of the
    same job and step.
    """
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            path = line.partition("/dev/shm/")[2]
            if path and not path.endswith("(deleted)"):
                yield Path("/dev/shm", path)


def _below(root):
    """The processes below one, parents before their children."""
    children = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the name, which may have anything in it: state and parent.
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, ())
    return found[1:]


class Cluster:
    """A controller and a node. What a job needs to know beside is in `variables`."""

    def __init__(self, folder, **variables):
        self.folder = folder
        for name in ("state", "spool"):
            (folder / name).mkdir()
        with contextlib.ExitStack() as sockets:
            free = [sockets.enter_context(socket.socket()) for _ in range(2)]
            for each in free:
                each.bind(("127.0.0.1", 0))
            ports = [each.getsockname()[1] for each in free]
        host = socket.gethostname().partition(".")[0]
        settings = SETTINGS.format(
            host=host,
            ports=ports,
            user=getpass.getuser(),
            folder=folder,
            first=random.randrange(1, 10**7),
        )
        (folder / "slurm.conf").write_text(settings)
        foreign = ("SLURM", "SBATCH", "SQUEUE", "PMI")
        own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.variables = {**own, "SLURM_CONF": str(folder / "slurm.conf"), **variables}
        self._kept = {}

    def __enter__(self):
        """Start all daemons, and wait for them."""
        key, munge = self.folder / "munge.key", self.folder / "munge.socket"
        self("mungekey", "--create", f"--keyfile={key}")
        files = [
            f"--{name}-file={self.folder / f'munge.{name}'}" for name in ("log", "pid", "seed")
        ]
        try:
            self._keep("munged", "-F", "--force", f"--socket={munge}", f"--key-file={key}", *files)
            until(munge.exists, self.said)
            self._keep("slurmctld", "-D")
            self.start_node()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in list(self._kept)[::-1]:
            self._kill(name)

    def __call__(self, *command, **settings):
        """What a command prints."""
        program = shutil.which(command[0], path=PLACES)
        done = subprocess.run(
            [program, *command[1:]],
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            **settings,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}\n{self.said()}"
        return done.stdout.strip()

    def start_node(self):
        """Start the node, and wait until the controller uses it."""
        self._keep("slurmd", "-D", "-N", "node")
        until(lambda: self._node() in ("IDLE", "MIXED", "ALLOCATED"), self.said)

    def kill_node(self):
        """Kill the node's daemon and all processes of all jobs, as a loss of power does."""
        self._kill("slurmd")

    def submit(self, *command, **settings):
        """A new job."""
        return Job(self, int(self("sbatch", "--parsable", *map(str, command), **settings)))

    def said(self):
        """The last lines of all daemons."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{log.name}:\n{log.read_text()[-1500:]}" for log in logs)

    def _node(self):
        try:
            return facts(self("scontrol", "-o", "show", "node", "node"))["State"]
        except (AssertionError, KeyError):
            return ""

    def _keep(self, name, *arguments):
        with (self.folder / f"{name}.log").open("ab") as log:
            self._kept[name] = subprocess.Popen(
                [sys.executable, "-m", "tests.slurm", shutil.which(name, path=PLACES), *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=REPOSITORY,
                env=self.variables,
                start_new_session=True,
            )

    def _kill(self, name):
        kept = self._kept.pop(name)
        kept.stdin.close()
        kept.wait(PATIENCE)


@dataclass(frozen=True)
class Job:
    """A job of a cluster."""

    cluster: Cluster
    number: int

    @property
    def facts(self):
        """What SLURM says of it, by SLURM's names."""
        return facts(self.cluster("scontrol", "-o", "show", "job", str(self.number)))

    def wait(self, *states, restarts=0):
        """Wait until it is in one of these states, having been started again so often."""

        def reached():
            found = self.facts
            return found["JobState"] in states and int(found["Restarts"]) >= restarts

        until(reached, lambda: f"{self.facts}\n{self.cluster.said()}")
        return self.facts

    def update(self, **settings):
        """Change what was asked for."""
        changes = [f"{name}={value}" for name, value in settings.items()]
        self.cluster("scontrol", "update", f"JobId={self.number}", *changes)

    def signal(self, name):
        """Send a signal to its processes; not to the shell that runs the batch script."""
        self.cluster("scancel", f"--signal={name}", str(self.number))

    def cancel(self):
        """End it."""
        self.cluster("scancel", str(self.number))


def facts(line):
    """``name=value`` pairs as a dict."""
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


def until(condition, what=str):
    """Wait for something; after minutes it is an error that says what there is instead."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what()
        time.sleep(0.1)


if __name__ == "__main__":
    keep(sys.argv[1:])
