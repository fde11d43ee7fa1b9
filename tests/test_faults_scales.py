"""No unit matters: jumps find their size in whatever units the parameters are."""

import numpy as np
import pytest

import epsie
from epsie import proposals as p
from epsie.chain import Chain
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests.statistical import generator

INF = float("inf")


class Correlated:
    """A normal distribution with these standard deviations, and equal correlations."""

    def __init__(self, sds, correlation=0.5):
        self.sds = np.array(sds, dtype=float)
        self.names = [f"x{i}" for i in range(len(sds))]
        self.correlations = np.full((len(sds), len(sds)), correlation)
        np.fill_diagonal(self.correlations, 1.0)
        self.precision = np.linalg.inv(self.correlations)

    def __call__(self, **values):
        z = np.array(list(values.values())) / self.sds
        return -0.5 * float(z @ self.precision @ z), 0.0

    def free(self):
        return dict.fromkeys(self.names, (-INF, INF))

    def starts(self, nchains, spread, label):
        z = generator(label).normal(0, spread, (nchains, len(self.sds)))
        return dict(zip(self.names, (z * self.sds).T, strict=True))


def sampled(model, proposal, spread, label, nchains=4, learn=4000, keep=8000, seed=3):
    made = MetropolisHastingsSampler(model.names, model, nchains, [proposal], seed=seed)
    made.start_position = model.starts(nchains, spread, label)
    made.run(learn)
    made.clear()
    made.run(keep)
    return made


def assert_right(made, model, rhat=1.01):
    """Known standard deviations, within 5 of their errors: once in a hundred thousand."""
    assert max(made.rhat().values()) <= rhat
    error = made.mcse_sd()
    for name, sd in zip(model.names, model.sds, strict=True):
        assert abs(made.positions[name].std() - sd) < 5 * error[name] + 1e-3 * sd, name


WIDE = Correlated(np.logspace(-30, 30, 4))
JUMPS = {
    "joint": lambda n: p.ATAdaptiveNormal(n, 4000),
    "diagonal": lambda n: p.ATAdaptiveNormal(n, 4000, diagonal=True),
    "componentwise": lambda n: p.ATAdaptiveNormal(n, 4000, componentwise=True),
    "bounded": lambda n: p.ATAdaptiveBoundedNormal(n, WIDE.free(), 4000),
    "eigenvector": lambda n: p.AdaptiveEigenvector(n, 4000, target_rate=0.3),
    "bounded eigenvector": lambda n: p.AdaptiveBoundedEigenvector(
        n, WIDE.free(), 4000, target_rate=0.3
    ),
}


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize(
    ("kind", "spread"),
    [*zip(JUMPS, [0.1, 10.0] * 3, strict=True), ("joint", 1.0), ("joint", 10.0)],
)
def test_scales_from_1e_30_to_1e30_in_one_block(kind, spread):
    made = sampled(WIDE, JUMPS[kind](WIDE.names), spread, f"wide {kind} {spread}")
    rates = made.acceptance_rate()
    assert rates.min() >= 0.15 and rates.max() <= 0.4
    assert_right(made, WIDE, 1.02)


@pytest.mark.slow
@pytest.mark.in_part(5)
@pytest.mark.parametrize("spread", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("ndim", [4, 10, 31])
@pytest.mark.parametrize("run", range(2))
def test_scales_from_1e_30_to_1e30_in_many_dimensions(ndim, spread, run):
    model, label = Correlated(np.logspace(-30, 30, ndim)), f"many {ndim} {spread} {run}"
    learn = 1000 * ndim
    proposal = p.ATAdaptiveNormal(model.names, learn)
    made = sampled(model, proposal, spread, label, learn=learn, keep=3 * learn, seed=run)
    assert max(made.rhat().values()) <= 1.01
    rates = made.acceptance_rate()
    assert rates.min() >= 0.15 and rates.max() <= 0.4


@pytest.mark.parametrize("sds", [[1, 1, 1, 1e-4], [1e-21, 1.0, 3e5, 86400.0], [2e60, 1e-3, 1e55]])
def test_units_of_a_physicist(sds):
    model = Correlated(sds, 0.8)
    made = sampled(model, p.ATAdaptiveNormal(model.names, 4000), 1.0, f"units {sds}")
    assert_right(made, model)


def test_each_parameter_is_spread_in_its_own_way():
    """The starts of one are within a hundredth of a standard deviation, those of others far off."""
    model = Correlated([1e-12, 1.0, 1e9], 0.3)
    made = MetropolisHastingsSampler(
        model.names, model, 5, [p.ATAdaptiveNormal(model.names, 3000)], seed=8
    )
    z = generator("own way").normal(size=(5, 3)) * [0.01, 1.0, 30.0]
    made.start_position = dict(zip(model.names, (z * model.sds).T, strict=True))
    made.run(3000)
    made.clear()
    made.run(9000)
    assert_right(made, model)


def widths(part, sds):
    return np.array(list(part.jump_stds())) / sds


@pytest.mark.parametrize("unit", [1e-30, 1e-21, 1e-4, 1.0, 1e4, 1e20, 1e30])
@pytest.mark.parametrize("kind", ["joint", "diagonal", "componentwise", "eigenvector"])
def test_a_scale_that_nobody_knows_comes_home(kind, unit):
    """One chain: nothing tells its scale. After 1000 jumps it is right within a factor of three."""
    model = Correlated([unit] * 3, 0.0)
    part = JUMPS[kind](model.names)
    chain = Chain(model.names, model, [part], 5)
    chain.start_position = dict.fromkeys(model.names, 0.0)
    chain.run(1000)
    right = 1.4 if kind == "eigenvector" else 2.38 / 3**0.5
    found = widths(part, model.sds) / right
    assert found.min() > 1 / 3 and found.max() < 3
    assert part.adaptation.nsought == 0


@pytest.mark.parametrize("unit", [1e-21, 1e-9, 1e12])
def test_sivia_and_skilling_begin_with_the_spread(unit):
    model = Correlated([unit, 3 * unit], 0.0)
    made = sampled(model, p.SSAdaptiveNormal(model.names), 1.0, f"sivia {unit}")
    assert made.acceptance_rate() == pytest.approx(0.234, abs=0.06)
    assert_right(made, model)


def test_sivia_and_skilling_come_home_alone():
    part = p.SSAdaptiveNormal("x")
    chain = Chain("x", lambda x: (-0.5 * (x / 1e-21) ** 2, 0.0), part, 2)
    chain.start_position = {"x": 0.0}
    chain.run(1000)
    assert 1e-22 < part.std[0] < 1e-20


def test_a_block_goes_on_though_one_of_it_is_flat():
    """The walk of y, which nothing confines, switches off nothing of x and z."""

    def model(x, y, z):
        return -0.5 * (x * x + (z - x) ** 2 / 1e-4), 0.0

    chain = Chain(["x", "y", "z"], model, p.ATAdaptiveNormal(["x", "y", "z"], 8000), 4)
    chain.start_position = {"x": 0.0, "y": 0.0, "z": 0.0}
    part = chain.proposal_dist.proposals[0]
    chain.run(100)
    part.adaptation.unit_cov[1, 1] = 1e210
    chain.run(7900)
    assert part.cov[0, 2] / np.sqrt(part.cov[0, 0] * part.cov[2, 2]) > 0.99
    assert np.isfinite(chain.positions["y"]).all()


def test_what_never_moves_switches_off_nothing():
    """The width of t is lost in the rounding of t; x and y are learned all the same."""
    model = Correlated([1.0, 1e-3], 0.9)
    names = [*model.names, "t"]
    chain = Chain(names, lambda t, **xy: model(**xy), p.ATAdaptiveNormal(names, 6000, cov=1e-20), 4)
    chain.start_position = {**dict.fromkeys(model.names, 0.0), "t": 1126259462.4}
    chain.run(6000)
    cov = chain.proposal_dist.proposals[0].cov
    assert cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1]) == pytest.approx(0.9, abs=0.1)


# ---- the spread is told to all, once, and kept


def make(pool=None, seed=6):
    proposals = [
        p.ATAdaptiveNormal(["x", "y"], 300),
        p.SSAdaptiveNormal("z"),
        p.AdaptiveEigenvector(["u", "v"], 300),
    ]

    def model(x, y, z, u, v):
        return -0.5 * ((x / 1e-9) ** 2 + (y / 1e9) ** 2 + z * z + u * u + (v / 1e-15) ** 2), 0.0

    return MetropolisHastingsSampler(list("xyzuv"), model, 3, proposals, seed=seed, pool=pool)


STARTS = {
    "x": [1e-9, 2e-9, 4e-9],
    "y": [1e9, -1e9, 0.0],
    "z": [0.1, 0.2, 0.3],
    "u": [0.0, 1.0, 1.5],
    "v": [-1e-15, 0.0, 1e-15],
}


def rows(made):
    return made.positions.tobytes()


def test_it_does_not_depend_on_pools_splits_or_resumes(tmp_path, pools):
    import h5py

    whole = make()
    whole.start_position = STARTS
    whole.run(400)
    pooled = make(pools["own"])
    pooled.start_position = STARTS
    for n in (1, 39, 360):
        pooled.run(n)
    assert rows(pooled) == rows(whole)
    first, second = make(), make(seed=6)
    first.start_position = STARTS
    with h5py.File(tmp_path / "state.hdf", "w") as fp:
        first.checkpoint(fp)
        second.set_state_from_checkpoint(fp)
    second.run(400)
    assert rows(second) == rows(whole)
    saved = make()
    saved.start_position = STARTS
    saved.run(10, directory=tmp_path / "run")
    resumed = MetropolisHastingsSampler.resume(tmp_path / "run", saved.model)
    resumed.run(390)
    assert epsie.open_run(tmp_path / "run").positions.tobytes() == rows(whole)


def test_every_chain_has_the_spread_of_all():
    made = make()
    made.start_position = STARTS
    for chain in made.chains:
        block, width, axes = chain.proposal_dist.proposals
        assert block.adaptation.units == pytest.approx([np.std([1, 2, 4], ddof=1) * 1e-9, 1e9])
        assert width.std == pytest.approx([0.1])
        assert axes.scales[1] == pytest.approx(1e-15)
    made.start_position = {**STARTS, "z": [1.0, 2.0, 3.0]}
    assert made.chains[2].proposal_dist.proposals[1].std == pytest.approx([1.0])
    made.run(50)
    block = made.chains[0].proposal_dist.proposals[0]
    learned = block.cov.tolist()
    made.start_position = {**STARTS, "x": [1.0, 2.0, 3.0]}
    assert block.cov.tolist() == learned, "what was learned is not forgotten"


def test_the_spread_of_the_starts_survives_a_reset():
    made, other = make(), make()
    made.start_position = STARTS
    stds = [list(part.jump_stds()) for part in made.chains[0].proposal_dist.proposals]
    made.run(120)
    other.set_state(made.state)
    for sampler in (made, other):
        sampler.chains[0].reset_proposals()
        found = [list(part.jump_stds()) for part in sampler.chains[0].proposal_dist.proposals]
        assert found == stds


def test_without_a_spread_the_unit_is_one():
    made = make()
    made.start_position = {name: [0.1] * 3 for name in STARTS}
    block, width, axes = made.chains[0].proposal_dist.proposals
    assert block.adaptation.units == (1.0, 1.0)
    assert width.std == [1.0] and axes.scales.tolist() == [1.0, 1.0]
    # Nor is one of nothing but rounding.
    made.start_position = {**STARTS, "x": [0.3, 0.1 + 0.2, 0.3]}
    assert made.chains[0].proposal_dist.proposals[0].adaptation.units == (1.0, 1e9)


def test_each_temperature_has_the_spread_of_its_own_starts():
    made = ParallelTemperedSampler(
        "x",
        lambda x: (-0.5 * x * x, 0.0),
        2,
        [1.0, 0.1],
        proposals=[p.ATAdaptiveNormal("x", 99)],
        seed=1,
    )
    made.start_position = {"x": [[0.0, 2.0], [0.0, 20.0]]}
    units = [leaf.adaptation.units[0] for leaf in made.chains[1].leaves()]
    assert units == pytest.approx([2**0.5, 200**0.5])


def test_angles_and_components_that_are_not_active():
    angles = MetropolisHastingsSampler(
        "a", lambda a: (0.0, 0.0), 2, [p.ATAdaptiveAngular("a", 99)], seed=1
    )
    angles.start_position = {"a": [0.01, 2 * np.pi - 0.01]}
    assert angles.chains[0].proposal_dist.proposals[0].adaptation.units[0] == pytest.approx(
        0.02 / 2**0.5
    )
    degrees = p.ATAdaptiveAngular("a", 99, bounds=(0, 360))
    assert degrees.adaptation.units == pytest.approx([180 / np.pi])
    nested = p.NestedTransdimensional(
        ["k", "x", "y"],
        p.BoundedDiscrete("k", {"k": (0, 2)}, successive={"k": True}),
        [p.ATAdaptiveNormal(name, 99) for name in "xy"],
        [p.NormalBirth([name], {name: 0}, {name: 1}) for name in "xy"],
    )
    made = MetropolisHastingsSampler(list("kxy"), lambda **_: (0.0, 0.0), 3, [nested], seed=1)
    made.start_position = {"k": [1, 1, 2], "x": [1e-5, np.nan, 3e-5], "y": [np.nan, 5.0, 5.0]}
    units = [part.adaptation.units[0] for part in made.chains[0].leaves() if part.adaptation]
    assert units == pytest.approx([2**0.5 * 1e-5, 1.0])


# ---- what a person gives is taken


def test_what_is_given_counts_and_not_the_spread():
    cov = [[4e-18, 1e-9], [1e-9, 1.0]]
    given = [
        p.ATAdaptiveNormal(["x", "y"], 99, cov=cov),
        p.ATAdaptiveNormal(["x", "y"], 99, initial_std=[2e-9, 1.0], diagonal=True),
        p.SSAdaptiveNormal(["x", "y"], [4e-18, 1.0]),
        p.AdaptiveEigenvector(["x", "y"], 99, cov),
    ]
    for part in given:
        made = MetropolisHastingsSampler(["x", "y"], Correlated([1, 1]), 2, [part], seed=1)
        before = list(made.chains[0].proposal_dist.proposals[0].jump_stds())
        made.start_position = {"x": [0.0, 5.0], "y": [0.0, 7.0]}
        after = made.chains[0].proposal_dist.proposals[0]
        assert list(after.jump_stds()) == before
        assert before[1] / before[0] == pytest.approx(5e8)
        assert type(part)(**part.config).state.keys() == part.state.keys()
    assert given[0].cov * 2 / 2.38**2 == pytest.approx(np.array(cov))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cov": 1.0, "initial_std": 1.0}, "cov or initial_std, not both"),
        ({"initial_std": [1.0, 0.0]}, "cannot start from a width of zero"),
        ({"cov": [1.0, 0.0]}, "cannot start from a width of zero"),
        ({"cov": [[1, 0.5], [0.5, 1]], "diagonal": True}, "must be diagonal"),
        ({"initial_std": [1.0, 2.0, 3.0]}, "initial_std must be a number or 2"),
        ({"cov": [[1, 2], [2, 1]]}, "positive semi-definite"),
    ],
)
def test_what_cannot_be_started_from(settings, message):
    with pytest.raises(ValueError, match=message):
        p.ATAdaptiveNormal(["x", "y"], 99, **settings)


# ---- eigenvectors


@pytest.mark.parametrize("within", [False, True])
@pytest.mark.parametrize("scales", [(1e-21, 1.0, 1e29), (1e30, 1e-30, 1e-25)])
def test_eigenvectors_of_a_covariance_of_many_scales(scales, within):
    model = Correlated(scales, 0.7)
    cov0 = model.correlations * np.outer(model.sds, model.sds)
    bounds = [model.free()] if within else []
    cls = p.AdaptiveBoundedEigenvector if within else p.AdaptiveEigenvector
    part = cls(model.names, *bounds, 3000, cov0)
    assert part.cov == pytest.approx(cov0, rel=1e-9)
    assert part.eigvals == pytest.approx(np.linalg.eigvalsh(model.correlations))
    made = sampled(model, part, 1.0, f"eigen {scales} {within}", learn=3000)
    assert_right(made, model)
    learned = made.chains[0].proposal_dist.proposals[0]
    assert np.sqrt(np.diag(learned.cov)) == pytest.approx(model.sds, rel=0.3)


def test_fixed_eigenvectors_that_rounding_would_lose():
    model = Correlated([1e-21, 1.0, 1e29], 0.7)
    cov = model.correlations * np.outer(model.sds, model.sds)
    made = sampled(model, p.Eigenvector(model.names, 4 * cov), 1.0, "fixed", learn=10)
    assert_right(made, model)
    # Where nothing is lost they are those of the covariance.
    plain = p.Eigenvector(["x", "y"], [[1.0, 0.5], [0.5, 4.0]])
    assert plain.scales.tolist() == [1.0, 1.0]
    assert plain.eigvals == pytest.approx(np.linalg.eigvalsh([[1.0, 0.5], [0.5, 4.0]]))


def test_the_density_of_jumps_along_eigenvectors_of_the_correlation():
    """By length in units of the scales: of one jump along each it is that of a normal."""
    model = Correlated([1e-9, 1e9], 0.5)
    part = p.AdaptiveEigenvector(model.names, 99, model.correlations * np.outer(*[model.sds] * 2))
    part.bit_generator = 3
    for _ in range(50):
        x = {"x0": 3e-9, "x1": -2e9}
        y = part.jump(x)
        z = (np.array(list(y.values())) - list(x.values())) / model.sds
        length = abs(z @ part.eigvects[:, part.ind])
        assert np.linalg.norm(z) == pytest.approx(length)
        std = part.jump_scales[part.ind] * part.eigvals[part.ind] ** 0.5
        normal = -0.5 * (length / std) ** 2 - np.log(std) - 0.5 * np.log(2 * np.pi)
        assert part.logpdf(y, x) == pytest.approx(normal + np.log(part._picks[part.ind]))
