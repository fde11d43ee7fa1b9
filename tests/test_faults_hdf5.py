"""States in HDF5 files that are damaged, or written to a disk that is full."""

import errno
import os
import pickle
import subprocess
import sys

import h5py
import numpy as np
import pytest

import epsie
from epsie.errors import CheckpointError
from epsie.samplers import MetropolisHastingsSampler
from tests.damaged_runs import damage_hdf5
from tests.test_checkpoint import ROOT, filled, same


def written(name, numbers=(1, 2, 3, 4)):
    """The bytes of a file with several states, dumped one after the other, and where they lie."""
    with h5py.File(name, "w") as file:
        for number in numbers:
            epsie.dump_state(filled(number), file, "info")
        dataset = file["info/sampler_state"]
        where = dataset.id.get_offset(), len(dataset)
    return name.read_bytes(), where


def loaded(name, **settings):
    """The number of the state in a file; None if it is refused as damaged."""
    with h5py.File(name, "r") as file:
        try:
            found = epsie.load_state(file, "info", **settings)
        except (KeyError, pickle.UnpicklingError):
            return None
    assert same(found, filled(found[0]["number"]))
    return found[0]["number"]


@pytest.mark.parametrize("numbers", [(1, 2, 3), (1, 2, 3, 4)])
@pytest.mark.parametrize("value", [0, 255])
def test_a_block_of_zeros_gives_no_former_state(tmp_path, numbers, value):
    """Wherever a part of the file is lost: the last state, or an error."""
    name = tmp_path / "a.hdf"
    whole, (start, size) = written(name, numbers)
    assert loaded(name) == numbers[-1]
    outcomes = []
    for length in (512, 4096, 8192, 12_288):
        for at in [*range(start, start + size, 512), len(whole) - length]:
            damaged = bytearray(whole)
            damaged[at : at + length] = bytes([value]) * len(damaged[at : at + length])
            name.write_bytes(damaged)
            outcomes.append(loaded(name))
            assert outcomes[-1] in (None, numbers[-1])
            if outcomes[-1] is None:
                assert loaded(name, previous=True) in (None, *numbers[-2:])
    assert None in outcomes


def test_the_end_of_a_file_is_zero(tmp_path):
    """Also for a sampler, which can go on from the state before if it is told to."""
    made = MetropolisHastingsSampler("x", lambda x: (-x * x, 0.0), 2, seed=1)
    made.start_position = {"x": [0.1, 0.2]}
    states = []
    name = tmp_path / "a.hdf"
    with h5py.File(name, "w") as file:
        for _ in range(2):
            made.run(5)
            made.checkpoint(file)
            states.append(made.state)
        size = len(file["sampler_state"])
    data = bytearray(name.read_bytes())
    data[-size // 2 :] = bytes(len(data[-size // 2 :]))
    name.write_bytes(data)
    with h5py.File(name, "r") as file:
        with pytest.raises(pickle.UnpicklingError, match="previous=True"):
            made.set_state_from_checkpoint(file)
        assert same(made.state, states[1])
        made.set_state_from_checkpoint(file, previous=True)
    assert same(made.state, states[0])


def test_a_write_that_was_not_finished_gives_the_former_state(tmp_path):
    """Its slot is half written, and no note tells of it."""
    name = tmp_path / "a.hdf"
    whole, (start, size) = written(name, (1, 2))
    later, _ = written(tmp_path / "b.hdf", (1, 2, 3))
    for upto in range(start + 24, start + size // 2, 700):
        name.write_bytes(whole[: start + 24] + later[start + 24 : upto] + whole[upto:])
        assert loaded(name) in (2, 3)
    name.write_bytes(whole[: start + 24] + later[start + 24 : start + 2000] + whole[start + 2000 :])
    assert loaded(name) == 2
    name.write_bytes(later[: start + 2000] + whole[start + 2000 :])
    assert loaded(name) is None


def test_the_next_state_takes_the_place_of_the_damaged_one(tmp_path):
    name = tmp_path / "a.hdf"
    _, (start, _) = written(name, (1, 2, 3))
    with open(name, "r+b") as raw:
        raw.seek(start + 100)
        raw.write(bytes(500))
    with h5py.File(name, "a") as file:
        with pytest.raises(CheckpointError, match="damaged"):
            epsie.load_state(file, "info")
        epsie.dump_state(filled(8), file, "info")
        assert same(epsie.load_state(file, "info"), filled(8))
        file["info/sampler_state"][:24] = 0
        assert same(epsie.load_state(file, "info"), filled(8))
        file["info/sampler_state"][-24:] = 0
        # Both states are whole, so there was no later one.
        assert same(epsie.load_state(file, "info"), filled(8))


def test_datasets_that_claim_to_be_huge_take_no_memory(tmp_path):
    with h5py.File(tmp_path / "a.hdf", "w") as file:
        file.create_dataset("late", (2**50,), np.uint8)
        file.create_dataset("old", (2**45,), "S1", chunks=(2**20,))
        for name in file:
            with pytest.raises(CheckpointError):
                epsie.load_state(file, dsetname=name, allow_pickle=True)


FULL = """
import resource, sys, h5py, numpy as np, epsie
from tests.test_checkpoint import filled, same
with h5py.File(sys.argv[1], "w") as file:
    epsie.dump_state(filled(1), file, "info")
    if sys.argv[2] == "in a group":
        file["samples"] = np.arange(1000.0)
    file.flush()
    size = file.id.get_filesize()
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5000, resource.RLIM_INFINITY))
    for n in (3000, 100_000):
        try:
            epsie.dump_state(filled(2, n), file, "info" if n < 9000 else None, "other")
        except epsie.CheckpointError as error:
            assert "cannot be written" in str(error), error
        else:
            raise AssertionError("it was written")
    epsie.dump_state(filled(3), file, "info")
    assert same(epsie.load_state(file, "info"), filled(3))
with h5py.File(sys.argv[1], "r") as file:
    assert same(epsie.load_state(file, "info"), filled(3))
print("done")
"""


@pytest.mark.in_part(2, "slow")
@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="room cannot be reserved")
@pytest.mark.parametrize("where", ["alone", "in a group"])
def test_a_full_disk_is_an_error_that_leaves_the_file_whole(tmp_path, where):
    """Nor does HDF5 fail when the file is closed, or the process ends."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "a.hdf"), where],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_errors_of_the_disk_are_named(tmp_path, monkeypatch, number):
    """Whatever HDF5 raises."""
    with h5py.File(tmp_path / "a.hdf", "w") as file:
        epsie.dump_state(filled(1), file)

        def fail(*_):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(h5py.File, "flush", fail)
        with pytest.raises(CheckpointError, match="cannot be written"):
            epsie.dump_state(filled(2), file)
        monkeypatch.undo()
        monkeypatch.setattr(h5py.Dataset, "__getitem__", fail)
        with pytest.raises(CheckpointError, match="cannot be read"):
            epsie.load_state(file)
        monkeypatch.undo()
        assert epsie.load_state(file)[0]["number"] in (1, 2)


def test_something_else_of_that_name_is_named(tmp_path):
    with h5py.File(tmp_path / "a.hdf", "w") as file:
        file["a"] = 1
        with pytest.raises(CheckpointError, match="cannot be written"):
            epsie.dump_state(filled(1), file, "a")


@pytest.mark.parametrize("count", [200, pytest.param(1000, marks=pytest.mark.slow)])
def test_any_bytes_of_a_file_damaged(tmp_path, count):
    """HDF5's own too: the last state, or an error."""
    outcomes = damage_hdf5(count, tmp_path)
    assert outcomes.keys() <= {"refused", "the same"}, outcomes
