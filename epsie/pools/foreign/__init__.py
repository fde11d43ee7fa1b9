"""Pools of others: executors, `multiprocessing`, schwimmbad, ipyparallel, Dask."""
