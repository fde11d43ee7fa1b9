"""A run directory is one run's: others' files are not taken for its own, nor touched, nor lost."""

import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

import epsie
from epsie.cli.verify import problems
from epsie.errors import EpsieError, RunDirectoryError
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.storage.rundir import segments


def model(x):
    return -x * x / 2, 0.0


def plain(seed=1, start=(0.0, 0.5), of=model):
    made = MetropolisHastingsSampler("x", of, 2, seed=seed)
    made.start_position = {"x": list(start)}
    return made


def tempered(seed=1, start=((0.0, 0.5), (0.0, 0.5)), of=model):
    made = ParallelTemperedSampler("x", of, 2, [1.0, 0.3], seed=seed)
    made.start_position = {"x": [list(row) for row in start]}
    return made


KINDS = {"plain": plain, "tempered": tempered}


def everything(directory):
    """What is below a directory: kinds, contents, targets of links."""
    found = {}
    for path in sorted(Path(directory).rglob("*")):
        name = str(path.relative_to(directory))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = (path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_ino)
        else:
            found[name] = path.stat().st_mode
    return found


def uses(directory, make):
    """All ways to use what is in a directory."""
    cls = type(make())
    yield lambda: cls.resume(directory, model).run(5)
    yield lambda: make().run(total=50, directory=directory)
    yield lambda: epsie.open_run(directory).positions
    yield lambda: epsie.open_run(directory).summary()


# ---- files of another run


def everything_but_the_manifest(run, other):
    for path in [*run.glob("segment-*"), *run.glob("state-*")]:
        path.unlink()
    for path in [*other.glob("segment-*"), *other.glob("state-*")]:
        shutil.copy2(path, run)


def only_the_manifest(run, other):
    shutil.copy2(other / "manifest.epsie", run)


def one_segment(run, other):
    shutil.copy2(sorted(other.glob("segment-*"))[1], run)


def the_last_state(run, other):
    shutil.copy2(sorted(other.glob("state-*"))[-1], run)


def a_later_state(run, other):
    other_end = sorted(other.glob("state-*"))[-1]
    shutil.copy2(other_end, run / "state-000000000777.epsie")


def a_longer_segment(run, other):
    shutil.copy2(
        sorted(other.glob("segment-*"))[0], run / "segment-000000000000-000000000020.epsie"
    )


MIXTURES = {f.__name__: f for f in (
    everything_but_the_manifest, only_the_manifest, one_segment, the_last_state, a_later_state,
    a_longer_segment,
)}  # fmt: skip


@pytest.mark.parametrize("how", MIXTURES)
@pytest.mark.parametrize("kind", KINDS)
def test_files_of_another_run_are_refused(tmp_path, kind, how):
    make = KINDS[kind]
    for name, seed in (("run", 1), ("other", 2)):
        make(seed).run(30, directory=tmp_path / name, every=10)
    run = tmp_path / "run"
    MIXTURES[how](run, tmp_path / "other")
    before = everything(run)
    assert any(
        "another run" in problem or "not of this run" in problem for problem in problems(run)
    )
    for use in uses(run, make):
        with pytest.raises(EpsieError, match="of another run|not those of its|seed: the run"):
            use()
    assert everything(run) == before


def test_a_moved_copy_is_the_run(tmp_path):
    plain().run(30, directory=tmp_path / "run", every=10)
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    shutil.rmtree(tmp_path / "run")
    assert not list(problems(tmp_path / "copy"))
    plain().run(total=50, directory=tmp_path / "copy")
    whole = plain()
    whole.run(50)
    assert epsie.open_run(tmp_path / "copy").positions.tobytes() == whole.positions.tobytes()


# ---- what is not ours


def fill(directory, target):
    """Names near to ours, of all kinds."""
    directory.mkdir(exist_ok=True)
    for name in (
        "state-california.csv", "state-12.epsie", "state-000000000000.epsie.bak", ".x.tmp",
        ".manifest.epsie.tmp", ".manifest.epsie.1234.tmp", ".manifest.epsie.0123456789abcdef.tmp",
        "segment-a.epsie", "data.h5", "Lock",
    ):  # fmt: skip
        (directory / name).write_text("mine")
    (directory / ".state-000000000000.epsie.0123456789abcdef.tmp").symlink_to(target)
    (directory / "notes").mkdir()
    (directory / "notes" / "a.epsie").write_text("mine")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_ours_is_left_in_a_directory_that_is_refused(tmp_path, kind):
    target = tmp_path / "elsewhere"
    target.write_text("mine")
    fill(tmp_path / "d", target)
    before = everything(tmp_path)
    for use in uses(tmp_path / "d", KINDS[kind]):
        with pytest.raises(RunDirectoryError, match="holds no run"):
            use()
    assert everything(tmp_path) == before


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_ours_is_left_beside_a_run(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(segments, "_MOST_SMALL", 3)
    target = tmp_path / "elsewhere"
    target.write_text("mine")
    make = KINDS[kind]
    run = tmp_path / "run"
    make().run(10, directory=run, every=3)
    ours = set(everything(run))
    fill(run, target)
    names = set(everything(run)) - ours
    before = {name: found for name, found in everything(run).items() if name in names}
    make().run(total=40, directory=run, every=3)
    type(make()).resume(run, model).run(10)
    after = everything(run)
    assert {name: after.get(name) for name in before} == before
    assert target.read_text() == "mine"
    assert epsie.open_run(run).niterations == 50


def as_a_file(path, target):
    path.write_text("my own notes")


def as_json(path, target):
    path.write_text('{"pid": "of a pump", "host": 3}')


def as_a_link(path, target):
    path.symlink_to(target)


def as_a_dangling_link(path, target):
    path.symlink_to(target.with_name("nowhere"))


def as_a_directory(path, target):
    path.mkdir()


def as_a_pipe(path, target):
    os.mkfifo(path)


@pytest.mark.parametrize(
    "kind", [as_a_file, as_json, as_a_link, as_a_dangling_link, as_a_directory, as_a_pipe]
)
@pytest.mark.parametrize("has_run", [False, True])
def test_something_that_is_called_lock(tmp_path, kind, has_run):
    target = tmp_path / "elsewhere"
    target.write_text("mine")
    run = tmp_path / "run"
    run.mkdir()
    if has_run:
        plain().run(10, directory=run)
        (run / "lock").unlink()
    kind(run / "lock", target)
    before = everything(tmp_path)
    with pytest.raises(RunDirectoryError, match=r"lock is not the lock of a run"):
        plain().run(total=20, directory=run)
    assert everything(tmp_path) == before


def test_a_refused_run_is_left_as_it_was(tmp_path):
    """Leftovers too: they are removed only once it is clear that the run goes on."""
    plain().run(30, directory=tmp_path, every=10)
    (tmp_path / "state-000000000030.epsie").unlink()
    (tmp_path / ".state-000000000040.epsie.0123456789abcdef.tmp").write_bytes(b"\x89EPSIE")
    (tmp_path / "lock").unlink()
    before = everything(tmp_path)
    for refused in (
        lambda: plain().run(5, directory=tmp_path),
        lambda: plain(seed=3).run(total=40, directory=tmp_path),
        lambda: tempered().run(total=40, directory=tmp_path),
        lambda: plain().run(total=40, directory=tmp_path, thin=3),
        lambda: plain(of=lambda x: (-x * x, 0.0)).run(total=40, directory=tmp_path),
    ):
        with pytest.raises(RunDirectoryError):
            refused()
        assert everything(tmp_path) == before
    plain().run(total=40, directory=tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert "segment-000000000020-000000000040.epsie" in names
    assert not [name for name in names if name.endswith(".tmp")]


def test_a_beginning_that_was_killed_is_no_obstacle(tmp_path):
    plain().run(0, directory=tmp_path / "begun")
    state = next((tmp_path / "begun").glob("state-*"))
    run = tmp_path / "run"
    run.mkdir()
    shutil.copy2(state, run)
    (run / ".manifest.epsie.0123456789abcdef.tmp").write_bytes(b"\x89EPSIE\r\n\1\0")
    (run / "lock").touch()
    plain().run(5, directory=run)
    assert not list(problems(run))
    # A state that was reached is a backup of somebody.
    backup = tmp_path / "backup"
    backup.mkdir()
    shutil.copy2(sorted(run.glob("state-*"))[-1], backup)
    before = everything(backup)
    with pytest.raises(RunDirectoryError, match="holds no run: it has state-000000000005"):
        plain().run(5, directory=backup)
    assert everything(backup) == before


# ---- what becomes of the directory while it is written


def removed(run):
    shutil.rmtree(run)


def emptied(run):
    for path in run.iterdir():
        path.unlink()


def moved(run):
    run.rename(run.with_name("moved"))


def moved_and_copied(run):
    run.rename(run.with_name("moved"))
    shutil.copytree(run.with_name("moved"), run)


def replaced_by_another_run(run):
    run.rename(run.with_name("moved"))
    plain(seed=9).run(3, directory=run)


def without_a_manifest(run):
    (run / "manifest.epsie").unlink()


def with_another_manifest(run):
    plain(seed=9).run(3, directory=run.with_name("other"))
    shutil.copy2(run.with_name("other") / "manifest.epsie", run)


def without_its_states(run):
    for path in run.glob("state-*"):
        path.unlink()


def without_a_segment(run):
    sorted(run.glob("segment-*"))[0].unlink()


LOSSES = {f.__name__: f for f in (
    removed, emptied, moved, moved_and_copied, replaced_by_another_run, without_a_manifest,
    with_another_manifest, without_its_states, without_a_segment,
)}  # fmt: skip


@pytest.mark.parametrize("how", LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_directory_that_is_lost_while_it_is_written(tmp_path, how, kind):
    run = tmp_path / "run"
    calls = [0]

    def losing(x):
        calls[0] += 1
        if calls[0] == 50:
            LOSSES[how](run)
        return model(x)

    made = KINDS[kind]()
    made.run(10, directory=run, every=5)
    made.model = losing
    with pytest.raises(RunDirectoryError) as caught:
        made.run(100, every=5)
    assert str(tmp_path / "run") in str(caught.value)
    assert "in the memory of this process alone" in caught.value.__notes__[0]
    reached = made.niterations
    assert reached > 10
    assert made.positions.shape[-1] > 0
    # It does not begin anew there as if nothing had been.
    left = everything(tmp_path)
    for again in (lambda: made.run(5), lambda: made.run(5, directory=run)):
        with pytest.raises(RunDirectoryError):
            again()
    assert made.niterations == reached
    assert {name: found for name, found in everything(tmp_path).items() if "lock" not in name} == {
        name: found for name, found in left.items() if "lock" not in name
    }
    made.model = model
    made.run(50, directory=tmp_path / "elsewhere")
    whole = KINDS[kind]()
    whole.run(reached + 50)
    last = epsie.open_run(tmp_path / "elsewhere").positions
    assert last.tobytes() == whole.positions[..., reached:].tobytes()


# ---- relative paths


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_goes_elsewhere(tmp_path, monkeypatch, kind):
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path)

    def wandering(x):
        os.chdir(tmp_path / "scratch")
        return model(x)

    made = KINDS[kind]()
    made.run(10, directory="run", every=3)
    made.model = wandering
    made.run(10, every=3)
    made.run(10, directory="run")
    made.run(total=40, directory=Path("run"))
    assert not list((tmp_path / "scratch").iterdir())
    assert epsie.open_run(tmp_path / "run").niterations == 40


def test_a_script_that_goes_elsewhere_after_it_has_opened_or_resumed(tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path)
    plain().run(30, directory="run", every=10)
    run = epsie.open_run("run")
    again = MetropolisHastingsSampler.resume("run", model)
    monkeypatch.chdir(tmp_path / "scratch")
    assert run.positions.shape == (2, 30)
    assert repr(run) == "Run('run', niterations=30)"
    again.run(10)
    run.refresh()
    assert run.niterations == 40
    assert not list((tmp_path / "scratch").iterdir())


def test_a_working_directory_that_is_gone(tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path / "scratch")
    (tmp_path / "scratch").rmdir()
    for use in (lambda: plain().run(1, directory="run"), lambda: epsie.open_run("run"),
                lambda: MetropolisHastingsSampler.resume("run", model)):  # fmt: skip
        with pytest.raises(RunDirectoryError, match="run cannot be found"):
            use()


# ---- other starts


@pytest.mark.parametrize("kind", KINDS)
def test_starts_that_have_no_effect(tmp_path, kind):
    make = KINDS[kind]
    make().run(20, directory=tmp_path)
    other = np.asarray(make().start_position["x"]) + 1e-9
    for total in (30, 10):
        with pytest.warns(UserWarning, match="start positions are not those.*not used") as caught:
            make(start=other).run(total=total, directory=tmp_path)
        assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = make()
        made.run(total=40, directory=tmp_path)
        made.run(total=45)
        type(made).resume(tmp_path, model).run(total=50, directory=tmp_path)
    whole = make()
    whole.run(50)
    assert epsie.open_run(tmp_path).positions.tobytes() == whole.positions.tobytes()
