"""States as bytes and in HDF5 files: exact, checked, and never executed."""

import contextlib
import itertools
import math
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import epsie
from epsie.errors import CheckpointError, EpsieError
from epsie.proposals import AdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.storage.header import FORMAT, HEADER_SIZE
from epsie.storage.slots import NOTE_SIZE, Slots
from epsie.storage.statetree import decode, encode
from epsie.tempering.annealing import BarrierAnnealer, DynamicalAnnealer
from tests.examples import Example, every_example, gaussian
from tests.statistical import seed

ROOT = Path(__file__).parent.parent


def same(a, b):
    """Whether two trees are equal in types, order, and every bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, float):
        return (a != a and b != b) or (a == b and math.copysign(1, a) == math.copysign(1, b))
    return a == b


# ---- bytes

simple_types = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
    hnp.byte_string_dtypes(min_len=1),
    hnp.unicode_string_dtypes(min_len=1),
)
# Fields of length 3 have a title, which is not saved.
row_types = hnp.array_dtypes(simple_types, allow_subarrays=True).filter(
    lambda dtype: all(len(field) == 2 for field in dtype.fields.values())
)
array_types = st.one_of(simple_types, row_types)
arrays = hnp.arrays(array_types, hnp.array_shapes(min_dims=0, min_side=0, max_side=3))
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**60, max_value=2**300),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.binary(),
    arrays,
    hnp.from_dtype(np.dtype("f4")),
)
keys = st.one_of(st.text(), st.integers())
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(keys, inner)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(trees, st.integers(0, 2**63))
def test_round_trip(tree, number):
    found, again = decode(encode(tree, number))
    assert same(found, tree)
    assert again == number


def test_equal_trees_are_equal_bytes():
    tree = {0: {"a": [1.5, -0.0, math.nan], "b": np.arange(3)}, "tempering": (2**80, None)}
    assert encode(decode(encode(tree))[0]) == encode(tree)


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({0: {"a": [1, object()]}}, r"state\[0\]\['a'\]\[1\] is of type object"),
        ({"a": {1, 2}}, r"state\['a'\] is of type set"),
        ({"a": np.array([None])}, r"state\['a'\] is an array that cannot be saved"),
        ({"a": np.array(["2020"], "M8[D]")}, "allowed are numbers, bools and strings"),
        ({1.5: 0}, "key 1.5 of type float"),
        ({True: 0}, "key True of type bool"),
        ({"a": lambda: 0}, "of type function"),
    ],
)
def test_what_is_no_plain_data_is_refused_and_named(tree, said):
    with pytest.raises(TypeError, match=said):
        encode(tree)


def test_endless_trees_are_refused():
    tree = []
    tree.append(tree)
    with pytest.raises(TypeError, match="nested too deeply"):
        encode(tree)


def signed(text, blocks=b"", version=FORMAT):
    """Bytes with a valid checksum and any content, as an attacker may write them."""
    import hashlib

    from epsie.storage.header import _HEADER, MAGIC

    head = _HEADER.pack(MAGIC, version, 0, len(text), len(blocks))
    return head + hashlib.sha256(head + text + blocks).digest() + text + blocks


@pytest.mark.parametrize(
    "node",
    [
        '{"array":["<f8",[4611686018427387904],8]}',
        '{"array":["<f8",[1000000000000],8000000000000]}',
        '{"array":["<f8",[-1],8]}',
        '{"array":["<f8",["1"],8]}',
        '{"array":["<f8",[1],-8]}',
        '{"array":["<f8",[1],true]}',
        '{"array":["|O8",[1],8]}',
        '{"array":["<M8[s]",[1],8]}',
        '{"array":["O",[1],8]}',
        '{"array":[[["a","|O",[]]],[1],8]}',
        '{"array":["<f3",[1],8]}',
        '{"array":["<U999999999",[1],8]}',
        '{"array":[[["a","<f4",[]],["a","<f4",[]]],[1],8]}',
        '{"array":["<f8",[],8],"tuple":[]}',
        '{"array":7}',
        '{"pickle":"x"}',
        '{"int":"zz"}',
        '{"dict":[[1.5,0]]}',
        '{"dict":[["a",0],["a",1]]}',
        '{"dict":[[{"dict":[]},0]]}',
        '{"dict":7}',
        '{"bytes":"0"}',
        '{"tuple":null}',
        "[" * 100_000,
        "[" * 200 + "]" * 200,
        "1" * 10_000,
        "",
    ],
)
def test_forged_bytes_are_refused(node):
    with pytest.raises(CheckpointError):
        decode(signed(b'{"epsie":"2","tree":' + node.encode() + b"}", bytes(8)))


def test_a_newer_format_is_named():
    with pytest.raises(CheckpointError, match=f"has format {FORMAT + 1}.*newer epsie"):
        decode(signed(b"anything", version=FORMAT + 1))


def test_an_error_is_what_old_programs_expect():
    assert issubclass(CheckpointError, pickle.UnpicklingError)
    assert issubclass(CheckpointError, EpsieError)
    assert epsie.CheckpointError is CheckpointError


# ---- files


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "checkpoint.hdf", "w") as made:
        yield made


def slot_size(dataset):
    return Slots(dataset).room


def note_of(number):
    """What stands at both ends of a dataset of which so many states were finished."""
    with h5py.File("note", "w", driver="core", backing_store=False) as made:
        slots = Slots(made.create_dataset("a", data=np.zeros(1000, np.uint8)))
        slots.finish(number)
        return slots.dataset[:NOTE_SIZE]


def set_notes(dataset, note):
    dataset[:NOTE_SIZE] = dataset[-NOTE_SIZE:] = note


def filled(number, n=300):
    """A state whose parts all tell its number."""
    return {0: {"number": number, "array": np.full(n, number), "text": str(number) * 20}}


def test_dump_and_load(file):
    for number in range(5):
        epsie.dump_state(filled(number), file, "sampler_info", protocol=4)
        assert same(epsie.load_state(file, "sampler_info"), filled(number))
    assert file["sampler_info/sampler_state"].dtype == np.uint8
    assert list(file["sampler_info"]) == ["sampler_state"]
    epsie.samplers.dump_state(filled(9), file, dsetname="other")
    assert same(epsie.samplers.load_state(file, dsetname="other"), filled(9))


def test_the_file_does_not_grow(tmp_path):
    sizes = set()
    for number in range(6):
        with h5py.File(tmp_path / "a.hdf", "a") as file:
            epsie.dump_state(filled(number), file)
        sizes.add(os.path.getsize(tmp_path / "a.hdf"))
    assert len(sizes) == 1


def test_a_state_that_outgrows_its_slots(file):
    for n in (10, 3000, 20, 30_000):
        epsie.dump_state(filled(n, n), file, "g")
        assert same(epsie.load_state(file, "g"), filled(n, n))
    assert list(file["g"]) == ["sampler_state"]


def test_a_replacement_that_was_cut_short(file):
    """Whatever was left behind, the newest state is found, and the next one takes over."""
    for main, spare in ((1, 2), (2, 1), (None, 3)):
        for dsetname, number in (("spare", spare), ("main", main)):
            for _ in range(number or 0):
                epsie.dump_state(filled(number), file, dsetname=dsetname)
        file.move("spare", "main~")
        newest = max(main or 0, spare)
        assert same(epsie.load_state(file, dsetname="main"), filled(newest))
        epsie.dump_state(filled(7), file, dsetname="main")
        assert same(epsie.load_state(file, dsetname="main"), filled(7))
        assert list(file) == ["main"]
        del file["main"]


def test_missing_is_a_key_error(file):
    for path in (None, "nowhere"):
        with pytest.raises(KeyError, match="there is no group 'nowhere'" if path else "no state"):
            epsie.load_state(file, path)


def test_foreign_datasets_are_refused(file):
    file["text"] = "hello"
    file["numbers"] = np.arange(5.0)
    file["bytes"] = np.zeros(1000, np.uint8)
    file["short"] = np.zeros(3, np.uint8)
    file["empty"] = h5py.Empty("f")
    file.create_dataset("huge", (2**50,), np.uint8, chunks=(2**20,))
    file.create_dataset("late", (2**50,), np.uint8)
    file.create_group("group")
    for name in file:
        with pytest.raises(CheckpointError):
            epsie.load_state(file, dsetname=name)
    with pytest.raises(CheckpointError, match="is a group"):
        epsie.dump_state(filled(1), file, dsetname="group")
    epsie.dump_state(filled(1), file, dsetname="numbers")
    assert same(epsie.load_state(file, dsetname="numbers"), filled(1))


def test_a_damaged_last_state_is_not_passed_over(file):
    """What else is in the file is as new as it is. One that was never finished is."""
    for number in (1, 2, 3):
        epsie.dump_state(filled(number), file)
    dataset = file["sampler_state"]
    dataset[200] ^= 1
    with pytest.raises(CheckpointError, match=r"last state .* is damaged.*previous=True"):
        epsie.load_state(file)
    assert same(epsie.load_state(file, previous=True), filled(2))
    set_notes(dataset, note_of(2))
    assert same(epsie.load_state(file), filled(2))
    set_notes(dataset, 255)
    with pytest.raises(CheckpointError):
        epsie.load_state(file)
    epsie.dump_state(filled(4), file)
    assert same(epsie.load_state(file), filled(4))


def test_a_newer_state_is_not_passed_over(file):
    epsie.dump_state(filled(1), file)
    payload = np.frombuffer(signed(b"{}", version=FORMAT + 1), np.uint8)
    half = slot_size(file["sampler_state"])
    file["sampler_state"][NOTE_SIZE + half : NOTE_SIZE + half + len(payload)] = payload
    with pytest.raises(CheckpointError, match="newer epsie"):
        epsie.load_state(file)


def test_a_file_that_cannot_be_written(tmp_path):
    name = tmp_path / "a.hdf"
    with h5py.File(name, "w") as file:
        epsie.dump_state(filled(1), file)
    with h5py.File(name, "r") as file:
        with pytest.raises(CheckpointError, match=r"reading only; open it with mode 'a'"):
            epsie.dump_state(filled(2), file)
        assert same(epsie.load_state(file), filled(1))
    for use in (epsie.load_state, lambda fp: epsie.dump_state(filled(1), fp)):
        with pytest.raises(CheckpointError, match="closed"):
            use(file)
        with pytest.raises(TypeError, match=r"must be an open h5py\.File"):
            use(str(name))


class Executed:
    def __reduce__(self):
        return (os.system, ("exit 1",))


def test_pickles_are_loaded_only_if_asked_for(file):
    old = {0: {frozenset(["x"]): {"std": np.arange(3.0)}, "iteration": 12}}
    for name, value in (("old", old), ("evil", Executed())):
        data = pickle.dumps(value)
        file.create_dataset(name, data=np.frombuffer(data, "S1"), maxshape=(None,))
        with pytest.raises(CheckpointError, match="allow_pickle=True"):
            epsie.load_state(file, dsetname=name)
    found = epsie.load_state(file, dsetname="old", allow_pickle=True)
    assert found[0]["iteration"] == 12
    file["broken"] = np.frombuffer(pickle.dumps(old)[:-20], "S1")
    with pytest.raises(CheckpointError):
        epsie.load_state(file, dsetname="broken", allow_pickle=True)
    epsie.dump_state(filled(3), file, dsetname="old")
    assert same(epsie.load_state(file, dsetname="old"), filled(3))


# ---- damage


def corrupted(rng, data):
    """The bytes with some of them changed, in one of several ways."""
    data, kind, at = bytearray(data), rng.randrange(5), rng.randrange(len(data))
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        stop = rng.randint(at + 1, len(data))
        data[at:stop] = rng.randbytes(stop - at)
    elif kind == 2:
        data[at:] = bytes(len(data) - at)
    elif kind == 3:
        data[rng.randrange(HEADER_SIZE)] ^= rng.randint(1, 255)
    else:
        other = rng.randrange(len(data))
        data[at], data[other] = data[other], data[at]
    return bytes(data)


@pytest.mark.parametrize(
    "count", [1000, pytest.param(10_000, marks=pytest.mark.slow)], ids=["default", "all"]
)
def test_corruptions_of_the_payload(file, count):
    """Never another exception, never a wrong state."""
    rng = random.Random(seed())
    epsie.dump_state(filled(1), file)
    epsie.dump_state(filled(2), file)
    dataset = file["sampler_state"]
    notes = [note_of(number).tobytes() for number in (1, 2)]
    whole, half = dataset[NOTE_SIZE:-NOTE_SIZE].tobytes(), slot_size(dataset)
    size = len(encode(filled(2)))
    outcomes = {"error": 0, "previous": 0, "same": 0}
    for _ in range(count):
        slots, note = [whole[:half], whole[half:]], rng.choice(notes)
        for i in rng.choice([(0,), (1,), (0, 1)]):
            slots[i] = corrupted(rng, slots[i][:size]) + slots[i][size:]
        sound = [slots[0] == whole[:half], slots[1] == whole[half:]]
        dataset[:] = np.frombuffer(b"".join([note, *slots, note]), np.uint8)
        previous = rng.random() < 0.5
        try:
            found = epsie.load_state(file, previous=previous)
        except CheckpointError:
            outcomes["error"] += 1
            # The first is no answer if the second was finished, unless it is asked for.
            assert not sound[1]
            assert not sound[0] or (note == notes[1] and not previous)
            continue
        assert sound[1] or sound[0]
        assert same(found, filled(2 if sound[1] else 1))
        outcomes["same" if sound[1] else "previous"] += 1
    assert min(outcomes.values()) > count / 20


def test_corruptions_of_the_file(tmp_path):
    """HDF5's own structure: a file that opens gives the state or one of the two errors."""
    rng = random.Random(seed())
    name = tmp_path / "a.hdf"
    with h5py.File(name, "w") as file:
        epsie.dump_state(filled(1), file, "group")
    whole = name.read_bytes()
    for _ in range(300):
        damaged = bytearray(whole[: rng.choice([len(whole), rng.randrange(len(whole))])])
        for _ in range(rng.randint(1, 20)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        name.write_bytes(damaged)
        try:
            file = h5py.File(name, "r")
        except OSError:
            continue
        with file, contextlib.suppress(KeyError, pickle.UnpicklingError):
            assert same(epsie.load_state(file, "group"), filled(1))


KILLED = """
import sys, numpy as np, h5py, epsie
number = int(sys.argv[2])
file = h5py.File(sys.argv[1], "a")
while True:
    number += 1
    state = {0: {"number": number, "array": np.full(2000, number), "text": str(number) * 20}}
    epsie.dump_state(state, file, "group")
    print(number, flush=True)
"""


def killed_while_dumping(name, number, delay):
    """The last number that a process reported before it was killed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(name), str(number)],
        stdout=subprocess.PIPE,
        env=environment,
        text=True,
    ) as process:
        reported = [process.stdout.readline()]
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        reported += process.stdout.readlines()
    return int([line for line in reported if line.endswith("\n")][-1])


def test_kills_during_dumps(tmp_path):
    rng = random.Random(seed())
    name, number = tmp_path / "a.hdf", 0
    for _ in range(10):
        number = killed_while_dumping(name, number, rng.uniform(0, 0.05))
        with h5py.File(name, "r") as file:
            found = epsie.load_state(file, "group")
        # One more may have been written than was reported.
        assert found[0]["number"] in (number, number + 1)
        number = found[0]["number"]
        assert same(found, filled(number, 2000))


# ---- samplers

CASES = dict(every_example())
SAMPLERS = ["mh", "pt", "annealed", "barrier"]


def sampler(kind, example: Example, pool=None):
    """A sampler of every kind."""
    names, nchains = example.names, 2
    settings = {"proposals": [example.make()], "seed": seed(), "pool": pool}
    if kind == "mh":
        made = MetropolisHastingsSampler(names, gaussian, nchains, **settings)
        made.start_position = {name: [value] * nchains for name, value in example.start.items()}
        return made
    annealer = {"pt": None, "annealed": DynamicalAnnealer(50, 5), "barrier": BarrierAnnealer(60, 4)}
    made = ParallelTemperedSampler(
        names,
        gaussian,
        nchains,
        [1.0, 0.5, 0.1],
        2,
        adaptive_annealer=annealer[kind],
        swap_scheme="deo" if kind == "barrier" else "cascade",
        **settings,
    )
    made.start_position = {name: [[value] * nchains] * 3 for name, value in example.start.items()}
    return made


def bits(made):
    """All that it visited since the last clear, and where it stands."""
    tables = (made.positions, made.stats, made.acceptance, made.blobs)
    return [table.tobytes() for table in tables], encode(made.state)


RESUMED = """
import hashlib, sys, h5py
from tests.test_checkpoint import CASES, SAMPLERS, bits, sampler
with h5py.File(sys.argv[1], "r") as file:
    for name in file:
        for kind in file[name]:
            made = sampler(kind, CASES[name])
            made.set_state_from_checkpoint(file, f"{name}/{kind}")
            assert made.niterations == 43
            made.run(40)
            print(name, kind, hashlib.sha256(repr(bits(made)).encode()).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.rest)])
def test_resume_in_a_new_process(every, tmp_path):
    """Every registered proposal, both samplers and annealers: what follows is the same.

    By default every third pair of them, which all proposals and all kinds of samplers have.
    """
    import hashlib

    expected = []
    with h5py.File(tmp_path / "a.hdf", "w") as file:
        for name, kind in sorted(itertools.product(CASES, SAMPLERS))[::every]:
            made = sampler(kind, CASES[name])
            made.run(43)
            made.checkpoint(file, f"{name}/{kind}")
            assert same(epsie.load_state(file, f"{name}/{kind}"), made.state)
            made.clear()
            made.run(40)
            digest = hashlib.sha256(repr(bits(made)).encode()).hexdigest()
            expected.append(f"{name} {kind} {digest}")
    done = subprocess.run(
        [sys.executable, "-c", RESUMED, str(tmp_path / "a.hdf")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == expected


@pytest.mark.slow
def test_bit_generators_of_all_kinds_are_saved(file):
    from epsie.rng import bit_generator_names

    for name in bit_generator_names():
        made = MetropolisHastingsSampler("x", gaussian, 1, seed=seed(), bit_generator=name)
        made.start_position = {"x": [0.5]}
        made.run(3)
        made.checkpoint(file, name)
        other = MetropolisHastingsSampler("x", gaussian, 1, seed=1, bit_generator=name)
        other.set_state_from_checkpoint(file, name)
        made.clear()
        made.run(200)
        other.run(200)
        assert bits(made) == bits(other)


def test_what_pycbc_calls(file):
    """`path` by keyword, a group that exists, and arrays of numbers in the blobs."""
    file.create_group("sampler_info")
    made = ParallelTemperedSampler(
        ["x"], lambda x: (-x * x, 0.0, {"a": np.float32(x), "b": np.ones(2)}), 2, [1.0, 0.5], seed=1
    )
    made.start_position = {"x": np.zeros((2, 2))}
    made.run(5)
    made.checkpoint(file, path="sampler_info")
    assert epsie.load_state(file, "sampler_info")
    made.set_state_from_checkpoint(file, path="sampler_info")
    assert isinstance(made.state[0][0]["current_blob"]["a"], np.float32)


def test_a_state_of_another_sampler_is_refused(file):
    one = sampler("mh", CASES["normal-0"])
    one.checkpoint(file)
    other = MetropolisHastingsSampler(
        ["x", "y"], gaussian, 2, AdaptiveNormal("x", {"x": 1}, 9), seed=1
    )
    with pytest.raises(ValueError, match="the state is of proposals"):
        other.set_state_from_checkpoint(file)
    with pytest.raises(ValueError, match="must be of 3 temperatures"):
        sampler("pt", CASES["normal-0"]).set_state_from_checkpoint(file)
