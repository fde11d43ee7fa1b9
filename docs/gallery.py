"""Pictures of the jump densities and the tables of proposals, made from the registry.

Densities come from the classes themselves: lines and colours are `logpdf`, filled histograms and
dots are jumps.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
from anew import make_anew
from matplotlib.figure import Figure

from epsie import proposals as p
from epsie.chain import Chain
from epsie.proposals import BaseProposal

ROOT = Path(__file__).parent.parent
BLUE, ORANGE, GREY = "#2f6690", "#c2722d", "#8a8f98"
COV = [[1.0, 0.7], [0.7, 0.8]]
CROSS = {"marker": "x", "color": "black", "s": 60, "linewidths": 2.2, "zorder": 5}


def jumps(proposal: BaseProposal, here: dict[str, float], n: int) -> dict[str, np.ndarray]:
    """Jumps from one place."""
    proposal.bit_generator = 7
    made = [proposal.jump(here) for _ in range(n)]
    return {name: np.array([one[name] for one in made]) for name in proposal.parameters}


def density(proposal: BaseProposal, here: dict[str, float], at: list[dict[str, float]]) -> Any:
    """The density of jumps from one place to others."""
    return np.array([proposal.pdf(there, here) for there in at])


def plane(axes: Any, proposal: BaseProposal, here: dict[str, float], span: Any) -> None:
    """Colours in a plane, and some jumps."""
    (xname, yname), (left, right, low, high) = proposal.parameters, span
    xs, ys = np.linspace(left, right, 90), np.linspace(low, high, 90)
    at = [{xname: x, yname: y} for y in ys.tolist() for x in xs.tolist()]
    axes.contourf(xs, ys, density(proposal, here, at).reshape(90, 90), 12, cmap="Blues")
    drawn = jumps(proposal, here, 300)
    axes.plot(drawn[xname], drawn[yname], ".", color=ORANGE, ms=2.5, alpha=0.7)
    axes.scatter(here[xname], here[yname], **CROSS)
    axes.set(xlim=(left, right), ylim=(low, high), xlabel=xname, ylabel=yname)


def normal(left: Any, right: Any) -> None:
    """Independent, and with a covariance."""
    for axes, cov, title in ((left, [1.0, 0.25], "cov=[1, 0.25]"), (right, COV, "cov=a matrix")):
        plane(axes, p.Normal(["x", "y"], cov), {"x": 0.0, "y": 0.0}, (-3, 3, -3, 3))
        axes.set_title(title)


def bounded_normal(left: Any, right: Any) -> None:
    """From the middle and from near a bound."""
    proposal = p.BoundedNormal("x", {"x": (0, 4)}, 1)
    for axes, here in ((left, 2.0), (right, 0.3)):
        xs = np.linspace(0, 4, 300)
        axes.plot(xs, density(proposal, {"x": here}, [{"x": x} for x in xs.tolist()]), color=BLUE)
        made = jumps(proposal, {"x": here}, 20_000)["x"]
        axes.hist(made, np.linspace(0, 4, 41), density=True, color=ORANGE, alpha=0.3)
        axes.axvspan(-0.6, 0, color=GREY, alpha=0.3, lw=0)
        axes.axvspan(4, 4.6, color=GREY, alpha=0.3, lw=0)
        axes.scatter(here, 0, clip_on=False, **CROSS)
        axes.set(xlim=(-0.6, 4.6), ylim=(0, 0.78), xlabel="x", yticks=[], title=f"from x = {here}")


def angular(left: Any, right: Any) -> None:
    """A narrow and a wide one, as polar plots."""
    for axes, cov in ((left, 0.25), (right, 2.0)):
        proposal, here = p.Angular("a", cov), {"a": 0.6}
        turn = np.linspace(0, 2 * pi, 361)
        axes.plot(turn, density(proposal, here, [{"a": a} for a in turn.tolist()]), color=BLUE)
        counts, edges = np.histogram(jumps(proposal, here, 20_000)["a"], 48, (0, 2 * pi))
        width = edges[1]
        axes.bar(edges[:-1], counts / 20_000 / width, width, align="edge", color=ORANGE, alpha=0.3)
        axes.scatter(0.6, axes.get_ylim()[1], clip_on=False, **CROSS)
        axes.set(yticks=[], title=f"cov={cov}, from a = 0.6\n")
        axes.set_xticks(np.arange(0, 2 * pi, pi / 2), ["0", "π/2", "π", "3π/2"])


def bars(axes: Any, proposal: BaseProposal, here: int, ks: range) -> None:
    """The mass of jumps to integers, and the shares of some."""
    axes.bar(ks, density(proposal, {"k": here}, [{"k": k} for k in ks]), 0.75, color=BLUE)
    made = jumps(proposal, {"k": here}, 5000)["k"]
    shares = [np.mean(made == k) for k in ks]
    axes.plot(ks, shares, "_", color=ORANGE, ms=11, mew=2)
    axes.scatter(here, 0, clip_on=False, **CROSS)
    axes.set(xlabel="k", yticks=[], xticks=ks)


def discrete(left: Any, right: Any) -> None:
    """Whether a value may succeed itself."""
    for axes, stays in ((left, False), (right, True)):
        bars(axes, p.NormalDiscrete("k", 3.0, {"k": stays}), 0, range(-5, 6))
        axes.set_title(f'successive={{"k": {stays}}}')


def bounded_discrete(left: Any, right: Any) -> None:
    """From the middle and from the lower bound."""
    for axes, here in ((left, 4), (right, 0)):
        bars(axes, p.BoundedDiscrete("k", {"k": (0, 8)}, 4.0), here, range(9))
        axes.set_title(f"from k = {here}, bounds 0 and 8")


def lines(axes: Any, proposal: BaseProposal, here: tuple[float, float], span: float) -> None:
    """The density along each line, as colour, and some jumps."""
    lengths = np.linspace(-2 * span, 2 * span, 600)
    for axis in np.transpose(proposal.eigvects):
        at = np.array(here) + lengths[:, np.newaxis] * axis
        places = [{"x": x, "y": y} for x, y in at.tolist()]
        found = density(proposal, {"x": here[0], "y": here[1]}, places)
        keep = found > 0
        axes.scatter(*at[keep].T, c=found[keep], cmap="Blues", vmin=-0.08, vmax=0.4, s=14)
    made = jumps(proposal, {"x": here[0], "y": here[1]}, 150)
    axes.plot(made["x"], made["y"], ".", color=ORANGE, ms=3.5, alpha=0.8)
    axes.scatter(*here, **CROSS)
    axes.set(xlabel="x", ylabel="y", xlim=(-span, span), ylim=(-span, span))


def eigenvector(left: Any, right: Any) -> None:
    """How often all lines are equally likely."""
    for axes, rate in ((left, 0.33), (right, 0.95)):
        lines(axes, p.Eigenvector(["x", "y"], COV, rate), (0.0, 0.0), 3)
        axes.set_title(f"shuffle_rate={rate}")


def bounded_eigenvector(left: Any, right: Any) -> None:
    """From the middle and from near a corner."""
    bounds = {"x": (-2, 2), "y": (-2, 2)}
    for axes, here in ((left, (0.0, 0.0)), (right, (-1.2, -0.6))):
        lines(axes, p.BoundedEigenvector(["x", "y"], bounds, COV), here, 2.6)
        axes.add_patch(_box())
        axes.set_title(f"from x = {here[0]}, y = {here[1]}")


def _box() -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((-2, -2), 4, 4, fill=False, ec=GREY, lw=2)


def solid_angle(left: Any, right: Any) -> None:
    """Two concentrations, each from three places."""
    azimuth, height = np.linspace(-pi, pi, 121), np.linspace(-pi / 2, pi / 2, 61)
    at = [{"ra": a, "dec": d} for d in height.tolist() for a in azimuth.tolist()]
    for axes, kappa in ((left, 10), (right, 100)):
        proposal = p.IsotropicSolidAngle("ra", "dec", kappa, radec=True)
        for ra, dec in ((-1.8, -0.3), (0.0, 1.2), (1.9, 0.0)):
            here = {"ra": ra, "dec": dec}
            shade = np.ma.masked_less(density(proposal, here, at) / proposal.norm, 0.03)
            axes.contourf(azimuth, height, shade.reshape(61, 121), 10, cmap="Blues", vmin=-0.15)
            made = jumps(proposal, here, 60)
            axes.plot((made["ra"] + pi) % (2 * pi) - pi, made["dec"], ".", color=ORANGE, ms=2.5)
            axes.scatter(ra, dec, **CROSS)
        axes.set(xticklabels=[], yticklabels=[], title=f"kappa={kappa}")
        axes.grid(True, color=GREY, alpha=0.4, lw=0.6)


def nested(left: Any, right: Any) -> None:
    """The number of components, and where one goes that stays or is born."""
    model, part = p.BoundedDiscrete("k", {"k": (0, 4)}, successive={"k": True}), p.Normal("x", 0.25)
    birth = p.UniformBirth(["x"], {"x": (-3, 3)})
    bars(left, model, 2, range(5))
    left.set(title="the number of components, from k = 2")
    xs = np.linspace(-3.6, 3.6, 400)
    stays = density(part, {"x": 1.0}, [{"x": x} for x in xs.tolist()])
    born = np.array([birth.pdf({"x": x}) for x in xs.tolist()])
    right.plot(xs, stays, color=BLUE, label="one that stays, from x = 1")
    right.plot(xs, born, color=ORANGE, label="one that is born")
    right.scatter(1.0, 0, clip_on=False, **CROSS)
    right.set(xlabel="x", yticks=[], ylim=(0, 1.15), title="a component")
    right.legend(frameon=False, loc="upper left")


def joint(left: Any, right: Any) -> None:
    """Two proposals each for a parameter of its own, as one."""
    both = p.JointProposal(p.Normal("x", 0.5), p.BoundedNormal("y", {"y": (0, 2)}, 0.5))
    plane(left, both, {"x": 0.0, "y": 0.3}, (-3, 3, 0, 2))
    left.set_title("Normal and BoundedNormal")
    mixed, here = p.JointProposal(p.Normal("x", 0.5), p.NormalDiscrete("k", 2.0)), {"x": 0, "k": 0}
    xs, ks = np.linspace(-3, 3, 90), range(-4, 5)
    at = [{"x": x, "k": k} for k in ks for x in xs.tolist()]
    shade = density(mixed, here, at).reshape(len(ks), len(xs))
    right.pcolormesh(xs, ks, shade, cmap="Blues", shading="nearest")
    made = jumps(mixed, here, 300)
    right.plot(made["x"], made["k"], ".", color=ORANGE, ms=2.5, alpha=0.7)
    right.scatter(0, 0, **CROSS)
    right.set(xlabel="x", ylabel="k", title="Normal and NormalDiscrete")


def mixture(left: Any, right: Any) -> None:
    """Jumps of which some are small and some are large, and the probabilities that are learned."""
    made = p.Mixture(p.Normal(["x", "y"], 0.02), p.Normal(["x", "y"], 2.0), weights=[1, 1])
    drawn = jumps(made, {"x": 0.0, "y": 0.0}, 400)
    left.plot(drawn["x"], drawn["y"], ".", color=ORANGE, ms=2.5, alpha=0.7)
    left.scatter(0, 0, **CROSS)
    left.set(xlabel="x", ylabel="y", title="Two normals, equally often")
    parts = [p.Normal("x", width**2) for width in (0.1, 1, 2.4, 10)]
    mixed = p.Mixture(*parts, adaptation_duration=10000)
    chain = Chain("x", lambda x: (-0.5 * x * x, 0.0), [mixed], 1)
    chain.start_position = {"x": 0.0}
    chain.run(3000)
    right.bar(["0.1", "1", "2.4", "10"], mixed.weights, color=ORANGE)
    right.set(xlabel="width of a normal jump", ylabel="probability", title="Learned of a normal")


def learned(left: Any, right: Any) -> None:
    """What was learned of a banana, and jumps from one place."""

    def banana(x: float, y: float) -> tuple[float, float]:
        return -0.5 * x * x - 2 * (y - 0.5 * x * x) ** 2, 0.0

    chain = Chain(["x", "y"], banana, [p.Learned(["x", "y"])], 1)
    chain.start_position = {"x": 0.0, "y": 0.0}
    chain.run(6000)
    proposal = chain.proposal_dist.proposals[0]
    knowledge = proposal.learned
    xs, ys = np.linspace(-3.2, 3.2, 90), np.linspace(-1.5, 5, 90)
    at = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    shade = np.exp(knowledge.mixture.at_rows(knowledge.transform.forward_rows(at)[0])[0])
    here = {"x": -1.0, "y": 0.6}
    for axes, drawn, title in (
        (left, chain.positions[-600:], "the mixture, and where the chain was"),
        (right, jumps(proposal, here, 600), "jumps from one place"),
    ):
        axes.contourf(xs, ys, shade.reshape(90, 90), 12, cmap="Blues")
        axes.plot(drawn["x"], drawn["y"], ".", color=ORANGE, ms=2.5, alpha=0.7)
        axes.set(xlim=(-3.2, 3.2), ylim=(-1.5, 5), xlabel="x", ylabel="y", title=title)
    right.scatter(here["x"], here["y"], **CROSS)


Draw = Callable[[Any, Any], None]
PICTURES: dict[str, tuple[Draw, str | None]] = {
    "normal": (normal, None),
    "bounded_normal": (bounded_normal, None),
    "angular": (angular, "polar"),
    "discrete": (discrete, None),
    "bounded_discrete": (bounded_discrete, None),
    "eigenvector": (eigenvector, None),
    "bounded_eigenvector": (bounded_eigenvector, None),
    "isotropic_solid_angle": (solid_angle, "mollweide"),
    "nested_transdimensional": (nested, None),
    "joint": (joint, None),
    "learned": (learned, None),
    "mixture": (mixture, None),
}
"""How each distribution is drawn, and on which projection."""


def picture(name: str, file: Path) -> None:
    """Save the picture of a distribution."""
    draw, projection = PICTURES[name]
    figure = Figure(figsize=(7.2, 2.9), layout="constrained")
    for_axes = None if projection is None else {"projection": projection}
    axes = figure.subplots(1, 2, subplot_kw=for_axes)
    draw(*axes)
    for one in axes:
        one.title.set_fontsize(10)
        if projection is None:
            one.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=130)


# ---- tables


def families() -> dict[str, list[str]]:
    """The names of all registered proposals by the distribution that they share."""
    found: dict[str, list[str]] = {}
    for name, cls in p.proposals.items():
        own = [one.name for one in cls.__mro__ if getattr(one, "name", None) in p.proposals]
        found.setdefault(own[-1] if own[-1] in PICTURES else name, []).append(name)
    # A bounded eigenvector jump is a subclass of the unbounded one.
    for name in [n for names in found.values() for n in names if "bounded_eigenvector" in n]:
        for names in found.values():
            if name in names:
                names.remove(name)
        found.setdefault("bounded_eigenvector", []).append(name)
    unknown = sorted(set(found) - set(PICTURES))
    if unknown:
        raise ValueError(f"docs/gallery.py needs a picture of {', '.join(unknown)}")
    return {name: found[name] for name in PICTURES}


def table(names: list[str], examples: Any) -> str:
    """The rows of some registered proposals."""
    rows = ["| class | name | learns |", "| --- | --- | --- |"]
    for name in names:
        made = examples[name][0].make()
        scheme = "" if made.adaptation is None else f"`{type(made.adaptation).__name__}`"
        link = f"{{py:class}}`~epsie.proposals.{type(made).__name__}`"
        rows.append(f"| {link} | `{name}` | {scheme} |")
    return "\n".join(rows)


def make(folder: Path) -> None:
    """Write what the pages include, unless it is newer than the code."""
    sys.path.insert(0, str(ROOT))
    from tests.examples import EXAMPLES

    makers: dict[Path, Callable[[Path], object]] = {}
    for name, names in families().items():
        makers[folder / f"{name}.png"] = partial(picture, name)
        makers[folder / f"{name}.md"] = lambda f, n=names: f.write_text(table(n, EXAMPLES) + "\n")
    make_anew(makers, [Path(__file__), *(ROOT / "epsie" / "proposals").rglob("*.py")])


if __name__ == "__main__":
    make(Path(__file__).parent / "_generated")
