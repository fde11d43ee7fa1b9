"""Models compared by evidence, and what a prior adds to tables and pictures."""

from math import hypot, log

import numpy as np
import pytest
from scipy import stats

import epsie
from epsie import MetropolisHastingsSampler, ParallelTemperedSampler, Posterior, Prior, plots
from epsie.proposals import ATAdaptiveNormal
from epsie.tempering.evidence import Evidence

LADDER = [1, 0.3, 0.05, 0]


def log_likelihood(x, y):
    return -(x * x + y * y) / 2


def tempered(prior, n=600, **settings):
    sampler = ParallelTemperedSampler(Posterior(log_likelihood, prior), 4, LADDER, seed=2)
    sampler.run(n, **settings)
    return sampler


def test_evidence_is_compared():
    a, b, c = (Evidence(z, e, "mbar", np.array([z])) for z, e in ((-3, 0.3), (-1, 0.4), (-9, 0.1)))
    found = epsie.compare(a, b, small=c)
    assert list(found) == ["run 1", "run 2", "small"] and found.best == "run 2"
    assert found.log_bayes_factor("run 1", "run 2") == (-2, pytest.approx(0.5))
    weights = np.exp([-3, -1, -9])
    assert list(found.probabilities.values()) == pytest.approx(list(weights / weights.sum()))
    assert "-2.00 +- 0.5" in str(found) and "-0.87" in str(found)


def test_a_wider_prior_is_less_probable_by_its_width(tmp_path):
    narrow, wide = (
        tempered(Prior(x=(-4, 4), y=(-4, 4))),
        tempered(Prior(x=(-40, 40), y=(-4, 4)), directory=tmp_path / "run"),
    )
    found = epsie.compare(narrow=narrow, wide=epsie.open_run(tmp_path / "run"))
    assert found["wide"].log_z == wide.log_evidence().log_z
    factor, error = found.log_bayes_factor("narrow", "wide")
    # False alarm: 1e-4 for a right error, as the seed is fixed none.
    assert abs(factor - log(10)) < 4 * error < 1.2
    assert "!" not in str(found)


def test_what_has_no_evidence_is_refused():
    run = Evidence(0.0, 0.1, "mbar", np.zeros(1))
    with pytest.raises(ValueError, match="two runs or more; got 1"):
        epsie.compare(run)
    with pytest.raises(TypeError, match="open_run"):
        epsie.compare(run, "run")
    plain = MetropolisHastingsSampler(Posterior(log_likelihood, Prior(x=(0, 1), y=(0, 1))), 2)
    plain.run(20)
    with pytest.raises(ValueError, match="plain has no evidence: "):
        epsie.compare(run, plain=plain)
    with pytest.raises(TypeError, match="got 3 of type int"):
        epsie.compare(plain, 3)


def test_a_model_without_a_prior_has_a_caveat():
    def model(x, y):
        return log_likelihood(x, y), 0.0 if abs(x) + abs(y) < 9 else -np.inf

    sampler = ParallelTemperedSampler(["x", "y"], model, 2, LADDER, seed=1)
    sampler.start_position = {name: np.zeros((4, 2)) for name in "xy"}
    sampler.run(200)
    assert "normalised" in sampler.log_evidence().caveat
    assert "normalised" in dict(sampler.summary().facts)["log Z"]
    assert "! it is the evidence if" in str(epsie.compare(sampler, sampler))
    assert tempered(Prior(x=(-4, 4), y=(-4, 4)), 200).log_evidence().caveat == ""


def test_the_error_of_a_constraint_is_in_that_of_the_evidence(monkeypatch, tmp_path):
    prior = Prior(x=(-4, 4), y=(-4, 4), where=lambda x, y: x > y + 5)
    assert 0 < prior.normalisation_error < 0.1
    sampler = tempered(prior, 300, directory=tmp_path / "run")
    with_it = sampler.log_evidence().standard_error
    monkeypatch.setattr("epsie.results.tempered.normalised", lambda view, found: found)
    without = sampler.log_evidence().standard_error
    assert with_it == pytest.approx(hypot(without, prior.normalisation_error), rel=1e-6)
    assert with_it > without


def test_evaluations_are_told(tmp_path):
    sampler = tempered(Prior(x=(-4, 4), y=(-4, 4)), 100, directory=tmp_path / "run")
    told = {"evaluations": str(sampler.evaluations)}
    assert told.items() <= dict(sampler.summary().facts).items()
    run = epsie.open_run(tmp_path / "run")
    assert told.items() <= dict(run.summary().facts).items()


def test_labels_of_the_prior_are_everywhere(tmp_path):
    prior = Prior(x=(-4, 4), y=(-4, 4), labels={"x": r"$x_1$", "y": "height / m"})
    learning = {"seed": 1, "proposals": ATAdaptiveNormal(["x", "y"], 200)}
    sampler = MetropolisHastingsSampler(Posterior(log_likelihood, prior), 4, **learning)
    sampler.run(300, directory=tmp_path / "run")
    for source in (sampler, epsie.open_run(tmp_path / "run")):
        summary = source.summary()
        rows = [row[0] for row in summary.table]
        assert rows == ["", "x", "height / m"]
        assert "$x_1$" in summary._repr_html_()
        for draw in (plots.trace, plots.corner, plots.adaptation):
            figure = draw(source)
            texts = [t.get_text() for axes in figure.axes for t in (axes.title, axes.xaxis.label)]
            texts += [axes.get_title("left") for axes in figure.axes]
            for axes in figure.axes:
                legend = axes.get_legend()
                texts += [text.get_text() for text in legend.get_texts()] if legend else []
            assert any("$x_1$" in text for text in texts), draw
        given = plots.corner(source, labels={"y": "other"})
        assert any("other" in axes.get_title() for axes in given.axes)
    other = Prior(x=(-4, 4), y=(-4, 4))
    again = MetropolisHastingsSampler(Posterior(log_likelihood, other), 4, **learning)
    again.run(total=310, directory=tmp_path / "run")


def test_the_prior_is_behind_the_posterior(tmp_path):
    declared = {"x": stats.norm(0, 3), "y": (-9, 9)}
    sampler = MetropolisHastingsSampler(Posterior(log_likelihood, Prior(declared)), 4, seed=1)
    sampler.run(400, directory=tmp_path / "run")
    run = epsie.open_run(tmp_path / "run")
    counts = len(plots.corner(sampler).axes[0].patches)
    for source, prior in ((sampler, True), (run, Prior(declared)), (run, True)):
        assert len(plots.corner(source, prior=prior).axes[0].patches) == counts + 1
    with pytest.raises(TypeError, match="a Prior"):
        plots.corner(run, prior={"x": (0, 1)})


def test_a_picture_of_a_prior():
    prior = Prior(
        x=stats.cauchy(0, 1),
        k=stats.randint(1, 5),
        phase=epsie.Angle(),
        sky=epsie.Direction("ra", "dec"),
        labels={"x": "$x$"},
    )
    plots.prior({"x": (0, 1)})
    figure = plots.prior(prior)
    titles = [axes.get_title() for axes in figure.axes if axes.axison]
    assert titles == ["$x$", "k", "phase", "ra", "dec"]
    low, high = figure.axes[0].get_xlim()
    assert -1000 < low < -10 and 10 < high < 1000


def test_draws_have_no_weights_yet():
    sampler = MetropolisHastingsSampler(Posterior(log_likelihood, Prior(x=(0, 1), y=(0, 1))), 2)
    sampler.run(20)
    with pytest.raises(ValueError, match="no draws with weights"):
        sampler.draws(weighted=True)
    with pytest.raises(ValueError, match="mixture; got 'guess'"):
        sampler.log_evidence("guess")
