"""Samplers of any kind: what they were given, and how they run, are saved and go on."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any, Self

from numpy.random import BitGenerator

from epsie.chain.part import as_part
from epsie.checks import as_count
from epsie.execution.executor import Executor
from epsie.execution.repeating import Verifier
from epsie.execution.utilisation import Utilisation
from epsie.model.evaluation import Model, NanPolicy, as_nan_policy
from epsie.process.signals import interrupt_deferred
from epsie.proposals.base import BaseProposal
from epsie.proposals.joint import as_proposals, check_cover
from epsie.rng.bit_generators import create_bit_generators, create_seed, find_bit_generator
from epsie.running.annealed_start import check_allows_start, ensure_start, finish_annealed_start
from epsie.running.attaching import advanced, attach
from epsie.running.ending import Limits
from epsie.running.points import renew, take_up
from epsie.running.progress import Progress, logged_run
from epsie.running.saved_run import resumed, saved_run
from epsie.running.saving import SaveTo, saving_of
from epsie.running.stopping import Until, as_until, stopper_of
from epsie.samplers.chains import Chains
from epsie.samplers.exclusive import exclusive
from epsie.samplers.from_posterior import as_begins, check_names_of, default_proposals
from epsie.samplers.vectorized import asked_for
from epsie.storage.checkpoint import dump_state, load_state
from epsie.storage.rundir.manifest import Manifest


class BaseSampler(Chains):
    """Independent chains that share a model and a pool.

    A kind of sampler makes its chains, says which axes its arrays have, and what else of it is
    saved in a run directory: the methods that raise `NotImplementedError` here and in `Chains`.

    All arguments are as for `MetropolisHastingsSampler`, where they are described.
    """

    stopped_by: str | None = None
    """What ended the last run: 'niterations', 'until', 'max_evaluations', 'max_time', 'signal'."""

    _until: Until | None = None

    def __init__(
        self,
        parameters: str | Iterable[str],
        model: Model,
        proposals: BaseProposal | Iterable[BaseProposal] | None,
        default_proposal: type[BaseProposal] | None,
        default_proposal_args: Mapping[str, Any] | None,
        seed: int | None,
        pool: Any,
        bit_generator: str | type[BitGenerator] | None,
        nan: NanPolicy,
        check_workers: bool,
        chains: Iterable[int] | None,
        start: str | None,
        vectorize: bool | int = False,
    ) -> None:
        self._vectorize = asked_for(vectorize, model)
        self._seed_given, self._chosen_chains = seed is not None, chains
        self._begins = as_begins(start, model)
        self.parameters = parameters
        check_names_of(model, self.parameters)
        self._executor = Executor(pool, model, check_workers)
        self.seed = create_seed(None if seed is None else as_count(seed, "seed", least=0))
        self.bit_generator = find_bit_generator(bit_generator)
        self.nan = as_nan_policy(nan)
        self._verifier = Verifier()
        self.set_proposals(proposals, default_proposal, default_proposal_args)

    def set_proposals(
        self,
        proposals: BaseProposal | Iterable[BaseProposal] | None = None,
        default_proposal: type[BaseProposal] | None = None,
        default_proposal_args: Mapping[str, Any] | None = None,
    ) -> None:
        """Set the proposals that `create_chains` copies for every chain.

        Parameters
        ----------
        proposals, default_proposal, default_proposal_args
            As for the sampler.

        Raises
        ------
        ValueError
            If a proposal is for an unknown parameter, or two are for the same.
        """
        parts = as_proposals(proposals)
        check_cover(self.parameters, parts, partly=True)
        have = {name for part in parts for name in part.parameters}
        missing = [name for name in self.parameters if name not in have]
        self.proposals = list(parts)
        if missing:
            args = default_proposal_args or {}
            self.proposals += default_proposals(self.model, missing, default_proposal, args)

    def _sources(self, nchains: int) -> list[tuple[int, list[BaseProposal], BitGenerator]]:
        """The id of each chain that it holds, its own proposals and its bit generator."""
        self._part = as_part(self._chosen_chains, nchains)
        sources = create_bit_generators(self._part.of, self.seed, self.bit_generator)
        return [(i, copy.deepcopy(self.proposals), sources[i]) for i in self._part.chains]

    @classmethod
    def _remade(cls, manifest: Manifest, annealer: Any, settings: Mapping[str, Any]) -> Self:
        """The sampler of a run: `settings` are those of all kinds."""
        raise NotImplementedError

    @exclusive
    def run(
        self,
        niterations: int | None = None,
        *,
        progress: bool = False,
        total: int | None = None,
        until: Mapping[str, Any] | Until | None = None,
        max_evaluations: int | None = None,
        max_time: str | float | None = None,
        directory: str | PathLike[str] | None = None,
        every: int | str | None = None,
        thin: int | None = None,
        keep: bool | None = None,
        grace: float | None = None,
        verify: bool = False,
        save: SaveTo | None = None,
    ) -> None:
        """Let every chain make so many further iterations; all of them, or none.

        In a run directory each round of about a second is made by all chains, or by none.

        Parameters
        ----------
        niterations : int
            How many; with `until`, at most.
        progress : bool, optional
            Whether to show a bar (in terminals and notebooks).
        total : int, optional
            Instead of `niterations`: up to how many, those made before included. A sampler that has
            made none goes on where the run in the directory was saved.
        until : dict, optional
            Stop as soon as the effective sample sizes and R-hat of all parameters are reached, as
            ``until={'ess': 400, 'rhat': 1.01}``: see `Until` for the rule.
        max_evaluations : int, optional
            Stop before the likelihood (of a `Posterior`; else the model) is asked more often than
            so, since the start, by all chains and temperatures together: see `evaluations`.
        max_time : str or float, optional
            Stop after so long, as '90s', '20min', '3h50m', or a number of seconds, at the end of a
            round of about a second. What was made is kept: `stopped_by` tells what ended the run.
        directory, every, thin, keep, grace : optional
            Where and how the run is saved, as for `SaveTo`; what is not given is as in the run
            before, if that was saved there.
        verify : bool, optional
            Repeat one chain serially, another each time (in rounds of about a second in a run
            directory or with a bar), and compare bit for bit: finds models that do not always give
            the same. Costs the time of this chain.
        save : SaveTo, optional
            Instead of `directory` and what goes with it.

        Raises
        ------
        ValueError
            If there is no start position, or a setting is out of range.
        TypeError
            If neither or both of `niterations` and `total` are given, or `until` is no dict, or
            `save` is given beside what it stands for.
        ModelError, ProposalError, StateError
            If a chain failed.
        NotReproducibleError
            If a chain that was repeated gave something else.
        PoolError
            If the pool failed. Whatever is raised, the sampler is as it was; in a directory, as it
            was at the last iteration that all chains made.
        InUseError
            If it runs already, in another thread, or is asked from inside its own model.
        RunDirectoryError
            If the directory is in use, is another run's, or cannot be written to. The sampler is as
            it was when it was last saved.
        """
        if (niterations is None) == (total is None):
            raise TypeError(
                "niterations must be a whole number, or total= be given instead; got "
                f"niterations={niterations!r}, total={total!r}"
            )
        n = as_count(total if niterations is None else niterations, "niterations", least=0)
        limits = check_allows_start(self, Limits(until, max_evaluations, max_time))
        self._until, self._most = limits.until, limits.most
        self._executor.utilisation = Utilisation()
        verifier = self._verifier if verify else None
        saving = saving_of(
            self._saving, save, directory=directory, every=every, thin=thin, keep=keep, grace=grace
        )
        if saving is not None:
            saved_run(self, saving, n, total, progress, limits, verifier)
            return
        if total is not None:
            raise ValueError("total= needs a directory: run(total=..., directory='run')")
        ensure_start(self)
        shown = Progress(progress, limits.ends(self))
        with logged_run(self, n, shown.ends):
            if n:
                renew(self)
            if finish_annealed_start(self, shown):
                advance = advanced(self, n, shown, verifier)
                with interrupt_deferred():
                    attach(self, advance)

    @property
    def pool(self) -> Any:
        """The pool in which the chains run. Settable: see `epsie.pools.mapper_for`."""
        return self._executor.pool

    @pool.setter
    @exclusive
    def pool(self, pool: Any) -> None:
        self._executor.pool = pool

    @property
    def utilisation(self) -> Utilisation:
        """The utilisation of the workers in the last run, or in this one."""
        return self._executor.utilisation

    def lacks(self, until: Mapping[str, Any] | Until | None = None) -> str:
        """The unmet part of a run's `until`, in words; '' if all of it is reached.

        Parameters
        ----------
        until : dict, optional
            'ess' or 'rhat' or both, and if needed 'burn_in', an iteration, and 'angular', angles
            not known from their proposals: ``{'ess': 400, 'rhat': 1.01}``; that of the last `run`,
            if it had one, if None. The rule: `epsie.running.stopping.Until`.

        Raises
        ------
        ValueError
            If there is no target, or one is unknown or cannot be reached.
        TypeError
            If it is no dict.
        """
        target = self._until if until is None else as_until(until)
        return "" if target is None else stopper_of(self, target).lack()

    def checkpoint(self, fp: Any, path: str | None = None, dsetname: str = "sampler_state") -> None:
        """Write the `state` to an open HDF5 file: see `epsie.storage.checkpoint.dump_state`."""
        dump_state(self.state, fp, path, dsetname)

    def set_state_from_checkpoint(
        self,
        fp: Any,
        path: str | None = None,
        dsetname: str = "sampler_state",
        *,
        previous: bool = False,
    ) -> None:
        """Go on from what `checkpoint` wrote: see `epsie.storage.checkpoint.load_state`."""
        take_up(self, load_state(fp, path, dsetname, previous=previous))

    @classmethod
    def resume(
        cls,
        directory: str | PathLike[str],
        model: Model,
        *,
        pool: Any = None,
        proposals: BaseProposal | Iterable[BaseProposal] | None = None,
        adaptive_annealer: Any = None,
        check_workers: bool = True,
    ) -> Self:
        """A sampler that goes on with the run in a directory, from where it was last saved.

        Parameters
        ----------
        directory : str or path
            The run directory. Later runs go on in it.
        model : callable
            The model. It is evaluated where the chains stand, and must give what was saved.
        pool, check_workers : optional
            As for the sampler.
        proposals : BaseProposal or iterable of BaseProposal, optional
            The run's proposals of classes of your own; all others are made anew.
        adaptive_annealer : object, optional
            The run's annealer, if it is of a class of your own.

        Raises
        ------
        RunDirectoryError
            If there is no run, it is of another sampler, a proposal of your own is missing, or the
            model gives other values.
        """
        own = proposals, adaptive_annealer
        sampler: Self = resumed(cls, directory, model, pool, check_workers, *own)
        return sampler
