"""A model's logp is a density in its parameters, whatever proposal moves them."""

import math
from math import cos, log, pi, tau

import numpy as np
import pytest
from scipy import stats

from epsie import RunDirectoryError, open_run
from epsie.chain import Chain
from epsie.proposals import (
    AdaptiveIsotropicSolidAngle,
    Angular,
    ATAdaptiveNormal,
    BoundedDiscrete,
    BoundedNormal,
    IsotropicSolidAngle,
    JointProposal,
    NestedTransdimensional,
    Normal,
    UniformBirth,
)
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.storage.rundir import manifest
from tests.references import deviations
from tests.statistical import (
    Continuous,
    Discrete,
    assert_power,
    check_invariance,
    generator,
    stepping,
)

UNITS = [(radec, degs) for radec in (False, True) for degs in (False, True)]


class Sky:
    """Equally likely directions, as a density in the two angles; a likelihood about the x axis."""

    def __init__(self, radec=False, degs=False, concentration=0.0):
        self.radec, self.degs, self.concentration = radec, degs, concentration
        self.unit = 180 / pi if degs else 1.0

    def height(self, p):
        return np.sin(p / self.unit) if self.radec else np.cos(p / self.unit)

    def __call__(self, a, p):
        low, high = (-pi / 2, pi / 2) if self.radec else (0, pi)
        if not (0 <= a < tau * self.unit and low * self.unit <= p <= high * self.unit):
            return None, -math.inf
        out = math.sqrt(max(1 - self.height(p) ** 2, 1e-300))
        return self.concentration * out * cos(a / self.unit), log(out / (4 * pi * self.unit**2))

    def draw(self, rng, size):
        if self.concentration:
            fisher = stats.vonmises_fisher([1, 0, 0], self.concentration)
            x, y, z = fisher.rvs(size, random_state=rng).T
            azimuth, height = np.arctan2(y, x) % tau, z
        else:
            azimuth, height = tau * rng.random(size), rng.uniform(-1, 1, size)
        polar = np.arcsin(height) if self.radec else np.arccos(height)
        return {"a": self.unit * azimuth, "p": self.unit * polar}

    @property
    def marginals(self):
        azimuth = Discrete(lambda s: s["a"] < pi * self.unit, {True: 0.5, False: 0.5})
        if not self.concentration:
            height = Continuous(lambda s: self.height(s["p"]), stats.uniform(-1, 2).cdf)
            return {"height": height, "azimuth": azimuth}
        k = self.concentration

        def versine(s):
            return 1 - np.sqrt(1 - self.height(s["p"]) ** 2) * np.cos(s["a"] / self.unit)

        law = lambda v: np.expm1(-k * v) / math.expm1(-2 * k)  # noqa: E731
        return {"versine": Continuous(versine, law), "azimuth": azimuth}


class WithDensity(IsotropicSolidAngle):
    """With a density of a user's own, which is per steradian as that of its base."""

    def _logpdf(self, xi, givenx):
        return super()._logpdf(xi, givenx)


class Unlike(WithDensity):
    """The same jump, said not to be symmetric: its Hastings term is made of both densities."""

    symmetric = False


def proposals_of(kind, sky):
    """Proposals that must all leave the same target alone."""
    low, high = ((-90, 90) if sky.radec else (0, 180)) if sky.degs else (-pi / 2, pi / 2)
    if not (sky.degs or sky.radec):
        low, high = 0.0, pi
    u = sky.unit
    settings = {"radec": sky.radec, "degs": sky.degs}
    made = {
        "normal": lambda: [Normal(["a", "p"], [u**2, u**2 / 4])],
        "circle and bounds": lambda: [
            Angular("a", u**2, bounds=(0, tau * u)),
            BoundedNormal("p", {"p": (low, high)}, u**2 / 4),
        ],
        "solid angle": lambda: [IsotropicSolidAngle("a", "p", 4.0, **settings)],
        "learned": lambda: [AdaptiveIsotropicSolidAngle("a", "p", 300, **settings)],
        "joint": lambda: [JointProposal(IsotropicSolidAngle("a", "p", 4.0, **settings))],
        "of a user": lambda: [WithDensity("a", "p", 4.0, **settings)],
        "of a user, not symmetric": lambda: [Unlike("a", "p", 4.0, **settings)],
        "per steradian": lambda: [
            IsotropicSolidAngle("a", "p", 4.0, density="steradian", **settings)
        ],
    }
    return made[kind]()


def transition(model, proposals, names=("a", "p"), steps=5, **settings):
    bits = generator(f"{proposals}").bit_generator
    chain = Chain(names, model, proposals, bit_generator=bits, **settings)
    if any(leaf.adaptation for leaf in chain.leaves()):
        chain.start_position = {"a": 1.0, "p": 0.5}
        chain.run(400)  # beyond the end of learning
        chain.clear()

    return stepping(chain, steps)


KINDS = [
    "normal",
    "circle and bounds",
    "solid angle",
    "learned",
    "joint",
    "of a user",
    "of a user, not symmetric",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("radec", "degs"), UNITS)
@pytest.mark.in_part(5)
def test_the_target_does_not_depend_on_the_proposal(kind, radec, degs):
    sky = Sky(radec, degs, 0.0 if degs else 3.0)
    walk = transition(sky, proposals_of(kind, sky))
    check_invariance(sky.draw, walk, sky.marginals, generator(f"{kind} {radec} {degs}"))


@pytest.mark.parametrize("concentration", [0.0, 3.0])
def test_the_prior_that_counts_twice_is_seen(concentration):
    sky = Sky(True, False, concentration)
    walk = transition(sky, proposals_of("per steradian", sky))
    assert_power(sky.draw, walk, sky.marginals, generator("planted"))


@pytest.mark.parametrize("kind", ["normal", "solid angle"])
def test_a_constant_density_is_one_in_the_angles(kind):
    """Even in the declination, not on the sphere."""

    def model(a, p):
        return (0.0, 0.0) if 0 <= a < tau and abs(p) <= pi / 2 else (None, -math.inf)

    def draw(rng, size):
        return {"a": tau * rng.random(size), "p": pi * (rng.random(size) - 0.5)}

    marginals = {"p": Continuous("p", stats.uniform(-pi / 2, pi).cdf)}
    walk = transition(model, proposals_of(kind, Sky(True)))
    check_invariance(draw, walk, marginals, generator(f"constant {kind}"))


def test_beside_another_proposal():
    """Of several that jump together the solid angle's term is the only one, or one of two."""
    sky = Sky(True, False, 3.0)

    def model(x, p, a):
        logl, logp = sky(a, p)
        return logl, logp + (-x if x >= 0 else -math.inf)

    def draw(rng, size):
        return {**sky.draw(rng, size), "x": rng.exponential(size=size)}

    marginals = {**sky.marginals, "x": Continuous("x", stats.expon.cdf)}
    for other in (Normal("x"), BoundedNormal("x", {"x": (0, 50)})):
        proposals = [other, *proposals_of("solid angle", sky)]
        walk = transition(model, proposals, ("x", "p", "a"))
        check_invariance(draw, walk, marginals, generator(f"beside {other}"))


# ---- tempered: the hottest is the prior, the coldest the posterior


def tempered(proposals, density_at=None):
    sky = Sky(True, False, 4.0)
    sampler = ParallelTemperedSampler(
        ["a", "p"], sky, 6, [1.0, 0.3, 0.0], 2, proposals=proposals, seed=11
    )
    sampler.start_position = {"a": np.full((3, 6), 1.0), "p": np.full((3, 6), 0.2)}
    sampler.run(4000)
    return [np.sin(sampler.positions["p"][t, :, 500:]) ** 2 for t in (0, 2)]


def test_tempered():
    """The mean square of the sine of the declination: 1/k (coth k - 1/k) of the posterior.

    For normal errors one of four beyond 6 has a probability of 1e-8.
    """
    k = 4.0
    posterior = (1 / math.tanh(k) - 1 / k) / k
    fourth = 3 * (1 - 3 * (1 / math.tanh(k) - 1 / k) / k) / k**2
    known = [(posterior, fourth), (1 / 3, 1 / 5)]
    for density, right in (("angles", True), ("steradian", False)):
        found = tempered([IsotropicSolidAngle("a", "p", 3.0, True, density=density)])
        off = max(
            abs(value)
            for squares, (mean, square) in zip(found, known, strict=True)
            for value in deviations(squares, mean, math.sqrt(square - mean**2))
        )
        assert (off < 6) is right


# ---- as a component


def components(**settings):
    return NestedTransdimensional(
        ["k", "a", "p", "b", "q"],
        BoundedDiscrete("k", {"k": (0, 2)}, successive={"k": True}),
        [
            IsotropicSolidAngle("a", "p", 3.0, radec=True, **settings),
            AdaptiveIsotropicSolidAngle("b", "q", 100, radec=True, **settings),
        ],
        [
            UniformBirth(names, {names[0]: (0, tau), names[1]: (-pi / 2, pi / 2)})
            for names in (["a", "p"], ["b", "q"])
        ],
    )


def two_skies(k, a, p, b, q):
    polars = [polar for polar in (p, q) if polar == polar]
    return 0.0, -log(3) + sum([log(max(cos(x), 1e-300) / (4 * pi)) for x in polars])


def draw_skies(rng, size):
    k = rng.integers(0, 3, size)
    first = (k == 2) | ((k == 1) & (rng.random(size) < 0.5))
    columns = {"k": k}
    for names, there in (("ap", first), ("bq", (k == 2) | ((k == 1) & ~first))):
        sky = Sky(True).draw(rng, size)
        for name, column in zip(names, sky.values(), strict=True):
            columns[name] = np.where(there, column, np.nan)
    return columns


def heights(samples):
    """Of the first direction; where there is none a uniform variate of its own."""
    p = samples["p"]
    return np.where(np.isnan(p), generator("absent").uniform(-1, 1, p.shape), np.sin(p))


def walk_of_skies(model):
    proposal = components()
    bits = generator("components").bit_generator
    chain = Chain(("k", "a", "p", "b", "q"), model, [proposal], bit_generator=bits)
    for part in proposal.proposals:
        part.adaptation = None

    return stepping(chain, 6)


def test_as_a_component():
    """Of two directions each may be there or not; births are a density in the angles, too."""
    marginals = {
        "k": Discrete("k", dict.fromkeys(range(3), 1 / 3)),
        "height": Continuous(heights, stats.uniform(-1, 2).cdf),
    }
    check_invariance(draw_skies, walk_of_skies(two_skies), marginals, generator("component"))

    def flat(**x):
        return 0.0, -log(3) - x["k"] * log(4 * pi)

    assert_power(draw_skies, walk_of_skies(flat), marginals, generator("component planted"))


def test_density_of_a_component_is_in_the_angles():
    """So that its differences are the ratio, and it is normalised."""
    proposal = components()
    proposal.bit_generator = 5
    x = {"k": 1, "a": 0.3, "p": 1.2, "b": math.nan, "q": math.nan}
    for _ in range(200):
        y = proposal.jump(x)
        here, there = proposal._position(x), proposal._position(y)
        ratio = proposal.logpdf(x, y) - proposal.logpdf(y, x)
        assert proposal.log_hastings(here, there) == pytest.approx(ratio, abs=1e-9)
        x = y


def test_a_component_cannot_count_per_steradian():
    with pytest.raises(ValueError, match="births have a density in its parameters.*'angles'"):
        components(density="steradian")


# ---- poles, settings, runs of former versions


@pytest.mark.parametrize("area", [True, False])
@pytest.mark.parametrize("kappa", [0.1, 100.0, 1e12])
@pytest.mark.parametrize(("radec", "degs"), UNITS)
def test_a_pole_is_left(radec, degs, kappa, area):
    """The azimuth has no extent there, so that nothing in the angles could be jumped from."""
    sky = Sky(radec, degs)
    proposal = IsotropicSolidAngle("a", "p", kappa, radec, degs)
    poles = (-pi / 2, pi / 2) if radec else (0.0, pi)
    for i, pole in enumerate(poles):
        pole *= sky.unit

        def model(a, p):
            return 0.0, sky(a, p)[1] if area else 0.0

        chain = Chain(["a", "p"], model, [proposal], bit_generator=i)
        chain.start_position = {"a": 1.0, "p": pole}
        chain.run(2)
        assert chain.acceptance["accepted"][0]
        assert chain.current_position["p"] != pole


def test_what_density_there_is():
    assert IsotropicSolidAngle("a", "p").density == "angles"
    assert AdaptiveIsotropicSolidAngle("a", "p", 9, density="steradian").density == "steradian"
    for wrong in ("sr", None, "Angles", True, ["angles"]):
        with pytest.raises(ValueError, match="density must be 'angles' or 'steradian'; got"):
            IsotropicSolidAngle("a", "p", density=wrong)
    proposal = AdaptiveIsotropicSolidAngle("a", "p", 9)
    assert proposal.config["density"] == "angles"
    assert "density" not in WithDensity("a", "p").config
    # The jump on the sphere is symmetric, and has its density there, as before.
    x, y = {"a": 0.1, "p": 0.2}, {"a": 0.3, "p": 0.4}
    assert proposal.symmetric and proposal.logpdf(x, y) == pytest.approx(proposal.logpdf(y, x))
    assert JointProposal(proposal, Normal("x")).symmetric


def start(sampler):
    sampler.start_position = {"a": [1.0, 2.0], "p": [1.0, 2.0]}
    return sampler


def mh(**settings):
    proposals = [AdaptiveIsotropicSolidAngle("a", "p", 50, **settings)]
    return MetropolisHastingsSampler(["a", "p"], Sky(), 2, proposals, seed=3)


@pytest.mark.parametrize("joint", [False, True])
def test_a_run_of_a_former_version_goes_on_per_steradian(tmp_path, monkeypatch, joint):
    """Its settings have no density: it was the only one."""

    def former(plain):
        if isinstance(plain, list | tuple):
            return type(plain)(map(former, plain))
        if not isinstance(plain, dict):
            return plain
        return {key: former(value) for key, value in plain.items() if key != "density"}

    def sampler(**settings):
        made = mh(**settings)
        if joint:
            part = JointProposal(*made.proposals)
            made = MetropolisHastingsSampler(["a", "p"], Sky(), 2, [part], seed=3)
        return start(made)

    whole = sampler(density="steradian")
    whole.run(60)
    made = manifest.with_history
    name = "epsie.running.writer.with_history"
    monkeypatch.setattr(name, lambda *args: former(made(*args)))
    sampler(density="steradian").run(20, directory=tmp_path / "run")
    monkeypatch.undo()
    with pytest.raises(RunDirectoryError, match="density: the run has 'steradian', this sampler"):
        sampler().run(10, directory=tmp_path / "run")
    resumed = MetropolisHastingsSampler.resume(tmp_path / "run", Sky())
    leaf = next(iter(resumed.proposals[0].leaves()))
    assert leaf.density == "steradian"
    resumed.run(40)
    positions = open_run(tmp_path / "run").positions
    assert positions.tobytes() == whole.positions.tobytes()


def test_a_density_is_saved_and_resumed(tmp_path):
    for density in ("angles", "steradian"):
        whole = start(mh(density=density))
        whole.run(60)
        where = tmp_path / density
        start(mh(density=density)).run(20, directory=where)
        resumed = MetropolisHastingsSampler.resume(where, Sky())
        resumed.run(40)
        assert open_run(where).positions.tobytes() == whole.positions.tobytes()


def test_a_density_of_a_user_s_own_is_obeyed():
    """On tuples, as on dicts: the shortcut of the base class is of its own density."""

    class Mine(BoundedNormal):
        def log_density(self, y, x):
            return 2 * x[0]

    assert Mine("x", {"x": (0, 9)}).log_hastings((1.0,), (3.0,)) == 4.0
    assert ATAdaptiveNormal("x", 9).log_hastings((1.0,), (3.0,)) == 0.0
