"""Jumps along eigenvectors are what they say, within their bounds, and learn to mix."""

import math

import numpy as np
import pytest
from arviz_stats.base import array_stats
from scipy import stats

from epsie.chain import Chain
from epsie.proposals.bounded_eigenvector import AdaptiveBoundedEigenvector, BoundedEigenvector
from epsie.proposals.eigenvector import AdaptiveEigenvector, Eigenvector
from epsie.rng import Stream
from tests.statistical import (
    Continuous,
    Discrete,
    assert_power,
    check_draws,
    check_invariance,
    generator,
    seed,
    stepping,
)

INF = math.inf
NAMES = ("a", "b", "c")
COV = np.array([[2.0, 0.9, 0.3], [0.9, 1.0, -0.2], [0.3, -0.2, 0.5]])
DIAGONAL = 45 * np.array([[1.0, 0.5], [0.5, 1.0]])
BOX = {"a": (-1.0, 2.0), "b": (0.0, 1.0), "c": (-3.0, 3.0)}
PLACES = {
    "inside": (0.3, 0.6, -1.0),
    "face": (-1.0, 0.6, -1.0),
    "edge": (0.3, 1.0, 3.0),
    "corner": (2.0, 0.0, 3.0),
    "other corner": (-1.0, 1.0, 3.0),
}
WIDTHS = [1e-6, 0.1, 1.0, 30.0, 1e6, 1e70]


def free(cov=None, shuffle_rate=0.33, label="free"):
    proposal = Eigenvector(NAMES, COV if cov is None else cov, shuffle_rate)
    proposal.bit_generator = generator(label).bit_generator
    return proposal


def bounded(width=1.0, label="bounded", boundaries=BOX):
    proposal = BoundedEigenvector(NAMES, boundaries, COV * width**2)
    proposal.bit_generator = generator(label).bit_generator
    return proposal


def picks(proposal, power=1.0):
    """Return the probability with which each eigenvector should be picked."""
    weights = proposal.eigvals**power
    rate = proposal.shuffle_rate
    return rate / len(weights) + (1 - rate) * weights / weights.sum()


def segment(x, axis):
    """Return how far a line from x stays in BOX, both ways."""
    bounds = np.array([BOX[name] for name in NAMES])
    ends = (bounds - np.array(x)[:, None]) / axis[:, None]
    return ends.min(1).max(), ends.max(1).min()


def integral(proposal, x, i, below, above):
    """Integrate the density along one line."""
    axis, std = proposal.eigvects[:, i], math.sqrt(proposal.eigvals[i])
    total = 0.0
    for end in (max(below, -12 * std), min(above, 12 * std)):
        nodes, weights = np.polynomial.legendre.leggauss(80)
        t = end * (nodes + 1) / 2
        density = [math.exp(proposal.log_density(tuple(x + s * axis), x)) for s in t]
        total += abs(end) / 2 * float(weights @ density)
    return total


@pytest.mark.parametrize("cov", [COV, COV * 1e8, COV * 1e-8, [4.0, 1.0, 0.25]])
def test_density_integrates_to_one_along_the_lines(cov):
    proposal = free(cov)
    x = (0.3, -2.0, 5.0)
    found = [integral(proposal, x, i, -INF, INF) for i in range(3)]
    assert found == pytest.approx(picks(proposal), rel=1e-9)
    assert sum(found) == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("width", WIDTHS)
def test_bounded_density_integrates_to_one_along_the_lines(place, width):
    proposal, x = bounded(width), PLACES[place]
    total = 0.0
    expected = picks(proposal)
    for i, axis in enumerate(proposal.eigvects.T):
        below, above = segment(x, axis)
        if below < above:
            found = integral(proposal, x, i, below, above)
            assert found == pytest.approx(expected[i], rel=1e-6)
            total += found
    if total < 1 - 1e-6:
        total += math.exp(proposal.log_density(x, x))
    assert total == pytest.approx(1, rel=1e-6)


def test_density_is_zero_off_the_lines_and_depends_on_both_points():
    for proposal in (free(), bounded()):
        x = np.array(PLACES["inside"])
        for i, axis in enumerate(proposal.eigvects.T):
            near, far = (proposal.log_density(tuple(x + t * axis), tuple(x)) for t in (0.1, 0.2))
            assert near > far > -INF
            off = x + 0.1 * axis + 1e-6 * proposal.eigvects[:, i - 1]
            assert proposal.log_density(tuple(off), tuple(x)) == -INF
    assert proposal.log_density((5.0, 5.0, 5.0), tuple(x)) == -INF


def line_of(proposal, samples, x):
    """Return which eigenvector each sample lies along, and how far."""
    away = np.array([samples[name] for name in NAMES]).T - x
    along = away @ proposal.eigvects
    i = np.abs(along).argmax(1)
    t = np.take_along_axis(along, i[:, None], 1)[:, 0]
    # Rounding of the position may be large beside a short jump.
    assert np.abs(away - t[:, None] * proposal.eigvects.T[i]).max() < 1e-12 + 1e-9 * abs(t).max()
    return i, t


def draws(proposal, x):
    return lambda size: dict(
        zip(NAMES, np.array([proposal.draw(x) for _ in range(size)]).T, strict=True)
    )


@pytest.mark.parametrize("shuffle_rate", [0.05, 0.33, 0.9])
def test_draws_follow_the_density(shuffle_rate):
    proposal, x = free(None, shuffle_rate, f"draws {shuffle_rate}"), PLACES["inside"]
    stds = np.sqrt(proposal.eigvals)

    def standard(samples):
        i, t = line_of(proposal, samples, x)
        return t / stds[i]

    marginals = {
        "picked": Discrete(lambda s: line_of(proposal, s, x)[0], dict(enumerate(picks(proposal)))),
        "length": Continuous(standard, stats.norm.cdf),
    }
    check_draws(draws(proposal, x), marginals)


@pytest.mark.parametrize("place", ["inside", "face", "edge"])
@pytest.mark.parametrize("width", [0.1, 1.0, 30.0, 1e6])
def test_bounded_draws_follow_the_density(place, width):
    x = PLACES[place]
    proposal = bounded(width, f"bounded {place} {width}")
    segments = [segment(x, axis) for axis in proposal.eigvects.T]
    stuck = [below == above for below, above in segments]
    stds, expected = np.sqrt(proposal.eigvals), picks(proposal)
    halves = [
        [0.5 * math.erf(end / std / math.sqrt(2)) for end in ends]
        for ends, std in zip(segments, stds, strict=True)
    ]

    def quantile(samples):
        i, t = line_of(proposal, samples, x)
        start, end = np.array(halves)[i].T
        moved = np.any([samples[name] != here for name, here in zip(NAMES, x, strict=True)], 0)
        share = 0.5 * np.array([math.erf(z) for z in t / stds[i] / math.sqrt(2)])
        # A jump that cannot be made has no length: a fair number keeps the number of draws.
        fair = generator("fair").random(len(t))
        return np.where(moved, (share - start) / np.where(end > start, end - start, 1), fair)

    def which(samples):
        i, t = line_of(proposal, samples, x)
        return np.where(t == 0, -1, i)

    pmf = {i: p for i, p in enumerate(expected) if not stuck[i]}
    if any(stuck):
        pmf[-1] = sum(p for p, still in zip(expected, stuck, strict=True) if still)
    marginals = {"picked": Discrete(which, pmf), "length": Continuous(quantile, stats.uniform.cdf)}
    check_draws(draws(proposal, x), marginals)


@pytest.mark.parametrize("width", WIDTHS)
def test_hastings_term_is_the_difference_of_the_densities(width):
    proposal = bounded(width, "hastings")
    for x in PLACES.values():
        for _ in range(40):
            y = proposal.draw(x)
            direct = proposal.log_density(x, y) - proposal.log_density(y, x)
            assert proposal.log_hastings(x, y) == pytest.approx(direct, abs=1e-7)
            if proposal.ind:
                # It does not rest on what was picked last.
                term, proposal.ind = proposal.log_hastings(x, y), 0
                assert proposal.log_hastings(x, y) == pytest.approx(term, rel=1e-9, abs=1e-12)
            x = y
    assert free().log_hastings(x, y) == 0


class Counting(Stream):
    """Counts what is asked of it."""

    asked = 0

    def uniform(self):
        Counting.asked += 1
        return super().uniform()

    def normals(self, n):
        Counting.asked += n
        return super().normals(n)


@pytest.mark.parametrize("width", WIDTHS)
def test_time_is_bounded_at_any_width(width):
    for x in PLACES.values():
        proposal = bounded(width)
        proposal.stream = Counting(1)
        Counting.asked = 0
        for _ in range(500):
            proposal.draw(x)
        assert Counting.asked < 500 * 6


@pytest.mark.parametrize("offset", [0.0, 1e6, -1e12])
@pytest.mark.parametrize("width", [0.05, 3.0, 1e9])
def test_never_leaves_the_bounds(offset, width):
    box = {name: (lower + offset, upper + offset) for name, (lower, upper) in BOX.items()}
    proposal = bounded(width, f"walk {offset} {width}", box)
    for start in PLACES.values():
        x = tuple(min(max(s + offset, box[n][0]), box[n][1]) for n, s in zip(NAMES, start))
        for _ in range(400):
            x = proposal.draw(x)
            assert dict(zip(NAMES, x, strict=True)) in proposal


def test_infinite_bounds():
    half = {"a": (0.0, INF), "b": (-INF, INF), "c": (-INF, 0.0)}
    proposal = bounded(1.0, "infinite", half)
    free_one = free()
    x = (3e5, 0.0, -3e5)
    y = proposal.draw(x)
    assert proposal.log_density(y, x) == pytest.approx(free_one.log_density(y, x))
    for _ in range(500):
        x = proposal.draw((0.0, 0.0, 0.0))
        assert x[0] >= 0 >= x[2]


def test_stays_where_no_way_leads_on():
    """From a corner the falling diagonal leaves the square both ways, the rising one does not."""
    proposal = BoundedEigenvector(["x", "y"], {"x": (0, 1), "y": (0, 1)}, DIAGONAL)
    proposal.bit_generator = 5
    rising = picks(proposal)[np.argmax(np.abs(proposal.eigvects.sum(0)))]
    corner = (0.0, 0.0)
    assert proposal.log_density(corner, corner) == pytest.approx(math.log(1 - rising))
    stayed = np.mean([proposal.draw(corner) == corner for _ in range(20000)])
    # A normal quantile for a rate of false alarms of 1e-5.
    assert abs(stayed - (1 - rising)) < 4.42 * math.sqrt(rising * (1 - rising) / 20000)
    assert proposal.log_hastings(corner, corner) == 0


def test_many_dimensions_cost_no_hull():
    names = [f"p{i}" for i in range(60)]
    proposal = BoundedEigenvector(names, dict.fromkeys(names, (0, 1)), np.eye(60) + 0.5)
    y = proposal.draw((0.0,) * 60)
    assert all(0 <= value <= 1 for value in y)
    assert proposal.hyperplanes.shape == (120, 61)
    assert (proposal.hyperplanes @ [*y, 1.0] <= 0).all()


def test_setters_take_effect_on_everything():
    x = PLACES["inside"]
    for make in (free, bounded):
        proposal, fresh = make(), make()
        proposal.shuffle_rate = fresh.shuffle_rate = 0.8
        proposal.cov = [3.0, 2.0, 0.5]
        fresh = (
            Eigenvector(NAMES, [3.0, 2.0, 0.5], 0.8)
            if make is free
            else BoundedEigenvector(NAMES, BOX, [3.0, 2.0, 0.5], 0.8)
        )
        y = (x[0] + 0.1, *x[1:])
        assert proposal.log_density(y, x) == fresh.log_density(y, x) > -INF
        assert proposal.cov.tolist() == np.diag([3.0, 2.0, 0.5]).tolist()
        proposal.random_state = fresh.random_state
        assert [proposal.draw(x) for _ in range(9)] == [fresh.draw(x) for _ in range(9)]
    proposal.boundaries = {**BOX, "a": (0.25, 0.35)}
    assert all(0.25 <= proposal.draw(x)[0] <= 0.35 for _ in range(200))
    assert proposal.log_density(y, x) == -INF
    assert abs(proposal.boundaries["a"]) == pytest.approx(0.1)


def test_semi_definite_covariance_keeps_to_its_plane():
    proposal = free([[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    x = (0.0, 0.0, 0.0)
    for _ in range(100):
        y = proposal.draw(x)
        assert y != x
        assert y[0] == pytest.approx(y[1], abs=1e-12)
        assert proposal.log_density(y, x) > -INF
    assert proposal.log_density((1.0, -1.0, 0.0), x) == -INF


# ---- invariance

SKEWED = {"x": stats.beta(2, 5), "y": stats.truncexpon(4, scale=0.5)}
SKEWED_BOX = {"x": (0.0, 1.0), "y": (0.0, 2.0)}
SKEWED_COV = [[0.2, -0.25], [-0.25, 0.5]]


def skewed(x, y):
    if not (0 <= x <= 1 and 0 <= y <= 2):
        return None, -INF
    return (math.log(x * (1 - x) ** 4) if 0 < x < 1 else -INF), -2 * y


def skewed_draw(rng, size):
    return {name: law.rvs(size, random_state=rng) for name, law in SKEWED.items()}


SKEWED_MARGINALS = {
    **{name: Continuous(name, law.cdf) for name, law in SKEWED.items()},
    "both": Continuous(
        lambda s: SKEWED["x"].cdf(s["x"]) * SKEWED["y"].cdf(s["y"]),
        lambda t: t * (1 - np.log(t)),
    ),
}


def flat(x, y):
    return 0.0, 0.0


def unit(x, y):
    return 0.0, 0.0 if 0 <= x <= 1 and 0 <= y <= 2 else -INF


def flat_draw(rng, size):
    return {"x": rng.random(size), "y": 2 * rng.random(size)}


FLAT_MARGINALS = {
    "x": Continuous("x", stats.uniform.cdf),
    "y": Continuous("y", stats.uniform(0, 2).cdf),
    "sum": Continuous(lambda s: s["x"] + s["y"] / 2, stats.triang(0.5, 0, 2).cdf),
}


def walk_of(model, proposal, steps, label):
    bits = generator(label).bit_generator
    chain = Chain(["x", "y"], model, [proposal], bit_generator=bits)

    return stepping(chain, steps)


def pair(cls=BoundedEigenvector, cov=SKEWED_COV):
    if issubclass(cls, BoundedEigenvector):
        return cls(["x", "y"], SKEWED_BOX, cov)
    return cls(["x", "y"], cov)


@pytest.mark.parametrize("cls", [Eigenvector, BoundedEigenvector])
def test_skewed_target_is_invariant(cls):
    walk = walk_of(skewed, pair(cls), 10, f"skewed {cls.name}")
    rng = generator(f"start skewed {cls.name}")
    check_invariance(skewed_draw, walk, SKEWED_MARGINALS, rng)


@pytest.mark.parametrize("width", [0.5, 1e3])
def test_flat_target_is_invariant(width):
    cov = width**2 * np.array(SKEWED_COV)
    walk = walk_of(flat, pair(cov=cov), 4, f"flat {width}")
    check_invariance(flat_draw, walk, FLAT_MARGINALS, generator(f"start flat {width}"))


class Flagged(BoundedEigenvector):
    """The defect: said to be symmetric though it is not."""

    symmetric = True


class Reversed(BoundedEigenvector):
    """The defect: the Hastings term has the wrong sign."""

    def log_hastings(self, x, y):
        return -super().log_hastings(x, y)


class OtherAxis(BoundedEigenvector):
    """The defect: the masses are those along another eigenvector."""

    def _along(self, x, y):
        i, length = super()._along(x, y)
        return 1 - i, length


class Clipped(BoundedEigenvector):
    """The defect: what would leave the bounds ends on them."""

    symmetric = True

    def draw(self, x):
        y = Eigenvector.draw(self, x)
        return tuple(min(max(v, lower), upper) for v, (lower, upper) in zip(y, self._bounds))


class Leaning(Eigenvector):
    """The defect: which eigenvector is picked depends on where it stands."""

    def draw(self, x):
        self.shuffle_rate = 0.98 if x[0] > 0.5 else 0.02
        return super().draw(x)


DEFECT_COV = np.array([[0.1, 0.05], [0.05, 0.06]])


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("cls", [Flagged, Reversed, OtherAxis, Clipped, Leaning])
def test_defect_is_seen(cls):
    walk = walk_of(unit, pair(cls, DEFECT_COV), 10, f"defect {cls.__name__}")
    assert_power(flat_draw, walk, FLAT_MARGINALS, generator(f"defect {cls.__name__}"))


# ---- learning


def rotated(ndim, condition, label):
    """Return a normal target with randomly rotated axes and its names."""
    axes = np.linalg.qr(generator(label).normal(size=(ndim, ndim)))[0]
    whiten = (axes * np.logspace(0, 0.5 * math.log10(condition), ndim)).T.copy()
    names = [f"p{i}" for i in range(ndim)]

    def model(**values):
        white = whiten.dot(list(values.values()))
        return -0.5 * float(white.dot(white)), 0.0

    return names, model


def least_effective(positions, names):
    """Return the least effective sample size per 1000 positions of any parameter."""
    sizes = [
        float(array_stats.ess(positions[name][None], chain_axis=0, draw_axis=1, method="bulk"))
        for name in names
    ]
    return 1000 * min(sizes) / len(positions)


@pytest.mark.in_part(3, "slow")
@pytest.mark.parametrize(
    ("cls", "run"),
    [*((AdaptiveEigenvector, run) for run in range(5)), (AdaptiveBoundedEigenvector, 5)],
)
def test_mixes_on_a_rotated_normal(cls, run):
    """Condition number 100 in 10 dimensions, another rotation and start for each run."""
    names, model = rotated(10, 100.0, f"rotation {run}")
    within = [] if cls is AdaptiveEigenvector else [dict.fromkeys(names, (-50.0, 50.0))]
    proposal = cls(names, *within, 20000)
    rng = generator(f"mix {run}")
    chain = Chain(names, model, [proposal], bit_generator=rng.bit_generator)
    chain.start_position = dict(zip(names, rng.normal(0, 3, 10).tolist(), strict=True))
    chain.run(20000)
    chain.clear()
    before = learned(proposal)
    chain.run(30000)
    assert learned(proposal) == before
    assert least_effective(chain.positions, names) >= 13
    assert chain.acceptance["accepted"].mean() == pytest.approx(0.44, abs=0.05)


def learned(proposal):
    return [value.tolist() for value in (proposal.eigvals, proposal.eigvects)] + [
        proposal.jump_scales
    ]


def adaptive(cls, duration=1500, **settings):
    names, model = rotated(3, 20.0, "small")
    within = [dict.fromkeys(names, (-9.0, 9.0))] if issubclass(cls, BoundedEigenvector) else []
    proposal = cls(names, *within, duration, **settings)
    chain = Chain(names, model, [proposal], bit_generator=seed())
    chain.start_position = dict.fromkeys(names, 1.0)
    return chain, proposal


ADAPTIVE = [AdaptiveEigenvector, AdaptiveBoundedEigenvector]


@pytest.mark.parametrize("cls", ADAPTIVE)
def test_state_goes_on_mid_adaptation(cls):
    chain, proposal = adaptive(cls, jump_interval=2, start_step=20)
    chain.run(1001)
    assert proposal.adaptation.in_use
    state = chain.state
    at_state = learned(proposal)
    chain.run(900)
    other, twin = adaptive(cls, jump_interval=2, start_step=20)
    other.set_state(state)
    assert learned(twin) == at_state
    other.run(900)
    assert other.positions.tolist() == chain.positions[1001:].tolist()
    assert learned(twin) == learned(proposal) != at_state


@pytest.mark.parametrize("cls", ADAPTIVE)
def test_reset_brings_back_the_start(cls):
    cov0 = np.array([[2.0, 0.5, 0], [0.5, 1.0, 0], [0, 0, 3.0]])
    chain, proposal = adaptive(cls, cov0=cov0)
    start = learned(proposal)
    assert proposal.cov == pytest.approx(cov0)
    assert proposal.target_rate == 0.44
    assert proposal.jump_scales == pytest.approx((2.38,) * 3)
    for _ in range(2):
        chain.run(700)
        assert learned(proposal) != start
        proposal.reset()
        assert learned(proposal) == start
        assert proposal.start_step == proposal.nsteps


def test_scales_do_not_overflow(monkeypatch):
    """Where every jump is accepted they grow for ever."""

    def scales(most):
        monkeypatch.setattr("epsie.proposals.adaptation.eigenvectors.LARGEST_LOG_SCALE", most)
        proposal = AdaptiveEigenvector(["a", "b"], None)
        chain = Chain(["a", "b"], lambda a, b: (0.0, 0.0), proposal, 1)
        chain.start_position = {"a": 0.0, "b": 0.0}
        proposal.adaptation.log_lambda = [199.9, 1430.0]
        chain.run(20)
        return proposal.log_lambda

    assert scales(200.0) == [200.0, 200.0]
    with pytest.raises(OverflowError):
        scales(math.inf)


def test_learns_the_covariance():
    chain, proposal = adaptive(AdaptiveEigenvector, None)
    chain.run(30000)
    # Some 600 independent positions: 0.06 is a standard deviation of an eigenvalue.
    assert np.linalg.eigvalsh(proposal.cov) == pytest.approx(
        [1 / 20, 1 / math.sqrt(20), 1], rel=0.3
    )


# ---- bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cov": 0.0}, "cov must not be zero"),
        ({"cov": [1.0, 2.0]}, "cov must be"),
        ({"cov": [[1, 2, 0], [2, 1, 0], [0, 0, 1]]}, "positive semi-definite"),
        ({"shuffle_rate": 0}, "shuffle_rate must lie between 0 and 1.*got 0"),
        ({"shuffle_rate": 1.0}, "shuffle_rate must lie between 0 and 1.*got 1.0"),
        ({"jump_interval": 3}, "jump_interval_duration"),
    ],
)
def test_settings_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        Eigenvector(NAMES, **arguments)
    with pytest.raises(ValueError, match=message):
        BoundedEigenvector(NAMES, BOX, **arguments)


def test_one_parameter_has_no_bounded_form():
    assert Eigenvector("a").draw((1.0,)) != (1.0,)
    for make in (
        lambda: BoundedEigenvector("a", {"a": (0, 1)}),
        lambda: AdaptiveBoundedEigenvector("a", {"a": (0, 1)}, 100),
    ):
        with pytest.raises(ValueError, match=r"two parameters; got 'a'.*BoundedNormal"):
            make()


@pytest.mark.parametrize(
    "boundaries", [{"a": (0, 1), "b": (0, 1)}, {**BOX, "a": (1, 0)}, {**BOX, "a": (1, 1)}]
)
def test_boundaries_are_checked(boundaries):
    with pytest.raises(ValueError, match="boundaries"):
        BoundedEigenvector(NAMES, boundaries)


def test_given_point_must_be_within():
    proposal = bounded()
    inside, outside = dict.fromkeys(NAMES, 0.5), {"a": 0.5, "b": 1.5, "c": 0.5}
    assert inside in proposal
    assert outside not in proposal
    assert {"b": 0.2} in proposal
    for act in (proposal.jump, lambda x: proposal.logpdf(inside, x)):
        with pytest.raises(ValueError, match=r"^Given point .*1\.5"):
            act(outside)
    assert proposal.logpdf(outside, inside) == -INF


@pytest.mark.parametrize(
    "settings", [{"adaptation_duration": 0}, {"start_step": 0}, {"target_rate": 1.0}]
)
def test_adaptive_settings_are_checked(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        AdaptiveEigenvector(NAMES, **{"adaptation_duration": 10, **settings})


def test_config_makes_an_equal_proposal():
    for proposal in (
        bounded(),
        free(),
        AdaptiveEigenvector(NAMES, 100, COV, None, 0.5, start_iteration=7),
        AdaptiveBoundedEigenvector(NAMES, BOX, None, target_rate=0.3),
    ):
        twin = type(proposal)(**proposal.config)
        assert learned(twin) == learned(proposal)
        assert twin.shuffle_rate == proposal.shuffle_rate
        if proposal.adaptation is not None:
            assert twin.target_rate == proposal.target_rate
            assert twin.start_step == proposal.start_step
