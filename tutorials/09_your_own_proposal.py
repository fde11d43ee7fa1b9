# %% [markdown]
# # 9. Your own proposal
#
# You will learn how to write a proposal, why the Hastings term matters, how to let it learn, and
# how to test that it is right.
#
# Write one if you know something that no general proposal knows: a symmetry, a degeneracy, a
# distribution that is close to the posterior.

# %%
from math import exp, inf, lgamma, log, sqrt

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

from epsie import ProposalError, StateError, diagnostics
from epsie.proposals import BaseProposal
from epsie.samplers import MetropolisHastingsSampler

# %% [markdown]
# The target is a gamma distribution, whose mean and distribution function we know.

# %%
SHAPE = 3.0


def model(x):
    """A gamma distribution; nothing below zero."""
    if x <= 0:
        return -inf, -inf
    return (SHAPE - 1) * log(x) - x - lgamma(SHAPE), 0.0


# %% [markdown]
# ## A symmetric jump
#
# Subclass `BaseProposal`. It needs `parameters`, and `_jump`, which takes a dict and returns one.
# Random numbers come from `self.random_generator`: look it up at every jump and never keep it, as
# it is what makes runs repeatable.
#
# `symmetric = True` says that a jump from x to y is as likely as one from y to x. This one has
# heavy tails: most jumps are short, a few very long.


# %%
class CauchyJump(BaseProposal):
    """A jump with heavy tails."""

    symmetric = True

    def __init__(self, parameters, scale):
        self.parameters = parameters
        self.scale = scale

    def _jump(self, fromx):
        steps = self.scale * self.random_generator.standard_cauchy(self.ndim)
        return {name: fromx[name] + step for name, step in zip(self.parameters, steps)}


def run(proposal, iterations=5000, pool=None):
    """Four chains with one proposal."""
    sampler = MetropolisHastingsSampler("x", model, 4, [proposal], seed=9, pool=pool)
    sampler.start_position = {"x": [1.0, 2.0, 3.0, 4.0]}
    sampler.run(iterations)
    return sampler


def check(values):
    """How far the mean is from the exact one, in Monte Carlo errors."""
    error = diagnostics.mcse_mean({"x": values})["x"]
    print(f"mean {values.mean():.3f} +- {error:.3f}, exact {SHAPE:.3f}")
    return abs(values.mean() - SHAPE) / error


assert check(run(CauchyJump("x", 1.0)).positions["x"]) < 4

# %% [markdown]
# ## A jump that is not symmetric
#
# A positive quantity may be multiplied by a random factor, so that it never becomes negative. But
# from 1 to 2 is a longer way than from 2 to 1: in x, the density of a jump from x to y is
#
# $$q(y|x) = \frac{1}{y\,\sigma\sqrt{2\pi}}
# \exp\left(-\frac{(\log y - \log x)^2}{2\sigma^2}\right),$$
#
# and the factor 1/y is not the same for the way back. `_logpdf(xi, givenx)` is the logarithm of
# that density; the chain uses it for its Hastings term.


# %%
class FactorJump(BaseProposal):
    """A jump by a log-normal factor."""

    symmetric = False

    def __init__(self, parameters, width):
        self.parameters = parameters
        self.width = width

    def _jump(self, fromx):
        factors = np.exp(self.width * self.random_generator.normal(size=self.ndim))
        return {name: fromx[name] * factor for name, factor in zip(self.parameters, factors)}

    def _logpdf(self, xi, givenx):
        total = 0.0
        for name in self.parameters:
            total += stats.norm.logpdf(log(xi[name] / givenx[name]), scale=self.width)
            total -= log(xi[name])
        return total


class Forgetful(FactorJump):
    """The same, but it says that it is symmetric. It is not."""

    symmetric = True


# %% [markdown]
# `stats.norm.logpdf` is slow, and most of it cancels. For speed define
# `log_hastings(x, y)` = log q(x|y) - log q(y|x) on tuples as well: here it is just
# `sum(log(y) - log(x))`.


# %%
class FastFactorJump(FactorJump):
    """What cancels is left out."""

    def log_hastings(self, x, y):
        """Log q(x|y) - log q(y|x)."""
        return sum([log(there / here) for here, there in zip(x, y)])


right, wrong = run(FastFactorJump("x", 1.0)), run(Forgetful("x", 1.0))
assert check(right.positions["x"]) < 4
assert check(wrong.positions["x"]) > 10
slow = run(FactorJump("x", 1.0), 500)
assert np.allclose(slow.positions["x"], right.positions["x"][:, :500])

figure, axes = plt.subplots(1, 2, sharey=True)
x = np.linspace(0, 12, 300)
for axis, sampler, title in (
    (axes[0], right, "with its Hastings term"),
    (axes[1], wrong, "without"),
):
    axis.hist(sampler.positions["x"].ravel(), np.linspace(0, 12, 61), density=True, alpha=0.5)
    axis.plot(x, stats.gamma.pdf(x, SHAPE), color="black", lw=1, label="exact")
    axis.set(title=title, xlabel="x", yticks=[])
axes[0].legend()
plt.show()

# %% [markdown]
# Nothing in the wrong chain looks wrong: it mixes well, all chains agree, R-hat is 1. Only a target
# that you know tells.
#
# ## Testing a proposal
#
# The sharpest test needs no burn-in and no long chains. Start many chains from *exact draws* of a
# known target, make a few steps, and ask whether the positions still follow the target. A correct
# proposal leaves it as it is.


# %%
def p_value(proposal, nchains=800, steps=3):
    """The probability of positions as odd as these, if the proposal is right."""
    sampler = MetropolisHastingsSampler("x", model, nchains, [proposal], seed=10)
    sampler.start_position = {"x": stats.gamma.rvs(SHAPE, size=nchains, random_state=11)}
    sampler.run(steps)
    return stats.kstest(sampler.current_positions["x"], stats.gamma(SHAPE).cdf).pvalue


for proposal in (CauchyJump("x", 1.0), FastFactorJump("x", 1.0), Forgetful("x", 1.0)):
    p = p_value(proposal)
    print(f"{type(proposal).__name__:15} p = {p:.2g}")
    assert (p < 1e-5) == isinstance(proposal, Forgetful)

# %% [markdown]
# ## A jump that learns
#
# `_update(chain)` is called after each of its jumps; `chain.accepted` and
# `chain.acceptance_ratio` say how it went, `self.nsteps` how many there were. Two rules:
#
# * **Change ever less, and stop.** With a proposal that always changes, the samples need not be
#   those of the posterior.
# * **Name what changes** in `evolving`. That is its state: without it a run could be neither split
#   nor sent to a worker nor resumed. What evolves is plain data: numbers, lists, arrays.


# %%
class LearningFactorJump(FastFactorJump):
    """Learns its width until 40 % of the jumps are accepted."""

    evolving = ("width",)

    def __init__(self, parameters, width, duration):
        super().__init__(parameters, width)
        self.duration = duration

    def _update(self, chain):
        if self.nsteps <= self.duration:
            self.width *= exp((chain.acceptance_ratio - 0.4) / sqrt(self.nsteps))


learned = run(LearningFactorJump("x", 0.01, 2000))
rates = learned.acceptance["accepted"][:, 2000:].mean(axis=1)
print("acceptance rates:", rates.round(2))
assert check(learned.positions["x"][:, 2000:]) < 4
assert (abs(rates - 0.4) < 0.05).all()

# %% [markdown]
# It runs anywhere, and the samples are the same bits: classes of your script or notebook travel to
# the workers.

# %%
parallel = run(LearningFactorJump("x", 0.01, 2000), pool=2)
assert parallel.positions.tobytes() == learned.positions.tobytes()

# %% [markdown]
# ## What can go wrong
#
# **Something changes, and the state does not know.** It is found out:


# %%
class Leaky(CauchyJump):
    """Counts its jumps, but does not say so."""

    def _update(self, chain):
        self.scale *= 1.001


try:
    run(Leaky("x", 1.0), 10)
except StateError as error:
    print(error)

# %% [markdown]
# **The wrong kind of answer.** `_jump` must return a number for every parameter:


# %%
class Half(CauchyJump):
    """Forgets to return something."""

    def _jump(self, fromx):
        super()._jump(fromx)


try:
    run(Half("x", 1.0), 10)
except ProposalError as error:
    print(error)

# %% [markdown]
# **A run directory.** Classes of your own are not written to disk and not imported from there: pass
# the proposals again, `MetropolisHastingsSampler.resume("run", model, proposals=[...])`.
