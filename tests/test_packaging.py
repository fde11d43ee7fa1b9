"""What several files say about the package is the same, and links of its pages lead somewhere."""

import re
import tomllib
from pathlib import Path

import pytest

import epsie
from epsie import diagnostics, ensembles, plots, pools, proposals

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


ROOMS = (diagnostics, ensembles, plots, pools, proposals)


def test_the_reference_has_all_public_names():
    pages = "".join(file.read_text() for file in (ROOT / "docs/api").glob("*.md"))
    told = {name.rpartition(".")[2] for name in re.findall(r"^   (epsie\S+)$", pages, re.MULTILINE)}
    public = {name for room in ROOMS for name in room.__all__} | set(epsie._HOMES)
    assert public - told == set()
