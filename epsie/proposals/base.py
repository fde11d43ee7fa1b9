"""A proposal: a distribution of jumps that a chain draws from."""

from __future__ import annotations

import copy
from abc import ABC
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import exp, nan
from typing import Any, ClassVar, Self

from epsie.checks import as_count
from epsie.model.evaluation import Position
from epsie.proposals.adaptation.base import Adaptation, OfAdaptation
from epsie.proposals.birth import BaseBirth as BaseBirth
from epsie.proposals.clashes import clash
from epsie.proposals.distribution import Distribution
from epsie.proposals.distribution import as_number as as_number
from epsie.proposals.distribution import is_built_in as is_built_in
from epsie.proposals.outcome import Outcome, VirtualMove
from epsie.proposals.places import picker


class BaseProposal(Distribution, ABC):
    """A distribution of jumps over some parameters.

    People speak dicts, with `jump` and `logpdf`; a chain speaks tuples in the order of
    `parameters`, with `draw` and `log_hastings`. A class defines either pair: ``_jump(fromx)`` and
    ``_logpdf(xi, givenx)`` on dicts, or ``draw(x)`` and ``log_density(y, x)`` on tuples; the other
    is made from it.

    To write your own, subclass, set `parameters`, `name` and `symmetric`, and define `_jump` and
    (unless it is symmetric) `_logpdf`, taking random numbers from `random_generator`. To adapt,
    define ``_update(chain)``, and name what it changes in `evolving` or give it with `state` and
    `set_state`.
    """

    symmetric: bool = False
    """Whether q(y | x) = q(x | y) for all x and y, so that no Hastings term is needed."""

    transdimensional: bool | None = None
    """Whether the number of its parameters that are not NaN changes."""

    jump_interval: int = 1
    """It jumps at every so many-th iteration of the chain ..."""

    jump_interval_duration: int | None = None
    """... for so many iterations, and at every one afterwards."""

    adaptation: Adaptation | None = None
    """The scheme by which its widths learn, if they do."""

    _nsteps: int = 0
    _iterations_at_interval: int = 0
    """The number of iterations that it has seen with a `jump_interval` other than 1."""

    _pick: Callable[[Position], Position]
    """Takes its part out of a chain's position."""

    _learned: ClassVar[tuple[str, ...]] = ()
    """The attributes that an adaptation changes."""

    _own_learn_from: ClassVar[Callable[..., None]]
    _counters = {"nsteps": "_nsteps", "iterations_at_interval": "_iterations_at_interval"}
    _routes = (
        ("draw", "_jump", "_draw_by_jump"),
        ("log_density", "_logpdf", "_log_density_by_logpdf"),
    )

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Note the arguments, for `config`."""
        if cls.draw is BaseProposal.draw:
            raise TypeError(f"{cls.__name__} must define _jump(fromx), or draw(x)")
        return super().__new__(cls, *args, **kwargs)

    def __init_subclass__(cls, learns: type[Adaptation] | None = None, **kwargs: Any) -> None:
        """Let the hooks of a user's class be called.

        Parameters
        ----------
        learns : type, optional
            The scheme by which it learns: what that `shows` can be read of the proposal.
        """
        super().__init_subclass__(**kwargs)
        for name in learns.shows if learns else ():
            setattr(cls, name, OfAdaptation(name))
        own: dict[str, Any] = dict(vars(cls))
        if own.keys() & {"_logpdf", "log_density"} and "log_hastings" not in own:
            cls.log_hastings = BaseProposal.log_hastings  # type: ignore[method-assign]
        if "_learn_from" in own:
            cls._own_learn_from = own["_learn_from"]
        elif "update" in own:
            cls._learn_from = BaseProposal._learn_by_update  # type: ignore[method-assign]
        elif "_update" in own:
            cls._own_learn_from = BaseProposal._learn_by_hook
            cls._learn_from = BaseProposal._learn_by_hook  # type: ignore[method-assign]

    def jump(self, fromx: Mapping[str, Any]) -> dict[str, Any]:
        """A jump from a position.

        Parameters
        ----------
        fromx : dict
            Values of (at least) its parameters.

        Returns
        -------
        dict
            The new values of its parameters.
        """
        x = self._position(fromx)
        y = self.draw(x)
        return dict(zip(self.parameters, x if y is None else y, strict=True))

    def logpdf(self, xi: Mapping[str, Any], givenx: Mapping[str, Any]) -> float:
        """The logarithm of the density (mass, if discrete) of a jump to `xi` from `givenx`."""
        return self.log_density(self._position(xi), self._position(givenx))

    def pdf(self, xi: Mapping[str, Any], givenx: Mapping[str, Any]) -> float:
        """The density (mass, if discrete) of a jump to `xi` from `givenx`."""
        return exp(self.logpdf(xi, givenx))

    def draw(self, x: Position) -> Position | None:
        """A jump from `x`; None to make none."""
        raise NotImplementedError

    def log_density(self, y: Position, x: Position) -> float:
        """Log q(y | x)."""
        raise NotImplementedError(
            f"{type(self).__name__} must define _logpdf(xi, givenx), as it is not symmetric"
        )

    def log_hastings(self, x: Position, y: Position) -> float:
        """Log q(x | y) - log q(y | x), what a jump from `x` to `y` adds to the log ratio."""
        ratio = self.log_density(x, y) - self.log_density(y, x)
        return ratio + (self._log_jacobian(x) - self._log_jacobian(y))

    def _log_jacobian(self, x: Position) -> float:
        """The term that makes `log_density` at `x` one in the parameters, if per another unit."""
        return 0.0

    def _adds_hastings(self) -> bool:
        """Whether the log ratio needs `log_hastings`."""
        return not self.symmetric

    def _refusal(self, x: Position) -> str | None:
        """The reason why `x` allows no jump; None if it does. Asked before a chain starts there."""
        return None

    @property
    def _learns_virtually(self) -> bool:
        """Whether it may ask for virtual moves."""
        return self.adaptation is not None and self.adaptation.has_virtual

    def _virtual_moves(self, x: Position, y: Position) -> list[VirtualMove]:
        """The positions it wants to learn from, beside the jump from `x` to `y`."""
        if self.adaptation is None:
            return []
        zs, corrects = self.adaptation.virtual(self, x, y), self._adds_hastings()
        ratios = [self.log_hastings(x, z) if corrects else 0.0 for z in zs]
        return [VirtualMove(self.parameters, z, ratio) for z, ratio in zip(zs, ratios)]

    def _learn_from(self, outcome: Outcome, chain: Any) -> None:
        """Count a jump that was decided on, and learn from its outcome.

        The chain is for users' hooks alone.
        """
        self._nsteps += 1
        if self.adaptation is not None:
            self.adaptation.update(self, outcome)

    def update(self, chain: Any) -> None:
        """Learn from the step that `chain` has just made, as it does after each of its jumps."""
        self._own_learn_from(chain.outcome, chain)

    def _tick(self, outcome: Outcome, chain: Any) -> None:
        """Count an iteration, and learn from its outcome unless it rested."""
        rested = self._rests()
        self._iterations_at_interval += 1
        if not rested:
            self._learn_from(outcome, chain)

    def _locate(self, parameters: tuple[str, ...]) -> None:
        """Learn where its parameters are in a chain's positions."""
        self._pick = picker([parameters.index(name) for name in self.parameters])

    def _meet(self, model: Any) -> None:
        """Learn of the model that a chain got."""

    def _jump(self, fromx: Mapping[str, Any]) -> dict[str, Any]:
        y = self._own_draw(self._position(fromx))
        return dict(zip(self.parameters, y, strict=True))

    def _logpdf(self, xi: Mapping[str, Any], givenx: Mapping[str, Any]) -> float:
        return float(self._own_log_density(self._position(xi), self._position(givenx)))

    def _update(self, chain: Any) -> None:
        if self.adaptation is not None:
            self.adaptation.update(self, chain.outcome)

    def _draw_by_jump(self, x: Position) -> Position:
        to = self._jump(dict(zip(self.parameters, x, strict=True)))
        return self._drawn(to, "_jump", absent=bool(self.transdimensional))

    def _log_density_by_logpdf(self, y: Position, x: Position) -> float:
        xi, givenx = (dict(zip(self.parameters, z, strict=True)) for z in (y, x))
        return float(self._logpdf(xi, givenx))

    def _learn_by_hook(self, outcome: Outcome, chain: Any) -> None:
        self._nsteps += 1
        self._update(chain)

    def _learn_by_update(self, outcome: Outcome, chain: Any) -> None:
        self.update(chain)

    @property
    def nsteps(self) -> int:
        """The number of its jumps that were made and decided on."""
        return self._nsteps

    @nsteps.setter
    def nsteps(self, nsteps: Any) -> None:
        raise clash(type(self), "nsteps")

    def set_jump_interval(self, jump_interval: int, duration: int | None = None) -> None:
        """Jump at every so many-th iteration only.

        Parameters
        ----------
        jump_interval : int
            At least 1. At an iteration in which it does not jump it does not adapt either.
        duration : int, optional
            For so many iterations of the chain from now on. Required unless `jump_interval` is 1.

        Raises
        ------
        ValueError
            If `jump_interval` is less than 1, or is not 1 and there is no duration.
        """
        jump_interval = as_count(jump_interval, "jump_interval")
        if jump_interval != 1 and duration is None:
            raise ValueError(
                f"a jump_interval of {jump_interval} needs a jump_interval_duration: the number of "
                "iterations after which to jump at every iteration"
            )
        duration = None if jump_interval == 1 else as_count(duration, "jump_interval_duration")
        self.jump_interval, self.jump_interval_duration = jump_interval, duration
        self._iterations_at_interval = 0

    def _rests(self) -> bool:
        """Whether it makes no jump in the present iteration."""
        seen, duration = self._iterations_at_interval, self.jump_interval_duration
        return (seen + 1) % self.jump_interval != 0 and (duration is None or seen < duration)

    def leaves(self) -> Iterator[BaseProposal]:
        """The proposals that it consists of: itself, unless it holds others."""
        yield self

    def _dtypes(self) -> dict[str, type]:
        """The type of each parameter's values in a history."""
        return dict.fromkeys(self.parameters, int if self.discrete else float)

    def jump_stds(self) -> Iterable[float]:
        """The standard deviation of the jump of each parameter; NaN if it is not known."""
        return [nan] * self.ndim

    def periods(self) -> dict[str, float]:
        """The period of each parameter that is an angle."""
        return {}

    def _evolving(self) -> Iterator[tuple[Any, str]]:
        yield from super()._evolving()
        if self.adaptation is not None:
            yield from [(self, name) for name in self._learned]
            yield from [(self.adaptation, name) for name in self.adaptation.evolving]

    def __copy__(self) -> Self:
        twin = super().__copy__()
        twin.adaptation = copy.copy(self.adaptation)
        return twin

    def _learn_by(self, adaptation: Adaptation) -> None:
        """Learn by this scheme from now on."""
        self.adaptation = adaptation
        duration = adaptation.adaptation_duration
        if self.jump_interval != 1 and duration is not None:
            # The duration counts jumps, that of an interval counts iterations.
            self.set_jump_interval(self.jump_interval, duration * self.jump_interval)
        adaptation.begin(self)

    def _nearest(self, i: int, values: Sequence[float], to: float) -> Sequence[float]:
        """Values of the i-th parameter, as learned from: angles are unwrapped to be near `to`."""
        return values

    def reset(self) -> None:
        """Forget what was learned: back to the true initial widths."""
        if self.adaptation is not None:
            self.adaptation.reset(self)


BaseProposal._own_learn_from = BaseProposal._learn_from
