"""Jumps on the sphere are what they say, at any concentration, at the poles, in any unit."""

import math

import numpy as np
import pytest
from scipy import stats

from epsie.chain import Chain
from epsie.proposals.solid_angle import (
    KAPPA_RANGE,
    AdaptiveIsotropicSolidAngle,
    IsotropicSolidAngle,
)
from tests.statistical import (
    Continuous,
    assert_power,
    check_draws,
    check_invariance,
    generator,
)

KAPPAS = [1e-12, 1e-3, 1.0, 10.0, 700.0, 1e5, 1e8]
UNITS = [(radec, degs) for radec in (False, True) for degs in (False, True)]
CENTRES = [(0.0, 0.0), (1.0, math.pi), (6.2, 1.2), (3.0, 1e-9), (0.0, 2.5)]


def as_units(azimuth, theta, radec, degs):
    """Give an azimuth and a polar angle as a proposal with these settings takes them."""
    polar = math.pi / 2 - theta if radec else theta
    return (np.degrees(azimuth), np.degrees(polar)) if degs else (azimuth, polar)


def as_radians(azimuth, polar, radec, degs):
    """Undo `as_units`."""
    if degs:
        azimuth, polar = np.radians(azimuth), np.radians(polar)
    return azimuth, math.pi / 2 - polar if radec else polar


def vector(azimuth, theta):
    out = np.sin(theta)
    return np.array([out * np.cos(azimuth), out * np.sin(azimuth), np.cos(theta) + 0 * azimuth])


def frame(azimuth, theta):
    """Return two unit vectors across a direction."""
    south = vector(azimuth, theta + math.pi / 2)
    east = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
    return south, east


def around(centre, apart, turn):
    """Return the azimuth and polar angle of points at an angle from a centre."""
    south, east = (axis[:, None] for axis in frame(*centre))
    across = south * np.cos(turn) + east * np.sin(turn)
    x, y, z = vector(*centre)[:, None] * np.cos(apart) + across * np.sin(apart)
    return np.arctan2(y, x), np.arctan2(np.hypot(x, y), z)


def make(kappa=10.0, radec=False, degs=False, label="solid angle"):
    proposal = IsotropicSolidAngle("a", "p", kappa, radec, degs)
    proposal.bit_generator = generator(label).bit_generator
    return proposal


@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("units", UNITS)
def test_density_integrates_to_one(kappa, units):
    """Over the sphere, from any centre: rings about it, with more of them where they are dense."""
    proposal = make(kappa, *units)
    nodes, weights = np.polynomial.legendre.leggauss(120)
    # Exact in v: 1 - cos(apart) = v, where the density falls by exp(-kappa v).
    top = min(2.0, 40 / kappa)
    v, dv = top * (nodes + 1) / 2, top * weights / 2
    apart = 2 * np.arcsin(np.sqrt(v / 2))
    for centre in CENTRES:
        total = 0.0
        for turn in (0.3, 2.0, 4.4):
            points = np.array(as_units(*around(centre, apart, turn), *units)).T
            x = as_units(*centre, *units)
            density = [math.exp(proposal.log_density(tuple(y), x)) for y in points.tolist()]
            total += 2 * math.pi * float(dv @ density) / 3
        assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("kappa", KAPPAS)
@pytest.mark.parametrize("units", UNITS)
@pytest.mark.in_part(3)
def test_draws_follow_the_density(kappa, units):
    for centre in CENTRES[:3]:
        proposal = make(kappa, *units, f"draws {kappa} {units} {centre}")
        south, east = (axis[:, None] for axis in frame(*centre))
        x = as_units(*centre, *units)

        def draw(size, proposal=proposal, x=x, centre=centre, south=south, east=east):
            y = np.array([proposal.draw(x) for _ in range(size)]).T
            assert np.isfinite(y).all()
            towards = vector(*as_radians(*y, *units))
            away = towards - vector(*centre)[:, None]
            turn = np.arctan2((away * east).sum(0), (away * south).sum(0))
            return {"versine": (away * away).sum(0) / 2, "turn": turn}

        marginals = {
            "versine": Continuous(
                "versine",
                lambda v: np.clip(np.expm1(-kappa * v) / np.expm1(-2 * kappa), 0, 1),
            ),
            "turn": Continuous("turn", stats.uniform(-math.pi, 2 * math.pi).cdf),
        }
        check_draws(draw, marginals)


@pytest.mark.parametrize("kappa", [1e-300, 1e-12, 1e8, 1e16, 1e300])
@pytest.mark.parametrize("units", UNITS)
def test_jumps_stay_in_range(kappa, units):
    """The azimuth is never the period itself, however short the jumps back over zero are."""
    proposal = make(kappa, *units)
    period = 360.0 if units[1] else 2 * math.pi
    for theta in (0.0, 1e-300, 1e-9, 1.0, math.pi):
        lowest, highest = sorted(as_units(0.0, edge, *units)[1] for edge in (0.0, math.pi))
        x = as_units(0.0, theta, *units)
        for _ in range(300):
            azimuth, polar = proposal.draw(x)
            assert 0 <= azimuth < period
            assert lowest <= polar <= highest
            assert math.isfinite(proposal.log_density((azimuth, polar), x))


def test_density_is_symmetric_and_knows_the_wrap():
    proposal = make(50.0)
    x, y = (0.01, 1.0), (2 * math.pi - 0.01, 1.1)
    assert proposal.log_density(x, y) == pytest.approx(proposal.log_density(y, x), abs=1e-12)
    shifted = proposal.log_density((0.09, 1.1), (0.11, 1.0))
    assert proposal.log_density(x, y) == pytest.approx(shifted, abs=1e-9)
    assert proposal.symmetric
    # Per steradian; the angles have an area beside.
    assert proposal.log_hastings(x, y) == pytest.approx(math.log(math.sin(1) / math.sin(1.1)))
    per_steradian = IsotropicSolidAngle("a", "p", 50.0, density="steradian")
    assert per_steradian.log_hastings(x, y) == 0


def test_setters_take_effect_on_everything():
    proposal = make(10.0)
    x, y = {"a": 1.0, "p": 0.5}, {"a": 1.2, "p": 0.6}
    for kappa in (3.0, 1e9, 1e-12, np.float64(7)):
        proposal.kappa = kappa
        fresh = make(kappa)
        assert proposal.kappa == kappa
        assert proposal.logpdf(y, x) == fresh.logpdf(y, x)
        assert proposal.pdf(x, x) == pytest.approx(proposal.norm)
    proposal.random_state = fresh.random_state
    assert proposal.jump(x) == fresh.jump(x)
    proposal.isdegs = proposal.isradec = True
    assert proposal.logpdf(y, x) == make(7, True, True).logpdf(y, x)


@pytest.mark.parametrize("kappa", [1e-12, 0.1, 1.0, 30.0])
def test_norm(kappa):
    expected = kappa / (4 * math.pi * math.sinh(kappa)) * math.exp(kappa)
    assert make(kappa).norm == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("units", UNITS)
def test_arrays_of_the_caller_are_left_alone(units):
    proposal = make(10.0, *units)
    values = {name: np.array(value) for name, value in zip("ap", as_units(1.0, 0.5, *units))}
    before = {name: value.copy() for name, value in values.items()}
    to = proposal.jump(values)
    proposal.logpdf(to, values)
    assert values == before
    assert all(type(value) is float for value in to.values())


# ---- invariance


def uniform_sphere(units):
    """Return draws of directions that are uniform on the sphere, and their distribution."""

    def draw(rng, size):
        azimuth, theta = 2 * math.pi * rng.random(size), np.arccos(rng.uniform(-1, 1, size))
        return dict(zip("ap", as_units(azimuth, theta, *units), strict=True))

    def angles(samples):
        return as_radians(samples["a"], samples["p"], *units)

    marginals = {
        "azimuth": Continuous(lambda s: angles(s)[0], stats.uniform(0, 2 * math.pi).cdf),
        "height": Continuous(lambda s: np.cos(angles(s)[1]), stats.uniform(-1, 2).cdf),
        "across": Continuous(lambda s: vector(*angles(s))[0], stats.uniform(-1, 2).cdf),
    }
    return draw, marginals


PEAK = (0.4, 0.3)


def peaked(concentration=4.0):
    """Return draws of a von Mises-Fisher distribution near the pole, and its distribution."""

    def draw(rng, size):
        fisher = stats.vonmises_fisher(vector(*PEAK), concentration)
        x, y, z = fisher.rvs(size, random_state=rng).T
        return {"a": np.arctan2(y, x) % (2 * math.pi), "p": np.arctan2(np.hypot(x, y), z)}

    def versine(samples):
        return 1 - vector(*PEAK) @ vector(samples["a"], samples["p"])

    def turn(samples):
        south, east = frame(*PEAK)
        towards = vector(samples["a"], samples["p"])
        return np.arctan2(east @ towards, south @ towards)

    cdf = lambda v: np.expm1(-concentration * v) / np.expm1(-2 * concentration)  # noqa: E731
    marginals = {
        "versine": Continuous(versine, cdf),
        "turn": Continuous(turn, stats.uniform(-math.pi, 2 * math.pi).cdf),
    }
    return draw, marginals


def flat(a, p):
    return 0.0, 0.0


def peak_model(a, p):
    return 4.0 * float(vector(*PEAK) @ vector(a, p)), 0.0


def in_angles(model, units=(False, False)):
    """Make of a model with a density per steradian one with a density in the angles."""

    def angles(a, p):
        logl, logp = model(a, p)
        return logl, logp + math.log(max(math.sin(as_radians(a, p, *units)[1]), 1e-300))

    return angles


def as_density(model, density, units=(False, False)):
    return in_angles(model, units) if density == "angles" else model


DENSITIES = pytest.mark.parametrize("density", ["angles", "steradian"])


def transition(model, proposal, steps, label):
    chain = Chain(["a", "p"], model, [proposal], bit_generator=generator(label).bit_generator)

    def walk(x):
        chain.start_position = x
        for _ in range(steps):
            chain.step()
        end = chain.current_position
        chain.clear()
        return end

    return walk


@DENSITIES
@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("kappa", [1e-12, 3.0, 50.0])
@pytest.mark.in_part(5)
def test_uniform_target_is_invariant(units, kappa, density):
    draw, marginals = uniform_sphere(units)
    proposal = IsotropicSolidAngle("a", "p", kappa, *units, density=density)
    walk = transition(as_density(flat, density, units), proposal, 4, f"{units} {kappa}")
    check_invariance(draw, walk, marginals, generator(f"start {units} {kappa}"))


@DENSITIES
@pytest.mark.parametrize("kappa", [1.0, 20.0])
@pytest.mark.in_part(3)
def test_peaked_target_is_invariant(kappa, density):
    draw, marginals = peaked()
    proposal = IsotropicSolidAngle("a", "p", kappa, density=density)
    walk = transition(as_density(peak_model, density), proposal, 5, f"peak {kappa}")
    check_invariance(draw, walk, marginals, generator(f"start peak {kappa}"))


@pytest.mark.in_part(2, "slow")
@DENSITIES
@pytest.mark.parametrize("pole", [0.0, math.pi])
def test_chain_leaves_the_pole(pole, density):
    """Jumps from the pole go evenly to all sides; then a flat chain forgets where it began."""
    _, marginals = uniform_sphere((False, False))
    proposal = IsotropicSolidAngle("a", "p", 0.5, density=density)
    walk = transition(as_density(flat, density), proposal, 12, f"pole {pole}")

    def start_at_pole(rng, size):
        return {name: np.full(size, value) for name, value in (("a", 1.0), ("p", pole))}

    check_invariance(start_at_pole, walk, marginals, generator("pole"))


class WrongWrap(IsotropicSolidAngle):
    """The defect: the azimuth is cut off at zero instead of going round."""

    def draw(self, x):
        azimuth, polar = super().draw(x)
        step = (azimuth - x[0] + math.pi) % (2 * math.pi) - math.pi
        return min(max(x[0] + step, 0.0), 2 * math.pi), polar


class FlatSteps(IsotropicSolidAngle):
    """The defect: normal steps in the angles themselves, folded back at the poles."""

    def draw(self, x):
        azimuth, polar = (value + 0.5 * self.stream.normal() for value in x)
        return azimuth % (2 * math.pi), abs(math.pi - abs(math.pi - polar))


class NotAround(IsotropicSolidAngle):
    """The defect: the step in azimuth is widened by the present polar angle, not symmetrically."""

    def draw(self, x):
        polar = x[1] + self.stream.normal() * 0.5
        if not 0 <= polar <= math.pi:
            return x
        return (x[0] + self.stream.normal() / max(math.sin(x[1]), 0.1)) % (2 * math.pi), polar


@pytest.mark.parametrize("defect", ["twice", "never", WrongWrap, FlatSteps, NotAround])
def test_defect_is_seen(defect):
    """Among them: the area counts twice, in the model and in the proposal, or in neither."""
    draw, marginals = uniform_sphere((False, False))
    model = flat if defect == "never" else in_angles(flat)
    if isinstance(defect, type):
        proposal = defect("a", "p", 3.0)
    else:
        density = "steradian" if defect == "twice" else "angles"
        proposal = IsotropicSolidAngle("a", "p", 3.0, density=density)
    walk = transition(model, proposal, 4, f"defect {defect}")
    assert_power(draw, walk, marginals, generator(f"defect {defect}"))


# ---- learning


def run_adaptive(concentration, duration, label, **settings):
    """Run an adaptive chain on a narrow peak at declination 0.5, right ascension 0."""

    def model(a, p):
        haversine = math.sin((p - 0.5) / 2) ** 2
        haversine += math.cos(p) * math.cos(0.5) * math.sin(a / 2) ** 2
        return -2 * concentration * haversine, 0.0

    proposal = AdaptiveIsotropicSolidAngle("a", "p", duration, radec=True, **settings)
    chain = Chain(["a", "p"], model, [proposal], bit_generator=generator(label).bit_generator)
    chain.start_position = {"a": 0.0, "p": 0.5}
    return chain, proposal


@pytest.mark.parametrize("concentration", [1.0, 100.0, 1e8])
def test_learns_the_size_of_the_posterior(concentration):
    chain, proposal = run_adaptive(concentration, 3000, "learn", target_rate=0.3)
    assert proposal.kappa == 5
    chain.run(3000)
    learned = proposal.kappa
    chain.run(4000)
    assert proposal.kappa == learned
    rate = chain.acceptance["accepted"][3000:].mean()
    # A peak as broad as the sphere lets any jump be accepted more often than that.
    assert rate > 0.25
    assert rate < (0.37 if concentration > 1 else 1)


def test_learning_stays_in_range():
    chain, proposal = run_adaptive(0.0, None, "flat")
    chain.run(20000)
    assert proposal.kappa == KAPPA_RANGE[0]
    proposal.reset()
    assert proposal.kappa == 5
    assert proposal.start_step == proposal.nsteps == 20000


def test_state_goes_on_mid_adaptation():
    chain, proposal = run_adaptive(50.0, 400, "state", jump_interval=2, start_step=20)
    chain.run(101)
    state = chain.state
    assert state["proposal_dist"]["a+p"]["kappa"] == proposal.kappa != 5
    chain.run(500)
    other, twin = run_adaptive(50.0, 400, "other", jump_interval=2, start_step=20)
    other.set_state(state)
    other.run(500)
    assert other.positions.tolist() == chain.positions[101:].tolist()
    assert twin.kappa == proposal.kappa


def test_begins_at_its_start_step():
    chain, proposal = run_adaptive(50.0, 400, "late", start_iteration=30)
    chain.run(29)
    assert proposal.kappa == 5
    chain.run(1)
    assert proposal.kappa != 5


# ---- bad input


@pytest.mark.parametrize("kappa", [0, -2.5, math.nan, math.inf])
def test_kappa_is_checked(kappa):
    with pytest.raises(ValueError, match=f"kappa must be positive.*{kappa}"):
        IsotropicSolidAngle("a", "p", kappa)
    proposal = make(3.0)
    with pytest.raises(ValueError, match="kappa"):
        proposal.kappa = kappa
    assert proposal.kappa == 3


@pytest.mark.parametrize("name", ["radec", "degs"])
@pytest.mark.parametrize("value", [1, "yes", None])
def test_flags_are_bools(name, value):
    with pytest.raises(ValueError, match=f"{name} must be True or False; got {value!r}"):
        IsotropicSolidAngle("a", "p", **{name: value})


@pytest.mark.parametrize("units", UNITS)
def test_given_point_must_be_on_the_sphere(units):
    proposal = make(3.0, *units)
    _, beyond = as_units(0.0, -0.1, *units)
    for act in (proposal.jump, lambda x: proposal.logpdf({"a": 0, "p": 0}, x)):
        with pytest.raises(ValueError, match=r"^Given point has p = .* must lie in"):
            act({"a": 0.0, "p": beyond})
    assert proposal.logpdf({"a": 0, "p": beyond}, {"a": 0, "p": 0}) == -math.inf


@pytest.mark.parametrize(
    "settings", [{"adaptation_duration": 0}, {"start_step": 0}, {"target_rate": 1.0}]
)
def test_adaptive_settings_are_checked(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        AdaptiveIsotropicSolidAngle("a", "p", **{"adaptation_duration": 10, **settings})


def test_config_makes_an_equal_proposal():
    for proposal in (
        IsotropicSolidAngle("ra", "dec", 3.0, True, degs=True),
        AdaptiveIsotropicSolidAngle("ra", "dec", 100, 5, degs=True),
    ):
        twin = type(proposal)(**proposal.config)
        assert twin.parameters == proposal.parameters == ("ra", "dec")
        assert (twin.kappa, twin.isradec, twin.isdegs) == (
            proposal.kappa,
            proposal.isradec,
            proposal.isdegs,
        )
