"""Parallel tempering: exact at every temperature, the same bits however it is run, bad input."""

import copy
import math
import pickle
import re

import numpy as np
import pytest
from arviz_stats.base import array_stats
from epsie.chain.tempering import SWAP_SCHEMES, Sweep, as_betas, cascade, deo, geometric_ladder
from scipy import stats

from epsie import communication, make_betas_ladder
from epsie.chain import BarrierAnnealer, DynamicalAnnealer, ParallelTemperedChain
from epsie.errors import ModelError, ProposalError
from epsie.proposals import ATAdaptiveNormal, BaseProposal, Normal, SSAdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests.references import Garch, GaussMix, compare_with_reference, deviations
from tests.statistical import (
    Continuous,
    Discrete,
    Plan,
    assert_power,
    check_invariance,
    generator,
    seed,
)

INF = math.inf
SCHEMES = list(SWAP_SCHEMES)
BETAS = (1.0, 0.4, 0.1, 0.0)


# ---- targets: a model, draws and marginals of likelihood**beta times prior


class Normals:
    """A normal likelihood about 1 times a normal prior of standard deviation 3."""

    @staticmethod
    def model(x):
        return -0.5 * (x - 1) ** 2, -x * x / 18

    def __init__(self, beta):
        precision = beta + 1 / 9
        self.at = stats.norm(beta / precision, precision**-0.5)
        self.draw = lambda rng, n: self.at.rvs(n, random_state=rng)
        self.cdf = self.at.cdf


class Peaks:
    """Two narrow peaks of unequal weight on a flat prior from -4 to 4, by a fine grid."""

    grid = np.linspace(-4, 4, 40_001)

    @staticmethod
    def model(x):
        if not -4 < x < 4:
            return None, -INF
        return math.log(0.3 * math.exp(-8 * (x + 2) ** 2) + 0.7 * math.exp(-2 * (x - 2) ** 2)), 0.0

    def __init__(self, beta):
        middles = 0.5 * (self.grid[1:] + self.grid[:-1])
        density = np.exp([beta * self.model(x)[0] for x in middles])
        self.sums = np.concatenate([[0], np.cumsum(density)]) / density.sum()
        self.draw = lambda rng, n: np.interp(rng.random(n), self.sums, self.grid)
        self.cdf = lambda x: np.interp(x, self.grid, self.sums)


class Wall:
    """An exponential likelihood that vanishes beyond 1 on a flat prior from 0 to 2."""

    @staticmethod
    def model(x):
        if not 0 < x < 2:
            return None, -INF
        return (-3 * x if x < 1 else -INF), -math.log(2)

    def __init__(self, beta):
        at = stats.truncexpon(3 * beta, scale=1 / (3 * beta)) if beta else stats.uniform(0, 2)
        self.draw = lambda rng, n: at.rvs(n, random_state=rng)
        self.cdf = at.cdf


TARGETS = {"gaussian": (Normals, 2.0), "mixture": (Peaks, 1.0), "bounded": (Wall, 0.3)}


def posed(name, cls=ParallelTemperedChain, swap_scheme="cascade", swap_interval=1, model=None):
    """A tempered chain on a target, with draws from the product over betas, and its marginals."""
    kind, variance = TARGETS[name]
    at = [kind(beta) for beta in BETAS]
    bits = generator(f"{name} {cls.__name__} {swap_scheme} {swap_interval}").bit_generator
    chain = cls(
        "x",
        model or kind.model,
        [Normal("x", variance)],
        BETAS,
        swap_interval,
        bit_generator=bits,
        swap_scheme=swap_scheme,
    )

    def draw(rng, n):
        return {f"beta {beta}": one.draw(rng, n) for beta, one in zip(BETAS, at, strict=True)}

    marginals = {f"beta {b}": Continuous(f"beta {b}", one.cdf) for b, one in zip(BETAS, at)}
    # Temperatures are independent: a swap that ignores the likelihoods would tie them together.
    for cold in range(len(BETAS) - 1):
        marginals[f"order {cold}"] = Discrete(
            lambda s, c=cold: (
                (at[c].cdf(s[f"beta {BETAS[c]}"]) > 0.5)
                ^ (at[c + 1].cdf(s[f"beta {BETAS[c + 1]}"]) > 0.5)
            ),
            {True: 0.5, False: 0.5},
        )
    return chain, draw, marginals


def stepping(chain, steps):
    """The transition of some steps with their sweeps, from a point at each temperature."""

    def transition(values):
        chain.start_position = {"x": list(values.values())}
        for _ in range(steps):
            chain.step()
        ends = [one.point.x[0] for one in chain.chains]
        chain.clear()
        return dict(zip(values, ends, strict=True))

    return transition


PLAN = Plan(size=2500)


@pytest.mark.parametrize("swap_interval", [1, 3])
@pytest.mark.parametrize("swap_scheme", SCHEMES)
@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.in_part(5)
def test_steps_and_sweeps_are_exact_at_every_beta(name, swap_scheme, swap_interval):
    """False alarms: 1e-5 for each of the twelve."""
    chain, draw, marginals = posed(name, swap_scheme=swap_scheme, swap_interval=swap_interval)
    transition, rng = stepping(chain, 6), generator(f"exact {name} {swap_scheme} {swap_interval}")
    check_invariance(draw, transition, marginals, rng, PLAN)
    chain.start_position = {"x": [0.5] * 4}
    chain.run(300)
    assert chain.temperature_swaps.shape == (4, 300 // swap_interval)
    assert 0 < (chain.temperature_swaps[0] != 0).mean() < 1


class WrongSign(ParallelTemperedChain):
    """The defect: swaps by the inverse ratio."""

    def swap_temperatures(self):
        scheme = self._scheme
        self._scheme = lambda logls, *rest: scheme([-max(logl, -50) for logl in logls], *rest)
        super().swap_temperatures()
        self._scheme = scheme


class BetasNotPassedOn(ParallelTemperedChain):
    """The defect: swaps by another ladder than the chains'."""

    def swap_temperatures(self):
        scheme = self._scheme
        self._scheme = lambda logls, betas, *rest: scheme(logls, [b * b for b in betas], *rest)
        super().swap_temperatures()
        self._scheme = scheme


class SwappedWithoutLogl(ParallelTemperedChain):
    """The defect: positions are swapped, their likelihoods stay."""

    def _move_points(self, points, order):
        kept = [(point.logl, point.logp) for point in points]
        moved = [copy.copy(point) for point in points]
        super()._move_points(moved, order)
        for chain, (logl, logp) in zip(self.chains, kept, strict=True):
            chain.point = type(chain.point)(chain.point.x, logl, logp, None)


class AlwaysSwapped(ParallelTemperedChain):
    """The defect: every swap is made."""

    def swap_temperatures(self):
        scheme = self._scheme
        self._scheme = lambda logls, betas, uniforms, n: scheme(
            logls, betas, [-1.0 if logl > -INF else 2.0 for logl in logls[1:]], n
        )
        super().swap_temperatures()
        self._scheme = scheme


DEFECTS = [WrongSign, BetasNotPassedOn, SwappedWithoutLogl, AlwaysSwapped]


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("swap_scheme", SCHEMES)
@pytest.mark.parametrize("defect", DEFECTS)
def test_planted_defects_are_seen(defect, swap_scheme):
    chain, draw, marginals = posed("gaussian", defect, swap_scheme)
    rng = generator(f"{defect.__name__} {swap_scheme}")
    assert_power(draw, stepping(chain, 6), marginals, rng, PLAN)


def test_a_ladder_set_on_the_chain_reaches_its_temperatures():
    chain, draw, marginals = posed("gaussian")
    chain.betas = [0.0, 0.1, 0.4, 1.0]
    rng = generator("betas")
    check_invariance(draw, stepping(chain, 6), marginals, rng, PLAN)
    chain.betas = [1.0, 0.6, 0.1, 0.0]
    assert_power(draw, stepping(chain, 6), marginals, rng, PLAN)


# ---- swap schemes


def textbook_cascade(logls, betas, uniforms):
    """Pair by pair, with a list of who is where."""
    at, ratios = list(range(len(betas))), [None] * (len(betas) - 1)
    for cold in reversed(range(len(betas) - 1)):
        hot = cold + 1
        gain = (betas[cold] - betas[hot]) * (logls[at[hot]] - logls[at[cold]])
        ratios[cold] = math.exp(min(0.0, gain))
        if uniforms[cold] < ratios[cold]:
            at[cold], at[hot] = at[hot], at[cold]
    return at, ratios


def test_cascade_is_pair_by_pair_from_hot_to_cold():
    rng = generator("cascade")
    for _ in range(2000):
        ntemps = int(rng.integers(2, 9))
        betas = np.sort(rng.random(ntemps))[::-1].tolist()
        logls = (-9 * rng.random(ntemps)).tolist()
        if rng.random() < 0.3:
            betas[-1], logls[-1] = 0.0, -INF
        uniforms = rng.random(ntemps - 1).tolist()
        order, ratios = textbook_cascade(logls, betas, uniforms)
        sweep = cascade(logls, betas, uniforms, 0)
        assert sweep.order == order
        assert sweep.ratios == pytest.approx(ratios, rel=1e-14)
        if logls[-1] == -INF:
            assert sweep.order[-1] == ntemps - 1 and sweep.ratios[-1] == 0


def test_deo_tries_even_pairs_and_odd_pairs_in_turn():
    betas, logls = [1.0, 0.8, 0.5, 0.2], [-4.0, -3.0, -2.0, -1.0]
    always = [0.0] * 3
    ones = [1.0] * 3
    assert deo(logls, betas, always, 0) == Sweep([1, 0, 3, 2], ones)
    assert deo(logls, betas, always, 1) == Sweep([0, 2, 1, 3], ones)
    assert deo(logls[::-1], betas, [1 - 1e-12] * 3, 2).order == [0, 1, 2, 3]
    ratios = deo(logls[::-1], betas, always, 1).ratios
    assert ratios == pytest.approx(np.exp([-0.2, -0.3, -0.3]))


def test_a_point_of_the_prior_without_likelihood_stays():
    for scheme in SWAP_SCHEMES.values():
        for sweep in (0, 1):
            made = scheme([-5.0, -INF], [1.0, 0.0], [0.0], sweep)
            assert made == Sweep([0, 1], [0.0])


# ---- semantics


def ring(**values):
    """A model with a blob: a ring of radius 2."""
    square = sum(value * value for value in values.values())
    return -2 * (math.sqrt(square) - 2) ** 2, -square / 50, {"radius": math.sqrt(square)}


def sampler(pool=None, betas=(1, 0.5, 0.2, 0), proposals=None, nchains=3, model=ring, **options):
    made = ParallelTemperedSampler(
        ["x", "y"],
        model,
        nchains,
        betas,
        proposals=proposals or [ATAdaptiveNormal(["x", "y"], 60)],
        seed=seed(),
        pool=pool,
        **options,
    )
    shape = (made.ntemps, nchains)
    made.start_position = {"x": np.full(shape, 1.5), "y": np.full(shape, -0.5)}
    return made


def test_one_temperature_is_the_metropolis_hastings_sampler():
    tempered = sampler(betas=1.0)
    plain = MetropolisHastingsSampler(
        ["x", "y"], ring, 3, proposals=[ATAdaptiveNormal(["x", "y"], 60)], seed=seed()
    )
    plain.start_position = {"x": [1.5] * 3, "y": [-0.5] * 3}
    for made in (tempered, plain):
        made.run(37)
        made.run(63)
    for table in ("positions", "stats", "acceptance", "blobs"):
        ours, theirs = getattr(tempered, table), getattr(plain, table)
        assert ours.dtype == theirs.dtype and ours.shape == (1, 3, 100)
        assert ours[0].tobytes() == theirs.tobytes()
    assert tempered.temperature_swaps is None and tempered.temperature_acceptance is None
    for i in range(3):
        ours, theirs = tempered.state[i][0], plain.state[i]
        np.testing.assert_equal(ours["proposal_dist"], theirs["proposal_dist"])


def test_points_are_swapped_and_acceptance_stays():
    """The record after a sweep is that of before, reordered; acceptance is not."""
    made = sampler(swap_interval=4)
    chain = made.chains[0]
    for _ in range(50):
        for _ in range(3):
            chain.step()
        before = [one.point for one in chain.chains]
        kept = chain.swap_temperatures
        seen = []

        def swap(chain=chain, kept=kept, seen=seen):
            seen.append([one.point for one in chain.chains])
            seen.append([(one.accepted, one.acceptance_ratio) for one in chain.chains])
            kept()

        chain.swap_temperatures = swap
        chain.step()
        del chain.swap_temperatures
        points, decisions = seen
        order = chain.temperature_swaps[:, -1]
        assert [one.point for one in chain.chains] == [points[t] for t in order]
        assert before is not points
        for t, one in enumerate(chain.chains):
            assert chain.positions["x"][t, -1] == one.point.x[0]
            assert chain.stats["logl"][t, -1] == one.point.logl
            assert chain.blobs["radius"][t, -1] == one.point.blob["radius"]
            row = chain.acceptance[t, -1]
            assert (row["accepted"], row["acceptance_ratio"]) == decisions[t]
    assert (chain.temperature_swaps != np.arange(4)[:, None]).any()


def test_every_sweep_since_the_clear_is_reported():
    """Also if a clear falls between sweeps, and if the interval changes between runs."""
    whole, cut = sampler(swap_interval=3), sampler(swap_interval=3)
    whole.run(31)
    cut.run(4)
    first = cut.temperature_swaps
    cut.clear()
    assert cut.temperature_swaps.shape == (4, 3, 0)
    cut.run(27)
    assert first.shape == (4, 3, 1) and cut.temperature_swaps.shape == (4, 3, 9)
    assert cut.temperature_acceptance.shape == (3, 3, 9)
    both = np.concatenate([first, cut.temperature_swaps], axis=2)
    np.testing.assert_array_equal(both, whole.temperature_swaps)
    cut.swap_interval = 5
    assert cut.swap_interval == 5
    cut.run(9)
    assert cut.temperature_swaps.shape == (4, 3, 11)
    np.testing.assert_array_equal(np.sort(cut.temperature_swaps, axis=0)[:, 0, 0], np.arange(4))


def test_two_temperatures_have_arrays_of_one_pair():
    made = sampler(betas=[1, 0.3])
    made.run(12)
    assert made.temperature_acceptance.shape == (1, 3, 12)
    assert made.temperature_swaps.shape == (2, 3, 12)
    assert made.betas.shape == made.temperatures.shape == (3, 2)


def test_reset_after_swap_forgets_what_was_learned():
    made = sampler(proposals=[SSAdaptiveNormal(["x", "y"])], reset_after_swap=True)
    kept = sampler(proposals=[SSAdaptiveNormal(["x", "y"])])
    for one in (made, kept):
        one.run(60)
    assert made.positions.tobytes() != kept.positions.tobytes()
    for chain in made.chains:
        last = {tuple(order) for order in chain.temperature_swaps.T[-1:]}
        for order in last:
            for t, one in enumerate(chain.chains):
                fresh = one.proposal_dist.proposals[0].cov == np.ones(2)
                assert fresh.all() == (order[t] != t) or order[t] == t
    with pytest.raises(ValueError, match="reset_after_swap must be a bool; got 1"):
        made.chains[0].reset_after_swap = 1


def test_indexing_and_blobs():
    made = sampler()
    made.run(5)
    row = made.chains[1][3]
    assert row["positions"]["x"].shape == (4,)
    np.testing.assert_array_equal(row["blobs"]["radius"], made.blobs["radius"][:, 1, 3])
    np.testing.assert_array_equal(row["stats"]["logl"], made.stats["logl"][:, 1, 3])


def test_temperatures_draw_from_one_stream_and_move_differently():
    chain = ParallelTemperedChain(
        ["x", "y"], ring, [Normal(["x", "y"])], [1, 0.99, 0.98], bit_generator=seed()
    )
    chain.start_position = {"x": [1.0] * 3, "y": [1.0] * 3}
    chain.run(20)
    assert len({id(one.stream) for one in chain.chains}) == 1
    assert len(np.unique(chain.positions["x"][:, 0])) > 1


# ---- beta = 0


class HalfEmpty:
    """A likelihood on the unit interval alone, under a flat prior from 0 to 4."""

    def __call__(self, x):
        return ((-x if x < 1 else -INF), -math.log(4)) if 0 < x < 4 else (None, -INF)


def test_the_prior_is_sampled_where_there_is_no_likelihood():
    made = ParallelTemperedSampler(
        "x", HalfEmpty(), 2, [1, 0.3, 0], proposals=[Normal("x", 2.0)], seed=seed()
    )
    made.start_position = {"x": [[0.5, 0.5], [0.5, 0.5], [3.0, 0.5]]}
    made.run(4000)
    assert 0.6 < (made.positions["x"][2] > 1).mean() < 0.9
    assert (made.positions["x"][:2] < 1).all()
    assert np.isfinite(made.stats["logl"][:2]).all()
    exact = math.log((1 - math.exp(-1)) / 4)
    for method in ("mbar", "bridge", "stepping_stone", "thermodynamic"):
        found = made.log_evidence(method)
        assert abs(found.log_z - exact) < 4 * found.standard_error < 0.4


def test_a_point_without_likelihood_keeps_its_beta_at_0():
    chain = ParallelTemperedChain("x", HalfEmpty(), [Normal("x")], [1, 0], bit_generator=1)
    chain.start_position = {"x": [0.5, 3.0]}
    with pytest.raises(ValueError, match=r"cannot become 0\.1: the point at beta = 0 has no like"):
        chain.betas = [1, 0.1]
    assert chain.betas.tolist() == [1, 0]
    chain.start_position = {"x": [0.5, 0.6]}
    chain.betas = [1, 0.1]
    assert chain.chains[1].beta == 0.1
    with pytest.raises(ValueError, match=r"temperature 1: .*has no likelihood"):
        chain.start_position = {"x": [0.5, 3.0]}
    assert chain.start_position["x"].tolist() == [0.5, 0.6]


# ---- failures say where


def test_the_temperature_of_a_failing_model_is_named():
    calls = []

    def model(x, y):
        calls.append(x)
        if len(calls) == 12 + 7:
            raise RuntimeError("no convergence")
        return -x * x, 0.0

    made = sampler(model=model, proposals=[Normal(["x", "y"])])
    with pytest.raises(ModelError) as caught:
        made.run(20)
    assert caught.value.where["chain"] == 0
    # Twelve calls at the starts, four in the first step, the third temperature in the second.
    assert caught.value.where["temperature"] == 5.0
    assert caught.value.where["iteration"] == 1
    assert made.niterations == 0


class Fragile(BaseProposal):
    """A user's proposal that fails far out, where only hot chains go."""

    name = "fragile"
    symmetric = True

    def __init__(self, parameters):
        self.parameters = parameters

    def _jump(self, fromx):
        if abs(fromx["x"]) > 6:
            raise ArithmeticError("too far")
        draw = self.random_generator.normal
        return {name: fromx[name] + draw() for name in self.parameters}

    def _logpdf(self, xi, givenx):
        return 0.0


def test_the_temperature_of_a_failing_proposal_is_named():
    made = sampler(proposals=[Fragile(["x", "y"])])
    with pytest.raises(ProposalError, match="ArithmeticError: too far") as caught:
        made.run(5000)
    assert caught.value.where["temperature"] in (5.0, INF)
    assert abs(caught.value.where["position"]["x"]) > 6
    assert made.niterations == 0


def test_a_chain_without_a_start_says_so():
    chain = ParallelTemperedChain("x", Normals.model, [Normal("x")], [1, 0.5])
    with pytest.raises(ValueError, match="no start position yet"):
        chain.step()


# ---- bad input


@pytest.mark.parametrize(
    ("betas", "message"),
    [
        ([1, 1.3], r"betas must lie in \[0, 1\]; got 1.3 at index 1"),
        ([1, -0.1], r"betas must lie in \[0, 1\]; got -0.1 at index 1"),
        ([math.nan], r"betas must lie in \[0, 1\]; got nan at index 0"),
        ([1, 0.5, 0.5], r"betas must differ; got 0.5 more than once"),
        ([], "at least one; got shape"),
        ([[1, 0.5]], r"got shape \(1, 2\)"),
    ],
)
def test_bad_betas(betas, message):
    with pytest.raises(ValueError, match=message):
        as_betas(betas)
    with pytest.raises(ValueError, match=message):
        sampler(betas=betas)


def test_no_beta_of_1_is_logged_once(caplog):
    sampler(betas=[0.5, 0.1])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert re.search(r"no beta is 1 \(the largest is 0.5\).*posterior", caplog.text)
    caplog.clear()
    sampler(betas=[1, 0.1])
    assert not caplog.records


@pytest.mark.parametrize("swap_interval", [0, -1, 1.5, "2"])
def test_bad_swap_intervals(swap_interval):
    with pytest.raises((ValueError, TypeError), match="swap_interval must be"):
        sampler(swap_interval=swap_interval)
    made = sampler()
    with pytest.raises((ValueError, TypeError), match="swap_interval must be"):
        made.swap_interval = swap_interval
    assert made.swap_interval == 1


def test_bad_schemes_and_annealers():
    with pytest.raises(ValueError, match="swap_scheme must be one of cascade, deo; got 'seo'"):
        sampler(swap_scheme="seo")
    for annealer in (DynamicalAnnealer, lambda chain: None, 3):
        with pytest.raises(TypeError, match="adaptive_annealer must be an object with setup_ann"):
            sampler(adaptive_annealer=annealer)


@pytest.mark.parametrize(
    ("shape", "meant"),
    [
        ((3,), r"one value for each chain.*numpy.tile\(values, \(4, 1\)\)"),
        ((3, 4), "these look transposed"),
        ((4,), r"one value for each temperature.*numpy.tile\(values, \(3, 1\)\).T"),
        ((5, 3), r"shape \(ntemps, nchains\) = \(4, 3\); got x: \(5, 3\)"),
        ((), r"got x: \(\)"),
    ],
)
def test_misshapen_starts(shape, meant):
    made = sampler()
    before = made.start_position
    with pytest.raises(ValueError, match=meant):
        made.start_position = {"x": np.zeros(shape), "y": np.zeros((4, 3))}
    np.testing.assert_equal(made.start_position, before)


def test_what_the_messages_advise_works():
    made = sampler()
    chains, temperatures = np.arange(3.0), np.arange(4.0)
    made.start_position = {"x": np.tile(chains, (4, 1)), "y": np.tile(temperatures, (3, 1)).T}
    np.testing.assert_array_equal(made.start_position["x"][:, 1], [1, 1, 1, 1])
    np.testing.assert_array_equal(made.start_position["y"][1], [1, 1, 1])


def test_ladders():
    np.testing.assert_allclose(make_betas_ladder(3, 100), [0.01, 0.1, 1])
    assert make_betas_ladder(1, 100).tolist() == [1]
    np.testing.assert_allclose(geometric_ladder(4, 2), [1, 0.5, 0.25, 0])
    assert geometric_ladder(4, 2, with_prior=False)[-1] == 0.125
    for bad in ((0, 10), (3, 0.5), (3, math.inf)):
        with pytest.raises(ValueError, match="must be"):
            make_betas_ladder(*bad)


# ---- bit for bit


class Halves:
    """A user's annealer in the way of EPSIE 1.x: no state, no config."""

    def __init__(self):
        self.calls = 0

    def setup_annealing(self, betas):
        self.first = betas.tolist()

    def __call__(self, chain):
        self.calls += 1
        if self.calls <= 40:
            ladder = chain.betas.copy()
            ladder[1:-1] = ladder[1:-1] * 0.99 + 0.01 * ladder[2:]
            chain.betas = ladder


ANNEALERS = {
    "none": lambda: None,
    "dynamical": lambda: DynamicalAnnealer(50, 5, duration=70),
    "dynamical, finite": lambda: DynamicalAnnealer(50, 5, Tmax_prior=False),
    "barrier": lambda: BarrierAnnealer(75, 5),
    "own": Halves,
}
NITERATIONS = 90


def bits(made):
    tables = (
        made.positions,
        made.stats,
        made.acceptance,
        made.blobs,
        made.temperature_swaps,
        made.temperature_acceptance,
    )
    return [table.tobytes() for table in tables] + [made.betas.tobytes()]


def moving(annealer, scheme, pool=None, reset=False):
    # Ladders with a finite hottest temperature move it to the prior if the annealer says so.
    return sampler(
        pool,
        betas=(1, 0.5, 0.2, 0.05),
        swap_interval=2,
        adaptive_annealer=ANNEALERS[annealer](),
        swap_scheme=scheme,
        reset_after_swap=reset,
    )


@pytest.fixture(scope="module")
def whole():
    known = {}

    def ask(*case):
        if case not in known:
            made = moving(*case)
            made.run(NITERATIONS)
            known[case] = bits(made), made.state
        return known[case]

    return ask


@pytest.mark.parametrize("pool", ["None", "threads", "spawn"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("annealer", ANNEALERS)
@pytest.mark.in_part(7)
def test_pool_and_odd_splits(pools, annealer, scheme, pool, whole):
    made = moving(annealer, scheme, pools[pool])
    for n in (1, 0, 30, 17, NITERATIONS - 48):
        made.run(n)
    expected, state = whole(annealer, scheme)
    assert bits(made) == expected
    np.testing.assert_equal(made.state, state)


@pytest.mark.parametrize("pool", ["None", "spawn"])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("annealer", ANNEALERS)
@pytest.mark.in_part(3)
def test_cleared_saved_and_resumed_in_the_middle_of_tuning(pools, annealer, scheme, pool, whole):
    """Every stretch is made by a new sampler from the pickled state of the one before."""
    parts, swaps, state = [], [], None
    for n in (7, 26, 1, 20, NITERATIONS - 54):
        made = moving(annealer, scheme, pools[pool])
        if state is not None:
            made.set_state(pickle.loads(state))
        made.run(n - n // 2)
        parts.append(made.positions)
        swaps.append(made.temperature_swaps)
        made.clear()
        made.run(n // 2)
        if n // 2:
            parts.append(made.positions)
            swaps.append(made.temperature_swaps)
        state = pickle.dumps(made.state)
    expected, final = whole(annealer, scheme)
    assert np.concatenate(parts, axis=2).tobytes() == expected[0]
    assert np.concatenate(swaps, axis=2).tobytes() == expected[4]
    assert made.betas.tobytes() == expected[-1]
    np.testing.assert_equal(made.state, final)


@pytest.mark.parametrize("annealer", ["barrier", "own"])
def test_reset_after_swap_is_the_same_however_it_is_run(pools, annealer, whole):
    made = moving(annealer, "cascade", pools["own"], True)
    made.run(33)
    made.run(57)
    assert bits(made) == whole(annealer, "cascade", None, True)[0]


class HalvesInPlace(Halves):
    """The same, which writes into the ladder."""

    def __call__(self, chain):
        self.calls += 1
        if self.calls <= 40:
            chain.betas[1:-1] = chain.betas[1:-1] * 0.99 + 0.01 * chain.betas[2:]


def test_an_annealer_may_write_into_the_ladder(whole):
    options = {"betas": (1, 0.5, 0.2, 0.05), "swap_interval": 2}
    made = sampler(adaptive_annealer=HalvesInPlace(), **options)
    made.run(NITERATIONS)
    assert bits(made) == whole("own", "cascade")[0]
    assert (made.betas[:, 1] < 0.5).all()
    assert [chain.last_annealed for chain in made.chains] == [80] * 3


@pytest.mark.parametrize("annealer", ANNEALERS)
def test_rounds_for_a_bar_change_nothing(annealer, whole, monkeypatch):
    monkeypatch.setattr("epsie.running.progress.Progress.seconds", 0.001)
    made = moving(annealer, "deo")
    made.run(NITERATIONS, progress=True)
    assert bits(made) == whole(annealer, "deo")[0]


def test_without_the_annealers_state_a_resume_differs():
    """The defect: it is the state in the middle of a round that the tests above hold."""
    made = moving("barrier", "cascade")
    made.run(41)
    state = made.state
    for chain in state.values():
        annealer = chain[0]["tempering"]["annealer"]
        annealer["rejections"] = [0.0] * len(annealer["rejections"])
    other = moving("barrier", "cascade")
    other.set_state(state)
    for one in (made, other):
        one.run(49)
    assert other.betas.tobytes() != made.betas.tobytes()


def test_the_state_is_plain_and_refused_elsewhere():
    made = moving("barrier", "deo")
    made.run(41)
    state = made.state
    kept = copy.deepcopy(state)
    made.run(20)
    np.testing.assert_equal(state, kept)
    with pytest.raises(ValueError, match="must be of 3 temperatures; got one of 4"):
        sampler(betas=[1, 0.5, 0.2]).set_state(state)
    with pytest.raises(ValueError, match="got one of a plain chain"):
        sampler(betas=[1, 0.5]).chains[0].set_state(state[0][0])
    fixed = sampler(betas=(1, 0.5, 0.2, 0.05))
    before = fixed.state
    with pytest.raises(ValueError, match="the state has the betas"):
        fixed.set_state(state)
    np.testing.assert_equal(fixed.state, before)


def test_what_travels_is_small_and_does_not_grow():
    """One chain with 32 temperatures: new rows and the state."""
    made = sampler(betas=np.geomspace(1, 0.01, 32), nchains=1)
    chain = made.chains[0]
    made.run(100)
    young = len(pickle.dumps(chain.shell()))
    made.run(2000)
    assert len(pickle.dumps(chain.shell())) < 1.1 * young < 100_000
    worker = chain.detached()
    worker.model = ring
    rows = len(pickle.dumps(worker.advance(100))) - len(pickle.dumps(worker.advance(0)))
    # Positions, stats, ratio, decision, blob, and per sweep a place and a ratio.
    per_row = 8 * (2 + 2 + 1 + 1) + 1 + 16
    assert rows < 1.2 * 100 * 32 * per_row


# ---- how points travel


def counted_by_hand(orders):
    """Round trips, following each point by itself."""
    ntemps, nsweeps = orders.shape
    trips = 0
    for point in range(ntemps):
        at, seen = point, "cold" if point == 0 else ""
        for s in range(nsweeps):
            at = orders[:, s].tolist().index(at)
            if at == ntemps - 1 and seen == "cold":
                seen = "hot"
            elif at == 0:
                trips += seen == "hot"
                seen = "cold"
    return trips


def test_round_trips_are_counted_point_by_point():
    rng = generator("trips")
    orders = np.stack(
        [[rng.permutation(4) for _ in range(200)], [rng.permutation(4) for _ in range(200)]]
    ).transpose(2, 0, 1)
    expected = [counted_by_hand(orders[:, i]) for i in range(2)]
    assert min(expected) > 10
    assert communication.round_trips(orders).tolist() == expected
    assert int(communication.round_trips(orders[:, 1])) == expected[1]
    back_and_forth = np.array([[1, 0], [1, 0]] * 1).T
    assert int(communication.round_trips(back_and_forth)) == 1
    assert int(communication.round_trips(np.tile(np.arange(3)[:, None], 5))) == 0


def test_diagnostics_of_a_run():
    made = sampler()
    with pytest.raises(ValueError, match="no sweep of swaps was made yet"):
        _ = made.swap_acceptance
    made.run(300)
    assert made.swap_acceptance.shape == (3, 3)
    np.testing.assert_allclose(
        made.communication_barrier, (1 - made.temperature_acceptance.mean(axis=2)).sum(axis=0)
    )
    expected = [counted_by_hand(made.temperature_swaps[:, i]) for i in range(3)]
    assert made.round_trips.tolist() == expected and sum(expected) > 0
    assert made.recommended_ntemps == math.ceil(2 * made.communication_barrier.mean()) + 1
    with pytest.raises(ValueError, match="one temperature only"):
        _ = sampler(betas=1).round_trips


# ---- real data


def tempered_reference(model, betas, tuning, iterations, nchains=4):
    rng = generator(f"tempered {model.name}")
    made = ParallelTemperedSampler(
        model.parameters,
        model,
        nchains,
        betas,
        proposals=[ATAdaptiveNormal(model.parameters, tuning)],
        seed=seed(),
    )
    starts = [[model.start(rng) for _ in range(nchains)] for _ in betas]
    made.start_position = {
        name: [[start[name] for start in row] for row in starts] for name in model.parameters
    }
    made.run(tuning)
    made.clear()
    made.run(iterations)
    return made


def cold(made):
    positions = made.positions[0]
    return {name: positions[name] for name in positions.dtype.names}


class Unordered(GaussMix):
    """Without the constraint mu1 < mu2: two modes that are images of each other."""

    def __call__(self, **params):
        mu1, mu2, sigma1, sigma2, theta = (params[name] for name in self.parameters)
        if mu1 > mu2:
            params = dict(zip(self.parameters, (mu2, mu1, sigma2, sigma1, 1 - theta), strict=True))
        logl, logp = super().__call__(**params)
        return logl, logp - math.log(2)


MIXTURE_BETAS = [*np.geomspace(1, 0.005, 7), 0]


@pytest.mark.slow
def test_the_ordered_mixture_agrees_with_its_reference():
    model = GaussMix()
    made = tempered_reference(model, np.geomspace(1, 0.1, 3), 2000, 12_000)
    compare_with_reference(model.derived(cold(made)), model.table)


@pytest.mark.parametrize(
    ("iterations", "most"),
    [
        pytest.param(4000, 0.16, marks=pytest.mark.slow),
        pytest.param(20_000, 0.1, marks=[pytest.mark.slow, pytest.mark.rest]),
    ],
)
def test_both_modes_of_the_unordered_mixture_have_half_the_weight(iterations, most):
    """4 Monte Carlo errors by the run's own effective sample size: 6e-5 false alarms."""
    model = Unordered()
    made = tempered_reference(model, MIXTURE_BETAS, 1500, iterations)
    ordered = made.positions[0]["mu1"] < made.positions[0]["mu2"]
    ess = array_stats.ess(ordered.astype(float), chain_axis=0, draw_axis=1, method="mean")
    error = 0.5 / math.sqrt(ess)
    assert error < most
    assert abs(ordered.mean() - 0.5) < 4 * error
    # About one in 1000 iterations of each chain: all four together have none once in 1e7 runs.
    assert made.round_trips.sum() > 0
    positions = {name: np.array(made.positions[0][name]) for name in model.parameters}
    for first, second in (("mu1", "mu2"), ("sigma1", "sigma2")):
        one, other = positions[first], positions[second]
        positions[first] = np.where(ordered, one, other)
        positions[second] = np.where(ordered, other, one)
    positions["theta"] = np.where(ordered, positions["theta"], 1 - positions["theta"])
    for name, row in model.table.items():
        mean, sd = deviations(model.derived(positions)[name], row["mean"], row["sd"])
        assert abs(mean) < 4 and abs(sd) < 4, name


@pytest.mark.slow
def test_garch_agrees_with_its_reference():
    model = Garch()
    made = tempered_reference(model, np.geomspace(1, 0.1, 3), 2000, 12_000)
    compare_with_reference(model.derived(cold(made)), model.table)
