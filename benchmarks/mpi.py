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
HOW = {
    "portions": "several chains a message",
    "one by one": "one a message",
    "together": "512 together as arrays",
    "learning": "while they learn together",
}
"""How chains are dealt out."""
COSTS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Seconds of likelihoods for which it is said how many workers a master can feed."""


def figures(quick: bool) -> Iterator[Figure]:
    """A likelihood that sleeps for 1 ms: eight ranks, of which one deals and seven work."""
    nchains = CHAINS // 10 if quick else CHAINS
    with tempfile.TemporaryDirectory() as folder:
        found = measured(Environment(Path(folder), "mpich"), RANKS, nchains)
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
    for how in HOW:
        yield from _master(how, found[how])


def _master(how: str, costs: dict[str, tuple[float, float]]) -> Iterator[Figure]:
    """What a chain costs rank 0, and how many workers it can feed."""
    for stretch, (cost, nbytes) in costs.items():
        workers = [f"{int(stretch) * seconds / cost:,.0f}" for seconds in COSTS]
        yield Figure(
            f"MPI: processor time of rank 0 for a chain in run({stretch}), {HOW[how]}",
            cost * 1e6,
            "us",
            remark=f"{nbytes / 1000:.2f} kB; enough for {', '.join(workers)} workers with "
            f"likelihoods of {', '.join(f'{1e3 * seconds:g}' for seconds in COSTS)} ms",
        )


def measured(
    job: Environment, ranks: int, nchains: int, niterations: int = ITERATIONS, costs: bool = True
) -> Any:
    """What `mpi_job` finds on so many ranks, with what chains cost rank 0 or without.

    Raises
    ------
    RuntimeError
        If the job fails.
    """
    script = Path(__file__).parent / "mpi_job.py"
    more = ["costs"] if costs else []
    ended = job.run(ranks, script, nchains, niterations, SECONDS, *more, timeout=600)
    if ended.code:
        raise RuntimeError(f"the job ended with code {ended.code}:\n{ended.err}")
    return json.loads(ended.out[-1])


if __name__ == "__main__":
    for figure in figures("--quick" in sys.argv):
        print(figure.row)
