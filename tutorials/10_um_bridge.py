# %% [markdown]
# # 10. A model behind UM-Bridge
#
# You will learn how to sample the parameters of a simulation that is a program of its own: written
# in another language, in a container, on another machine.
# [UM-Bridge](https://um-bridge-benchmarks.readthedocs.io) is a protocol by which such a program
# answers over HTTP; `pip install umbridge` has its client for Python. `epsie` needs to know nothing
# of it: the client is called in the likelihood.

# %%
import socket
import subprocess
import sys
import time
from math import exp

import numpy as np
import umbridge
from scipy import stats

import epsie

# %% [markdown]
# ## The server
#
# A cup of tea, poured in at 90 degrees, cools towards the temperature of the room. The server is a
# few lines of Python here; it has a list of inputs, which are lists of numbers, and outputs alike.

# %%
SERVER = """
import sys
from math import exp
import umbridge

class Tea(umbridge.Model):
    def get_input_sizes(self, config):
        return [2]                            # one list, of two numbers
    def get_output_sizes(self, config):
        return [len(config["minutes"])]
    def __call__(self, parameters, config):
        room, rate = parameters[0]
        return [[room + (90 - room) * exp(-rate * t) for t in config["minutes"]]]
    def supports_evaluate(self):
        return True

umbridge.serve_models([Tea("tea")], int(sys.argv[1]), max_workers=2)
"""


def free_port():
    """A port of this machine at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def serve(port):
    """A process that serves the model, once it answers."""
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(port)], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return process
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise RuntimeError("the server did not start")


port = free_port()
server = serve(port)
tea = umbridge.HTTPModel(f"http://127.0.0.1:{port}", "tea")
config = {"minutes": [0, 10, 20, 40, 60, 90]}
print(np.round(tea([[20.0, 0.03]], config)[0], 1))

# %% [markdown]
# ## The likelihood
#
# Six readings of a thermometer that is good to half a degree. `tea` travels to the workers with the
# likelihood, as all does that a function uses.

# %%
readings = np.array([90.4, 72.5, 60.1, 43.4, 34.6, 27.3])


def log_likelihood(room, rate):
    """The natural logarithm of the likelihood."""
    expected = tea([[room, rate]], config)[0]
    return float(stats.norm(expected, 0.5).logpdf(readings).sum())


prior = epsie.Prior(room=stats.norm(20, 3), rate=stats.loguniform(0.001, 1))

# %% [markdown]
# ## Run
#
# A call over HTTP takes some milliseconds, whatever the model does; each of the two processes asks
# on its own. If the model takes minutes, let the server have as many workers as the pool
# (`max_workers=`, or a load balancer of UM-Bridge in front of many servers). This run is cut short,
# so that the page is made quickly, and the summary says so.

# %%
began = time.perf_counter()
run = epsie.sample(log_likelihood, prior, seed=1, pool=2, until=None, max_evaluations=4000)
each = (time.perf_counter() - began) / run.evaluations
print(run.summary())
print(f"{1000 * each:.1f} ms for each of {run.evaluations} evaluations")
assert abs(run.summary().mean["rate"] - 0.03) < 0.002

# %% [markdown]
# Numbers in JSON come back as they were sent, to the last bit. So the draws are those of the same
# model in this process, where it is a function:


# %%
def the_same(room, rate):
    """The same, without a server."""
    expected = [room + (90 - room) * exp(-rate * t) for t in config["minutes"]]
    return float(stats.norm(expected, 0.5).logpdf(readings).sum())


direct = epsie.sample(the_same, prior, seed=1, until=None, max_evaluations=4000)
assert (direct.positions == run.positions).all()

# %% [markdown]
# ## What can go wrong
#
# **The server dies.** The error says so, and names the parameters; the sampler is as it was before
# the call. Start the server again, and go on:

# %%
server.kill()
server.wait()
before = run.niterations
try:
    run.run(20)
except epsie.ModelError as error:
    print(str(error)[:190], "...")
assert run.niterations == before
server = serve(port)
run.run(20)
assert run.niterations == before + 20
server.kill()
assert server.wait() != 0

# %% [markdown]
# **A server that gives something else each time.** A simulation with a random seed of its own has
# no likelihood, and chains on it have no posterior: fix its seed, by `config` for instance.
# `run.run(100, verify=True)` repeats a chain and compares.
#
# **Kills and time limits** are as for any model: `directory=` and `max_time=`, as in tutorial 5.
