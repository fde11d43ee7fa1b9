"""Each move of a learned kernel, and all together, leave known targets invariant; defects do not.

What was learned is frozen, and far from the target, so that a ratio that is wrong shows. A case
fails by chance once in 100,000 times.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from epsie.chain import Chain
from epsie.errors import ProposalError
from epsie.model.evaluation import Point
from epsie.proposals.learned.coordinates import Coordinate, Standard
from epsie.proposals.learned.kernel import Kernel
from epsie.proposals.learned.knowledge import MOVES as NAMES
from epsie.proposals.learned.knowledge import Knowledge
from epsie.proposals.learned.learned import Learned
from epsie.proposals.learned.mixture import Mixture
from epsie.proposals.learned.moves import MOVES, CrankNicolson, Local
from epsie.proposals.learned.transform import Transform
from epsie.proposals.learned.tuning import Tuning
from epsie.rng.stream import Stream
from tests.statistical import Continuous, Plan, assert_power, check_invariance, generator, stepping
from tests.test_exactness import Target, bimodal, gaussian, skewed

ONLY = {name: np.eye(len(NAMES))[i] for i, name in enumerate(NAMES)}
WEIGHTS = {**ONLY, "all": np.array([0.2, 0.3, 0.2, 0.1, 0.1, 0.1])}


def circle():
    """An angle, most often near where its turn begins and ends."""
    law = stats.vonmises(2.0)

    def draw(rng, n):
        return {"a": law.rvs(n, random_state=rng) % (2 * math.pi)}

    def cdf(a):
        return law.cdf(np.where(a > math.pi, a - 2 * math.pi, a))

    def model(a):
        assert 0 <= a < 2 * math.pi
        return 2 * math.cos(a), 0.0

    return Target(("a",), model, draw, {"a": Continuous("a", cdf)})


def group():
    """A scale, and a member that is as spread: a funnel."""
    law, (nodes, weights) = stats.lognorm(0.7), np.polynomial.hermite_e.hermegauss(80)
    scales, weights = np.exp(0.7 * nodes), weights / weights.sum()

    def draw(rng, n):
        tau = law.rvs(n, random_state=rng)
        return {"tau": tau, "x": tau * rng.standard_normal(n)}

    def cdf(x):
        return stats.norm.cdf(np.asarray(x)[..., np.newaxis] / scales) @ weights

    def model(tau, x):
        log_tau = math.log(tau)
        return -0.5 * (x / tau) ** 2 - log_tau, -0.5 * (log_tau / 0.7) ** 2 - log_tau

    marginals = {"tau": Continuous("tau", law.cdf), "x": Continuous("x", cdf)}
    return Target(("tau", "x"), model, draw, marginals)


def peaks():
    """Two peaks, with a density everywhere."""
    target = bimodal()

    def model(x):
        return float(
            np.logaddexp(math.log(0.6) - 2 * (x + 2) ** 2, math.log(0.7) - (x - 2) ** 2 / 2)
        ), 0.0

    return replace(target, model=model)


UNBOUNDED = Coordinate()
TARGETS = {
    "two peaks": (peaks(), [UNBOUNDED]),
    "normal, 2-D": (gaussian(2), [UNBOUNDED] * 2),
    "normal, 5-D": (gaussian(5), [UNBOUNDED] * 5),
    "bounds": (skewed(), [Coordinate("identity", 0, 1), Coordinate("identity", 0, 2)]),
    "logit, log": (skewed(), [Coordinate("logit", 0, 1), Coordinate("log", 0, 2, 0)]),
    "softplus": (
        skewed(),
        [Coordinate("softplus", 0, 1, 1, 0.2), Coordinate("softplus", 0, 2, 0, 0.3)],
    ),
    "relative": (
        group(),
        [Coordinate("log", 0, math.inf, 0), Standard("standard", -1, 0, 0.0, 1.0)],
    ),
    "angle": (circle(), [Coordinate("angle", 0, 2 * math.pi, 0.5)]),
}


def knowledge_of(target, coordinates, weights):
    """What was learned badly: three components of other places, widths and weights."""
    rng = generator("knowledge")
    drawn = target.draw(rng, 60)
    rows = np.column_stack([drawn[name] for name in target.parameters])
    d = rows.shape[1]
    rough = Transform(coordinates, np.zeros(d), np.ones(d)).refined(rows)
    u = rough.forward_rows(rows)[0]
    covs = np.array([0.5 * np.eye(d), np.eye(d) + 0.4, 2.5 * np.eye(d)])
    means = np.array([u[:20].mean(axis=0) - 0.8, u[20:40].mean(axis=0) + 0.7, np.full(d, 0.3)])
    mixture = Mixture.of([0.3, 0.3, 0.4], means, covs, [3.0, 20.0, 5.0])
    return Knowledge(
        rough, mixture, 2, 1.2 * u + 0.3, weights, np.ones(d), np.ones(d), 0.8 * np.eye(d)
    )


def frozen(target, coordinates, weights, cls=Learned):
    """A proposal that learns nothing more."""
    bounded = {
        name: c[1:3]
        for name, c in zip(target.parameters, coordinates, strict=True)
        if isinstance(c, Coordinate) and c != UNBOUNDED
    }
    periods = {"a": 2 * math.pi} if coordinates[0].kind == "angle" else None
    made = cls(target.parameters, bounded, periods, adaptation_duration=1)
    knowledge = knowledge_of(target, coordinates, weights)
    made._kernel = made._kernel.changed(knowledge)
    made._end = 0
    made._kernel.tuning.sizes["crank_nicolson"] = 0.5
    made._kernel.tuning.factor = 0.8 * np.eye(made.ndim)
    return made


def chain_of(case, move, label="", cls=Learned):
    target, coordinates = TARGETS[case]
    made = frozen(target, coordinates, WEIGHTS[move], cls)
    bits = generator(f"move {case} {move} {label}").bit_generator
    return target, Chain(target.parameters, target.model, [made], bits)


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize(
    "move", [pytest.param(move, marks=[pytest.mark.slow] * (move != "all")) for move in WEIGHTS]
)
@pytest.mark.parametrize("case", TARGETS)
def test_a_move_leaves_the_target_invariant(case, move):
    target, chain = chain_of(case, move)
    rng = generator(f"start {case} {move}")
    least = 0.1 if move == "snooker" else 0.2
    steps = 6 if move in ("snooker", "all") else 3
    check_invariance(
        target.draw, stepping(chain, steps), target.marginals, rng, Plan(size=2500), least
    )


class Careless(Learned):
    """The defect: the Hastings term is that of the coordinates, without their Jacobian."""

    def log_hastings(self, x, y):
        kernel = self._kernel
        here, there = kernel._spot(x), kernel._spot(y)
        return kernel._move.log_hastings(kernel, here, there)


class Unweighed(CrankNicolson):
    """The defect: components are drawn by their weights, whatever the point."""

    def draw(self, kernel, here, stream):
        log_q, _, distances = kernel.weighed(here)
        log_parts = log_q + np.log(kernel.mixture.weights)
        here.weighed = log_q, log_parts.tolist(), distances
        return super().draw(kernel, here, stream)


class Symmetric(Local):
    """The defect: as if the component that is drawn were the same at both ends."""

    def log_hastings(self, kernel, here, there):
        return 0.0


class Moving(type(MOVES[2])):
    """The defect: the archive has the present position."""

    def draw(self, kernel, here, stream):
        now = (np.array(here.u) - kernel.shift) / kernel.scale
        kernel.archive = np.vstack([kernel.archive[:2], now])
        return super().draw(kernel, here, stream)


DEFECTS = {
    "a missing responsibility": ("normal, 2-D", "crank_nicolson", Unweighed()),
    "a missing Hastings term": ("normal, 2-D", "local", Symmetric()),
    "an archive that moves": ("normal, 2-D", "difference", Moving()),
}


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_of_a_move_is_seen(defect, monkeypatch):
    case, move, wrong = DEFECTS[defect]
    moves = [wrong if m.name == wrong.name else m for m in MOVES]
    monkeypatch.setattr("epsie.proposals.learned.kernel.MOVES", tuple(moves))
    target, chain = chain_of(case, move, defect)
    made = chain.proposal_dist.proposals[0]
    covs = [0.05 * np.eye(2), 4 * np.eye(2)]
    nested = Mixture.of([0.5, 0.5], np.zeros((2, 2)), covs, [20.0, 20.0])
    made._kernel.take(made.learned._replace(mixture=nested))
    assert_power(target.draw, stepping(chain, 6), target.marginals, generator(defect))


@pytest.mark.in_part(3, "slow")
@pytest.mark.parametrize("case", ["logit, log", "softplus", "relative"])
@pytest.mark.parametrize("move", ["independence", "difference", "random_walk"])
def test_a_missing_jacobian_is_seen(case, move):
    target, chain = chain_of(case, move, "careless", Careless)
    assert_power(target.draw, stepping(chain, 6), target.marginals, generator("careless"))


def test_an_envelope_that_is_not_normalised_is_seen():
    """Draws never come from the last component, which the density has."""
    target, chain = chain_of("normal, 2-D", "independence", "envelope")
    chain.proposal_dist.proposals[0]._kernel.mixture._below[-1] = 1.0
    assert_power(target.draw, stepping(chain, 6), target.marginals, generator("envelope"))


def even():
    """A normal distribution, of which -x is as likely as x."""
    law = stats.norm(0, 2)
    return Target(
        ("x",),
        lambda x: (-x * x / 8, 0.0),
        lambda rng, n: {"x": law.rvs(n, random_state=rng)},
        {"x": Continuous("x", law.cdf)},
    )


def flipping(chain):
    """Steps between which the chain is put elsewhere, as by a swap of temperatures."""

    def transition(x):
        chain.start_position = x
        for _ in range(3):
            chain.step()
            point = chain.point
            chain.take(Point((-point.x[0],), point.logl, point.logp, None))
        end = chain.current_position
        chain.clear()
        return end

    return transition


class Stale(Kernel):
    """The defect: what is known of the last position is used for the present one."""

    def _spot(self, x):
        known = self._here
        return known if known is not None and x == self.asked else super()._spot(x)

    def draw(self, x, stream):
        known = self._there if self._there is not None else self._here
        self.asked = x
        drawn = super().draw(x, stream)
        if known is not None:
            self._here = known
        return drawn


@pytest.mark.parametrize("move", ["independence", "crank_nicolson", "local", "all"])
def test_a_swap_makes_nothing_stale(move):
    target = even()
    made = frozen(target, [UNBOUNDED], WEIGHTS[move])
    chain = Chain("x", target.model, [made], generator(f"swap {move}").bit_generator)
    check_invariance(target.draw, flipping(chain), target.marginals, generator(f"flip {move}"))


def test_q_of_the_wrong_point_after_a_swap_is_seen():
    target = even()
    made = frozen(target, [UNBOUNDED], WEIGHTS["independence"])
    made._kernel.__class__ = Stale
    chain = Chain("x", target.model, [made], generator("stale").bit_generator)
    assert_power(target.draw, flipping(chain), target.marginals, generator("stale"))


def kernel_of(case, move):
    target, coordinates = TARGETS[case]
    made = Kernel(
        Transform(coordinates, np.zeros(len(coordinates)), np.ones(len(coordinates))),
        Tuning(np.eye(len(coordinates))),
    )
    made.take(knowledge_of(target, coordinates, WEIGHTS[move]))
    return target, made


@pytest.mark.parametrize("move", ["independence", "crank_nicolson", "local", "random_walk"])
@pytest.mark.parametrize("case", ["normal, 2-D", "normal, 5-D", "logit, log", "two peaks"])
def test_log_hastings_is_the_difference_of_the_densities(case, move):
    """Two formulas, of which one has closed forms of the densities."""
    target, kernel = kernel_of(case, move)
    stream = Stream(generator(f"densities {case} {move}").bit_generator)
    x = tuple(float(v[0]) for v in target.draw(generator("one"), 1).values())
    compared = 0
    for _ in range(200):
        y = kernel.draw(x, stream)
        if y is None:
            continue
        compared += 1
        expected = kernel.log_density(x, y) - kernel.log_density(y, x)
        assert kernel.log_hastings(x, y) == pytest.approx(expected, rel=1e-7, abs=1e-7)
        x = y
    assert compared > 50


@pytest.mark.parametrize("move", ["independence", "crank_nicolson", "local", "random_walk"])
@pytest.mark.parametrize("case", ["two peaks", "angle"])
def test_densities_are_normalised_or_lack_what_is_rejected(case, move):
    target, kernel = kernel_of(case, move)
    stream = Stream(generator(f"normalised {case} {move}").bit_generator)
    x = tuple(float(v[0]) for v in target.draw(generator("one"), 1).values())
    lower, upper = (-60.0, 60.0) if case == "two peaks" else (0.0, 2 * math.pi)
    kernel.draw(x, stream)
    grid = np.linspace(lower, upper, 4001)[:-1]
    mass = sum(math.exp(kernel.log_density((v,), x)) for v in grid.tolist())
    mass *= (upper - lower) / 4000
    assert mass == pytest.approx(1, abs=0.02) if case == "two peaks" else mass < 1.01


@pytest.mark.parametrize("move", ["difference", "snooker"])
def test_a_density_without_closed_form_is_refused(move):
    kernel = kernel_of("normal, 2-D", move)[1]
    y = kernel.draw((0.0, 0.0), Stream(3))
    with pytest.raises(ProposalError, match=f"{move} has no closed form: log_hastings"):
        kernel.log_density(y, (0.0, 0.0))
