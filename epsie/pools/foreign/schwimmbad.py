"""schwimmbad's `MPIPool`, and what it needs lest good jobs fail and failed ones hang."""

from __future__ import annotations

import atexit
import sys
import time
from collections.abc import Iterable
from typing import Any

from epsie.errors import PoolError
from epsie.pools.foreign.foreign import PlainMapper
from epsie.pools.pool import Function


def is_mpi_pool(pool: Any) -> bool:
    """Whether it is schwimmbad's `MPIPool`."""
    module = sys.modules.get("schwimmbad.mpi")
    return module is not None and isinstance(pool, module.MPIPool)


class SchwimmbadMapper(PlainMapper):
    """schwimmbad's `MPIPool`.

    When it is closed it tells its workers to quit, and does so again at the end of the process.
    They are gone then, which MPICH takes as an error: good jobs end with code 9. So it is to close
    once.

    A worker whose result nobody takes waits for ever. So if a call is given up all ranks are
    aborted at the end of the process.
    """

    def __init__(self, pool: Any) -> None:
        super().__init__(pool)
        close = pool.close

        def close_once() -> None:
            close()
            pool.workers = set()

        pool.close = close_once

    def results(self, function: Function, tasks: Iterable[Any]) -> list[Any]:
        """The results, in the order of the tasks."""
        if not self.pool.workers:
            raise PoolError("the MPIPool is closed, and its workers have ended")
        try:
            return super().results(function, tasks)
        except BaseException:
            atexit.register(_abort, self.pool.comm)
            raise


def _abort(comm: Any) -> None:
    """End all ranks, once what was written has left: mpiexec may drop what is on its way."""
    sys.stdout.flush()
    sys.stderr.flush()
    time.sleep(_ON_ITS_WAY)
    comm.Abort(1)


_ON_ITS_WAY = 0.5
"""Seconds for mpiexec to pass on the traceback."""
