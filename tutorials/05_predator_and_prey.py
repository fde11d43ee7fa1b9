# %% [markdown]
# # 5. Predator and prey
#
# You will learn how a real job is made: real data, a differential equation, starts that are worth
# their name, a run on disk that survives being killed, and results that are checked before they
# are believed.
#
# The job is the script `tutorials/lynx_hare.py`. It runs on all cores for about a minute:
#
# ```bash
# python tutorials/lynx_hare.py
# ```
#
# Here we look into it, and run it with fewer iterations.

# %%
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lynx_hare
import matplotlib.pyplot as plt
import numpy as np

from epsie import RunDirectoryError, open_run
from epsie.proposals import ATAdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler

# %% [markdown]
# ## The data and the equations
#
# The Hudson's Bay Company counted the pelts of snowshoe hares and of the lynxes that live on them,
# from 1900 to 1920, in thousands. With h hares and l lynxes,
#
# $$\dot h = (\alpha - \beta l)\, h, \qquad \dot l = (\delta h - \gamma)\, l,$$
#
# and what is counted scatters about that with a log-normal distribution. Four rates, two start
# values and two scatters are unknown.
#
# The solver is a plain Runge-Kutta method in Python floats. It takes 0.15 ms, less than the
# overhead of a general solver: when a model is called half a million times, look at what it does.
#
# ```{literalinclude} lynx_hare.py
# :pyobject: solve
# ```
#
# ## The model
#
# It is a class, so that the data are with it: an instance travels to the workers like a function.
# Two things are worth copying.
#
# * It samples *logarithms* of parameters that are positive and of very different size. Their
#   posterior has about the same width in all directions, and no jump leaves the allowed region. The
#   prior is one of the values themselves, so the density of the logarithms has one more factor: the
#   value.
# * It returns `-inf` where numbers overflow, on purpose and only there. A NaN would stop the run,
#   and should: it may be a mistake.
#
# ```{literalinclude} lynx_hare.py
# :pyobject: LynxHare
# ```

# %%
names = ["log_" + name for name in lynx_hare.PARAMETERS]
model = lynx_hare.LynxHare(lynx_hare.COUNTS)
best = dict(zip(names, lynx_hare.fit(lynx_hare.COUNTS).tolist()))
print("logl, logp at the least-squares fit:", model(**best))

# %% [markdown]
# ## Starts
#
# Starts drawn from the prior are a good habit, but not here: oscillations with another period fit
# some of the data, and are a lower peak that no jump leaves. Four chains from the prior:

# %%
rng = np.random.default_rng(5)
starts = {name: rng.lognormal(-1, 1, 4) for name in ("sigma_hare", "sigma_lynx")}
for name in ("hare0", "lynx0"):
    starts[name] = rng.lognormal(np.log(10), 1, 4)
for name, mean in (("alpha", 1), ("beta", 0.05), ("gamma", 1), ("delta", 0.05)):
    starts[name] = np.abs(rng.normal(mean, 0.5 * mean, 4))

lost = MetropolisHastingsSampler(names, model, 4, [ATAdaptiveNormal(names, 1000)], seed=1, pool=2)
lost.start_position = {"log_" + name: np.log(values) for name, values in starts.items()}
lost.run(2000)
print("logl where they end:", lost.current_stats["logl"].round(1))
print(f"R-hat of log_alpha: {lost.rhat()['log_alpha']:.2f}")

# %% [markdown]
# The script starts near a least-squares fit instead, with some scatter:
#
# ```{literalinclude} lynx_hare.py
# :pyobject: sample
# ```
#
# ## A run on disk, and a kill
#
# `run(total=..., directory=...)` is all that a script needs. It saves now and then, and what was
# saved survives anything. Started again, the same command goes on where it was.
#
# Start it, and kill it (SIGKILL, which no program can catch) as soon as something is saved:

# %%
place = Path(tempfile.mkdtemp())
command = [sys.executable, lynx_hare.__file__, "--iterations=16000", "--processes=2", "--every=500"]


def saved(directory):
    """How many iterations are on disk."""
    try:
        return open_run(directory).niterations
    except RunDirectoryError:  # not yet
        return 0


run = place / "lynx_hare_run"
job = subprocess.Popen([*command, f"--output={place}"], stderr=subprocess.DEVNULL)
while saved(run) < 1000 and job.poll() is None:
    time.sleep(0.05)
job.kill()
print("exit code:", job.wait(), "saved:", saved(run), "of 16000 iterations")
assert 1000 <= saved(run) < 16000

# %% [markdown]
# A run can be read while it is being written, or after a kill, from another process:

# %%
print(open_run(run).positions.shape)

# %% [markdown]
# The same command again. It prints the table of the results beside a published reference
# (posteriordb: 10,000 nearly independent draws of another method).

# %%
done = subprocess.run([*command, f"--output={place}"], capture_output=True, text=True, check=True)
print(done.stdout.rsplit("\n", 3)[0])

# %% [markdown]
# Is a run that was killed as good as one that was not? It is the same one, bit for bit. Here the
# same sampler is made again and makes the first 2000 iterations, in this process:

# %%
undisturbed = MetropolisHastingsSampler(
    names, model, 8, [ATAdaptiveNormal(names, adaptation_duration=4000)], seed=1900
)
spread = 0.1 * np.random.default_rng(1900).normal(size=(8, len(names)))
start = np.array(list(best.values())) + spread
undisturbed.start_position = dict(zip(names, start.T))
undisturbed.run(2000)
assert undisturbed.positions.tobytes() == open_run(run).positions[:, :2000].tobytes()

# %% [markdown]
# ## Before you believe it
#
# `summary` works for a run on disk too. The script compares each mean with the reference, in Monte
# Carlo errors of both together:

# %%
finished = open_run(run, burn_in=4000)
print(finished.summary())
draws = {name: np.exp(finished.positions["log_" + name]) for name in lynx_hare.PARAMETERS}
for name, *_, difference, _, rhat in lynx_hare.compare(draws, lynx_hare.REFERENCE):
    assert abs(difference) < 4, name
    assert rhat < 1.02, name

# %% [markdown]
# And look at the fit: about half of the points should be within the dark band.

# %%
chosen = np.linspace(0, draws["alpha"].size - 1, 1000).astype(int)
*dynamics, sigma_hare, sigma_lynx = [values.ravel()[chosen] for values in draws.values()]
paths = np.array([lynx_hare.solve(*values) for values in np.transpose(dynamics).tolist()])
figure, axes = plt.subplots(2, 1, sharex=True, figsize=(8, 6))
lynx_hare.draw_fit(axes[0], "hare", lynx_hare.COUNTS[:, 0], paths[:, :, 0], sigma_hare)
lynx_hare.draw_fit(axes[1], "lynx", lynx_hare.COUNTS[:, 1], paths[:, :, 1], sigma_lynx)
plt.show()

# %% [markdown]
# ## What can go wrong
#
# **Another run in the same place.** The directory knows what is in it. Other settings are refused,
# and nothing is overwritten:

# %%
other = subprocess.run(
    [*command, "--seed=2", f"--output={place}"], capture_output=True, text=True, check=False
)
print("exit code:", other.returncode)
print(other.stderr.strip())
assert other.returncode == 1

# %% [markdown]
# **A model that was changed between.** It is asked again where the chains stood. If it gives other
# values, the run is refused: half of the samples would belong to another posterior.
#
# **A full disk, a second process, a machine that goes down.** What was saved is there. The lock of
# a process that died is taken over by the next.
