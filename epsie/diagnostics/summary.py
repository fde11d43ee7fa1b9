"""The summary of a posterior sample, as a table and as numbers."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import nan, remainder, tau
from typing import Any

import numpy as np

from epsie.diagnostics import convergence
from epsie.diagnostics.astray import Astray
from epsie.diagnostics.draws import Angular, Floats, Parameter, as_parameters
from epsie.diagnostics.words import findings
from epsie.shown import chains_in_words, digits, in_line

PROBABILITIES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Summary:
    """Estimates, their errors and how far they can be trusted. Its `str` is a table.

    All dicts are by parameter; `active(x)` is the share of draws in which `x` is active.
    """

    parameters: tuple[str, ...]
    mean: dict[str, float]
    """The mean; of an angle the mean direction, in [0, period) if its draws are."""
    sd: dict[str, float]
    """The standard deviation; of an angle that of the circle."""
    mcse_mean: dict[str, float]
    """The Monte Carlo standard error of `mean`."""
    mcse_sd: dict[str, float]
    """The Monte Carlo standard error of `sd`."""
    quantiles: dict[str, dict[float, float]]
    """By probability; those of an angle count from half a turn before its mean direction."""
    ess_bulk: dict[str, float]
    ess_tail: dict[str, float]
    rhat: dict[str, float]
    autocorrelation_length: dict[str, Floats]
    """Of each chain, in iterations."""
    nchains: int
    ndraws: int
    """The number of draws of each chain."""
    burn_in: int
    """The iteration after which draws were used."""
    burn_in_is: str
    """The reason for the burn-in, in words."""
    acceptance_rate: Floats | None = None
    """Of each chain; None if not known."""
    stuck: dict[int, int] = field(default_factory=dict)
    """Chains that have ceased to move, and the iteration since which each stands."""
    warnings: tuple[str, ...] = ()
    """The faults, in words."""
    facts: tuple[tuple[str, str], ...] = ()
    """Further facts of the run, by name and in words."""
    labels: dict[str, str] = field(default_factory=dict)
    """What parameters are called in a table; one with mathematics in it in a notebook alone."""
    nwalkers: int = 1
    """The number of neighbouring chains that are the walkers of one ensemble."""

    @property
    def table(self) -> list[list[str]]:
        """The table, a header and a row for each parameter."""
        rows = [["", "mean", "sd", "mcse", *_PERCENT, "ess_bulk", "ess_tail", "rhat"]]
        for name in self.parameters:
            error = self.mcse_mean[name]
            values = [self.mean[name], self.sd[name]]
            rows.append(
                [
                    in_line(_text(self.labels.get(name, name), name)),
                    *[digits(value, error) for value in values],
                    digits(error, error),
                    *[digits(value, error) for value in self.quantiles[name].values()],
                    _whole(self.ess_bulk[name]),
                    _whole(self.ess_tail[name]),
                    f"{self.rhat[name]:.3f}" if self.rhat[name] < 1e3 else str(self.rhat[name]),
                ]
            )
        return rows

    @property
    def header(self) -> str:
        """The draws that are summarised, in a line."""
        chains = chains_in_words(self.nchains, self.nwalkers)
        text = f"{chains} x {self.ndraws} draws after iteration {self.burn_in} ({self.burn_in_is})"
        if self.acceptance_rate is None or not np.isfinite(self.acceptance_rate).any():
            return text
        low, high = np.nanmin(self.acceptance_rate), np.nanmax(self.acceptance_rate)
        return f"{text}; acceptance {low:.2f}" + (f" to {high:.2f}" if high - low > 0.005 else "")

    def __str__(self) -> str:
        rows = self.table
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in rows
        ]
        for notes in (map(": ".join, self.facts), map("! {}".format, self.warnings)):
            found = list(map(in_line, notes))
            lines += ["", *found] if found else []
        return "\n".join([in_line(self.header), "", *lines])

    def _repr_html_(self) -> str:
        head, *rows = [[html.escape(cell) for cell in row] for row in self.table]
        names = [html.escape(in_line(self.labels.get(name, name))) for name in self.parameters]
        body = "".join(
            f"<tr><th>{name}</th>{_cells(row[1:])}</tr>"
            for name, row in zip(names, rows, strict=True)
        )
        said = [*map(": ".join, self.facts), *self.warnings]
        notes = "".join(f"<li>{html.escape(text)}</li>" for text in said)
        return (
            f"<div><p>{html.escape(self.header)}</p><table><thead><tr>"
            + "".join(f"<th>{cell}</th>" for cell in head)
            + f"</tr></thead><tbody>{body}</tbody></table>"
            + (f"<ul>{notes}</ul></div>" if notes else "</div>")
        )


def _text(label: str, name: str) -> str:
    """A label that can be read in a terminal, or else the name."""
    return name if "$" in label else label


_PERCENT = [f"{100 * probability:g}%" for probability in PROBABILITIES]


def _cells(row: Iterable[str]) -> str:
    return "".join(f'<td style="text-align: right">{cell}</td>' for cell in row)


def _whole(value: float) -> str:
    return f"{value:.0f}"


def summarise(
    draws: Any,
    angular: Angular = (),
    *,
    burn_in: int = 0,
    burn_in_is: str = "as given",
    spacing: int = 1,
    acceptance_rate: Floats | None = None,
    stuck: Mapping[int, int] | None = None,
    warnings: Iterable[str] = (),
    facts: Iterable[tuple[str, str]] = (),
    labels: Mapping[str, str] | None = None,
    off: Callable[[Mapping[str, float]], Sequence[Astray]] | None = None,
    nwalkers: int = 1,
) -> Summary:
    """Estimates, their errors, and what is wrong.

    Parameters
    ----------
    draws, angular
        See `epsie.diagnostics`; the draws after the burn-in.
    burn_in : int, optional
        The iteration after which they were drawn.
    burn_in_is : str, optional
        Where it comes from.
    spacing : int, optional
        The number of iterations from one draw to the next.
    acceptance_rate : array, optional
        Of each chain.
    stuck : mapping, optional
        The chains that have ceased to move, with iterations.
    warnings : iterable of str, optional
        Further words.
    facts : iterable of (str, str), optional
        What else is known of the run, by name and in words.
    labels : mapping, optional
        What parameters are called.
    off : callable, optional
        Gives, of the standard deviations of the draws, the chains whose jumps are far too large or
        too small.
    nwalkers : int, optional
        See `epsie.diagnostics`.
    """
    parameters = as_parameters(draws, angular, nwalkers)
    nchains, ndraws = next(iter(parameters.values())).values.shape
    lengths = convergence.autocorrelation_length(draws, angular, nwalkers)
    estimates = {name: _estimates(parameter) for name, parameter in parameters.items()}
    values: dict[str, Any] = {
        name: {of: estimate[name] for of, estimate in estimates.items()}
        for name in ("mean", "sd", "quantiles")
    }
    for name in ("mcse_mean", "mcse_sd", "ess_bulk", "ess_tail", "rhat"):
        values[name] = getattr(convergence, name)(draws, angular, nwalkers)
    found = findings(parameters, values, dict(stuck or {}), off(values["sd"]) if off else ())
    return Summary(
        tuple(parameters),
        **values,
        autocorrelation_length={name: spacing * length for name, length in lengths.items()},
        nchains=nchains,
        ndraws=ndraws,
        burn_in=burn_in,
        burn_in_is=burn_in_is,
        acceptance_rate=acceptance_rate,
        stuck=dict(stuck or {}),
        warnings=(*warnings, *found),
        facts=tuple(facts),
        labels=dict(labels or {}),
        nwalkers=nwalkers,
    )


def _estimates(parameter: Parameter) -> dict[str, Any]:
    """Mean, standard deviation and quantiles."""
    values = parameter.values[~np.isnan(parameter.values)]
    if values.size == 0:
        return {"mean": nan, "sd": nan, "quantiles": dict.fromkeys(PROBABILITIES, nan)}
    if parameter.period is None:
        with np.errstate(invalid="ignore"):
            mean, sd = float(values.mean()), float(values.std(ddof=1)) if values.size > 1 else nan
            quantiles = np.quantile(values, PROBABILITIES)
    else:
        unit = parameter.period / tau
        away = convergence.deviations(values, parameter.period)
        direction = np.angle(convergence.mean_direction(values / unit))
        mean = float(direction % tau) * unit
        if values.min() < 0 or values.max() > parameter.period:
            # The draws are of another domain: the turn that is nearest to their middle.
            middle = float(values.min() + values.max()) / 2
            mean = middle + remainder(mean - middle, parameter.period)
        sd = convergence.circular_sd(away) * unit
        quantiles = mean + np.quantile(away, PROBABILITIES) * unit
    return {
        "mean": mean,
        "sd": sd,
        "quantiles": dict(zip(PROBABILITIES, quantiles.tolist(), strict=True)),
    }
