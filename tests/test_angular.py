"""Jumps of angles: exact around the circle, and learning where it closes."""

import math
from math import pi, tau

import numpy as np
import pytest
from scipy import integrate, stats

from epsie.chain import Chain
from epsie.proposals.angular import (
    AdaptiveAngular,
    Angular,
    ATAdaptiveAngular,
    SSAdaptiveAngular,
)
from tests.statistical import (
    Continuous,
    Discrete,
    Plan,
    assert_power,
    check_draws,
    check_invariance,
    generator,
    stepping,
)

WIDTHS = [1e-8, 1e-3, 0.3, 1.0, 2.5, 2.51, 10.0, 1e6, 1e200]
PLACES = [0.0, 1e-12, 1.0, pi, 6.0, math.nextafter(tau, 0)]


def angular(width, label="angular", cls=Angular, names="a"):
    proposal = cls(names)
    proposal.std = width
    proposal.bit_generator = generator(label).bit_generator
    return proposal


def step_law(width):
    if width > 1e6:
        return stats.uniform(-pi, tau)
    return stats.truncnorm(-pi / width, pi / width, scale=width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("x", PLACES)
def test_density_is_normalised(x, width):
    proposal = angular(width)
    reach = min(pi, 12 * width)
    ends = [x - reach, x, x + reach]
    mass = sum(
        integrate.quad(
            lambda y: proposal.pdf({"a": y}, {"a": x}), *ends[i : i + 2], epsabs=0, epsrel=1e-9
        )[0]
        for i in range(2)
    )
    # Where the width is 1e-8 the rounding of y itself is seen.
    assert mass == pytest.approx(1, rel=1e-6)


def test_density_of_many_angles():
    proposal = Angular(list("abc"), [1.0, 4.0, 0.1])
    x, y = {"a": 0.1, "b": 6.2, "c": 3.0}, {"a": 6.0, "b": 0.3, "c": 2.9}
    expected = [
        step_law(width).logpdf(step)
        for width, step in ((1, 5.9 - tau), (2, 0.3 - 6.2 + tau), (math.sqrt(0.1), -0.1))
    ]
    assert proposal.logpdf(y, x) == pytest.approx(sum(expected), rel=1e-12)
    grid = (np.arange(60) + 0.5) * tau / 60
    two = Angular(["a", "b"], [0.5, 5.0])
    total = sum(two.pdf({"a": a, "b": b}, {"a": 0.1, "b": 6.1}) for a in grid for b in grid)
    assert total * (tau / 60) ** 2 == pytest.approx(1, rel=1e-3)


@pytest.mark.parametrize("width", WIDTHS)
def test_density_is_symmetric_to_the_last_bit(width):
    proposal = angular(width)
    assert proposal.symmetric
    rng = generator("symmetric")
    for x, y in [*rng.uniform(0, tau, (300, 2)).tolist(), (0.0, pi), (0.0, PLACES[-1])]:
        assert proposal.log_density((y,), (x,)) == proposal.log_density((x,), (y,))


@pytest.mark.parametrize("width", WIDTHS[1:])
@pytest.mark.parametrize("x", [0.0, 3.0, 6.2, -1.0, 20.0])
def test_draws_follow_the_density(x, width):
    """False alarms: 1e-5 for each case. Starts in other turns are taken."""
    proposal = angular(width)

    def draw(size):
        y = np.array([proposal.draw((x,))[0] for _ in range(size)])
        assert ((y >= 0) & (y < tau)).all()
        return {"step": (y - x + pi) % tau - pi}

    law = step_law(width)
    check_draws(draw, {"step": Continuous("step", law.cdf)}, Plan(size=2000))


@pytest.mark.parametrize("x", [0.0, 5e-324, -5e-324, tau, math.nextafter(tau, 0)])
@pytest.mark.parametrize("width", [1e-300, 1e-17, 1e-16, 1e-15])
def test_jumps_never_land_on_two_pi(x, width):
    proposal = angular(width)
    assert all(0 <= proposal.draw((x,))[0] < tau for _ in range(500))


def test_setters_take_effect():
    proposal = angular(0.1)
    before = proposal.logpdf({"a": 1.0}, {"a": 0.9})
    proposal.cov = 1e8
    assert proposal.logpdf({"a": 1.0}, {"a": 0.9}) == pytest.approx(-math.log(tau)) != before
    assert np.std([proposal.draw((3.0,))[0] for _ in range(1000)]) > 1.5
    proposal.std = 1e-3
    assert np.std([proposal.draw((3.0,))[0] for _ in range(1000)]) < 2e-3


# ---- in a chain

MISES = {"a": stats.vonmises(4.0), "b": stats.vonmises(0.8)}
CENTRES = {"a": 0.1, "b": 4.0}


def model(a, b):
    assert 0 <= a < tau
    assert 0 <= b < tau
    return 4.0 * math.cos(a - 0.1), 0.8 * math.cos(b - 4.0)


def start(rng, size):
    return {
        name: (law.rvs(size, random_state=rng) + CENTRES[name]) % tau for name, law in MISES.items()
    }


def away(name):
    return lambda samples: (samples[name] - CENTRES[name] + pi) % tau - pi


MARGINALS = {
    **{name: Continuous(away(name), law.cdf) for name, law in MISES.items()},
    "side": Discrete(lambda s: away("a")(s) > 0, {True: 0.5, False: 0.5}),
}


def transition(proposal, steps=8):
    bits = generator(f"chain {proposal!r}").bit_generator
    chain = Chain(["a", "b"], model, [proposal], bit_generator=bits)

    return stepping(chain, steps)


@pytest.mark.parametrize("cov", [[0.5, 2.0], [1.0, 50.0], 1e10])
def test_target_is_invariant(cov):
    proposal = Angular(["b", "a"], cov)
    check_invariance(start, transition(proposal), MARGINALS, generator(f"start {cov}"))


class WrongWrap(Angular):
    """The defect: wrapped at 6 instead of 2 pi."""

    def draw(self, x):
        return tuple(y % 6.0 for y in super().draw(x))


class Clipped(Angular):
    """The defect: jumps across 0 end there."""

    def draw(self, x):
        steps = zip(x, self.widths, self.stream.normals(len(x)), strict=True)
        return tuple(min(max(a + w * z, 0.0), 6.283) for a, w, z in steps)


class Uneven(Angular):
    """The defect: the width depends on the angle."""

    def draw(self, x):
        self.std = 0.5 + x[0] / 3
        return super().draw(x)


@pytest.mark.parametrize("cls", [WrongWrap, Clipped, Uneven])
def test_planted_defect_is_seen(cls):
    proposal = cls(["a", "b"], 1.0)
    assert_power(start, transition(proposal), MARGINALS, generator("start planted"))


# ---- learning

ADAPTIVE = {
    "Veitch": lambda: AdaptiveAngular(["a", "b"], 500),
    "Sivia-Skilling": lambda: SSAdaptiveAngular(["a", "b"]),
    "Andrieu-Thoms": lambda: ATAdaptiveAngular(["a", "b"], 500),
    "Andrieu-Thoms, componentwise": lambda: ATAdaptiveAngular(["a", "b"], 500, True),
}


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("case", ADAPTIVE)
def test_target_is_invariant_after_adaptation(case):
    proposal = ADAPTIVE[case]()
    before = proposal.std
    chain = Chain(["a", "b"], model, [proposal], bit_generator=generator("adapt").bit_generator)
    chain.start_position = {"a": 3.0, "b": 0.0}
    chain.run(600)
    assert not np.array_equal(before, proposal.std)
    if case == "Sivia-Skilling":
        assert (proposal.std <= tau).all()
        proposal.adaptation = None
    check_invariance(start, transition(proposal), MARGINALS, generator("start adaptive"))


def learned(make, centre, std=0.05, steps=3000):
    """Return the widths learned from a peak at `centre`, in units of it."""

    def peak(a):
        return -0.5 * (math.remainder(a - centre, tau) / std) ** 2, 0.0

    proposal = make()
    chain = Chain("a", peak, [proposal], bit_generator=generator(f"{centre}").bit_generator)
    chain.start_position = {"a": 2.0}
    chain.run(steps)
    chain.clear()
    chain.run(1000)
    return proposal, proposal.std[0] / std, chain.acceptance["accepted"].mean()


@pytest.mark.parametrize("componentwise", [False, True])
@pytest.mark.parametrize("centre", [0.0, 0.02, pi, tau - 0.02])
def test_covariance_is_learned_across_the_wrap(centre, componentwise):
    proposal, width, rate = learned(
        lambda: ATAdaptiveAngular("a", 3000, componentwise=componentwise), centre
    )
    assert math.sqrt(proposal.unit_cov[0]) == pytest.approx(0.05, rel=0.25)
    assert 1 < width < 15
    assert 0.1 < rate < 0.7


@pytest.mark.parametrize(
    "make", [lambda: AdaptiveAngular("a", 3000), lambda: SSAdaptiveAngular("a")]
)
@pytest.mark.parametrize("centre", [0.0, pi])
def test_widths_are_learned_across_the_wrap(make, centre):
    _, width, rate = learned(make, centre)
    assert 1 < width < 15
    assert 0.1 < rate < 0.5


def test_nearest():
    proposal = Angular(["a", "b"])
    assert proposal._nearest(1, [0.1, 6.2, 3.0], 0.0) == pytest.approx([0.1, 6.2 - tau, 3.0])
    assert proposal._nearest(1, [0.1, 6.2, 3.0], 6.0) == pytest.approx([0.1 + tau, 6.2, 3.0])
    for far in (100.0, -50.0, 1e9):
        for value in (0.0, 0.1, pi, 6.2):
            (turned,) = proposal._nearest(0, [value], far)
            assert abs(turned - far) <= pi * (1 + 1e-12)
            assert math.remainder(turned - value, tau) == pytest.approx(0, abs=1e-12 * abs(far))


@pytest.mark.parametrize("by", [0.3, 1.0, 1.7])
@pytest.mark.parametrize("width", [0.05, 1.5, 1e3, 1e12])
def test_parts_of_a_jump_follow_their_width(width, by):
    proposal = angular(width)

    def draw(size):
        ys = (proposal.draw((0.1,)) for _ in range(size))
        z = np.array([proposal._parts_of_jump((0.1,), y, by)[0][0] for y in ys])
        assert ((z >= 0) & (z < tau)).all()
        return {"step": (z - 0.1 + pi) % tau - pi}

    law = step_law(by * width)
    check_draws(draw, {"step": Continuous("step", law.cdf)}, Plan(size=1500))


def test_adaptive_settings():
    veitch = AdaptiveAngular(["a", "b"], 100, 2, 5)
    assert (veitch.jump_interval, veitch.start_step) == (2, 5)
    assert veitch.deltas.tolist() == [tau, tau]
    assert SSAdaptiveAngular(["a", "b"]).max_std.tolist() == pytest.approx([tau, tau])
    assert SSAdaptiveAngular("a", max_cov=4).max_std.tolist() == [2]
    at = ATAdaptiveAngular("a", None, start_iteration=7)
    assert (at.adaptation_duration, at.start_step, at.isdiagonal) == (None, 7, True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Angular(["a", "b"], [[1, 0.5], [0.5, 1]]), "diagonal"),
        (lambda: Angular("a", -1.0), "negative"),
        (lambda: AdaptiveAngular("a", 0), "adaptation_duration"),
        (lambda: AdaptiveAngular("a", 100, start_step=0), "start_step"),
        (lambda: SSAdaptiveAngular("a", target_rate=1.0), "target_rate"),
        (lambda: ATAdaptiveAngular("a", 100, target_rate=0.0), "target_rate"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        *ADAPTIVE.values(),
        lambda: AdaptiveAngular(["a", "b"], 200, 3),
        lambda: SSAdaptiveAngular(["b", "a"], 0.3, 2, 150),
    ],
)
def test_resume_amid_adaptation_is_exact(make):
    def chain():
        made = Chain(["a", "b"], model, [make()], bit_generator=3)
        made.start_position = {"a": 0.5, "b": 1.0}
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
