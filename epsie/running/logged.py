"""The log of a run: that it begins, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from epsie.logs import logger

if TYPE_CHECKING:
    from epsie.running.stopping import Stopper


@contextmanager
def logged_run(sampler: Any, niterations: int, stopper: Stopper | None) -> Iterator[None]:
    """Tell of a run, that it begins and how it ends.

    Parameters
    ----------
    sampler : BaseSampler
        The sampler.
    niterations : int
        How many iterations it is to make, at most.
    stopper : Stopper or None
        What may end it before.
    """
    begun, started = sampler.niterations, time.perf_counter()
    most = "" if stopper is None else "at most "
    logger.info(
        "run of %s%d iterations of %d chains from iteration %d", most, niterations, sampler.nchains,
        begun,
    )  # fmt: skip
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
    if stopper is not None:
        _tell_why(stopper)


def _tell_why(stopper: Stopper) -> None:
    if stopper.met:
        logger.info("stopped at iteration %d: all is reached", stopper.iteration)
    else:
        lack = stopper.lack()
        logger.warning("not reached at iteration %d: %s", stopper.iteration, lack)
