"""The progress of a run, as it is told: rounds of about a second, a bar of them, and the log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.chain.base import Segment
from epsie.chain.state import evaluations_in
from epsie.logs import logger
from epsie.running.ending import FOREVER, Ends
from epsie.running.sampler import RunnableSampler
from epsie.running.trace import Trace, accepted
from epsie.tempering.evidence import variance_of_mean

_SHARE = 0.004
"""The share of a run's time that may be spent on what the bar says."""

_CHAINS_IN_A_ROUND = 200
"""With more chains rounds are longer."""

_ROWS = 512
"""Of each chain so many rows at most make up the effective sample sizes of the bar."""


class Progress:
    """Cuts a run into rounds, shows a bar of them, and ends it; no sample is changed by it.

    Parameters
    ----------
    show : bool
        Whether there is a bar.
    ends : Ends, optional
        What may end the run.
    """

    seconds = 1.0
    """The seconds that a round should take."""

    def __init__(self, show: bool = False, ends: Ends | None = None) -> None:
        self.show = show
        self.ends = Ends() if ends is None else ends
        self.bar: Bar | None = None

    @property
    def room(self) -> float:
        """The number of iterations that may be made at once."""
        return self.ends.room

    @property
    def ended(self) -> bool:
        """Whether the run has enough."""
        return bool(self.ends.met)

    def saw(self, segments: Sequence[Segment]) -> None:
        """Take in what a round brought: a segment of each chain."""
        self.ends.saw(segments)
        if self.bar is not None:
            self.bar.saw(segments)

    def showing(self, niterations: int) -> AbstractContextManager[Any]:
        """Show a bar of so many iterations, where somebody can see it."""
        if not self.show or niterations == 0 or not somebody_looks():
            return nullcontext()
        self.bar = Bar(niterations)
        return self.bar

    @contextmanager
    def starting(self) -> Iterator[Callable[[str], object]]:
        """A line about the start, where somebody can see it: what is called with its text."""
        if not (self.show and somebody_looks()):
            yield lambda text: None
            return
        form = {"desc": "annealed start", "bar_format": "{desc} [{elapsed}]"}
        with bar_class()(**form, dynamic_ncols=True) as line:
            yield line.set_description_str

    def rounds(self, niterations: int, nchains: int) -> Generator[int]:
        """The lengths of the rounds, up to `niterations` together.

        What each brought must be given to `saw` before the next is asked for.
        """
        paced = self.show or self.ends.in_rounds
        done, length = 0, 1 if paced else niterations
        with self.showing(niterations):
            while done < niterations and not self.ended:
                length = int(min(length, niterations - done, self.room))
                started = time.perf_counter()
                yield length
                done += length
                elapsed = time.perf_counter() - started
                if paced:
                    length = next_length(length, elapsed, self.seconds, nchains)
                else:
                    length = niterations


def next_length(length: int, elapsed: float, seconds: float, nchains: int) -> int:
    """The number of iterations that take about so many seconds, if `length` took `elapsed`.

    At most four times as many, as the first are dominated by starting up. More seconds for more
    chains: dealing out and taking back each of them takes up to a millisecond, and rounds that are
    not much longer than that for all would become ever shorter.
    """
    seconds *= max(1.0, nchains / _CHAINS_IN_A_ROUND)
    return max(1, min(4 * length, int(length * seconds / max(elapsed, 1e-9))))


def somebody_looks() -> bool:
    """Whether standard error is a terminal, or this is a notebook."""
    # A notebook's standard error says that it is no terminal.
    return in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def in_notebook() -> bool:
    """Whether this runs in the kernel of a notebook."""
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


def bar_class() -> Any:
    """The bar of tqdm that fits: a widget in notebooks that have widgets, else text."""
    if in_notebook() and find_spec("ipywidgets") is not None:
        from tqdm.notebook import tqdm
    else:
        from tqdm import tqdm
    return tqdm


class Bar:
    """A bar that says how far a run is, and how it does.

    Beside rate and time left, of the run at most and if that is known, it has the acceptance rate
    of the last round, the effective sample size of the run so far, roughly, the chain that mixes
    slowest with its own, and the number of evaluations.

    Parameters
    ----------
    niterations : int
        The length of the run.
    """

    def __init__(self, niterations: int) -> None:
        total = niterations if niterations < FOREVER else None
        self._bar = bar_class()(total=total, unit="it", dynamic_ncols=True)
        self._trace = Trace(0, _ROWS)
        self._iteration = 0
        self._began = time.perf_counter()
        self._spent = self._last = 0.0
        self._ess = ""

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def saw(self, segments: Sequence[Segment]) -> None:
        """Show what a round brought."""
        started = time.perf_counter()
        stop = self._trace.add_segments(self._iteration, segments)
        made, self._iteration = stop - self._iteration, stop
        if self._spent + self._last < _SHARE * (started - self._began):
            self._ess = roughly(self._trace.values)
            self._last = time.perf_counter() - started
        rate = np.mean([accepted(rows) for segment in segments for rows in segment.coldest])
        asked = sum(evaluations_in(segment.state) for segment in segments)
        text = f"acceptance {rate:.2f}{self._ess}, {asked} evaluations"
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(made)
        self._spent += time.perf_counter() - started


def roughly(fields: NDArray[np.float64] | None) -> str:
    """The effective sample size of the worst parameter, and the chain that mixes slowest.

    Parameters
    ----------
    fields : array or None
        Parameters and statistics, shape (nfields, nchains, n).
    """
    sizes = [] if fields is None else [_sizes(values) for values in fields if _moves(values)]
    if not sizes:
        return ""
    worst = min(sizes, key=lambda of_chains: float(of_chains.sum()))
    each = np.min(sizes, axis=0)
    text = f", ESS about {worst.sum():.0f}"
    if len(each) > 1:
        slowest = int(np.argmin(each))
        text += f", slowest chain {slowest} ({each[slowest]:.0f})"
    return text


def _moves(values: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(values).all() and (values != values[:, :1]).any())


def _sizes(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The effective sample size of each chain; 0 of one that has not moved."""
    spread = values.var(axis=-1)
    errors = [variance_of_mean(chain) if any_ else 1.0 for chain, any_ in zip(values, spread > 0)]
    sizes: NDArray[np.float64] = spread / np.array(errors)
    return sizes


@contextmanager
def logged_run(sampler: RunnableSampler, niterations: int, ends: Ends) -> Iterator[None]:
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
