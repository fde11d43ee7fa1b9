# %% [markdown]
# # 5. Predator and prey
#
# You will learn how a real job is made: real data, a differential equation, a prior declared once,
# a run on disk that survives being killed, and results that are checked before they are believed.
#
# The job is the script `tutorials/lynx_hare.py`. It runs on all cores for about a minute:
#
# ```bash
# python tutorials/lynx_hare.py
# ```
#
# Here we look into it, and run it with fewer draws.

# %%
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lynx_hare
import matplotlib.pyplot as plt
import numpy as np

import epsie

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
# overhead of a general solver: when a likelihood is called a hundred thousand times, look at what
# it does.
#
# ```{literalinclude} lynx_hare.py
# :pyobject: solve
# ```
#
# ## Prior and likelihood
#
# All parameters are positive and of very different size. The prior says so, and that is enough:
# what proposes jumps works with their logarithms by itself, and positions are always the parameters
# that were declared.

# %%
prior = lynx_hare.PRIOR
print(prior)
epsie.plots.prior(prior)

# %% [markdown]
# The likelihood is `-inf` where numbers overflow, on purpose and only there. A NaN would stop the
# run, and should: it may be a mistake.
#
# ```{literalinclude} lynx_hare.py
# :pyobject: log_likelihood
# ```
#
# ## One line
#
# With both the rest is one line. Here it is without a directory, and cut short:

# %%
short = epsie.sample(
    lynx_hare.log_likelihood, prior, seed=1900, pool=2, until=None, max_evaluations=20_000
)
print(short.summary(parameters=["alpha", "sigma_hare"]))

# %% [markdown]
# ## Where the chains begin
#
# Oscillations with another period fit some of the data, and are a lower peak that no jump leaves.
# Four plain chains from draws of the prior:

# %%
posterior = epsie.Posterior(lynx_hare.log_likelihood, prior)
lost = epsie.MetropolisHastingsSampler(
    posterior, nchains=4, proposals=epsie.proposals.ATAdaptiveNormal(prior.parameters, 1000), seed=1
)
lost.run(2000)
print("logl where they end:", lost.current_stats["logl"].round(1))
print(f"R-hat of alpha: {lost.rhat()['alpha']:.2f}")

# %% [markdown]
# `sample` does not begin there. It leads several hundred draws of the prior to the posterior, step
# by step, by letting the likelihood count little at first and then ever more; each step keeps more
# of those that fit and fewer of the others. Then sixteen chains go on from what is left.

# %%
print("how much the likelihood counted:", np.round(short.annealed.betas, 3))
first = {name: column[:, 0] for name, column in short.draws(burn_in=0).items()}
print("alpha where the chains began:", first["alpha"].round(2))

# %% [markdown]
# ## A run on disk, and a kill
#
# `directory=` is all that a script needs. It saves now and then, and what was saved survives
# anything. Started again, the same line goes on where it was.
#
# Start it, and kill it (SIGKILL, which no program can catch) as soon as something is saved:

# %%
place = Path(tempfile.mkdtemp())
command = [sys.executable, lynx_hare.__file__, "--ess=2000", "--processes=2", "--every=1s"]


def saved(directory):
    """How many iterations are on disk."""
    try:
        return epsie.open_run(directory).niterations
    except epsie.RunDirectoryError:  # not yet
        return 0


run = place / "lynx_hare_run"
job = subprocess.Popen([*command, f"--output={place}"], stderr=subprocess.DEVNULL)
while saved(run) < 50 and job.poll() is None:
    time.sleep(0.05)
job.kill()
print("exit code:", job.wait())
assert job.returncode == -9
assert saved(run) >= 50

# %% [markdown]
# A run can be read while it is being written, or after a kill, from another process:

# %%
halfway = epsie.open_run(run).positions
print(halfway.shape)

# %% [markdown]
# The same command again. It prints the table of the results beside a published reference
# (posteriordb: 10,000 nearly independent draws of another method).

# %%
done = subprocess.run([*command, f"--output={place}"], capture_output=True, text=True, check=True)
print(done.stdout.rsplit("\n", 3)[0])

# %% [markdown]
# Is a run that was killed as good as one that was not? It is the same one, bit for bit. The short
# run above has the same seed, and was never disturbed:

# %%
finished = epsie.open_run(run)
n = short.niterations
assert short.positions.tobytes() == finished.positions[:, :n].tobytes()
assert halfway.tobytes() == finished.positions[:, : halfway.shape[1]].tobytes()

# %% [markdown]
# ## Before you believe it
#
# `summary` works for a run on disk too. The script compares each mean with the reference, in Monte
# Carlo errors of both together:

# %%
print(finished.summary())
draws = finished.draws()
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
# **A likelihood or a prior that was changed between.** The prior is compared with that of the run,
# and the likelihood is asked again where the chains stood. If either gives something else, the run
# is refused: half of the samples would belong to another posterior.
#
# **A full disk, a second process, a machine that goes down.** What was saved is there. The lock of
# a process that died is taken over by the next.
