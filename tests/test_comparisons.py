"""The comparisons with other samplers: their targets, a small row, and tables of what is kept."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.statistical import generator

sys.path.append(str(Path(__file__).parent.parent / "benchmarks"))

import efficiency
import known_targets
import measured
import overview
import side_by_side
import tempered

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "measured.md"
COMPARISONS = {"efficiency": efficiency.COMPARISON, "tempered": tempered.COMPARISON}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A comparison on one target, with few evaluations and no rows yet."""
    monkeypatch.setattr(measured, "CACHE", tmp_path / "kept" / "rows.jsonl")
    ours = {tempered.PLAIN: tempered.COMPARISON.ours[tempered.PLAIN]}
    return dataclasses.replace(tempered.COMPARISON, budgets={"two4": 4000}, ours=ours)


@pytest.mark.parametrize("name", known_targets.TARGETS)
def test_priors_are_the_same_by_density_and_from_the_cube(name):
    target = side_by_side.target_of(name)
    u = generator(name).uniform(size=len(target.names))
    x = target.from_cube(u)
    by_parameter = list(zip(target.prior, x, strict=True))
    np.testing.assert_allclose([dist.cdf(v) for dist, v in by_parameter], u, rtol=1e-9)
    density = sum(float(dist.logpdf(v)) for dist, v in by_parameter)
    assert target.log_prior(x) == pytest.approx(density)


def weighted(target, rng, n=2000):
    """Draws about the moments, and the posterior over their density and over the evidence."""
    proposal = stats.t(5, target.mean, 1.2 * target.sd)
    x = proposal.rvs((n, len(target.names)), rng)
    log_p = np.array([target.log_prior(row) + target.logl(row) for row in x])
    return x, np.exp(log_p - proposal.logpdf(x).sum(axis=1) - target.log_z)


@pytest.mark.parametrize("name", ["line", "schools"])
def test_integrals_over_grids_are_those_of_draws(name):
    """Each within four of its errors: 6e-5 for each of 4 or 11 if they are normal.

    An evidence that is half too large is seen, and so are means that are off by half an sd.
    """
    target = side_by_side.target_of(name)
    x, weights = weighted(target, generator(name))
    each = np.column_stack([weights, weights[:, np.newaxis] * (x - target.mean) / target.sd])
    error = each.std(axis=0) / len(x) ** 0.5
    off = each.mean(axis=0) - np.eye(len(error))[0]
    assert (abs(off) < 4 * error).all()
    assert (error < 0.12).all()


def test_a_row_of_ours_is_kept_and_not_made_again(small):
    small.run(["two4"], (), seeds=1)
    ((key, row),) = measured.read().items()
    assert key == (tempered.PLAIN, "two4", 4000, 0)
    assert 3000 < row.evaluations <= 4000 and row.counted < row.evaluations
    assert row.ess > 10 and abs(row.share) < 0.3 and abs(row.log_z) < 0.5
    small.run(["two4"], (), seeds=1)
    assert len(measured.CACHE.read_text().splitlines()) == 1
    ours, lacking, _ = list(small.table(["two4"], 1))[2:]
    assert ours.startswith("| two4, 4,000 | epsie.sample | 1 | 3,")
    assert "| not run: pocoMC; nautilus" in lacking


def test_a_target_that_changed_is_seen():
    target = side_by_side.target_of("corr10")
    wider = {range(1): stats.norm(0, 3)}
    changes = {"logl": lambda x: 2 * target.logl(x), "log_z": 1.0, "given": wider}
    for name, value in changes.items():
        changed = dataclasses.replace(target, **{name: value})
        assert changed.definition() != target.definition(), name


def test_rows_of_another_definition_are_not_told(small):
    now = side_by_side.target_of("two4").definition()
    known = {"evaluations": 1000, "counted": 1000, "ess": 50.0, "errors": [0.1], "sds": [1.0]}
    known |= {"share": 0.1, "log_z": 0.2}
    head = ("two4", now, 0, 0)
    measured.keep([measured.Row("nautilus", "1", *head, **known)])
    measured.keep([measured.Row("dynesty", "3", "two4", "another", 0, 0, **known)])
    measured.keep([measured.Row("pocoMC", "1", *head, failed="not done in 5 minutes")])
    table = "\n".join(small.table(["two4"], 1))
    assert "not run: epsie.sample; dynesty; " in table
    assert "not done in 5 minutes: pocoMC |" in table
    assert "| nautilus | 1 | 1,000 | 50" in table and "nautilus 1 (" in table


@pytest.mark.parametrize("name", COMPARISONS)
def test_the_page_shows_what_is_kept(name, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [name, "--cached"])
    COMPARISONS[name].main("")
    table = capsys.readouterr().out.partition("\n\nMissed")[0]
    assert table.count("\n") > len(COMPARISONS[name].budgets)
    assert table in PAGE.read_text()


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_the_first_pages_show_what_is_kept(page):
    table = "\n".join(overview.table())
    assert table.count("\n") == len(overview.SAMPLERS) + 1
    assert table in (ROOT / page).read_text()
