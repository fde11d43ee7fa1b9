"""The log of a run: that it begins, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from epsie.logs import logger
from epsie.running.ending import Ends


@contextmanager
def logged_run(sampler: Any, niterations: int, ends: Ends) -> Iterator[None]:
    """Tell of a run, that it begins and how it ends.

    Parameters
    ----------
    sampler : BaseSampler
        The sampler.
    niterations : int
        How many iterations it is to make, at most.
    ends : Ends
        What may end it before.
    """
    begun, started = sampler.niterations, time.perf_counter()
    most = "at most " if ends.each else ""
    logger.info(
        "run of %s%d iterations of %d chains from iteration %d", most, niterations, sampler.nchains,
        begun,
    )  # fmt: skip
    sampler.stopped_by = None
    try:
        yield
    except BaseException as error:
        at = sampler.niterations
        logger.info("run ended at iteration %d by %s: %s", at, type(error).__name__, error)
        raise
    at, elapsed = sampler.niterations, time.perf_counter() - started
    logger.info(
        "run ended at iteration %d after %.3g s, %.3g iterations of all chains a second",
        at, elapsed, (at - begun) / max(elapsed, 1e-9),
    )  # fmt: skip
    logger.info("%s", sampler.utilisation)
    met = ends.met
    made_all = at == begun + niterations
    sampler.stopped_by = met or ("niterations" if made_all else "signal")
    _tell_why(ends, at)


def _tell_why(ends: Ends, iteration: int) -> None:
    for end in ends.each:
        lack = "" if end.name == ends.met == "until" else end.lack()
        if end.name == "until" and lack:
            logger.warning("not reached at iteration %d: %s", iteration, lack)
        elif end.name == ends.met:
            logger.info("stopped at iteration %d: %s", iteration, lack or "all is reached")
