"""Run directories that are damaged, hold wrong content, or lie where the system fails."""

import errno
import os
import shutil
import warnings

import numpy as np
import pytest

import epsie
from epsie.cli.verify import problems
from epsie.errors import CheckpointError, EpsieError, RunDirectoryError
from epsie.samplers import MetropolisHastingsSampler
from epsie.storage.rundir import states
from epsie.storage.statetree import decode, encode
from tests.damaged_runs import CASE, begun, damage_files, fail_everywhere, seen
from tests.test_checkpoint import gaussian, same, sampler

COUNTS = [
    8,
    pytest.param(100, marks=pytest.mark.slow),
    pytest.param(300, marks=pytest.mark.rest),
]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("how", ["bytes", "content"])
def test_damaged_files_of_a_run(tmp_path, how, count):
    """Refused, or as it was; `verify` says no run whole that cannot be read or resumed."""
    outcomes = damage_files(count, tmp_path, how)
    assert outcomes.keys() <= {"refused", "the same"}, outcomes


@pytest.mark.parametrize("count", [30, pytest.param(120, marks=pytest.mark.rest)])
def test_calls_to_the_system_that_fail(tmp_path, count):
    """An error of epsie, and whatever was reported is there."""
    outcomes = fail_everywhere(count, tmp_path)
    assert outcomes.keys() <= {"refused", "fine"}, outcomes


def resume(directory):
    return MetropolisHastingsSampler.resume(directory, gaussian)


def changed(path, change):
    """Change the content of a file, whose checksum is right again."""
    tree, number = decode(path.read_bytes())
    change(tree)
    path.write_bytes(encode(tree, number))


@pytest.mark.parametrize("name", ["manifest.epsie", "state-000000000060.epsie", "lock"])
@pytest.mark.parametrize("device", ["fifo", "/dev/zero", "directory"])
def test_only_regular_files_are_read(tmp_path, name, device):
    """No hang, and no endless file is read."""
    begun(tmp_path, "mh")
    path = tmp_path / name
    path.unlink(missing_ok=True)
    if device == "fifo":
        os.mkfifo(path)
    elif device == "directory":
        path.mkdir()
    else:
        path.symlink_to(device)
    for look in (resume, lambda place: sampler("mh", CASE).run(total=90, directory=place)):
        if name == "lock" and look is resume:
            continue
        with pytest.raises(EpsieError):
            look(tmp_path)
    if name != "lock":
        assert list(problems(tmp_path))


@pytest.mark.parametrize(
    ("key", "value"),
    [("nchains", 2**60), ("nchains", 10**6), ("thin", 0), ("parameters", ["x"]), ("start", -1)],
)
def test_settings_that_claim_too_much(tmp_path, key, value):
    begun(tmp_path, "mh")
    changed(tmp_path / "manifest.epsie", lambda tree: tree.update({key: value}))
    with pytest.raises(EpsieError):
        resume(tmp_path)
    assert list(problems(tmp_path))


@pytest.mark.parametrize("kind", ["mh", "barrier"])
def test_segments_that_lack_an_entry(tmp_path, kind):
    begun(tmp_path / "run", kind)
    (path, *_) = sorted((tmp_path / "run").glob("segment-*"))
    whole = path.read_bytes()
    for name in decode(whole)[0]:
        changed(path, lambda tree, name=name: tree.pop(name))
        with pytest.raises(EpsieError):
            seen(tmp_path / "run")
        assert list(problems(tmp_path / "run")), name
        path.write_bytes(whole)
    seen(tmp_path / "run")


def test_blobs_of_one_segment_alone(tmp_path):
    """They are not left out without a word."""
    begun(tmp_path, "mh")
    (path, *_) = sorted(tmp_path.glob("segment-*"))
    changed(path, lambda tree: tree.update(blobs=None))
    with pytest.raises(CheckpointError, match="several kinds"):
        epsie.open_run(tmp_path).blobs  # noqa: B018
    assert any("several kinds" in line for line in problems(tmp_path))


def test_empty_files_named_as_states_and_segments_are_ignored(tmp_path):
    made = begun(tmp_path, "mh")
    right = seen(tmp_path)
    (tmp_path / "state-999999999999.epsie").touch()
    (tmp_path / "segment-000000000060-999999999999.epsie").touch()
    assert seen(tmp_path) == right
    assert same(resume(tmp_path).state, made.state)
    assert len(epsie.open_run(tmp_path).iterations) == 60


def test_a_state_that_no_segment_reaches_is_told(tmp_path):
    begun(tmp_path, "mh")
    whole = (tmp_path / "state-000000000060.epsie").read_bytes()
    (tmp_path / "state-999999999999.epsie").write_bytes(whole)
    with pytest.raises(RunDirectoryError, match="no segment reaches"):
        epsie.open_run(tmp_path)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
def test_a_last_state_that_cannot_be_read_for_now(tmp_path, monkeypatch, number):
    """The one before is taken, and nothing is removed before all is there again."""
    begun(tmp_path / "run", "mh")
    right, last = seen(tmp_path / "run"), states.state_path(tmp_path / "run", 60)
    kept = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.epsie")}
    real = os.open

    def failing(path, *arguments, **settings):
        if os.fspath(path) == os.fspath(last):
            raise OSError(number, os.strerror(number))
        return real(path, *arguments, **settings)

    with monkeypatch.context() as patched, warnings.catch_warnings():
        patched.setattr(os, "open", failing)
        warnings.simplefilter("ignore")
        assert seen(tmp_path / "run") == right
        made = resume(tmp_path / "run")
        assert made.niterations == 40
        shutil.copytree(tmp_path / "run", tmp_path / "copy")
        made.model = lambda **x: 1 / 0
        with pytest.raises(EpsieError):
            made.run(5)
    now = {path.name: path.read_bytes() for path in (tmp_path / "run").glob("*.epsie")}
    assert all(now[name] == kept[name] for name in kept)
    assert seen(tmp_path / "run") == right


def test_a_last_state_that_is_damaged_is_made_anew(tmp_path):
    """Up to where the run was saved, also if fewer iterations are asked for."""
    made = begun(tmp_path, "mh")
    right, last = seen(tmp_path), states.state_path(tmp_path, 60)
    last.write_bytes(last.read_bytes()[:-10])
    with pytest.warns(UserWarning, match="going on from iteration 40"):
        again = resume(tmp_path)
    with pytest.warns(UserWarning, match="going on from iteration 40"):
        again.run(5)
    assert again.niterations == 60
    assert same(again.state, made.state)
    assert seen(tmp_path) == right
    assert not list(problems(tmp_path))


def test_a_wrong_array_is_no_setting(tmp_path):
    begun(tmp_path, "barrier")
    for key in decode((tmp_path / "manifest.epsie").read_bytes())[0]:
        whole = (tmp_path / "manifest.epsie").read_bytes()
        changed(tmp_path / "manifest.epsie", lambda tree, key=key: tree.update({key: np.ones(3)}))
        if key != "starts":
            assert list(problems(tmp_path)), key
        (tmp_path / "manifest.epsie").write_bytes(whole)
