"""The picture of the evidence of plain chains: its curves cross at log Z."""

from math import log, pi

import numpy as np
import pytest

import epsie
from epsie.cli import commands
from epsie.proposals import Normal
from epsie.samplers import MetropolisHastingsSampler

pytest.importorskip("matplotlib")

from epsie import plots
from tests.test_plots import overlaps

PRIOR = {"x": (-10, 10), "y": (-10, 10)}
LOG_Z = log(2 * pi * 0.5) - log(400)


def log_likelihood(x, y):
    return -0.5 * (x * x + 4 * y * y - 2)


def sampled(seed=1, **settings):
    return epsie.sample(log_likelihood, PRIOR, until={"ess": 500}, seed=seed, **settings)


def curves(figure):
    """The bins, and the densities among draws and among independent draws."""
    stairs = [p.get_data() for p in figure.axes[0].patches if not p.get_fill()]
    (draws, bins, _), (fresh, *_) = stairs
    return bins, draws, fresh


def test_the_curves_cross_at_log_z(tmp_path, capsys):
    run = sampled(directory=tmp_path / "run")
    figure, found = plots.evidence(run), run.log_evidence()
    assert f"log Z = \N{MINUS SIGN}{-found.log_z:.1f}"[:10] in figure.get_suptitle()
    assert "by bridges to what was learned" in figure.get_suptitle()
    assert overlaps(figure) == []
    bins, draws, fresh = curves(figure)
    middle, width = (bins[1:] + bins[:-1]) / 2, bins[1] - bins[0]
    well = (draws * width > 0.02) & (fresh * width > 0.02)
    assert well.sum() >= 2
    ratios = np.log(draws[well] / fresh[well]) - (middle[well] - found.log_z)
    assert abs(ratios).max() < 0.5
    (line,) = (x for x in figure.axes[0].lines if x.get_label() == "log Z")
    assert line.get_xdata()[0] == found.log_z
    # What each stretch says is about what all say.
    points = figure.axes[1].containers[0].lines[0]
    assert len(points.get_xdata()) >= 2
    assert abs(points.get_ydata() - LOG_Z - 1).max() < 0.5
    # From disk it is the same; the command line draws it where there is something to draw.
    again = plots.evidence(epsie.open_run(tmp_path / "run"))
    assert again.get_suptitle() == figure.get_suptitle()
    np.testing.assert_array_equal(curves(again)[1], draws)
    with pytest.raises(SystemExit) as ended:
        commands.main(["plot", str(tmp_path / "run"), "-o", str(tmp_path / "pictures")])
    assert ended.value.code == 0
    names = {file.stem for file in (tmp_path / "pictures").iterdir()}
    assert names == {"trace", "corner", "adaptation", "learned", "evidence"}


def test_independent_runs_are_drawn_together(tmp_path):
    each = [tmp_path / "a", tmp_path / "b"]
    for seed, directory in enumerate(each):
        sampled(seed, directory=directory)
    both = epsie.open_run(each)
    figure = plots.evidence(both)
    value = both.log_evidence().log_z
    assert figure.axes[1].lines[0].get_ydata()[0] == value
    apart = [len(plots.evidence(epsie.open_run(run)).axes[1].containers[0][0].get_xdata())
             for run in each]  # fmt: skip
    assert len(figure.axes[1].containers[0][0].get_xdata()) == sum(apart)


def test_chains_that_learn_nothing_together(tmp_path):
    names = ["x", "y"]
    made = MetropolisHastingsSampler(names, lambda x, y: (-x * x, 0.0), 2, Normal(names), seed=1)
    made.start_position = {"x": [0.0, 1.0], "y": [0.0, 1.0]}
    made.run(100, directory=tmp_path / "run")
    with pytest.raises(ValueError, match="comes from what they learn together"):
        plots.evidence(made)
    with pytest.raises(SystemExit) as ended:
        commands.main(["plot", str(tmp_path / "run"), "-o", str(tmp_path / "pictures")])
    assert ended.value.code == 0
    assert {f.stem for f in (tmp_path / "pictures").iterdir()} == {"trace", "corner", "adaptation"}
