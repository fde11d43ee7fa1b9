"""What importing the samplers costs, in interpreters of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from figure import Figure

HEAVY = ("scipy.stats", "h5py", "mpi4py", "matplotlib")

SCRIPT = f"""
import sys
import numpy
from time import perf_counter
start = perf_counter()
import epsie.samplers
elapsed = perf_counter() - start
print(elapsed, *[name for name in {HEAVY} if name in sys.modules])
"""


def figures(quick: bool) -> Iterator[Figure]:
    """Seconds after numpy, and the number of heavy modules imported along."""
    answers = [_fresh() for _ in range(3 if quick else 9)]
    times = [float(answer[0]) for answer in answers]
    found = answers[0][1:]
    remark = f"least of {len(times)} interpreters; median {median(times):.3f}"
    yield Figure("imports: epsie.samplers after numpy", min(times), "s", 0.4, remark=remark)
    remark = " ".join(found) or f"none of {', '.join(HEAVY)}"
    yield Figure("imports: heavy modules imported", len(found), "", 0, remark=remark)


def _fresh() -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    return done.stdout.split()
