"""A pool of MPI ranks."""
