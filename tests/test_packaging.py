"""What several files say about the package is the same, and links of its pages lead somewhere."""

import inspect
import pkgutil
import re
import sys
import tomllib
from pathlib import Path

import pytest

import epsie
from epsie import annealed, diagnostics, ensembles, plots, pools, proposals

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINK = re.compile(r"\[[^]]*\]\((?!https?:|mailto:)([^)\s]+)\)")


def read(name):
    return (ROOT / name).read_text()


def test_conda_needs_what_pip_needs():
    recipe = read("conda/recipe.yaml")
    run = recipe.partition("  run:\n")[2].partition("\ntests:")[0]
    asked = {line.strip(" -").replace(" ", "") for line in run.splitlines() if line.strip()}
    assert asked == {f"python{PROJECT['requires-python']}", *PROJECT["dependencies"]}
    assert f'version: "{epsie.__version__}"' in recipe
    (command,) = PROJECT["scripts"].items()
    assert " = ".join(command) in recipe


def test_hooks_are_of_the_versions_of_the_checks():
    hooks = dict(re.findall(r"/([^/\s]+)\n    rev: v(\S+)", read(".pre-commit-config.yaml")))
    pinned = dict(
        one.split("==") for one in PROJECT["optional-dependencies"]["lint"] if "==" in one
    )
    assert {hooks["ruff-pre-commit"], hooks["mirrors-mypy"]} == set(pinned.values())


def test_the_workflow_runs_what_is_run_here():
    workflow = read(".github/workflows/ci.yml")
    assert "- run: bash .ci/run" in workflow
    pythons = re.search(r"python: \[(.*)\]", workflow)[1].replace('"', "").split(", ")
    claimed = [line.split(" :: ")[-1] for line in PROJECT["classifiers"] if "Python :: 3." in line]
    assert set(pythons) <= set(claimed)
    assert (pythons[0], pythons[-1]) == (claimed[0], claimed[-1])


def test_the_paper_cites_what_docstrings_cite():
    cited = set(re.findall(r"@(\w+\d{4})", read("paper/paper.md")))
    entries = dict(
        re.findall(r"@article{(\w+),.*?doi = {([^}]*)}", read("paper/paper.bib"), re.DOTALL)
    )
    assert cited == set(entries)
    sources = "".join(file.read_text() for file in (ROOT / "epsie").rglob("*.py"))
    assert [doi for doi in entries.values() if f"doi:{doi}" not in sources] == []


def places(text):
    """The names of a page's headings, as sites name them."""
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "tutorials/README.md"]


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name):
    page = ROOT / name
    for link in LINK.findall(page.read_text()):
        path, _, place = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not place or place in places(target.read_text()), link


def test_a_broken_link_is_seen():
    assert LINK.findall("[a](docs/nothing.md) [b](https://a.b) ![c](d.png)") == [
        "docs/nothing.md",
        "d.png",
    ]


ROOMS = (annealed, diagnostics, ensembles, plots, pools, proposals)


def on_pages(*pages):
    """The paths that the reference has on some pages, or all."""
    texts = [file.read_text() for file in (ROOT / "docs/api").glob("*.md")]
    texts = [read(f"docs/api/{page}.md") for page in pages] or texts
    return [path for text in texts for path in re.findall(r"^   (epsie\S+)$", text, re.MULTILINE)]


def test_the_reference_has_all_public_names():
    told = {path.rpartition(".")[2] for path in on_pages()}
    public = {name for room in ROOMS for name in room.__all__} | set(epsie._HOMES)
    assert public - told == set()


def given_by(thing):
    """The classes of this package that a function, or the members of a class, say to return."""
    if not inspect.isclass(thing):
        functions, noted = [getattr(thing, "__func__", thing)], []
    else:
        own = [cls for cls in thing.__mro__ if cls.__module__.startswith("epsie.")]
        members = [m for cls in own for name, m in vars(cls).items() if not name.startswith("_")]
        functions = [getattr(m, "fget", None) or getattr(m, "__func__", m) for m in members]
        noted = [
            (note, vars(sys.modules[cls.__module__]))
            for cls in own
            for name, note in inspect.get_annotations(cls).items()
            if not name.startswith("_")
        ]
    for function in filter(inspect.isfunction, functions):
        noted.append((function.__annotations__.get("return"), inspect.unwrap(function).__globals__))
    names = [(name, known) for note, known in noted for name in re.findall(r"\w+", str(note))]
    found = {known.get(name) for name, known in names if isinstance(known.get(name), type)}
    return {cls for cls in found if cls.__module__.startswith("epsie.")}


def test_the_reference_has_what_public_names_return():
    told = set(filter(inspect.isclass, map(pkgutil.resolve_name, on_pages())))
    looked_at = ["sample", "samplers", "results", "evidence", "tempering", "diagnostics", "disk"]
    returned = set().union(*map(given_by, map(pkgutil.resolve_name, on_pages(*looked_at))))
    # What a LearnedTarget shows in other words.
    assert {cls.__qualname__ for cls in returned - told} == {"Knowledge"}
