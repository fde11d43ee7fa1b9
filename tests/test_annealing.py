"""Annealers: the ladder they give, that it reaches the chains, and that it comes to rest."""

import itertools
import math

import numpy as np
import pytest

from epsie.chain import BarrierAnnealer, DynamicalAnnealer, ParallelTemperedChain
from epsie.proposals import Normal
from epsie.samplers import ParallelTemperedSampler
from epsie.tempering.barrier import equal_rejection, monotone_interpolated
from tests.statistical import generator, seed
from tests.tempering_targets import Gaussian, Mixture, round_trip_rate, tuned_rejections

INF = math.inf


class Scripted:
    """A chain as an annealer sees it, whose swaps have given acceptance ratios."""

    def __init__(self, betas, ratios, swap_interval=1):
        bits = generator("scripted").bit_generator
        self.chain = ParallelTemperedChain(
            "x", lambda x: (-x * x, 0.0), [Normal("x")], betas, swap_interval, bit_generator=bits
        )
        self.chain.start_position = {"x": np.zeros(len(betas))}
        self.ratios = ratios

    def sweep(self, annealer):
        """Let some steps and a sweep pass, then call the annealer."""
        self.chain.iteration += self.chain.swap_interval
        order = list(range(self.chain.ntemps))
        self.chain.swaps.append(type("Swept", (), {"order": order, "ratios": list(self.ratios)}))
        annealer(self.chain)
        return self.chain.betas


# ---- Vousden, Farr & Mandel


def vousden(betas, ratios, n, tau, nu):
    """Equations 11 to 13 written out for temperatures up to infinity."""
    temperatures = [1 / beta for beta in betas[:-1]]
    logs = [math.log(b - a) for a, b in itertools.pairwise(temperatures)]
    kappa = 1 / (nu * (1 + n / tau))
    logs = [s + kappa * (ratios[i] - ratios[i + 1]) for i, s in enumerate(logs)]
    temperatures = [temperatures[0]]
    for s in logs:
        temperatures.append(temperatures[-1] + math.exp(s))
    return [1 / t for t in temperatures] + [0.0]


@pytest.mark.parametrize("swap_interval", [1, 4])
def test_dynamical_changes_are_those_of_the_paper(swap_interval):
    betas, ratios = [1, 0.6, 0.3, 0.1, 0], [0.1, 0.7, 0.4, 0.9]
    scripted, annealer = Scripted(betas, ratios, swap_interval), DynamicalAnnealer(50, 5)
    for n in (1, 2, 3):
        betas = vousden(betas, ratios, n, 50, 5)
        found = scripted.sweep(annealer)
        np.testing.assert_allclose(found, betas, rtol=1e-12)
        assert [chain.beta for chain in scripted.chain.chains] == found.tolist()


def test_dynamical_keeps_the_ends_and_the_order_of_a_finite_ladder():
    """Also where the middle would pass the hottest."""
    scripted = Scripted([1, 0.5, 0.35, 0.3], [0.99, 0.01, 0.01])
    annealer = DynamicalAnnealer(1000, 2, Tmax_prior=False)
    for _ in range(400):
        found = scripted.sweep(annealer)
        assert found[0] == 1 and found[-1] == 0.3
        assert (np.diff(found) < 0).all()


def test_dynamical_starts_with_the_prior_if_asked():
    for prior, hottest in ((True, 0.0), (False, 0.1)):
        chain = ParallelTemperedChain(
            "x",
            lambda x: (-x * x, 0.0),
            [Normal("x")],
            [1, 0.5, 0.1],
            adaptive_annealer=DynamicalAnnealer(Tmax_prior=prior),
        )
        assert chain.betas.tolist() == [1, 0.5, hottest]
        assert chain.chains[-1].beta == hottest


def test_dynamical_is_undisturbed_by_swaps_with_nothing():
    """A point of the prior without likelihood does not drive the next temperature to infinity."""

    def model(x):
        return (-x * x if abs(x) < 1 else -INF), 0.0 if abs(x) < 20 else -INF

    made = ParallelTemperedChain(
        "x",
        model,
        [Normal("x", 9.0)],
        [1, 0.5, 0.1, 0],
        adaptive_annealer=DynamicalAnnealer(10**6, 1),
        bit_generator=seed(),
    )
    made.start_position = {"x": [0.0] * 4}
    made.run(4000)
    assert made.temperature_acceptance[-1].mean() < 0.2
    assert made.betas[-2] > 1e-6


def test_dynamical_settings():
    for tau, nu in ((10, 10), (5, 10), (0, -1), (INF, 2), (10, 0)):
        with pytest.raises(ValueError, match="tau must be greater than nu"):
            DynamicalAnnealer(tau, nu)
        with pytest.raises(ValueError, match="tau must be greater than nu"):
            DynamicalAnnealer().setup_decay(tau, nu)
    assert DynamicalAnnealer(20, 4, False, 9).config == {
        "tau": 20,
        "nu": 4,
        "Tmax_prior": False,
        "duration": 9,
    }
    with pytest.raises(ValueError, match="duration must be"):
        DynamicalAnnealer(duration=0)


# ---- the communication barrier


def test_equal_rejections_keep_a_ladder_and_unequal_ones_move_it():
    betas = np.array([1, 0.4, 0.3, 0.05, 0])
    np.testing.assert_allclose(equal_rejection(betas, np.full(4, 0.3)), betas, atol=1e-15)
    moved = equal_rejection(betas, np.array([0.8, 0.1, 0.4, 0.4]))
    assert moved[0] == 1 and moved[-1] == 0 and (np.diff(moved) < 0).all()
    assert moved[1] > betas[1] and moved[2] > betas[2]
    for extreme in ([0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 0, 1]):
        moved = equal_rejection(betas, np.array(extreme, dtype=float))
        assert (np.diff(moved) < 0).all() and np.isfinite(moved).all()


def test_a_known_barrier_is_divided_in_few_rounds():
    """Of a normal likelihood and prior rejections follow from the log ratio of their widths."""
    betas = np.geomspace(1, 1e-6, 9)

    def rejections(ladder):
        return 1 - np.exp(-0.8 * np.abs(np.diff(np.log(ladder + 0.01))))

    for _ in range(5):
        betas = equal_rejection(betas, rejections(betas))
    assert np.ptp(rejections(betas)) < 0.01


def test_the_interpolation_is_monotone_and_meets_the_points():
    rng = generator("monotone")
    for _ in range(200):
        xs = np.cumsum(rng.exponential(size=7) + 1e-3)
        ys = -np.cumsum(rng.exponential(size=7) ** 3)
        x = np.linspace(xs[0], xs[-1], 500)
        np.testing.assert_allclose(monotone_interpolated(xs, xs, ys), ys, rtol=1e-12)
        assert (np.diff(monotone_interpolated(x, xs, ys)) <= 1e-12 * -ys[-1]).all()
    line = monotone_interpolated(np.linspace(0, 3, 10), np.arange(4.0), 2 - np.arange(4.0))
    np.testing.assert_allclose(line, 2 - np.linspace(0, 3, 10), atol=1e-14)


def test_barrier_rounds_double_and_end_with_the_duration():
    scripted = Scripted([1, 0.5, 0.2, 0.1], [0.9, 0.5, 0.2])
    annealer = BarrierAnnealer(100, 4)
    annealer.setup_annealing(scripted.chain.betas)
    changed = []
    for _ in range(200):
        before = scripted.chain.betas
        if not np.array_equal(scripted.sweep(annealer), before):
            changed.append(scripted.chain.iteration)
    # 60 + 40 of 64 sweeps; less than half a round would be dropped.
    assert changed == [4, 12, 28, 60, 100]
    assert scripted.chain.last_annealed == 100


def test_a_last_round_that_is_too_short_is_dropped():
    scripted = Scripted([1, 0.5, 0.2, 0.1], [0.9, 0.5, 0.2], swap_interval=3)
    annealer = BarrierAnnealer(3 * 40, 4)
    annealer.setup_annealing(scripted.chain.betas)
    for _ in range(60):
        scripted.sweep(annealer)
    assert scripted.chain.last_annealed == 3 * 28


# ---- end to end


@pytest.mark.parametrize(
    "annealer",
    [BarrierAnnealer(400), DynamicalAnnealer(100, 5, duration=400)],
    ids=["barrier", "dynamical"],
)
def test_each_chain_has_its_own_ladder_which_comes_to_rest(annealer):
    target = Gaussian(3)
    made = ParallelTemperedSampler(
        target.parameters,
        target,
        2,
        [1, 0.5, 0.2, 0.1, 0.05],
        adaptive_annealer=annealer,
        seed=seed(),
    )
    start = target.starts(generator("annealed"), (5, 2))
    made.start_position = start
    made.run(400)
    betas = made.betas
    assert (betas[0] != betas[1])[1:-1].all()
    assert [chain.last_annealed > 200 for chain in made.chains] == [True, True]
    assert made.chains[0].adaptive_annealer is not made.chains[1].adaptive_annealer
    for row, chain in zip(betas, made.chains, strict=True):
        assert [one.beta for one in chain.chains] == row.tolist()
    made.run(400)
    np.testing.assert_array_equal(made.betas, betas)


def test_the_ladder_of_a_chain_is_read_only():
    made = ParallelTemperedChain("x", Gaussian(1), [Normal("x")], [1, 0.5])
    with pytest.raises(ValueError, match="read-only"):
        made.betas[1] = 0.3
    with pytest.raises(ValueError, match="there are 2 temperatures; got 3 betas"):
        made.betas = [1, 0.5, 0.2]


def test_the_dynamical_annealer_equalises_too():
    target = Mixture()
    made = ParallelTemperedSampler(
        target.parameters,
        target,
        1,
        np.geomspace(1, 0.001, 8),
        proposals=[Normal(target.parameters, 4.0)],
        adaptive_annealer=DynamicalAnnealer(1000, 10, duration=8000),
        seed=seed(),
    )
    made.start_position = target.starts(generator("equal"), (8, 1))
    made.run(8000)
    made.clear()
    made.run(8000)
    assert np.ptp(made.swap_acceptance) < 0.15


def test_the_tuned_ladder_rejects_equally():
    """A part of the entry 'ladder' of the long counts."""
    rejections = tuned_rejections(Mixture(), 8, 4000, 6000, 0)
    assert np.abs(rejections - rejections.mean()).max() < 0.05


def test_the_tuned_ladder_makes_round_trips():
    """A part of the entry 'round trips' of the long counts: where the hottest is far too hot."""
    hot = np.geomspace(1, 1e-4, 8)
    fixed = round_trip_rate(Mixture(), hot, 1500, 3000, 0, annealed=False)
    tuned = round_trip_rate(Mixture(), hot, 1500, 3000, 1, annealed=True)
    assert tuned > 1.4 * fixed > 0


SCRIPT = """
import numpy as np
from epsie.samplers import ParallelTemperedSampler
class Mine:
    def setup_annealing(self, betas):
        self.calls = 0
    def __call__(self, chain):
        self.calls += 1
sampler = ParallelTemperedSampler(
    "x", lambda x: (-x * x, 0.0), 2, [1, 0.5, 0], adaptive_annealer=Mine(), seed=1, pool=2)
sampler.start_position = {"x": np.zeros((3, 2))}
sampler.run(5)
print(sampler.chains[0].adaptive_annealer.calls)
"""


def test_an_annealer_of_the_main_script_reaches_our_own_pool():
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.stdout.strip() == "5", done.stderr
