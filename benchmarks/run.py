"""Measure the figures that `epsie` is held to: ``python benchmarks/run.py [--quick] [names...]``.

It prints one markdown table of figures against their limits. With ``--check`` the exit code is 1
if a limit is missed.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys

import numpy as np
from figure import HEADING, Figure

NAMES = (
    "step",
    "tempering",
    "call",
    "priors",
    "memory",
    "imports",
    "traffic",
    "parallel",
    "ensembles",
    "vectorized",
    "peers",
    "saving",
    "watching",
    "mpi",
)


def main() -> int:
    """Measure what is asked for, everything by default."""
    parser = argparse.ArgumentParser(description="Measure the figures that epsie is held to.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter slices")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a limit is missed")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; choose from {', '.join(NAMES)}")
    print(f"{_machine()}\n\n{HEADING}", flush=True)
    missed = []
    for name in options.names or NAMES:
        for figure in importlib.import_module(name).figures(options.quick):
            print(figure.row, flush=True)
            missed += [figure] if figure.missed else []
    print(f"\n{_verdict(missed)}")
    return 1 if options.check and missed else 0


def _machine() -> str:
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores{load}"
    )


def _verdict(missed: list[Figure]) -> str:
    if not missed:
        return "No limit is missed."
    return f"{len(missed)} missed: " + "; ".join(figure.name for figure in missed)


if __name__ == "__main__":
    sys.exit(main())
