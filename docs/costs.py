"""Pictures of how costs grow, from what `benchmarks/growth.py` and `benchmarks/hosts.py` found."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from anew import make_anew
from matplotlib.figure import Figure

KEPT = Path(__file__).parent.parent / "benchmarks" / "cached" / "growth.json"
PICTURES = {
    "steps": ("dimensions", "temperatures"),
    "chains": ("chains", "processes"),
    "calls": ("history", "data"),
    "hosts": ("hosts, 1 ms", "hosts, 10 ms"),
}
"""What stands side by side."""
COLOURS = ("#2f6690", "#c2722d", "#5b8c5a", "#8a8f98", "#7b4b94", "#b23a48")
MARKS = "osD^vP"


def panel(axes: Any, part: dict[str, Any]) -> None:
    """Medians as dots and lines, quartiles as bars."""
    for (label, points), colour, mark in zip(part["curves"].items(), COLOURS, MARKS, strict=False):
        x, low, middle, high = zip(*points, strict=True)
        axes.vlines(x, low, high, color=colour, alpha=0.5, lw=3)
        axes.plot(x, middle, marker=mark, ms=4, lw=1.2, color=colour, label=label)
    axes.set(xscale="log")
    axes.set_xlabel(part["x"], fontsize=9)
    axes.set_ylabel(part["y"], fontsize=9)
    axes.tick_params(labelsize=8)
    if (highest := axes.get_ylim()[1]) > 10:
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        ticks = [m * 10.0**k for k in range(-2, 5) for m in (1, 2, 5)]
        ticks = [tick for tick in ticks if low <= tick <= high]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    else:
        axes.set_ylim(0, max(highest, 1.05))
    places = sorted({n for points in part["curves"].values() for n, *_ in points})
    powers = places[-1] > 10_000
    axes.set_xticks(places, [f"$10^{len(str(n)) - 1}$" if powers else f"{n:,}" for n in places])
    axes.minorticks_off()
    axes.grid(True, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.2))


def pair(left: str, right: str, file: Path) -> None:
    """Two panels side by side."""
    kept = json.loads(KEPT.read_text())
    figure = Figure(figsize=(8.4, 4.4), layout="constrained")
    for axes, part in zip(figure.subplots(1, 2), (left, right), strict=True):
        panel(axes, kept[part])
    figure.savefig(file, dpi=130)


def make(folder: Path) -> None:
    """Write the pictures, unless they are newer than what they show."""
    makers = {
        folder / f"cost_of_{name}.png": partial(pair, *parts) for name, parts in PICTURES.items()
    }
    make_anew(makers, [Path(__file__), KEPT])


if __name__ == "__main__":
    make(Path(__file__).parent / "_generated")
