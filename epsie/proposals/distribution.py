"""The base of proposals and births: parameters, settings, random numbers, a state."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, MappingView
from functools import cached_property
from math import floor
from typing import Any, ClassVar, Self

from numpy.random import BitGenerator, Generator

from epsie.checks import as_names
from epsie.copying import SetsAttributes, copied
from epsie.errors import ProposalError
from epsie.model.evaluation import Position
from epsie.proposals.clashes import is_built_in as is_built_in
from epsie.proposals.clashes import refuse_names_of_class
from epsie.rng.stream import Stream
from epsie.shown import setting, table


class _ReadOnce:
    """Stands for an argument that can be read once only, as a generator."""

    def __reduce__(self) -> str:
        return "_READ_ONCE"


_READ_ONCE = _ReadOnce()


def _kept(argument: Any) -> Any:
    return _READ_ONCE if isinstance(argument, Iterator | MappingView) else argument


class Distribution(SetsAttributes):
    """A distribution over some parameters, with the random numbers that it draws from."""

    name: ClassVar[str] = ""
    """The name in the registry."""

    discrete: ClassVar[bool] = False
    """Whether the parameters are integers."""

    evolving: ClassVar[tuple[str, ...]] = ()
    """The attributes that change while a chain runs: the `state` is made of them."""

    _shown: ClassVar[tuple[str, ...]] = ()
    """Attributes that the `state` has for people to read. They follow from what evolves."""

    _counters: ClassVar[Mapping[str, str]] = {}
    """The counters of the `state`, and the attributes that hold them."""

    _routes: ClassVar[tuple[tuple[str, str, str], ...]] = ()
    """Methods on tuples, those on dicts that a class may define instead, and what calls these."""

    _own_draw: ClassVar[Callable[..., Position]]
    _own_log_density: ClassVar[Callable[..., float]]
    _parameters: tuple[str, ...] = ()
    _arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Route the tuple methods to a class's own dict methods, also below a built-in class.

        Raises
        ------
        TypeError
            If a user's class defines what the package's own classes need themselves.
        """
        super().__init_subclass__(**kwargs)
        refuse_names_of_class(cls)
        own = dict(vars(cls))
        for tuples, dicts, route in cls._routes:
            if tuples in own:
                setattr(cls, f"_own_{tuples}", own[tuples])
            elif dicts in own:
                setattr(cls, tuples, getattr(cls, route))

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Note the arguments, for `config`."""
        self = super().__new__(cls)
        self._arguments = (tuple(map(_kept, args)), {k: _kept(v) for k, v in kwargs.items()})
        return self

    @property
    def config(self) -> dict[str, Any]:
        """The arguments that its constructor was given, by name: they make an equal one."""
        args, kwargs = self._arguments
        bound = inspect.signature(type(self)).bind(*args, **kwargs)
        config: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            kind = bound.signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                config.update(copy.deepcopy(value))
            elif name == "parameters" or value is _READ_ONCE:
                config[name] = copy.deepcopy(getattr(self, name))
            else:
                config[name] = copy.deepcopy(value)
        return config

    def __repr__(self) -> str:
        try:
            texts = [f"{name}={setting(value)}" for name, value in self.config.items()]
        except Exception:  # of a user's class, which may be half made
            texts = [", ".join(self._parameters)]
        return f"{type(self).__name__}({', '.join(texts)})"

    def _repr_html_(self) -> str:
        try:
            facts = [(name, setting(value)) for name, value in self.config.items()]
        except Exception:
            facts = [("parameters", ", ".join(self._parameters))]
        return table(type(self).__name__, facts)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of its parameters."""
        return self._parameters

    @parameters.setter
    def parameters(self, parameters: str | Iterable[str]) -> None:
        self._parameters = as_names(parameters)

    @property
    def ndim(self) -> int:
        """The number of its parameters."""
        return len(self._parameters)

    def _position(self, values: Mapping[str, Any]) -> Position:
        """Its part of a position, as a tuple of Python numbers.

        Raises
        ------
        ValueError
            If a parameter is missing.
        """
        try:
            return tuple([as_number(values[name], self.discrete) for name in self.parameters])
        except KeyError as missing:
            raise ValueError(
                f"{type(self).__name__} needs a value for {missing.args[0]!r}; got values for "
                f"{sorted(map(str, values))}"
            ) from None

    def _drawn(self, given: Any, by: str, absent: bool = False) -> Position:
        """The values that a user's method gave, as a tuple; NaN may stand for absent ones."""
        try:
            x = tuple([as_number(given[name], self.discrete) for name in self.parameters])
        except (KeyError, TypeError, ValueError):
            x = ()
        if not x or (not absent and any(value != value for value in x)):
            raise ProposalError(
                f"{type(self).__name__}.{by} gave {given!r}; it must return a dict with a number "
                f"for each of {', '.join(self.parameters)}"
            )
        return x

    @cached_property
    def stream(self) -> Stream:
        """The source of its random numbers. A chain gives the same one to all that it uses."""
        return Stream()

    @property
    def bit_generator(self) -> BitGenerator:
        """The bit generator; settable with an instance, a seed or None (fresh entropy)."""
        return self.stream.bit_generator

    @bit_generator.setter
    def bit_generator(self, source: BitGenerator | Generator | int | None) -> None:
        self._share(Stream(source))

    @property
    def random_generator(self) -> Generator:
        """A numpy generator. To be looked up whenever it is used, never held."""
        return self.stream.generator

    @property
    def random_state(self) -> dict[str, Any]:
        """The state of its random numbers; settable, also with a bare numpy state."""
        return self.stream.state

    @random_state.setter
    def random_state(self, state: dict[str, Any]) -> None:
        self.stream.state = state

    def _share(self, stream: Stream) -> None:
        """Draw from `stream`."""
        self.stream = stream

    @property
    def state(self) -> dict[str, Any]:
        """All that changes while a chain runs, as plain data."""
        return {**self._evolved(), "random_state": self.random_state}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`. It is copied."""
        self._evolve(copied(state))
        if "random_state" in state:
            self.random_state = state["random_state"]

    def _counted(self) -> dict[str, Any]:
        """The counters, which are kept also by one with a `state` of its own."""
        return {key: getattr(self, name) for key, name in self._counters.items()}

    def _count(self, state: Mapping[str, Any]) -> None:
        """Take over the counters of a state."""
        for key, name in self._counters.items():
            setattr(self, name, state[key])

    def _evolved(self) -> dict[str, Any]:
        """The state without that of the random numbers."""
        state = self._counted()
        for owner, name in self._evolving():
            state[name] = copied(getattr(owner, name))
        for name in self._shown:
            state[name] = copied(getattr(self, name))
        return state

    def _form(self) -> dict[str, Any]:
        """A state for others to be compared with: None stands for what may have any size."""
        return self._evolved()

    def _evolve(self, state: Mapping[str, Any]) -> None:
        """Take over what `evolved` gave: from now on it is its own."""
        self._count(state)
        for owner, name in self._evolving():
            setattr(owner, name, state[name])

    def _evolving(self) -> Iterator[tuple[Any, str]]:
        """The attributes that make up its state, each with the object that has it."""
        for name in self.evolving:
            yield self, name

    def _copied(self, stream: Stream) -> Self:
        """An independent copy that draws from `stream`."""
        if not is_built_in(self):
            twin = copy.deepcopy(self, {id(self.stream): stream})
            twin.stream = stream
            return twin
        twin = copy.copy(self)
        twin.stream = stream
        twin._evolve(self._evolved())
        return twin


def has_own_state(part: Distribution) -> bool:
    """Whether its class overrides `state`, as a user's may."""
    return type(part).state is not Distribution.state


def state_of(part: Distribution) -> dict[str, Any]:
    """The state of a part, without that of the random numbers unless it is a user's own."""
    if has_own_state(part):
        return {**part._counted(), **copied(part.state)}
    return part._evolved()


def set_state_of(part: Distribution, state: Mapping[str, Any]) -> None:
    """Take over what `state_of` gave."""
    if has_own_state(part):
        part._count(state)
        part.set_state(state)
    else:
        part._evolve(state)


def as_number(value: Any, discrete: bool = False) -> float:
    """A Python float; for a discrete parameter a Python int, halves rounded up (or NaN)."""
    if discrete and value == value:
        return value if value.__class__ is int else floor(value + 0.5)
    return float(value)
