"""Many ensembles of walkers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.random import BitGenerator
from numpy.typing import NDArray

from epsie.chain.ensemble import EnsembleChain
from epsie.checks import as_names
from epsie.ensembles.proposal import EnsembleMoves, Moves
from epsie.errors import RunDirectoryError
from epsie.model.evaluation import Model, NanPolicy
from epsie.model.posterior import Posterior
from epsie.samplers.base import BaseSampler
from epsie.samplers.exclusive import exclusive
from epsie.samplers.from_posterior import takes_posterior
from epsie.samplers.states import hold
from epsie.storage.rundir.manifest import Manifest


class EnsembleSampler(BaseSampler):
    """Independent affine-invariant ensembles, each of which is stepped as a whole by one worker.

    In an ensemble half of the walkers propose from where the other half stands, so that there is
    no proposal to choose (Goodman & Weare 2010, doi:10.2140/camcos.2010.5.65). Walkers of one
    ensemble are not independent of each other: effective sample sizes, errors and R-hat are those
    of ensembles as chains. Give four or more, which cost no more than one that is four times as
    long, and show whether they agree. For real parameters, up to some twenty of them.

    Parameters
    ----------
    parameters, model
        As for `MetropolisHastingsSampler`; or a `Posterior` in place of both.
    nensembles : int
        The number of ensembles, at least 1.
    nwalkers : int
        The number of walkers of each, even, and at least two more than twice the parameters.
    moves : str, Move, mapping or iterable, optional
        The moves and their weights: see `epsie.ensembles`. As ``[("differential_evolution", 0.8),
        ("snooker", 0.2)]``; `Stretch` alone by default.
    seed, pool, bit_generator, nan, check_workers
        As for `MetropolisHastingsSampler`.
    vectorize
        As for `MetropolisHastingsSampler`: halves of all ensembles are evaluated together.
    chains : iterable of int, optional
        The ids of those ensembles that are made, of `nensembles`; all if None. They are the same as
        among all.

    Raises
    ------
    ValueError
        If walkers are too few, or odd, or a setting is out of range; if a parameter is an integer.
    TypeError
        If the model cannot be called, or the pool has no ``map``.

    Examples
    --------
    >>> import numpy
    >>> from epsie.samplers import EnsembleSampler
    >>> def model(x, y):
    ...     return -(x * x + y * y) / 2, 0.0
    >>> sampler = EnsembleSampler(["x", "y"], model, nensembles=4, nwalkers=32, seed=1)
    >>> rng = numpy.random.default_rng(1)
    >>> sampler.start_position = {name: rng.normal(size=(4, 32)) for name in ("x", "y")}
    >>> sampler.run(100)
    >>> sampler.positions["x"].shape
    (4, 32, 100)
    """

    name = "ensemble"

    chains: list[EnsembleChain]

    @takes_posterior
    def __init__(
        self,
        parameters: str | Iterable[str],
        model: Model,
        nensembles: int,
        nwalkers: int,
        moves: Moves | EnsembleMoves | None = None,
        seed: int | None = None,
        pool: Any = None,
        *,
        bit_generator: str | type[BitGenerator] | None = None,
        nan: NanPolicy = "raise",
        check_workers: bool = True,
        chains: Iterable[int] | None = None,
        vectorize: bool | int = False,
    ) -> None:
        names = as_names(parameters)
        periods = _periods(model, names)
        # A resumed run has its own.
        if not isinstance(moves, EnsembleMoves):
            moves = EnsembleMoves(names, moves, periods)
        super().__init__(
            names, model, moves, None, None, seed, pool, bit_generator, nan, check_workers,
            chains, None, vectorize,
        )  # fmt: skip
        self.create_chains(nensembles, nwalkers)

    @exclusive
    def create_chains(self, nensembles: int, nwalkers: int) -> None:
        """Make the ensembles anew.

        Raises
        ------
        ValueError
            If there are no ensembles, or walkers are too few or odd.
        """
        chains = [
            EnsembleChain(self.parameters, self.model, moves, nwalkers, source, i, nan=self.nan)
            for i, moves, source in self._sources(nensembles)
        ]
        hold(self, chains)

    @property
    def nensembles(self) -> int:
        """The number of ensembles; of a part of a run, of those that it holds."""
        return self.nchains

    @property
    def nwalkers(self) -> int:
        """The number of walkers of each ensemble."""
        return self.chains[0].nwalkers

    def _faced(self, values: NDArray[Any]) -> NDArray[Any]:
        # Inside, walkers stand where temperatures do.
        return np.ascontiguousarray(np.swapaxes(values, 0, 1))

    def _unfaced(self, values: NDArray[Any], places: tuple[int, int]) -> NDArray[Any]:
        return values.T

    def _misshapen(self, found: Mapping[str, tuple[int, ...]], meant: tuple[int, ...]) -> str:
        nensembles, nwalkers = meant
        shapes = ", ".join(f"{name}: {shape}" for name, shape in found.items())
        hint = ""
        if (nwalkers, nensembles) in found.values() and nwalkers != nensembles:
            hint = "; these look transposed: the ensembles come first, so give values.T"
        elif (nensembles * nwalkers,) in found.values():
            hint = f"; to deal them out give values.reshape({nensembles}, {nwalkers})"
        elif (nwalkers,) in found.values():
            hint = (
                "; these are the walkers of one ensemble: give every ensemble walkers of its own, "
                "or the ensembles cannot show whether they agree"
            )
        return (
            f"start positions must be arrays of shape (nensembles, nwalkers) = {meant}; got "
            f"{shapes}{hint}"
        )

    def _described(self) -> Manifest:
        return {"nwalkers": self.nwalkers}

    @classmethod
    def _remade(cls, manifest: Manifest, annealer: Any, settings: Mapping[str, Any]) -> Self:
        if annealer is not None:
            raise RunDirectoryError("the run is not tempered; it has no annealer")
        (proposal,) = settings["proposals"]
        same = ("parameters", "model", "seed", "pool", "bit_generator", "nan", "vectorize")
        return cls(
            **{name: settings[name] for name in same},
            nensembles=settings["nchains"],
            nwalkers=manifest["nwalkers"],
            moves=proposal,
            chains=settings.get("chains"),
        )

    def _swept(self, start: int, stop: int) -> dict[str, Any]:
        return {}


def _periods(model: Any, names: Iterable[str]) -> dict[str, float]:
    """The periods of those parameters of a posterior that are angles.

    Raises
    ------
    ValueError
        If a parameter is an integer.
    """
    if not isinstance(model, Posterior):
        return {}
    prior = model.prior
    integers = [name for name in names if prior.kinds.get(name) == "integer"]
    if integers:
        raise ValueError(
            f"an ensemble moves real numbers, but of this prior {', '.join(integers)} "
            f"{'is an integer' if len(integers) == 1 else 'are integers'}: sample it with "
            "MetropolisHastingsSampler or ParallelTemperedSampler"
        )
    angles = [name for name in names if prior.kinds.get(name) == "angle"]
    return {name: float(prior.bounds[name][1] - prior.bounds[name][0]) for name in angles}
