"""Installing this package over and beside EPSIE 1.0.0, whose name it has."""

import site
import subprocess
import sys
from pathlib import Path

import pytest

import epsie

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent
OLD = "epsie==1.0.0"
NEEDS = "six"  # the old one does

LOOK = """
import importlib.metadata, pathlib, pkgutil, sys
import epsie, epsie.samplers, epsie.proposals
home = pathlib.Path(epsie.__file__).parent
assert [str(place) for place in epsie.__path__] == [str(home)]
names = [module.name for module in pkgutil.walk_packages(epsie.__path__, "epsie.")]
print(getattr(epsie, "__version__", None))
print(importlib.metadata.version("epsie"))
print(sum(found.metadata["Name"] == "epsie" for found in importlib.metadata.distributions(
    path=[str(home.parent)])))
print(home)
print(*names)
"""


@pytest.fixture
def environment(tmp_path):
    """A fresh environment that sees what this one has installed, after its own."""
    home = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "zz_outer.pth").write_text("\n".join(site.getsitepackages()))
    return home / "bin" / "python", packages


def pip(python, *arguments):
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(python, *what):
    """Without dependencies, which are in the outer environment."""
    pip(python, "install", "--no-deps", *what)


def look(python):
    """Version, that of the metadata, how many of that name, where it is, and its modules."""
    done = subprocess.run(
        [python, "-P", "-c", LOOK], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"},
        cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    version, metadata, count, home, modules = done.stdout.splitlines()
    return version, metadata, int(count), Path(home), set(modules.split())


def modules_of_this():
    files = (ROOT / "epsie").rglob("*.py")
    parts = [file.relative_to(ROOT).with_suffix("").parts for file in files]
    names = {".".join(part for part in each if part != "__init__") for each in parts}
    return names - {"epsie"}


def test_over_the_old_one(environment):
    python, packages = environment
    install(python, OLD, NEEDS)
    version, metadata, count, home, old = look(python)
    assert (metadata, count, home) == ("1.0.0", 1, packages / "epsie")
    assert version != epsie.__version__
    stale = old - modules_of_this()
    assert stale  # there is something that could be left
    install(python, str(ROOT))
    version, metadata, count, home, modules = look(python)
    assert version == metadata == epsie.__version__ == "2.0.0"
    assert (count, home) == (1, packages / "epsie")
    assert modules == modules_of_this()
    files = {str(file.relative_to(packages)) for file in (packages / "epsie").rglob("*.py")}
    assert files == {str(file.relative_to(ROOT)) for file in (ROOT / "epsie").rglob("*.py")}
    assert (packages / "epsie" / "py.typed").exists()
    assert "Version: 2.0.0" in pip(python, "show", "epsie")
    # Whatever asks for the old one is content, and it can be had back.
    install(python, "epsie>=1.0")
    assert look(python)[1] == "2.0.0"
    install(python, OLD)
    assert look(python)[1] == "1.0.0"


def test_beside_the_old_one(environment, tmp_path):
    """The old one is in a directory later on the path: none of it is seen."""
    python, packages = environment
    beside = tmp_path / "beside"
    install(python, "--target", str(beside), OLD, NEEDS)
    (packages / "aa_beside.pth").write_text(str(beside))
    assert look(python)[3] == beside / "epsie"
    install(python, str(ROOT))
    version, metadata, _, home, modules = look(python)
    assert (version, metadata, home) == ("2.0.0", "2.0.0", packages / "epsie")
    assert modules == modules_of_this()
