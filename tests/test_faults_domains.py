"""An angle has a domain, whose width is its period; a chain is never outside of it."""

import math
from math import pi, tau

import h5py
import numpy as np
import pytest
from scipy import stats

import epsie
from epsie import CheckpointError, ProposalError, open_run, proposals
from epsie.chain import Chain
from epsie.proposals import (
    AdaptiveAngular,
    AdaptiveIsotropicSolidAngle,
    Angular,
    ATAdaptiveAngular,
    Boundaries,
    BoundedDiscrete,
    BoundedNormal,
    IsotropicSolidAngle,
    NestedTransdimensional,
    SSAdaptiveAngular,
    UniformBirth,
)
from epsie.proposals.turn import wrapped
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests.statistical import (
    Continuous,
    Discrete,
    assert_power,
    check_invariance,
    generator,
    stepping,
)

DOMAINS = [
    (-pi, pi),
    (0.0, 360.0),
    (-180, 180),
    (0, 24),
    (0, pi),
    (0.0, 1.0),
    (100.5, 101.5),
    (-1e-9, 3e-9),
    (np.float64(-1e12), np.float64(1e12)),
]
PEAK = stats.vonmises(2.0)


def peak(domain, at=0.0):
    """A model with a peak where the circle closes, or so many turns above; its draws and marginals.

    The prior is that of the domain.
    """
    lower, upper = map(float, domain)
    unit = (upper - lower) / tau
    centre = lower + at * (upper - lower)

    def model(a):
        if not lower <= a < upper:
            return None, -math.inf
        return 2.0 * math.cos((a - centre) / unit), -math.log(upper - lower)

    def draw(rng, size):
        angles = centre + unit * PEAK.rvs(size, random_state=rng)
        return {"a": np.array([wrapped(a, lower, upper) for a in angles.tolist()])}

    def away(samples):
        return np.remainder((samples["a"] - centre) / unit + pi, tau) - pi

    marginals = {"away": Continuous(away, PEAK.cdf)}
    if at == 0:
        half = (lower + upper) / 2
        marginals["half"] = Discrete(lambda s: s["a"] < half, {True: 0.5, False: 0.5})
    return model, draw, marginals


def transition(model, proposal, steps=6):
    chain = Chain("a", model, [proposal], bit_generator=generator(f"{proposal}").bit_generator)

    return stepping(chain, steps)


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_any_domain_is_exact(domain):
    model, draw, marginals = peak(domain)
    proposal = Angular("a", bounds=domain)
    assert proposal.symmetric
    assert proposal.periods() == {"a": domain[1] - domain[0]}
    check_invariance(draw, transition(model, proposal), marginals, generator(f"{domain}"))


@pytest.mark.in_part(3, "slow")
@pytest.mark.parametrize("cls", [AdaptiveAngular, SSAdaptiveAngular, ATAdaptiveAngular])
@pytest.mark.parametrize("domain", [(-180.0, 180.0), (-0.25, 0.75)])
def test_adaptive_ones_have_a_domain(cls, domain):
    model, draw, marginals = peak(domain, 0.1)
    duration = () if cls is SSAdaptiveAngular else (400,)
    proposal = cls("a", *duration, bounds={"a": domain})
    chain = Chain("a", model, [proposal], bit_generator=generator(f"{cls} {domain}").bit_generator)
    chain.start_position = {"a": 0.0}
    chain.run(600)
    assert {-1, 1} <= set(np.sign(chain.positions["a"]))
    proposal.adaptation = None
    check_invariance(draw, transition(model, proposal), marginals, generator(f"{cls}"))


class Clipped(Angular):
    """The defect: what leaves the domain at an end stays at it."""

    def draw(self, x):
        (y,) = super().draw(x)
        ((lower, _, half),) = self._turns
        return (y if abs(y - x[0]) <= half else lower,)


def test_a_planted_defect_is_seen():
    model, draw, marginals = peak((-180.0, 180.0))
    walk = transition(model, Clipped("a", bounds=(-180.0, 180.0)))
    assert_power(draw, walk, marginals, generator("planted"))


@pytest.mark.parametrize("period", [1e-6, 1.0, 360.0, 1e9])
def test_no_unit_matters(period):
    """The same chain in another unit, also while it learns."""

    def chain(unit, make):
        made = Chain("a", lambda a: (3 * math.cos(a / unit), 0.0), [make(unit)], bit_generator=3)
        made.start_position = {"a": unit}
        made.run(500)
        return made.positions["a"] / unit

    for make in (
        lambda unit: Angular("a", bounds=(0, tau * unit)),
        lambda unit: AdaptiveAngular("a", 300, bounds=(0, tau * unit)),
        lambda unit: SSAdaptiveAngular("a", bounds=(0, tau * unit)),
    ):
        np.testing.assert_allclose(chain(period / tau, make), chain(1.0, make), rtol=1e-6)


# ---- what is outside is refused

OUTSIDE = {
    "default": (lambda: Angular("a"), -1.0, "bounds"),
    "in degrees": (lambda: Angular("a"), 100.0, "bounds"),
    "the upper end": (lambda: Angular("a", bounds=(0, 1)), 1.0, "bounds"),
    "of a symmetric one": (lambda: Angular("a", bounds=(-pi, pi)), 4.0, "bounds"),
    "adaptive": (lambda: AdaptiveAngular("a", 100), -1e-300, "bounds"),
    "Sivia-Skilling": (lambda: SSAdaptiveAngular("a"), 7, "bounds"),
    "Andrieu-Thoms": (lambda: ATAdaptiveAngular("a", 100, bounds=(0, 24)), 24.5, "bounds"),
    "azimuth": (lambda: IsotropicSolidAngle("a", "p"), -0.5, "azimuth_bounds"),
    "azimuth in degrees": (
        lambda: AdaptiveIsotropicSolidAngle("a", "p", 100, degs=True),
        360.0,
        "azimuth_bounds",
    ),
    "azimuth in hours": (
        lambda: IsotropicSolidAngle("a", "p", degs=True, azimuth_bounds=(0, 24)),
        30.0,
        "azimuth_bounds",
    ),
}


def circular(a, p=0.0):
    return math.cos(a), 0.0


def mh(make, nchains=2):
    proposal = make()
    return MetropolisHastingsSampler(proposal.parameters, circular, nchains, [proposal], seed=1)


def pt(make):
    proposal = make()
    betas = [1.0, 0.5]
    return ParallelTemperedSampler(
        proposal.parameters, circular, 2, betas, proposals=[proposal], seed=1
    )


@pytest.mark.parametrize("case", OUTSIDE)
def test_starts_outside_are_refused(case):
    make, at, argument = OUTSIDE[case]
    low, high = make().bounds["a"] if argument == "bounds" else make().azimuth_bounds
    message = rf"a = {float(at)!r} not in \[{low!r}, {high!r}\).*{argument}=\(-pi, pi\)"
    for sampler, shape in ((mh(make), 2), (pt(make), (2, 2))):
        start = {name: np.full(shape, 0.5) for name in sampler.parameters}
        start["a"].flat[-1] = at
        with pytest.raises(ValueError, match=message):
            sampler.start_position = start


def test_draws_from_another_prior_are_refused():
    """To draw again would leave out the lower half."""
    for prior in ({"a": stats.uniform(-pi, tau)}, lambda rng: {"a": rng.uniform(-pi, pi)}):
        for sampler in (mh(lambda: Angular("a"), 20), pt(lambda: ATAdaptiveAngular("a", 20))):
            with pytest.raises(ValueError, match=r"the prior gave.*not in \[0.0, 6.28.*bounds="):
                sampler.draw_start(prior)
    sampler = mh(lambda: Angular("a", bounds=(-pi, pi)), 20)
    sampler.draw_start({"a": stats.uniform(-pi, tau)})
    assert np.ptp(np.sign(sampler.current_positions["a"])) == 2


@pytest.mark.parametrize("make_sampler", [mh, pt])
def test_states_outside_are_refused(make_sampler, tmp_path):
    """Also of one whose proposal was of another domain, and that made no jump yet."""

    def wide():
        return Angular("a", bounds=(-pi, pi))

    def narrow():
        return Angular("a")

    saved = make_sampler(wide)
    shape = (2,) if make_sampler is mh else (2, 2)
    saved.start_position = {"a": np.full(shape, -1.0)}
    state = saved.state
    other = make_sampler(narrow)
    with pytest.raises(ValueError, match=r"a = -1.0 not in \[0.0, 6.28.*bounds="):
        other.set_state(state)
    with h5py.File(tmp_path / "state.h5", "w") as fp:
        saved.checkpoint(fp)
        with pytest.raises(CheckpointError, match=r"a = -1.0 not in"):
            other.set_state_from_checkpoint(fp)
    made = make_sampler(wide)
    made.set_state(state)
    made.run(20)
    assert made.positions["a"].min() < 0


def test_states_outside_of_bounds_are_refused():
    def make(lower):
        return lambda: BoundedNormal("a", {"a": (lower, 2)})

    saved = mh(make(-2))
    saved.start_position = {"a": [-1.0, 1.0]}
    with pytest.raises(ValueError, match=r"a = -1.0 not in \[0.0, 2.0\]"):
        mh(make(0)).set_state(saved.state)


def nested(birth, model, **settings):
    proposal = NestedTransdimensional(
        ["k", "a"],
        BoundedDiscrete("k", {"k": (0, 1)}, successive={"k": True}),
        [Angular("a", **settings)],
        [UniformBirth("a", {"a": birth})],
    )
    return MetropolisHastingsSampler(["k", "a"], model, 4, [proposal], seed=5)


def around(k, a):
    if k and not -pi <= a < pi:
        return None, -math.inf
    return 0.0, -math.log(2) - k * math.log(tau)


def test_births_outside_are_refused():
    sampler = nested((-pi, pi), around)
    sampler.start_position = {"k": [0] * 4, "a": [np.nan] * 4}
    with pytest.raises(ProposalError, match=r"born.*a = -.* not in \[0.0, 6.28.*bounds="):
        sampler.run(200)
    assert sampler.niterations == 0
    # What the model refuses is rejected, and no error.
    sampler = nested((-pi, pi), lambda k, a: around(k, a) if not a < 0 else (None, -math.inf))
    sampler.start_position = {"k": [0] * 4, "a": [np.nan] * 4}
    sampler.run(200)
    sampler = nested((-pi, pi), around, bounds=(-pi, pi))
    sampler.start_position = {"k": [0] * 4, "a": [np.nan] * 4}
    sampler.run(4000)
    a, k = sampler.positions["a"], sampler.positions["k"]
    # Births and deaths are all accepted: half of the time it is there, evenly around.
    assert abs(k.mean() - 0.5) < 0.05
    assert abs((a[k == 1] < 0).mean() - 0.5) < 0.05


# ---- how a domain is given


def test_ways_to_give_a_domain():
    one, other = (-pi, pi), (0, 360)
    for given in (
        {"a": one, "b": other},
        {"b": Boundaries(other), "a": np.array(one)},
        {"b": list(other), "a": iter(one)},
    ):
        made = Angular(["a", "b"], bounds=given)
        assert made.bounds == {"a": one, "b": (0.0, 360.0)}
        assert made.periods() == {"a": tau, "b": 360.0}
    assert Angular(["a", "b"], bounds=(x for x in (0, 1))).bounds == {"a": (0, 1), "b": (0, 1)}
    assert Angular("a").bounds == {"a": (0.0, tau)}
    made = Angular("a", 0.04)
    made.bounds = (-90, 90)
    assert made.bounds == {"a": (-90, 90)} and made.periods() == {"a": 180.0}
    assert made.std.tolist() == [0.2]
    assert Angular("a", bounds=(0, 360)).std == pytest.approx(180 / pi)
    sky = IsotropicSolidAngle("a", "p", degs=True)
    assert sky.azimuth_bounds == (0.0, 360.0)
    sky.isdegs = False
    assert sky.azimuth_bounds == (0.0, tau)
    hours = AdaptiveIsotropicSolidAngle("a", "p", 10, azimuth_bounds=(0, 24))
    hours.isdegs = True
    assert hours.azimuth_bounds == (0.0, 24.0) and hours.periods() == {"a": 24.0}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (360, "two numbers.*360"),
        ((1, 1), "must differ"),
        ((pi, -pi), "must not be above"),
        ((0, math.inf), "must be finite"),
        ((0, math.nan), "NaN"),
        ((-1.7e308, 1.7e308), "width of bounds of 'a' must be finite"),
        ("ab", "two numbers"),
        ([(0, 1), (0, 2)], "two numbers"),
        ({"a": (0, 1)}, "missing are b"),
        ({"a": (0, 1), "b": (0, 1), "c": (0, 1)}, "unknown are c"),
    ],
)
def test_what_is_no_domain_is_refused(given, message):
    for make in (
        lambda: Angular(["a", "b"], bounds=given),
        lambda: ATAdaptiveAngular(["a", "b"], 10, bounds=given),
    ):
        with pytest.raises(ValueError, match=message):
            make()


def test_what_is_no_domain_of_an_azimuth_is_refused():
    for given in (360, (1, 1), (0, math.inf), {"p": (0, 1)}):
        with pytest.raises(ValueError, match="azimuth_bounds, the domain of an angle"):
            IsotropicSolidAngle("a", "p", azimuth_bounds=given)


# ---- directions

AZIMUTHS = {
    "radians": ({"azimuth_bounds": (-pi, pi)}, 1.0),
    "degrees": ({"azimuth_bounds": (-180, 180), "degs": True}, 180 / pi),
    "hours": ({"azimuth_bounds": (0, 24), "degs": True, "radec": True}, 12 / pi),
    "period 1": ({"azimuth_bounds": (-0.5, 0.5)}, 0.5 / pi),
}


@pytest.mark.parametrize("case", AZIMUTHS)
def test_azimuth_has_a_domain(case):
    """A peak at zero on the equator, and a prior of the domain."""
    settings, unit = AZIMUTHS[case]
    lower, upper = settings["azimuth_bounds"]

    def height(p):
        p = math.radians(p) if settings.get("degs") else p
        return math.sin(p) if settings.get("radec") else math.cos(p)

    def model(a, p):
        if not lower <= a < upper:
            return None, -math.inf
        out = math.sqrt(max(1 - height(p) ** 2, 1e-300))
        return 3.0 * out * math.cos(a / unit), math.log(out)

    def draw(rng, size):
        x, y, z = stats.vonmises_fisher([1, 0, 0], 3.0).rvs(size, random_state=rng).T
        polar = np.arcsin(z) if settings.get("radec") else np.arccos(z)
        azimuth = [wrapped(a, lower, upper) for a in (unit * np.arctan2(y, x)).tolist()]
        return {
            "a": np.array(azimuth),
            "p": np.degrees(polar) if settings.get("degs") else polar,
        }

    def versine(samples):
        h = np.array([height(p) for p in samples["p"].tolist()])
        return 1 - np.sqrt(1 - h**2) * np.cos(samples["a"] / unit)

    def side(samples):
        return np.sin(samples["a"] / unit) > 0

    marginals = {
        "versine": Continuous(versine, lambda v: np.expm1(-3 * v) / math.expm1(-6)),
        "side": Discrete(side, {True: 0.5, False: 0.5}),
    }
    proposal = IsotropicSolidAngle("a", "p", 4.0, **settings)
    chain = Chain(["a", "p"], model, [proposal], bit_generator=generator(case).bit_generator)

    move = stepping(chain, 5)
    check_invariance(draw, move, marginals, generator(f"start {case}"))


# ---- saved, resumed, looked at

RUNS = {
    "angular": lambda: Angular("a", bounds=(-180, 180)),
    "dict": lambda: ATAdaptiveAngular("a", 60, True, bounds={"a": Boundaries((-180.0, 180.0))}),
    "veitch": lambda: AdaptiveAngular("a", 60, bounds=np.array([-180.0, 180.0])),
    "once": lambda: SSAdaptiveAngular("a", bounds=iter((-180, 180))),
    "sky": lambda: IsotropicSolidAngle("a", "p", azimuth_bounds=(-180, 180), radec=True),
}


@pytest.mark.parametrize("case", RUNS)
@pytest.mark.parametrize("make_sampler", [mh, pt])
def test_a_domain_is_saved_and_resumed(case, make_sampler, tmp_path):
    make = RUNS[case]
    shape = (2,) if make_sampler is mh else (2, 2)
    start = {name: np.full(shape, -0.7) for name in make().parameters}
    whole, part = make_sampler(make), make_sampler(make)
    whole.start_position = part.start_position = start
    whole.run(100)
    part.run(40, directory=tmp_path / "run")
    resumed = type(whole).resume(tmp_path / "run", circular)
    (proposal,) = resumed.proposals
    domain = "azimuth_bounds" if case == "sky" else "bounds"
    assert repr(getattr(proposal, domain)) == repr(getattr(make(), domain))
    assert proposal.config.keys() == make().config.keys() >= {domain}
    resumed.run(60)
    run = open_run(tmp_path / "run")
    assert run.positions["a"].tobytes() == whole.positions["a"].tobytes()
    assert run.positions["a"].min() < 0
    other = make_sampler(lambda: type(proposal)(**{**proposal.config, domain: (-180, 180.5)}))
    other.start_position = start
    with pytest.raises(RuntimeError, match="bounds.*the run has"):
        other.run(10, directory=tmp_path / "run")


def test_means_are_in_the_domain():
    model, _, _ = peak((-180, 180), 0.49)
    proposal = Angular("a", bounds=(-180, 180))
    sampler = MetropolisHastingsSampler("a", model, 4, [proposal], seed=2)
    sampler.start_position = {"a": [-90, 0, 0, 90]}
    sampler.run(3000)
    summary = sampler.summary()
    assert -10 < summary.mean["a"] < 3
    assert summary.quantiles["a"][0.05] < summary.mean["a"] < summary.quantiles["a"][0.95]
    assert sampler.rhat()["a"] < 1.05


@pytest.mark.parametrize("domain", [(-180.0, 180.0), (0.0, 1.0)])
def test_the_domain_of_a_prior_is_that_of_its_proposals(domain):
    unit = (domain[1] - domain[0]) / tau
    prior = epsie.Prior(a=epsie.Angle(*domain))
    posterior = epsie.Posterior(lambda a: 2.0 * math.cos((a - domain[0]) / unit), prior)
    sampler = MetropolisHastingsSampler(posterior, nchains=4, seed=6)
    (proposal,) = sampler.proposals
    assert proposal.config["boundaries"] == {"a": domain}
    sampler.run(6000)
    assert sampler.rhat()["a"] < 1.02
    share = (sampler.positions["a"] < sum(domain) / 2).mean()
    # At least 400 effective draws, so five standard errors.
    assert abs(share - 0.5) < 0.125


def test_every_angle_has_a_domain():
    """A class that is added cannot escape it."""
    for name, cls in proposals.proposals.items():
        if "angular" in name or "solid_angle" in name:
            assert {"bounds", "azimuth_bounds"} & set(dir(cls))
