# %% [markdown]
# # 1. A chain
#
# You will learn what a model and a proposal are, how one Markov chain walks through a posterior,
# how to choose the size of its jumps, and what the error messages mean.
#
# A lighthouse stands somewhere off a straight coast. Its lamp turns and flashes at random angles;
# along the coast, detectors note where each flash arrives, but not from which direction. Where is
# the lighthouse? (The problem is from S. Gull; D. Sivia's *Data Analysis* made it known.)

# %%
from math import inf, log, pi

import matplotlib.pyplot as plt
import numpy as np

import epsie
from epsie import diagnostics
from epsie.chain import Chain
from epsie.proposals import Normal

# %% [markdown]
# The data: 40 flashes from a lighthouse at `along` = 1 km, `out` = 2 km.

# %%
rng = np.random.default_rng(1)
flashes = 1.0 + 2.0 * np.tan(rng.uniform(-pi / 2, pi / 2, 40))
print(np.sort(flashes).round(1))

# %% [markdown]
# ## The answer
#
# A likelihood and a prior are all that the answer depends on. A flash from a lighthouse at $(a, o)$
# arrives at $x$ with the density $\frac{1}{\pi}\,\frac{o}{o^2 + (x - a)^2}$. A priori the
# lighthouse is anywhere within 10 km along the coast and up to 6 km out.


# %%
def log_likelihood(along, out):
    """The natural logarithm of the likelihood."""
    return float(np.log(out / pi / (out**2 + (flashes - along) ** 2)).sum())


prior = epsie.Prior(along=(-10, 10), out=(0, 6))
run = epsie.sample(log_likelihood, prior, seed=1)
print(run.summary())
assert abs(run.summary().mean["along"] - 1) < 1 and abs(run.summary().mean["out"] - 2) < 1

# %% [markdown]
# The rest of this page takes it apart, down to one chain and one jump.
#
# ## The model
#
# A model is a function. It takes the parameters by name and returns two natural logarithms: that of
# the likelihood, and that of the prior density.
#
# Outside of the prior return `-inf` twice: such a jump is rejected. A
# `epsie.Posterior(log_likelihood, prior)` is just this function; here it is by hand.


# %%
def model(along, out):
    """The logarithms of the likelihood and of the prior density."""
    if not (-10 < along < 10 and 0 < out < 6):
        return -inf, -inf
    return log_likelihood(along, out), -log(20 * 6)


print(model(along=1.0, out=2.0), epsie.Posterior(log_likelihood, prior)(along=1.0, out=2.0))

# %% [markdown]
# ## The chain
#
# A chain stands at a position. At each step it draws a jump from its proposal, asks the model
# about the new position, and accepts it with probability
# $\min(1, \text{posterior there} / \text{posterior here})$ or stays. In the long run it visits
# every region as often as the posterior has it.
#
# `Normal` draws a jump of each parameter from a normal distribution about the present position.
# `cov` takes *variances*: here the jumps have a standard deviation of 0.7 km. The last argument is
# the seed.

# %%
chain = Chain(["along", "out"], model, Normal(["along", "out"], cov=0.7**2), 42)
chain.start_position = {"along": -6.0, "out": 5.0}
chain.step()
print("proposed:", chain.proposed_position)
print(f"accepted with probability {chain.acceptance_ratio:.3f}: {chain.accepted}")
print("now at:  ", chain.current_position)

# %% [markdown]
# `run(n)` makes n steps. Then `positions`, `stats` (`logl` and `logp`) and `acceptance` are numpy
# structured arrays with one row for each step.

# %%
chain.run(9999)
print(chain.positions[:3])
print("acceptance rate:", chain.acceptance["accepted"].mean())

# %% [markdown]
# With two parameters the posterior can also be computed on a grid, so here we know the truth.

# %%
along, out = np.meshgrid(np.linspace(-2, 4, 400), np.linspace(0.01, 5.99, 400), indexing="ij")
logl = np.log(out / pi / (out**2 + (flashes[:, None, None] - along) ** 2)).sum(axis=0)
posterior = np.exp(logl - logl.max())
posterior /= posterior.sum()
exact = {"along": (posterior * along).sum(), "out": (posterior * out).sum()}

figure, (left, right) = plt.subplots(1, 2, width_ratios=(1, 1.3))
descending = np.sort(posterior, axis=None)[::-1]
levels = [descending[np.searchsorted(descending.cumsum(), share)] for share in (0.9, 0.5)]
left.contour(along, out, posterior, levels, colors="black", linewidths=0.8, zorder=3)
left.plot(chain.positions["along"][:300], chain.positions["out"][:300], ".-", lw=0.5, ms=3)
left.plot(1, 2, "*", color="C1", ms=14)
left.set(xlabel="along the coast / km", ylabel="out / km", title="300 steps; contours: 50 and 90 %")
right.plot(chain.positions["along"][:1500], lw=0.8, label="along")
right.plot(chain.positions["out"][:1500], lw=0.8, label="out")
right.set(xlabel="step", ylabel="km", title="The first 1500 steps")
right.legend()
plt.show()

# %% [markdown]
# The chain began far from everything (-6, 5) and needed some tens of steps to arrive. These steps
# say nothing of the posterior: drop them. How many is your decision, the *burn-in*; look at the
# picture, then be generous.
#
# Successive positions are alike, so 9000 of them are worth less than 9000 independent draws. How
# many they are worth is the *effective sample size*, ESS. The Monte Carlo error of a mean is
# sd / sqrt(ESS): `mcse_mean`.

# %%
kept = chain.positions[1000:]
means = {name: kept[name].mean() for name in chain.parameters}
errors, ess = diagnostics.mcse_mean(kept), diagnostics.ess_bulk(kept)
for name, mean in means.items():
    print(
        f"{name:6} {mean:.3f} +- {errors[name]:.3f}, exact {exact[name]:.3f}; ESS {ess[name]:.0f}"
    )
    assert abs(mean - exact[name]) < 4 * errors[name]

# %% [markdown]
# ## How far to jump
#
# Jumps that are too small are nearly all accepted, and the chain crawls. Jumps that are too large
# are nearly all rejected, and it stands. Both waste your time; only the first looks well from its
# acceptance rate. Aim at about a quarter to a half.

# %%
figure, axes = plt.subplots(1, 3, sharey=True)
worth = []
for axis, width in zip(axes, (0.03, 0.7, 15)):
    walker = Chain(["along", "out"], model, Normal(["along", "out"], cov=width**2), 7)
    walker.start_position = {"along": 1.0, "out": 2.0}
    walker.run(5000)
    rate = walker.acceptance["accepted"].mean()
    worth.append(diagnostics.ess_bulk(walker.positions)["along"])
    axis.plot(walker.positions["along"], lw=0.6)
    axis.set_title(f"{width} km: {100 * rate:.2g} % accepted\nESS {worth[-1]:.0f} of 5000")
    axis.set(xlabel="step")
axes[0].set(ylabel="along / km")
plt.show()
assert worth[1] > 5 * max(worth[0], worth[2])

# %% [markdown]
# You need not search for the width by hand: adaptive proposals learn it while the chain runs.
# They come in the {doc}`next tutorial <02_metropolis_hastings>`.
#
# ## The same seed, the same chain
#
# The samples depend on the seed, the model, the settings and the start, and on nothing else. A
# thousand steps at once or in pieces are the same thousand steps, to the last bit.

# %%
pieces = Chain(["along", "out"], model, Normal(["along", "out"], cov=0.7**2), 42)
pieces.start_position = {"along": -6.0, "out": 5.0}
for n in (1, 99, 900, 9000):
    pieces.run(n)
assert pieces.positions.tobytes() == chain.positions.tobytes()

# %% [markdown]
# ## What can go wrong
#
# **A start outside of the prior.** It is refused at once.

# %%
try:
    chain.start_position = {"along": 20.0, "out": 1.0}
except ValueError as error:
    print(error)

# %% [markdown]
# **A model that returns NaN.** It is an error, as comparing with NaN would silently reject: your
# posterior would lack a region. The message says where it happened, so that you can call the model
# there yourself.


# %%
def careless(along, out):
    """Forgets that a density is no likelihood without its normalisation: log of a negative."""
    with np.errstate(invalid="ignore"):
        return np.sum(np.log(out / (out**2 + (flashes - along) ** 2))), 0.0


lost = Chain(["along", "out"], careless, Normal(["along", "out"], cov=4.0), 1)
lost.start_position = {"along": 1.0, "out": 2.0}
try:
    lost.run(1000)
except Exception as error:
    print(f"{type(error).__name__}: {error}")

# %% [markdown]
# **A prior without its constant.** Sampling needs ratios only, so `logp = 0.0` inside of the bounds
# would have done here. The {doc}`evidence <03_parallel_tempering>` needs the constant: write it.
#
# **One chain that looks fine.** It may never have left one of several peaks. Run several chains
# from different starts, and compare: that is what samplers are for.
