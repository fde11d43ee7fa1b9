"""The look of pictures: settings, colours, ticks and captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from io import BytesIO
from math import ceil, floor, log10, tau
from textwrap import fill
from typing import Any, ParamSpec

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure
from matplotlib.mathtext import MathTextParser
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from epsie.shown import in_line

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Those of Okabe & Ito, which everybody can tell apart; without yellow, which is faint on white."""

GREY = "#777777"

_SETTINGS = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "figure.titlesize": 11,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "lines.linewidth": 1.2,
    "savefig.dpi": 130,
    "figure.dpi": 100,
    "text.usetex": False,
    "axes.formatter.use_mathtext": True,
}


class Picture(Figure):  # type: ignore[misc]
    """A figure that a notebook shows also if it has not been told about matplotlib."""

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()


def picture(width: float, height: float) -> Picture:
    """An empty figure of this size, in inches."""
    return Picture(figsize=(width, height), layout="constrained")


P = ParamSpec("P")


def styled(draw: Callable[P, Picture]) -> Callable[P, Picture]:
    """Let a function draw with the settings of this package, whatever those of the user are."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Picture:
        with settings():
            return draw(*args, **kwargs)

    return drawn


@contextmanager
def settings() -> Iterator[None]:
    """The settings of this package."""
    with rc_context():
        from matplotlib import rcdefaults

        rcdefaults()
        with rc_context(_SETTINGS):
            yield


def chain_colours(n: int) -> list[Any]:
    """A colour for each of so many chains; shades of one scale if there are many."""
    if n <= len(COLOURS):
        return list(COLOURS[:n])
    return [colormaps["cividis"](0.95 * i / (n - 1)) for i in range(n)]


def line_styles(n: int) -> list[dict[str, Any]]:
    """Lines that can be told apart, as many as are needed."""
    dashes = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)))
    return [
        {"color": COLOURS[i % len(COLOURS)], "ls": dashes[i // len(COLOURS) % len(dashes)]}
        for i in range(n)
    ]


def number_ticks(axis: Any, most: int = 4, whole: bool = False) -> None:
    """Few ticks, written without a common factor or offset, which would stand somewhere else."""
    steps, least = [1, 2, 2.5, 5, 10], 1 if whole else 2
    axis.set_major_locator(MaxNLocator(most, steps=steps, integer=whole, min_n_ticks=least))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _written(value, axis)))


def _written(value: float, axis: Any) -> str:
    ticks = np.asarray(axis.get_majorticklocs(), dtype=float)
    step = float(np.diff(ticks).min()) if len(ticks) > 1 else abs(value) or 1.0
    return number(0.0 if abs(value) < 1e-9 * step else value, step)


def number(value: float, precision: float) -> str:
    """A number with as many digits as a precision asks for."""
    places = max(0, ceil(-log10(precision) - 1e-6)) if precision > 0 else 0
    if precision > 0 and round(precision, places) != 0:
        # 0.25 needs one place more than 0.1.
        places += abs(precision * 10**places - round(precision * 10**places)) > 0.01
    size = abs(value)
    if size and (size >= 1e7 or size < 1e-4 or places > 6):
        digits = max(0, floor(log10(size)) + places) if places else 2
        mantissa, _, power = f"{value:.{min(digits, 8)}e}".partition("e")
        if "." in mantissa:
            mantissa = mantissa.rstrip("0").rstrip(".")
        return f"{mantissa}e{int(power)}".replace("-", "\N{MINUS SIGN}")
    # Not -0.0.
    return f"{round(value, places) + 0.0:.{places}f}".replace("-", "\N{MINUS SIGN}")


def angle_ticks(axis: Any, low: float, high: float, period: float, most: int = 5) -> None:
    """Ticks at simple parts of a turn, in radians as multiples of pi."""
    parts = next((p for p in (8, 4, 2, 1) if (high - low) / period * p <= most), 1)
    step = period / parts
    if step > (high - low) / 1.5:
        number_ticks(axis, most)
        return
    ticks = np.arange(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)
    axis.set_major_locator(FixedLocator((ticks * step).tolist()))
    if period != tau:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}°"))
        return
    names = {round(float(tick * step), 9): _of_pi(int(tick), parts) for tick in ticks}
    axis.set_major_formatter(FuncFormatter(lambda value, _: names.get(round(value, 9), "")))


def _of_pi(tick: int, parts: int) -> str:
    """Write `tick` times two pi over `parts`."""
    top, bottom = 2 * tick, parts
    divisor = int(np.gcd(top, bottom))
    top, bottom = top // divisor, bottom // divisor
    if top == 0:
        return "0"
    sign = "\N{MINUS SIGN}" if top < 0 else ""
    factor = "" if abs(top) == 1 else str(abs(top))
    return f"{sign}{factor}π" + ("" if bottom == 1 else f"/{bottom}")


def fitting(texts: Sequence[str], inches: float, most: float = 9.0, least: float = 5.5) -> float:
    """The size of type in which the longest of several texts is no longer than this."""
    longest = max(len(text) for text in texts)
    return float(min(most, max(least, 72 * inches / (0.58 * longest))))


def shortened(text: str, inches: float, size: float) -> str:
    """A text that is no longer than this in a size of type, as it can be drawn."""
    room = max(4, int(72 * inches / (0.58 * size)))
    return drawable(text if len(text) <= room else text[: room - 1] + "…")


def drawable(text: str) -> str:
    """A text of which mathtext makes something, or else with its dollars as such."""
    text = in_line(text)
    if text.count("$") % 2 == 0:
        try:
            MathTextParser("path").parse(text)
        except ValueError:
            pass
        else:
            return text
    return text.replace("$", r"\$")


def longest_tick(axis: Any) -> int:
    """The number of characters of its longest tick label."""
    return max(map(len, axis.get_major_formatter().format_ticks(axis.get_majorticklocs())))


def caption(figure: Picture, text: str) -> None:
    """Say in the lower left corner, in two lines at most, which draws a picture shows."""
    (width, height), size = figure.get_size_inches(), 6.0
    text = fill(text, int(72 * (width - 0.1) / (0.58 * size)))
    if figure.get_layout_engine() is None:
        figure.text(0.08 / width, 0.05 / height, text, fontsize=size, color=GREY)
    else:
        figure.supxlabel(text, x=0.01, ha="left", fontsize=size, color=GREY)


def end_of_burn_in(axes: Any, first: float, burn_in: float) -> None:
    """Shade what lies before the end of adaptation or burn-in."""
    if burn_in > first:
        axes.axvspan(first, burn_in, color="0.92", lw=0, zorder=0)
        axes.axvline(burn_in, color=GREY, lw=0.8, ls=(0, (4, 2)), zorder=0.5)
