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

HERE = Path(__file__).parent

PACKAGES = ("epsie==1.0.0", "emcee>=3.1")


def figures(quick: bool) -> Iterator[Figure]:
    """EPSIE 1.0 and emcee with the same models. Left out if they cannot be installed."""
    try:
        python = environment("peers", PACKAGES)
        found = _measured(python, quick)
    except (OSError, subprocess.SubprocessError) as error:
        yield Figure("peers", None, "x", remark=f"left out: {reason(error)}")
        return
    for title, ratio, loop, bare in found:
        yield Figure(f"peers: {title}", ratio, "x", remark=f"{loop:.1f} over {bare:.2f} µs")


def environment(name: str, packages: tuple[str, ...]) -> Path:
    """The Python of an environment that has the packages; made when first asked for."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = cache / "epsie-benchmarks" / f"{name}-{version}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    done = folder / "installed.txt"
    if not done.exists() or done.read_text().split("\n") != list(packages):
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *packages], check=True, capture_output=True, text=True, timeout=1800)
        done.write_text("\n".join(packages))
    return python


def run_there(
    python: Path,
    script: str,
    argument: str,
    timeout: float | None,
    path: Path | None = None,
    **settings: str,
) -> str:
    """The last line that a script beside this one prints in another environment.

    This project is not found there, only what the environment holds, unless it is the `path`.
    Settings are variables of that environment.
    """
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | settings
    if path is not None:
        clean["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [str(python), "-W", "ignore", str(HERE / script), argument],
        check=True,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=clean,
    )
    return done.stdout.splitlines()[-1]


def _measured(python: Path, quick: bool) -> list[tuple[str, float, float, float]]:
    printed = run_there(python, "peer_steps.py", "15" if quick else "40", timeout=1200)
    found: list[tuple[str, float, float, float]] = json.loads(printed)
    return found


def reason(error: Exception) -> str:
    """The last line of what went wrong."""
    said = getattr(error, "stderr", None) or str(error)
    return str(said).strip().splitlines()[-1].replace("|", "/")[:120]
