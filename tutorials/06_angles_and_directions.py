# %% [markdown]
# # 6. Angles and directions
#
# You will learn how to sample an angle that goes around, and a direction on a sphere, what the
# prior of a direction has to be, and how to average angles.

# %%
from math import cos, log, pi, sin, tau

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import ive

from epsie import diagnostics
from epsie.proposals import (
    AdaptiveIsotropicSolidAngle,
    ATAdaptiveAngular,
    ATAdaptiveBoundedNormal,
)
from epsie.samplers import MetropolisHastingsSampler

# %% [markdown]
# ## An angle
#
# A signal with a known period and amplitude arrives in noise. What is its phase? It happens to be
# near zero, where the circle closes.

# %%
rng = np.random.default_rng(6)
phases = np.arange(24) / 24 * tau
signal = np.cos(phases - 0.05) + rng.normal(0, 1, 24)
DATA = list(zip(phases.tolist(), signal.tolist()))


def model(phi):
    """A cosine in normal noise; the phase is uniform a priori."""
    return -0.5 * sum([(y - cos(phase - phi)) ** 2 for phase, y in DATA]), -log(tau)


# %% [markdown]
# An angle in bounds of 0 and $2\pi$ would see two peaks with all of the circle between them.
# `Angular` and its learning forms jump around the circle; positions are in $[0, 2\pi)$, or wherever
# `bounds` says. Both are run from the same starts.


# %%
def run(proposal):
    """Four chains with this proposal."""
    sampler = MetropolisHastingsSampler("phi", model, 4, [proposal], seed=6)
    sampler.start_position = {"phi": [0.2, 0.4, 6.0, 6.2]}
    sampler.run(6000)
    return sampler


bounded = run(ATAdaptiveBoundedNormal("phi", {"phi": (0, tau)}, 1000))
around = run(ATAdaptiveAngular("phi", 1000))

# %% [markdown]
# As the phases are spread evenly, the posterior is a von Mises distribution, which we can compare
# with: with $C = \sum_j y_j e^{i \theta_j}$ its density is proportional to
# $e^{|C| \cos(\phi - \operatorname{arg} C)}$.

# %%
c = (signal * np.exp(1j * phases)).sum()
centre, concentration = np.angle(c), abs(c)

figure, axes = plt.subplots(1, 3, width_ratios=(1, 1, 1.2))
for axis, sampler, title in ((axes[0], bounded, "in bounds"), (axes[1], around, "around")):
    axis.plot(sampler.positions["phi"][[0, 3], 1000:1600].T, ".", ms=2)
    axis.set(title=title, xlabel="iteration", ylim=(0, tau))
    axis.set_yticks([0, pi, tau], ["0", "π", "2π"])
axes[0].set(ylabel="phase of two chains")
angle = np.linspace(-pi, pi, 400)
values = around.positions["phi"][:, 1000:].ravel()
axes[2].hist((values + pi) % tau - pi, 60, density=True, alpha=0.5)
exact = np.exp(concentration * (np.cos(angle - centre) - 1)) / (tau * ive(0, concentration))
axes[2].plot(angle, exact, color="black", lw=1, label="exact")
axes[2].set(title="posterior", xlabel="phase, from -π to π", yticks=[], xlim=(-1.5, 1.5))
axes[2].legend()
plt.show()

# %% [markdown]
# The chains in bounds hardly ever cross: each believes what its start told it.
#
# ### Averages of angles
#
# The mean of 0.1 and $2\pi - 0.1$ is not $\pi$. `summary` knows from the proposal that the phase is
# an angle: its mean is the mean direction, and all else is computed of cosine and sine. It does not
# know so of the bounded one; say `angular=["phi"]`.

# %%
values = around.positions["phi"][:, 1000:]
print(f"mean of the numbers: {values.mean():.2f}, which is far from all of them")
summary = around.summary()
print(summary)
off = (summary.mean["phi"] - centre + pi) % tau - pi
assert abs(off) < 4 * summary.mcse_mean["phi"]
assert summary.rhat["phi"] < 1.01

# %%
print(bounded.summary(angular=["phi"]))
assert bounded.rhat(angular=["phi"])["phi"] > 1.1

# %% [markdown]
# ## A direction
#
# A telescope saw 12 events from one source near the celestial pole, each with a known angular error
# of about 5 degrees. Where is the source?
#
# Near a pole, right ascension and declination are poor coordinates: a small step on the sky may be
# any step in right ascension. `IsotropicSolidAngle` and `AdaptiveIsotropicSolidAngle` jump on the
# sphere itself, alike to all sides. `radec=True` takes a declination instead of a polar angle,
# `degs=True` takes degrees.


# %%
def vector(ra, dec):
    """The unit vector of a direction in degrees."""
    ra, dec = np.radians(ra), np.radians(dec)
    return np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def scattered(centre, kappa, n):
    """Directions about a centre with the von Mises-Fisher distribution, as unit vectors."""
    cosine = 1 + np.log1p(rng.uniform(size=n) * np.expm1(-2 * kappa)) / kappa
    turn = rng.uniform(0, tau, n)
    aside = np.linalg.qr(np.column_stack([centre, np.eye(3)[:, :2]]))[0][:, 1:]
    sine = np.sqrt(1 - cosine**2)
    return cosine * centre[:, None] + sine * (aside @ [np.cos(turn), np.sin(turn)])


KAPPA = 1 / np.radians(5.0) ** 2
events = scattered(vector(40.0, 88.0), KAPPA, 12)
X, Y, Z = (KAPPA * events.sum(axis=1)).tolist()


def direction(ra, dec):
    """Events scatter about the source; it is equally likely anywhere on the sky."""
    a, d = ra * pi / 180, dec * pi / 180
    logl = X * cos(d) * cos(a) + Y * cos(d) * sin(a) + Z * sin(d)
    return logl, log(cos(d) / (4 * pi) * (pi / 180) ** 2)


proposal = AdaptiveIsotropicSolidAngle("ra", "dec", 2000, radec=True, degs=True)
sampler = MetropolisHastingsSampler(["ra", "dec"], direction, 4, [proposal], seed=7)
sampler.start_position = {"ra": [0.0, 90.0, 180.0, 270.0], "dec": [80.0, 60.0, -30.0, 0.0]}
sampler.run(12_000)
kept = sampler.positions[:, 2000:]

# %% [markdown]
# The exact posterior is again of the same kind, about the sum of all events. Check the mean of the
# unit vectors:

# %%
resultant = np.array([X, Y, Z])
strength = np.linalg.norm(resultant)
truth = resultant / strength * (1 / np.tanh(strength) - 1 / strength)
components = dict(zip("xyz", vector(kept["ra"], kept["dec"])))
errors = diagnostics.mcse_mean(components)
for name, expected in zip("xyz", truth):
    mean = components[name].mean()
    print(f"{name}: {mean:.5f} +- {errors[name]:.5f}, exact {expected:.5f}")
    assert abs(mean - expected) < 4 * errors[name]

# %%
figure = plt.figure(figsize=(8, 4))
left, right = figure.subplots(1, 2, subplot_kw={"projection": "polar"})
seen = np.degrees([np.arctan2(events[1], events[0]), np.arccos(events[2])])
left.plot(np.radians(seen[0]), seen[1], "k.", label="events")
left.plot(np.radians(40), 2, "*", color="C1", ms=12, label="source")
left.set(title="Events; circles: degrees from the pole", rmax=16, rticks=[5, 10, 15], xticks=[])
left.legend(loc="lower right", bbox_to_anchor=(1.1, -0.08))
right.plot(np.radians(kept["ra"].ravel()[::8]), 90 - kept["dec"].ravel()[::8], ".", ms=1, alpha=0.4)
right.plot(np.radians(40), 2, "*", color="C1", ms=12)
right.set(title="Posterior", rmax=8, rticks=[2, 4, 6], xticks=[])
plt.show()

# %% [markdown]
# ## What can go wrong: the prior of a direction
#
# In right ascension and declination "anywhere on the sky" has a density proportional to
# $\cos\delta$: towards a pole there is less sky between two right ascensions. `logp` is a density
# in the parameters, whatever proposal moves them, so the factor is in the model above. Without it
# every declination is equally likely, and the poles are favoured. Without data:


# %%
def with_factor(ra, dec):
    """Even on the sky."""
    return 0.0, log(max(cos(dec), 1e-300) / (4 * pi))


def without_factor(ra, dec):
    """Even in the declination."""
    return 0.0, -log(2 * pi**2)


figure, axes = plt.subplots(1, 2, sharey=True)
for axis, prior in zip(axes, (with_factor, without_factor)):
    proposal = AdaptiveIsotropicSolidAngle("ra", "dec", 1000, radec=True)
    blank = MetropolisHastingsSampler(["ra", "dec"], prior, 4, [proposal], seed=8)
    blank.start_position = {"ra": [0.0, 1.0, 2.0, 3.0], "dec": [0, 0.5, -0.5, 1]}
    blank.run(8000)
    height = np.sin(blank.positions["dec"][:, 1000:])
    axis.hist(height.ravel(), 40, density=True, alpha=0.6)
    axis.axhline(0.5, color="black", lw=1)
    axis.set(title=prior.__doc__, xlabel="sine of the declination", xticks=[-1, 0, 1], yticks=[])
    error = diagnostics.mcse_mean({"square": height**2})["square"]
    # Equal areas of the sphere are equally likely if the mean square of the sine is 1/3.
    even = abs((height**2).mean() - 1 / 3) < 4 * error
    assert even == (prior is with_factor)
plt.show()

# %% [markdown]
# Models that were made for EPSIE 1.x count per steradian, where these proposals moved their
# directions: their `logp` has no factor, and `density="steradian"` keeps that meaning.
#
# ## Where an angle lies
#
# A prior on $[-\pi, \pi)$, in degrees or in hours is told with `bounds=(-pi, pi)`,
# `bounds=(0, 360)`, `bounds=(0, 24)`; the width is the period. Of directions it is
# `azimuth_bounds`. Starts outside are refused:

# %%
sampler = MetropolisHastingsSampler("phi", model, 4, [ATAdaptiveAngular("phi", 1000)], seed=6)
try:
    sampler.start_position = {"phi": [-0.4, -0.2, 0.2, 0.4]}
except ValueError as error:
    print(error)
proposal = ATAdaptiveAngular("phi", 1000, bounds=(-pi, pi))
sampler = MetropolisHastingsSampler("phi", model, 4, [proposal], seed=6)
sampler.start_position = {"phi": [-0.4, -0.2, 0.2, 0.4]}
sampler.run(6000)
mean = sampler.summary().mean["phi"]
print(f"mean: {mean:.3f}, exact: {centre:.3f}")
assert abs(mean - centre) < 0.05
