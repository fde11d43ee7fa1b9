"""Compare `epsie` with emcee, NUTS and nested sampling: ``python benchmarks/peers_choice.py [n]``.

It makes an environment with all of them, runs `choice_runs` there with n repeats (12), and prints
the tables of the documentation's first page. Times are processor times, given as ratios.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from peers import HERE, environment, run_there

PACKAGES = ("emcee>=3.1", "dynesty>=2.1", "nutpie>=0.13", "numba", "arviz", str(HERE.parent))
BASE = "epsie, Metropolis-Hastings"
TEMPERED = "epsie, parallel tempering"

HEADING = "| | ESS / 1000 evaluations | time per effective sample | evaluations |"


def main() -> None:
    """Print a table for each target."""
    repeats = sys.argv[1] if len(sys.argv) > 1 else "12"
    python = environment("choice", PACKAGES)
    found = json.loads(run_there(python, "choice_runs.py", repeats, 7200, HERE.parent))
    for title in ("10-D", "50-D"):
        print(f"\n{title} Gaussian\n\n{HEADING} log Z: rms error, stated |\n|---|---|---|---|---|")
        for name, row in found[title].items():
            print(_row(name, row, found[title][BASE], f"{row['ess']:.3g}"))
    print(f"\nTwo peaks\n\n{HEADING} log Z | rms error of the weight |\n|---|---|---|---|---|---|")
    for name, row in found["peaks"].items():
        text = _row(name, row, found["peaks"][TEMPERED], f"{row['ess']:.2g}")
        print(f"{text} {row['rms']:.2g} |")


def _row(name: str, row: dict[str, Any], base: dict[str, Any], ess: str) -> str:
    log_z = "" if row["off"] is None else f"{row['off']:.2f}, {row['error']:.2f}"
    slower = base["rate"] / row["rate"]
    return f"| {name} | {ess} | {slower:.2g} x | {row['evaluations']:,.0f} | {log_z} |"


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(error.stderr)
