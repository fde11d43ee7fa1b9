"""Transdimensional jumps follow the prior where the likelihood is flat, and an exact posterior."""

import copy
import itertools
import math
import multiprocessing

import numpy as np
import pytest
from scipy import special, stats

from epsie.chain import Chain
from epsie.errors import ProposalError
from epsie.proposals.adaptation.andrieu_thoms import AndrieuThoms
from epsie.proposals.angular import Angular
from epsie.proposals.base import BaseProposal
from epsie.proposals.birth import BaseBirth, LogNormalBirth, NormalBirth, UniformBirth
from epsie.proposals.bounded_normal import BoundedNormal
from epsie.proposals.discrete import (
    ATAdaptiveNormalDiscrete,
    BoundedDiscrete,
    NormalDiscrete,
    SSAdaptiveNormalDiscrete,
)
from epsie.proposals.nested_transdimensional import NestedTransdimensional
from epsie.proposals.normal import AdaptiveNormal, ATAdaptiveNormal, Normal, SSAdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler
from tests.statistical import (
    Continuous,
    Discrete,
    assert_power,
    check_invariance,
    generator,
    seed,
)

NAN, INF = math.nan, math.inf

# ---- a flat likelihood: four components, one of them of two parameters

NAMES = ("u", "k", "a", "b", "c", "v")
COMPONENTS = (("a",), ("b",), ("c",), ("u", "v"))
N = len(COMPONENTS)
P_K = dict(enumerate((0.1, 0.25, 0.15, 0.3, 0.2)))
LOG_NORMAL = LogNormalBirth("c", {"c": 2}, {"c": 1})
PRIOR = {
    "a": stats.uniform(0, 2 * math.pi),
    "b": stats.norm(1, 2),
    "c": stats.lognorm(LOG_NORMAL.std["c"], scale=math.exp(LOG_NORMAL.mu["c"])),
    "u": stats.norm(0, 1),
    "v": stats.norm(-1, 0.5),
}


def log_prior(name, x):
    if name == "a":
        return -math.log(2 * math.pi) if 0 <= x <= 2 * math.pi else -INF
    if name == "c":
        return LOG_NORMAL.log_density((x,))
    mean, std = {"b": (1, 2), "u": (0, 1), "v": (-1, 0.5)}[name]
    return -0.5 * ((x - mean) / std) ** 2 - math.log(std * math.sqrt(2 * math.pi))


def flat(k, **components):
    """The prior p(k) times the densities of the active parameters, and nothing else."""
    active = [name for name, value in components.items() if value == value]
    assert type(k) is int
    assert all(type(value) is float for value in components.values())
    assert k == len({name if name not in "uv" else "uv" for name in active})
    assert set(components) == set(NAMES) - {"k"}
    return 0.0, math.log(P_K[k]) + sum(log_prior(name, components[name]) for name in active)


def draw_start(rng, size):
    """Independent draws of k, of which components are active, and of their parameters."""
    k = rng.choice(N + 1, size, p=list(P_K.values()))
    active = rng.random((size, N)).argsort(axis=1).argsort(axis=1) < k[:, None]
    start = {"k": k}
    for on, names in zip(active.T, COMPONENTS, strict=True):
        for name in names:
            start[name] = np.where(on, PRIOR[name].rvs(size, random_state=rng), NAN)
    return {name: start[name] for name in NAMES}


def sets(samples):
    """The active set as a number, one bit for each component."""
    return sum(
        2**i * ~np.isnan(samples[names[0]]).astype(bool) for i, names in enumerate(COMPONENTS)
    )


def active(name):
    return lambda samples: samples[name][~np.isnan(samples[name])]


MARGINALS = {
    "k": Discrete("k", P_K),
    "active set": Discrete(
        sets, {i: P_K[i.bit_count()] / math.comb(N, i.bit_count()) for i in range(2**N)}
    ),
    **{name: Continuous(active(name), PRIOR[name].cdf) for name in PRIOR},
    "b if all are active": Continuous(lambda s: s["b"][s["k"] == N], PRIOR["b"].cdf),
}


class Shrink(BaseProposal):
    """A user's proposal that is drawn towards 0."""

    name = "shrink"
    symmetric = False

    def __init__(self, parameters):
        self.parameters = parameters

    def _jump(self, fromx):
        draw = self.random_generator.normal
        return {name: 0.6 * fromx[name] + draw() for name in self.parameters}

    def _logpdf(self, xi, givenx):
        return -0.5 * sum((xi[n] - 0.6 * givenx[n]) ** 2 for n in self.parameters)


class Anywhere(BaseProposal):
    """A user's proposal of any number of components, more often a large one."""

    name = "anywhere"
    discrete = True

    def __init__(self, weights):
        self.parameters = "k"
        self.weights = np.array(weights) / sum(weights)

    def _jump(self, fromx):
        return {"k": int(self.random_generator.choice(len(self.weights), p=self.weights))}

    def _logpdf(self, xi, givenx):
        return math.log(self.weights[xi["k"]])


MODEL_PROPOSALS = {
    "normal": lambda: NormalDiscrete("k"),
    "normal, wide": lambda: NormalDiscrete("k", 9.0),
    "normal, successive": lambda: NormalDiscrete("k", 4.0, {"k": True}),
    "bounded": lambda: BoundedDiscrete("k", {"k": (0, 4)}, 4.0),
    "bounded, successive": lambda: BoundedDiscrete("k", {"k": (0, 4)}, 1.5, {"k": True}),
    "bounds too wide": lambda: BoundedDiscrete("k", {"k": (-1, 6)}, 9.0, {"k": True}),
    "user's": lambda: Anywhere([1, 2, 2, 3, 4, 2]),
}
IN_MODEL = {
    "symmetric": lambda: [
        Normal("b", 2.0),
        Angular("a", 2.0),
        Normal(["u", "v"], [[1, 0.3], [0.3, 0.5]]),
        Normal("c"),
    ],
    "asymmetric": lambda: [
        BoundedNormal("c", {"c": (0, 1e6)}, 2.0),
        BoundedNormal("a", {"a": (0, 2 * math.pi)}, 1.0),
        Shrink(["u", "v"]),
        Shrink("b"),
    ],
    "some rest": lambda: [
        Normal("a", 1.0, 2, 10**9),
        Normal("b", 1.0, 3, 10**9),
        interval(Shrink(["u", "v"]), 2),
        Normal("c"),
    ],
}
BIRTHS = {
    "prior": lambda: [
        UniformBirth("a", {"a": (0, 2 * math.pi)}),
        NormalBirth("b", {"b": 1}, {"b": 2}),
        LogNormalBirth("c", {"c": 2}, {"c": 1}),
        NormalBirth(["u", "v"], {"u": 0, "v": -1}, {"u": 1, "v": 0.5}),
    ],
    "other": lambda: [
        NormalBirth("a", {"a": 3}, {"a": 2}),
        UniformBirth("b", {"b": (-14, 16)}),
        LogNormalBirth("c", {"c": 3}, {"c": 3}),
        NormalBirth(["u", "v"], {"u": 0.5, "v": 0}, {"u": 1.5, "v": 1}),
    ],
}


def interval(proposal, every):
    proposal.set_jump_interval(every, 10**9)
    return proposal


def nested(model="normal", in_model="symmetric", births="prior", cls=NestedTransdimensional):
    return cls(NAMES, MODEL_PROPOSALS[model](), IN_MODEL[in_model](), BIRTHS[births]())


def chain_of(proposal, label, model=flat):
    return Chain(NAMES, model, [proposal], generator(f"chain {label}").bit_generator)


def stepping(chain, steps=4):
    """The transition of some steps; it notes in `jumped` by how much k changed."""
    jumped = []

    def transition(x):
        chain.start_position = x
        for _ in range(steps):
            chain.step()
            jumped.append(abs(chain.proposed.x[1] - x["k"]))
        end = chain.current_position
        chain.clear()
        return end

    return transition, jumped


FLAT = [
    *itertools.product(MODEL_PROPOSALS, ["symmetric"], ["prior"]),
    ("normal", "asymmetric", "other"),
    ("normal, successive", "some rest", "other"),
    ("bounded", "symmetric", "other"),
    ("bounded, successive", "asymmetric", "prior"),
    ("bounded", "some rest", "prior"),
    ("user's", "asymmetric", "other"),
]


@pytest.mark.parametrize(
    ("model", "in_model", "births"),
    [pytest.param(*of, marks=pytest.mark.slow) if of[0] == "user's" else of for of in FLAT],
)
@pytest.mark.in_part(2)
def test_a_flat_likelihood_leaves_the_prior(model, in_model, births):
    """With 1e-5 false alarms each: k, the active set and all active parameters."""
    label = f"{model} {in_model} {births}"
    transition, jumped = stepping(chain_of(nested(model, in_model, births), label))
    check_invariance(draw_start, transition, MARGINALS, generator(f"start {label}"))
    assert np.mean(np.array(jumped) > 1) > 0.01


class BirthsLeftOut(NestedTransdimensional):
    """The defect: the densities of the born and the dead do not count."""

    def log_hastings(self, x, y):
        total = super().log_hastings(x, y)
        for pick, birth in zip(self._components.picks, self._components.births, strict=True):
            here, there = pick(x), pick(y)
            if here[0] != here[0] and there[0] == there[0]:
                total += birth.log_density(there)
            elif here[0] == here[0] and there[0] != there[0]:
                total -= birth.log_density(here)
        return total


class SetsOfEqualWeight(NestedTransdimensional):
    """The defect: the implied prior of the active sets does not count."""

    def log_hastings(self, x, y):
        return super().log_hastings(x, y) + math.log(math.comb(N, y[1]) / math.comb(N, x[1]))


class OrderedChoices(NestedTransdimensional):
    """The defect: the reverse of a choice is taken for an ordered one."""

    def log_hastings(self, x, y):
        return super().log_hastings(x, y) + math.log(math.perm(N, y[1]) / math.perm(N, x[1]))


class ModelLeftOut(NestedTransdimensional):
    """The defect: the proposal of k is taken for symmetric."""

    def log_hastings(self, x, y):
        return super().log_hastings(x, y) - self.model_proposal.log_hastings((x[1],), (y[1],))


class Clipped(NestedTransdimensional):
    """The defect: a k that does not exist is taken for the nearest that does."""

    def _draw_k(self, k):
        self._moved.append(self.model_proposal)
        return min(max(self.model_proposal.draw((k,))[0], 0), N)


class FirstChosen(NestedTransdimensional):
    """The defect: not all components are as likely to die."""

    def _chosen(self, among, n):
        return among[:n]


class InModelLeftOut(NestedTransdimensional):
    """The defect: the jumps of components are taken for symmetric."""

    def log_hastings(self, x, y):
        return super().log_hastings(x, y) - sum(
            part.log_hastings(pick(x), pick(y))
            for part, pick in zip(self._components.parts, self._components.picks, strict=True)
            if pick(x)[0] == pick(x)[0] and pick(y)[0] == pick(y)[0]
        )


PLANTED = [
    (BirthsLeftOut, "normal", "symmetric", "prior"),
    (SetsOfEqualWeight, "normal", "symmetric", "prior"),
    (OrderedChoices, "bounded, successive", "symmetric", "other"),
    (ModelLeftOut, "bounded", "symmetric", "prior"),
    (ModelLeftOut, "user's", "symmetric", "prior"),
    (Clipped, "normal", "symmetric", "prior"),
    (FirstChosen, "normal", "symmetric", "prior"),
    (InModelLeftOut, "normal", "asymmetric", "prior"),
]


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize(("cls", "model", "in_model", "births"), PLANTED)
def test_planted_defect_is_seen(cls, model, in_model, births):
    label = f"{cls.__name__} {model}"
    transition, _ = stepping(chain_of(nested(model, in_model, births, cls), label))
    assert_power(draw_start, transition, MARGINALS, generator(f"start {label}"))


# ---- densities


@pytest.mark.parametrize(("model", "in_model", "births"), FLAT)
def test_log_hastings_is_the_difference_of_log_densities(model, in_model, births):
    proposal = nested(model, "asymmetric" if in_model == "some rest" else in_model, births)
    proposal.bit_generator = seed()
    x = {"k": 2, "a": 1.0, "b": NAN, "c": 2.0, "u": NAN, "v": NAN}
    for _ in range(100):
        y = proposal.jump(x)
        there, here = proposal._position(y), proposal._position(x)
        expected = proposal.logpdf(x, y) - proposal.logpdf(y, x)
        assert math.isfinite(expected)
        assert proposal.log_hastings(here, there) == pytest.approx(expected, rel=1e-9, abs=1e-9)
        # Births may reach where nothing can jump from: stay where the prior does not vanish.
        x = y if flat(**y)[1] > -INF else x


@pytest.mark.parametrize("model", ["normal", "normal, successive", "bounded", "bounds too wide"])
@pytest.mark.parametrize("start", [(NAN, NAN), (0.5, NAN), (NAN, -0.5), (0.5, -0.5)])
def test_density_is_normalised(model, start):
    """Over all active sets of k components, each of weight 1 / C(n, k), and their parameters."""
    cov = 0.7 if model == "normal" else 2.0
    k_proposal = {
        "normal": lambda: NormalDiscrete("k", cov),
        "normal, successive": lambda: NormalDiscrete("k", cov, {"k": True}),
        "bounded": lambda: BoundedDiscrete("k", {"k": (0, 2)}, cov),
        "bounds too wide": lambda: BoundedDiscrete("k", {"k": (-1, 9)}, cov, {"k": True}),
    }[model]()
    proposal = NestedTransdimensional(
        ["k", "a", "b"],
        k_proposal,
        [Normal("a", 0.5), Normal("b")],
        [NormalBirth("a", {"a": 0}, {"a": 1}), NormalBirth("b", {"b": -1}, {"b": 0.7})],
    )
    x = (sum(value == value for value in start), *start)
    step = 0.25
    grid = np.arange(-7, 7, step).tolist()
    total = math.exp(proposal.log_density((0, NAN, NAN), x))
    for value in grid:
        total += 0.5 * step * math.exp(proposal.log_density((1, value, NAN), x))
        total += 0.5 * step * math.exp(proposal.log_density((1, NAN, value), x))
        for other in grid:
            total += step**2 * math.exp(proposal.log_density((2, value, other), x))
    assert total == pytest.approx(1, abs=1e-8)


def test_impossible_jumps_have_no_density():
    proposal = nested()
    x = {"k": 1, "a": 1.0, "b": NAN, "c": NAN, "u": NAN, "v": NAN}
    assert math.isfinite(proposal.logpdf({**x, "k": 2, "b": 0.0}, x))
    assert proposal.logpdf({**x, "k": 2, "a": NAN, "b": 0.0, "c": 1.0}, x) == -INF
    assert proposal.logpdf({**x, "k": 1, "a": NAN, "b": 0.0}, x) == -INF
    assert proposal.logpdf({**x, "k": 2}, x) == -INF
    assert proposal.pdf({**x, "k": 2}, x) == 0


# ---- what it is


def test_attributes():
    proposal = nested()
    assert proposal.name == "nested_transdimensional"
    assert proposal.symmetric is False
    assert proposal.transdimensional is True
    assert proposal.parameters == NAMES
    assert isinstance(proposal.proposals, np.ndarray)
    assert proposal.proposals.dtype == object
    assert [part.parameters for part in proposal.proposals] == [("b",), ("a",), ("u", "v"), ("c",)]
    assert all(p.birth_distribution.parameters == p.parameters for p in proposal.proposals)
    assert proposal.model_proposal.parameters == ("k",)


def test_jump_speaks_dicts_and_ignores_state():
    proposal = nested("normal, wide")
    proposal.bit_generator = 3
    x = {"k": 1, "a": 1.0, "b": NAN, "c": NAN, "u": NAN, "v": NAN, "_state": [True], "z": 0}
    seen = set()
    for _ in range(100):
        y = proposal.jump(x)
        assert tuple(y) == NAMES
        assert type(y.pop("k")) is int
        assert all(type(value) is float for value in y.values())
        assert math.isnan(y["u"]) == math.isnan(y["v"])
        seen.add(sum(y[name] == y[name] for name in "abcu"))
    assert seen == {0, 1, 2, 3, 4}


def test_history_holds_nan_for_inactive_components():
    chain = chain_of(nested(), "history")
    chain.start_position = {"k": 1, "a": NAN, "b": 2, "c": NAN, "u": NAN, "v": NAN}
    chain.run(700)
    positions = chain.positions
    assert [positions.dtype[name].str for name in NAMES] == ["<f8", "<i8", *["<f8"] * 4]
    on = np.array([~np.isnan(positions[names[0]]) for names in COMPONENTS])
    np.testing.assert_array_equal(on.sum(axis=0), positions["k"])
    np.testing.assert_array_equal(np.isnan(positions["u"]), np.isnan(positions["v"]))
    assert len(np.unique(positions["k"])) == N + 1


class Lattice(BaseBirth):
    """A user's birth of an integer."""

    discrete = True

    def __init__(self, parameter):
        self.parameters = parameter

    @property
    def birth(self):
        return {self.parameters[0]: self.random_generator.integers(5)}

    def logpdf(self, xi):
        return -math.log(5) if xi[self.parameters[0]] in range(5) else -INF


def test_integers_among_the_parameters():
    """Their component is recovered flat; the history holds them as floats, for NaN."""
    proposal = NestedTransdimensional(
        ["k", "m", "x"],
        NormalDiscrete("k"),
        [BoundedDiscrete("m", {"m": (0, 4)}, 4.0), Normal("x")],
        [Lattice("m"), NormalBirth("x", {"x": 0}, {"x": 1})],
    )

    def model(k, m, x):
        assert m != m or m == int(m)
        logp = -math.log(5) if m == m else 0.0
        return 0.0, logp - (0.5 * (x * x + math.log(2 * math.pi)) if x == x else 0.0)

    def start(rng, size):
        k = rng.integers(3, size=size)
        first = rng.random(size) < 0.5
        m = np.where((k == 2) | ((k == 1) & first), rng.integers(5, size=size), NAN)
        x = np.where((k == 2) | ((k == 1) & ~first), rng.standard_normal(size), NAN)
        return {"k": k, "m": m, "x": x}

    chain = Chain(["k", "m", "x"], model, [proposal], generator("integers").bit_generator)
    marginals = {
        "k": Discrete("k", dict.fromkeys(range(3), 1 / 3)),
        "m": Discrete(active("m"), dict.fromkeys(range(5), 0.2)),
        "x": Continuous(active("x"), stats.norm.cdf),
    }

    def transition(x):
        chain.start_position = x
        chain.run(4)
        end = chain.current_position
        chain.clear()
        return end

    check_invariance(start, transition, marginals, generator("start integers"))
    assert chain.dtypes == {"k": int, "m": float, "x": float}


# ---- learning


class Noting(Normal):
    """Notes the iterations that it learns from, and what was decided."""

    def _update(self, chain):
        self.noted.append((chain.iteration, chain.accepted, chain.acceptance_ratio))


class NotingDiscrete(NormalDiscrete):
    """The same for a proposal of k."""

    def _update(self, chain):
        self.noted.append((chain.iteration, chain.accepted, chain.acceptance_ratio))


def noting(cls, *args):
    proposal = cls(*args)
    proposal.noted = []
    return proposal


def test_components_learn_if_active_before_and_after():
    model = noting(NotingDiscrete, "k", 2.0)
    parts = [noting(Noting, "a"), noting(Noting, "b"), noting(Noting, ["u", "v"]),
             interval(noting(Noting, "c"), 3)]  # fmt: skip
    chain = chain_of(NestedTransdimensional(NAMES, model, parts, BIRTHS["prior"]()), "learning")
    chain.start_position = {"k": 2, "a": 1.0, "b": 0.0, "c": NAN, "u": NAN, "v": NAN}
    expected, expected_k, strayed = {part: [] for part in parts}, [], 0
    for i in range(400):
        before = chain.current_position
        chain.step()
        proposed = chain.proposed_position
        decision = (chain.accepted, chain.acceptance_ratio)
        assert chain.acceptance[-1]["accepted"] == chain.accepted
        for part in parts:
            (name, *_) = part.parameters
            both = before[name] == before[name] and proposed[name] == proposed[name]
            if both and (name != "c" or (i + 1) % 3 == 0):
                expected[part].append((i + 1, *decision))
        if proposed["k"] != before["k"]:
            expected_k.append((i + 1, *decision))
        else:
            strayed += 1
            expected_k.append((i + 1, False, 0.0))
    assert strayed > 50, "k is never proposed to stay but by leaving its range"
    assert model.noted == expected_k
    for part in parts:
        assert part.noted == expected[part]
        assert part.nsteps == len(part.noted) > 20
    assert chain.proposal_dist.proposals[0].nsteps == model.nsteps == 400
    assert not {i for i, *_ in parts[-1].noted} - set(range(0, 401, 3))


def test_virtual_moves_are_positions_that_exist():
    """`flat` refuses a k that is not the number of active components."""
    proposal = NestedTransdimensional(
        NAMES,
        ATAdaptiveNormalDiscrete("k", None, componentwise=True),
        [Normal("a"), ATAdaptiveNormal("b", None), Normal("c"),
         ATAdaptiveNormal(["u", "v"], None, componentwise=True)],
        BIRTHS["prior"](),
    )  # fmt: skip
    calls = []

    def model(**values):
        calls.append(values)
        return flat(**values)

    chain = chain_of(proposal, "virtual", model)
    chain.start_position = {"k": 2, "a": 1.0, "b": 0.0, "c": NAN, "u": NAN, "v": NAN}
    calls.clear()
    chain.run(500)
    pair = proposal.proposals[-1]
    assert len(calls) == 500 + 2 * pair.nsteps
    assert set(chain.outcome.virtual) <= {pair.parameters}
    assert {len(ratios) for ratios in chain.outcome.virtual.values()} <= {2}
    assert 20 < pair.nsteps < 500
    assert isinstance(pair.adaptation, AndrieuThoms)
    initial = ATAdaptiveNormal(["u", "v"], None, componentwise=True)
    assert not np.array_equal(pair.cov, initial.cov)


def test_reset_reaches_all_parts():
    chain = chain_of(learning(), "reset")
    chain.start_position = {"k": 2, "a": 1.0, "b": 0.0, "c": NAN, "u": NAN, "v": NAN}
    for _ in range(2):
        chain.run(300)
        learned = [leaf.cov for leaf in chain.leaves()]
        chain.reset_proposals()
        for leaf, cov, fresh in zip(chain.leaves(), learned, learning().leaves(), strict=True):
            np.testing.assert_array_equal(leaf.cov, fresh.cov)
            assert not np.array_equal(leaf.cov, cov) or type(leaf) is Normal


# ---- state, chains and pools


def learning():
    return NestedTransdimensional(
        NAMES,
        SSAdaptiveNormalDiscrete("k", 2.0),
        [
            ATAdaptiveNormal(["u", "v"], 150, componentwise=True),
            AdaptiveNormal("a", {"a": 6.0}, 60, jump_interval=2),
            Normal("b", 2.0),
            SSAdaptiveNormal("c"),
        ],
        BIRTHS["other"](),
    )


def sampler(proposal, nchains=3, pool=None, run_seed=None):
    made = MetropolisHastingsSampler(
        NAMES, flat, nchains, [proposal], seed=seed() if run_seed is None else run_seed, pool=pool
    )
    made.start_position = {
        "k": [2] * nchains,
        "a": [1.0] * nchains,
        "c": [3.0] * nchains,
        **dict.fromkeys("buv", [NAN] * nchains),
    }
    return made


@pytest.fixture(scope="module")
def whole():
    made = sampler(learning())
    made.run(240)
    return made


@pytest.fixture(scope="module")
def workers():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        yield pool


@pytest.mark.parametrize("where", ["serial", "pool"])
def test_split_and_resumed_bit_for_bit(whole, workers, where):
    pool = workers if where == "pool" else None
    state, parts = None, []
    for n in (1, 30, 57, 0, 2, 150):
        made = sampler(learning(), pool=pool)
        if state is not None:
            kept = copy.deepcopy(state)
            made.set_state(state)
        made.run(n)
        if state is not None:
            np.testing.assert_equal(state, kept)
        parts += [made.positions] if n else []
        state = made.state
    assert np.concatenate(parts, axis=1).tobytes() == whole.positions.tobytes()
    np.testing.assert_equal(state, whole.state)


class Drifting(NormalBirth):
    """A birth that changes as the chain runs."""

    evolving = ("_mu",)

    def update(self, chain):
        self._mu = (self._mu[0] + (0.1 if chain.accepted else -0.1),)


def test_births_that_learn_are_in_the_state():
    def make():
        births = [*BIRTHS["prior"]()[:1], Drifting("b", {"b": 0}, {"b": 5}), *BIRTHS["prior"]()[2:]]
        return NestedTransdimensional(NAMES, NormalDiscrete("k"), IN_MODEL["symmetric"](), births)

    first, second = sampler(make()), sampler(make())
    first.run(50)
    second.set_state(first.state)
    first.run(50)
    second.run(50)
    assert first.positions[:, -50:].tobytes() == second.positions.tobytes()
    state = first.state[0]["proposal_dist"]["+".join(NAMES)]
    assert state["_births"]["b"]["_mu"] != (0.0,)


def test_chains_are_independent_and_follow_the_seed():
    made = sampler(nested("normal, wide"), nchains=4)
    proposed = np.array([[c.step().proposed_position["k"] for _ in range(60)] for c in made.chains])
    for one, two in itertools.combinations(proposed, 2):
        assert np.mean(one != two) > 0.3
    ours, same, other = (sampler(nested(), run_seed=s) for s in (5, 5, 6))
    for run in (ours, same, other):
        run.run(60)
    assert ours.positions.tobytes() == same.positions.tobytes()
    assert not np.array_equal(ours.positions["k"], other.positions["k"])


def test_all_parts_draw_from_the_stream_of_the_chain():
    chain = chain_of(nested(in_model="asymmetric"), "stream")
    (proposal,) = chain.proposal_dist.proposals
    for part in (proposal, proposal.model_proposal, *proposal.proposals):
        assert part.stream is chain.stream
    assert all(part.birth_distribution.stream is chain.stream for part in proposal.proposals)
    twin = chain.detached()
    (copied,) = twin.proposal_dist.proposals
    births = [part.birth_distribution for part in copied.proposals]
    for part in (copied, copied.model_proposal, *copied.proposals, *births):
        assert part.stream is twin.stream
    assert not set(map(id, births)) & {id(part.birth_distribution) for part in proposal.proposals}
    config, expected = copied.config, nested(in_model="asymmetric").config
    assert list(config) == list(expected)
    assert repr(config["proposals"]) == repr(expected["proposals"])
    ours, theirs = (map(repr, c["birth_distributions"]) for c in (config, expected))
    assert sorted(ours) == sorted(theirs)


# ---- bad input


def refuse(match, error=ValueError, **changes):
    settings = {
        "parameters": NAMES,
        "model_proposal": NormalDiscrete("k"),
        "proposals": IN_MODEL["symmetric"](),
        "birth_distributions": BIRTHS["prior"](),
    }
    with pytest.raises(error, match=match):
        NestedTransdimensional(**{**settings, **changes})


def test_bad_settings_are_refused():
    births, parts = BIRTHS["prior"](), IN_MODEL["symmetric"]()
    refuse(r"the proposal for \('c',\) needs exactly one birth .*; got 0 of", birth_distributions=[
        *births[:2], births[3]])  # fmt: skip
    refuse(r"the proposal for \('b',\) needs exactly one birth .*; got 2 of", birth_distributions=[
        *births, NormalBirth("b", {"b": 0}, {"b": 1})])  # fmt: skip
    swapped = NormalBirth(["v", "u"], {"u": 0, "v": 0}, {"u": 1, "v": 1})
    refuse("in the same order; got 0", birth_distributions=[*births[:3], swapped])
    refuse(r"no proposal for the births for \[\('z',\)\]", birth_distributions=[
        *births, NormalBirth("z", {"z": 0}, {"z": 1})])  # fmt: skip
    refuse("instances of BaseBirth; got", TypeError, birth_distributions=[*births[:3], parts[0]])
    refuse("without a proposal: z", parameters=[*NAMES, "z"])
    refuse("unknown are v", parameters=NAMES[:-1])
    refuse("one discrete parameter.*got Normal", model_proposal=Normal("k"))
    refuse("one discrete parameter", parameters=[*NAMES, "j"],
           model_proposal=NormalDiscrete(["k", "j"]))  # fmt: skip
    refuse("two proposals", proposals=[*parts, Normal("k")])
    refuse("one for each component; got none", parameters="k", proposals=[],
           birth_distributions=[])  # fmt: skip
    inner = NestedTransdimensional(["j", "z"], NormalDiscrete("j"), Normal("z"),
                                   NormalBirth("z", {"z": 0}, {"z": 1}))  # fmt: skip
    refuse("cannot be transdimensional themselves", parameters=[*NAMES, "j", "z"],
           proposals=[*parts, inner])  # fmt: skip


def test_inconsistent_starts_are_refused():
    but = "but the number of active components is"
    chain = chain_of(nested(), "starts")
    x = {"k": 1, "a": 1.0, "b": NAN, "c": NAN, "u": NAN, "v": NAN}
    with pytest.raises(ValueError, match=f"k is 2, {but} 1"):
        chain.start_position = {**x, "k": 2}
    with pytest.raises(ValueError, match="of u, v some are NaN and some are not"):
        chain.start_position = {**x, "k": 2, "u": 1}
    made = sampler(nested())
    with pytest.raises(ValueError, match=f"chain 1: .*k is 3, {but} 2"):
        made.start_position = {**made.start_position, "k": [2, 3, 2]}
    bounded = nested("bounded", "asymmetric")
    with pytest.raises(ValueError, match=f"Given point .* k is 0, {but} 1"):
        bounded.jump({**x, "k": 0})


def test_numbers_of_components_must_be_whole():
    class Half(BaseProposal):
        parameters = ("k",)
        symmetric = True

        def _jump(self, fromx):
            return {"k": fromx["k"] + 0.5}

    proposal = NestedTransdimensional(NAMES, Half(), IN_MODEL["symmetric"](), BIRTHS["prior"]())
    x = {"k": 1, "a": 1.0, "b": NAN, "c": NAN, "u": NAN, "v": NAN}
    with pytest.raises(ProposalError, match=r"Half proposed 1\.5 for k, .* whole numbers"):
        proposal.jump(x)


# ---- an exact posterior: polynomials of unknown terms

DEGREES = (1, 2, 3, 4)
NOISE, SPREAD = 0.5, 1.5
P_TERMS = (0.3, 0.25, 0.2, 0.15, 0.1)


def polynomial():
    """Data of a weak linear and a weaker cubic term, and the terms of a polynomial at them."""
    x = np.linspace(-1, 1, 25)
    terms = np.array([special.eval_legendre(degree, x) for degree in DEGREES])
    noise = generator("polynomial").standard_normal(len(x))
    return terms, 0.25 * terms[0] + 0.15 * terms[2] + NOISE * noise


def exact_posterior():
    """The probability of every set of terms: normal coefficients can be integrated out."""
    terms, data = polynomial()
    log_weights = {}
    for on in itertools.product([False, True], repeat=len(DEGREES)):
        design = terms[list(on)]
        cov = NOISE**2 * np.eye(len(data)) + SPREAD**2 * design.T @ design
        evidence = stats.multivariate_normal(cov=cov).logpdf(data)
        prior = P_TERMS[sum(on)] / math.comb(len(DEGREES), sum(on))
        log_weights[on] = evidence + math.log(prior)
    total = special.logsumexp(list(log_weights.values()))
    return {on: math.exp(weight - total) for on, weight in log_weights.items()}


def regression():
    terms, data = polynomial()
    gram, moments, square = terms @ terms.T, terms @ data, data @ data

    def model(k, **coefficients):
        c = np.array([0.0 if value != value else value for value in coefficients.values()])
        misfit = square - 2 * c @ moments + c @ gram @ c
        logp = math.log(P_TERMS[k]) - 0.5 * c @ c / SPREAD**2
        return -0.5 * misfit / NOISE**2, logp - k * math.log(SPREAD * math.sqrt(2 * math.pi))

    return model


@pytest.mark.slow
def test_polynomial_of_unknown_terms():
    """From no term at all; chain means against the exact posterior, with Student's t.

    16 independent chains; 1e-5 false alarms over 5 numbers of terms and 4 terms.
    """
    names = [f"c{degree}" for degree in DEGREES]
    proposal = NestedTransdimensional(
        ["k", *names],
        BoundedDiscrete("k", {"k": (0, 4)}, 1.0, {"k": True}),
        [ATAdaptiveNormal(name, 1000) for name in names],
        [NormalBirth(name, {name: 0}, {name: 0.7}) for name in names],
    )
    nchains = 16
    made = MetropolisHastingsSampler(["k", *names], regression(), nchains, [proposal], seed=seed())
    made.start_position = {"k": [0] * nchains, **dict.fromkeys(names, [NAN] * nchains)}
    made.run(1000)
    made.clear()
    made.run(6000)
    positions, exact = made.positions, exact_posterior()
    comparisons = [
        (np.mean(positions["k"] == k, axis=1), sum(p for on, p in exact.items() if sum(on) == k))
        for k in range(5)
    ]
    comparisons += [
        (np.mean(~np.isnan(positions[name]), axis=1), sum(p for on, p in exact.items() if on[i]))
        for i, name in enumerate(names)
    ]
    bound = stats.t(nchains - 1).isf(0.5e-5 / len(comparisons))
    for means, expected in comparisons:
        error = means.std(ddof=1) / math.sqrt(nchains)
        assert abs(means.mean() - expected) < bound * error
        assert error < 0.02
