"""Ensembles of walkers: exact, invariant bit for bit, looked at as what they are, and resumed."""

import dataclasses
import importlib.util
import math
import pickle

import numpy as np
import pytest
from scipy import stats

import epsie
from epsie import EnsembleSampler, MetropolisHastingsSampler, Posterior, Prior, diagnostics
from epsie.chain import EnsembleChain
from epsie.cli.commands import main
from epsie.ensembles import DifferentialEvolution, Snooker, Stretch
from epsie.ensembles.proposal import EnsembleMoves
from epsie.errors import ModelError, RunDirectoryError
from epsie.model.evaluation import Point
from epsie.storage.statetree import encode
from tests.statistical import Continuous, Plan, check_draws, generator, judge_draws

NAMES = ("x", "y")
SEVERAL = [("stretch", 1.0), (DifferentialEvolution(), 2.0), (Snooker(), 1.0)]


def model(x, y):
    """x is normal; y is normal around x / 2."""
    off = y - x / 2
    return -(x * x) / 2, -(off * off) / 2


def with_blob(x, y):
    return *model(x, y), {"sum": x + y, "pair": np.array([x, y])}


NWALKERS = 8
MARGINALS = {
    "x": Continuous("x", stats.norm.cdf),
    "y": Continuous("y", stats.norm(0, math.sqrt(1.25)).cdf),
    "mean": Continuous("mean", stats.norm(0, 1 / math.sqrt(NWALKERS)).cdf),
    "radius": Continuous(lambda s: s["x"] ** 2 + (s["y"] - s["x"] / 2) ** 2, stats.chi2(2).cdf),
}


def after_steps(moves, label, steps=2):
    """Draws of the target, after so many steps of ensembles that were drawn from it.

    Walkers are drawn independently; what leaves the target of all of them invariant leaves them
    independent.
    """
    rng = generator(label)
    chain = EnsembleChain(NAMES, model, EnsembleMoves(NAMES, moves), NWALKERS, rng.bit_generator)

    def draw(size):
        ends = []
        for _ in range(size // NWALKERS):
            xs = rng.normal(size=NWALKERS)
            ys = xs / 2 + rng.normal(size=NWALKERS)
            at = zip(xs.tolist(), ys.tolist(), strict=True)
            chain.begin([Point((x, y), *model(x, y), None) for x, y in at])
            for _ in range(steps):
                chain.step()
            ends += [walker.point.x for walker in chain.walkers]
        x, y = np.array(ends).T
        return {"x": x, "y": y, "mean": x.reshape(-1, NWALKERS).mean(axis=1)}

    return draw


@pytest.mark.parametrize(
    "moves", ["stretch", "differential_evolution", "snooker", SEVERAL], ids=str
)
def test_moves_leave_the_target_invariant(moves):
    """Fails by chance once in 100,000 times."""
    check_draws(after_steps(moves, f"ensemble {moves}"), MARGINALS)


@dataclasses.dataclass(frozen=True)
class StretchWithoutFactor(Stretch):
    def draw(self, x, others, stream):
        return super().draw(x, others, stream)[0], 0.0


@dataclasses.dataclass(frozen=True)
class SnookerWithoutFactor(Snooker):
    def draw(self, x, others, stream):
        return super().draw(x, others, stream)[0], 0.0


@dataclasses.dataclass(frozen=True)
class OneWay(DifferentialEvolution):
    def draw(self, x, others, stream):
        return super().draw(x, sorted(others)[:: len(others) - 1], _Zeros(stream))


class _Zeros:
    def __init__(self, stream):
        self.normal = stream.normal

    def uniforms(self, n):
        return [0.0] * n


@pytest.mark.parametrize(
    "moves", [StretchWithoutFactor(), SnookerWithoutFactor(), OneWay()], ids=str
)
def test_planted_defects_are_seen(moves):
    verdict = judge_draws(after_steps(moves, f"defect {moves}", steps=4), MARGINALS, Plan())
    assert not verdict.passed, str(verdict)


def sampler(nensembles=3, nwalkers=8, moves=None, model=with_blob, start=True, **settings):
    made = EnsembleSampler(NAMES, model, nensembles, nwalkers, moves, seed=5, **settings)
    if start:
        rng = np.random.default_rng(3)
        made.start_position = {name: rng.normal(size=(nensembles, nwalkers)) for name in NAMES}
    return made


def tables(of):
    return [getattr(of, name) for name in ("positions", "stats", "acceptance", "blobs")]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(tables(a), tables(b), strict=True))


@pytest.fixture(scope="module")
def whole():
    made = sampler(moves=SEVERAL)
    made.run(60)
    return made


def test_arrays_have_ensembles_first(whole):
    assert (whole.nensembles, whole.nwalkers, whole.nchains) == (3, 8, 3)
    assert whole.positions.shape == whole.acceptance.shape == (3, 8, 60)
    assert whole.blobs["pair"].shape == (3, 8, 60, 2)
    assert np.array_equal(whole.blobs["sum"], whole.positions["x"] + whole.positions["y"])
    assert np.array_equal(whole.current_positions["x"], whole.positions["x"][..., -1])
    assert whole.start_position["x"].shape == whole.current_stats["logl"].shape == (3, 8)
    assert np.array_equal(whole.start_position["x"], np.random.default_rng(3).normal(size=(3, 8)))
    one = whole.chains[1]
    assert np.array_equal(one.positions, whole.positions[1])
    assert one.current_position["y"].shape == (8,)
    assert whole.evaluations == 3 * 8 * 61
    assert "3 ensembles of 8 walkers" in repr(whole)
    assert "8 walkers" in repr(one)


@pytest.mark.parametrize("name", ["fork", pytest.param("own", marks=pytest.mark.slow)])
def test_the_same_bits_on_any_pool(whole, pools, name):
    made = sampler(moves=SEVERAL, pool=pools[name])
    made.run(60, verify=True)
    assert same(made, whole)


def vectorized(x, y):
    return *model(x, y), {"sum": x + y, "pair": np.stack([x, y], axis=-1)}


@pytest.mark.parametrize("rows", [True, 8, 3])
def test_halves_are_evaluated_together(whole, rows, tmp_path):
    sizes = []

    def counting(x, y):
        sizes.append(len(x))
        return vectorized(x, y)

    made = sampler(moves=SEVERAL, model=counting, vectorize=rows)
    sizes.clear()
    made.run(40, directory=tmp_path)
    if rows is True:
        assert sizes[-80:] == [12] * 80
    again = EnsembleSampler.resume(tmp_path, vectorized)
    again.run(total=60)
    assert {*sizes} == {12 if rows is True else rows}
    assert same(epsie.open_run(tmp_path), whole)


def two_at_once(x, y):
    logl, logp = model(x, y)
    return logl, np.where(x > 1.5, -math.inf, logp)


def one(x, y):
    return (None, -math.inf) if x > 1.5 else model(x, y)


@pytest.mark.parametrize(("nensembles", "nwalkers"), [(3, 8), (1, 150)])
def test_ensembles_as_arrays_have_the_bits_of_one_by_one(nensembles, nwalkers):
    starts = np.random.default_rng(4).normal(size=(2, nensembles, nwalkers)).clip(-3, 1)
    starts += np.random.default_rng(5).normal(scale=0.1, size=starts.shape)
    made = [
        sampler(nensembles, nwalkers, model=one, start=False),
        sampler(nensembles, nwalkers, model=two_at_once, start=False, vectorize=True),
    ]
    for each in made:
        each.start_position = dict(zip(NAMES, starts, strict=True))
    made[0].run(60)
    made[1].run(23)
    for chain in made[1].chains:  # one by one, and back
        chain.step()
    made[1].run(36)
    alone, together = made
    assert encode(alone.state) == encode(together.state)
    assert alone.evaluations == together.evaluations
    for table in ("positions", "stats", "acceptance"):
        assert np.array_equal(getattr(alone, table), getattr(together, table))


def test_the_same_bits_however_it_is_split(whole):
    made = sampler(moves=SEVERAL)
    made.run(17)
    state = pickle.loads(pickle.dumps(made.state))
    made.run(1)
    made.run(42)
    assert same(made, whole)
    other = sampler(moves=SEVERAL, start=False)
    other.set_state(state)
    other.run(43)
    assert np.array_equal(other.positions, whole.positions[..., 17:])
    made.clear()
    whole_state = whole.state
    assert pickle.dumps(made.state) == pickle.dumps(whole_state)
    by_hand = sampler(moves=SEVERAL)
    for chain in by_hand.chains:
        for _ in range(60):
            chain.step()
    assert same(by_hand, whole)


def test_parts_are_the_ensembles_of_the_whole(whole, tmp_path):
    rng = np.random.default_rng(3)
    starts = {name: rng.normal(size=(3, 8)) for name in NAMES}
    for directory, ids in (("a", [2, 0]), ("b", [1])):
        part = sampler(moves=SEVERAL, chains=ids, start=False)
        part.start_position = starts
        part.run(60, directory=tmp_path / directory)
    assert same(epsie.open_run([tmp_path / "a", tmp_path / "b"]), whole)
    merged = tmp_path / "merged"
    main_ends_with(0, "merge", str(merged), str(tmp_path / "a"), str(tmp_path / "b"))
    assert same(epsie.open_run(merged), whole)


def main_ends_with(code, *arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == code


def test_a_run_directory_is_resumed_and_looked_at(whole, tmp_path, capsys):
    made = sampler(moves=SEVERAL)
    made.run(25, directory=tmp_path / "run", every=10)
    again = EnsembleSampler.resume(tmp_path / "run", with_blob)
    again.run(total=60)
    run = epsie.open_run(tmp_path / "run")
    assert same(run, whole)
    assert run.ntemps is None
    assert run.ess_bulk(20) == whole.ess_bulk(20)
    assert str(run.summary(20)) == str(whole.summary(20))
    assert np.array_equal(run.draws(20)["x"], whole.draws(20)["x"])
    with pytest.raises(RunDirectoryError, match="ensemble"):
        MetropolisHastingsSampler.resume(tmp_path / "run", with_blob)
    with pytest.raises(RunDirectoryError, match="moves"):
        sampler().run(total=70, directory=tmp_path / "run")
    for command in ("verify", "info", "summary"):
        main_ends_with(0, command, str(tmp_path / "run"))
    said = capsys.readouterr().out
    assert "affine-invariant ensembles, 3 ensembles of 8 walkers" in said
    assert "3 ensembles of 8 walkers x" in said


def test_the_recipe_makes_it_again(whole):
    space = {"model": with_blob, "start_position": whole.start_position}
    exec(whole.recipe(), space)
    assert same(space["sampler"], whole)


def test_a_failed_run_changes_nothing(whole):
    calls = []

    def failing(x, y):
        calls.append(x)
        if len(calls) > 300:
            raise RuntimeError("out of order")
        return with_blob(x, y)

    made = sampler(moves=SEVERAL, model=failing)
    made.run(5)
    before = pickle.dumps(made.state)
    with pytest.raises(ModelError, match=r"(?s)out of order.*ensemble.*walker") as error:
        made.run(50)
    assert "moves" in str(error.value)
    assert pickle.dumps(made.state) == before
    made.model = with_blob
    made.run(55)
    assert same(made, whole)


def test_a_posterior_starts_itself_and_stops_when_it_has_enough():
    posterior = Posterior(
        lambda a, b: -(a * a + b * b) / 0.02, Prior(a=(-1, 1), b=stats.norm(0, 1))
    )
    made = EnsembleSampler(posterior, nensembles=4, nwalkers=10, seed=2)
    made.run(3000, until={"ess": 200, "rhat": 1.05})
    assert made.stopped_by == "until"
    assert min(made.ess_bulk().values()) > 150
    assert made.draws(flat=True)["a"].ndim == 1
    assert abs(made.summary().mean["a"]) < 6 * made.mcse_mean()["a"]
    assert made.autocorrelation_length()["a"].shape == (4,)
    assert made.acceptance_rate().shape == (40,)


def test_angles_of_a_posterior(tmp_path):
    posterior = Posterior(
        lambda a, phi: -a * a / 2 + math.cos(phi), Prior(a=(-5, 5), phi=epsie.Angle())
    )
    made = EnsembleSampler(posterior, nensembles=2, nwalkers=8, seed=2)
    made.run(50, directory=tmp_path)
    assert made.proposals[0].periods() == {"phi": math.tau}
    again = EnsembleSampler.resume(tmp_path, posterior)
    again.run(total=60)
    main_ends_with(0, "verify", str(tmp_path))
    made = EnsembleSampler(posterior, nensembles=2, nwalkers=8, seed=2)
    made.run(60)
    assert np.array_equal(epsie.open_run(tmp_path).positions, made.positions)


def test_nan_is_rejected_or_named_in_arrays_too():
    def nan_beyond(x, y):
        logl, logp = model(x, y)
        return np.where(np.asarray(x) > 1.0, math.nan, logl), logp

    starts = dict(zip(NAMES, -np.abs(np.random.default_rng(1).normal(size=(2, 2, 8)))))
    made = [
        sampler(2, 8, model=nan_beyond, start=False, nan="reject", vectorize=vectorize)
        for vectorize in (False, True)
    ]
    for each in made:
        each.start_position = starts
        each.run(50)
    assert sum(walker.nan_count for chain in made[0].chains for walker in chain.walkers) > 5
    assert encode(made[0].state) == encode(made[1].state)
    strict = sampler(2, 8, model=nan_beyond, start=False, vectorize=True)
    strict.start_position = starts
    with pytest.raises(ModelError, match=r"(?s)nan.*ensemble.*walker"):
        strict.run(50)
    assert strict.niterations == 0


@dataclasses.dataclass(frozen=True)
class Broken(Stretch):
    factor: float | str = math.nan

    def draw(self, x, others, stream):
        return super().draw(x, others, stream)[0], 0.0 + self.factor


@pytest.mark.parametrize("vectorize", [False, True])
@pytest.mark.parametrize(
    ("factor", "says"),
    [(math.nan, r"no density(?s:.)*walker: \d"), ("", "TypeError(?s:.)*ensemble")],
)
def test_moves_that_fail_are_named_in_arrays_too(factor, says, vectorize):
    made = sampler(2, 8, moves=Broken(factor=factor), model=model, vectorize=vectorize)
    with pytest.raises(epsie.errors.ProposalError, match=says):
        made.run(5)


def correlated(rng, nensembles=8, nwalkers=16, n=2000, rho=0.9, common=0.5):
    """Stationary walkers of unit variance that have a slow part in common, of such a variance."""
    slow = rng.normal(size=(nensembles, n)) * math.sqrt(1 - rho**2)
    slow[:, 0] = rng.normal(size=nensembles)
    for t in range(1, n):
        slow[:, t] += rho * slow[:, t - 1]
    own = rng.normal(size=(nensembles, nwalkers, n))
    return math.sqrt(common) * slow[:, None] + math.sqrt(1 - common) * own


def test_effective_sizes_know_that_walkers_depend_on_each_other():
    """The error of the mean is known; the ratio of the two has an error of less than 7 %.

    Between 0.7 and 1.3 fails by chance less than once in 100,000 times.
    """
    rho, common, shape = 0.9, 0.5, (8, 16, 2000)
    draws = {"x": correlated(generator("correlated walkers"), *shape, rho, common)}
    nensembles, nwalkers, n = shape
    variance = common * (1 + rho) / (1 - rho) + (1 - common) / nwalkers
    worth = nensembles * n / variance
    found = diagnostics.ess_bulk(draws, nwalkers=nwalkers)["x"]
    assert 0.7 < found / worth < 1.3
    assert 0.7 < diagnostics.mcse_mean(draws, nwalkers=nwalkers)["x"] ** 2 * worth < 1.3
    alone = {"x": draws["x"].reshape(-1, n)}
    assert diagnostics.ess_bulk(alone)["x"] > 2 * worth
    lengths = diagnostics.autocorrelation_length(draws, nwalkers=nwalkers)["x"]
    assert lengths.shape == (8,)
    assert 12 < lengths.mean() < 24


def test_r_hat_compares_ensembles_with_each_other():
    draws = correlated(generator("apart"), n=500)
    assert diagnostics.rhat({"x": draws}, nwalkers=16)["x"] < 1.05
    draws[3] += 2.0
    assert diagnostics.rhat({"x": draws}, nwalkers=16)["x"] > 1.1
    text = str(diagnostics.summarise({"x": draws}, nwalkers=16))
    assert "ensemble 3 is apart from all others in x" in text
    assert "8 ensembles of 16 walkers x 500 draws" in text
    draws[2, 5, 100:] = 0.0
    assert diagnostics.stuck_chains({"x": draws.reshape(-1, 500)}) == {37: 100}
    text = str(diagnostics.summarise({"x": draws}, nwalkers=16, stuck={37: 100}))
    assert "walker 5 of ensemble 2 is stuck" in text
    one = str(diagnostics.summarise({"x": draws[0]}, nwalkers=16))
    assert "there is one ensemble" in one


@pytest.mark.slow
def test_pictures_and_arviz(whole):
    pytest.importorskip("matplotlib")
    from epsie import plots

    assert plots.trace(whole) is not None
    if importlib.util.find_spec("arviz") is not None:
        tree = whole.to_arviz(20)
        assert tree["posterior"]["x"].shape == (24, 40)


TWO = ("x", "y")
BAD = [
    ({"nwalkers": 4}, ValueError, "nwalkers=4 is too few.*6 or more"),
    ({"nwalkers": 9}, ValueError, "nwalkers=9 is an odd number"),
    ({"nwalkers": 8.5}, ValueError, "nwalkers must be"),
    ({"nensembles": 0}, ValueError, "1"),
    ({"moves": "walk"}, ValueError, "moves must be of stretch.*got 'walk'"),
    ({"moves": []}, ValueError, "got none"),
    ({"moves": 3}, TypeError, "moves must be of stretch"),
    ({"moves": [("stretch", -1)]}, ValueError, "weight.*positive"),
    ({"moves": [Stretch]}, TypeError, "moves must be of stretch"),
]


@pytest.mark.parametrize(("given", "kind", "says"), BAD, ids=lambda of: str(of)[:40])
def test_what_is_refused(given, kind, says):
    settings = {"nensembles": 2, "nwalkers": 8, "moves": None, **given}
    with pytest.raises(kind, match=says):
        EnsembleSampler(NAMES, model, **settings)


def test_moves_refuse_what_they_cannot_use():
    for make in (
        lambda: Stretch(1.0),
        lambda: DifferentialEvolution(0.0),
        lambda: DifferentialEvolution(sigma=-1),
        lambda: Snooker(2.0, 1.0),
    ):
        with pytest.raises(ValueError, match="must be"):
            make()
    with pytest.raises(ValueError, match="6 or more"):
        EnsembleSampler("x", lambda x: (-x * x, 0.0), 1, 4, "snooker")
    prior = Prior(a=(-1, 1), k=stats.randint(0, 5))
    with pytest.raises(ValueError, match="k is an integer"):
        EnsembleSampler(Posterior(lambda a, k: 0.0, prior), nensembles=1, nwalkers=6)


def refused_start(x, y):
    made = sampler(2, 8, start=False)
    with pytest.raises(ValueError) as error:
        made.start_position = {"x": x, "y": y}
    assert made.chains[0].start is None
    return str(error.value)


def test_starts_in_a_subspace_are_named():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 2, 8))
    assert "ensemble 0 starts at one value of x" in refused_start(np.zeros((2, 8)), y)
    line = np.where([[False], [True]], 3 * x + 1, y)
    text = refused_start(x, line)
    assert "ensemble 1 span 1 of 2 directions, as x, y are tied" in text
    assert "a start of its own" in text
    assert "ensemble 0" not in text
    far = 1e9 + 1e-3 * x
    sampler(2, 8, start=False).start_position = {"x": 1e-3 * x, "y": 1e3 * y}
    sampler(2, 8, start=False, model=lambda x, y: (0.0, 0.0)).start_position = {"x": far, "y": y}


def test_starts_of_wrong_shapes():
    x = np.random.default_rng(1).normal(size=(2, 8))
    assert "(nensembles, nwalkers) = (2, 8)" in refused_start(x[0], x[0])
    assert "walkers of its own" in refused_start(x[0], x)
    assert "transposed" in refused_start(x.T, x.T)
    assert "reshape(2, 8)" in refused_start(x.ravel(), x.ravel())
    bad = x.copy()
    bad[1, 3] = math.inf
    made = sampler(2, 8, start=False, model=lambda x, y: (0.0, -abs(x)))
    with pytest.raises(ValueError, match="chain 1: walker 3"):
        made.start_position = {"x": bad, "y": x}


def test_a_state_of_another_ensemble_is_refused(whole):
    with pytest.raises(ValueError, match="10 walkers; got one of 8"):
        sampler(3, 10).set_state(whole.state)
