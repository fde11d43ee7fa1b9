"""Ensembles beside emcee's: time for each evaluation, and how well two processes are used."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

from figure import Figure
from peers import HERE, environment, run_there

PACKAGES = ("emcee>=3.1", str(HERE.parent))


def figures(quick: bool) -> Iterator[Figure]:
    """Against emcee with 32 walkers. Left out if it cannot be installed."""
    try:
        python = environment("ensembles", PACKAGES)
        printed = run_there(python, "ensemble_runs.py", "5" if quick else "15", 1200, HERE.parent)
    except (OSError, subprocess.SubprocessError) as error:
        yield Figure("ensembles", None, "x", remark=f"left out: {error}"[:120])
        return
    for title, value, unit, limit, at_least, remark in json.loads(printed):
        yield Figure(f"ensembles: {title}", value, unit, limit, at_least=at_least, remark=remark)
