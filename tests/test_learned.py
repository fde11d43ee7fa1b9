"""The learned proposal: what it learns, what it keeps, and what it refuses."""

import copy
import math
import re

import numpy as np
import pytest
from scipy import stats

from epsie.chain import Chain
from epsie.errors import MalformedStateError
from epsie.proposals import Learned, Normal, NormalDiscrete
from epsie.proposals.learned.bend import Bend
from epsie.proposals.learned.coordinates import Coordinate, Standard
from epsie.proposals.learned.learning import learn
from epsie.proposals.learned.transform import Transform, chosen
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests.statistical import generator, seed

NAMES = ["x", "y", "z"]
COV = np.array([[4.0, 1.9, 0.0], [1.9, 1.0, 0.1], [0.0, 0.1, 1e4]])
PRECISION = np.linalg.inv(COV)


def model(**values):
    x = np.array([values[name] for name in NAMES])
    return -0.5 * float(x @ PRECISION @ x), 0.0


def started(made, *shape):
    made.start_position = {name: np.full(shape, 0.5) for name in NAMES}
    return made


def sampler(nchains=2, pooled=False, **settings):
    parts = [Learned(NAMES, pooled=pooled, **settings)]
    return started(MetropolisHastingsSampler(NAMES, model, nchains, parts, seed=seed()), nchains)


def tempered(pooled=False, **settings):
    parts, betas = [Learned(NAMES, pooled=pooled, **settings)], [1.0, 0.3, 0.0]
    made = ParallelTemperedSampler(NAMES, with_prior, 2, betas, 5, parts, seed=seed())
    return started(made, 3, 2)


def with_prior(**values):
    return model(**values)[0], -0.5 * sum(v * v for v in values.values()) / 1e5


def part(made, chain=0):
    return made.chains[chain].by_temperature[0].proposal_dist.proposals[0]


@pytest.mark.parametrize("pooled", [True, False])
def test_it_learns_the_target_and_draws_independently(pooled):
    made = sampler(nchains=4, pooled=pooled)
    made.run(4000)
    x = np.stack([made.positions[name][:, 2000:] for name in NAMES], axis=-1)
    lag = x - x.mean(axis=(0, 1))
    correlation = (lag[:, 1:] * lag[:, :-1]).mean(axis=(0, 1)) / lag.var(axis=(0, 1))
    assert correlation.max() < 0.6
    cov = np.cov(x.reshape(-1, 3).T)
    np.testing.assert_allclose(cov[:2, :2], COV[:2, :2], rtol=0.25)
    assert cov[2, 2] == pytest.approx(1e4, rel=0.25)
    knowledge = part(made).learned
    assert knowledge.settled
    assert knowledge.weights[0] > 0.4


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scales_that_are_far_off_are_found(scale):
    """The first jumps have unit scale."""
    made = Chain("x", lambda x: (-0.5 * (x / scale) ** 2, 0.0), [Learned("x")], seed())
    made.start_position = {"x": 0.0}
    made.run(2000)
    assert made.positions["x"][1000:].std() == pytest.approx(scale, rel=0.3)


@pytest.mark.parametrize("make", [sampler, tempered])
def test_splits_clears_and_resumes_change_nothing(make):
    """Over barriers, while the record is thinned."""
    whole = make()
    whole.run(700)
    parts = make()
    rows = []
    for n in (59, 1, 1, 130, 300, 209):
        parts.run(n)
        rows.append(parts.positions)
        state = copy.deepcopy(parts.state)
        parts = make()
        parts.set_state(state)
    np.testing.assert_equal(parts.state, whole.state)
    assert np.concatenate(rows, axis=-1).tobytes() == whole.positions.tobytes()


def test_a_run_directory_brings_it_back(tmp_path):
    whole = sampler()
    whole.run(500)
    made = sampler()
    made.run(300, directory=tmp_path / "run")
    again = MetropolisHastingsSampler.resume(tmp_path / "run", model)
    again.run(200)
    np.testing.assert_equal(again.state, whole.state)


def test_each_temperature_learns_its_own_target():
    made = tempered()
    made.run(3000)
    known = [level.proposal_dist.proposals[0].learned for level in made.chains[0].by_temperature]
    widths = [one.transform.scale[0] * one.spread[0] for one in known]
    # The standard deviations of x at the betas 1, 0.3 and 0: 2, about 3.6, and the prior's 316.
    assert widths[0] == pytest.approx(2, rel=0.3)
    assert widths[1] == pytest.approx(2 / math.sqrt(0.3), rel=0.3)
    assert widths[2] == pytest.approx(math.sqrt(1e5), rel=0.3)


def test_learning_ends():
    made = sampler(adaptation_duration=500)
    made.run(500)
    before = made.state
    made.run(1000)
    after = made.state
    for chain in before:
        old, new = (s[chain]["proposal_dist"]["x+y+z"] for s in (before, after))
        for name in old.keys() - {"nsteps", "iteration", "ahead"}:
            np.testing.assert_equal(new[name], old[name])
    assert part(made).learned.weights[-1] >= 0.1


def test_reset_forgets_sizes_and_not_the_target():
    made = sampler()
    made.run(400)
    learned = part(made)
    knowledge, tuning = learned.learned, learned._kernel.tuning
    learned.reset()
    assert learned.learned is knowledge
    assert learned._kernel.tuning is not tuning
    assert learned._kernel.tuning.counts["random_walk"] == 0
    fresh = Learned(NAMES)
    first = fresh.state
    fresh.reset()
    np.testing.assert_equal({**fresh.state, "random_state": 0}, {**first, "random_state": 0})


def test_a_swap_between_runs_of_a_tempered_chain_leaves_no_cache():
    made = tempered()
    made.run(400)
    for chain in made.chains:
        for level in chain.by_temperature:
            kernel = level.proposal_dist.proposals[0]._kernel
            x = level.point.x
            fresh = kernel.copied()
            fresh._here = fresh._there = None
            found, expected = (each.weighed(each._spot(x)) for each in (kernel, fresh))
            np.testing.assert_equal(found, expected)


def test_jump_intervals_count_iterations():
    made = sampler(jump_interval=3, jump_interval_duration=300)
    made.run(200)
    learned = part(made)
    assert learned.nsteps == 66
    assert learned._iteration == 200
    assert learned.learned is not None


def test_beside_other_proposals():
    """Where it has some of the parameters only it needs no density of them alone."""

    def mixed(k, x, y):
        if not 0 <= k <= 5:
            return 0.0, -math.inf
        return -0.5 * ((x - k) ** 2 + (y - x) ** 2), 0.0

    made = MetropolisHastingsSampler(
        ["k", "x", "y"], mixed, 2, [Learned(["y", "x"]), NormalDiscrete("k", 4)], seed=seed()
    )
    made.start_position = {"k": [1, 2], "x": [0.0, 0.0], "y": [0.0, 0.0]}
    made.run(1500)
    knowledge = part(made).learned
    assert knowledge.mixture.size >= 2
    assert knowledge.transform.scale[1] == pytest.approx(made.positions["x"].std(), rel=0.5)


def bounded_samples(**settings):
    """A gamma and a uniform distribution."""

    def target(g, u):
        assert g > 0 and 0 <= u <= 1
        return math.log(g) - g, 0.0

    made = MetropolisHastingsSampler(
        ["g", "u"], target, 4, [Learned(["g", "u"], pooled=False, **settings)], seed=seed()
    )
    made.start_position = {"g": [0.5, 1.0, 2.0, 3.0], "u": [0.1, 0.2, 0.6, 0.9]}
    made.run(4000)
    return made


def test_bounds_are_kept_and_coordinates_chosen():
    made = bounded_samples(boundaries={"g": (0, math.inf), "u": (0, 1)})
    g, u = (made.positions[name][:, 1000:].ravel() for name in "gu")
    # Means over several thousand effective draws.
    assert g.mean() == pytest.approx(2, abs=0.15)
    assert u.mean() == pytest.approx(0.5, abs=0.03)
    assert (u < 0.02).mean() == pytest.approx(0.02, abs=0.01)
    kinds = [c.kind for c in part(made).learned.transform.coordinates]
    assert kinds[0] in ("softplus", "log")


def test_an_angle_is_learned_about_its_circular_mean():
    def target(a):
        assert 0 <= a < 24
        return 3 * math.cos(a * math.pi / 12), 0.0

    made = MetropolisHastingsSampler(["a"], target, 2, [Learned("a", periods={"a": 24})], seed=1)
    made.start_position = {"a": [1.0, 23.0]}
    made.run(2000)
    a = made.positions["a"][:, 1000:]
    assert 0.35 < (a < 12).mean() < 0.65
    (coordinate,) = part(made).learned.transform.coordinates
    assert coordinate.kind == "angle"
    assert abs(math.remainder(coordinate.edge, 24)) < 2
    assert part(made).learned.transform.scale[0] < 4
    assert part(made).periods() == {"a": 24.0}


def test_what_is_not_finite_is_left_out():
    """A likelihood that vanishes, and NaN that are rejected."""

    def target(x):
        return (math.nan if x > 3 else -math.inf if x < -1 else -0.5 * x * x), 0.0

    made = MetropolisHastingsSampler(["x"], target, 2, [Learned("x")], seed=seed(), nan="reject")
    made.start_position = {"x": [0.0, 1.0]}
    made.run(1000)
    assert part(made).learned is not None
    assert np.isfinite(part(made).learned.mixture.means).all()


def test_more_dimensions_than_rows():
    names = [f"p{i}" for i in range(70)]
    made = Chain(
        names, lambda **v: (-0.5 * sum(x * x for x in v.values()), 0.0), [Learned(names)], seed()
    )
    made.start_position = dict.fromkeys(names, 0.1)
    made.proposal_dist.proposals[0]._own.barrier = 60
    made.run(100)
    assert np.isfinite(made.proposal_dist.proposals[0].learned.mixture.factors).all()


def test_a_chain_that_does_not_move_learns_nothing():
    made = Chain("x", lambda x: (0.0 if x == 1.0 else -math.inf, 0.0), [Learned("x")], seed())
    made.start_position = {"x": 1.0}
    made.run(200)
    assert made.proposal_dist.proposals[0].learned is None


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"boundaries": {"w": (0, 1)}}, ValueError, "given for w, but the parameters are x, y"),
        ({"boundaries": {"x": (1, 1)}}, ValueError, "must differ"),
        ({"boundaries": {"x": (2, 1)}}, ValueError, "must not be above"),
        ({"boundaries": [(0, 1)]}, TypeError, "must be a dict"),
        ({"periods": {"x": 0}}, ValueError, "period of 'x' must be a positive number; got 0"),
        ({"periods": {"x": math.nan}}, ValueError, "positive number"),
        ({"periods": {"x": -1.0}}, ValueError, "positive number"),
        ({"periods": {"q": 1.0}}, ValueError, "given for q"),
        (
            {"periods": {"x": 3.0}, "boundaries": {"x": (0, 2)}},
            ValueError,
            "one period, 3.0, apart",
        ),
        ({"adaptation_duration": 0}, ValueError, "adaptation_duration must be at least 1"),
        ({"std": -1.0}, ValueError, "not negative"),
        ({"std": 0.0}, ValueError, "std must be positive"),
        ({"std": [1.0, 2.0, 3.0]}, ValueError, "shape"),
    ],
)
def test_what_is_refused(settings, error, says):
    with pytest.raises(error, match=says):
        Learned(["x", "y"], **settings)


def test_a_start_out_of_bounds_is_refused():
    made = Chain("x", lambda x: (0.0, 0.0), [Learned("x", {"x": (0, 1)})])
    with pytest.raises(ValueError, match=r"x = 2.0 not in \[0.0, 1.0\]"):
        made.start_position = {"x": 2.0}


def test_a_state_of_other_parameters_is_refused():
    made = sampler()
    made.run(100)
    state = made.state
    other = MetropolisHastingsSampler(["x", "y"], lambda x, y: (0.0, 0.0), 2, [Learned(["x", "y"])])
    with pytest.raises(ValueError, match="parameters"):
        other.set_state(state)


def _changed(state, way, value):
    tree = state
    for key in way[:-1]:
        tree = tree[key]
    tree[way[-1]] = value(tree[way[-1]]) if callable(value) else value
    return state


@pytest.mark.parametrize(
    ("way", "value"),
    [
        (("learned",), {}),
        (("learned", "ncore"), 0),
        (("learned", "archive", "n"), 0),
        (("learned", "archive", "values"), lambda a: a[:, :2]),
        (("learned", "archive", "values"), lambda a: a[1:]),
        (("learned", "weights"), lambda w: 2 * w),
        (("learned", "spread"), lambda s: -s),
        (("learned", "settled"), 1),
        (("learned", "mixture", "means"), lambda m: m.astype(int)),
        (("learned", "mixture", "factors"), lambda f: f * np.nan),
        (("learned", "transform", "kinds"), ["log", "log"]),
        (("learned", "transform", "kinds"), ["a", "b", "c"]),
        (("learned", "transform", "scale"), lambda s: 0 * s),
        (("record", "visited", "values"), lambda r: r[:, 1:]),
        (("record", "stride"), "1"),
        (("record", "evaluated"), None),
        (("ahead", "values"), lambda a: a[:, :1]),
        (("ahead", "values"), lambda a: a[:-1]),
        (("tallies",), lambda t: t[:2]),
        (("tuning", "factor"), lambda f: f[:1]),
        (("tuning", "sizes", "local"), 1),
    ],
)
def test_a_malformed_state_is_refused(way, value):
    made = sampler()
    made.run(100)
    state = _changed(part(made).state, way, value)
    with pytest.raises(MalformedStateError, match="state of what was learned is malformed"):
        Learned(NAMES).set_state(state)


@pytest.mark.parametrize(
    "coordinate",
    [
        Coordinate("identity", -1, 3),
        Coordinate("log", -1, 3, -1),
        Coordinate("log", -1, 3, 3),
        Coordinate("logit", -1, 3),
        Coordinate("softplus", -1, 3, -1, 0.5),
        Coordinate("softplus", -1, 3, 3, 0.01),
        Coordinate("angle", -1, 3, 2.5),
    ],
)
def test_coordinates_and_their_slopes(coordinate):
    for x in (-0.999, -0.5, 0.3, 1.0, 2.9):
        u, log_slope = coordinate.forward(x)
        assert coordinate.inverse(u) == pytest.approx(x, abs=1e-12)
        if coordinate.kind != "angle":
            there = coordinate.inverse(u + 1e-6), coordinate.inverse(u - 1e-6)
            assert math.log(abs(there[0] - there[1]) / 2e-6) == pytest.approx(log_slope, abs=1e-3)
    for u in (-1e300, -800.0, 800.0, 1e300):
        x = coordinate.inverse(u)
        assert x is None or -1 <= x <= 3
    assert math.isfinite(coordinate.forward(-1.0)[0])
    assert math.isfinite(coordinate.forward(3.0)[1])


def test_an_angle_goes_round_for_moves_that_may():
    angle = Coordinate("angle", 0, 24, 23.0)
    assert angle.inverse(13.0) is None
    assert angle.inverse(13.0, wraps=True) == 12.0
    assert angle.inverse(2.0) == 1.0
    assert angle.forward(1.0)[0] == 2.0


def test_rows_have_the_bits_of_positions():
    coordinates = [
        Coordinate(),
        Coordinate("log", 0, math.inf, 0),
        Coordinate("logit", 0, 1),
        Coordinate("softplus", 0, math.inf, 0, 0.3),
        Coordinate("angle", 0, 1, 0.2),
        Coordinate("identity", 0, 30),
        Standard("standard", 8, 1, 0.0, 1.0),
        Standard("standard", -1, 3, 0.5, 1.0),
        Standard("standard", 0, -1, 0.0, 2.5),
    ]
    rng = generator("bits")
    bend, rows = Bend(coordinates), rng.random((50, len(coordinates)))
    u, log_jacobians = bend.forward_rows(rows)
    for row, one, log_jacobian in zip(rows.tolist(), u.tolist(), log_jacobians, strict=True):
        assert bend.forward(tuple(row)) == (one, log_jacobian)
    u = np.vstack([u, 40 * rng.standard_normal((50, len(coordinates))), np.full((1, 9), np.inf)])
    nowhere = (math.nan,) * len(coordinates)
    expected = [bend.inverse(one) or nowhere for one in u.tolist()]
    np.testing.assert_array_equal(bend.inverse_rows(u), expected)
    assert nowhere in expected


@pytest.mark.parametrize(
    ("law", "bounds", "kinds"),
    [
        (stats.lognorm(1.5), (0, math.inf), {"log"}),
        (stats.norm(50, 1), (0, 100), {"identity", "softplus"}),
        (stats.beta(0.8, 0.8), (0, 1), {"logit"}),
        (stats.truncnorm(-0.2, 20), (-0.2, math.inf), {"softplus"}),
    ],
)
def test_the_most_normal_coordinate_is_chosen(law, bounds, kinds):
    rows = law.rvs((4000, 1), random_state=generator("chosen"))
    first = Transform([Coordinate("identity", *bounds)], np.zeros(1), np.ones(1))
    found = chosen([bounds], [None], rows, first)
    assert found.coordinates[0].kind in kinds
    u = found.forward_rows(rows)[0]
    assert abs(u.mean()) < 1e-9
    assert u.std() == pytest.approx(1)


def members(n=4000):
    """A group of two: a wide mean, a scale over two decades, and members about the one by it."""
    rng = generator("members")
    tau = np.exp(rng.normal(0, 1.5, n))
    mu = rng.normal(0, 1, n)
    return np.column_stack([mu, tau, mu + tau * rng.normal(size=n), rng.normal(size=n)])


RELATIVE = {"theta": ("mu", "tau"), "other": ("mu", "tau")}
GROUP = ("mu", "tau", "theta", "other")


def test_members_of_a_group_are_learned_relative_to_it():
    """That which is relative to mean and scale, and not that which is only said to be."""
    made = Learned(GROUP, {"tau": (0, math.inf)}, relative=RELATIVE)
    subject, rows = made.subject, members()
    found = chosen(subject.bounds, subject.periods, rows, made.first, standards=subject.standards)
    assert [c.kind for c in found.coordinates] == ["identity", "log", "standard", "identity"]
    again = chosen(subject.bounds, subject.periods, rows, found, standards=subject.standards)
    assert again.coordinates == found.coordinates
    again = Transform.from_plain(found.plain(), 4)
    np.testing.assert_equal(again.plain(), found.plain())
    assert again.coordinates == found.coordinates


@pytest.mark.parametrize(
    ("relative", "text"),
    [
        ({"theta": ("mu", "sigma")}, "'sigma', but the parameters are mu, tau, theta, other"),
        ({"theta": ("theta", 1.0)}, "relative to itself"),
        ({"theta": ("other", 1.0), "other": ("theta", 1.0)}, "relative to itself"),
        ({"tau": ("mu", 1.0)}, "'tau' cannot be relative to others: it has bounds"),
        ({"theta": ("mu", -1.0)}, "a positive scale"),
        ({"x": ("mu", "tau")}, "relative are given for x"),
    ],
)
def test_relative_to_what_cannot_be(relative, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        Learned(GROUP, {"tau": (0, math.inf)}, relative=relative)


def test_relative_is_a_dict_of_pairs():
    for wrong in ("mu", {"theta": "mu"}, {"theta": ("mu", "tau", 1)}):
        with pytest.raises(TypeError, match="relative"):
            Learned(GROUP, relative=wrong)


@pytest.mark.parametrize("row", [[9, 1, 0, 1], [2, 1, 0, 1], [0.5, 1, 0, 1]])
def test_a_malformed_relation_is_refused(row):
    made = Learned(GROUP, {"tau": (0, math.inf)}, relative=RELATIVE)
    plain = {**made.first.plain(), "kinds": ["identity", "identity", "standard", "identity"]}
    plain["numbers"] = np.array([*plain["numbers"][:2], row, plain["numbers"][3]])
    with pytest.raises(MalformedStateError, match="numbers"):
        Transform.from_plain(plain, 4)


def test_learning_is_a_pure_function():
    """Twice the same, and nothing that it was given has changed."""
    made = sampler()
    made.run(100)
    learned = part(made)
    kernel = learned._kernel
    lesson = learned._own._lesson(1.0, True, kernel)
    kept = copy.deepcopy(lesson)
    one, other = (learn(lesson, kernel.knowledge, learned.first) for _ in range(2))
    np.testing.assert_equal(one.plain(), other.plain())
    np.testing.assert_equal(
        [h._asdict() for h in lesson.histories], [h._asdict() for h in kept.histories]
    )


def test_the_record_is_bounded():
    """Also where independent draws never are accepted, and barriers are far apart."""
    made = Chain("x", lambda x: (0.0 if x % 1 < 1e-3 else -1e3, 0.0), [Learned("x")], seed())
    made.start_position = {"x": 0.0}
    sizes = set()
    for _ in range(12):
        made.run(1000)
        record = made.proposal_dist.proposals[0].state["record"]
        sizes.add((record["visited"]["n"], record["evaluated"]["n"]))
    assert max(n for n, _ in sizes) <= 6500
    assert max(n for _, n in sizes) <= 2048 + 60


def test_copies_share_what_is_frozen():
    made = sampler()
    made.run(100)
    learned = part(made)
    twin = learned._copied(made.chains[0].stream)
    assert twin.learned is learned.learned
    assert twin._own.record is not learned._own.record
    assert twin._kernel.tuning is not learned._kernel.tuning


def test_a_user_may_mix_it_with_a_normal():
    made = MetropolisHastingsSampler(
        NAMES, model, 1, [Learned(["x", "y"]), Normal("z", 100.0)], seed=1
    )
    made.start_position = {name: [0.0] for name in NAMES}
    made.run(200)
    assert part(made).learned is not None
