# %% [markdown]
# # 2. The Metropolis-Hastings sampler
#
# You will learn how to run many chains at once and in parallel, how to let proposals learn their
# widths, how to tell whether the chains agree, and how to keep what the model computes on the way.
#
# A detector counts decays each second for a minute: a radioactive sample, and a constant
# background. How many nuclei were there, and what is their half-life?

# %%
from math import exp, log, sqrt

import matplotlib.pyplot as plt
import numpy as np

from epsie import plots
from epsie.proposals import ATAdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler

# %%
seconds = np.arange(60) + 0.5
rng = np.random.default_rng(2)
counts = rng.poisson(30 * np.exp(-seconds / 12) + 4)

# %% [markdown]
# ## The model
#
# In second $i$ we expect $\mu_i = a\,e^{-t_i/\tau} + b$ counts, and the counts are Poisson. Rates
# and times are positive, and a factor of two means the same at any size; so we sample logarithms,
# with a prior that is normal in each of them.
#
# The third thing that a model may return is a *blob*: a dict of whatever you want to keep. It is
# stored beside each position, so nothing has to be computed twice.

# %%
NAMES = ["log_a", "log_tau", "log_b"]
PRIOR_MEAN, PRIOR_SD = np.array([3.0, 2.5, 1.0]), 1.0


def model(log_a, log_tau, log_b):
    """The logarithms of likelihood and prior density, and what else is of interest."""
    a, tau, b = exp(log_a), exp(log_tau), exp(log_b)
    mu = a * np.exp(-seconds / tau) + b
    logl = counts @ np.log(mu) - mu.sum()
    z = (np.array([log_a, log_tau, log_b]) - PRIOR_MEAN) / PRIOR_SD
    logp = -0.5 * z @ z - 3 * log(PRIOR_SD * sqrt(2 * np.pi))
    return logl, logp, {"half_life": log(2) * tau, "nuclei": a * tau}


# %% [markdown]
# ## Many chains
#
# A sampler has several chains, here four. Each needs a start; draw them from the prior, so that
# they come from all sides. If they then agree, that means something.
#
# `ATAdaptiveNormal` learns the shape and the scale of the posterior while it runs, here for the
# first 3000 jumps. After that it stays as it is; the samples before are burn-in. This adaptation
# (Andrieu & Thoms) is the one to try first.
#
# `pool=2` runs the chains on two processes. The samples are the same with any pool.

# %%
NCHAINS, LEARNING = 4, 3000
sampler = MetropolisHastingsSampler(
    NAMES,
    model,
    NCHAINS,
    proposals=[ATAdaptiveNormal(NAMES, adaptation_duration=LEARNING)],
    seed=12,
    pool=2,
)
starts = rng.normal(PRIOR_MEAN, PRIOR_SD, size=(NCHAINS, 3))
sampler.start_position = dict(zip(NAMES, starts.T))
sampler.run(13_000)

# %% [markdown]
# What was visited comes as structured arrays of the shape `(nchains, niterations)`:

# %%
print("positions  ", sampler.positions.dtype.names, sampler.positions.shape)
print("stats      ", sampler.stats.dtype.names)
print("acceptance ", sampler.acceptance.dtype.names)
print("blobs      ", sampler.blobs.dtype.names)

# %% [markdown]
# Look at the chains before you believe them. What is shaded is burn-in.

# %%
plots.trace(sampler)

# %% [markdown]
# ## Do they agree?
#
# `summary` leaves out the burn-in, estimates, and says in words what is wrong, if anything is.
#
# * `mcse` is the Monte Carlo error of the mean.
# * `ess_bulk` and `ess_tail` are effective sample sizes: how many independent draws the samples are
#   worth for the centre and for the tails. 400 are a good minimum.
# * `rhat` compares the spread between chains with that within them. It is 1 if they agree, and
#   should be below 1.01.

# %%
summary = sampler.summary()
print(summary)
assert not summary.warnings

# %% [markdown]
# With three parameters a grid gives the exact answer, to check ours against.

# %%
grid = np.meshgrid(*np.linspace((2.9, 1.9, -1.0), (3.9, 3.5, 2.2), 80).T, indexing="ij")
mu = np.exp(grid[0])[..., None] * np.exp(-seconds / np.exp(grid[1])[..., None])
mu += np.exp(grid[2])[..., None]
log_posterior = np.log(mu) @ counts - mu.sum(axis=-1)
log_posterior -= sum((x - mean) ** 2 for x, mean in zip(grid, PRIOR_MEAN)) / (2 * PRIOR_SD**2)
weights = np.exp(log_posterior - log_posterior.max())
weights /= weights.sum()
exact = {name: (weights * x).sum() for name, x in zip(NAMES, grid)}

for name in NAMES:
    mean, error = summary.mean[name], summary.mcse_mean[name]
    print(f"{name:8} {mean:.4f} +- {error:.4f}, exact {exact[name]:.4f}")
    assert abs(mean - exact[name]) < 4 * error

# %% [markdown]
# ## The answer
#
# Derived quantities are in the blobs, and every question is asked of the samples: their quantiles
# are those of the posterior.

# %%
blobs = sampler.blobs[:, LEARNING:]
for name, unit in (("half_life", " s"), ("nuclei", "")):
    low, middle, high = np.quantile(blobs[name], (0.05, 0.5, 0.95))
    print(f"{name}: {middle:.1f}{unit}, between {low:.1f} and {high:.1f} with 90 % probability")

# %%
plots.corner(sampler, labels={"log_a": "log a", "log_tau": "log τ", "log_b": "log b"})

# %%
kept = sampler.positions[:, LEARNING:].ravel()[::40]
curves = np.exp(kept["log_a"][:, None] - seconds / np.exp(kept["log_tau"][:, None]))
curves += np.exp(kept["log_b"][:, None])

figure, (left, right) = plt.subplots(1, 2, width_ratios=(1.4, 1))
left.plot(seconds, counts, "k.", label="counted")
left.fill_between(seconds, *np.quantile(curves, (0.05, 0.95), axis=0), alpha=0.3, lw=0)
left.plot(seconds, np.median(curves, axis=0), label="expected, with 90 % band")
left.set(xlabel="t / s", ylabel="counts / s")
left.legend()
right.plot(blobs["half_life"].ravel()[::8], blobs["nuclei"].ravel()[::8], ".", ms=2, alpha=0.3)
right.plot(12 * log(2), 360, "*", color="C1", ms=14)
right.set(xlabel="half-life / s", ylabel="nuclei", title="Posterior; the star is the truth")
plt.show()

# %% [markdown]
# ## Did the proposal learn?
#
# The acceptance rate should settle near the dashed line, about a quarter, and the widths should be
# level before learning ends.

# %%
plots.adaptation(sampler)

# %%
print("acceptance rates:", sampler.acceptance_rate(burn_in=LEARNING).round(2))
assert (abs(sampler.acceptance_rate(burn_in=LEARNING) - 0.234) < 0.1).all()

# %% [markdown]
# ## Going on
#
# `run` adds iterations to those there are. If you do not know how many are enough, say what for,
# and how many at most.

# %%
sampler.run(30_000, until={"ess": 4000, "rhat": 1.01})
print("made in all:", sampler.niterations)
assert min(sampler.ess_bulk().values()) > 4000

# %% [markdown]
# `clear` drops the history, as after the burn-in, and changes nothing of what follows.

# %%
sampler.clear()
sampler.run(1000)
print("kept:", sampler.positions.shape, "made in all:", sampler.niterations)

# %% [markdown]
# ## What can go wrong
#
# **Too short a time to learn.** Adaptation that ended before the chains arrived has learned the way
# there, not the posterior. Take a few hundred jumps for each parameter at least.
#
# **A model that needs something from elsewhere.** Models travel to the workers with all that they
# refer to: functions, arrays, lambdas. What cannot travel is an open file or a connection; open it
# inside of the model, at the first call.
#
# **A model that is very fast.** A call of 20 microseconds is not worth a pool if the run takes a
# second anyhow. A call of a millisecond is.
#
# **Chains that disagree.** R-hat far above 1 means that there are several peaks, or that the chains
# are much too short. Several peaks need {doc}`parallel tempering <03_parallel_tempering>`.
