"""Pickles of what a script or a notebook defines, that cloudpickle alone refuses or cuts short."""

from __future__ import annotations

import functools
import io
import sys
from collections import ChainMap
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

import cloudpickle


def dumps(value: Any) -> bytes:
    """Something as bytes; lambdas, closures and what a notebook defines included."""
    with io.BytesIO() as file:
        Pickler(file).dump(value)
        return file.getvalue()


class Forward:
    """Calls a function that it is told later: one may be cached, and call itself."""

    function: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result of the function."""
        return self.function(*args, **kwargs)


def new_cached(maxsize: int | None, typed: bool) -> Any:
    """A `functools.lru_cache` of a function to come."""
    return functools.lru_cache(maxsize, typed)(Forward())


def set_cached(cached: Any, state: tuple[Any, dict[str, Any]]) -> None:
    """Tell it its function."""
    function, attributes = state
    cached.__wrapped__.function = function
    functools.update_wrapper(cached, function)
    vars(cached).update(attributes)


def new_dispatcher() -> Any:
    """A `functools.singledispatch` without functions."""
    return functools.singledispatch(Forward())


def set_dispatcher(dispatcher: Any, state: list[tuple[type, Any]]) -> None:
    """Tell it its functions."""
    for kind, function in state:
        dispatcher.register(kind, function)
    functools.update_wrapper(dispatcher, dispatcher.registry[object])


def new_cached_property(function: Any, name: str | None) -> Any:
    """A `functools.cached_property`."""
    made: Any = functools.cached_property(function)
    made.attrname = name
    return made


def _reduce_code(code: CodeType) -> Any:
    """As cloudpickle does, but with the file, of which tracebacks show the line."""
    make, args = cloudpickle.Pickler.dispatch_table[CodeType](code)
    return make, tuple([code.co_filename if _is_no_file(part) else part for part in args])


def _is_no_file(part: Any) -> bool:
    return isinstance(part, str) and part == "<dynamic-code>"


def _reduce_cached(cached: Any) -> Any:
    if _is_importable(cached):
        return cached.__reduce__()
    settings = cached.cache_parameters()
    attributes = {name: vars(cached)[name] for name in vars(cached) if name != "__wrapped__"}
    state = (cached.__wrapped__, attributes)
    return new_cached, (settings["maxsize"], settings["typed"]), state, None, None, set_cached


def _reduce_cached_property(cached: Any) -> Any:
    return new_cached_property, (cached.func, cached.attrname)


def _is_dispatcher(value: Any) -> bool:
    return isinstance(value, FunctionType) and {"dispatch", "registry"} <= vars(value).keys()


def _is_importable(function: Any) -> bool:
    """Whether workers find it by its name."""
    module = getattr(function, "__module__", None) or "__main__"
    by_value = ("__main__", *cloudpickle.list_registry_pickle_by_value())
    if any(module == name or module.startswith(f"{name}.") for name in by_value):
        return False
    found: Any = sys.modules.get(module)
    for name in getattr(function, "__qualname__", "").split("."):
        found = getattr(found, name, None)
    return found is function


class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """One that knows what `functools` makes of functions, and where code comes from."""

    dispatch_table = ChainMap(
        {
            CodeType: _reduce_code,
            functools.cached_property: _reduce_cached_property,
            type(functools.lru_cache(print)): _reduce_cached,
        },
        cloudpickle.Pickler.dispatch_table,
    )

    def reducer_override(self, value: Any) -> Any:
        """The reduction by which it is pickled, if not as its class says."""
        if _is_dispatcher(value) and not _is_importable(value):
            pairs = list(value.registry.items())
            return new_dispatcher, (), pairs, None, None, set_dispatcher
        return super().reducer_override(value)
