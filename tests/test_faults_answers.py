"""What a model may give and raise: copied, refused or told, on every pool and serially."""

import signal
from collections import OrderedDict, UserDict, defaultdict
from fractions import Fraction
from types import MappingProxyType

import numpy as np
import pytest

from epsie import ModelError
from epsie.chain import Chain, ParallelTemperedChain
from epsie.proposals import Normal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

KINDS = ("dict", "array", "view", "zero-d", "matrix", "list", "shared", "ordered", "proxy", "user")


class Reuses:
    """Updates what it returned before, and returns it again."""

    def __init__(self, kind):
        self.kind = kind
        self.buffer = np.zeros(4)
        self.scalar = np.zeros(())
        self.list = [0.0, 0.0]
        maps = {"ordered": OrderedDict(), "user": UserDict()}
        self.map = maps.get(kind, {})

    def __call__(self, x, y):
        made = {"v": x + 2 * y}
        self.buffer[:] = x + 2 * y
        self.scalar[...] = x + 2 * y
        self.list[0] = self.list[1] = x + 2 * y
        if self.kind == "array":
            made = {"v": self.buffer}
        elif self.kind == "view":
            made = {"v": self.buffer[::2]}
        elif self.kind == "zero-d":
            made = {"v": self.scalar}
        elif self.kind == "matrix":
            made = {"v": self.buffer.reshape(2, 2).view(type("Own", (np.ndarray,), {}))}
        elif self.kind == "list":
            made = {"v": [self.list, self.list]}
        elif self.kind == "shared":
            made = {"v": memoryview(self.buffer)}
        elif self.kind != "dict":
            self.map["v"] = x + 2 * y
            made = MappingProxyType(self.map) if self.kind == "proxy" else self.map
        else:
            self.map["v"] = x + 2 * y
            made = self.map
        return -(x * x + y * y) / 2, 0.0, made


def sampler(model, pool=None, tempered=False, nchains=2, **settings):
    if tempered:
        made = ParallelTemperedSampler(
            ["x", "y"], model, nchains, [1.0, 0.1], seed=1, pool=pool, **settings
        )
        made.start_position = {"x": np.zeros((2, nchains)), "y": np.zeros((2, nchains))}
    else:
        made = MetropolisHastingsSampler(["x", "y"], model, nchains, seed=1, pool=pool, **settings)
        made.start_position = {"x": np.zeros(nchains), "y": np.zeros(nchains)}
    return made


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("pool", "tempered"), [("None", False), ("own", False), ("None", True)])
@pytest.mark.in_part(7)
def test_each_row_has_its_own_blob(kind, pool, tempered, pools):
    made = sampler(Reuses(kind), pools[pool], tempered)
    made.run(7)
    made.run(300)
    positions = made.positions
    blobs = made.blobs["v"]
    right = positions["x"] + 2 * positions["y"]
    right = right.reshape(right.shape + (1,) * (blobs.ndim - right.ndim))
    np.testing.assert_array_equal(blobs, np.broadcast_to(right, blobs.shape))
    for leaf in [leaf for chain in made.chains for leaf in chain.by_temperature]:
        here = leaf.current_position
        assert np.all(leaf.current_blob["v"] == here["x"] + 2 * here["y"])


def test_the_blob_of_the_start_is_its_own():
    model = Reuses("array")
    chain = Chain(["x", "y"], model, [Normal(["x", "y"])], 1)
    chain.start_position = {"x": 1.0, "y": 1.0}
    model(x=5.0, y=5.0)
    np.testing.assert_array_equal(chain.blob0["v"], np.full(4, 3.0))
    given = np.full(4, 9.0)
    chain.blob0 = {"v": given}
    given[:] = 0
    np.testing.assert_array_equal(chain.blob0["v"], np.full(4, 9.0))


def test_what_is_handed_out_is_a_copy():
    def model(x, y):
        return (0.0 if x == 0 else -np.inf), 0.0, {"v": np.array([x, y])}

    made = sampler(model)
    for chain in made.chains:
        chain.step()
        chain.current_blob["v"][:] = 7
        chain.blob0["v"][:] = 7
        chain.state["current_blob"]["v"][:] = 7
    made.run(3)
    np.testing.assert_array_equal(made.blobs["v"], np.zeros((2, 4, 2)))


@pytest.mark.parametrize("answer", ["zero-d", "array", "list"])
def test_logl_and_logp_that_are_updated_in_place(answer):
    logl, logp, both = np.zeros(()), np.zeros(()), np.zeros(2)

    def model(x, y):
        logl[...] = both[0] = -(x * x + y * y) / 2
        logp[...] = both[1] = -abs(x)
        return {"zero-d": (logl, logp), "array": both, "list": [logl, logp]}[answer]

    made = sampler(model)
    made.run(200)
    positions, stats = made.positions, made.stats
    np.testing.assert_array_equal(stats["logp"], -np.abs(positions["x"]))
    x, y = positions["x"], positions["y"]
    np.testing.assert_array_equal(stats["logl"], -(x * x + y * y) / 2)


@pytest.mark.parametrize("bad", ["1", b"1", np.str_("1"), np.array("1"), 1j, np.complex128(1)])
def test_what_only_looks_like_a_number_is_refused(bad):
    for answer in ((bad, 0.0), (0.0, bad), [0.0, bad]):
        with pytest.raises(ModelError, match="must be real numbers"):
            sampler(lambda x, y, answer=answer: answer)


ODD = [{-0.5, -1.0}, frozenset({-0.5, -1.0}), "12", {1: 2, 3: 4}, iter([0.0, 0.0]), 3.0, None]


@pytest.mark.parametrize("answer", ODD)
def test_an_answer_without_an_order_is_refused(answer):
    with pytest.raises(ModelError, match="the model returned"):
        sampler(lambda x, y: answer)


def test_numbers_of_other_kinds_are_taken():
    for one in (Fraction(-1, 2), np.float32(-0.5), np.array(-0.5), np.array(Fraction(-1, 2))):
        made = sampler(lambda x, y, one=one: (one, one))
        assert made.current_stats["logl"].tolist() == [-0.5, -0.5]


@pytest.mark.parametrize("tempered", [False, True])
def test_an_empty_blob_or_name_is_refused_at_once(tempered):
    for blob in ({}, {"": 1.0}, OrderedDict(), UserDict()):
        with pytest.raises(ModelError, match="empty"):
            sampler(lambda x, y, blob=blob: (0.0, 0.0, blob), tempered=tempered)
    for names in ("", ["x", ""], [np.str_("")]):
        with pytest.raises(ValueError, match="empty"):
            MetropolisHastingsSampler(names, lambda **values: (0.0, 0.0), 1)


def test_a_blob_that_becomes_empty_or_loses_a_key_is_refused():
    def model(x, y):
        whole = {"a": x, "b": y}
        if x == 0:
            return 0.0, 0.0, whole
        changed = {"empty": {}, "fewer": {"a": x}, "more": {**whole, "c": 1}}
        changed["default"] = defaultdict(float, {"a": x})
        return 0.0, 0.0, changed[model.kind]

    for kind in ("empty", "fewer", "more", "default"):
        model.kind = kind
        with pytest.raises(ModelError, match="blob changed"):
            sampler(model).run(1)


class Turns:
    """Gives its blob's keys in another order each time, or each other chain."""

    def __init__(self, by):
        self.by, self.calls = by, 0

    def __call__(self, x, y):
        self.calls += 1
        keys = ["a", "b", "c"]
        turned = self.calls % 3 if self.by == "call" else int(y > 0)
        keys = keys[turned:] + keys[:turned]
        values = {"a": x, "b": np.array([x, y]), "c": "text"}
        return -x * x - y * y, 0.0, {key: values[key] for key in keys}


@pytest.mark.parametrize("by", ["call", "place"])
@pytest.mark.parametrize(("pool", "tempered"), [("None", False), ("own", False), ("None", True)])
def test_keys_of_blobs_in_another_order(by, pool, tempered, pools):
    made = sampler(Turns(by), pools[pool], tempered, nchains=3)
    shape = (2, 3) if tempered else (3,)
    signs = np.resize([-0.1, 0.1], shape)
    made.start_position = {"x": signs, "y": signs}
    first = list(made.chains[0].current_blob)
    made.run(5)
    made.run(400)
    assert list(made.blobs.dtype.names) == first
    np.testing.assert_array_equal(made.blobs["a"], made.positions["x"])
    np.testing.assert_array_equal(made.blobs["b"][..., 1], made.positions["y"])
    assert (made.blobs["c"] == "text").all()


def test_starts_whose_blobs_have_other_keys_are_refused():
    def model(x, y):
        return 0.0, 0.0, {"a": x} if x == 0 else {"b": x}

    made = sampler(model)
    with pytest.raises(ModelError, match="blob changed"):
        made.start_position = {"x": [0.0, 1.0], "y": [0.0, 0.0]}


class Panic(BaseException):
    """As what is raised by extensions written in Rust."""


class Mute(BaseException):
    def __str__(self):
        raise RuntimeError("no words")


class Raises:
    def __init__(self, error):
        self.error = error

    def __call__(self, x, y):
        if x:
            raise {
                "panic": Panic("at the disco"),
                "mute": Mute(),
                "exit": SystemExit(3),
                "generator": GeneratorExit(),
                "own": OwnModelError("mine"),
            }[self.error]
        return 0.0, 0.0


class OwnModelError(ModelError):
    def __init__(self, text):
        super().__init__(f"own {text}")


LOCAL = ("None", "own", "threads", "executor", "fork", "spawn", "schwimmbad multi", "map only")


@pytest.mark.parametrize("pool", LOCAL)
@pytest.mark.parametrize("error", ["panic", "mute", "exit", "generator", "own"])
def test_all_that_a_model_raises_is_an_error_of_it(pool, error, pools, importable):
    made = sampler(Raises(error), pools[pool])
    names = {"panic": "Panic", "mute": "Mute", "exit": "SystemExit: 3"}
    said = {**names, "generator": "GeneratorExit", "own": "own mine"}[error]
    with pytest.raises(ModelError, match=said) as caught:
        made.run(3)
    assert caught.value.where["chain"] == 0
    assert made.niterations == 0
    with pytest.raises(ModelError, match=said):
        made.start_position = {"x": np.ones(2), "y": np.ones(2)}
    made.model = Raises("none")
    made.start_position = {"x": np.zeros(2), "y": np.zeros(2)}


def test_a_tempered_chain_alone_tells_what_its_model_raised():
    chain = ParallelTemperedChain(["x", "y"], Raises("panic"), [Normal(["x", "y"])], [1, 0.5])
    chain.start_position = {"x": np.zeros(2), "y": np.zeros(2)}
    with pytest.raises(ModelError, match="Panic: at the disco"):
        chain.step()


def leave(number, frame):
    raise SystemExit(143)


class Handler:
    def __call__(self, number, frame):
        leave(number, frame)


@pytest.mark.parametrize("handler", [leave, Handler(), Handler().__call__])
@pytest.mark.parametrize("kind", ["chain", "sampler", "start"])
def test_what_a_signal_handler_raises_passes(handler, kind):
    def model(x, y):
        if x:
            signal.raise_signal(signal.SIGTERM)
        return 0.0, 0.0

    made = sampler(model)
    ask = {
        "start": lambda: setattr(made, "start_position", {"x": np.ones(2), "y": np.ones(2)}),
        "sampler": lambda: made.run(3),
        "chain": made.chains[0].step,
    }[kind]
    former = signal.signal(signal.SIGTERM, handler)
    try:
        with pytest.raises(SystemExit, match="143"):
            ask()
    finally:
        signal.signal(signal.SIGTERM, former)
    assert made.niterations == 0


def test_ctrl_c_passes():
    def model(x, y):
        if x:
            raise KeyboardInterrupt
        return 0.0, 0.0

    with pytest.raises(KeyboardInterrupt):
        sampler(model).run(1)
