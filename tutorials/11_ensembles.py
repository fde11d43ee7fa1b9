# %% [markdown]
# # 11. Ensembles of walkers
#
# You will learn to sample with affine-invariant ensembles, as emcee does, but with many that are
# independent of each other: each as a whole on one core, an engine of ipyparallel or a rank of MPI,
# with nothing to wait for in between, and gathered at the end.
#
# The problem is the line of {doc}`04_fitting_a_line`, with the data of emcee's tutorial.

# %%
import os
import shutil
import subprocess
import sys
import tempfile
from math import inf, log
from pathlib import Path

import ipyparallel
import line_ensembles
import line_fit
import matplotlib.pyplot as plt
import numpy as np

from epsie import EnsembleSampler, open_run
from epsie.ensembles import DifferentialEvolution

# %%
x, y, yerr = line_fit.data()


def model(m, b, log_f):
    """The logarithms of likelihood and prior density."""
    if not (-5 < m < 0.5 and 0 < b < 10 and -10 < log_f < 1):
        return -inf, -inf
    line = m * x + b
    variance = yerr**2 + line**2 * np.exp(2 * log_f)
    logl = -0.5 * np.sum((y - line) ** 2 / variance + np.log(2 * np.pi * variance))
    return logl, -log(5.5 * 10 * 11)


# %% [markdown]
# ## Eight ensembles of 32 walkers
#
# In an ensemble half of the walkers jump by where the other half stands: along the line to another
# one, which is the *stretch* move. So jumps have the size and the shape of the posterior, and there
# is no proposal to choose. Every walker needs a start of its own; arrays have a first axis of
# ensembles and a second one of walkers.

# %%
NAMES, ITERATIONS = ["m", "b", "log_f"], 1000


def sample(pool, **settings):
    """A sampler that has run on this pool."""
    sampler = EnsembleSampler(NAMES, model, 8, nwalkers=32, seed=123, pool=pool, **settings)
    sampler.start_position = line_ensembles.starts()
    sampler.run(ITERATIONS)
    return sampler


sampler = sample(pool=None)
print(sampler.positions["m"].shape)
print(sampler.summary())

# %% [markdown]
# The means on a grid, which is exact, are those of {doc}`04_fitting_a_line`:

# %%
summary = sampler.summary()
for name, exact in (("m", -1.0084), ("b", 4.5517), ("log_f", -0.7634)):
    print(f"{name:5} {summary.mean[name]:.4f} +- {summary.mcse_mean[name]:.4f}, exact {exact:.4f}")
    assert abs(summary.mean[name] - exact) < 4.5 * summary.mcse_mean[name]

# %% [markdown]
# ## What 256 walkers are worth
#
# Walkers of one ensemble are not independent: they jump by each other. So what is averaged is the
# mean over the walkers of an ensemble, and how slowly *that* changes is the autocorrelation length.
# Effective sample sizes and errors come from it, with eight independent ensembles as the chains;
# R-hat asks whether these agree.

# %%
lengths = sampler.autocorrelation_length()
for name in NAMES:
    print(
        f"{name:5} length {np.median(lengths[name]):.0f}, effective sample size "
        f"{sampler.ess_bulk()[name]:.0f}, R-hat {sampler.rhat()[name]:.3f}"
    )

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), sharey=True)
axes[0].plot(sampler.positions["m"][0].T, lw=0.3, alpha=0.6)
axes[0].set(xlabel="iteration", ylabel="m", title="The walkers of one ensemble")
axes[1].plot(sampler.positions["m"].mean(axis=1).T, lw=0.8)
axes[1].set(xlabel="iteration", title="The means of eight ensembles")
plt.show()

# %% [markdown]
# ## A pool of processes
#
# An ensemble never leaves its worker in the middle of a run, so that nothing waits for the slowest
# of 32 likelihoods at each iteration. The samples are the same bits.

# %%
assert sample(pool=2).positions.tobytes() == sampler.positions.tobytes()

# %% [markdown]
# ## mpirun
#
# The same in a script, `tutorials/line_ensembles.py`, which runs alone, too, and on processes, is
# kept on disk, and goes on if it is started again:
#
# ```{literalinclude} line_ensembles.py
# :pyobject: main
# ```
#
# ```bash
# mpirun -n 3 python line_ensembles.py --mpi
# ```

# %%
place = Path(tempfile.mkdtemp())
mpirun = shutil.which("mpirun", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
job = [sys.executable, line_ensembles.__file__, "--mpi", f"--directory={place / 'mpi'}"]
print(subprocess.run([mpirun, "-n", "3", *job], capture_output=True, text=True, check=True).stdout)
assert open_run(place / "mpi").positions.tobytes() == sampler.positions.tobytes()

# %% [markdown]
# ## A view of ipyparallel, and whole ensembles on engines
#
# A view is a pool like any other. The other way round, which some prefer: each engine makes a
# sampler of its own, with some of the ensembles, and at the end they are gathered. Ensemble 5 of a
# seed is the same wherever it is made, so this is the same run once more; an engine that is lost
# takes nothing with it but its own part, which can be made again.


# %%
def part(ensembles, directory, starts):
    """Make some of the ensembles; on an engine."""
    sampler = EnsembleSampler(NAMES, model, 8, 32, seed=123, chains=ensembles)
    sampler.start_position = starts
    sampler.run(total=ITERATIONS, directory=directory)
    return directory


# %% tags=["remove-output"]
with ipyparallel.Cluster(n=2) as client:
    on_engines = sample(client.load_balanced_view())
    view = client.direct_view()
    view.use_cloudpickle()
    shares = [range(4), range(4, 8)]
    directories = [str(place / f"part{i}") for i in range(len(shares))]
    view.map_sync(part, shares, directories, [line_ensembles.starts()] * len(shares))

# %%
assert on_engines.positions.tobytes() == sampler.positions.tobytes()
gathered = open_run(directories)
assert gathered.positions.tobytes() == sampler.positions.tobytes()
print(gathered.summary())

# %% [markdown]
# `epsie summary part0 part1` looks at them as one from a shell, `epsie merge` writes them as one.
#
# ## Other moves
#
# `moves=` takes one or several with weights: `"stretch"`, `"differential_evolution"` and
# `"snooker"`, or the classes of `epsie.ensembles` where they are to have other settings.
# Differential evolution jumps by the difference of two walkers, and often needs far fewer
# evaluations; with a multiple of 1 walkers go to another mode, as far away as those of the two.

# %%
moves = [
    (DifferentialEvolution(), 0.7),
    (DifferentialEvolution(gamma=1.0), 0.1),
    ("snooker", 0.2),
]
other = sample(pool=None, moves=moves)
rates = [each.acceptance_rate().mean() for each in (other, sampler)]
print(f"acceptance: {rates[0]:.2f}, with stretch moves {rates[1]:.2f}")
print("effective sample sizes:", {name: round(ess) for name, ess in other.ess_bulk().items()})

# %% [markdown]
# ## Which sampler?
#
# `epsie.sample`, or chains that learn together, in general: they take integers and directions, too,
# and give the evidence. `EnsembleSampler` for scripts and habits of emcee, with a handful of real
# parameters and one mode; nothing is learned, so that moves are exact from the first iteration on.
#
# ## What can go wrong
#
# **Too few walkers.** There must be an even number, and two more than twice the parameters; else it
# is refused. Stretch moves become inefficient in more than some twenty dimensions: lengths grow,
# and walkers that start apart take long to find each other.
#
# **Walkers in a subspace.** Moves are along lines between walkers. If all start at the same value
# of a parameter, none will ever have another: this is refused, and says which are tied.
#
# **One ensemble.** It cannot show whether it has found all there is. Have four or more.
