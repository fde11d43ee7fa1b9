"""Proposals of integers: exact masses, exact draws, and targets left invariant."""

import math
from itertools import product

import numpy as np
import pytest
from scipy import integrate, stats

from epsie.chain import Chain
from epsie.proposals.discrete import (
    AdaptiveBoundedDiscrete,
    AdaptiveNormalDiscrete,
    ATAdaptiveBoundedDiscrete,
    ATAdaptiveNormalDiscrete,
    BoundedDiscrete,
    NormalDiscrete,
    SSAdaptiveBoundedDiscrete,
    SSAdaptiveNormalDiscrete,
)
from epsie.rng import Stream
from tests.statistical import (
    Discrete,
    Plan,
    assert_power,
    check_draws,
    check_invariance,
    generator,
    judge_draws,
    seed,
    stepping,
)

INF = math.inf
STAYS = [False, True]
STDS = [1e-6, 0.03, 0.3, 0.8, 2.5, 40.0]
EXTREME = [0.0, 5e-324, 1e-310, 1e-6, 0.1, 1.0, 5.0, 1e6, 1e15, 1e300]


def fixed(std, stays=False, bounds=None, name="k"):
    if bounds is None:
        return NormalDiscrete(name, std**2, {name: stays})
    made = BoundedDiscrete(name, {name: bounds}, None, {name: stays})
    made.std = std
    return made


def interval_of(step, stays):
    """The jumps of a real number that become this jump of an integer."""
    if stays:
        return step - 0.5, step + 0.5
    return (step - 1, step) if step > 0 else (step, step + 1)


def expected_masses(std, stays, x, lower, upper):
    """The probabilities of all integers from `lower` to `upper`, of a jump within them."""
    ks = [k for k in range(lower, upper + 1) if stays or k != x]
    ends = np.array([interval_of(k - x, stays) for k in ks])
    masses = np.diff(stats.norm.cdf(ends, scale=std)).ravel()
    return dict(zip(ks, (masses / masses.sum()).tolist(), strict=True))


# ---- masses


def log_integral(near, end, std):
    """The log of the integral of a normal density from `near` >= 0 on."""
    # Far out the density falls within a small part of the interval.
    length = min(end - near, 60 * min(std, std**2 / max(near, std)))

    def density(beyond):
        return math.exp(-0.5 * beyond * (beyond + 2 * near) / std**2)

    area, _ = integrate.quad(density, 0, length, epsabs=0, epsrel=1e-10, limit=200)
    return math.log(area / std) - 0.5 * (near / std) ** 2 - 0.5 * math.log(2 * math.pi)


@pytest.mark.parametrize("stays", STAYS)
@pytest.mark.parametrize("std", [0.05, 0.3, 1.0, 4.0, 70.0, 1e3, 1e5, 1e9])
def test_mass_is_the_integral_of_the_normal_density(std, stays):
    made = fixed(std, stays)
    for step in {0, 1, -1, 2, 5, -9, int(2 * std) + 1, -int(9 * std), int(45 * std), 10**6}:
        if step == 0 and not stays:
            assert made.log_density((3,), (3,)) == -INF
            continue
        start, end = interval_of(abs(step), stays)
        if start < 0:
            expected = math.log(2) + log_integral(0, end, std)
        else:
            expected = log_integral(start, end, std)
        assert made.log_density((3 + step,), (3,)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("stays", STAYS)
@pytest.mark.parametrize("std", [0.0, 5e-324, *STDS, 400.0])
def test_masses_sum_to_one(std, stays):
    made, reach = fixed(std, stays), int(10 * std) + 3
    total = math.fsum(made.pdf({"k": 7 + k}, {"k": 7}) for k in range(-reach, reach + 1))
    assert total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("stays", STAYS)
@pytest.mark.parametrize("bounds", [(-2, 2), (0, 1), (10**6, 10**6 + 11)])
@pytest.mark.parametrize("std", [*EXTREME, 0.3, 11e6])
def test_bounded_masses_sum_to_one_from_everywhere(std, bounds, stays):
    made = fixed(std, stays, bounds)
    values = range(bounds[0], bounds[1] + 1)
    for x in values:
        total = math.fsum(made.pdf({"k": k}, {"k": x}) for k in values)
        assert total == pytest.approx(1, abs=1e-12)
        for beyond in (bounds[0] - 1, bounds[1] + 1):
            assert made.logpdf({"k": beyond}, {"k": x}) == -INF


@pytest.mark.parametrize("std", [0.3, 1.0, 50.0])
@pytest.mark.parametrize("stays", STAYS)
def test_bounded_masses_are_what_they_should_be(std, stays):
    made = fixed(std, stays, (-3, 4))
    for x in (-3, 0, 4):
        for k, mass in expected_masses(std, stays, x, -3, 4).items():
            assert made.pdf({"k": k}, {"k": x}) == pytest.approx(mass, rel=1e-9)


@pytest.mark.parametrize("stays", list(product(STAYS, STAYS)))
def test_parameters_of_different_widths_are_independent(stays):
    """In 1.x one cache of masses served all parameters."""
    bounds = {"j": (0, 3), "k": (-2, 6)}
    made = BoundedDiscrete(["j", "k"], bounds, [0.25, 9.0], dict(zip("jk", stays, strict=True)))
    parts = [
        fixed(s, stay, bounds[n], n) for n, s, stay in zip("jk", (0.5, 3.0), stays, strict=True)
    ]
    total = 0.0
    for j, k in product(range(4), range(-2, 7)):
        to, start = {"j": j, "k": k}, {"j": 3, "k": 0}
        assert made.logpdf(to, start) == pytest.approx(
            sum(part.logpdf(to, start) for part in parts)
        )
        total += made.pdf(to, start)
    assert total == pytest.approx(1)
    unbounded = NormalDiscrete(["j", "k"], [0.25, 9.0], made.successive)
    reach = range(-40, 41)
    total = math.fsum(
        unbounded.pdf({"j": j, "k": k}, {"j": 0, "k": 0}) for j, k in product(range(-6, 7), reach)
    )
    assert total == pytest.approx(1)


@pytest.mark.parametrize("stays", STAYS)
@pytest.mark.parametrize("std", [0.0, 1e-310, *STDS, 1e7, 1e300])
def test_log_hastings_is_the_difference(std, stays):
    made = fixed(std, stays, (0, 9))
    for x, y in product(range(10), repeat=2):
        forward, backward = made.log_density((y,), (x,)), made.log_density((x,), (y,))
        back = made.log_hastings((y,), (x,))
        assert made.log_hastings((x,), (y,)) == pytest.approx(-back, abs=1e-12)
        if forward > -INF:
            # The difference of large numbers has their rounding.
            expected = pytest.approx(backward - forward, abs=1e-9 - 1e-15 * forward)
            assert made.log_hastings((x,), (y,)) == expected


def test_log_hastings_where_masses_underflow():
    """The kernels cancel before they underflow."""
    made = fixed(1e-200, False, (0, 10**6))
    assert made.log_density((10**6,), (0,)) == -INF
    assert made.log_hastings((0,), (500,)) == pytest.approx(math.log(0.5))
    many = BoundedDiscrete([f"k{i}" for i in range(300)], {f"k{i}": (0, 4) for i in range(300)})
    many.std = 1e200
    assert many.log_hastings((0,) * 300, (2,) * 300) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("stays", STAYS)
def test_unbounded_is_symmetric(stays):
    made = fixed(1.3, stays)
    assert made.symmetric
    for k in range(12):
        assert made.log_density((k,), (0,)) == made.log_density((0,), (k,))


@pytest.mark.parametrize("bounds", [None, (-9, 9)])
@pytest.mark.parametrize("stays", STAYS)
def test_density_is_constant_within_a_bin(bounds, stays):
    """Values are rounded alike in `jump` and `logpdf`: to the nearest integer, halves up."""
    made = fixed(1.3, stays, bounds)
    for value, whole in [(2.49, 2), (1.5, 2), (2.5, 3), (-1.5, -1), (-0.5, 0), (np.int64(4), 4)]:
        for other in (0, 3, 7):
            to_here = made.logpdf({"k": value}, {"k": other})
            from_here = made.logpdf({"k": other}, {"k": value})
            assert to_here == made.logpdf({"k": whole}, {"k": other})
            assert from_here == made.logpdf({"k": other}, {"k": whole})
        made.bit_generator = 5
        jumps = [made.jump({"k": value}) for _ in range(50)]
        made.bit_generator = 5
        assert jumps == [made.jump({"k": whole}) for _ in range(50)]
        assert {type(jump["k"]) for jump in jumps} == {int}
        assert all(made.logpdf(jump, {"k": value}) > -INF for jump in jumps)


# ---- draws


def drawing(made, x):
    made.bit_generator = generator(f"draws {made!r} {x}").bit_generator
    return lambda size: {"k": np.array([made.jump({"k": x})["k"] for _ in range(size)])}


@pytest.mark.parametrize("stays", STAYS)
@pytest.mark.parametrize("std", [0.2, 0.8, 3.0])
def test_draws_follow_the_masses(std, stays):
    masses = expected_masses(std, stays, 5, 5 - 40, 5 + 40)
    check_draws(drawing(fixed(std, stays), 5), {"k": Discrete("k", masses)})


@pytest.mark.parametrize("x", [0, 2, 5])
@pytest.mark.parametrize("stays", STAYS)
@pytest.mark.parametrize("std", [0.3, 1.0, 2.3, 4.0, 6.0, 5e6])
def test_bounded_draws_follow_the_masses(std, stays, x):
    masses = expected_masses(std, stays, x, 0, 5)
    check_draws(drawing(fixed(std, stays, (0, 5)), x), {"k": Discrete("k", masses)})


@pytest.mark.parametrize("std", [0.0, 5e-324, 1e-6])
def test_a_tiny_width_moves_by_one_or_not_at_all(std):
    up_down = {"k": Discrete("k", {4: 0.5, 6: 0.5})}
    check_draws(drawing(fixed(std), 5), up_down)
    check_draws(drawing(fixed(std, False, (0, 9)), 5), up_down)
    check_draws(drawing(fixed(std, False, (5, 9)), 5), {"k": Discrete("k", {6: 1.0})})
    assert set(drawing(fixed(std, True), 5)(200)["k"]) == {5}
    assert set(drawing(fixed(std, True, (0, 9)), 0)(200)["k"]) == {0}


@pytest.mark.parametrize("defect", ["bin off by one", "half-mass end bins", "not truncated"])
def test_wrong_masses_are_seen(defect):
    """The tests of draws have the power to see what was wrong before, or could be."""
    draw = drawing(fixed(1.0, True, (0, 4)), 1)
    masses = expected_masses(1.0, True, 1, 0, 4)
    if defect == "bin off by one":
        shifted = expected_masses(1.0, True, 0, -1, 3)
        masses = {k: 0.9 * masses[k] + 0.1 * shifted.get(k, 0) for k in masses}
    elif defect == "half-mass end bins":
        masses[0], masses[4] = masses[0] / 2, masses[4] / 2
    else:
        loose = expected_masses(1.0, True, 1, -9, 11)
        masses = {k: loose[k] for k in masses}
        masses[0] += 1 - sum(masses.values())
    total = sum(masses.values())
    wrong = {k: mass / total for k, mass in masses.items()}
    assert not judge_draws(draw, {"k": Discrete("k", wrong)}, Plan()).passed


class Counting(Stream):
    """Counts the variates that it hands out."""

    given = 0

    def uniform(self):
        self.given += 1
        return super().uniform()

    def normals(self, n):
        self.given += n
        return super().normals(n)


@pytest.mark.parametrize("std", EXTREME)
@pytest.mark.parametrize("x", [0, 50, 100])
@pytest.mark.parametrize("stays", STAYS)
def test_a_jump_takes_bounded_time(std, x, stays):
    made = fixed(std, stays, (0, 100))
    made.stream = Counting(seed())
    for _ in range(1000):
        made.draw((x,))
    # A trial is accepted with probability 0.49 or more and takes up to two variates.
    assert made.stream.given < 6000


def test_a_single_value_returns_at_once():
    for std in (0.0, 1e-6, 1.0, 1e9):
        made = fixed(std, True, (3, 3))
        assert made.jump({"k": 3}) == {"k": 3}
        assert made.logpdf({"k": 3}, {"k": 3}) == pytest.approx(0)
    with pytest.raises(ValueError, match="'k' leave 3 as its only value"):
        BoundedDiscrete("k", {"k": (3, 3)})
    made = fixed(1.0, True, (3, 3))
    with pytest.raises(ValueError, match="only value"):
        made.successive = {"k": False}
    assert made.jump({"k": 3}) == {"k": 3}
    made.boundaries = {"k": (3, 4)}
    made.successive = None
    assert made.jump({"k": 3}) == {"k": 4}
    with pytest.raises(ValueError, match="only value"):
        made.boundaries = {"k": (3, 3)}
    assert made.boundaries == {"k": (3, 4)}


# ---- settings


def test_setters_take_effect_at_once():
    bounds = {"j": (0, 5), "k": (-3.5, 8.2)}
    made = BoundedDiscrete(["j", "k"], bounds, [4.0, 1.0])
    made.jump({"j": 1, "k": 1})
    made.std = [0.5, 2.5]
    made.boundaries = {"j": (0, 3), "k": (0.5, 7)}
    made.successive = {"j": True, "k": False}
    made.bit_generator = 3
    other = BoundedDiscrete(["j", "k"], made.boundaries, [0.25, 6.25], made.successive)
    other.bit_generator = 3
    x = {"j": 1, "k": 1}
    for _ in range(200):
        y = made.jump(x)
        assert y == other.jump(x)
        assert made.logpdf(y, x) == other.logpdf(y, x)
        assert 0 <= y["j"] <= 3 and 0 <= y["k"] <= 7 and y["k"] != x["k"]
        x = y
    free, wide = NormalDiscrete("k"), NormalDiscrete("k", 9.0, {"k": True})
    free.logpdf({"k": 1}, {"k": 0})
    free.cov, free.successive = 9.0, {"k": True}
    assert free.logpdf({"k": 2}, {"k": 0}) == wide.logpdf({"k": 2}, {"k": 0})


def test_boundaries_are_integers_on_the_outer_sides():
    made = BoundedDiscrete(["j", "k"], {"j": (-0.5, 2.1), "k": (1.0, INF)})
    assert made.boundaries == {"j": (-1, 3), "k": (1, INF)}
    assert [type(bound) for bound in made.boundaries["j"]] == [int, int]
    assert made.boundaries["j"].upper == 3
    assert abs(made.boundaries["j"]) == 4
    assert {"j": 3} in made
    assert {"j": -2, "k": 1} not in made
    with pytest.raises(ValueError, match="point with m"):
        assert {"m": 3} in made
    jumps = {made.jump({"j": 3, "k": 1})["k"] for _ in range(300)}
    assert min(jumps) == 2


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: NormalDiscrete("k", None, {"k": 1}), "all dictionary values must be bools"),
        (lambda: NormalDiscrete("k", None, {"k": None}), "all dictionary values must be bools"),
        (lambda: NormalDiscrete("k", None, True), "must be a dict"),
        (
            lambda: NormalDiscrete(["j", "k"], None, {"j": True}),
            "must provide `successive` for each parameter.*missing: k",
        ),
        (lambda: NormalDiscrete("k", -1.0), "not negative"),
        (lambda: NormalDiscrete(["j", "k"], [[1, 0.5], [0.5, 1]]), "must be diagonal"),
        (lambda: BoundedDiscrete(["j", "k"], {"j": (0, 1)}), "missing are k"),
        (lambda: BoundedDiscrete("k", {"k": (4, 1)}), "lower"),
        (lambda: BoundedDiscrete("k", {"k": (4, math.nan)}), "NaN"),
        (lambda: BoundedDiscrete("k", {"k": (0, 4)}).jump({"k": 5}), "Given point"),
        (lambda: BoundedDiscrete("k", {"k": (0, 4)}).logpdf({"k": 1}, {"k": -1}), "Given point"),
        (lambda: BoundedDiscrete("k", {"k": (0, 4)}).jump({"k": INF}), "must be an integer"),
        (lambda: BoundedDiscrete("k", {"k": (0, 4)}).jump({}), "needs a value for 'k'"),
        (lambda: AdaptiveBoundedDiscrete("k", {"k": (0, INF)}, 100), "finite"),
        (lambda: AdaptiveBoundedDiscrete("k", {"k": (0, 3)}, 0), "at least 1"),
        (lambda: AdaptiveNormalDiscrete(["j", "k"], {"j": 3}, 100), "missing are k"),
        (lambda: ATAdaptiveNormalDiscrete("k", 100, start_step=0), "at least 1"),
        (lambda: SSAdaptiveNormalDiscrete("k", target_rate=1.0), "between 0 and 1"),
    ],
)
def test_bad_input(make, said):
    with pytest.raises(ValueError, match=said):
        make()


# ---- targets left invariant


def model_of(pmf):
    def model(**params):
        assert all(type(value) is int for value in params.values())
        mass = pmf.get(tuple(params.values()), 0.0)
        return (math.log(mass), 0.0) if mass else (None, -INF)

    return model


def normalised(weights):
    total = sum(weights.values())
    return {key: weight / total for key, weight in weights.items()}


FLAT = normalised({(k,): 1.0 for k in range(5)})
POISSON = normalised({(k,): 3.0**k / math.factorial(k) for k in range(40)})
RIDGE = normalised(
    {(j, k): math.exp(-((j - k) ** 2) - 0.1 * k) for j in range(-1, 4) for k in range(7)}
)


def check(pmf, made, label, steps=6, judge=check_invariance, **options):
    names = made.parameters
    chain = Chain(names, model_of(pmf), [made], generator(f"chain {label}").bit_generator)
    keys, masses = list(pmf), list(pmf.values())

    def draw(rng, size):
        chosen = np.array(keys)[rng.choice(len(keys), size, p=masses)]
        return dict(zip(names, chosen.T, strict=True))

    transition = stepping(chain, steps)

    def code(samples):
        return sum(1000**i * samples[name] for i, name in enumerate(names))

    coded = {sum(1000**i * k for i, k in enumerate(key)): mass for key, mass in pmf.items()}
    marginals = {"all": Discrete(code, coded)}
    return judge(draw, transition, marginals, generator(f"start {label}"), **options)


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("stays", STAYS)
@pytest.mark.parametrize("std", [0.6, 2.0, 5.0, 1e6])
def test_flat_target_over_five_integers(std, stays):
    made = fixed(std, stays, (0, 4))
    check(FLAT, made, f"flat {std} {stays}")


@pytest.mark.parametrize("stays", STAYS)
def test_flat_target_bounded_by_the_prior(stays):
    check(FLAT, fixed(1.5, stays), f"flat unbounded {stays}")


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("stays", STAYS)
@pytest.mark.parametrize("bounds", [None, (0, INF), (0, 39)])
def test_poisson_target(bounds, stays):
    check(POISSON, fixed(1.7, stays, bounds), f"poisson {bounds} {stays}")


@pytest.mark.in_part(3, "slow")
@pytest.mark.parametrize("stays", list(product(STAYS, STAYS)))
@pytest.mark.parametrize("cov", [[0.4, 5.0], [1e12, 0.5]])
def test_mixtures_on_a_ridge(stays, cov):
    bounds = {"j": (-1, 3), "k": (0, 6)}
    made = BoundedDiscrete(["j", "k"], bounds, cov, dict(zip("jk", stays, strict=True)))
    check(RIDGE, made, f"ridge {stays} {cov}", 10)


def test_mixture_without_bounds():
    made = NormalDiscrete(["j", "k"], [0.8, 3.0], {"j": True, "k": False})
    check(RIDGE, made, "ridge unbounded", 10)


class HalfEnds(BoundedDiscrete):
    """The defect of 1.x: the mass of rounded jumps is truncated at the bounds themselves."""

    def log_hastings(self, x, y):
        def inside(z):
            return math.erf((4 - z) / scale) - math.erf((0 - z) / scale)

        scale = math.sqrt(2) * self.std[0]
        return math.log(inside(x[0]) / inside(y[0]))


class NoNormalisation(BoundedDiscrete):
    """The defect: what the bounds leave of all jumps is forgotten."""

    def log_hastings(self, x, y):
        return 0.0


class OffByOne(BoundedDiscrete):
    """The defect: as if one more integer were allowed at the top."""

    def __init__(self, *args):
        super().__init__(*args)
        self.wider = BoundedDiscrete("k", {"k": (0, 5)}, self.cov, self.successive)

    def log_hastings(self, x, y):
        return self.wider.log_hastings(x, y)


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize(
    ("cls", "stays"),
    [
        (HalfEnds, True),
        (NoNormalisation, True),
        (NoNormalisation, False),
        pytest.param(OffByOne, True, marks=pytest.mark.slow),
        (OffByOne, False),
    ],
)
def test_planted_defect_is_seen(cls, stays):
    made = cls("k", {"k": (0, 4)}, 1.0, {"k": stays})
    label = f"planted {cls.__name__} {stays}"
    check(FLAT, made, label, 12, assert_power, plan=Plan(size=10000))


# ---- learning

BOUNDS = {"j": (-1, 3), "k": (0, 6)}
MIXED = {"j": True, "k": False}
NAMES = ["j", "k"]
ADAPTIVE = {
    "adaptive_discrete": lambda **s: AdaptiveNormalDiscrete(NAMES, {"j": 5, "k": 7}, 300, MIXED),
    "ss_adaptive_discrete": lambda **s: SSAdaptiveNormalDiscrete(NAMES, None, MIXED),
    "at_adaptive_discrete": lambda **s: ATAdaptiveNormalDiscrete(NAMES, 300, MIXED),
    "adaptive_bounded_discrete": lambda **s: AdaptiveBoundedDiscrete(NAMES, BOUNDS, 300, MIXED),
    "ss_adaptive_bounded_discrete": lambda **s: SSAdaptiveBoundedDiscrete(
        NAMES, BOUNDS, None, MIXED
    ),
    "at_adaptive_bounded_discrete": lambda **s: ATAdaptiveBoundedDiscrete(
        NAMES, BOUNDS, 300, MIXED
    ),
    "at, componentwise": lambda **s: ATAdaptiveNormalDiscrete(NAMES, 300, MIXED, True),
    "bounded at, componentwise": lambda **s: ATAdaptiveBoundedDiscrete(
        NAMES, BOUNDS, 300, MIXED, True
    ),
}


def learning_chain(made, label="learning"):
    chain = Chain(NAMES, model_of(RIDGE), [made], generator(label).bit_generator)
    chain.start_position = {"j": 1, "k": 1}
    return chain


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("case", ADAPTIVE)
def test_target_is_invariant_after_learning(case):
    made = ADAPTIVE[case]()
    assert case.count("_") == 0 or made.name == case
    first = made.widths
    learning_chain(made).run(400)
    assert made.widths != first
    assert all(0 < width < 1e3 for width in made.widths)
    made.adaptation = None
    check(RIDGE, made, f"learned {case}", 10)


@pytest.mark.parametrize("case", ADAPTIVE)
def test_state_brings_back_the_middle_of_learning(case):
    chain = learning_chain(ADAPTIVE[case]())
    chain.run(150)
    state = chain.state
    other = learning_chain(ADAPTIVE[case](), "another")
    other.set_state(state)
    chain.clear()
    chain.run(200)
    other.run(200)
    assert np.array_equal(chain.positions, other.positions)
    assert chain.proposal_dist.proposals[0].widths == other.proposal_dist.proposals[0].widths


def wide_poisson(k):
    return (k * math.log(400) - math.lgamma(k + 1), 0.0) if k >= 0 else (None, -INF)


@pytest.mark.parametrize("stays", STAYS)
@pytest.mark.parametrize(
    "case", ["veitch", "ss", "at", "bounded veitch", "bounded ss", "bounded at"]
)
def test_learning_finds_a_good_width(case, stays):
    """On a Poisson distribution of standard deviation 20 it reaches about its target rate."""
    bounds, may = {"k": (0, 2000)}, {"k": stays}
    made = {
        "veitch": lambda: AdaptiveNormalDiscrete("k", {"k": 2000}, 4000, may),
        "ss": lambda: SSAdaptiveNormalDiscrete("k", 1000.0, may),
        "at": lambda: ATAdaptiveNormalDiscrete("k", 4000, may),
        "bounded veitch": lambda: AdaptiveBoundedDiscrete("k", bounds, 4000, may),
        "bounded ss": lambda: SSAdaptiveBoundedDiscrete("k", bounds, 1000.0, may),
        "bounded at": lambda: ATAdaptiveBoundedDiscrete("k", bounds, 4000, may),
    }[case]()
    chain = Chain("k", wide_poisson, [made], generator(f"width {case} {stays}").bit_generator)
    chain.start_position = {"k": 380}
    chain.run(4000)
    chain.clear()
    chain.run(4000)
    assert chain.acceptance["accepted"].mean() == pytest.approx(0.234, abs=0.08)
    mean = chain.positions["k"].mean()
    # Some 300 independent samples: five standard errors.
    assert mean == pytest.approx(400, abs=5 * 20 / math.sqrt(300))


def test_adaptive_bounded_obeys_its_jump_interval():
    calls = []

    def model(k):
        calls.append(k)
        return 0.0, 0.0

    made = AdaptiveBoundedDiscrete("k", {"k": (0, 9)}, 60, jump_interval=3)
    chain = Chain("k", model, [made], seed())
    chain.start_position = {"k": 2}
    calls.clear()
    chain.run(30)
    assert len(calls) == 10
    assert made.nsteps == 10


def test_widths_of_priors_come_from_the_boundaries():
    made = AdaptiveBoundedDiscrete(NAMES, {"j": (0.5, 3.5), "k": (0, 100)}, 100)
    assert made.deltas.tolist() == [4, 100]
    assert made.std == pytest.approx([0.09 * 0.766 * 4, 0.09 * 0.766 * 100])
    started = AdaptiveBoundedDiscrete(NAMES, BOUNDS, 100, start_iteration=7, initial_std=0.5)
    assert started.start_step == 7
    assert started.std.tolist() == [0.5, 0.5]


def test_sivia_skilling_keeps_each_width_below_its_own_bounds():
    made = SSAdaptiveBoundedDiscrete(NAMES, {"j": (0, 4), "k": (0, 15000)})
    chain = Chain(NAMES, lambda j, k: (0.0, 0.0), [made], seed())
    chain.start_position = {"j": 1, "k": 1}
    chain.run(3000)
    assert made.std[0] == 4
    assert 4 < made.std[1] <= 15000
    own = SSAdaptiveBoundedDiscrete(NAMES, {"j": (0, 4), "k": (0, 15000)}, max_cov=9.0)
    assert own.max_std.tolist() == [3, 3]


@pytest.mark.parametrize("by", [0.3, 1.0, 1.5, 40.0])
@pytest.mark.parametrize("stays", list(product(STAYS, STAYS)))
def test_parts_of_a_jump_are_integers_within_bounds(by, stays):
    may = dict(zip(NAMES, stays, strict=True))
    for made in (NormalDiscrete(NAMES, 4.0, may), BoundedDiscrete(NAMES, BOUNDS, 4.0, may)):
        made.bit_generator = seed()
        x = (0, 6)
        for _ in range(300):
            y = made.draw(x)
            for i, part in enumerate(made._parts_of_jump(x, y, by)):
                assert all(type(value) is int for value in part)
                assert part[1 - i] == x[1 - i]
                assert stays[i] or part[i] != x[i]
                assert (part[i] - x[i]) * (y[i] - x[i]) >= 0 or stays[i]
                if by == 1.0:
                    assert part[i] == y[i]
                if made.name == "bounded_discrete":
                    assert dict(zip(NAMES, part, strict=True)) in made
            x = y


def test_subclasses_with_jumps_of_their_own_are_obeyed():
    class Mine(BoundedDiscrete):
        def _jump(self, fromx):
            jumps.append(fromx)
            return super()._jump(fromx)

    jumps = []
    chain = learning_chain(Mine(NAMES, BOUNDS, 2.0, MIXED))
    chain.run(50)
    assert len(jumps) == 50
    plain = learning_chain(BoundedDiscrete(NAMES, BOUNDS, 2.0, MIXED))
    plain.run(50)
    assert np.array_equal(chain.positions, plain.positions)


def test_virtual_moves_of_a_subclass_have_a_ratio():
    """In a virtual move all but one parameter stay, which has no mass if they may not."""

    class Mine(ATAdaptiveBoundedDiscrete):
        def _logpdf(self, xi, givenx):
            return super()._logpdf(xi, givenx)

    chain = learning_chain(Mine(NAMES, BOUNDS, 300, None, True))
    chain.run(300)
    plain = learning_chain(ATAdaptiveBoundedDiscrete(NAMES, BOUNDS, 300, None, True))
    plain.run(300)
    learned, expected = (c.proposal_dist.proposals[0].std for c in (chain, plain))
    assert np.isfinite(learned).all()
    assert learned == pytest.approx(expected)
