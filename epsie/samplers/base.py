"""What samplers of both kinds do: run, gather, clear, save and restore."""

from __future__ import annotations

import copy
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.random import BitGenerator
from numpy.typing import NDArray

from epsie.chain.base import Segment
from epsie.chain.learning import Learned, learned
from epsie.chain.start import NO_START
from epsie.checkpoint import dump_state, load_state
from epsie.checks import as_count, as_names
from epsie.diagnosable import Diagnosable
from epsie.drawing import Prior, drawn_starts
from epsie.execution import ask_all, run_all
from epsie.logs import logged_run
from epsie.model import Model, NanPolicy, as_nan_policy
from epsie.pools import Mapper, mapper_for
from epsie.progress import Progress
from epsie.proposals.base import BaseProposal
from epsie.proposals.joint import check_cover
from epsie.proposals.normal import Normal
from epsie.rng import create_seed, find_bit_generator
from epsie.rundir.recording import Recording, record, recording_of, resumed
from epsie.shown import Facts, Shown, sampler_facts
from epsie.signals import interrupt_deferred
from epsie.transport import ModelCarrier
from epsie.utilisation import Utilisation
from epsie.verification import Verifier

if TYPE_CHECKING:
    from epsie.stopping import Stopper, Until


class BaseSampler(Shown, Diagnosable, ABC):
    """Independent chains that share a model and a pool.

    Parameters
    ----------
    parameters : str or iterable of str
        The names of the parameters.
    model : callable
        ``model(**parameters)`` gives ``(logl, logp)`` or ``(logl, logp, blob)``.
    proposals : iterable of BaseProposal or None
        Proposals; copied for every chain.
    default_proposal : type or None
        The class of the proposal for all parameters that have none; `Normal` if None.
    default_proposal_args : mapping or None
        Keyword arguments for it.
    seed : int or None
        The seed of all random numbers; fresh entropy if None.
    pool : object
        Where the chains run: see `epsie.pools.mapper_for`.
    bit_generator : str, type or None
        The kind of bit generator: see `epsie.rng.find_bit_generator`.
    nan : {'raise', 'reject'}
        What a NaN of the model means: see `epsie.chain.Chain`.
    """

    name: str = ""

    chains: list[Any]
    _mapper: Mapper
    _carrier: ModelCarrier

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
    ) -> None:
        self._recording: Recording | None = None
        self._verifier, self._verifying = Verifier(), False
        self._seed_given = seed is not None
        self.parameters = parameters
        self.pool = pool
        self.model = model
        self.seed = create_seed(None if seed is None else as_count(seed, "seed", least=0))
        self.bit_generator = find_bit_generator(bit_generator)
        self.nan = as_nan_policy(nan)
        self.set_proposals(proposals, default_proposal, default_proposal_args)

    def _facts(self) -> Facts:
        return sampler_facts(self)

    # ---- settings

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return self._parameters

    @parameters.setter
    def parameters(self, parameters: str | Iterable[str]) -> None:
        self._parameters = as_names(parameters)

    @property
    def model(self) -> Model:
        """The model. It is frozen when assigned: to change it, assign it again.

        Raises
        ------
        TypeError
            If it cannot be called, or not be sent to the pool's workers.
        """
        model: Model = self._carrier.model
        return model

    @model.setter
    def model(self, model: Model) -> None:
        if not callable(model):
            raise TypeError(f"the model must be callable; got {model!r}")
        carrier = ModelCarrier(model)
        carrier.ticket(self._mapper.in_process)
        self._carrier = carrier
        for chain in getattr(self, "chains", ()):
            chain.model = model

    @property
    def pool(self) -> Any:
        """Where the chains run. Settable: see `epsie.pools.mapper_for`."""
        return self._mapper.pool

    @pool.setter
    def pool(self, pool: Any) -> None:
        mapper = mapper_for(pool)
        if hasattr(self, "_carrier"):
            self._carrier.ticket(mapper.in_process)
            self._mapper.close()
        self._mapper = mapper
        weakref.finalize(self, mapper.close)

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
        given = (proposals,) if isinstance(proposals, BaseProposal) else tuple(proposals or ())
        check_cover(self.parameters, given, partly=True)
        have = {name for part in given for name in part.parameters}
        missing = [name for name in self.parameters if name not in have]
        self.proposals = list(given)
        if missing:
            default = Normal if default_proposal is None else default_proposal
            self.proposals.append(default(missing, **(default_proposal_args or {})))

    def _own_proposals(self) -> list[BaseProposal]:
        return [copy.deepcopy(part) for part in self.proposals]

    @property
    def nchains(self) -> int:
        """The number of chains."""
        return len(self.chains)

    @property
    def niterations(self) -> int:
        """How many iterations the chains have made, those before a clear or a resume included."""
        iterations: int = self.chains[0].iteration
        return iterations

    @property
    def lastclear(self) -> int:
        """The iteration of the last clear."""
        lastclear: int = self.chains[0].lastclear
        return lastclear

    # ---- running

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
        if until is not None:
            from epsie.stopping import as_until

            until = as_until(until)
        self._mapper.utilisation = Utilisation()
        self._verifying = bool(verify)
        recording = recording_of(
            self._recording, directory, every=every, thin=thin, keep=keep, grace=grace
        )
        if recording is not None:
            record(self, recording, n if total is None else None, total, progress, until)
            return
        if total is not None:
            raise ValueError("total= needs a directory: run(total=..., directory='run')")
        if not self._has_start:
            raise ValueError(NO_START)
        stopper = self._stopper(until)
        with logged_run(self, n, stopper):
            segments = self._advanced(n, Progress(progress, stopper))
            with interrupt_deferred():
                self._attach(segments)

    def _advanced(self, niterations: int, progress: Progress) -> list[list[Segment]]:
        """What so many iterations bring, or fewer; the chains are not changed."""
        verifier = self._verifier if self._verifying else None
        return run_all(self.chains, niterations, self._mapper, self._carrier, progress, verifier)

    def _attach(self, segments: list[list[Segment]]) -> None:
        """Take over what `_advanced` gave."""
        for chain, new in zip(self.chains, segments, strict=True):
            for segment in new:
                chain.attach(segment)

    @property
    def utilisation(self) -> Utilisation:
        """How busy the workers were in the last run, or are in this one."""
        return self._mapper.utilisation

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
        from epsie.stopping import as_until, stopper_of

        return stopper_of(self, as_until(until)).lack()

    def _stopper(self, until: Mapping[str, Any] | Until | None) -> Stopper | None:
        if until is None:
            return None
        from epsie.stopping import as_until, stopper_of

        return stopper_of(self, as_until(until))

    def clear(self) -> None:
        """Drop the history. The present positions become the start; results do not change."""
        for chain in self.chains:
            chain.clear()

    # ---- start

    @property
    def start_position(self) -> dict[str, NDArray[Any]]:
        """Where the chains started, after a clear: where they stood.

        Set it with a dict of arrays, one value for each chain. The model is evaluated at all of
        them, in the pool.

        Raises
        ------
        ValueError
            If it is not set; if parameters are missing, unknown or of another shape; or if starts
            lie outside of the prior, have no likelihood, or the model gives NaN: all are listed.
        """
        return self._gathered([chain.start_position for chain in self.chains])

    @start_position.setter
    def start_position(self, values: Mapping[str, Any]) -> None:
        starts = self._starts(values)
        found = ask_all(self.chains, "examine_start", starts, self._mapper, self._carrier)
        refused = [
            f"chain {chain.chain_id}: {problem}"
            for chain, (_, problems) in zip(self.chains, found, strict=True)
            for problem in problems
        ]
        if refused:
            raise ValueError(
                f"{len(refused)} of the start positions cannot be used:\n  "
                + "\n  ".join(refused)
                + "\nChoose others for these chains and set start_position again"
            )
        with interrupt_deferred():
            for chain, (start, _) in zip(self.chains, found, strict=True):
                chain.begin(start)

    @abstractmethod
    def _starts(self, values: Mapping[str, Any]) -> list[Any]:
        """The start of each chain, from arrays over the chains."""

    def draw_start(self, prior: Prior, tries: int = 1000) -> None:
        """Draw `start_position` from the prior, anew where the model refuses it; all or none.

        The same seed gives the same starts. Every temperature draws its own.

        Parameters
        ----------
        prior : callable or mapping
            ``prior(rng)``, with a numpy generator, gives a dict with a value for each parameter; or
            a dict of distributions with ``rvs``, as those of `scipy.stats`.
        tries : int, optional
            How often to draw at most for each chain and temperature.

        Raises
        ------
        ValueError
            If the prior gives other parameters, or so many draws were refused.
        ModelError
            If the model fails.
        """
        points = drawn_starts(self, prior, as_count(tries, "tries"))
        with interrupt_deferred():
            for chain, of_chain in zip(self.chains, points, strict=True):
                chain.begin(of_chain if hasattr(chain, "chains") else of_chain[0])

    @property
    def _has_start(self) -> bool:
        return self.chains[0].start is not None

    # ---- what was visited

    @property
    def positions(self) -> NDArray[np.void]:
        """Positions since the last clear: fields are the parameters, shape (nchains, niterations).

        Raises
        ------
        ValueError
            Before the first step.
        """
        return self._stacked("positions")

    @property
    def stats(self) -> NDArray[np.void]:
        """Fields `logl` and `logp`, shape (nchains, niterations)."""
        return self._stacked("stats")

    @property
    def acceptance(self) -> NDArray[np.void]:
        """Fields `acceptance_ratio` (NaN if no jump was made) and `accepted`."""
        return self._stacked("acceptance")

    @property
    def blobs(self) -> NDArray[np.void] | None:
        """Fields are the blobs' keys, shape (nchains, niterations). None without blobs."""
        if self._has_start and not self.chains[0].hasblobs:
            return None
        return self._stacked("blobs")

    @property
    def learned(self) -> Learned:
        """What was learned since the start or a resume: see `epsie.chain.learning`."""
        return learned(self.chains)

    @abstractmethod
    def _stacked(self, table: str) -> NDArray[np.void]:
        """A table of all chains as one array."""

    def _refuse_before_first_step(self, what: str) -> None:
        if self.niterations == 0:
            raise ValueError(f"there are no {what} yet: run the sampler first")

    @property
    def current_positions(self) -> dict[str, NDArray[Any]]:
        """Where the chains stand."""
        return self._gathered([chain.current_position for chain in self.chains])

    @property
    def current_stats(self) -> dict[str, NDArray[np.float64]]:
        """`logl` and `logp` where the chains stand."""
        return self._gathered([chain.current_stats for chain in self.chains])

    @property
    def current_blobs(self) -> dict[str, NDArray[Any]] | None:
        """The blobs where the chains stand; None without blobs."""
        if self._has_start and not self.chains[0].hasblobs:
            return None
        return self._gathered([chain.current_blob for chain in self.chains])

    @abstractmethod
    def _gathered(self, values: list[Any]) -> dict[str, NDArray[Any]]:
        """Dicts of the chains as a dict of arrays."""

    def to_arviz(
        self,
        burn_in: int | None = None,
        *,
        hot: bool = True,
        blob_groups: Mapping[str, str] | None = None,
    ) -> Any:
        """What was visited since the last clear, for ArviZ: see `epsie.arviz.to_arviz`."""
        from epsie.arviz import to_arviz

        return to_arviz(self, burn_in, hot=hot, blob_groups=blob_groups)

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

    def set_state(self, state: Mapping[int, Any]) -> None:
        """Go on from a `state`. Drops the history; needs no start position.

        Raises
        ------
        ValueError
            If the state is of another number of chains, or of other parameters or proposals.
        """
        if not isinstance(state, Mapping) or set(state) != set(range(self.nchains)):
            found = sorted(state) if isinstance(state, Mapping) else type(state).__name__
            raise ValueError(
                f"the state must be of the chains 0 to {self.nchains - 1}; got one of {found}"
            )
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
        """Write the `state` to an open HDF5 file: see `epsie.checkpoint.dump_state`."""
        dump_state(self.state, fp, path, dsetname)

    def set_state_from_checkpoint(
        self, fp: Any, path: str | None = None, dsetname: str = "sampler_state"
    ) -> None:
        """Go on from what `checkpoint` wrote: see `epsie.checkpoint.load_state`."""
        self.set_state(load_state(fp, path, dsetname))
