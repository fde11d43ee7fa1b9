"""The step of other samplers over the bare loop, each in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

from figure import Figure

PACKAGES = ("epsie==1.0.0", "emcee>=3.1")


def figures(quick: bool) -> Iterator[Figure]:
    """EPSIE 1.0 and emcee with the same models. Left out if they cannot be installed."""
    try:
        python = _environment()
        found = _measured(python, quick)
    except (OSError, subprocess.SubprocessError) as error:
        yield Figure("peers", None, "x", remark=f"left out: {_reason(error)}")
        return
    for title, ratio, loop, bare in found:
        yield Figure(f"peers: {title}", ratio, "x", remark=f"{loop:.1f} over {bare:.2f} µs")


def _environment() -> Path:
    """The Python of an environment that has the packages; made when first asked for."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache / "epsie-benchmarks" / f"peers-{version}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = folder / "installed.txt"
    if not done.exists() or done.read_text().split() != list(PACKAGES):
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES], check=True, capture_output=True, text=True, timeout=600)
        done.write_text("\n".join(PACKAGES))
    return python


def _measured(python: Path, quick: bool) -> list[tuple[str, float, float, float]]:
    script = Path(__file__).with_name("peer_steps.py")
    # This project must not be found there, only what the environment holds.
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(python), "-W", "ignore", str(script), "15" if quick else "40"],
        check=True,
        capture_output=True,
        text=True,
        timeout=1200,
        env=clean,
    )
    found: list[tuple[str, float, float, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def _reason(error: Exception) -> str:
    """The last line of what went wrong."""
    said = getattr(error, "stderr", None) or str(error)
    return str(said).strip().splitlines()[-1].replace("|", "/")[:120]
