# %% [markdown]
# # 4. Fitting a line, in parallel
#
# You will learn to run the same sampler on the cores of your machine, on the engines of ipyparallel
# and on the ranks of MPI, and that the samples are the same bits each time.
#
# The problem is the one of emcee's tutorial, with the same data: a line through 50 points whose
# stated errors are too small. A share f of the line itself has to be added, and f is unknown.

# %%
import os
import shutil
import subprocess
import sys
import tempfile
from math import inf, log
from pathlib import Path

import ipyparallel
import line_fit
import matplotlib.pyplot as plt
import numpy as np

import epsie
from epsie import open_run
from epsie.proposals import ATAdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler

# %%
rng = np.random.RandomState(123)
x = np.sort(10 * rng.rand(50))
yerr = 0.1 + 0.5 * rng.rand(50)
y = -0.9594 * x + 4.294
y += np.abs(0.534 * y) * rng.randn(50)
y += yerr * rng.randn(50)


# %% [markdown]
# ## The answer
#
# With a uniform prior in -5 < m < 0.5, 0 < b < 10 and -10 < log f < 1, on two processes:


# %%
def log_likelihood(m, b, log_f):
    """The natural logarithm of the likelihood."""
    line = m * x + b
    variance = yerr**2 + line**2 * np.exp(2 * log_f)
    return -0.5 * np.sum((y - line) ** 2 / variance + np.log(2 * np.pi * variance))


run = epsie.sample(
    log_likelihood, epsie.Prior(m=(-5, 0.5), b=(0, 10), log_f=(-10, 1)), seed=123, pool=2
)
print(run.summary())

# %% [markdown]
# ## The model
#
# The same by hand, to run it in all ways. A model returns the log likelihood and the log prior.


# %%
def model(m, b, log_f):
    """The logarithms of likelihood and prior density."""
    if not (-5 < m < 0.5 and 0 < b < 10 and -10 < log_f < 1):
        return -inf, -inf
    return log_likelihood(m, b, log_f), -log(5.5 * 10 * 11)


# %% [markdown]
# `pool=` says where the chains run. All else is the same, so put it into a function.

# %%
NAMES, NCHAINS, LEARNING, ITERATIONS = ["m", "b", "log_f"], 8, 2000, 8000


def sample(pool):
    """A sampler that has run on this pool."""
    sampler = MetropolisHastingsSampler(
        NAMES, model, NCHAINS, [ATAdaptiveNormal(NAMES, LEARNING)], seed=123, pool=pool
    )
    rng = np.random.default_rng(123)
    sampler.start_position = {
        name: rng.normal(centre, 0.1, NCHAINS) for name, centre in zip(NAMES, (-1.0, 4.5, -0.7))
    }
    sampler.run(ITERATIONS)
    return sampler


# %% [markdown]
# ## Processes of this machine
#
# A number is a number of processes. They are started once, get the model once, and stay until the
# sampler is gone. The script needs no `if __name__ == "__main__"`, and it works in a notebook.

# %%
sampler = sample(pool=2)
print(sampler.summary())

# %% [markdown]
# emcee's tutorial finds -1.007, 4.550 and -0.772 (medians). Against a grid, which is exact:

# %%
m, b, log_f = np.meshgrid(
    np.linspace(-1.5, -0.4, 80), np.linspace(2, 7, 80), np.linspace(-1.6, 0.3, 80), indexing="ij"
)
log_posterior = np.zeros(m.shape)
for x_i, y_i, yerr_i in zip(x, y, yerr):
    line = m * x_i + b
    variance = yerr_i**2 + line**2 * np.exp(2 * log_f)
    log_posterior -= 0.5 * ((y_i - line) ** 2 / variance + np.log(variance))
weights = np.exp(log_posterior - log_posterior.max())
weights /= weights.sum()
for summary in (run.summary(), sampler.summary()):
    for name, values in (("m", m), ("b", b), ("log_f", log_f)):
        mean, error, exact = summary.mean[name], summary.mcse_mean[name], (weights * values).sum()
        print(f"{name:5} {mean:.4f} +- {error:.4f}, exact {exact:.4f}")
        assert abs(mean - exact) < 4 * error

# %%
kept = sampler.positions[:, LEARNING:].ravel()
figure, (left, right) = plt.subplots(1, 2, width_ratios=(1.5, 1))
left.errorbar(x, y, yerr, fmt="ko", ms=3, lw=0.8)
grid = np.linspace(0, 10, 50)
lines = kept["m"][::50, None] * grid + kept["b"][::50, None]
left.fill_between(grid, *np.quantile(lines, (0.05, 0.95), axis=0), alpha=0.4, lw=0)
left.plot(grid, -0.9594 * grid + 4.294, "--", color="C1", label="truth")
left.set(xlabel="x", ylabel="y", title="90 % band of the line")
left.legend()
right.plot(kept["m"][::8], kept["b"][::8], ".", ms=1.5, alpha=0.4)
right.plot(-0.9594, 4.294, "*", color="C1", ms=14)
right.set(xlabel="m", ylabel="b", title="Posterior")
plt.show()

# %% [markdown]
# ## Engines of ipyparallel
#
# Start a cluster and give the sampler a view of it. Engines may be on other machines; the model,
# though it is a function of this notebook, is sent to each of them once.

# %% tags=["remove-output"]
with ipyparallel.Cluster(n=2) as client:
    on_engines = sample(client.load_balanced_view())
assert on_engines.positions.tobytes() == sampler.positions.tobytes()

# %% [markdown]
# ## Ranks of MPI
#
# MPI starts a script many times, so it has to be one. `choose_pool` takes care of the rest: rank 0
# goes on, all others work for it. Here is one that does what we did, `tutorials/line_fit.py`:
#
# ```{literalinclude} line_fit.py
# :pyobject: main
# ```
#
# On three ranks, two of which work:
#
# ```bash
# mpirun -n 3 python line_fit.py --mpi
# ```

# %%
directory = Path(tempfile.mkdtemp()) / "run"
mpirun = shutil.which("mpirun", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
job = [sys.executable, line_fit.__file__, "--mpi", f"--directory={directory}"]
print(subprocess.run([mpirun, "-n", "3", *job], capture_output=True, text=True, check=True).stdout)
assert open_run(directory).positions.tobytes() == sampler.positions.tobytes()

# %% [markdown]
# ## Which one?
#
# | | when |
# | --- | --- |
# | nothing | the model takes microseconds and the run seconds |
# | `pool=8` | one machine; the usual case |
# | an executor of `concurrent.futures`, a `multiprocessing.Pool` | you have one already |
# | ipyparallel, Dask | a notebook that uses a cluster |
# | `choose_pool(mpi=...)` | batch jobs on a cluster: see {doc}`08_a_cluster` |
#
# ## What can go wrong
#
# **Fewer chains than workers.** A chain is never divided: 8 chains keep 8 workers busy at most.
#
# **Chains that take different times.** `run` ends when the slowest chain does. Have two or more
# chains for each worker if they differ.
#
# **Threads in the model.** Each worker uses one thread for linear algebra, as the workers already
# fill the cores.
#
# **A start in the wrong place.** This posterior has a narrow spike near b/m = -2, where the line
# passes through zero at one of the points. A chain that starts there may stay for long. Start near
# what you know, and look at R-hat.
