"""The house: which file imports which, how long files are, and where former paths lead."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import epsie

ROOT = Path(epsie.__file__).parent
FILES = {
    ".".join(("epsie", *path.relative_to(ROOT).with_suffix("").parts)): path
    for path in sorted(ROOT.rglob("*.py"))
}
TREES = {name: ast.parse(path.read_text()) for name, path in FILES.items()}
MODULES = {name for name in FILES if not name.endswith("__init__")}


def imported(tree):
    """The modules and packages of this package that a file imports, lazily or for types, too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.partition(".")[0] == "epsie")
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            if node.module.partition(".")[0] == "epsie":
                inside = {f"{node.module}.{alias.name}" for alias in node.names}
                yield from (inside & set(FILES)) or {node.module}


def circles(edges):
    """The sets of names that reach each other."""
    reached = {}
    for name in edges:
        seen, left = set(), list(edges[name])
        while left:
            here = left.pop()
            if here not in seen:
                seen.add(here)
                left.extend(edges[here])
        reached[name] = seen
    return {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in edges
        if name in reached[name]
    }


def test_circles_are_found():
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}, "e": set()}
    assert circles(edges) == {frozenset("bc"), frozenset("d")}


def test_no_file_imports_itself_through_others():
    edges = {name: set(imported(TREES[name])) & MODULES for name in MODULES}
    assert circles(edges) == set()


# Each above those that it imports from; the same list is in `docs/design.md`.
ROOMS = [
    "process",
    "rng",
    "model",
    "proposals",
    "ensembles",
    "annealed",
    "tempering",
    "chain",
    "pools",
    "diagnostics",
    "results",
    "storage",
    "execution",
    "running",
    "samplers",
    "plots",
    "cli",
    "clients",
]


def room(name):
    return name.split(".")[1]


def test_rooms_import_from_those_listed_before_them():
    wrong = [
        f"{name} imports {other}"
        for name, tree in TREES.items()
        for other in imported(tree)
        if room(name) in ROOMS and "." in other and room(other) in ROOMS
        if ROOMS.index(room(other)) > ROOMS.index(room(name))
    ]
    assert wrong == []


def test_the_rooms_are_all_there_and_listed_in_their_order():
    assert set(ROOMS) == {path.parent.name for path in ROOT.glob("*/__init__.py")}
    listed = re.findall(r"\b([a-z]+)/ ", (ROOT.parent / "docs" / "design.md").read_text())
    assert [name for name in listed if name in ROOMS] == ROOMS


# Settable by users, and read when it is asked for.
UP = {("epsie.rng.bit_generators", "epsie")}


def test_imports_name_the_file():
    packages = {
        (name, other) for name in MODULES for other in imported(TREES[name]) if other not in MODULES
    }
    assert packages - UP == set()


def test_packages_only_re_export():
    for name in set(FILES) - MODULES - {"epsie.__init__"}:
        if name == "epsie.plots.__init__":  # refuses to be imported without matplotlib
            continue
        for node in TREES[name].body:
            documented = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            listed = isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
            assert documented or listed or isinstance(node, ast.ImportFrom), (name, node.lineno)


def test_few_files_lie_loose():
    assert len(list(ROOT.glob("*.py"))) <= 8


def test_files_are_short():
    long = {
        name: n for name, path in FILES.items() if (n := len(path.read_text().splitlines())) > 300
    }
    assert long == {}


def body_length(function):
    """Lines from the first statement after the docstring to the last."""
    first, *rest = function.body
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    body = rest if documented else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_functions_are_short():
    long = [
        (name, node.name, body_length(node))
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and body_length(node) > 30
    ]
    assert long == []


ASKS_FOR_THE_KIND = re.compile(
    r"""(has|get)attr\([^()]*,\s*["'](chains|ntemps|betas|swaps)["']|["']betas["']\s+(not\s+)?in\b"""
    r"""|ntemps\s+is\s+(not\s+)?None|isinstance\([^()]*(Tempered|\bChain\b|MetropolisHastings)"""
)


def test_only_chains_and_samplers_know_their_kind():
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, path in FILES.items()
        if not name.startswith(("epsie.chain.", "epsie.samplers."))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if ASKS_FOR_THE_KIND.search(line)
    ]
    assert found == []


def test_classes_are_shallow():
    from epsie.chain import Chain, ParallelTemperedChain
    from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

    for cls in (Chain, ParallelTemperedChain, MetropolisHastingsSampler, ParallelTemperedSampler):
        assert len(cls.__mro__) <= 5, cls.__mro__


FORMER = sorted([*epsie._MOVED, "rundir.lock", "chain.tempering.sweeps"])


@pytest.mark.parametrize("former", FORMER)
def test_a_former_path_is_the_module_itself(former):
    now = {
        **epsie._MOVED,
        "rundir.lock": "storage.rundir.lock",
        "chain.tempering.sweeps": "tempering.sweeps",
    }[former]
    former, now = f"epsie.{former}", f"epsie.{now}"
    assert not (ROOT / former.partition(".")[2].replace(".", "/")).with_suffix(".py").exists()
    module = importlib.import_module(now)
    assert importlib.import_module(former) is module
    assert module.__spec__.name == module.__name__ == now


def test_former_paths_in_a_fresh_process():
    code = (
        "import epsie.evidence, epsie.rundir.lock, epsie.chain.tempering as t\n"
        "from epsie.chain.annealing import BarrierAnnealer\n"
        "from epsie.checkpoint import load_state\n"
        "from epsie import rundir, arviz\n"
        "import epsie.tempering.evidence, epsie.storage.rundir.lock, epsie.tempering, pickle\n"
        "assert epsie.evidence is epsie.tempering.evidence\n"
        "assert epsie.rundir.lock is epsie.storage.rundir.lock and t is epsie.tempering\n"
        "assert pickle.loads(pickle.dumps(BarrierAnnealer)) is BarrierAnnealer\n"
        "assert BarrierAnnealer.__module__ == 'epsie.tempering.barrier'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "name",
    ["epsie.nothing", "epsie.chain.nothing", "epsie.evidence.nothing", "epsie.rundir.nothing"],
)
def test_what_never_was_is_not_found(name):
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        importlib.import_module(name)


PUBLIC = """
    arviz chain checkpoint cli communication diagnostics errors evidence execution log_z model plots
    pools proposals rng rundir samplers utilisation chain.annealing chain.base chain.chain
    chain.chaindata chain.ptchain chain.tempering proposals.base samplers.base samplers.mhsampler
    samplers.ptsampler
"""


def test_every_public_path_of_before():
    code = "; ".join(f"import epsie.{name}" for name in PUBLIC.split())
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
