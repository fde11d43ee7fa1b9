"""Many chains on more MPI ranks than cores: how busy workers are, bytes, and the master's limit."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from figure import Figure

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.mpirun import Environment

CHAINS = 2000
ITERATIONS = 100
RANKS = 8
SECONDS = 1e-3
COSTS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Seconds of likelihoods for which it is said how many workers a master can feed."""


def figures(quick: bool) -> Iterator[Figure]:
    """A likelihood that sleeps for 1 ms: eight ranks, of which one deals and seven work."""
    nchains = CHAINS // 10 if quick else CHAINS
    found = _measured(nchains)
    title = f"MPI: {nchains} chains, {found['workers']} workers, run({ITERATIONS}), 1 ms"
    yield Figure(
        f"{title}: wall time over a bare loop's divided by the workers",
        found["elapsed"] / found["bare"],
        "x",
        1.15,
        remark=f"{found['elapsed']:.1f} s; over as many bare loops at the same time: "
        f"{found['elapsed'] / found['bare together']:.3f}",
    )
    yield Figure(
        f"{title}: bytes through the master",
        found["bytes"] / 1e6,
        "MB",
        remark=f"{found['bytes'] / nchains / 1000:.2f} kB a chain",
    )
    yield Figure(
        f"{title}: bytes after 1,000 iterations more over those before",
        found["bytes later"] / found["bytes"],
        "x",
        1.02,
    )
    for stretch, cost in found["master"].items():
        workers = [f"{int(stretch) * seconds / cost:,.0f}" for seconds in COSTS]
        yield Figure(
            f"MPI: processor time of the master for a chain in run({stretch})",
            cost * 1e6,
            "us",
            remark=f"enough for {', '.join(workers)} workers with likelihoods of "
            f"{', '.join(f'{1e3 * seconds:g}' for seconds in COSTS)} ms",
        )


def _measured(nchains: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        job = Environment(Path(folder), "mpich").run(
            RANKS,
            Path(__file__).parent / "mpi_job.py",
            nchains,
            ITERATIONS,
            SECONDS,
            timeout=600,
        )
    if job.code:
        raise RuntimeError(f"the job ended with code {job.code}:\n{job.err}")
    found: dict[str, Any] = json.loads(job.out[-1])
    return found


if __name__ == "__main__":
    for figure in figures("--quick" in sys.argv):
        print(figure.row)
