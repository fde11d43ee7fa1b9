"""Moves that are proposals by themselves, and mixtures of proposals, leave known targets invariant.

All are frozen. A case fails by chance once in 100,000 times.
"""

import math

import numpy as np
import pytest

from epsie.chain import Chain
from epsie.errors import ProposalError
from epsie.proposals import (
    CrankNicolson,
    DifferentialEvolution,
    IsotropicSolidAngle,
    Mixture,
    Normal,
    NormalDiscrete,
    RobustAdaptive,
    Snooker,
)
from epsie.proposals.learned.moves import MOVES
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests.statistical import Plan, assert_power, check_invariance, generator, seed, stepping
from tests.test_learned_moves import TARGETS, UNBOUNDED

CASES = ["two peaks", "normal, 2-D", "normal, 5-D", "bounds", "angle"]
QUICK = {"robust": "angle", "crank": "bounds", "evolution": "angle", "snooker": "normal, 2-D"}
QUICK = {**QUICK, "mixture": "bounds"}


def archive_of(target):
    drawn = target.draw(generator("archive"), 40)
    return np.column_stack([drawn[name] for name in target.parameters])


def robust(target, *settings):
    made = RobustAdaptive(target.parameters, *settings, adaptation_duration=1, std=0.7)
    made._kernel.tuning.factor = np.tril(np.full((made.ndim, made.ndim), 0.4)) + np.eye(made.ndim)
    return made


def crank(target, *settings):
    rows = archive_of(target)
    cov = 0.5 * np.cov(rows.T) + 0.1 * np.eye(rows.shape[1])
    return CrankNicolson(
        target.parameters, *settings, rows.mean(axis=0) + 0.1, cov, 4.0, adaptation_duration=1
    )


def evolution(target, *settings):
    return DifferentialEvolution(target.parameters, *settings, archive_of(target), 1)


def snooker(target, *settings):
    return Snooker(target.parameters, *settings, archive_of(target), 1)


def mixture(target, *settings):
    parts = [make(target, *settings) for make in (robust, snooker, crank)]
    return Mixture(*parts, weights=[1, 2, 3])


MAKERS = {made.__name__: made for made in (robust, crank, evolution, snooker, mixture)}


def chain_of(case, maker, wrong=None):
    target, coordinates = TARGETS[case]
    named = zip(target.parameters, coordinates, strict=True)
    bounds = {name: c[1:3] for name, c in named if c != UNBOUNDED}
    periods = {"a": 2 * math.pi} if case == "angle" else None
    made = MAKERS[maker](target, bounds, periods)
    if wrong is not None:
        wrong(made)
    bits = generator(f"single {case} {maker}").bit_generator
    return target, Chain(target.parameters, target.model, [made], bits)


@pytest.mark.parametrize(
    ("maker", "case"),
    [
        pytest.param(maker, case, marks=[pytest.mark.slow] * (QUICK[maker] != case))
        for maker in MAKERS
        for case in CASES
    ],
)
def test_it_leaves_the_target_invariant(maker, case):
    target, chain = chain_of(case, maker)
    size = 800 if QUICK[maker] == case else 2500
    rng = generator(f"start single {case} {maker}")
    check_invariance(
        target.draw, stepping(chain, 6), target.marginals, rng, Plan(size=size), least_moved=0.05
    )


def without_hastings(made):
    """The defect: the ratio of the target alone."""
    made._kernel.log_hastings = lambda x, y: 0.0


def with_a_moving_archive(made):
    """The defect: the archive has the present position."""
    kernel = made._kernel

    def draw(x, stream):
        now = (np.array(x) - kernel.shift) / kernel.scale
        kernel.archive = np.vstack([kernel.archive[:2], now])
        return type(kernel).draw(kernel, x, stream)

    kernel.draw = draw


def with_a_size_of_the_place(made):
    """The defect: jumps are larger far away."""
    kernel = made._kernel
    factor = kernel.tuning.factor

    def draw(x, stream):
        kernel.tuning.factor = factor * (0.2 + math.hypot(*x))
        return type(kernel).draw(kernel, x, stream)

    kernel.draw = draw


def with_the_ratio_of_another(made):
    """The defect: the Hastings term is that of the next part."""
    made.log_hastings = lambda x, y: made._parts[(made._last + 1) % 3].log_hastings(x, y)


@pytest.mark.parametrize(
    ("maker", "wrong"),
    [
        ("robust", with_a_size_of_the_place),
        ("crank", without_hastings),
        ("evolution", with_a_moving_archive),
        ("snooker", without_hastings),
        ("mixture", with_the_ratio_of_another),
    ],
)
def test_a_planted_defect_is_seen(maker, wrong):
    target, chain = chain_of("normal, 2-D", maker, wrong)
    rng, plan = generator(f"wrong {maker}"), Plan(size=1500)
    assert_power(target.draw, stepping(chain, 6), target.marginals, rng, plan)


NAMES = ["x", "y"]


def model(x, y):
    return -0.5 * ((x / 10) ** 2 + (y - 0.1 * x) ** 2), 0.0


def sampler(*parts, nchains=2):
    made = MetropolisHastingsSampler(NAMES, model, nchains, parts, seed=seed())
    made.start_position = {name: np.linspace(-1, 1, nchains) for name in NAMES}
    return made


@pytest.mark.parametrize("cls", [DifferentialEvolution, Snooker, CrankNicolson, RobustAdaptive])
def test_it_learns_from_its_own_past(cls):
    made = sampler(cls(NAMES), nchains=4)
    made.run(3000)
    # Standard deviations over 8000 jumps; these moves alone mix within some ten to a hundred.
    assert made.positions["x"][:, 1000:].std() == pytest.approx(10, rel=0.3)
    known = made.chains[0].proposal_dist.proposals[0].learned
    assert (known is None) == (cls is RobustAdaptive)
    if known is not None:
        assert known.weights.max() == 1
        assert MOVES[known.weights.argmax()].name == getattr(cls, "move", cls.name)


def everything():
    return Mixture(
        DifferentialEvolution(NAMES),
        Snooker(["y", "x"]),
        RobustAdaptive(NAMES),
        Normal(NAMES, 1e-6),
        adaptation_duration=500,
    )


@pytest.mark.parametrize("part", [everything, lambda: CrankNicolson(NAMES)])
def test_splits_and_resumes_change_nothing(part, tmp_path):
    whole = sampler(part())
    whole.run(400)
    parts = sampler(part())
    parts.run(150, directory=tmp_path / "run")
    again = MetropolisHastingsSampler.resume(tmp_path / "run", model)
    again.run(50)
    state = again.state
    again = sampler(part())
    again.set_state(state)
    again.run(200)
    np.testing.assert_equal(again.state, whole.state)


def test_a_mixture_learns_how_often_to_draw_each():
    made = sampler(everything())
    made.run(1000)
    mixed = made.chains[0].proposal_dist.proposals[0]
    weights = mixed.weights
    assert weights.sum() == pytest.approx(1)
    assert weights.argmin() == 3
    assert weights[3] < 0.12
    made.run(500)
    np.testing.assert_array_equal(made.chains[0].proposal_dist.proposals[0].weights, weights)
    assert sum(p.nsteps for p in mixed.proposals) == mixed.nsteps


def test_a_mixture_in_a_tempered_chain():
    made = ParallelTemperedSampler(NAMES, model, 2, [1.0, 0.3], 2, [everything()], seed=seed())
    made.start_position = {name: np.zeros((2, 2)) for name in NAMES}
    made.run(300)
    assert np.isfinite(made.positions["x"]).all()


XY = ["x", "y"]


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: Mixture(), ValueError, "at least two proposals; got 0"),
        (lambda: Mixture(Normal(XY), "normal"), TypeError, "takes proposals"),
        (lambda: Mixture(Normal(XY), Normal("x")), ValueError, "same parameters; got x, y and x"),
        (lambda: Mixture(Normal(XY), NormalDiscrete(XY)), ValueError, "same kind"),
        (lambda: Mixture(Normal(XY), Normal(XY, 1, 2, 9)), ValueError, "leave out"),
        (lambda: Mixture(*[Normal(XY)] * 2), ValueError, "different objects"),
        (lambda: Mixture(Normal(XY), Normal(XY), weights=[1]), ValueError, "2 positive numbers"),
        (lambda: Mixture(Normal(XY), Normal(XY), weights=[1, 0]), ValueError, "2 positive numbers"),
        (lambda: Snooker(XY, archive=[1.0, 2.0]), ValueError, r"shape \(n, 2\)"),
        (lambda: Snooker(XY, archive=[[1.0, 2.0]] * 9), ValueError, "3 different positions"),
        (lambda: Snooker(XY, archive=[[1.0, math.nan]] * 9), ValueError, "finite"),
        (lambda: Snooker("x", {"x": (0, 1)}, None, [1, 2, 3]), ValueError, "out of bounds"),
        (lambda: CrankNicolson(XY, mean=[0, 0]), ValueError, "give both, or neither"),
        (lambda: CrankNicolson(XY, mean=[0], cov=np.eye(2)), ValueError, "mean must be"),
        (lambda: CrankNicolson(XY, mean=[0, 0], cov=-np.eye(2)), ValueError, "positive definite"),
        (lambda: CrankNicolson(XY, mean=[0, 0], cov=np.eye(2), dofs=0), ValueError, "dofs"),
        (lambda: RobustAdaptive(XY, {"w": (0, 1)}), ValueError, "given for w"),
    ],
)
def test_what_is_refused(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_a_density_without_closed_form_is_refused():
    made = Snooker(XY, archive=np.eye(3, 2))
    made.jump({"x": 2.0, "y": 1.0})
    with pytest.raises(ProposalError, match="no closed form"):
        made.logpdf({"x": 1, "y": 1}, {"x": 0, "y": 1})


def test_directions_are_mixed():
    made = Mixture(IsotropicSolidAngle("a", "b", 10), IsotropicSolidAngle("a", "b", 1000))
    chain = Chain(["a", "b"], lambda a, b: (0.0, math.log(math.sin(b))), [made], seed())
    chain.start_position = {"a": 1.0, "b": 1.0}
    chain.run(50)
    assert chain.acceptance["accepted"].any()
