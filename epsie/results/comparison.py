"""Models compared by their evidence."""

from __future__ import annotations

from math import e, exp, hypot, log10
from typing import Any

from epsie.checks import given
from epsie.shown import digits
from epsie.tempering.evidence import Evidence


class Comparison(dict[str, Evidence]):
    """The evidence of several runs, by name, and what follows from it. Its `str` is a table."""

    @property
    def best(self) -> str:
        """The name of the run with the highest evidence."""
        return max(self, key=lambda name: self[name].log_z)

    def log_bayes_factor(self, name: str, other: str) -> tuple[float, float]:
        """The logarithm (base e) of the Bayes factor of a run against another, and its error.

        Raises
        ------
        KeyError
            If there is no such run.
        """
        a, b = self[name], self[other]
        return a.log_z - b.log_z, hypot(a.standard_error, b.standard_error)

    @property
    def probabilities(self) -> dict[str, float]:
        """The posterior probabilities of the models, if all are as probable before."""
        highest = self[self.best].log_z
        weights = {name: exp(found.log_z - highest) for name, found in self.items()}
        return {name: weight / sum(weights.values()) for name, weight in weights.items()}

    def __str__(self) -> str:
        rows = [["", "log Z", "log Bayes factor", "log10", "probability"]]
        for name, found in self.items():
            factor, error = self.log_bayes_factor(name, self.best)
            # The error of a difference from itself is none.
            of_factor = "0" if name == self.best else f"{digits(factor, error)} +- {error:.2g}"
            log_z = f"{digits(found.log_z, found.standard_error)} +- {found.standard_error:.2g}"
            decades = f"{factor * log10(e):.2f}"
            rows.append([name, log_z, of_factor, decades, f"{self.probabilities[name]:.3g}"])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in rows
        ]
        caveats = dict.fromkeys(found.caveat for found in self.values() if found.caveat)
        return "\n".join([*lines, *[f"! {caveat}" for caveat in caveats]])


def compare(*runs: Any, **named: Any) -> Comparison:
    """The evidence of models side by side, with Bayes factors.

    Parameters
    ----------
    *runs, **named : BaseSampler, Run or Evidence
        What has a `log_evidence`, of the same data; or evidences themselves. Those that are not
        named are called 'run 1', 'run 2', and so on.

    Returns
    -------
    Comparison
        A dict of `Evidence` by name, with `log_bayes_factor`, `probabilities` and `best`.

    Raises
    ------
    ValueError
        If there are fewer than two, or one has no evidence.
    TypeError
        If one is something else.

    Examples
    --------
    >>> import epsie
    >>> a = epsie.sample(lambda x: -x * x / 2, {"x": (-10, 10)}, seed=1)
    >>> b = epsie.sample(lambda x: -x * x / 2, {"x": (-20, 20)}, seed=1)
    >>> factor, error = epsie.compare(narrow=a, wide=b).log_bayes_factor("narrow", "wide")
    >>> abs(factor - 0.693) < 0.3
    True
    """
    every = {f"run {i}": run for i, run in enumerate(runs, 1)} | named
    if len(every) < 2:
        raise ValueError(f"compare needs two runs or more; got {len(every)}")
    for run in every.values():
        if not isinstance(run, Evidence) and not hasattr(run, "log_evidence"):
            raise TypeError(
                "compare takes samplers, what epsie.open_run gives, or what log_evidence() gave; "
                f"got {given(run)}"
            )
    return Comparison({name: _evidence_of(name, run) for name, run in every.items()})


def _evidence_of(name: str, run: Any) -> Evidence:
    try:
        return run if isinstance(run, Evidence) else run.log_evidence()
    except ValueError as error:
        raise ValueError(f"{name} has no evidence: {error}") from error
