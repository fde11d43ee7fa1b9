"""Bounded normal jumps: exact within their bounds at any width, and in bounded time."""

import copy
import math
import pickle

import numpy as np
import pytest
from scipy import integrate, stats

from epsie.chain import Chain
from epsie.proposals.boundaries import Boundaries, as_boundaries
from epsie.proposals.bounded_normal import (
    AdaptiveBoundedNormal,
    ATAdaptiveBoundedNormal,
    BoundedNormal,
    SSAdaptiveBoundedNormal,
)
from tests.statistical import (
    Continuous,
    Plan,
    assert_power,
    check_draws,
    check_invariance,
    generator,
    judge_draws,
    stepping,
)

INF = math.inf
UNIT = {"x": (0.0, 1.0)}
PLACES = [0.0, 1e-9, 0.1, 0.5, 1.0]
WIDTHS = [1e-8, 1e-3, 0.1, 0.39, 0.41, 1.0, 30.0, 1e6, 1e200]
BOX = {"x": (-2.0, 3.0), "y": (10.0, 10.5)}


def bounded(width, bounds=None, label="bounded", cls=BoundedNormal):
    proposal = cls("x", bounds or UNIT, width**2 if width < 1e100 else None)
    proposal.std = width
    proposal.bit_generator = generator(label).bit_generator
    return proposal


def truncnorm(x, width, lower=0.0, upper=1.0):
    if width > 1e6 * (upper - lower):
        return stats.uniform(lower, upper - lower)
    return stats.truncnorm((lower - x) / width, (upper - x) / width, loc=x, scale=width)


# ---- boundaries


def test_boundaries():
    bounds = Boundaries((-1, 2))
    assert (bounds.lower, bounds.upper) == (bounds[0], bounds[1]) == tuple(bounds) == (-1.0, 2.0)
    assert abs(bounds) == 3
    assert [value in bounds for value in (-1, 2, 0.5, -1.001, 2.001, math.nan)] == [True] * 3 + [
        False
    ] * 3
    assert bounds == Boundaries([-1.0, 2.0])
    assert bounds != Boundaries((-1, 3))
    assert eval(repr(bounds)) == bounds
    for twin in (copy.deepcopy(bounds), pickle.loads(pickle.dumps(bounds))):
        assert type(twin) is Boundaries
        assert twin == bounds
    assert abs(Boundaries((3, 3))) == 0
    assert abs(Boundaries((0, INF))) == INF


@pytest.mark.parametrize(
    ("bounds", "shown"),
    [
        ((2, 1), "lower 2.0 and upper 1.0"),
        ((math.nan, 1), "nan"),
        ((0, math.nan), "nan"),
        ((INF, INF), "inf"),
        ((-INF, -INF), "inf"),
        ((1, 2, 3), "(1, 2, 3)"),
        ((1,), "(1,)"),
        (5, "5"),
        ("ab", "ab"),
    ],
)
def test_bad_boundaries(bounds, shown):
    with pytest.raises(ValueError) as caught:
        Boundaries(bounds)
    assert shown in str(caught.value)


def test_as_boundaries():
    given = {"b": [0, 1], "a": Boundaries((2, 3))}
    found = as_boundaries(given, ("a", "b"))
    assert list(found.items()) == [("a", Boundaries((2, 3))), ("b", Boundaries((0, 1)))]
    with pytest.raises(ValueError, match="missing are c, d; unknown are b"):
        as_boundaries(given, ("a", "c", "d"))
    with pytest.raises(ValueError, match=r"'b'.*finite.*inf"):
        as_boundaries({"b": (0, INF)}, ("b",), finite=True)
    with pytest.raises(ValueError, match=r"'b'.*differ.*1.0 twice"):
        as_boundaries({"b": (1, 1)}, ("b",), apart=True)
    with pytest.raises(ValueError, match=r"'b'.*lower 1.0 and upper 0.0"):
        as_boundaries({"b": (1, 0)}, ("b",))
    with pytest.raises(TypeError, match="dict"):
        as_boundaries((0, 1), ("b",))


# ---- the density


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("x", PLACES)
def test_density_is_normalised(x, width):
    proposal = bounded(width)
    reach = min(1.0, 12 * width)
    lower, upper = max(0.0, x - reach), min(1.0, x + reach)
    mass = sum(
        integrate.quad(lambda y: proposal.pdf({"x": y}, {"x": x}), *ends, epsabs=0, epsrel=1e-9)[0]
        for ends in ((lower, x), (x, upper))
        if ends[0] < ends[1]
    )
    assert mass == pytest.approx(1, rel=1e-7)


@pytest.mark.parametrize("bounds", [(0, INF), (-INF, 0), (-INF, INF), (-1e-3, 5), (0, 1e5)])
@pytest.mark.parametrize("width", [1e-3, 1.0, 1e4])
def test_density_against_scipy(bounds, width):
    proposal = bounded(width, {"x": bounds})
    for y in (0.0, 0.7 * width, -0.7 * width, 3.0, 1e6, -1e6):
        expected = truncnorm(0.0, width, *bounds).logpdf(y) if y in Boundaries(bounds) else -INF
        assert proposal.logpdf({"x": y}, {"x": 0.0}) == pytest.approx(expected, rel=1e-9)


def test_density_is_the_product_over_parameters():
    proposal = BoundedNormal(["y", "x"], BOX, [4.0, 0.3])
    x, y = {"x": 0.0, "y": 10.1}, {"x": 1.0, "y": 10.4}
    alone = [
        BoundedNormal(name, {name: BOX[name]}, cov).logpdf(y, x)
        for name, cov in (("y", 4.0), ("x", 0.3))
    ]
    assert proposal.logpdf(y, x) == pytest.approx(sum(alone), rel=1e-14)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("bounds", [(0.0, 1.0), (0.0, INF), (-INF, 1.0)])
def test_hastings_term(bounds, width):
    proposal = bounded(width, {"x": bounds})
    for x in PLACES:
        for step in (0.3 * width, 1e-12, 0.2):
            for y in (x + step, x - step):
                if y not in Boundaries(bounds):
                    continue
                there, back = proposal.log_density((y,), (x,)), proposal.log_density((x,), (y,))
                found = proposal.log_hastings((x,), (y,))
                assert found == pytest.approx(back - there, rel=1e-9, abs=1e-15 * abs(back) + 1e-14)
                assert abs(found) <= math.log(2) + 1e-15


def test_what_did_not_move_cancels_exactly():
    proposal = BoundedNormal(["x", "y"], BOX, [1.0, 0.1])
    alone = BoundedNormal("x", {"x": BOX["x"]}, 1.0)
    x = (0.1, 10.123)
    assert proposal.log_hastings(x, (2.9, x[1])) == alone.log_hastings((0.1,), (2.9,)) != 0
    assert proposal.log_hastings(x, x) == 0


# ---- the draws


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("x", [0.0, 0.1, 1.0])
def test_draws_follow_the_density(x, width):
    """False alarms: 1e-5 for each case."""
    proposal = bounded(width)
    law = truncnorm(x, width)

    def draw(size):
        return {"x": np.array([proposal.draw((x,))[0] for _ in range(size)])}

    check_draws(draw, {"x": Continuous("x", law.cdf)}, Plan(size=2000))


@pytest.mark.parametrize("bounds", [(0.0, INF), (-INF, 0.3), (-INF, INF)])
def test_draws_with_infinite_bounds(bounds):
    proposal = bounded(2.0, {"x": bounds})
    law = truncnorm(0.1, 2.0, *bounds)

    def draw(size):
        return {"x": np.array([proposal.draw((0.1,))[0] for _ in range(size)])}

    check_draws(draw, {"x": Continuous("x", law.cdf)})


def test_a_wrong_width_is_seen():
    proposal = bounded(0.42)

    def draw(size):
        return {"x": np.array([proposal.draw((0.0,))[0] for _ in range(size)])}

    wrong = truncnorm(0.0, 0.5)
    assert not judge_draws(draw, {"x": Continuous("x", wrong.cdf)}, Plan()).passed


@pytest.mark.parametrize("bounds", [(0.1, 0.3), (1e6, 1e6 + 1e-6), (-1e300, 1e300)])
@pytest.mark.parametrize("width", [1e-3, 1.0, 1e9])
def test_jumps_stay_within_bounds(bounds, width):
    proposal = bounded(width, {"x": bounds})
    for x in bounds:
        assert all({"x": proposal.draw((x,))[0]} in proposal for _ in range(300))


class Counted:
    """Counts the variates that are drawn."""

    def __init__(self, stream):
        self.stream, self.count = stream, 0

    def uniform(self):
        self.count += 1
        return self.stream.uniform()

    def normal(self):
        self.count += 1
        return self.stream.normal()

    def normals(self, n):
        self.count += n
        return self.stream.normals(n)


@pytest.mark.parametrize("width", [1e-8, 0.1, 0.398, 0.399, 0.4, 1, 1e6, 1e12, 1e300])
@pytest.mark.parametrize("x", [0.0, 0.5, 1.0])
def test_a_jump_takes_few_variates_at_any_width(x, width):
    """Each try is accepted with a probability above 0.49 and takes at most two variates."""
    proposal = bounded(width)
    proposal.stream = counted = Counted(proposal.stream)
    for _ in range(2000):
        proposal.draw((x,))
    assert counted.count / 2000 < 1 + 2 / 0.49 + 0.2


def test_no_width_is_no_jump():
    proposal = BoundedNormal(["x", "y"], BOX, [0.0, 1.0])
    x = (3.0, 10.2)
    y = proposal.draw(x)
    assert y[0] == 3
    assert y[1] != x[1]
    alone = BoundedNormal("y", {"y": BOX["y"]}).log_density(y[1:], x[1:])
    assert proposal.log_density(y, x) == alone
    assert proposal.log_density((2.0, y[1]), x) == -INF


# ---- the interface


def test_setters_take_effect():
    proposal = bounded(0.1)
    before = proposal.logpdf({"x": 0.6}, {"x": 0.5})
    proposal.std = 10.0
    assert proposal.logpdf({"x": 0.6}, {"x": 0.5}) == pytest.approx(0, abs=1e-3) != before
    assert np.std([proposal.draw((0.5,))[0] for _ in range(1000)]) > 0.25
    proposal.boundaries = {"x": Boundaries((0.4, 0.6))}
    assert proposal.boundaries == {"x": Boundaries((0.4, 0.6))}
    assert proposal.logpdf({"x": 0.6}, {"x": 0.5}) == pytest.approx(math.log(5), abs=1e-3)
    assert all(0.4 <= proposal.draw((0.5,))[0] <= 0.6 for _ in range(100))
    proposal.cov = 1e-6
    assert np.std([proposal.draw((0.5,))[0] for _ in range(1000)]) < 2e-3
    with pytest.raises(ValueError, match="missing are x"):
        proposal.boundaries = {}
    assert proposal.boundaries == {"x": Boundaries((0.4, 0.6))}


def test_points_within():
    proposal = BoundedNormal(["x", "y"], BOX)
    assert {"x": 3, "y": 10} in proposal
    assert {"y": 10.5} in proposal
    assert {"x": 0, "y": 9.99} not in proposal
    with pytest.raises(ValueError, match="with z"):
        assert {"x": 0, "z": 1} in proposal


def test_from_outside_is_refused():
    proposal = BoundedNormal(["x", "y"], BOX)
    for x in ({"x": 3.5, "y": 10.2}, {"x": math.nan, "y": 10.2}):
        with pytest.raises(ValueError, match=r"^Given point .*x = .* not in \[-2.0, 3.0\]"):
            proposal.jump(x)
        with pytest.raises(ValueError, match=r"^Given point "):
            proposal.logpdf({"x": 0, "y": 10}, x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BoundedNormal("x", {}), "missing are x"),
        (lambda: BoundedNormal("x", {**UNIT, "z": (0, 1)}), "unknown are z"),
        (lambda: BoundedNormal("x", {"x": (1, 0)}), "lower 1.0 and upper 0.0"),
        (lambda: BoundedNormal("x", {"x": (1, 1)}), "differ"),
        (lambda: BoundedNormal(["x", "y"], BOX, [[1, 0.5], [0.5, 1]]), "diagonal"),
        (lambda: AdaptiveBoundedNormal("x", {"x": (0, INF)}, 100), "'x' must be finite"),
        (lambda: AdaptiveBoundedNormal("x", UNIT, 0), "adaptation_duration"),
        (lambda: AdaptiveBoundedNormal("x", UNIT, 100, start_step=0), "start_step"),
        (lambda: AdaptiveBoundedNormal("x", UNIT, 100, target_rate=1.0), "target_rate"),
        (lambda: SSAdaptiveBoundedNormal("x", UNIT, target_rate=0), "target_rate"),
        (lambda: ATAdaptiveBoundedNormal("x", UNIT, 100, target_rate=2), "target_rate"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_adaptive_settings():
    veitch = AdaptiveBoundedNormal(["x", "y"], BOX, 100, 3, 2, start_iteration=5)
    assert veitch.deltas.tolist() == [5, 0.5]
    assert (veitch.start_step, veitch.jump_interval) == (5, 2)
    assert veitch.std.tolist() == pytest.approx([0.09 * 0.766 * 5, 0.09 * 0.766 * 0.5])
    assert SSAdaptiveBoundedNormal(["x", "y"], BOX).max_std.tolist() == [5, 0.5]
    assert SSAdaptiveBoundedNormal("x", {"x": (0, INF)}).max_std.tolist() == [INF]
    assert SSAdaptiveBoundedNormal(["x", "y"], BOX, max_cov=9).max_std.tolist() == [3, 3]
    at = ATAdaptiveBoundedNormal(["x", "y"], BOX, None, start_iteration=7)
    assert (at.adaptation_duration, at.start_step, at.isdiagonal) == (None, 7, True)


# ---- in a chain


def model(x, y):
    """Two exponentials, cut off."""
    return (2.0 * x - 3.0 * y, 0.0) if 0 <= x <= 1 and 0 <= y <= 2 else (None, -INF)


XY = {"x": (0.0, 1.0), "y": (0.0, 2.0)}
RISE, FALL = stats.truncexpon(2, scale=0.5), stats.truncexpon(6, scale=1 / 3)
MARGINALS = {
    "x": Continuous("x", lambda x: RISE.sf(1 - x)),
    "y": Continuous("y", FALL.cdf),
}


def start(rng, size):
    return {
        "x": 1 - RISE.rvs(size, random_state=rng),
        "y": FALL.rvs(size, random_state=rng),
    }


def transition(proposal, steps=6):
    bits = generator(f"chain {proposal!r}").bit_generator
    chain = Chain(["x", "y"], model, [proposal], bit_generator=bits)

    return stepping(chain, steps)


@pytest.mark.parametrize("cov", [[0.04, 0.5], [1.0, 4.0], [1e12, 0.3]])
def test_target_is_invariant(cov):
    proposal = BoundedNormal(["y", "x"], XY, cov)
    check_invariance(start, transition(proposal), MARGINALS, generator(f"start {cov}"))


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize(
    "make",
    [
        lambda: AdaptiveBoundedNormal(["x", "y"], XY, 400),
        lambda: SSAdaptiveBoundedNormal(["x", "y"], XY),
        lambda: ATAdaptiveBoundedNormal(["x", "y"], XY, 400),
        lambda: ATAdaptiveBoundedNormal(["x", "y"], XY, 400, componentwise=True),
    ],
)
def test_target_is_invariant_after_adaptation(make):
    proposal = make()
    before = proposal.std
    chain = Chain(["x", "y"], model, [proposal], bit_generator=generator("adapt").bit_generator)
    chain.start_position = {"x": 1.0, "y": 0.0}
    chain.run(500)
    assert not np.array_equal(before, proposal.std)
    if isinstance(proposal, SSAdaptiveBoundedNormal):
        assert (proposal.std <= [1, 2]).all()
        proposal.adaptation = None
    check_invariance(start, transition(proposal), MARGINALS, generator("start adaptive"))


class NoHastings(BoundedNormal):
    """The defect: the normalisations are left out."""

    def log_hastings(self, x, y):
        return 0.0


class Flagged(BoundedNormal):
    """The defect: said to be symmetric."""

    symmetric = True


class Reversed(BoundedNormal):
    """The defect: the Hastings term has the wrong sign."""

    def log_hastings(self, x, y):
        return super().log_hastings(y, x)


class Clipped(BoundedNormal):
    """The defect: jumps to the outside end at the bound."""

    def draw(self, x):
        bounds = self.boundaries.values()
        steps = zip(x, self.widths, self.stream.normals(len(x)), bounds, strict=True)
        return tuple(min(max(a + w * z, b.lower), b.upper) for a, w, z, b in steps)


@pytest.mark.parametrize("cls", [NoHastings, Flagged, Reversed, Clipped])
def test_planted_defect_is_seen(cls):
    proposal = cls(["x", "y"], XY, [0.2, 0.5])
    assert_power(start, transition(proposal), MARGINALS, generator("start planted"))


@pytest.mark.parametrize("by", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("width", [0.05, 0.5, 1e3, 1e12])
def test_parts_of_a_jump_follow_their_width(width, by):
    """A virtual move follows the truncated normal of `by` times the width, from a bound too."""
    proposal = bounded(width)

    def draw(size):
        ys = (proposal.draw((0.1,)) for _ in range(size))
        return {"x": np.array([proposal._parts_of_jump((0.1,), y, by)[0][0] for y in ys])}

    check_draws(draw, {"x": Continuous("x", truncnorm(0.1, by * width).cdf)}, Plan(size=1500))


def test_parts_of_a_jump_move_one_parameter_each_and_stay_within():
    proposal = BoundedNormal(["x", "y"], BOX, 3.0)
    x = (3.0, 10.0)
    for _ in range(200):
        y = proposal.draw(x)
        first, second = proposal._parts_of_jump(x, y, 1.4)
        assert (first[1], second[0]) == (x[1], x[0])
        for z in (first, second):
            assert dict(zip("xy", z, strict=True)) in proposal
        assert proposal.log_hastings(x, first) + proposal.log_hastings(x, second) == pytest.approx(
            proposal.log_hastings(x, (first[0], second[1])), abs=1e-14
        )


@pytest.mark.parametrize(
    "make",
    [
        lambda: AdaptiveBoundedNormal(["x", "y"], XY, 200, jump_interval=3),
        lambda: SSAdaptiveBoundedNormal(["x", "y"], XY, 0.3, 2, 150),
        lambda: ATAdaptiveBoundedNormal(["x", "y"], XY, 200),
        lambda: ATAdaptiveBoundedNormal(["x", "y"], XY, None, componentwise=True),
    ],
)
def test_resume_amid_adaptation_is_exact(make):
    def chain():
        made = Chain(["x", "y"], model, [make()], bit_generator=3)
        made.start_position = {"x": 0.5, "y": 1.0}
        return made

    whole, first, second = chain(), chain(), chain()
    whole.run(140)
    first.run(70)
    second.set_state(first.state)
    second.run(70)
    assert second.positions.tobytes() == whole.positions[70:].tobytes()
    initial = make().std
    (proposal,) = whole.proposal_dist.proposals
    assert not np.array_equal(proposal.std, initial)
    proposal.reset()
    assert np.array_equal(proposal.std, initial)
