"""What users add: proposals, births, annealers, and models that are objects.

The documented recipes, in the ways of EPSIE 1.x and of today: serially, on a pool, split, and
resumed from a checkpoint, with the same bits.
"""

import configparser
import math

import h5py
import numpy as np
import pytest

from epsie import proposals as p
from epsie.chain import Chain
from epsie.errors import ModelError
from epsie.proposals import BaseProposal, Boundaries
from epsie.proposals.base import BaseBirth
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests.statistical import Continuous, check_invariance, generator, seed

C, N = 2, 60


class Stretch(BaseProposal):
    """A user's proposal of positive numbers, not symmetric, by the recipe of EPSIE 1.x."""

    name = "stretch"
    symmetric = False

    def __init__(self, parameters, width):
        self.parameters = parameters
        self.width = width

    def _jump(self, fromx):
        return {
            name: fromx[name] * math.exp(self.width * self.random_generator.normal())
            for name in self.parameters
        }

    def _logpdf(self, xi, givenx):
        total = 0.0
        for name in self.parameters:
            z = math.log(xi[name] / givenx[name]) / self.width
            total -= 0.5 * z * z + math.log(self.width * xi[name])
        return total

    def _update(self, chain):
        self.width *= 1.02 if chain.acceptance["accepted"][-1] else 0.99

    @property
    def state(self):
        return {"random_state": self.random_state, "width": self.width}

    def set_state(self, state):
        self.random_state = state["random_state"]
        self.width = state["width"]


class Exponential(BaseBirth):
    """A user's birth that learns how many there were, which does not change what it draws."""

    evolving = ("nborn",)

    def __init__(self, parameters):
        self.parameters = parameters
        self.nborn = 0

    @property
    def birth(self):
        self.nborn += 1
        return {name: self.random_generator.exponential() for name in self.parameters}

    def logpdf(self, xi):
        return -sum(xi[name] for name in self.parameters)


class Careless(Exponential):
    """One that forgets to save."""

    evolving = ()


class Squeezing:
    """A user's annealer, in the ways of EPSIE 1.x: it writes into the ladder."""

    def __init__(self, rate):
        self.rate = rate

    def setup_annealing(self, betas):
        self.first = betas.tolist()
        self.calls = 0

    def __call__(self, chain):
        self.calls += 1
        chain.betas[1:-1] = [beta ** (1 + self.rate / self.calls) for beta in self.first[1:-1]]


class FromConfig(p.AdaptiveBoundedNormal):
    """A built-in that gets a constructor from a file, as PyCBC's do."""

    @classmethod
    def from_config(cls, file, section):
        options = dict(file[section])
        assert options.pop("name") == cls.name
        names = options.pop("parameters").split("+")
        bounds = {name: Boundaries(map(float, options.pop(name).split())) for name in names}
        settings = {name: float(value) for name, value in options.items()}
        return cls(parameters=names, boundaries=bounds, adaptation_duration=40, **settings)


FILE = """
[jump]
name = adaptive_bounded_normal
parameters = x+y
x = 0 20
y = 0 20
start_iteration = 3
target_rate = 0.3
"""


def from_file():
    file = configparser.ConfigParser()
    file.read_string(FILE)
    return FromConfig.from_config(file, "jump")


class Line:
    """A model that is an object: it holds data, and counts its calls."""

    def __init__(self, outside):
        self.data = np.linspace(0, 1, 50)
        self.outside = outside
        self.calls = 0

    def __call__(self, x, y):
        self.calls += 1
        if x < 0 or y < 0:
            return self.outside, -math.inf, {"mean": self.outside}
        return -x - y - float(((self.data * x - y) ** 2).sum()), 0.0, {"mean": x * self.data.mean()}


def components(birth=Exponential):
    return p.NestedTransdimensional(
        ["k", "x", "y"],
        p.BoundedDiscrete("k", {"k": (0, 2)}, successive={"k": True}),
        [Stretch(["x"], 0.5), p.Normal("y")],
        [birth(["x"]), Exponential(["y"])],
    )


def exponentials(k, x, y):
    """The prior that the births have, for what is active."""
    active = [value for value in (x, y) if value == value]
    if any(value < 0 for value in active):
        return None, -math.inf
    return 0.0, -sum(active)


XY = {"x": 1.0, "y": 0.5}
CASES = {
    "proposal": (lambda: Stretch(["x", "y"], 0.5), Line(None), XY),
    "subclass": (from_file, Line(math.nan), XY),
    "birth": (components, exponentials, {"k": 1, "x": 0.4, "y": math.nan}),
}


def sampler(case, tempered=False, **settings):
    make, model, start = CASES[case]
    if tempered:
        made = ParallelTemperedSampler(
            list(start), model, C, [1, 0.6, 0.3, 0.1], 2, [make()], Squeezing(0.5), seed=seed(),
            **settings,
        )  # fmt: skip
    else:
        made = MetropolisHastingsSampler(list(start), model, C, [make()], seed=seed(), **settings)
    shape = (4, C) if tempered else (C,)
    made.start_position = {name: np.full(shape, value) for name, value in start.items()}
    return made


@pytest.mark.parametrize("tempered", [False, True], ids=["mh", "pt"])
@pytest.mark.parametrize("case", CASES)
def test_what_users_add_runs_anywhere(case, tempered, pools, tmp_path):
    """Whole and serially; and on a pool, split, and resumed from a checkpoint on another pool."""
    whole = sampler(case, tempered)
    whole.run(N)
    first = sampler(case, tempered, pool=pools["own"])
    first.run(20)
    first.run(15)
    with h5py.File(tmp_path / "c.hdf", "w") as fp:
        first.checkpoint(fp, path="saved")
        second = sampler(case, tempered, pool=pools["threads"])
        second.set_state_from_checkpoint(fp, path="saved")
    second.run(N - 35)
    joined = np.concatenate([first.positions, second.positions], axis=-1)
    assert joined.tobytes() == whole.positions.tobytes()
    np.testing.assert_equal(second.state, whole.state)
    moved = whole.acceptance["accepted"].mean()
    assert 0.05 < moved < 1


def test_they_were_used():
    """What was tested above did something that may be lost."""
    made = sampler("proposal")
    made.run(N)
    own = made.chains[0].proposal_dist.proposals[0]
    assert own.width != 0.5 and own.nsteps == N
    made = sampler("subclass", tempered=True)
    made.run(N)
    own = made.chains[0].chains[0].proposal_dist.proposals[0]
    assert type(own) is FromConfig and own.name == "adaptive_bounded_normal"
    assert (own.start_step, own.target_rate) == (3, 0.3)
    annealer = made.chains[0].adaptive_annealer
    assert annealer.calls == N // 2
    assert made.betas[0, 1] == pytest.approx(0.6 ** (1 + 0.5 / annealer.calls))
    assert [chain.beta for chain in made.chains[1].chains] == made.betas[1].tolist()
    made = sampler("birth")
    made.run(N)
    births = [
        part.birth_distribution for part in made.chains[0].proposal_dist.proposals[0].proposals
    ]
    assert all(birth.nborn > 0 for birth in births)


@pytest.mark.parametrize("pool", ["None", "own"])
def test_a_birth_that_forgets_to_save_is_named(pools, pool):
    start = CASES["birth"][2]
    made = MetropolisHastingsSampler(
        list(start), exponentials, C, [components(Careless)], seed=seed(), pool=pools[pool]
    )
    made.start_position = {name: [value] * C for name, value in start.items()}
    before = made.state
    with pytest.raises(RuntimeError, match="Careless changed nborn while it was used"):
        made.run(N)
    np.testing.assert_equal(made.state, before)


@pytest.mark.parametrize("outside", [None, math.nan, -math.inf, 3.0])
def test_outside_of_the_prior_the_likelihood_is_not_looked_at(outside):
    made = MetropolisHastingsSampler(["x", "y"], Line(outside), C, seed=seed())
    made.start_position = {"x": [0.1, 0.2], "y": [0.1, 0.2]}
    made.run(200)
    assert (made.positions["x"] >= 0).all() and not made.acceptance["accepted"].all()
    assert np.isfinite(made.stats["logl"]).all() and np.isfinite(made.blobs["mean"]).all()


def test_inside_of_it_none_is_refused():
    def model(x):
        return (None if x > 1 else -x * x), 0.0

    made = MetropolisHastingsSampler("x", model, 1, seed=seed())
    made.start_position = {"x": [0.9]}
    with pytest.raises(ModelError, match="logl may be None or NaN only where logp is -inf"):
        made.run(200)


def test_a_model_in_this_process_is_the_object_itself():
    model = Line(None)
    made = MetropolisHastingsSampler(["x", "y"], model, C, seed=seed())
    made.start_position = {"x": [1, 1], "y": [1, 1]}
    made.run(10)
    assert made.model is model
    assert model.calls == C * 11


def stretched(width, logpdf=Stretch._logpdf):
    """A step of a chain with the user's proposal, its learning switched off."""
    fixed = type("Fixed", (Stretch,), {"_logpdf": logpdf, "_update": lambda self, chain: None})
    chain = Chain("x", lambda x: (-x, 0.0), fixed("x", width), generator("stretch").bit_generator)

    def step(x):
        chain.start_position = x
        for _ in range(3):
            chain.step()
        return chain.current_position

    return step


def draw_start(rng, size):
    return {"x": rng.exponential(size=size)}


MARGINALS = {"x": Continuous("x", lambda x: -np.expm1(-x))}


def test_a_users_proposal_leaves_the_target_invariant():
    """Of a false alarm 1e-5, as all of `tests.statistical`."""
    check_invariance(draw_start, stretched(0.8), MARGINALS, generator("start of stretch"))


def test_a_forgotten_density_would_be_seen():
    from tests.statistical import assert_power

    wrong = stretched(0.8, lambda self, xi, givenx: 0.0)
    assert_power(draw_start, wrong, MARGINALS, generator("start of stretch"))
