"""`epsie export --force` replaces a file of the same kind, and nothing else."""

import os
import shutil

import h5py
import pytest

import epsie
from epsie.cli.export import export
from tests.test_cli import command, made, runs  # noqa: F401
from tests.test_faults_directories import everything


def a_directory(path):
    path.mkdir()
    (path / "thesis.tex").write_text("mine")


def an_empty_directory(path):
    path.mkdir()


def a_text(path):
    path.write_text("mine")


def a_link(path):
    h5py.File(path.with_name("elsewhere.h5"), "w").close()
    path.symlink_to(path.with_name("elsewhere.h5"))


def a_dangling_link(path):
    path.symlink_to(path.with_name("nowhere"))


def a_link_to_a_directory(path):
    path.with_name("elsewhere").mkdir()
    path.symlink_to(path.with_name("elsewhere"))


def a_pipe(path):
    os.mkfifo(path)


def a_run(path):
    shutil.copytree(path.parent / "runs" / "plain", path)


def a_store_with_notes(path):
    path.mkdir()
    (path / "zarr.json").write_text("{}")
    (path / "posterior").mkdir()
    (path / "posterior" / "zarr.json").write_text("{}")
    (path / "posterior" / "notes.txt").write_text("mine")


def a_store_with_a_link(path):
    path.mkdir()
    (path / ".zgroup").write_text("{}")
    (path / "0.0").symlink_to(path.parent)


OTHERS = (a_directory, a_text, a_link, a_dangling_link, a_link_to_a_directory, a_pipe, a_run)
CASES = [(kind, ending) for kind in OTHERS for ending in ("h5", "nc", "zarr")]
CASES += [(a_store_with_notes, "zarr"), (a_store_with_a_link, "zarr"), (an_empty_directory, "h5")]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("kind", "ending"), CASES)
def test_other_kinds_are_not_replaced(runs, command, tmp_path, kind, ending):  # noqa: F811
    pytest.importorskip("arviz")
    file = tmp_path / f"run.{ending}"
    kind(file)
    before = everything(tmp_path)
    code, said, regretted = command("export", runs / "plain", file, "--force", "--burn-in", 150)
    assert code == 1 and not said
    assert str(file) in regretted and "is not replaced" in regretted
    code, said, regretted = command("export", runs / "plain", file)
    assert code == 1 and "is there already" in regretted
    with pytest.raises(ValueError, match="is not replaced"):
        export(epsie.open_run(runs / "plain"), file, 150)
    assert everything(tmp_path) == before


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("ending", ["h5", "nc", "zarr"])
def test_what_lies_beside_stays(runs, command, tmp_path, ending):  # noqa: F811
    """Names such as those that are written to meanwhile are others' too."""
    pytest.importorskip("arviz")
    if ending == "zarr":
        pytest.importorskip("zarr")
    file = tmp_path / f"run.{ending}"
    for name in (f".run.unfinished.{ending}", f".run.{ending}.x"):
        a_directory(tmp_path / name)
    before = everything(tmp_path)
    for _ in range(2):
        code, _, regretted = command("export", runs / "plain", file, "--force", "--burn-in", 150)
        assert code == 0, regretted
    after = everything(tmp_path)
    assert {name: after.get(name) for name in before} == before
    assert {name.split("/")[0] for name in after.keys() - before.keys()} == {file.name}


def test_nothing_to_lose_is_replaced(runs, command, tmp_path):  # noqa: F811
    (tmp_path / "run.h5").touch()
    assert command("export", runs / "plain", tmp_path / "run.h5", "--force")[0] == 0
    with h5py.File(tmp_path / "run.h5") as file:
        assert "positions" in file
