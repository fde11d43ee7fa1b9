#!/bin/bash
#SBATCH --ntasks=129
#SBATCH --cpus-per-task=1
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@120     # two minutes before the end: the run is saved and stops, with code 143
#SBATCH --requeue             # start again if a node fails
#SBATCH --open-mode=append    # and keep what was printed before

srun --kill-on-bad-exit=1 python line_fit.py --mpi "$@"
code=$?

# SLURM does not start a job again that ends by itself, whatever its code: ask for it.
[ $code -eq 143 ] && scontrol requeue $SLURM_JOB_ID
exit $code
