# %% [markdown]
# # 8. A cluster
#
# You will learn how one script runs on a laptop and on a hundred nodes, how a job survives its time
# limit, and how to look at it while it runs.
#
# This page starts the script as you would on a cluster, with two cores in place of many nodes.

# %%
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import line_fit
import matplotlib.pyplot as plt

from epsie import RunDirectoryError, open_run
from epsie.samplers import MetropolisHastingsSampler

# %% [markdown]
# ## The script
#
# `tutorials/line_fit.py` fits the line of {doc}`04_fitting_a_line`:
#
# ```{literalinclude} line_fit.py
# :pyobject: main
# ```
#
# Three things make it fit for a cluster.
#
# * `choose_pool(mpi=..., processes=...)` gives the pool that the command line asks for: none,
#   processes of this machine, or the ranks of `mpirun`. With MPI all ranks but the first stay
#   inside of it and work; the rest of the script is run by one process only.
# * `run(total=..., directory=..., every=...)` keeps the run on disk. Started again, it goes on.
# * The model is an instance of a class that has the data. It is sent to each worker once.
#
# ## One script, three ways
#
# ```bash
# python line_fit.py
# python line_fit.py --processes 2
# mpirun -n 3 python line_fit.py --mpi
# ```

# %%
place = Path(tempfile.mkdtemp())
python = [sys.executable, line_fit.__file__]
mpirun = shutil.which("mpirun", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
ways = {
    "serial": python,
    "processes": [*python, "--processes=2"],
    "mpi": [mpirun, "-n", "3", *python, "--mpi"],
}
for name, command in ways.items():
    done = subprocess.run([*command, f"--directory={place / name}"], stdout=subprocess.PIPE)
    assert done.returncode == 0, name
print(done.stdout.decode())

# %% [markdown]
# The samples do not tell how they were made:

# %%
samples = [open_run(place / name).positions.tobytes() for name in ways]
assert samples[0] == samples[1] == samples[2]

# %% [markdown]
# ## A job with a time limit
#
# A scheduler sends SIGTERM before it kills. The run is then saved, and ends with the code 143 so
# that the job is not taken for finished. A job script for SLURM that starts itself again until it
# is done, `sbatch slurm.sh --iterations 1000000`:
#
# ```{literalinclude} slurm.sh
# :language: bash
# ```
#
# {doc}`/pools` says what each option is for. 129 ranks are 128 workers. Here we play the scheduler:


# %%
def saved(directory):
    """How many iterations are on disk."""
    try:
        return open_run(directory).niterations
    except RunDirectoryError:  # not yet
        return 0


limited = [f"--directory={place / 'limited'}", "--iterations=24000"]
job = subprocess.Popen([*ways["mpi"], *limited], stderr=subprocess.DEVNULL)
while saved(place / "limited") < 2000 and job.poll() is None:
    time.sleep(0.05)
job.send_signal(signal.SIGTERM)
print("exit code:", job.wait(), "saved:", saved(place / "limited"), "of 24000 iterations")
assert job.returncode != 0
assert 2000 <= saved(place / "limited") < 24_000

# %% [markdown]
# ## Looking at it while it runs
#
# Any other process can read what is saved, on a login node for instance:

# %%
run = open_run(place / "limited")
figure, axis = plt.subplots(figsize=(8, 2.4))
axis.plot(run.positions["m"].T, lw=0.4)
axis.set(xlabel="iteration", ylabel="m", title=f"{run.niterations} iterations so far")
plt.show()

# %% [markdown]
# Or from the command line: `epsie info`, `epsie summary`, `epsie plot` and `epsie export` take a
# run directory.

# %%
look = [sys.executable, "-m", "epsie", "summary", str(place / "limited")]
print(subprocess.run(look, capture_output=True, text=True, check=True).stdout)

# %% [markdown]
# ## Going on, anywhere
#
# Submit the same command again, or another: the pool may be different. Here the job of MPI is
# finished by two processes. The result is that of a job which was never stopped; its first 8000
# iterations are those of above.

# %%
subprocess.run([*ways["processes"], *limited], stdout=subprocess.DEVNULL, check=True)
finished = open_run(place / "limited")
print(finished.positions.shape)
assert finished.positions[:, :8000].tobytes() == samples[0]

# %% [markdown]
# From a notebook, without the script, `resume` gives the sampler back. Everything but the model
# comes from disk, and the model is checked where the chains stand.

# %%
sampler = MetropolisHastingsSampler.resume(
    place / "limited", line_fit.Line(*line_fit.data()), pool=2
)
sampler.run(1000)
print(saved(place / "limited"))

# %% [markdown]
# ## What can go wrong
#
# **`mpirun` of another MPI than that of mpi4py.** Then every rank believes to be alone, and would
# do the whole job by itself. That is an error here, as is one rank alone:

# %%
alone = subprocess.run([mpirun, "-n", "1", *python, "--mpi"], capture_output=True, text=True)
print(alone.stderr[alone.stderr.index("epsie.errors.PoolError") :].splitlines()[0])
assert alone.returncode != 0

# %% [markdown]
# **Work before `choose_pool`.** Every rank does it: parse arguments there, and read large data
# after it, so that it is read once.
#
# **More ranks than chains.** A chain is not divided; 512 chains keep 512 workers busy, and 513 are
# none the faster.
#
# **Two jobs in one directory.** The second is refused while the first one lives. More in
# {doc}`/pools`.
