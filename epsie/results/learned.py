"""The knowledge that chains share of the posterior, in its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from epsie.proposals.learned.knowledge import Knowledge
from epsie.proposals.learned.logbook import WIDTH, Entry
from epsie.proposals.learned.plain import rows_of
from epsie.results.view import View
from epsie.shown import Facts, Shown, counted
from epsie.tempering.log_z import Floats

_STEP = 1e-4


@dataclass(frozen=True, repr=False, eq=False)
class LearnedTarget(Shown):
    """The posterior as the chains have learned it: a mixture of multivariate t distributions.

    What is proposed from it has wider copies of these components, too.
    """

    parameters: tuple[str, ...]
    lessons: tuple[Entry, ...]
    """At which iterations it was learned, how much that changed, and how well was proposed before:
    `iteration`, `ncomponents`, `change`, `probabilities` and `acceptance` of the moves."""
    knowledge: Knowledge
    """What the moves use, in coordinates of their own."""

    @property
    def weights(self) -> Floats:
        """The weight of each component. Shape (K,)."""
        return self.knowledge.core.weights.copy()

    @property
    def degrees_of_freedom(self) -> Floats:
        """Those of each component. Shape (K,)."""
        return self.knowledge.core.dofs.copy()

    @property
    def coordinates(self) -> dict[str, str]:
        """How each parameter is learned: as it is ('identity'), by its 'log', etc."""
        kinds = [c.kind for c in self.knowledge.transform.coordinates]
        return dict(zip(self.parameters, kinds, strict=True))

    @cached_property
    def means(self) -> Floats:
        """The centre of each component in the parameters. Shape (K, d)."""
        return self._placed(self._centres)

    @cached_property
    def covariances(self) -> Floats:
        """The scale matrices about the centres, of what is bent to first order. Shape (K, d, d)."""
        covs = self.knowledge.core.moved(*self._units).covs
        by = np.sqrt(np.diagonal(covs, axis1=1, axis2=2)) * _STEP
        slopes = np.empty_like(covs)
        for i, kind in enumerate(self.coordinates.values()):
            step = np.where(np.arange(covs.shape[1]) == i, by, 0.0)
            above, below = self._placed(self._centres + step), self._placed(self._centres - step)
            slopes[:, :, i] = (above - below) / (2 * by[:, i : i + 1])
            if kind in ("identity", "angle"):
                # Of an angle the jump at the end of its turn is none.
                slopes[:, i, i] = 1.0
        found: Floats = slopes @ covs @ slopes.transpose(0, 2, 1)
        return found

    @property
    def _units(self) -> tuple[Floats, Floats]:
        return self.knowledge.transform.shift, self.knowledge.transform.scale

    @property
    def _centres(self) -> Floats:
        return self.knowledge.core.moved(*self._units).means

    def _placed(self, coordinates: Floats) -> Floats:
        """The parameters at some coordinates. NaN where there are none."""
        return self.knowledge.transform.bend.inverse_rows(coordinates)

    def outline(self, component: int, pair: tuple[int, int], angles: Floats) -> Floats:
        """Points about two parameters of a component, a standard deviation away. Shape (n, 2)."""
        core = self.knowledge.core.moved(*self._units)
        cov = core.covs[component][np.ix_(pair, pair)]
        circle = np.stack([np.cos(angles), np.sin(angles)])
        points = np.repeat(self._centres[component][np.newaxis], len(angles), axis=0)
        points[:, list(pair)] += (np.linalg.cholesky(cov) @ circle).T
        return self._placed(points)[:, list(pair)]

    @property
    def acceptance(self) -> dict[str, float]:
        """The mean acceptance ratio of each move before the last lesson; NaN if it is not known."""
        last = self.lessons[-1] if self.lessons else None
        return {} if last is None else last.acceptance

    @property
    def probabilities(self) -> dict[str, float]:
        """How often each move is made."""
        moves = self.lessons[-1].probabilities if self.lessons else {}
        return dict(moves)

    def _facts(self) -> Facts:
        facts = [("components", counted(len(self.weights), "component"))]
        facts.append(("parameters", f"of {', '.join(self.parameters)}"))
        if self.lessons:
            last = self.lessons[-1]
            facts.append(("iteration", f"learned at iteration {last.iteration}"))
            rates = ", ".join(
                f"{name} {share:.0%} ({last.acceptance[name]:.0%})"
                for name, share in last.probabilities.items()
            )
            facts.append(("moves", f"moves (accepted): {rates}"))
        return facts


def learned(source: object) -> LearnedTarget | tuple[LearnedTarget, ...] | None:
    """What the chains have learned together of the posterior.

    None before the first lesson, or if no chains learn together; several of them if several
    proposals learn for themselves.
    """
    found = known_of(View(source))
    return found[0] if len(found) == 1 else found or None


def known_of(view: View) -> tuple[LearnedTarget, ...]:
    """What the proposals at the coldest temperature have learned."""
    return tuple(
        LearnedTarget(tuple(each["parameters"]), entries_of(each), _knowledge(each))
        for each in view.source.shared.get("learned", [])
        if each["temperature"] == 0 and each["learned"] is not None
    )


def _knowledge(each: dict[str, object]) -> Knowledge:
    plain, names = each["learned"], each["parameters"]
    assert isinstance(plain, dict)
    assert isinstance(names, list)
    return Knowledge.from_plain(plain, len(names))


def entries_of(each: dict[str, object]) -> tuple[Entry, ...]:
    """The lessons of what chains share."""
    return tuple(map(Entry.from_row, rows_of(each, "log", WIDTH, finite=False)))
