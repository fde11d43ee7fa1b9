"""Names of the package on a page of the reference: a table of their first lines, then each.

.. room::

   epsie.sample
   epsie.Prior

What a class has in common with others, such as `run` of samplers, is with their base alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, ClassVar

from docutils import nodes
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import SphinxDirective

from epsie.chain.base import BaseChain
from epsie.ensembles import Move
from epsie.pools.base import Pool
from epsie.proposals.adaptation import Adaptation
from epsie.proposals.base import BaseProposal
from epsie.proposals.distribution import Distribution
from epsie.results.diagnosable import Diagnosable
from epsie.samplers.base import BaseSampler

SHARED = (
    Adaptation,
    BaseChain,
    BaseProposal,
    BaseSampler,
    Diagnosable,
    Distribution,
    Move,
    Pool,
)
MANY = 6
"""So many members have a table of their own."""


def found(path: str) -> Any:
    """What has the name."""
    parts = path.split(".")
    for i in range(len(parts) - 1, 0, -1):
        try:
            thing = import_module(".".join(parts[:i]))
        except ModuleNotFoundError:
            continue
        for part in parts[i:]:
            thing = getattr(thing, part)
        return thing
    raise ValueError(f"there is no {path}")


def ours(cls: type) -> bool:
    """Whether it is of this package."""
    return cls.__module__.partition(".")[0] == "epsie"


def public(names: Iterable[str]) -> Iterator[str]:
    """Names that do not begin with an underscore."""
    return (name for name in names if not name.startswith("_"))


def elsewhere(cls: type, beside: Iterable[type]) -> set[str]:
    """The members that are documented with a base; those inherited from one beside it, too."""
    bases = [base for base in cls.__mro__[1:] if base in beside]
    inherited = {name for base in bases for name in public(dir(base)) if name not in vars(cls)}
    shared = [base for base in SHARED if issubclass(cls, base) and cls is not base]
    return inherited.union(*(public(dir(base)) for base in shared))


def members(cls: type, known: set[str]) -> list[str]:
    """The public members but known ones that say what they are, in the order of the source."""
    said: dict[str, None] = {}
    for base in filter(ours, cls.__mro__):
        attributes = ModuleAnalyzer.for_module(base.__module__).find_attr_docs()
        for name in public(vars(base)):
            thing = vars(base)[name]
            if (base.__qualname__, name) in attributes or hasattr(thing, "__get__"):
                said |= {name: None}
    return [name for name in said if name not in known and inspect.getdoc(getattr(cls, name, None))]


def table(names: list[str]) -> Iterator[str]:
    """A table of first lines."""
    yield from (".. autosummary::", "   :nosignatures:", "", *(f"   {name}" for name in names), "")


def entry_of_class(path: str, cls: type, beside: Iterable[type]) -> Iterator[str]:
    """A class, the table of its members if they are many, and each of them."""
    known = elsewhere(cls, beside)
    yield from (f".. autoclass:: {path}", "   :members:")
    if not issubclass(cls, dict | tuple | BaseException):
        yield "   :inherited-members:"
    if any(map(ours, cls.__mro__[1:])):
        yield "   :show-inheritance:"
    yield from (f"   :exclude-members: {', '.join(sorted(known))}", "")
    if len(names := members(cls, known)) >= MANY:
        yield from (f"   {line}" for line in table([f"~{path}.{name}" for name in names]))


def entry(path: str, thing: Any, beside: Iterable[type]) -> Iterator[str]:
    """A name with all that is said of it."""
    if inspect.isclass(thing):
        yield from entry_of_class(path, thing, beside)
    elif inspect.isroutine(thing):
        yield from (f".. autofunction:: {path}", "")
    else:
        yield from (f".. autodata:: {path}", "   :no-value:", "")


class Room(SphinxDirective):
    """The directive."""

    has_content: ClassVar[bool] = True

    def run(self) -> list[nodes.Node]:
        """Write what sphinx's own directives take."""
        things = {name: found(name) for name in filter(None, map(str.strip, self.content))}
        classes = [thing for thing in things.values() if inspect.isclass(thing)]
        lines = [*table([f"~{name}" for name in things])]
        for name, thing in things.items():
            lines += entry(name, thing, classes)
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Any) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("room", Room)
    return {"parallel_read_safe": True}
