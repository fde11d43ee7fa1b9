"""The prior: what is known of the parameters before there are data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsie.checks import as_count, given
from epsie.model.checking import check_densities, drawn_from
from epsie.model.conditional import relative_among
from epsie.model.constraint import DRAWS, IN_A_DICT, SEED, Constraint
from epsie.model.declaring import merged, names_in, parts_of, shown
from epsie.model.direction import Direction
from epsie.model.distributions import Kind
from epsie.model.part import Bounds, Free, Known, Relative, rows_of


class Prior:
    """A prior, declared once: names, bounds, normalised density, draws, kinds and labels.

    Parameters
    ----------
    parameters : mapping, optional
        The declaration as a dict, for names that cannot be keywords; of several parameters at once
        the key is a tuple of names.
    where : callable, optional
        A constraint: a function of parameters, by name, that returns whether they are allowed. The
        density is normalised anew by 100,000 draws with a seed of their own; the relative error of
        that is `normalisation_error`.
    labels : mapping, optional
        How parameters are called in pictures, as ``{"m": r"$m$"}``.
    **declared : object
        By the name of each parameter what it is:

        * a pair ``(low, high)``: uniform between two bounds;
        * a frozen distribution of `scipy.stats`, of either infrastructure, continuous or of
          integers; or any object with ``logpdf`` and ``rvs``, or with bilby's ``ln_prob`` and
          ``sample``;
        * `Angle`, `Direction`, `Joint`, `Given`;
        * a number: fixed, not sampled;
        * the name of another parameter: the same value;
        * a function of others, by name: of a number, a value that follows from them; of a pair or
          a distribution, the distribution given them (some 200 us a call if scipy makes it; `Given`
          takes 1).

    Raises
    ------
    TypeError
        If something cannot stand for a parameter.
    ValueError
        If names are unknown, repeated or circular, bounds reversed, the density is not finite where
        it draws, integers are none, or nothing satisfies the constraint.

    Attributes
    ----------
    parameters : tuple of str
        The names of the sampled parameters, as they were declared; those of a `Direction` or
        `Joint` where it stands.
    known : tuple of str
        The names that are not sampled: fixed, or following from others.
    parts : tuple of Part
        What it consists of, each after those on which it depends.
    labels : dict
        For each of `parameters` and `known` how it is called in pictures.

    Examples
    --------
    >>> from scipy import stats
    >>> import epsie
    >>> prior = epsie.Prior(m=(-5, 0.5), b=stats.norm(0, 5), sigma=0.5)
    >>> prior.parameters
    ('m', 'b')
    >>> round(prior.logp(m=0.0, b=1.0), 6)
    -4.253125
    """

    def __init__(
        self,
        parameters: Mapping[Any, Any] | None = None,
        /,
        *,
        where: Callable[..., Any] | None = None,
        labels: Mapping[str, str] | None = None,
        **declared: Any,
    ) -> None:
        self._declared = merged(parameters, declared)
        self._set_parts()
        self._constraint = None if where is None else Constraint(where)
        self._check_names("where= asks for", self.judged)
        if labels is not None and not isinstance(labels, Mapping):
            raise TypeError(
                f"labels must be a dict of names and labels; got {given(labels)}{IN_A_DICT}"
            )
        self._check_names("labels are given for", tuple(labels or ()))
        self.labels = {name: (labels or {}).get(name, name) for name in self._names}
        check_densities(self._sampled, self._rows(self._drawn(np.random.default_rng(0), 32)))
        if self._constraint is not None:
            drawn = self._drawn(np.random.default_rng(SEED), DRAWS)
            self._constraint.count(self._rows(drawn))

    def _set_parts(self) -> None:
        self.parts = tuple(parts_of(self._declared))
        self._sampled = [part for part in self.parts if not isinstance(part, Known)]
        self._knowns = [part for part in self.parts if isinstance(part, Known)]
        self.known = tuple(name for part in self._knowns for name in part.names)
        # In the order in which they were declared, not that in which they are drawn.
        names = [name for key, value in self._declared.items() for name in names_in(key, value)]
        self.parameters = tuple(name for name in names if name not in self.known)
        if not self.parameters:
            raise ValueError(
                "nothing is sampled: all parameters of this prior are known. Give one of them "
                "bounds, as (0, 1), or a distribution"
            )
        self._free = [part for part in self._sampled if isinstance(part, Free)]
        self._densities = [(part.names[0], part.distribution.density) for part in self._free]
        self._bound = [part for part in self._sampled if not isinstance(part, Free)]

    @property
    def _names(self) -> tuple[str, ...]:
        return (*self.parameters, *self.known)

    @property
    def judged(self) -> tuple[str, ...]:
        """The parameters that the constraint looks at."""
        return () if self._constraint is None else self._constraint.needs

    @property
    def normalisation_error(self) -> float:
        """The relative error of the density by counting what a constraint leaves; else 0."""
        return 0.0 if self._constraint is None else self._constraint.error

    @property
    def bounds(self) -> dict[str, Bounds]:
        """For each parameter bounds outside of which the density vanishes; -inf, inf for none."""
        return self._by_name("bounds")

    @property
    def periods(self) -> dict[str, float]:
        """The periods of the parameters that have one."""
        found = self._by_name("periods")
        return {name: period for name, period in found.items() if period is not None}

    @property
    def relative(self) -> dict[str, Relative]:
        """Location and scale, parameters or numbers, of those that a `Given` spreads about them."""
        return relative_among(self.parts, self.parameters)

    @property
    def kinds(self) -> dict[str, Kind]:
        """For each parameter ``real``, ``integer``, ``angle`` or ``direction``."""
        found = {name: part.kind for part in self._sampled for name in part.names}
        return {name: found[name] for name in self.parameters}

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The parts whose parameters are a direction in space."""
        return tuple(part for part in self._sampled if isinstance(part, Direction))

    @property
    def config(self) -> dict[str, Any]:
        """The arguments of its constructor."""
        where = None if self._constraint is None else self._constraint.function
        return {"parameters": dict(self._declared), "where": where, "labels": dict(self.labels)}

    def described(self) -> dict[str, Any]:
        """It as plain data, by which one prior is told from another.

        Where something is not known in closed form: its kind and bounds, and the log densities at
        8 draws, to 9 digits; of a constraint the error of the normalisation.
        """
        parts = {", ".join(part.names): part.described() for part in self.parts}
        known = all(part.plain is not None for part in self.parts) and self._constraint is None
        points = [] if known else self._rows(self.draw(0, 8))
        found = {"parts": parts, "logp": [float(f"{self.log_density(x):.9g}") for x in points]}
        error = self.normalisation_error
        return found | ({"normalisation_error": float(f"{error:.9g}")} if error else {})

    def logp(self, **values: float) -> float:
        """The natural logarithm of the normalised density; -inf where it vanishes.

        Parameters
        ----------
        **values : float
            A value for each of `parameters`.

        Raises
        ------
        TypeError
            If one is missing or unknown.
        """
        if values.keys() != set(self.parameters):
            raise TypeError(
                f"logp takes {', '.join(self.parameters)}; got {', '.join(values) or 'nothing'}"
            )
        return self.log_density(values)

    def log_density(self, values: Mapping[str, float]) -> float:
        """As `logp`, of a mapping whose names are not checked."""
        total = 0.0
        for name, density in self._densities:
            value = density(values[name])
            if value == -inf:
                return -inf
            total += value
        if not self._bound and self._constraint is None:
            return total
        values = self.completed(values)
        for part in self._bound:
            value = part.log_density(values)
            if value == -inf:
                return -inf
            total += value
        if self._constraint is None:
            return total
        return total - self._constraint.log_share if self._constraint.allows(values) else -inf

    def completed(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Values of the parameters, with the known ones that go with them."""
        if not self._knowns:
            return values
        full = dict(values)
        for part in self._knowns:
            full[part.names[0]] = part.at(full)
        return full

    def draw(self, rng: np.random.Generator | int, n: int) -> dict[str, NDArray[Any]]:
        """Independent draws.

        Parameters
        ----------
        rng : numpy.random.Generator or int
            Where the random numbers come from, or a seed.
        n : int
            How many.

        Returns
        -------
        dict of ndarray
            For each of `parameters` an array of shape (n,), of int64 for integers.
        """
        rng, n = np.random.default_rng(rng), as_count(n, "n", least=0)
        if self._constraint is None:
            return self._drawn(rng, n)
        kept = [self._drawn(rng, 0)]
        while (have := sum(len(some[self.parameters[0]]) for some in kept)) < n:
            drawn = self._drawn(rng, int(1.1 * (n - have) / self._constraint.share) + 8)
            allowed = self._constraint.allowed(self._rows(drawn))
            kept.append({name: column[allowed] for name, column in drawn.items()})
        return {name: np.concatenate([k[name] for k in kept])[:n] for name in self.parameters}

    def _drawn(self, rng: np.random.Generator, n: int) -> dict[str, NDArray[Any]]:
        """Draws without regard to the constraint."""
        values: dict[str, Any] = {}
        for part in self.parts:
            if isinstance(part, Known):
                rows = rows_of(values, part.needs, n)
                values[part.names[0]] = np.array([part.at(row) for row in rows])
                continue
            values |= drawn_from(part, rng, n, values)
        return {name: values[name] for name in self.parameters}

    def _rows(self, drawn: Mapping[str, NDArray[Any]]) -> list[Mapping[str, Any]]:
        """Draws as dicts of numbers, with the known ones."""
        n = len(drawn[self.parameters[0]])
        return [self.completed(row) for row in rows_of(drawn, self.parameters, n)]

    def _by_name(self, attribute: str) -> dict[str, Any]:
        found = {
            name: value
            for part in self._sampled
            for name, value in zip(part.names, getattr(part, attribute), strict=True)
        }
        return {name: found[name] for name in self.parameters}

    def _check_names(self, what: str, names: tuple[str, ...]) -> None:
        unknown = [name for name in names if name not in self._names]
        if unknown:
            raise ValueError(
                f"{what} {', '.join(unknown)}, of which this prior knows nothing; it has "
                f"{', '.join(self._names)}"
            )

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("_declared", "_constraint", "labels")}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        # The share that a constraint leaves was counted once.
        self.__dict__.update(state)
        self._set_parts()

    def __repr__(self) -> str:
        items = [f"{key}={shown(value)}" for key, value in self._declared.items()]
        where = [] if self._constraint is None else ["where=..."]
        return f"Prior({', '.join([*items, *where])})"
