# %% [markdown]
# # 3. Parallel tempering and the evidence
#
# You will learn what to do with a posterior of many peaks, how to choose and tune temperatures, and
# how to compare models by their evidence.
#
# The velocity of a star was measured on 20 nights. Does it oscillate, as it would with a planet?
# With which frequency? As the measurements are about whole days apart, a frequency can be mistaken
# for others that differ by one a day, and for their mirror images: the posterior has many narrow
# peaks.

# %%
from math import cos, inf, log, pi, sin, sqrt

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats
from scipy.special import logsumexp

import epsie
from epsie import diagnostics, geometric_ladder, plots
from epsie.chain import BarrierAnnealer
from epsie.proposals import ATAdaptiveBoundedNormal, ATAdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

# %%
rng = np.random.default_rng(7)
days = np.sort(rng.choice(60, 20, replace=False)) + rng.normal(0, 0.1, 20)
velocities = 4 * np.sin(2 * pi * 0.31 * days + 1) + rng.normal(0, 3, 20)  # m/s

plt.errorbar(days, velocities, 3, fmt="ko", ms=4, lw=0.8)
plt.xlabel("days")
plt.ylabel("velocity / m/s")
plt.show()

# %% [markdown]
# ## The model
#
# The velocity is $a \cos 2\pi f t + b \sin 2\pi f t$ with noise of $\sigma = 3$ m/s. The frequency
# has a uniform prior from 0 to 1 a day, both amplitudes a normal prior with a standard deviation of
# 4 m/s. For an evidence the likelihood and the prior must be *normalised* densities: all constants
# count.

# %%
SIGMA, SCALE = 3.0, 4.0
DATA = list(zip((2 * pi * days).tolist(), velocities.tolist()))
CONSTANT = -len(DATA) * log(SIGMA * sqrt(2 * pi))


def model(frequency, a, b):
    """The logarithms of the likelihood and of the prior density."""
    if not 0 < frequency < 1:
        return -inf, -inf
    squares = 0.0
    for t, v in DATA:
        squares += (v - a * cos(frequency * t) - b * sin(frequency * t)) ** 2
    logp = -0.5 * (a * a + b * b) / SCALE**2 - 2 * log(SCALE * sqrt(2 * pi))
    return CONSTANT - 0.5 * squares / SIGMA**2, logp


# %% [markdown]
# This problem has an exact solution to compare with: for a given frequency the amplitudes can be
# integrated by hand, and the integral over the one frequency is easy.

# %%
frequencies = np.linspace(0, 1, 20_001)
phases = 2 * pi * np.outer(frequencies, days)
waves = np.stack([np.cos(phases), np.sin(phases)])
precision = np.einsum("ift,jft->fij", waves, waves) / SIGMA**2 + np.eye(2) / SCALE**2
moment = np.einsum("ift,t->fi", waves, velocities) / SIGMA**2
best = np.linalg.solve(precision, moment[..., None])[..., 0]
log_likelihoods = CONSTANT - 0.5 * velocities @ velocities / SIGMA**2 - 2 * log(SCALE)
log_likelihoods += 0.5 * (moment * best).sum(axis=1) - 0.5 * np.linalg.slogdet(precision)[1]
exact_log_z = logsumexp(log_likelihoods) - log(len(frequencies))
density = np.exp(log_likelihoods - exact_log_z)

# %% [markdown]
# ## The answer
#
# With nothing to choose, from the likelihood and the prior:


# %%
def log_likelihood(frequency, a, b):
    """The natural logarithm of the likelihood."""
    return model(frequency, a, b)[0]


prior = epsie.Prior(frequency=(0, 1), a=stats.norm(0, SCALE), b=stats.norm(0, SCALE))
run = epsie.sample(log_likelihood, prior, seed=1, tempered=True)
print(run.summary())
evidence = run.log_evidence()
print(f"log Z = {evidence.log_z:.2f} +- {evidence.standard_error:.2f}, exact {exact_log_z:.2f}")
assert abs(evidence.log_z - exact_log_z) < 4 * evidence.standard_error + 0.05

# %% [markdown]
# The rest of this page does that by hand.
#
# ## One temperature is not enough
#
# First, eight ordinary chains. Each stays in the peak that it happened to find, so that the heights
# of the peaks say how often they were found and nothing else.

# %%
NAMES, LEARNING = ["frequency", "a", "b"], 3000


def proposals():
    """One proposal for the frequency, in its bounds, and one for both amplitudes."""
    return [
        ATAdaptiveBoundedNormal("frequency", {"frequency": (0, 1)}, LEARNING),
        ATAdaptiveNormal(["a", "b"], LEARNING),
    ]


def starts(shape):
    """Draws from the prior."""
    return {
        "frequency": rng.uniform(0, 1, shape),
        "a": rng.normal(0, SCALE, shape),
        "b": rng.normal(0, SCALE, shape),
    }


cold = MetropolisHastingsSampler(NAMES, model, 8, proposals(), seed=3, pool=2)
cold.start_position = starts(8)
cold.run(6000)
print(cold.summary())
assert cold.rhat()["frequency"] > 1.5

# %% [markdown]
# The summary notices. But to run longer would not help here: no chain leaves its peak.

# %% [markdown]
# ## Temperatures
#
# At the inverse temperature $\beta$ a chain samples likelihood$^\beta \times$ prior. At $\beta = 1$
# that is the posterior, at $\beta = 0$ the prior, where there are no peaks. Neighbours swap their
# points, so that what was found in the heat arrives in the cold.
#
# * `geometric_ladder(ntemps, ndim)` gives a first ladder that ends with $\beta = 0$, as the
#   evidence needs it.
# * `BarrierAnnealer(duration)` moves the temperatures until all neighbours swap equally often.
#   After so many iterations the ladder rests; only samples from then on count.
# * Starts have the shape `(ntemps, nchains)`.

# %%
NTEMPS, NCHAINS = 8, 4
sampler = ParallelTemperedSampler(
    NAMES,
    model,
    NCHAINS,
    betas=geometric_ladder(NTEMPS, len(NAMES)),
    proposals=proposals(),
    adaptive_annealer=BarrierAnnealer(LEARNING),
    swap_scheme="deo",
    seed=4,
    pool=2,
)
sampler.start_position = starts((NTEMPS, NCHAINS))
sampler.run(LEARNING)
sampler.clear()
sampler.run(8000)
print("betas of the first chain:", sampler.betas[0].round(3))
print("positions:", sampler.positions.shape)  # (ntemps, nchains, niterations); index 0 is coldest

# %%
figure, axes = plt.subplots(3, 1, sharex=True, figsize=(8, 5))
bins = np.linspace(0, 1, 201)
for axis, values, title in (
    (axes[0], cold.positions["frequency"][:, LEARNING:], "eight ordinary chains"),
    (axes[1], sampler.positions["frequency"][0], "tempered"),
):
    axis.hist(values.ravel(), bins, density=True, alpha=0.8)
    axis.set(title=title, yticks=[])
axes[2].plot(frequencies, density, color="black", lw=1)
axes[2].set(title="exact", yticks=[], xlabel="frequency / (1 / day)", xlim=(0, 1))
plt.show()

# %% [markdown]
# The probability of each of the highest peaks, with its Monte Carlo error:

# %%
frequency = sampler.positions["frequency"][0]
for low, high in ((0.25, 0.4), (0.6, 0.75)):
    inside = (low < frequency) & (frequency < high)
    error = diagnostics.mcse_mean({"inside": inside})["inside"]
    truth = density[(low < frequencies) & (frequencies < high)].sum() / len(frequencies)
    print(f"{low} to {high}: {inside.mean():.3f} +- {error:.3f}, exact {truth:.3f}")
    assert abs(inside.mean() - truth) < 4 * error

# %% [markdown]
# ## Do the temperatures communicate?
#
# A *round trip* is the way of a point from the coldest temperature to the hottest and back: each
# brings news. Tens of them in each chain are good, none is an alarm. `recommended_ntemps` says how
# many temperatures would make the most of them.

# %%
print("round trips of each chain:", sampler.round_trips)
print("acceptance of swaps, coldest pair first:", sampler.swap_acceptance.mean(axis=1).round(2))
print("recommended number of temperatures:", sampler.recommended_ntemps)
assert (sampler.round_trips > 20).all()

# %%
plots.temperatures(sampler)

# %% [markdown]
# ## The evidence
#
# The evidence $Z = \int \text{likelihood} \times \text{prior}$ is what the data say of the model
# as a whole. The log-likelihoods of all temperatures together tell it.

# %%
evidence = sampler.log_evidence()
print(f"log Z = {evidence.log_z:.3f} +- {evidence.standard_error:.3f}; exact {exact_log_z:.3f}")
assert abs(evidence.log_z - exact_log_z) < 4 * evidence.standard_error
for method in ("bridge", "stepping_stone", "thermodynamic"):
    other = sampler.log_evidence(method)
    print(f"{method:>16}: {other.log_z:.3f} +- {other.standard_error:.3f}")

# %% [markdown]
# `mbar`, the default, makes the most of the samples. Thermodynamic integration makes an error of
# its own if the temperatures are few, which its figure does not contain.
#
# The picture shows where between prior and posterior the evidence comes from. Where it bends,
# temperatures should be close:

# %%
plots.evidence(sampler)

# %% [markdown]
# Is there an oscillation at all? Without one there is no parameter, and the evidence is just the
# likelihood of noise.

# %%
log_z_of_noise = CONSTANT - 0.5 * velocities @ velocities / SIGMA**2
log_odds = evidence.log_z - log_z_of_noise
print(f"oscillation against noise: a factor of {np.exp(log_odds):.0f}")

# %% [markdown]
# ## What can go wrong
#
# **No prior at the end.** The evidence needs $\beta = 0$, and says so otherwise:

# %%
short = ParallelTemperedSampler(NAMES, model, 1, [1, 0.5, 0.1], proposals=proposals(), seed=5)
short.start_position = starts((3, 1))
short.run(LEARNING + 100)
try:
    short.log_evidence()
except ValueError as error:
    print(error)

# %% [markdown]
# **A prior that is not normalised.** The sampler cannot know. The posterior is right, the evidence
# is wrong by the missing factor.
#
# **Samples of a moving ladder.** Give annealers a duration. `log_evidence` leaves out what came
# before it by itself, and refuses a `burn_in` that would not.
#
# **Too few chains.** Every chain gives an evidence of its own, and the error counts how they
# differ. Four are a good number:

# %%
print(evidence.per_chain.round(2))
