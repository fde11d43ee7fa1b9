"""Fit a line with ensembles of walkers: serially, on the cores of one machine, and under mpirun.

python line_ensembles.py
python line_ensembles.py --processes 2
mpirun -n 3 python line_ensembles.py --mpi
"""

import argparse

import numpy as np
from line_fit import Line, data

from epsie import EnsembleSampler, open_run
from epsie.pools import choose_pool

NAMES, ENSEMBLES, WALKERS = ["m", "b", "log_f"], 8, 32


def starts():
    """A start for each walker of each ensemble, near what is known and apart in all parameters."""
    rng = np.random.default_rng(123)
    centres = zip(NAMES, (-1.0, 4.5, -0.7))
    return {name: rng.normal(centre, 0.1, (ENSEMBLES, WALKERS)) for name, centre in centres}


def main():
    """Run up to a number of iterations, in a run directory, and summarise it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mpi", action="store_true", help="use the ranks of mpirun")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--directory", default="line_ensembles_run")
    asked = parser.parse_args()
    with choose_pool(mpi=asked.mpi, processes=asked.processes) as pool:
        # From here on only one process runs this script; all others work for it.
        model = Line(*data())
        sampler = EnsembleSampler(NAMES, model, ENSEMBLES, WALKERS, seed=123, pool=pool)
        sampler.start_position = starts()
        sampler.run(total=asked.iterations, directory=asked.directory, every=500)
        print(open_run(asked.directory).summary())


if __name__ == "__main__":
    main()
