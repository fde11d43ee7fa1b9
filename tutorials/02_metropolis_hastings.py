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
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

import epsie
from epsie import plots
from epsie.proposals import ATAdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler

# %%
seconds = np.arange(60) + 0.5
rng = np.random.default_rng(2)
counts = rng.poisson(30 * np.exp(-seconds / 12) + 4)

# %% [markdown]
# ## The answer
#
# In second $i$ we expect $\mu_i = a\,e^{-t_i/\tau} + b$ counts, and the counts are Poisson. Rates
# and times are positive: each has a log-normal prior. What else is of interest comes beside the log
# likelihood, as a dict: a *blob*.


# %%
def log_likelihood(a, tau, b):
    """The natural logarithm of the likelihood, and what else is of interest."""
    mu = a * np.exp(-seconds / tau) + b
    return counts @ np.log(mu) - mu.sum(), {"half_life": log(2) * tau, "nuclei": a * tau}


prior = epsie.Prior(
    a=stats.lognorm(1, scale=exp(3)),
    tau=stats.lognorm(1, scale=exp(2.5)),
    b=stats.lognorm(1, scale=exp(1)),
)
run = epsie.sample(log_likelihood, prior, seed=1)
answer = run.summary(blobs=True)
print(answer)

# %% [markdown]
# That is all, if you want to choose nothing. The rest of this page makes the same by hand, with a
# sampler, and looks into it.
#
# ## The model
#
# Rates and times are positive, and a factor of two means the same at any size; so we sample
# logarithms, with a prior that is normal in each of them.
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
assert (abs(sampler.acceptance_rate(burn_in=LEARNING) - 0.234) < 0.2).all()

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
# ## Each parameter in its own unit
#
# Here are 32 radial velocities of the star K2-24, which two planets pull to and fro. From their
# transits the periods are known to half a minute and so are the times at which they pass; how fast
# the star moves, and how noisy it is, are not. So the posterior is 4e-4 days wide in one parameter,
# and several meters per second in another.
#
# Nothing needs to be rescaled: the first jumps are as large, in each parameter, as the chains
# start apart. So let each start from a draw of the prior, or near to what is known.

# %%
table = Path("tutorials" if Path("tutorials").is_dir() else ".") / "data"
error, time, velocity = np.genfromtxt(
    table / "k2-24_radial_velocities.csv", delimiter=",", skip_header=4, usecols=(1, 2, 3)
).T
EPHEMERIS = {
    "per1": (20.885258, 3.6e-4),
    "tc1": (2072.79438, 7e-4),
    "per2": (42.363011, 6.3e-4),
    "tc2": (2082.62516, 4e-4),
}


def planets(per1, tc1, per2, tc2, log_k1, log_k2, slope, zero, jitter):
    """Two circular orbits, whose semi-amplitudes are log-uniform a priori, and a linear trend."""
    if not (0 < jitter < 15 and -2 < log_k1 < 5 and -2 < log_k2 < 5):
        return None, -np.inf
    k1, k2 = exp(log_k1), exp(log_k2)
    v = zero + slope * (time - 2420)
    v -= k1 * np.sin(2 * np.pi * (time - tc1) / per1) + k2 * np.sin(2 * np.pi * (time - tc2) / per2)
    variance = error**2 + jitter**2
    known = zip((per1, tc1, per2, tc2), EPHEMERIS.values(), strict=True)
    logp = -0.5 * (sum(((x - mean) / sd) ** 2 for x, (mean, sd) in known) + slope**2)
    return -0.5 * np.sum((velocity - v) ** 2 / variance + np.log(variance)), logp, {"k1": k1}


draw, chains = np.random.default_rng(24), 4
start = {name: draw.normal(mean, sd, chains) for name, (mean, sd) in EPHEMERIS.items()}
start |= {name: draw.uniform(-2, 5, chains) for name in ("log_k1", "log_k2")}
start |= {"slope": draw.normal(0, 1, chains), "zero": draw.normal(0, 5, chains)}
start["jitter"] = draw.uniform(0, 15, chains)

k2_24 = MetropolisHastingsSampler(
    list(start), planets, chains, [ATAdaptiveNormal(list(start), 9000)], seed=24, pool=2
)
k2_24.start_position = start
k2_24.run(36_000)
print(k2_24.summary(blobs=["k1"]))
assert max(k2_24.rhat().values()) <= 1.01

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
