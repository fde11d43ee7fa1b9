"""What samplers of both kinds do: run, save and go on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

from epsie.chain.base import Segment
from epsie.chain.start import NO_START
from epsie.chain.wellformed import check_states, refuse_other_chains
from epsie.checks import as_count
from epsie.errors import MalformedStateError
from epsie.execution.utilisation import Utilisation
from epsie.execution.verification import Verifier
from epsie.model.evaluation import Model
from epsie.process.signals import interrupt_deferred
from epsie.proposals.base import BaseProposal
from epsie.running.logged import logged_run
from epsie.running.progress import Progress
from epsie.running.recording import record, recording_of, resumed
from epsie.samplers.exclusive import exclusive
from epsie.samplers.recorded import RecordedSampler
from epsie.storage.checkpoint import dump_state, load_state

if TYPE_CHECKING:
    from epsie.running.stopping import Stopper, Until


class BaseSampler(RecordedSampler):
    """Independent chains that share a model and a pool: how they run, are saved and go on."""

    name: str = ""

    @cached_property
    def _verifier(self) -> Verifier:
        """Whose turn it is to be verified: it goes on from run to run."""
        return Verifier()

    # ---- running

    @exclusive
    def run(
        self,
        niterations: int | None = None,
        *,
        progress: bool = False,
        total: int | None = None,
        until: Mapping[str, Any] | Until | None = None,
        directory: str | PathLike[str] | None = None,
        every: int | str | None = None,
        thin: int | None = None,
        keep: bool | None = None,
        grace: float | None = None,
        verify: bool = False,
    ) -> None:
        """Let every chain make so many further iterations; all of them, or none.

        In a run directory it saves now and then, and all since the last save are made, or none.

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
            ``until={'ess': 400, 'rhat': 1.01}``: see `lacks` for the rule.
        directory : str or path, optional
            A run directory; made if there is none. Later runs go on in it. See `epsie.open_run`.
        every : int or str, optional
            Save every so many iterations, or so often: '60s' (the default), '10min', '1h'.
        thin : int, optional
            Save every so many-th iteration only.
        keep : bool, optional
            Whether the history stays in memory. By default it has only what is not saved yet, or
            was saved last.
        grace : float, optional
            After Ctrl-C or SIGTERM, how many seconds (10) to wait before unsaved iterations are
            given up.
        verify : bool, optional
            Repeat one chain serially, another each time (in rounds of about a second in a run
            directory or with a bar), and compare bit for bit: finds models that do not always give
            the same. Costs the time of this chain.

        Raises
        ------
        ValueError
            If there is no start position, or a setting is out of range.
        TypeError
            If neither or both of `niterations` and `total` are given, or `until` is no dict.
        ModelError, ProposalError, StateError
            If a chain failed.
        NotReproducibleError
            If a chain that was repeated gave something else.
        PoolError
            If the pool failed. Whatever is raised, the sampler is as it was; in a directory, as it
            was when an iteration was made last by all chains.
        InUseError
            If it runs already, in another thread, or is asked from inside its own model.
        RunDirectoryError
            If the directory is in use, is another run's, or cannot be written to. The sampler is as
            it was when it was saved last.
        """
        if (niterations is None) == (total is None):
            raise TypeError(
                "niterations must be a whole number, or total= be given instead; got "
                f"niterations={niterations!r}, total={total!r}"
            )
        n = as_count(total if niterations is None else niterations, "niterations", least=0)
        target = None
        if until is not None:
            from epsie.running.stopping import as_until

            target = as_until(until)
        self._executor.utilisation = Utilisation()
        verifier = self._verifier if verify else None
        recording = recording_of(
            self._recording, directory, every=every, thin=thin, keep=keep, grace=grace
        )
        if recording is not None:
            record(self, recording, n if total is None else None, total, progress, target, verifier)
            return
        if total is not None:
            raise ValueError("total= needs a directory: run(total=..., directory='run')")
        if not self._has_start:
            raise ValueError(NO_START)
        stopper = self._stopper(target)
        with logged_run(self, n, stopper):
            if n:
                self._renew()
            segments = self._advanced(n, Progress(progress, stopper), verifier)
            with interrupt_deferred():
                self._attach(segments)

    def _advanced(
        self, niterations: int, progress: Progress, verifier: Verifier | None = None
    ) -> list[list[Segment]]:
        """What so many iterations bring, or fewer; the chains are not changed."""
        return self._executor.run(self.chains, niterations, progress, verifier)

    def _attach(self, segments: list[list[Segment]]) -> None:
        """Take over what `_advanced` gave."""
        for chain, new in zip(self.chains, segments, strict=True):
            for segment in new:
                chain.attach(segment)

    @property
    def utilisation(self) -> Utilisation:
        """How busy the workers were in the last run, or are in this one."""
        return self._executor.utilisation

    def lacks(self, until: Mapping[str, Any]) -> str:
        """What is not reached yet of what `run` is to run `until`, in words; '' if all is.

        The rule: a run stops at the first iteration at which

        * is checked: 128, 160, 192, 224, and from there on doubled: 256, 320, 384, 448, 512, ...,
          always counted from the start of the chains;
        * of every parameter, at the coldest temperature, the rank-normalised split R-hat is at most
          `rhat`, and the bulk and the tail effective sample size of all chains together are at
          least `ess`. Angles, discrete and transdimensional parameters (and whether they are
          active) are looked at as `epsie.diagnostics` does; those that never changed are left out.

        The draws after the burn-in count. It is `burn_in`, if given; else the iteration at which
        all adaptation with a duration ends; else what `epsie.diagnostics.suggest_burn_in` suggests
        at each check, which must be in the first half. In a run directory the whole run counts (of
        a thinned one, what is kept); else what was visited since the last clear or resume. Long
        runs are thinned for it, by the power of 2 that leaves 1000 draws of each chain, or 16 for
        each effective sample wanted of it.

        So where a run stops depends on the samples alone, not on how it was split or resumed, nor
        on the pool.

        Parameters
        ----------
        until : dict
            'ess' or 'rhat' or both, and if needed 'burn_in', an iteration, and 'angular', angles
            not known from their proposals: ``{'ess': 400, 'rhat': 1.01}``.

        Raises
        ------
        ValueError
            If there is no target, or one is unknown or cannot be reached.
        TypeError
            If it is no dict.
        """
        from epsie.running.stopping import as_until, stopper_of

        return stopper_of(self, as_until(until)).lack()

    def _stopper(self, until: Until | None) -> Stopper | None:
        if until is None:
            return None
        from epsie.running.stopping import stopper_of

        return stopper_of(self, until)

    # ---- state

    @property
    def state(self) -> dict[int, Any]:
        """All that the chains' future depends on, as plain data: a dict by chain id.

        Raises
        ------
        ValueError
            If no start is set.
        """
        return {chain.chain_id: chain.state for chain in self.chains}

    @exclusive
    def set_state(self, state: Mapping[int, Any]) -> None:
        """Go on from a `state`. Drops the history; needs no start position.

        No state knows the model that it is of: the next `run` first asks the model anew about where
        the chains stand. Of the same model the samples are what they would have been.

        Raises
        ------
        ValueError
            If the state is of another number of chains, or of other parameters or proposals.
        """
        refuse_other_chains(self.chains, state)
        for i, chain in enumerate(self.chains):
            chain.check_state(state[i])
        with interrupt_deferred():
            for i, chain in enumerate(self.chains):
                chain.set_state(state[i])

    # ---- on disk

    @classmethod
    def resume(
        cls,
        directory: str | PathLike[str],
        model: Model,
        *,
        pool: Any = None,
        proposals: BaseProposal | Iterable[BaseProposal] | None = None,
        adaptive_annealer: Any = None,
    ) -> Self:
        """A sampler that goes on with the run in a directory, from where it was saved last.

        Parameters
        ----------
        directory : str or path
            The run directory. Later runs go on in it.
        model : callable
            The model. It is evaluated where the chains stand, and must give what was saved.
        pool : object, optional
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
        sampler: Self = resumed(cls, directory, model, pool, proposals, adaptive_annealer)
        return sampler

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
        self._take_up(load_state(fp, path, dsetname, previous=previous))

    def _take_up(self, state: Any) -> None:
        """Go on from a state that was read, of which nothing is sure but its checksum.

        Raises
        ------
        MalformedStateError
            If it is malformed, or of another sampler.
        """
        try:
            check_states(self.chains, state)
            self.set_state(state)
        except MalformedStateError:
            raise
        except ValueError as error:
            raise MalformedStateError(str(error)) from error
