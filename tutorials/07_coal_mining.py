# %% [markdown]
# # 7. Integers, and an unknown number of parameters
#
# You will learn how to sample an integer beside real numbers, and how to let the number of
# parameters itself be unknown: transdimensional sampling, or reversible jumps.
#
# From 1851 to 1961 there were 191 coal-mining disasters in Great Britain that killed ten men or
# more (Jarrett 1979, doi:10.1093/biomet/66.1.191). Their rate fell. When? And how often did it
# change?

# %%
from itertools import pairwise
from math import comb, exp, lgamma, log

import matplotlib.pyplot as plt
import numpy as np

from epsie import diagnostics
from epsie.proposals import (
    ATAdaptiveNormal,
    BoundedDiscrete,
    BoundedNormal,
    NestedTransdimensional,
    UniformBirth,
)
from epsie.samplers import MetropolisHastingsSampler

# %% Disasters of each year, one digit a year
DIGITS = "45401434063340263354531441553425223421322111130010110031" + (
    "0322011101010002100011023311211112420014000100000100101"
)
COUNTS = np.array(list(DIGITS), dtype=int)
FIRST, YEARS = 1851, len(COUNTS)
BEFORE = [0, *np.cumsum(COUNTS).tolist()]  # disasters in the first n years

# %% [markdown]
# ## One change: an integer
#
# The rate is `early` in the first k years and `late` after. The year of the change is an integer,
# all years alike; the rates are exponential a priori, with a mean of one a year. The rates are
# positive, so we sample their logarithms: with $l = \log r$ the density of $l$ is $r\,e^{-r}$.


# %%
def one_change(k, log_early, log_late):
    """The logarithms of likelihood and prior density."""
    early, late = exp(log_early), exp(log_late)
    first, rest = BEFORE[k], BEFORE[-1] - BEFORE[k]
    logl = first * log_early - k * early + rest * log_late - (YEARS - k) * late
    return logl, log_early - early + log_late - late - log(YEARS - 1)


# %% [markdown]
# `BoundedDiscrete` jumps between the integers within its bounds, both included. `k` reaches the
# model as a Python `int` and is stored as one. Each proposal has its parameters; together they make
# the jump.

# %%
sampler = MetropolisHastingsSampler(
    ["k", "log_early", "log_late"],
    one_change,
    nchains=4,
    proposals=[
        BoundedDiscrete("k", {"k": (1, YEARS - 1)}, cov=3**2),
        ATAdaptiveNormal(["log_early", "log_late"], adaptation_duration=2000),
    ],
    seed=1851,
)
sampler.start_position = {"k": [30, 36, 42, 48], "log_early": [0.0] * 4, "log_late": [0.0] * 4}
sampler.run(14_000)
kept = sampler.positions[:, 2000:]
print(sampler.summary())

# %% [markdown]
# Both rates can be integrated by hand. In n years with c disasters the integral is
# $c!\,/\,(n+1)^{c+1}$, so that the exact posterior of the year is known.


# %%
def log_marginal(begin, end):
    """The logarithm of the probability of these years, the rate being integrated out."""
    count = BEFORE[end] - BEFORE[begin]
    return lgamma(count + 1) - (count + 1) * log(end - begin + 1)


ks = np.arange(1, YEARS)
exact = np.exp([log_marginal(0, k) + log_marginal(k, YEARS) for k in ks])
exact /= exact.sum()
found = np.array([(kept["k"] == k).mean() for k in ks])

figure, axis = plt.subplots()
axis.bar(FIRST + ks, found, alpha=0.5, label="sampled")
axis.plot(FIRST + ks, exact, "k.", label="exact")
axis.set(
    xlim=(1882.4, 1900.6),
    xticks=range(1884, 1901, 4),
    xlabel="first year of the new rate",
    ylabel="probability",
)
axis.legend()
plt.show()
for k in (36, 39, 40, 41):
    error = diagnostics.mcse_mean({"hit": kept["k"] == k})["hit"]
    assert abs(found[k - 1] - exact[k - 1]) < 4 * error

# %% [markdown]
# ## How many changes? Transdimensional jumps
#
# Now the number of changes, `k`, is unknown itself. A priori it has a Poisson distribution with a
# mean of one, cut off after five: $p(k) \propto 1/k!$.
# Each change is a *component*, here with one parameter: when it happened. As we know the integral
# over the rates, we need not sample them; what can be integrated should be.
#
# * A component that does not exist has the value NaN. The model gets all parameters, and `k` is
#   always the number of those that are not NaN.
# * `logp` is p(k) times the densities of the components that exist. Which of the five they are is
#   not counted: it is implied that all choices are alike.

# %%
CHANGES = ["s1", "s2", "s3", "s4", "s5"]


def changes(k, **times):
    """A change in year s begins the year floor(s); rates are integrated out."""
    begins = sorted({int(s) for s in times.values() if s == s})
    edges = [0, *begins, YEARS]
    logl = sum([log_marginal(begin, end) for begin, end in pairwise(edges)])
    return logl, -lgamma(k + 1) - k * log(YEARS - 1)


# %% [markdown]
# `NestedTransdimensional` has a proposal for k, one proposal for each component, and a *birth* for
# each: the distribution that a new component is drawn from. When k grows components are born, when
# it shrinks some die, and those that live on jump as their proposals have it. The chain sees to the
# right acceptance probability.
#
# The nearer the births are to the posterior, the more of them are accepted. The prior is a safe
# choice.

# %%
bounds = (1.0, float(YEARS))
nested = NestedTransdimensional(
    ["k", *CHANGES],
    BoundedDiscrete("k", {"k": (0, len(CHANGES))}),
    [BoundedNormal(name, {name: bounds}, cov=4.0**2) for name in CHANGES],
    [UniformBirth(name, {name: bounds}) for name in CHANGES],
)
sampler = MetropolisHastingsSampler(["k", *CHANGES], changes, 4, [nested], seed=1961, pool=2)
nan = np.nan
sampler.start_position = {
    "k": [0, 1, 2, 3],
    "s1": [nan, 40.5, 40.5, 40.5],
    "s2": [nan, nan, 90.5, 90.5],
    "s3": [nan, nan, nan, 20.5],
    "s4": [nan] * 4,
    "s5": [nan] * 4,
}
sampler.run(40_000)
kept = sampler.positions[:, 2000:]
print(kept[0, -3:])

# %% [markdown]
# The exact probabilities, to compare with: sum the marginal likelihoods of all sets of d distinct
# years, year by year, and count in how many ways k changes fall into d years.


# %%
def averages(most):
    """The marginal likelihood, averaged over all sets of d years, for d = 0 ... `most`."""
    scale = log_marginal(0, YEARS)
    per_year = np.exp(-scale / YEARS)  # so that no number overflows
    sums = np.zeros((most + 2, YEARS + 1))  # by number of segments and end of the last one
    sums[0, 0] = 1.0
    for segments in range(1, most + 2):
        for end in range(1, YEARS + 1):
            sums[segments, end] = sum(
                sums[segments - 1, begin]
                * exp(log_marginal(begin, end))
                * per_year ** (end - begin)
                for begin in range(end)
            )
    return [sums[d + 1, YEARS] / comb(YEARS - 1, d) for d in range(most + 1)]


def ways(k, d):
    """In how many ways k different things fall into d different places, none left empty."""
    return sum((-1) ** (d - i) * comb(d, i) * i**k for i in range(d + 1))


average = averages(len(CHANGES))
exact = np.array(
    [
        sum(ways(k, d) * comb(YEARS - 1, d) * average[d] for d in range(k + 1)) / (YEARS - 1) ** k
        for k in range(len(CHANGES) + 1)
    ]
)
exact *= [exp(-lgamma(k + 1)) for k in range(len(CHANGES) + 1)]
exact /= exact.sum()
hits = {k: kept["k"] == k for k in range(1, len(CHANGES) + 1)}
errors = diagnostics.mcse_mean(hits)
print(f"k = 0: exact {exact[0]:.1g}")
for k, hit in hits.items():
    print(f"k = {k}: {hit.mean():.4f} +- {errors[k]:.4f}, exact {exact[k]:.4f}")
    assert abs(hit.mean() - exact[k]) < 4 * errors[k]

# %% [markdown]
# Without any change the data are all but impossible; two changes are the most likely. What we learn
# of the rate is an average over all of that: draw the rates that were integrated out, given the
# changes of each sample. In n years with c disasters the rate has a gamma distribution.

# %%
rng = np.random.default_rng(1)
draws = kept.ravel()[::60]
rates = np.empty((len(draws), YEARS))
for rate, draw in zip(rates, draws):
    begins = sorted({int(draw[name]) for name in CHANGES if draw[name] == draw[name]})
    edges = [0, *begins, YEARS]
    for begin, end in pairwise(edges):
        rate[begin:end] = rng.gamma(BEFORE[end] - BEFORE[begin] + 1, 1 / (end - begin + 1))

figure, (left, right) = plt.subplots(1, 2, width_ratios=(2.2, 1))
years = FIRST + np.arange(YEARS)
left.bar(years, COUNTS, color="0.85", label="disasters")
left.fill_between(years, *np.quantile(rates, (0.05, 0.95), axis=0), alpha=0.3, step="mid", lw=0)
left.plot(years, rates.mean(axis=0), label="rate, with 90 % band")
left.set(xlabel="year", ylabel="disasters / year")
left.legend()
right.bar(range(6), [(kept["k"] == k).mean() for k in range(6)], alpha=0.5)
right.plot(range(6), exact, "k.", label="exact")
right.set(xlabel="number of changes", ylabel="probability")
right.legend()
plt.show()

# %% [markdown]
# ## What can go wrong
#
# **k and the NaNs do not agree.** A start with k = 2 and one change is refused:

# %%
try:
    sampler.start_position = {"k": [2] * 4, "s1": [40.5] * 4, **{n: [nan] * 4 for n in CHANGES[1:]}}
except ValueError as error:
    print(str(error).splitlines()[1])

# %% [markdown]
# **Asking what `s1` is.** The components are alike and change their roles: `s1` may be the first
# change in one sample and the last in another. Ask questions that do not depend on the order, such
# as the rate of a year.
#
# **Births that miss.** If new components are hardly ever accepted, k hardly ever changes. Look at
# it:

# %%
moved = (np.diff(kept["k"], axis=1) != 0).mean()
print(f"k changed in {100 * moved:.0f} % of the steps")
assert moved > 0.02
