"""Mixtures of t distributions: densities, draws, fits, and what is put beside them."""

import math

import numpy as np
import pytest
from scipy import stats

from epsie.errors import MalformedStateError
from epsie.proposals.learned import em
from epsie.proposals.learned.envelope import enveloped
from epsie.proposals.learned.fit import fit
from epsie.proposals.learned.mixture import Mixture
from epsie.proposals.learned.surrogate import surrogate, surrogates
from epsie.proposals.learned.with_prior import fitted as fitted_with_prior
from tests.statistical import Continuous, Discrete, assert_power, check_draws, generator


def some(size, d, label="some"):
    """A mixture without any regularity."""
    rng = generator(f"{label} {size} {d}")
    roots = rng.standard_normal((size, d, d))
    covs = roots @ roots.transpose(0, 2, 1) + np.eye(d)
    means = 3 * rng.standard_normal((size, d))
    return Mixture.of(rng.random(size) + 0.1, means, covs, rng.uniform(2, 20, size))


@pytest.mark.parametrize("d", [1, 2, 7])
def test_the_density_is_that_of_multivariate_t(d):
    mixture = some(3, d)
    x = mixture.draw(generator("density"), 50)
    parts = [
        w * stats.multivariate_t(m, s, nu).pdf(x)
        for w, m, s, nu in zip(
            mixture.weights, mixture.means, mixture.covs, mixture.dofs, strict=True
        )
    ]
    np.testing.assert_allclose(mixture.at_rows(x)[0], np.log(np.sum(parts, axis=0)), rtol=1e-10)
    log_q, log_parts, _ = zip(*map(mixture.at, x.tolist()), strict=True)
    shares = np.exp(np.array(log_parts) - np.array(log_q)[:, np.newaxis])
    np.testing.assert_allclose(shares, (parts / np.sum(parts, axis=0)).T, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("d", [1, 2, 3, 8, 20, 50])
@pytest.mark.parametrize("size", [1, 2, 5, 8, 9, 33])
def test_a_point_and_rows_have_the_same_bits(size, d):
    mixture = some(size, d)
    for n in (1, 2, 3, 31, 128):
        x = mixture.draw(generator("bits"), n)
        found = [mixture.at(row) for row in x.tolist()]
        density, log_parts, distances = mixture.at_rows(x)
        assert [one[0] for one in found] == density.tolist()
        assert [list(one[1]) for one in found] == log_parts.tolist()
        assert [list(one[2]) for one in found] == distances.tolist()
        for one, same in zip(found, mixture.at_each(x), strict=True):
            assert one[0] == same[0]
            assert list(one[1]) == list(same[1])
            assert type(one[1]) is type(same[1])
        np.testing.assert_allclose(mixture.quick(x)[0], density, rtol=1e-9)


def one_dimensional():
    return Mixture.of([0.3, 0.7], [[-2.0], [3.0]], [[[0.25]], [[4.0]]], [3.0, 9.0])


def cdf(x):
    return 0.3 * stats.t(3, -2, 0.5).cdf(x) + 0.7 * stats.t(9, 3, 2).cdf(x)


def test_draws_follow_the_density():
    """False alarms: 1e-5."""
    mixture, rng = one_dimensional(), generator("draws")
    check_draws(lambda n: {"x": mixture.draw(rng, n)[:, 0]}, {"x": Continuous("x", cdf)})


def test_draws_without_their_weights_are_seen():
    mixture = one_dimensional()
    equal = Mixture.of([0.5, 0.5], mixture.means, mixture.covs, mixture.dofs)
    rng = generator("draws")

    def start(rng, n):
        return {"x": mixture.draw(rng, n)[:, 0]}

    def defect(x):
        return {"x": float(equal.draw(rng, 1)[0, 0])}

    assert_power(start, defect, {"x": Continuous("x", cdf)}, rng)


@pytest.mark.parametrize("size", [3, 9])
def test_components_are_drawn_by_their_shares(size):
    """False alarms: 1e-5."""
    mixture, rng = some(size, 2), generator("chosen")
    seen = mixture.at([0.5, -1.0])
    shares = np.exp(np.array(seen[1]) - seen[0])

    def draw(n):
        return {"k": np.array([mixture.components.choose(seen, u) for u in rng.random(n)])}

    check_draws(draw, {"k": Discrete("k", dict(enumerate(shares)))})
    assert mixture.components.choose(seen, math.nextafter(1, 0)) == size - 1


def test_plain_data_bring_it_back():
    mixture = some(4, 3)
    again = Mixture.from_plain(mixture.plain(), 3)
    x = mixture.draw(generator("plain"), 20)
    assert again.at_rows(x)[0].tobytes() == mixture.at_rows(x)[0].tobytes()
    for name, value in (
        ("means", mixture.means[:3]),
        ("means", mixture.means.astype(np.float32)),
        ("dofs", -mixture.dofs),
        ("factors", mixture.factors * np.nan),
        ("inverses", None),
    ):
        with pytest.raises(MalformedStateError, match=name):
            Mixture.from_plain({**mixture.plain(), name: value}, 3)
    with pytest.raises(MalformedStateError, match="means"):
        Mixture.from_plain(mixture.plain(), 4)


def test_moving_it_moves_its_density():
    mixture, scale = some(3, 2), np.array([1e-8, 1e5])
    x = mixture.draw(generator("moved"), 20)
    moved = mixture.moved([4, 5], scale)
    expected = mixture.at_rows(x)[0] - np.log(scale).sum()
    np.testing.assert_allclose(moved.at_rows([4, 5] + scale * x)[0], expected, rtol=1e-6)


def fitted(rows, **settings):
    return fit(rows[::2], rows[1::2], **settings)


def shortfall(mixture, truth, label):
    """How much less likely draws from the truth are by a mixture."""
    x = truth.draw(generator(label), 4000)
    return float((truth.at_rows(x)[0] - mixture.at_rows(x)[0]).mean())


@pytest.mark.parametrize("d", [1, 2, 5, 10])
def test_a_known_mixture_is_recovered(d):
    means = np.zeros((3, d))
    means[1], means[2, 0] = 8 / math.sqrt(d), -8
    covs = np.array([np.eye(d), 0.3 * np.eye(d) + 0.2, 2 * np.eye(d)])
    truth = Mixture.of([0.2, 0.3, 0.5], means, covs, [5.0, 30.0, 10.0])
    found = fitted(truth.draw(generator("known"), 6000))
    assert 3 <= found.core.size <= 6
    assert shortfall(found.core, truth, "known test") < 0.01 + 0.003 * d
    # Broader, it costs little where the target is, and covers more.
    assert shortfall(found.broad, truth, "known test") < 0.2
    assert found.broad.size == 2 * found.core.size + 1


@pytest.mark.parametrize("nu", [3.0, 10.0, 100.0])
def test_degrees_of_freedom_are_found(nu):
    truth = Mixture.of([1.0], np.zeros((1, 4)), [np.eye(4)], [nu])
    found = fitted(truth.draw(generator(f"dofs {nu}"), 6000)).core
    assert found.size == 1
    assert nu / 2 <= found.dofs[0] <= nu * 3
    assert shortfall(found, truth, "dofs test") < 0.01


def test_a_banana_takes_many_components():
    rng = generator("banana")
    x = 1 + math.sqrt(10) * rng.standard_normal(8000)
    rows = np.column_stack([x, x * x + math.sqrt(0.1) * rng.standard_normal(8000)])
    found = fitted(rows[:6000])
    assert found.core.size > 8
    # The entropy of the banana, and that of a single normal distribution.
    exact = 0.5 * math.log(10 * 0.1) + math.log(2 * math.pi) + 1
    assert -found.core.quick(rows[6000:])[0].mean() < exact + 0.15
    assert -fitted(rows[:6000], largest=1).core.quick(rows[6000:])[0].mean() > exact + 2


def test_a_narrow_component_stays_narrow_beside_a_broad_one(monkeypatch):
    """Covariances are shrunk to an average that broad components do not rule.

    A variance found from 900 points has an error of 5 %: it is off by 20 % in one run of 10,000.
    """
    covs = [np.diag([1e-6, 1, 1, 1]), np.eye(4)]
    truth = Mixture.of([0.9, 0.1], np.zeros((2, 4)), covs, [100.0, 100.0])
    rows = truth.draw(generator("narrow"), 1000)

    def narrowest():
        found = fitted(rows).core
        return found.covs[found.weights.argmax(), 0, 0]

    assert 0.8e-6 < narrowest() < 1.2e-6
    targets = em._targets

    def defect(mixture, shape, size):
        if size == 1:
            return targets(mixture, shape, size)
        average = np.tensordot(mixture.weights, mixture.covs, axes=1)
        by = np.linalg.det(mixture.covs) / np.linalg.det(average)
        return average * (by ** (1 / 4))[:, np.newaxis, np.newaxis]

    monkeypatch.setattr(em, "_targets", defect)
    assert narrowest() > 2e-6


@pytest.mark.parametrize("scale", [1e-30, 1e-8, 1e8, 1e30])
def test_units_do_not_matter(scale):
    truth = some(2, 3, "units")
    rows = truth.draw(generator("units"), 2000)
    by = np.array([scale, 1.0, 1 / scale])
    plain, scaled = fitted(rows), fitted(rows * by)
    tests = truth.draw(generator("units test"), 200)
    expected = plain.broad.at_rows(tests)[0] - np.log(by).sum()
    np.testing.assert_allclose(scaled.broad.at_rows(tests * by)[0], expected, atol=1e-4)


DEGENERATE = {
    "three points": lambda rng: rng.standard_normal((3, 4)),
    "two points in one dimension": lambda rng: np.array([[1.0], [2.0]]),
    "one point": lambda rng: np.tile([1.0, 2.0], (50, 1)),
    "a point at 0": lambda rng: np.zeros((10, 3)),
    "repeated rows": lambda rng: np.repeat(rng.standard_normal((20, 3)), 100, axis=0),
    "a constant column": lambda rng: np.column_stack([rng.standard_normal(500), np.full(500, 7.0)]),
    "equal columns": lambda rng: np.tile(rng.standard_normal((500, 1)), (1, 3)),
    "fewer points than dimensions": lambda rng: rng.standard_normal((30, 100)),
    "two values": lambda rng: rng.integers(0, 2, (1000, 2)).astype(float),
    "an outlier": lambda rng: np.vstack([rng.standard_normal((999, 2)), [[1e9, 1e9]]]),
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_degenerate_points_are_fitted(case):
    """Something can be drawn from it, and has a density, whatever the points are."""
    rows = DEGENERATE[case](generator(case))
    for found in (fitted(rows), fitted(rows, former=some(2, rows.shape[1]))):
        drawn = found.broad.draw(generator(f"{case} drawn"), 100)
        assert np.isfinite(drawn).all()
        assert np.isfinite(found.broad.at_rows(drawn)[0]).all()
        assert np.isfinite(found.broad.at_rows(rows[:100])[0]).all()


@pytest.mark.parametrize("d", [1, 3, 30, pytest.param(100, marks=pytest.mark.slow)])
def test_many_dimensions(d):
    """The same points more often: a fit looks at each a bounded number of times."""
    rows = generator(f"dimensions {d}").standard_normal((max(2000, 20 * d), d))
    found = fitted(rows)
    assert found.core.size == 1
    assert shortfall(
        found.core, Mixture.of([1.0], np.zeros((1, d)), [np.eye(d)], [300.0]), "many"
    ) < (0.6 * d * (d + 3) / 2 / len(rows) + 0.01)


def test_the_former_fit_is_gone_on_from_if_it_is_better():
    truth = some(6, 2, "former")
    first = fitted(truth.draw(generator("former"), 6000)).core
    few = truth.draw(generator("former few"), 200)
    alone, on = fitted(few).core, fitted(few, former=first).core
    assert shortfall(on, truth, "former test") <= shortfall(alone, truth, "former test")


def test_the_surrogate_of_a_normal_density_is_exact():
    rng = generator("surrogate")
    d = 5
    root = rng.standard_normal((d, d))
    cov, mean = root @ root.T + np.eye(d), 3 * rng.standard_normal(d)
    target = stats.multivariate_normal(mean, cov)
    rows = rng.uniform(-30, 30, (80, d))
    one = surrogate(rows, target.logpdf(rows))
    np.testing.assert_allclose(one.means[0], mean, atol=1e-5)
    np.testing.assert_allclose(one.covs[0], cov, atol=1e-4)
    assert surrogate(rows[:20], target.logpdf(rows[:20])) is None
    assert surrogate(rows, -target.logpdf(rows)) is None
    logs = np.where(np.arange(80) < 30, -np.inf, target.logpdf(rows))
    np.testing.assert_allclose(surrogate(rows, logs).means[0], mean, atol=1e-5)
    assert surrogate(np.ones((80, d)), np.zeros(80)) is None


def test_surrogates_know_a_mode_that_is_far_lower_where_it_was_seen():
    rng = generator("surrogates")
    d, at = 4, 5.0
    rows = np.concatenate(
        [at + rng.standard_normal((200, d)), -at + 2 * rng.standard_normal((40, d)) - 3]
    )
    logs = np.logaddexp(*[-0.5 * np.square(rows - m).sum(axis=1) for m in (at, -at)])
    both = surrogates(rows, logs)
    assert both.weights.tolist() == [0.5, 0.5]
    np.testing.assert_allclose(both.means, [[at] * d, [-at] * d], atol=1e-6)
    assert surrogates(rows[:200], logs[:200]).size == 1
    assert surrogates(rows[:5], logs[:5]) is None


def test_the_envelope_covers_what_the_mixture_lacks():
    rng = generator("envelope")
    rows = np.vstack([rng.standard_normal((2000, 2)), 0.3 * rng.standard_normal((100, 2)) + 6])
    target = Mixture.of([0.95, 0.05], [[0, 0], [6, 6]], [np.eye(2), 0.09 * np.eye(2)], [300, 300])
    narrow = Mixture.of([1.0], np.zeros((1, 2)), [np.eye(2)], [20.0])
    logs = target.quick(rows)[0]
    wider = enveloped(narrow, rows, logs)
    assert narrow.size < wider.size <= narrow.size + 16
    assert abs(wider.weights.sum() - 1) < 1e-12
    assert (logs - wider.quick(rows)[0]).max() < (logs - narrow.quick(rows)[0]).max() - 5
    # Its density still is one.
    grid = np.stack(np.meshgrid(*[np.linspace(-40, 40, 801)] * 2), axis=-1).reshape(-1, 2)
    assert abs(np.exp(wider.quick(grid)[0]).sum() * 0.01 - 1) < 0.01
    assert enveloped(target, rows, logs).size == 2


def test_rows_that_are_nearly_one_point_and_others_far_away_are_fitted():
    """Matrices made of their factors are not positive definite then, by rounding."""
    for number in range(120, 150):
        rng = np.random.default_rng(number)
        d, k = int(rng.integers(2, 7)), int(rng.integers(3, 40))
        far = rng.standard_normal((60, d)) * 10.0 ** rng.uniform(0, 6, d)
        along = rng.standard_normal((k, 1)) * 10.0 ** rng.uniform(-1, 1) * rng.standard_normal(d)
        near = along + rng.standard_normal((k, d)) * 10.0 ** rng.uniform(-12, -5)
        weights = np.concatenate([np.full(60, 0.3 / 60), 0.7 * rng.dirichlet(np.full(k, 0.3))])
        found = fitted_with_prior(np.concatenate([far, near]), np.full(60 + k, -10.0), weights)
        assert np.isfinite(found.mixture.factors).all()


def test_a_widened_mixture():
    made = Mixture.of([1.0, 3.0], [[0, 1], [2, -1]], [np.eye(2), [[2, 1], [1, 2]]], [5.0, 9.0])
    wide = made.widened(4.0, [3.0, 3.0])
    other = Mixture.of([1.0, 3.0], [[0, 1], [2, -1]], 4 * made.covs, [3.0, 3.0])
    rows = generator("widened").normal(size=(5, 2))
    np.testing.assert_allclose(wide.quick(rows)[0], other.quick(rows)[0])
    np.testing.assert_allclose(wide.inverses, other.inverses)
