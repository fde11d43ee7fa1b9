"""Births draw what their density says, and take and refuse what they should."""

import copy
import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from epsie.errors import ProposalError
from epsie.proposals.birth import BaseBirth, LogNormalBirth, NormalBirth, UniformBirth, births
from epsie.proposals.boundaries import Boundaries
from tests.statistical import Continuous, assert_power, check_draws, generator, seed


def log_normal(mean, std):
    sigma = math.sqrt(math.log(1 + (std / mean) ** 2))
    return stats.lognorm(sigma, scale=mean * math.exp(-sigma * sigma / 2))


CASES = {
    "uniform": (UniformBirth("a", {"a": (-1, 3)}), stats.uniform(-1, 4)),
    "uniform, narrow": (UniformBirth("a", {"a": (8, 8 + 2**-20)}), stats.uniform(8, 2**-20)),
    "normal": (NormalBirth("a", {"a": 2}, {"a": 0.5}), stats.norm(2, 0.5)),
    "normal, wide": (NormalBirth("a", {"a": -3.0}, {"a": 1e5}), stats.norm(-3, 1e5)),
    "log-normal": (LogNormalBirth("a", {"a": 2}, {"a": 1}), log_normal(2, 1)),
    "log-normal, narrow": (LogNormalBirth("a", {"a": 5}, {"a": 1e-3}), log_normal(5, 1e-3)),
    "log-normal, wide": (LogNormalBirth("a", {"a": 1}, {"a": 9}), log_normal(1, 9)),
}
EACH = pytest.mark.parametrize(("birth", "expected"), CASES.values(), ids=CASES)


def seeded(birth, label):
    birth = copy.deepcopy(birth)
    birth.bit_generator = generator(f"birth {label}").bit_generator
    return birth


@EACH
def test_density_is_that_of_the_distribution(birth, expected):
    for p in (1e-9, 0.01, 0.3, 0.5, 0.9, 1 - 1e-9):
        x = expected.ppf(p)
        assert birth.logpdf({"a": x, "other": 1}) == pytest.approx(expected.logpdf(x), rel=1e-6)
        assert birth.pdf({"a": x}) == pytest.approx(expected.pdf(x), rel=1e-6)
        assert birth.log_density((x,)) == birth.logpdf({"a": x})


@EACH
def test_density_is_normalised(birth, expected):
    edges = expected.ppf([1e-12, 1e-4, 0.1, 0.5, 0.9, 1 - 1e-4, 1 - 1e-12])
    total = sum(
        integrate.quad(lambda x: birth.pdf({"a": x}), low, up)[0] for low, up in pairwise(edges)
    )
    assert total == pytest.approx(1, abs=1e-6)


@EACH
def test_draws_follow_the_density(birth, expected):
    drawn = seeded(birth, repr(birth))
    check_draws(
        lambda size: {"a": np.array([drawn.birth["a"] for _ in range(size)])},
        {"a": Continuous("a", expected.cdf)},
    )


def test_a_wrong_width_is_seen():
    class Wider(NormalBirth):
        def draw(self):
            return tuple([1.1 * x for x in super().draw()])

    drawn = seeded(Wider("a", {"a": 0}, {"a": 1}), "wider")
    assert_power(
        lambda rng, size: {"a": np.zeros(size)},
        lambda x: drawn.birth,
        {"a": Continuous("a", stats.norm.cdf)},
        generator("wider"),
    )


def test_several_parameters_are_independent():
    means, stds = {"b": 1, "a": 5, "c": 0}, {"a": 0.1, "c": 2, "b": 3}
    birth = NormalBirth(["a", "b"], {"a": 5, "b": 1}, {"a": 0.1, "b": 3})
    assert birth.logpdf({"b": 2, "a": 5.1}) == pytest.approx(
        stats.norm(5, 0.1).logpdf(5.1) + stats.norm(1, 3).logpdf(2)
    )
    birth = seeded(LogNormalBirth(["a", "b"], {"a": 5, "b": 1}, {"a": 0.1, "b": 3}), "several")
    assert birth.logpdf({"b": 2, "a": 5.1}) == pytest.approx(
        log_normal(5, 0.1).logpdf(5.1) + log_normal(1, 3).logpdf(2)
    )
    assert list(birth.birth) == ["a", "b"]
    check_draws(
        lambda size: _columns(birth, size),
        {
            "a": Continuous("a", log_normal(5, 0.1).cdf),
            "b": Continuous("b", log_normal(1, 3).cdf),
            "both": Continuous(
                lambda s: log_normal(5, 0.1).cdf(s["a"]) * log_normal(1, 3).cdf(s["b"]),
                lambda t: t * (1 - np.log(t)),
            ),
        },
    )
    with pytest.raises(ValueError, match="exactly b, a"):
        NormalBirth(["b", "a"], means, stds)


def _columns(birth, size):
    drawn = np.array([birth.draw() for _ in range(size)])
    return dict(zip(birth.parameters, drawn.T, strict=True))


def test_nothing_is_born_beyond_the_bounds():
    bounds = (0.1, 0.1 + 2e-17 + 0.7)
    birth = UniformBirth("a", {"a": bounds})

    class Last:
        def uniform(self):
            return math.nextafter(1, 0)

    birth.stream = Last()
    assert bounds[0] <= birth.birth["a"] <= bounds[1]
    for low, up in [(0.1, 0.3), (1e16, 1e16 + 2), (-1 / 3, 1 / 7)]:
        birth.boundaries = {"a": (low, up)}
        assert low <= birth.birth["a"] <= up


def test_density_vanishes_where_nothing_is_born():
    birth = UniformBirth(["a", "b"], {"a": (0, 1), "b": (0, 2)})
    assert birth.logpdf({"a": 1, "b": 2}) == pytest.approx(-math.log(2))
    assert birth.logpdf({"a": 1.01, "b": 1}) == birth.logpdf({"a": 0.5, "b": -0.1}) == -math.inf
    assert birth.pdf({"a": 1.01, "b": 1}) == 0
    birth = LogNormalBirth(["a", "b"], {"a": 1, "b": 1}, {"a": 1, "b": 1})
    assert birth.logpdf({"a": 0, "b": 1}) == birth.logpdf({"a": 1, "b": -1}) == -math.inf


def test_settings_take_effect_at_once():
    birth = UniformBirth("a", {"a": (0, 1)})
    assert birth.boundaries == {"a": Boundaries((0, 1))}
    birth.boundaries = {"a": Boundaries((5, 7))}
    assert 5 <= birth.birth["a"] <= 7
    assert birth.logpdf({"a": 6}) == pytest.approx(-math.log(2))
    normal = NormalBirth("a", {"a": 0}, {"a": 1})
    normal.setup_mu_std({"a": 50}, {"a": 0.1})
    assert abs(normal.birth["a"] - 50) < 1
    assert (normal.mu, normal.std) == ({"a": 50.0}, {"a": 0.1})
    assert normal.logpdf({"a": 50.1}) == pytest.approx(stats.norm(50, 0.1).logpdf(50.1))


def test_log_normal_is_given_linear_moments():
    birth = LogNormalBirth("a", {"a": 3}, {"a": 2})
    sigma = math.sqrt(math.log(1 + 4 / 9))
    assert birth.std["a"] == pytest.approx(sigma)
    assert birth.mu["a"] == pytest.approx(math.log(3) - sigma**2 / 2)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: UniformBirth("a", {}), "missing are a"),
        (lambda: UniformBirth("a", {"a": (0, math.inf)}), "must be finite"),
        (lambda: UniformBirth("a", {"a": (1, 0)}), "upper"),
        (lambda: UniformBirth("a", {"a": (1, 1)}), "must differ"),
        (lambda: NormalBirth("a", {"a": 0}, {"a": 0}), "std must be finite and positive; got"),
        (lambda: NormalBirth("a", {"a": 0}, {"a": -1}), "std must be finite and positive; got"),
        (lambda: NormalBirth("a", {"a": math.nan}, {"a": 1}), "mean must be finite; got"),
        (lambda: NormalBirth("a", {"b": 0}, {"a": 1}), "mean must be a dict .* exactly a"),
        (lambda: NormalBirth("a", 0, 1), "mean must be a dict .* exactly a; got 0"),
        (lambda: LogNormalBirth("a", {"a": 0}, {"a": 1}), "mean must be finite and positive"),
        (lambda: LogNormalBirth("a", {"a": 1}, {}), "std must be a dict"),
        (lambda: NormalBirth([], {}, {}), "at least one name"),
    ],
)
def test_bad_settings_are_refused(make, problem):
    with pytest.raises(ValueError, match=problem):
        make()


def test_a_missing_value_is_named():
    with pytest.raises(ValueError, match="UniformBirth needs a value for 'b'"):
        UniformBirth(["a", "b"], {"a": (0, 1), "b": (0, 1)}).logpdf({"a": 0.5})


@EACH
@pytest.mark.parametrize("copier", [copy.deepcopy, lambda b: pickle.loads(pickle.dumps(b))])
def test_state_and_copies(birth, expected, copier):
    first = seeded(birth, "state")
    first.draw()
    twin = copier(first)
    again = type(birth)(**birth.config)
    again.set_state(first.state)
    assert set(first.state) == {"random_state"}
    ahead = [first.birth for _ in range(200)]
    assert [twin.birth for _ in range(200)] == [again.birth for _ in range(200)] == ahead
    assert repr(again) == repr(birth)
    assert type(birth).__name__ in repr(birth)


def test_draws_follow_the_seed():
    one, two = (UniformBirth("a", {"a": (0, 1)}) for _ in range(2))
    assert one.birth != two.birth
    one.bit_generator = two.bit_generator = seed()
    assert one.birth == two.birth
    assert one.birth == two.birth != one.birth


def test_registry():
    assert list(births) == ["uniform_birth", "normal_birth", "log_normal_birth"]
    for name, cls in births.items():
        assert cls.name == name
        assert issubclass(cls, BaseBirth)


class Exponential(BaseBirth):
    """A user's birth, on dicts."""

    def __init__(self, parameter):
        self.parameters = parameter

    @property
    def birth(self):
        return {self.parameters[0]: self.random_generator.exponential()}

    def logpdf(self, xi):
        return -xi[self.parameters[0]]


def test_a_birth_on_dicts_speaks_tuples():
    birth = Exponential("a")
    birth.bit_generator = 5
    drawn = birth.draw()
    birth.bit_generator = 5
    assert birth.birth == {"a": drawn[0]}
    assert birth.log_density((2.0,)) == -2
    assert birth.pdf({"a": 2}) == pytest.approx(math.exp(-2))


def test_an_override_of_a_built_in_is_obeyed():
    class Doubled(NormalBirth):
        @property
        def birth(self):
            return {name: 2 * value for name, value in super().birth.items()}

        def logpdf(self, xi):
            halved = {name: xi[name] / 2 for name in self.parameters}
            return super().logpdf(halved) - math.log(2)

    ours, plain = (cls("a", {"a": 1}, {"a": 3}) for cls in (Doubled, NormalBirth))
    ours.bit_generator = plain.bit_generator = seed()
    assert ours.draw() == (2 * plain.draw()[0],)
    assert ours.log_density((4.0,)) == pytest.approx(stats.norm(2, 6).logpdf(4))


@pytest.mark.parametrize("born", [{}, {"a": None}, {"a": math.nan}, None])
def test_a_birth_that_gives_no_numbers_is_refused(born):
    class Broken(BaseBirth):
        parameters = ("a",)

        @property
        def birth(self):
            return born

    with pytest.raises(ProposalError, match=r"Broken\.birth gave .* a number for each of a"):
        Broken().draw()


def test_a_birth_without_density_says_so():
    class Half(BaseBirth):
        parameters = ("a",)

    with pytest.raises(NotImplementedError, match="Half must define birth"):
        Half().draw()
    with pytest.raises(NotImplementedError, match="Half must define logpdf"):
        Half().logpdf({"a": 1})
