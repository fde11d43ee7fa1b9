"""Arguments: what was meant is said, and what is allowed is taken right."""

import copy
import logging
import pickle
import subprocess
import sys
import warnings
from collections import OrderedDict

import numpy as np
import pytest

import epsie
from epsie import diagnostics
from epsie.chain import Chain, ParallelTemperedChain
from epsie.proposals import (
    Angular,
    BoundedDiscrete,
    JointProposal,
    NestedTransdimensional,
    Normal,
    NormalDiscrete,
    UniformBirth,
)
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler


def flat(**parameters):
    return 0.0, 0.0


def sampler(names=("k",), proposals=None, nchains=2, model=flat, **settings):
    return MetropolisHastingsSampler(names, model, nchains, proposals, seed=1, **settings)


BIG = 1126259462391000001
"""Nanoseconds since 1980, as gravitational-wave data have them. No float is equal to it."""


@pytest.mark.parametrize(
    "starts",
    [
        [BIG, -BIG],
        (BIG, 2.0**60),
        np.array([BIG, 5]),
        np.array([BIG, 5], dtype=object),
        np.array([BIG, 7], dtype=np.uint64),
        [2**63 - 1, -(2**63)],
        [np.int64(BIG), 0.25e1],
    ],
)
@pytest.mark.parametrize("proposal", [NormalDiscrete("k"), BoundedDiscrete("k", {"k": (0, BIG)})])
def test_integers_are_exact(starts, proposal):
    made = sampler(proposals=[copy.deepcopy(proposal)])
    if isinstance(proposal, BoundedDiscrete):
        starts = [min(abs(int(start)), BIG) for start in starts]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.start_position = {"k": starts}
    right = [int(np.floor(float(s) + 0.5)) if isinstance(s, float) else int(s) for s in starts]
    assert made.start_position["k"].tolist() == right
    assert [chain.current_position["k"] for chain in made.chains] == right
    alone = Chain("k", flat, [copy.deepcopy(proposal)], 1)
    alone.start_position = {"k": right[0]}
    assert alone.start_position == {"k": right[0]}
    many = ParallelTemperedChain("k", flat, [copy.deepcopy(proposal)], [1, 0.5], bit_generator=1)
    many.start_position = {"k": right}
    assert many.start_position["k"].tolist() == right


def test_integers_stay_exact_on_the_way():
    made = sampler(proposals=[NormalDiscrete("k", 4.0)])
    made.start_position = {"k": [BIG, BIG]}
    made.run(50)
    away = [[value - BIG for value in row] for row in made.positions["k"].tolist()]
    assert 0 < np.abs(away).max() < 200
    assert len({value % 2 for row in away for value in row}) == 2


@pytest.mark.parametrize("bad", [2**63, 1e19, -(2**63) - 1, np.uint64(2**63), 10**400])
@pytest.mark.parametrize("kind", ["list", "array"])
def test_what_no_64_bits_hold_is_refused(bad, kind):
    made = sampler(proposals=[NormalDiscrete("k")])
    with pytest.raises(ValueError, match=r"k.*(64 bits|must be numbers)"):
        made.start_position = {"k": [0, bad] if kind == "list" else np.array([0, bad])}


ORDER = """
import sys
sys.path[:0] = {path!r}
from epsie.samplers import MetropolisHastingsSampler
def model(**p):
    return -sum(v * v for v in p.values()), 0.0
m = MetropolisHastingsSampler({names}, model, 1, seed=1)
m.start_position = {{n: [0.0] for n in m.parameters}}
m.run(5)
print(sorted((n, m.positions[n].tolist()) for n in m.parameters))
"""


def test_unordered_parameters_and_proposals_are_refused():
    for names in ({"x", "y"}, frozenset(["x", "y"]), {"x": 1, "y": 2}.keys() | {"z"}):
        with pytest.raises(ValueError, match="must have an order"):
            sampler(names)
        with pytest.raises(ValueError, match="must have an order"):
            Normal(names)
        with pytest.raises(ValueError, match="must have an order"):
            Chain(names, flat, [Normal(["x", "y"])])
    parts = {Normal("x"), Angular("y")}
    for make in (
        lambda: sampler(["x", "y"], parts),
        lambda: Chain(["x", "y"], flat, parts),
        lambda: ParallelTemperedChain(["x", "y"], flat, parts),
    ):
        with pytest.raises(ValueError, match="proposals must have an order"):
            make()


@pytest.mark.slow
def test_what_has_an_order_gives_the_same_under_any_hash_seed():
    for names in ("dict(y=1, x=2, z=3)", "dict(y=1, x=2, z=3).keys()", "(n for n in 'yxz')"):
        code = ORDER.format(path=sys.path, names=names)
        said = {
            subprocess.run(
                [sys.executable, "-c", code],
                env={"PYTHONHASHSEED": hash_seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            for hash_seed in ("1", "2")
        }
        assert len(said) == 1


@pytest.mark.parametrize("starts", [[1, 2], np.array([1, 2]), np.arange(2, dtype=np.uint8), (3, 4)])
def test_integer_starts_without_a_discrete_proposal_are_told(starts, caplog):
    made = sampler(["n", "x"], [Normal("n")], model=lambda n, x: (-n * n - x * x, 0.0))
    with warnings.catch_warnings(), caplog.at_level(logging.INFO, logger="epsie"):
        warnings.simplefilter("error")
        made.start_position = {"n": starts, "x": [0.5, 1.0]}
    (said,) = [
        record.getMessage() for record in caplog.records if "integers" in record.getMessage()
    ]
    assert "n: all starts are integers" in said
    assert "NormalDiscrete" in said
    assert made.start_position["n"].dtype == float
    made.run(20)
    assert "n: all starts are integers" in str(made.summary(burn_in=0))
    made.start_position = {"n": [1.0, 2.0], "x": [0.5, 1.0]}
    made.run(20)
    assert "integers" not in str(made.summary(burn_in=0))


@pytest.mark.parametrize("proposal", [NormalDiscrete("n"), BoundedDiscrete("n", {"n": (0, 9)})])
def test_integer_starts_of_discrete_parameters_are_as_they_should(proposal, caplog):
    made = ParallelTemperedSampler(["n"], flat, 2, [1, 0.5], proposals=[proposal], seed=1)
    with caplog.at_level(logging.INFO, logger="epsie"):
        made.start_position = {"n": np.array([[1, 2], [3, 4]])}
        made.start_position = {"n": np.array([[1.0, 2.0], [3.0, 4.0]])}
    assert "integers" not in caplog.text


STRUCTURED = np.zeros(2, dtype=[("x", float), ("y", float)])


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (np.zeros((2, 2)), r"(?s)a dict with an array.*'x': \[\.\.\.\].*zip\(names, values\.T\)"),
        ([{"x": 0.0, "y": 0.0}] * 2, r"list of dicts"),
        (({"x": 0.0}, {"y": 0.0}), r"list of dicts"),
        (None, "got None"),
        (3.0, "got 3.0"),
        ("x", "got 'x'"),
        ([[0.0, 0.0], [0.0, 0.0]], "zip"),
        (STRUCTURED, "array2dict"),
        ({0.0, 1.0}, "must be a dict"),
    ],
)
def test_starts_that_do_not_come_by_name(start, said):
    made = sampler(["x", "y"])
    alone = Chain(["x", "y"], flat, [Normal(["x", "y"])], 1)
    many = ParallelTemperedChain(["x", "y"], flat, [Normal(["x", "y"])], [1, 0.5], bit_generator=1)
    for one in (made, alone, many):
        with pytest.raises(TypeError, match=said):
            one.start_position = start


def test_mappings_of_all_kinds_are_starts():
    made = sampler(["x", "y"])
    made.start_position = OrderedDict(y=(1.0, 2.0), x=[3.0, 4.0])
    assert made.start_position["y"].tolist() == [1.0, 2.0]
    made.start_position = epsie.array2dict(STRUCTURED)


class Quantity:
    def __init__(self, value, unit):
        self.value, self.unit = np.asarray(value), unit

    def __array__(self, dtype=None, copy=None):
        return self.value.astype(dtype or float)

    def __float__(self):
        return float(self.value)


class Pint(Quantity):
    def __init__(self, value, unit):
        super().__init__(value, unit)
        self.units, self.magnitude = unit, self.value
        del self.unit


def test_masked_starts_and_units_are_refused():
    made = sampler(["x"])
    for start in (np.ma.array([1.0, 2.0], mask=[False, True]), np.ma.masked_greater([1.0, 9.0], 3)):
        with pytest.raises(ValueError, match="x are masked"):
            made.start_position = {"x": start}
    made.start_position = {"x": np.ma.array([1.0, 2.0])}
    for start in (
        Quantity([1, 2], "km"),
        Pint([1, 2], "km"),
        [Quantity(1, "m"), Quantity(2, "km")],
    ):
        with pytest.raises(ValueError, match=r"x has a unit, k?m"):
            made.start_position = {"x": start}
    made.start_position = {"x": Pint([1, 2], "dimensionless")}
    alone = Chain("x", flat, [Normal("x")], 1)
    with pytest.raises(ValueError, match="unit, kg"):
        alone.start_position = {"x": Quantity(1, "kg")}


def model(x, y):
    return -x * x - y * y, 0.0


class Called:
    def __call__(self, theta):
        return 0.0, 0.0


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (
            lambda: MetropolisHastingsSampler(model, ["x", "y"], 4),
            TypeError,
            "parameters come first",
        ),
        (lambda: ParallelTemperedSampler(model, "x", 4, [1]), TypeError, "parameters come first"),
        (lambda: sampler(["x"], "Normal"), TypeError, "made first.*'Normal'"),
        (lambda: sampler(["x"], Normal), TypeError, "made first.*'Normal'"),
        (lambda: sampler(["x"], [Normal]), TypeError, "instances of BaseProposal"),
        (lambda: sampler(["x"], 3), TypeError, "proposals must be several.*got 3"),
        (lambda: Chain("x", flat, "Normal"), TypeError, "made first.*'Normal'"),
        (lambda: ParallelTemperedChain("x", flat, Normal), TypeError, "made first"),
        (lambda: sampler(3), TypeError, "parameters must be several.*got 3"),
        (lambda: sampler(None), TypeError, "parameters must be several.*got None"),
        (lambda: started(["x", "y"], lambda theta: (0.0, 0.0)), RuntimeError, "called by name"),
        (lambda: started(["x", "y"], Called()), RuntimeError, "called by name"),
        (lambda: started("x y", model), RuntimeError, r"called by name|list of names"),
        (lambda: started(["x,y"], model), RuntimeError, r"list of names"),
        (lambda: sampler().log_evidence(), (ValueError, AttributeError), "temperature"),
        (lambda: sampler().draw_start({"k": {0, 1}}), TypeError, r"scipy.stats.*'k' got \{0, 1\}"),
        (lambda: sampler().draw_start(None), TypeError, r"prior\(rng\).*got None"),
        (lambda: sampler().draw_start([(0, 1)]), TypeError, r"prior\(rng\)"),
    ],
)
def test_what_was_meant_is_said(make, error, said):
    with pytest.raises(error, match=said):
        make()


def started(names, asked):
    made = sampler(names, model=asked)
    made.start_position = {name: np.zeros(2) for name in made.parameters}
    return made


def test_a_type_error_inside_of_the_model_is_its_own():
    def asked(x, y):
        return "x" + x, 0.0

    with pytest.raises(epsie.ModelError) as caught:
        started(["x", "y"], asked)
    assert "by name" not in str(caught.value)


GIVEN = {
    "generator": lambda names: (name for name in names),
    "iterator": iter,
    "map": lambda names: map(copy.copy, names),
    "keys": lambda names: dict.fromkeys(names).keys(),
    "values": lambda names: dict(enumerate(names)).values(),
}


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("given", GIVEN)
def test_names_from_iterators(given, tmp_path):
    made = Normal(GIVEN[given](["x", "y"]), cov=[1.0, 2.0])
    assert made.config["parameters"] == ("x", "y")
    assert "('x', 'y')" in repr(made)
    for twin in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        assert twin.parameters == ("x", "y")
        assert twin.config["parameters"] == ("x", "y")
    of = sampler(GIVEN[given](["x", "y"]), GIVEN[given]([made]), model=model, pool=2)
    of.start_position = {"x": [0.0, 1.0], "y": [0.0, 1.0]}
    of.run(5, directory=tmp_path / "run")
    assert MetropolisHastingsSampler.resume(tmp_path / "run", model).niterations == 5


def test_parts_from_iterators():
    names = ["a0", "a1"]
    nested = NestedTransdimensional(
        (name for name in ["k", *names]),
        BoundedDiscrete("k", {"k": (0, 2)}, successive={"k": True}),
        (Normal(name) for name in names),
        (UniformBirth(name, {name: (0, 1)}) for name in names),
    )
    assert len(pickle.loads(pickle.dumps(nested)).proposals) == 2
    assert copy.deepcopy(nested).parameters == ("k", "a0", "a1")
    joint = JointProposal(*(Normal(name) for name in names))
    assert copy.deepcopy(joint).parameters == ("a0", "a1")


def test_draws_without_names():
    draws = np.random.default_rng(1).normal(size=(4, 100))
    for ask in (diagnostics.rhat, diagnostics.ess_bulk, diagnostics.summarise):
        for plain in (draws, draws.tolist()):
            with pytest.raises(TypeError, match=r"come by parameter.*\{'x': draws\}"):
                ask(plain)
    assert diagnostics.rhat({"x": draws})["x"] < 1.1


def test_integer_starts_are_told_of_a_run_on_disk_too(tmp_path):
    def model(n, x):
        return -n * n - x * x, 0.0

    def made():
        return sampler(["n", "x"], [Normal("n")], model=model)

    first = made()
    first.start_position = {"n": [1, 2], "x": [0.5, 1.0]}
    first.run(10, directory=tmp_path / "run")
    again = made()
    again.start_position = {"n": [1.0, 2.0], "x": [0.5, 1.0]}
    again.run(total=20, directory=tmp_path / "run")
    resumed = MetropolisHastingsSampler.resume(tmp_path / "run", model)
    resumed.run(10)
    for source in (first, again, resumed, epsie.open_run(tmp_path / "run")):
        assert "n: all starts are integers" in str(source.summary(burn_in=0))


def test_integers_drawn_from_a_prior_are_told(tmp_path):
    made = sampler(["n", "x"], [Normal("n")], model=lambda n, x: (-n * n - x * x, 0.0))
    made.draw_start(lambda rng: {"n": rng.integers(9), "x": rng.normal()})
    made.run(10)
    assert "n: all starts are integers" in str(made.summary(burn_in=0))
    made.draw_start(lambda rng: {"n": float(rng.integers(9)), "x": rng.normal()})
    made.run(10)
    assert "integers" not in str(made.summary(burn_in=0))
