"""The learner of a sampler: its chains learn together, and are taught what they learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from epsie.annealed.population import Population
from epsie.chain.base import BaseChain, Lessons, Segment
from epsie.chain.state import levels_in
from epsie.errors import MalformedStateError
from epsie.model.prior import Prior
from epsie.pools.transport import ModelCarrier
from epsie.proposals.learned.cohort import Cohort, Stretch
from epsie.proposals.learned.history import History
from epsie.proposals.learned.learned import Learned
from epsie.proposals.learned.plain import entry
from epsie.proposals.learned.prior_part import PriorPart
from epsie.samplers.resting import interval_of

Place = tuple[int, int]
"""A proposal: the index of its temperature, and its own."""


class Learner:
    """All that the chains of a sampler learn together. It never changes.

    Parameters
    ----------
    parts : mapping
        Of each proposal that learns so that of the first chain, by place.
    cohorts : mapping
        Of each what all chains have learned.
    """

    def __init__(self, parts: Mapping[Place, Learned], cohorts: Mapping[Place, Cohort]) -> None:
        self._parts, self.cohorts = parts, cohorts

    @property
    def room(self) -> int:
        """The number of iterations until it learns next."""
        return min(cohort.barrier - cohort.iteration for cohort in self.cohorts.values())

    @cached_property
    def lessons(self) -> Lessons:
        """The number of the last lesson of each proposal, and what was learned in it."""
        return {
            place: (cohort.lesson, cohort.knowledge)
            for place, cohort in self.cohorts.items()
            if cohort.knowledge is not None
        }

    @cached_property
    def carrier(self) -> ModelCarrier | None:
        """What was learned on its way to workers; None if nothing was yet."""
        return ModelCarrier(self.lessons) if self.lessons else None

    def after(self, segments: Sequence[Segment]) -> Learner:
        """The learner after a stretch: a segment of each chain."""
        levels = [levels_in(segment.state) for segment in segments]
        cohorts = {}
        for place, cohort in self.cohorts.items():
            part = self._parts[place]
            stretches = [
                _stretch(part, place, segment, of_chain[place[0]])
                for segment, of_chain in zip(segments, levels)
            ]
            cohorts[place] = cohort.after(stretches, part.first)
        twin = Learner(self._parts, cohorts)
        known = [(c.lesson, cohorts[place].lesson) for place, c in self.cohorts.items()]
        if all(former == now for former, now in known):
            # The same object travels once.
            twin.lessons, twin.carrier = self.lessons, self.carrier
        return twin

    def begun_with(
        self, populations: Sequence[Population], names: Sequence[str], parameters: Sequence[str]
    ) -> Learner:
        """The learner with what it learns of populations, before the first step.

        Parameters
        ----------
        populations : sequence of Population
            Of the target at each temperature.
        names : sequence of str
            The parameters of their rows.
        parameters : sequence of str
            Those of the chains.
        """
        cohorts = {}
        for (temperature, i), cohort in self.cohorts.items():
            part, population = self._parts[temperature, i], populations[temperature]
            rows = population.rows[:, [names.index(name) for name in part.parameters]]
            alone = len(part.parameters) == len(parameters)
            logs = population.logp + population.beta * population.logl if alone else None
            cohorts[temperature, i] = cohort.begun_with(History.of(rows, logs), part.first)
        return Learner(self._parts, cohorts)

    def plain(self) -> dict[str, Any]:
        """Itself as plain data."""
        found = []
        for (temperature, place), cohort in self.cohorts.items():
            names = list(self._parts[temperature, place].parameters)
            found.append({"temperature": temperature, "parameters": names, **cohort.plain()})
        return {"learned": found}

    def begun_anew(self) -> Learner:
        """The learner where chains begin at new starts."""
        return Learner(self._parts, {at: c.begun_anew() for at, c in self.cohorts.items()})

    def forgetting(self) -> Learner:
        """The learner for another model: only how to propose is kept."""
        return Learner(self._parts, {at: c.forgetting() for at, c in self.cohorts.items()})

    def restored(self, plain: Any) -> Learner:
        """One like it that goes on from what `plain` gave.

        Raises
        ------
        MalformedStateError
            If it is something else.
        """
        learned = entry(plain, "learned", list)
        mine = [(t, list(self._parts[t, i].parameters)) for t, i in self.cohorts]
        found = [
            (entry(each, "temperature", int), entry(each, "parameters", list)) for each in learned
        ]
        if found != mine:
            raise MalformedStateError(
                "the state must tell what chains learned together for these temperatures and "
                f"parameters: {mine}; got {found}"
            )
        pairs = zip(self.cohorts.items(), learned, strict=True)
        return Learner(self._parts, {place: c.restored(each) for (place, c), each in pairs})


def learner_of(
    chains: Sequence[BaseChain], nchains: int, prior: Prior | None = None
) -> Learner | None:
    """The learner of new chains, which from now on learn together; None if none is to.

    Parameters
    ----------
    chains : sequence of BaseChain
        The chains.
    nchains : int
        Their number in the run.
    prior : Prior, optional
        The prior, if it is to be a component of all that is learned of all parameters.

    Raises
    ------
    ValueError
        If they are not all of the `nchains` of a run.
    """
    parts, cohorts = {}, {}
    whole = nchains == len(chains)
    for t, level in enumerate(chains[0].by_temperature):
        for i, part in enumerate(level.proposal_dist.proposals):
            if isinstance(part, Learned) and part.pooled:
                if not whole:
                    raise ValueError(
                        f"the {nchains} chains of the run are to learn together, which a part of "
                        f"them cannot: leave out chains=, or let each learn alone with "
                        f"proposals=Learned({list(part.parameters)}, pooled=False)"
                    )
                alone = part.ndim == len(level.parameters)
                of = PriorPart(prior, part.parameters) if prior is not None and alone else None
                subject = part.subject._replace(prior=of)
                parts[t, i], cohorts[t, i] = part, Cohort(subject, len(chains), alone)
                for chain in chains:
                    twin: Any = chain.by_temperature[t].proposal_dist.proposals[i]
                    twin._join(len(chains))
    return Learner(parts, cohorts) if parts else None


def _stretch(part: Learned, place: Place, segment: Segment, state: Mapping[str, Any]) -> Stretch:
    """What a segment tells of one proposal; `state` is that of its temperature."""
    temperature, i = place
    tables = segment.by_temperature[temperature]
    positions, stats = tables["positions"], tables["stats"]
    assert positions is not None and stats is not None
    return Stretch(
        logl=stats["logl"],
        logp=stats["logp"],
        rows=np.column_stack([positions[name] for name in part.parameters]),
        contributed=segment.contributions[temperature][i],
        tallies=state["proposal_dist"]["+".join(part.parameters)]["tallies"],
        beta=state["beta"],
        every=interval_of(part),
    )
