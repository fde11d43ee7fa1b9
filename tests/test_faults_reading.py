"""What is written can be read, and what cannot be read is told of at once, in little memory."""

import gc
import tracemalloc

import numpy as np
import pytest

import epsie
from epsie.errors import CheckpointError
from epsie.proposals import AdaptiveBoundedNormal, Normal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.storage.statetree import decode, encode
from tests.test_checkpoint import same, signed


class Name(str):
    """A name of a class of its own."""

    __slots__ = ()


# ---- names


def test_names_of_numpy_are_exactly_str(tmp_path):
    """A run whose parameters come from an array can be opened and resumed."""
    names = np.array(["x", "y"])

    def model(x, y):
        return -0.5 * (x * x + y * y), 0.0, {np.str_("sum"): x + y}

    bounds = dict.fromkeys(names, (-9, 9))
    proposal = AdaptiveBoundedNormal(names, bounds, 50)
    made = MetropolisHastingsSampler(names, model, 2, proposal, seed=1)
    assert [type(name) for name in made.parameters + proposal.parameters] == [str] * 4
    made.start_position = {name: [0.1, 0.2] for name in names}
    made.run(20, directory=tmp_path / "run", every=np.int64(10))
    run = epsie.open_run(tmp_path / "run")
    assert run.blobs.dtype.names == ("sum",)
    resumed = MetropolisHastingsSampler.resume(tmp_path / "run", model)
    assert same(resumed.state, made.state)
    resumed.run(10)
    assert epsie.open_run(tmp_path / "run").positions.shape == (2, 30)


@pytest.mark.parametrize("kind", [np.str_, Name])
def test_names_of_classes_derived_from_str_are_read_again(tmp_path, kind):
    """Another sampler, each parameter alone, and a policy and a time of such a class."""
    made = ParallelTemperedSampler(
        [kind("x"), kind("y")],
        lambda x, y: (-x * x - y * y, 0.0, {kind("a"): x, kind("b"): [x, y]}),
        2,
        [1.0, 0.5],
        proposals=[Normal(kind("x")), Normal([kind("y")])],
        seed=1,
        nan=kind("reject"),
        swap_scheme=kind("deo"),
    )
    made.start_position = {kind("x"): np.zeros((2, 2)), "y": np.zeros((2, 2))}
    made.run(9, directory=tmp_path / "run", every=kind("5min"))
    resumed = ParallelTemperedSampler.resume(tmp_path / "run", made.model)
    assert same(resumed.state, made.state)


def test_keys_are_written_as_they_are_read():
    found = decode(encode({np.str_("a"): 1, Name("b"): {Name("c"): 2}}))[0]
    assert same(found, {"a": 1, "b": {"c": 2}})

    class Other(str):
        __slots__ = ()
        __hash__ = object.__hash__

        def __eq__(self, other):
            return self is other

    with pytest.raises(TypeError, match="the key 'a' twice"):
        encode({"a": 1, Other("a"): 2})


# ---- what no reader would take is not written


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.zeros(2, [("a", "S0")]), "its type is"),
        (np.zeros(2, []), "no fields"),
        (np.zeros((2**40, 0)), "too large"),
        (np.zeros((1,) * 33), "too large"),
        (np.zeros(2, [("a", "f8", (1,) * 32)])["a"], "too large"),
        (np.zeros(2, [("a", [("b", [("c", [("d", [("e", [("f", [("g", "f8")])])])])])])]), None),
    ],
)
def test_what_cannot_be_read_is_not_written(value, said):
    if said is None:
        assert same(decode(encode({"a": value}))[0], {"a": value})
        return
    with pytest.raises(TypeError, match=said):
        encode({"a": value})


@pytest.mark.parametrize(
    ("node", "blocks"),
    [
        (b'{"array":["|S0",[1099511627776],0]}', b""),
        (b'{"array":["<U0",[1099511627776],0]}', b""),
        (b'{"array":["<f8",[1099511627776,0],0]}', b""),
        (b'{"array":[[["a","|S0",[]]],[1099511627776],0]}', b""),
        (b'{"array":[[],[1099511627776],0]}', b""),
        (b'{"array":[[["a","<f8",[1099511627776,0]]],[1],0]}', b""),
        (b'{"scalar":["<f8",[1],8]}', bytes(8)),
        (b'{"array":["<f8",[1],8]}', bytes(9)),
        (b"NaN", b""),
        (b'{"epsie":"2","tree":{"epsie":"2","tree":1}}', b""),
        (b'{"complex":["1",2]}', b""),
        (b'{"float":1}', b""),
    ],
)
def test_forged_trees_are_refused_at_once(node, blocks):
    with pytest.raises(CheckpointError):
        decode(signed(b'{"epsie":"2","tree":' + node + b"}", blocks))


# ---- memory


def peak(function):
    """The most memory in use during a call."""
    gc.collect()
    tracemalloc.start()
    try:
        function()
    except CheckpointError:
        pass
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return most


@pytest.mark.parametrize(
    "item",
    [
        b"[]",
        b"[1]",
        b'{"dict":[]}',
        b'{"dict":[["a",0]]}',
        b'"ab"',
        b"0.1",
        b"1000",
        b'{"tuple":[]}',
    ],
)
@pytest.mark.in_part(3)
def test_no_text_takes_more_than_ten_times_its_memory(item):
    data = signed(b'{"epsie":"2","tree":[' + b",".join([item] * 40_000) + b"]}")
    assert peak(lambda: decode(data)) < 9 * len(data) + 2**20


@pytest.mark.parametrize("item", [[], {}, (), {"a": 1}, [1, 2], "ab", 1000, 0.5, None])
@pytest.mark.in_part(2)
def test_whatever_is_written_is_read_in_ten_times_its_memory(item):
    """What takes more as objects takes more bytes."""
    tree = [type(item)(item) if isinstance(item, list | dict) else item for _ in range(40_000)]
    data = encode(tree)
    assert peak(lambda: decode(data)) < 9 * len(data) + 2**20
    assert same(decode(data)[0], tree)
