"""Fit a line: the same script serially, on the cores of one machine, and under mpirun.

python line_fit.py
python line_fit.py --processes 2
mpirun -n 3 python line_fit.py --mpi
"""

import argparse
from math import inf, log

import numpy as np

from epsie import open_run
from epsie.pools import choose_pool
from epsie.proposals import ATAdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler

NAMES, LEARNING = ["m", "b", "log_f"], 2000


def data(n=50):
    """Points about a line whose errors are underestimated: those of emcee's quickstart."""
    rng = np.random.RandomState(123)
    x = np.sort(10 * rng.rand(n))
    yerr = 0.1 + 0.5 * rng.rand(n)
    y = -0.9594 * x + 4.294
    y += np.abs(0.534 * y) * rng.randn(n)
    y += yerr * rng.randn(n)
    return x, y, yerr


class Line:
    """A line with an error that is larger than stated by a share f of the line itself."""

    def __init__(self, x, y, yerr):
        self.x, self.y, self.variance = x, y, yerr**2

    def __call__(self, m, b, log_f):
        """Return the logarithms of likelihood and prior density."""
        if not (-5 < m < 0.5 and 0 < b < 10 and -10 < log_f < 1):
            return -inf, -inf
        line = m * self.x + b
        variance = self.variance + line**2 * np.exp(2 * log_f)
        logl = -0.5 * np.sum((self.y - line) ** 2 / variance + np.log(2 * np.pi * variance))
        return logl, -log(5.5 * 10 * 11)


def main():
    """Run up to a number of iterations, in a run directory, and summarise it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mpi", action="store_true", help="use the ranks of mpirun")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--iterations", type=int, default=8000)
    parser.add_argument("--directory", default="line_fit_run")
    asked = parser.parse_args()
    with choose_pool(mpi=asked.mpi, processes=asked.processes) as pool:
        # From here on only one process runs this script; all others work for it.
        sampler = MetropolisHastingsSampler(
            NAMES, Line(*data()), 8, [ATAdaptiveNormal(NAMES, LEARNING)], seed=123, pool=pool
        )
        rng = np.random.default_rng(123)
        sampler.start_position = {
            name: rng.normal(centre, 0.1, 8) for name, centre in zip(NAMES, (-1.0, 4.5, -0.7))
        }
        sampler.run(total=asked.iterations, directory=asked.directory, every=1000)
        print(open_run(asked.directory).summary())


if __name__ == "__main__":
    main()
