"""With adaptation off, every chain leaves its target invariant; planted defects do not."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

import epsie.chain.chain as chain_module
from epsie.chain import Chain
from epsie.proposals import (
    AdaptiveNormal,
    ATAdaptiveNormal,
    BaseProposal,
    Normal,
    SSAdaptiveNormal,
)
from tests.statistical import (
    Continuous,
    Discrete,
    Marginals,
    Samples,
    assert_power,
    check_draws,
    check_invariance,
    generator,
    stepping,
)

INF = math.inf


@dataclass(frozen=True)
class Target:
    """A model, with independent draws from its posterior and their distribution."""

    parameters: tuple[str, ...]
    model: Callable[..., tuple[float | None, float]]
    draw: Callable[[np.random.Generator, int], Samples]
    marginals: Marginals


def split(logpdf: float) -> tuple[float | None, float]:
    """Give half of a log density to the likelihood and half to the prior."""
    return (None, -INF) if logpdf == -INF else (0.5 * logpdf, 0.5 * logpdf)


def gaussian(ndim: int, beta: float = 1.0) -> Target:
    """A correlated normal likelihood, to the power beta, times a normal prior."""
    names = tuple("abcdefghij"[:ndim])
    places = np.arange(ndim)
    scales = 0.5 + places % 3
    cov = 0.8 ** abs(places[:, None] - places) * scales * scales[:, None]
    precision, peak = np.linalg.inv(cov), 1 + 0.5 * places
    posterior = np.linalg.inv(np.eye(ndim) / 9 + beta * precision)
    mean, factor = posterior @ (beta * precision @ peak), np.linalg.cholesky(posterior)
    unfactor = np.linalg.inv(factor)

    def model(**params: float) -> tuple[float, float]:
        x = np.array([params[name] for name in names])
        apart = x - peak
        return -0.5 * float(apart @ precision @ apart), -0.5 * float(x @ x) / 9

    def draw(rng: np.random.Generator, size: int) -> Samples:
        x = mean + rng.standard_normal((size, ndim)) @ factor.T
        return dict(zip(names, x.T, strict=True))

    def white(samples: Samples) -> np.ndarray:
        return unfactor @ (np.array([samples[name] for name in names]) - mean[:, None])

    marginals: dict[str, Continuous | Discrete] = {
        name: Continuous(name, stats.norm(mean[i], math.sqrt(posterior[i, i])).cdf)
        for i, name in enumerate(names)
    }
    marginals["radius"] = Continuous(lambda s: (white(s) ** 2).sum(0), stats.chi2(ndim).cdf)
    if ndim > 1:
        halves = {True: 0.5, False: 0.5}
        marginals["quadrants"] = Discrete(lambda s: white(s)[:2].prod(0) > 0, halves)
    return Target(names, model, draw, marginals)


def skewed() -> Target:
    """A beta distribution for x and a truncated exponential for y, bounded by the prior."""
    beta, exponential = stats.beta(2, 5), stats.truncexpon(4, scale=0.5)

    def model(x: float, y: float) -> tuple[float | None, float]:
        if not (0 < x < 1 and 0 < y < 2):
            return None, -INF
        return math.log(x) + 4 * math.log1p(-x), -2 * y

    def draw(rng: np.random.Generator, size: int) -> Samples:
        return {"x": beta.rvs(size, rng), "y": exponential.rvs(size, random_state=rng)}

    both = Continuous(
        lambda s: beta.cdf(s["x"]) * exponential.cdf(s["y"]), lambda t: t * (1 - np.log(t))
    )
    marginals = {"x": Continuous("x", beta.cdf), "y": Continuous("y", exponential.cdf), "xy": both}
    return Target(("x", "y"), model, draw, marginals)


def bimodal() -> Target:
    """Two normal peaks of different weight and width."""
    peaks = ((0.3, stats.norm(-2, 0.5)), (0.7, stats.norm(2, 1)))

    def model(x: float) -> tuple[float | None, float]:
        left = 0.6 * math.exp(-2 * (x + 2) ** 2)
        return split(math.log(left + 0.7 * math.exp(-0.5 * (x - 2) ** 2)))

    def draw(rng: np.random.Generator, size: int) -> Samples:
        left = rng.random(size) < 0.3
        return {"x": np.where(left, *(peak.rvs(size, rng) for _, peak in peaks))}

    def cdf(x: np.ndarray) -> np.ndarray:
        return sum(weight * peak.cdf(x) for weight, peak in peaks)

    return Target(("x",), model, draw, {"x": Continuous("x", cdf)})


def stairs() -> Target:
    """A density that is constant between integers, and nothing outside of [0, 5)."""
    steps = (0.1, 0.3, 0.05, 0.35, 0.2)

    def model(x: float) -> tuple[float | None, float]:
        return split(math.log(steps[int(x)]) if 0 <= x < 5 else -INF)

    def draw(rng: np.random.Generator, size: int) -> Samples:
        return {"x": rng.choice(5, size, p=steps) + rng.random(size)}

    marginals = {
        "stair": Discrete(lambda s: np.floor(s["x"]), dict(enumerate(steps))),
        "within": Continuous(lambda s: s["x"] % 1, stats.uniform.cdf),
    }
    return Target(("x",), model, draw, marginals)


def wall() -> Target:
    """A normal distribution whose likelihood vanishes below a wall, where the prior does not."""
    above = stats.truncnorm(-0.5, np.inf)

    def model(x: float) -> tuple[float, float]:
        return (-0.5 * x * x if x > -0.5 else -INF), 0.0

    return Target(
        ("x",),
        model,
        lambda rng, n: {"x": above.rvs(n, random_state=rng)},
        {"x": Continuous("x", above.cdf)},
    )


def positive() -> Target:
    """A gamma distribution."""
    gamma = stats.gamma(1.5)

    def model(x: float) -> tuple[float | None, float]:
        return split(0.5 * math.log(x) - x if x > 0 else -INF)

    return Target(
        ("x",),
        model,
        lambda rng, n: {"x": gamma.rvs(n, random_state=rng)},
        {"x": Continuous("x", gamma.cdf)},
    )


def counts() -> Target:
    """A Poisson distribution over the integers 0 to 10."""
    pmf = {k: 3.0**k / math.factorial(k) for k in range(11)}
    pmf = {k: p / sum(pmf.values()) for k, p in pmf.items()}

    def model(k: int) -> tuple[float | None, float]:
        assert type(k) is int
        return split(math.log(pmf[k]))

    return Target(
        ("k",),
        model,
        lambda rng, n: {"k": rng.choice(11, n, p=list(pmf.values()))},
        {"k": Discrete("k", pmf)},
    )


class LogWalk(BaseProposal):
    """A user's proposal: a factor, so that small values are proposed more densely."""

    name = "log_walk"
    symmetric = False

    def __init__(self, parameters, width=1.0):
        self.parameters = parameters
        self.width = width

    def _jump(self, fromx):
        noise = self.random_generator.standard_normal(len(self.parameters))
        factors = zip(self.parameters, np.exp(self.width * noise), strict=True)
        return {name: fromx[name] * factor for name, factor in factors}

    def _logpdf(self, xi, givenx):
        ratios = [math.log(xi[name] / givenx[name]) / self.width for name in self.parameters]
        return sum(-0.5 * r * r - math.log(xi[n]) for n, r in zip(xi, ratios, strict=True))


class Shrink(BaseProposal):
    """A user's proposal that is drawn towards 0."""

    name = "shrink"
    symmetric = False

    def __init__(self, parameters, pull=0.6):
        self.parameters = parameters
        self.pull = pull

    def _jump(self, fromx):
        draw = self.random_generator.normal
        return {name: self.pull * fromx[name] + draw() for name in self.parameters}

    def _logpdf(self, xi, givenx):
        return -0.5 * sum((xi[n] - self.pull * givenx[n]) ** 2 for n in self.parameters)


class UpDown(BaseProposal):
    """A user's proposal for an integer from 0 to 10: up more often than down."""

    name = "up_down"
    symmetric = False
    discrete = True

    def __init__(self, parameter):
        self.parameters = parameter

    @staticmethod
    def up(k):
        return {0: 1.0, 10: 0.0}.get(k, 0.7)

    def _jump(self, fromx):
        (name,) = self.parameters
        k = fromx[name]
        return {name: k + 1 if self.random_generator.random() < self.up(k) else k - 1}

    def _logpdf(self, xi, givenx):
        (name,) = self.parameters
        up = self.up(givenx[name])
        return math.log(up if xi[name] > givenx[name] else 1 - up)


def make_chain(target, proposals, label, beta=1.0, cls=Chain, model=None):
    bits = generator(f"chain {label}").bit_generator
    return cls(target.parameters, model or target.model, proposals, bit_generator=bits, beta=beta)


def adapt(chain, start, steps):
    """Let the chain's proposals learn, then check that they have stopped."""
    chain.start_position = start
    for _ in range(steps):
        chain.step()
    learned = [settings(part) for part in chain.proposal_dist.proposals]
    for _ in range(200):
        chain.step()
    for part, before in zip(chain.proposal_dist.proposals, learned, strict=True):
        after = settings(part)
        assert all(np.array_equal(after[key], before[key]) for key in before)
    chain.clear()


def settings(proposal):
    """Return all that may evolve in a proposal but its counters and its random numbers."""
    counters = ("nsteps", "iterations_at_interval", "random_state")
    state = {key: value for key, value in proposal.state.items() if key not in counters}
    return {**state, "cov": proposal.cov}


FIXED = {
    "scalar": (gaussian(1), lambda: [Normal("a", cov=4.0)], 5),
    "default": (gaussian(2), lambda: [Normal(["a", "b"])], 8),
    "one variance for all": (gaussian(3), lambda: [Normal(["a", "b", "c"], cov=0.5)], 8),
    "diagonal": (gaussian(3), lambda: [Normal(["a", "b", "c"], cov=[0.2, 2.0, 1.0])], 8),
    "full": (
        gaussian(3),
        lambda: [Normal(["a", "b", "c"], cov=[[1, 1, 0], [1, 2, 0.5], [0, 0.5, 1]])],
        8,
    ),
    "semi-definite and diagonal": (
        gaussian(3),
        lambda: [Normal(["b", "a"], cov=[[1, 2], [2, 4]]), Normal("c", cov=1)],
        8,
    ),
    "ten parameters": (
        gaussian(10),
        lambda: [Normal(list("abcdefghij"), cov=np.eye(10) / 5 + 0.1)],
        5,
    ),
    "mixture": (gaussian(3), lambda: [Normal(["c", "a"], cov=[0.2, 0.5]), Shrink("b")], 8),
    "mixture of asymmetric": (gaussian(3), lambda: [Shrink("b", 0.3), Shrink(["c", "a"], 0.8)], 8),
    "jump interval of one part": (
        gaussian(2),
        lambda: [Normal("a", 1.0, 2, 10**9), Shrink("b")],
        9,
    ),
    "jump interval of an asymmetric part": (
        gaussian(3),
        lambda: [Normal(["b", "a"], [1, 1]), interval(Shrink("c"), 3)],
        9,
    ),
    "jump interval of all": (
        gaussian(2),
        lambda: [Normal("a", 1.0, 2, 10**9), interval(Shrink("b"), 3)],
        11,
    ),
    "bounded by the prior": (skewed(), lambda: [Normal(["x", "y"], cov=[0.05, 0.5])], 8),
    "asymmetric on positive": (skewed(), lambda: [LogWalk("y"), LogWalk("x", 0.4)], 8),
    "two peaks": (bimodal(), lambda: [Normal("x", cov=9)], 8),
    "stairs": (stairs(), lambda: [Normal("x", cov=2)], 8),
    "likelihood vanishes": (wall(), lambda: [Normal("x", cov=2)], 8),
    "log walk": (positive(), lambda: [LogWalk("x", 1.5)], 8),
    "integers": (counts(), lambda: [UpDown("k")], 8),
}

ADAPTIVE = {
    "Veitch": lambda: AdaptiveNormal(["a", "b"], {"a": 10.0, "b": 20.0}, 500),
    "Sivia-Skilling": lambda: SSAdaptiveNormal(["a", "b"]),
    "Sivia-Skilling, full": lambda: SSAdaptiveNormal(["a", "b"], cov=[[1, 0.5], [0.5, 1]]),
    "Andrieu-Thoms": lambda: ATAdaptiveNormal(["a", "b"], 500),
    "Andrieu-Thoms, diagonal": lambda: ATAdaptiveNormal(["a", "b"], 500, diagonal=True),
    "Andrieu-Thoms, componentwise": lambda: ATAdaptiveNormal(["a", "b"], 500, componentwise=True),
    "Andrieu-Thoms, diagonal, componentwise": lambda: ATAdaptiveNormal(
        ["a", "b"], 500, diagonal=True, componentwise=True
    ),
}


def interval(proposal, every):
    proposal.set_jump_interval(every, 10**9)
    return proposal


@pytest.mark.parametrize(
    "target",
    [
        gaussian(1),
        gaussian(3),
        gaussian(2, beta=0.3),
        skewed(),
        bimodal(),
        stairs(),
        wall(),
        positive(),
        counts(),
    ],
    ids=lambda target: "+".join(target.parameters),
)
def test_targets_draw_what_they_say(target):
    rng = generator("targets")
    check_draws(lambda size: target.draw(rng, size), target.marginals)


LONG = ["likelihood vanishes", "jump interval of an asymmetric part", "bounded by the prior"]


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize(
    "case", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in FIXED]
)
def test_target_is_invariant(case):
    target, proposals, steps = FIXED[case]
    chain = make_chain(target, proposals(), case)
    rng = generator(f"start {case}")
    check_invariance(target.draw, stepping(chain, steps), target.marginals, rng)


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_tempered_target_is_invariant(beta):
    target = gaussian(2, beta)
    chain = make_chain(target, [Normal("a", cov=4), Shrink("b")], f"beta {beta}", beta)
    check_invariance(target.draw, stepping(chain, 8), target.marginals, generator(f"beta {beta}"))


def test_prior_alone_decides_at_beta_zero():
    """Where the likelihood vanishes too: such points are entered, left, and started from."""
    normal = {"x": Continuous("x", stats.norm.cdf)}

    def model(x):
        return (-INF if x < 0 else -5 * x), -0.5 * x * x

    target = Target(("x",), model, lambda rng, n: {"x": rng.standard_normal(n)}, normal)
    chain = make_chain(target, [Normal("x", cov=4)], "prior", beta=0.0)
    check_invariance(target.draw, stepping(chain, 5), normal, generator("start prior"))


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("case", ADAPTIVE)
@pytest.mark.parametrize("target", [gaussian(2)], ids=["gaussian"])
def test_target_is_invariant_after_adaptation(case, target):
    chain = make_chain(target, [ADAPTIVE[case]()], case)
    start = {"a": 1.0, "b": 1.0}
    (proposal,) = chain.proposal_dist.proposals
    if "Sivia" in case:
        chain.start_position = start
        for _ in range(500):
            chain.step()
        proposal.adaptation = None
    adapt(chain, start, 600)
    assert not np.array_equal(proposal.cov, ADAPTIVE[case]().cov), "nothing was learned"
    check_invariance(target.draw, stepping(chain, 8), target.marginals, generator(f"start {case}"))


class Flagged(LogWalk):
    """The defect: said to be symmetric though it is not."""

    symmetric = True


class NoHastings(LogWalk):
    """The defect: the Hastings term is missing."""

    def log_hastings(self, x, y):
        return 0.0


class Reversed(LogWalk):
    """The defect: the arguments of the density are exchanged."""

    def _logpdf(self, xi, givenx):
        return super()._logpdf(givenx, xi)


class WidthOfPosition(Normal):
    """The defect: the width depends on the position, the flag stays symmetric."""

    def draw(self, x):
        self.std = 0.3 + 0.5 * abs(x[0])
        return super().draw(x)


class Redraw(Normal):
    """The defect: draws again until it is inside of the prior, the flag stays symmetric."""

    def draw(self, x):
        while True:
            y = super().draw(x)
            if 0 < y[0] < 1 and 0 < y[1] < 2:
                return y


class FlaggedUpDown(UpDown):
    """The defect: said to be symmetric though it goes up more often than down."""

    symmetric = True


class StaleLikelihood(Chain):
    """The defect: an accepted point keeps the likelihood of the last one."""

    def decide(self):
        logl = self.point.logl
        super().decide()
        if self.accepted:
            point = self.point
            self.point = type(point)(point.x, logl, point.logp, point.blob)


PLANTED = {
    "symmetric flag": (positive(), lambda: [Flagged("x", 1.5)], {}),
    "no Hastings term": (positive(), lambda: [NoHastings("x", 1.5)], {}),
    "Hastings term reversed": (positive(), lambda: [Reversed("x", 1.5)], {}),
    "one part of a mixture": (skewed(), lambda: [LogWalk("y"), Flagged("x", 0.4)], {}),
    "redrawn into the prior": (skewed(), lambda: [Redraw(["x", "y"], cov=[0.05, 0.5])], {}),
    "symmetric flag, integers": (counts(), lambda: [FlaggedUpDown("k")], {}),
    "width of position": (gaussian(1), lambda: [WidthOfPosition("a")], {}),
    "hot": (gaussian(2), lambda: [Normal(["a", "b"])], {"beta": 0.8}),
    "cold": (gaussian(2, beta=0.8), lambda: [Normal(["a", "b"])], {}),
    "stale likelihood": (gaussian(2), lambda: [Normal(["a", "b"])], {"cls": StaleLikelihood}),
}


@pytest.mark.in_part(2, "slow")
@pytest.mark.parametrize("case", PLANTED)
def test_planted_defect_is_seen(case):
    target, proposals, defect = PLANTED[case]
    chain = make_chain(target, proposals(), case, **defect)
    assert_power(target.draw, stepping(chain, 8), target.marginals, generator(f"start {case}"))


@pytest.mark.parametrize("target", [gaussian(2), skewed(), bimodal()], ids=["ab", "xy", "x"])
def test_prior_left_out_is_seen(target):
    def model(**params):
        logl, logp = target.model(**params)
        return logl, (0.0 if logp > -INF else logp)

    chain = make_chain(target, [Normal(target.parameters, cov=0.5)], "no prior", model=model)
    assert_power(target.draw, stepping(chain, 8), target.marginals, generator("no prior"))


@pytest.mark.parametrize("power", [0.5, 2.0])
def test_power_of_the_ratio_is_seen(power, monkeypatch):
    monkeypatch.setattr(chain_module, "exp", lambda log_ratio: math.exp(power * log_ratio))
    target = gaussian(2)
    chain = make_chain(target, [Normal(["a", "b"])], "power")
    assert_power(target.draw, stepping(chain, 8), target.marginals, generator("power"))
