"""Diagnostics against formulas, processes of known autocorrelation, and planted defects.

Where a random number decides, bounds are at 4.5 standard errors or more, a false alarm below 1e-5
each; errors of errors are bounded by what many repeats give.
"""

import logging
import subprocess
import sys

import numpy as np
import pytest
from scipy import signal, special, stats

import epsie
from epsie import diagnostics
from epsie.proposals import (
    Angular,
    ATAdaptiveNormal,
    BoundedDiscrete,
    IsotropicSolidAngle,
    NestedTransdimensional,
    Normal,
    NormalBirth,
)
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests.statistical import generator

ALL = ("ess_bulk", "ess_tail", "rhat", "mcse_mean", "mcse_sd")


def ar1(rng, phi, nchains, n):
    """Chains at rest: correlation phi**t, sd 1, integrated length (1 + phi) / (1 - phi)."""
    noise = rng.normal(size=(nchains, n)) * np.sqrt(1 - phi**2)
    noise[:, 0] = rng.normal(size=nchains)
    return signal.lfilter([1], [1, -phi], noise, axis=-1)


# ---- against formulas and another implementation


def test_rhat_is_that_of_the_paper():
    """Computed anew from equations 1 to 4 and 14 of Vehtari et al. 2021."""
    draws = ar1(generator("paper"), 0.8, 4, 101)
    split = np.vstack([draws[:, :50], draws[:, -50:]])

    def plain(values):
        z = stats.norm.ppf((stats.rankdata(values).reshape(values.shape) - 3 / 8) / (400 + 1 / 4))
        between = 50 * np.sum((z.mean(1) - z.mean()) ** 2) / 7
        within = np.mean(np.sum((z - z.mean(1)[:, None]) ** 2, 1) / 49)
        return np.sqrt((49 / 50 * within + between / 50) / within)

    expected = max(plain(split), plain(np.abs(split - np.median(split))))
    assert diagnostics.rhat({"x": draws})["x"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shift", [0, 3])
@pytest.mark.parametrize("n", [8, 101, 1000])
def test_they_are_those_of_arviz(n, shift):
    from arviz_stats.base.array import array_stats

    x = ar1(generator(f"arviz {n} {shift}"), 0.5, 4, n)
    x[3] += shift
    mine = {name: getattr(diagnostics, name)({"x": x})["x"] for name in ALL}
    assert mine["ess_bulk"] == pytest.approx(array_stats.ess(x, method="bulk"), rel=1e-9)
    theirs = array_stats.ess(x, method="tail", prob=(0.05, 0.95))
    assert mine["ess_tail"] == pytest.approx(theirs, rel=1e-9)
    assert mine["rhat"] == pytest.approx(array_stats.rhat(x), rel=1e-9)
    assert mine["mcse_mean"] == pytest.approx(array_stats.mcse(x, method="mean"), rel=1e-9)
    groups = np.array([0, 0, 1, 1])
    nested = diagnostics.nested_rhat({"x": x}, groups)["x"]
    assert nested == pytest.approx(array_stats.rhat_nested(x, superchain_ids=groups), rel=1e-9)


def test_nested_rhat_of_single_draws_is_the_formula():
    """Margossian et al. 2024, equations 4 to 8, for one draw of each of 64 chains."""
    rng = generator("nested")
    groups = np.repeat(np.arange(8), 8)
    for shift in (0.0, 4.0):
        x = rng.normal(size=(64, 1)) + shift * rng.normal(size=8)[groups, None]
        z = special.ndtri((stats.rankdata(x) - 3 / 8) / (64 + 1 / 4)).reshape(8, 8)
        plain = np.sqrt(1 + z.mean(1).var(ddof=1) / z.var(1, ddof=1).mean())
        found = diagnostics.nested_rhat({"x": x}, groups)["x"]
        assert found >= plain - 1e-12
        assert (found < 1.3) == (shift == 0)
    with pytest.raises(ValueError, match="superchains must give"):
        diagnostics.nested_rhat({"x": x}, np.arange(64))
    with pytest.raises(ValueError, match="all of the same number"):
        diagnostics.nested_rhat({"x": x}, [0] * 63 + [1])


# ---- processes of known autocorrelation


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_autocorrelation_length_and_errors_of_an_autoregression(phi):
    nchains, n = 8, 20_000
    draws = {"x": ar1(generator(f"ar1 {phi}"), phi, nchains, n)}
    tau = (1 + phi) / (1 - phi)
    lengths = diagnostics.autocorrelation_length(draws)["x"]
    assert lengths.shape == (nchains,)
    # A window of M = 5 tau has the relative error sqrt(2 (2 M + 1) / n); Geyer's is about that.
    error = np.sqrt(2 * (10 * tau + 1) / n)
    np.testing.assert_allclose(lengths, tau, rtol=5 * error)
    ess = diagnostics.ess_bulk(draws)["x"]
    assert ess == pytest.approx(nchains * n / tau, rel=5 * error / np.sqrt(nchains))
    sd = 1 / np.sqrt(nchains * n / tau)
    assert diagnostics.mcse_mean(draws)["x"] == pytest.approx(sd, rel=0.1)
    # x**2 has the correlations phi**(2 t) and the variance 2; the sd is half as uncertain as it.
    tau2 = (1 + phi**2) / (1 - phi**2)
    expected = np.sqrt(2 * tau2 / (nchains * n)) / 2
    assert diagnostics.mcse_sd(draws)["x"] == pytest.approx(expected, rel=0.1)


def test_units_do_not_matter():
    x = ar1(generator("units"), 0.7, 4, 500)
    for name in ALL:
        plain, strain = (
            getattr(diagnostics, name)({"x": x * unit + 5 * unit})["x"] for unit in (1.0, 1e-22)
        )
        scale = 1e-22 if name.startswith("mcse") else 1.0
        assert strain == pytest.approx(plain * scale, rel=1e-6), name


# ---- what averages would hide


def test_a_chain_stuck_in_a_mode_is_named():
    """Seven chains mix; one is as lively but slow. The mean autocorrelation hardly shows it."""
    rng = generator("stuck")
    x = ar1(rng, 0.3, 8, 4000)
    x[5] = ar1(rng, 0.998, 1, 4000)
    lengths = diagnostics.autocorrelation_length({"x": x})["x"]
    assert np.argmax(lengths) == 5
    assert lengths[5] > 20 * np.median(lengths)
    shifted = ar1(rng, 0.3, 8, 4000)
    assert diagnostics.rhat({"x": shifted})["x"] < 1.01
    shifted[5] += 3
    assert diagnostics.autocorrelation_length({"x": shifted})["x"].max() < 3
    assert diagnostics.rhat({"x": shifted})["x"] > 1.1
    assert diagnostics.ess_bulk({"x": shifted})["x"] < 100
    words = diagnostics.summarise({"x": shifted}).warnings
    assert any("chain 5 is apart from all others in x" in line for line in words)


def test_a_different_spread_is_seen():
    x = ar1(generator("spread"), 0.0, 4, 1000)
    x[0] *= 4
    assert diagnostics.rhat({"x": x})["x"] > 1.05
    words = diagnostics.summarise({"x": x}).warnings
    assert any("chain 0 is apart" in line for line in words)


def test_a_chain_that_ceased_to_move_is_named():
    rng = generator("ceased")
    x = np.repeat(ar1(rng, 0.0, 4, 500), 4, axis=1)
    assert diagnostics.stuck_chains({"x": x}) == {}
    x[2, 1400:] = x[2, 1399]
    assert diagnostics.stuck_chains({"x": x}) == {2: 1396}
    moves_elsewhere = {"x": x, "y": rng.normal(size=x.shape)}
    assert diagnostics.stuck_chains(moves_elsewhere) == {}
    never = {"x": np.ones((2, 60)), "gone": np.full((2, 60), np.nan)}
    assert diagnostics.stuck_chains(never) == {0: 0, 1: 0}
    assert diagnostics.stuck_chains({"x": np.ones((2, 1))}) == {}


def test_burn_in_is_where_a_decay_ends():
    """From 1000 sd away a decay by phi an iteration arrives after log(1000) / -log(phi)."""
    phi, n = 0.95, 4000
    x = ar1(generator("decay"), phi, 4, n)
    at_rest = diagnostics.suggest_burn_in({"x": x, "y": ar1(generator("y"), phi, 4, n)})
    assert at_rest < 10 * (1 + phi) / (1 - phi)
    arrives = np.log(1000) / -np.log(phi)
    x[2] += 1000 * phi ** np.arange(n)
    suggested = diagnostics.suggest_burn_in({"x": x})
    # In the mean of a parameter the others do not count: planted in one chain of one parameter.
    assert arrives * 0.6 < suggested < arrives + 10 * (1 + phi) / (1 - phi)
    drifts = {"x": np.linspace(0, 1, n) + 0.01 * ar1(generator("drift"), 0, 2, n)}
    assert diagnostics.suggest_burn_in(drifts) > n // 2


# ---- parameters that are no real numbers


def test_angles_across_the_cut():
    rng = generator("angles")
    turned = ar1(rng, 0.6, 4, 2000) * 0.3
    draws = {"a": turned % (2 * np.pi)}
    summary = diagnostics.summarise(draws, angular=["a"])
    straight = diagnostics.summarise({"a": turned})
    # Circular mean and sd of a wrapped normal are those of the normal.
    off = (summary.mean["a"] - straight.mean["a"] + np.pi) % (2 * np.pi) - np.pi
    assert abs(off) < 0.01
    assert summary.sd["a"] == pytest.approx(straight.sd["a"], rel=0.01)
    assert summary.mcse_mean["a"] == pytest.approx(straight.mcse_mean["a"], rel=0.1)
    assert summary.mcse_sd["a"] == pytest.approx(straight.mcse_sd["a"], rel=0.1)
    assert summary.ess_bulk["a"] == pytest.approx(straight.ess_bulk["a"], rel=0.2)
    assert summary.rhat["a"] < 1.01
    width = summary.quantiles["a"][0.95] - summary.quantiles["a"][0.05]
    assert width == pytest.approx(2 * 1.645 * 0.3, rel=0.1)
    # As real numbers the same draws have a mean at the far side of the circle.
    wrong = diagnostics.summarise(draws)
    assert wrong.sd["a"] > 2
    degrees = diagnostics.summarise({"a": np.degrees(draws["a"])}, angular={"a": 360.0})
    assert degrees.sd["a"] == pytest.approx(np.degrees(summary.sd["a"]), rel=1e-9)
    assert degrees.mean["a"] == pytest.approx(np.degrees(summary.mean["a"]), rel=1e-9)


def test_the_worse_of_cosine_and_sine():
    """Chains at +1 and -1 rad agree in the cosine; only the sine tells them apart."""
    x = 0.1 * ar1(generator("worse"), 0.0, 4, 500) + np.array([1, 1, -1, -1])[:, None]
    assert diagnostics.rhat({"c": np.cos(x)})["c"] < 1.02
    assert diagnostics.rhat({"a": x}, angular=["a"])["a"] > 1.5
    assert diagnostics.ess_bulk({"a": x}, angular=["a"])["a"] < 20


def test_narrow_angles_keep_their_digits():
    x = 1e-9 * ar1(generator("narrow"), 0.0, 4, 500) + 2.0
    summary = diagnostics.summarise({"a": x}, angular="a")
    assert summary.sd["a"] == pytest.approx(np.std(x), rel=1e-3)
    assert summary.mcse_mean["a"] == pytest.approx(diagnostics.mcse_mean({"a": x})["a"], rel=1e-3)


def test_discrete_parameters_with_rare_values():
    rng = generator("discrete")
    k = (rng.random((4, 5000)) < 0.02).astype(int)
    draws = {"k": k}
    for name in ("ess_bulk", "ess_tail"):
        assert getattr(diagnostics, name)(draws)["k"] == pytest.approx(20_000, rel=0.1), name
    slow = (ar1(rng, 0.99, 4, 5000) > 2.05).astype(int)
    # Both quantiles are 0: an indicator of "at most 0.95 quantile" is made of what exceeds it.
    assert np.quantile(slow, 0.95) == 0
    assert diagnostics.ess_tail({"k": slow})["k"] < 5000
    rare = {"k": 1 - slow}
    assert diagnostics.ess_tail(rare)["k"] == pytest.approx(diagnostics.ess_tail({"k": slow})["k"])


def test_the_error_of_a_conditional_mean():
    """The spread over repeats of the mean over active draws, if activity is autocorrelated."""
    rng = generator("conditional")
    means, errors, worth = [], [], []
    for _ in range(120):
        active = ar1(rng, 0.9, 4, 400) > 0.5
        x = np.where(active, 2.0 + ar1(rng, 0.8, 4, 400), np.nan)
        means.append(np.nanmean(x))
        errors.append(diagnostics.mcse_mean({"x": x})["x"])
        if len(worth) < 30:
            worth.append((diagnostics.ess_bulk({"x": x})["x"], active.sum()))
    # The sd of 120 repeats is known to 6.5 %.
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.33)
    # As if the active draws were all there are, or independent: wrong by much.
    ess, count = np.mean(worth, axis=0)
    assert count / 20 < ess < count / 3


def test_activity_is_a_parameter_of_its_own():
    rng = generator("activity")
    active = ar1(rng, 0.99, 4, 3000) > 0
    active[3] = ar1(rng, 0.99, 1, 3000) > 3
    x = np.where(active, rng.normal(size=(4, 3000)), np.nan)
    rhat = diagnostics.rhat({"x": x, "y": rng.normal(size=(4, 3000))})
    assert list(rhat) == ["x", "active(x)", "y"]
    assert rhat["x"] < 1.02 < 1.05 < rhat["active(x)"]
    assert diagnostics.ess_bulk({"x": x})["active(x)"] < 500
    # The tails of independent draws are worth their number, however activity is correlated.
    tail = diagnostics.ess_tail({"x": x})["x"]
    assert tail == pytest.approx(active.sum(), rel=0.15)
    apart = np.where(active, x + 3 * np.arange(4)[:, None], np.nan)
    assert diagnostics.rhat({"x": apart})["x"] > 1.1


# ---- words instead of exceptions


def test_words_for_what_cannot_be_told():
    rng = generator("words")
    x = rng.normal(size=(4, 600))
    draws = {
        "x": x,
        "fixed": np.full((4, 600), 2.5),
        "gone": np.full((4, 600), np.nan),
        "frozen": np.repeat(np.arange(4.0)[:, None], 600, axis=1),
        "wild": np.where(x > 2, np.inf, x),
    }
    summary = diagnostics.summarise(draws)
    text = "\n".join(summary.warnings)
    assert "fixed never changes: it is always 2.5" in text
    assert "gone was never active" in text
    assert "wild has infinite values" in text
    assert "frozen (inf)" in text
    assert np.isnan(summary.rhat["fixed"]) and np.isnan(summary.ess_bulk["gone"])
    assert summary.rhat["frozen"] == np.inf
    assert summary.ess_bulk["frozen"] == 4
    assert (summary.autocorrelation_length["frozen"] == np.inf).all()
    assert "x (" not in text
    assert "too few draws" in str(diagnostics.summarise({"x": x[:, :7]}))
    assert "too few draws" in str(diagnostics.summarise({"x": x[:, :0]}))
    alone = diagnostics.summarise({"x": np.linspace(0, 1, 600)})
    assert alone.nchains == 1 and alone.rhat["x"] > 1.5
    assert any("one chain" in line for line in alone.warnings)
    assert alone.header.startswith("1 chain x ")


def test_bad_arguments_are_refused():
    x = np.zeros((2, 3, 10))
    with pytest.raises(ValueError, match="choose a temperature"):
        diagnostics.rhat({"x": x})
    with pytest.raises(ValueError, match="of one shape"):
        diagnostics.rhat({"x": x[0], "y": x[0, :2]})
    with pytest.raises(ValueError, match="angular must name parameters"):
        diagnostics.rhat({"x": x[0]}, angular=["z"])
    with pytest.raises(ValueError, match="period of 'x' must be positive"):
        diagnostics.rhat({"x": x[0]}, angular={"x": 0.0})


def test_the_table():
    rng = generator("table")
    summary = diagnostics.summarise(
        {"mass": 1e5 + rng.normal(size=(4, 1000)), "h": 1e-21 * rng.normal(size=(4, 1000))},
        burn_in=500,
        burn_in_is="the end of adaptation",
        acceptance_rate=np.array([0.2, 0.25, 0.3, 0.31]),
        warnings=["<b> & co"],
    )
    lines = str(summary).split("\n")
    assert lines[0] == (
        "4 chains x 1000 draws after iteration 500 (the end of adaptation); acceptance 0.20 to 0.31"
    )
    rows = lines[2:5]
    assert len({len(row) for row in rows}) == 1
    assert rows[0].split() == [
        "mean",
        "sd",
        "mcse",
        "5%",
        "50%",
        "95%",
        "ess_bulk",
        "ess_tail",
        "rhat",
    ]
    assert rows[1].split()[1].startswith(("100000.0", "99999.9"))
    assert lines[-1] == "! <b> & co"
    page = summary._repr_html_()
    assert "&lt;b&gt; &amp; co" in page and "<b>" not in page
    assert page.count("<tr>") == 3


# ---- of samplers and runs


def gauss(x, y):
    return -(x * x + y * y) / 2, 0.0


def made(cls=MetropolisHastingsSampler, duration=200, **kwargs):
    if cls is ParallelTemperedSampler:
        kwargs["betas"] = [1.0, 0.1]
    sampler = cls(
        ["x", "y"], gauss, 4, proposals=[ATAdaptiveNormal(["x", "y"], duration)], seed=1, **kwargs
    )
    shape = (2, 4) if cls is ParallelTemperedSampler else (4,)
    sampler.start_position = {"x": np.full(shape, 1.0), "y": np.full(shape, -1.0)}
    return sampler


@pytest.mark.parametrize("cls", [MetropolisHastingsSampler, ParallelTemperedSampler])
def test_a_sampler_and_its_run_on_disk_say_the_same(cls, tmp_path):
    sampler = made(cls)
    with pytest.raises(ValueError, match="run the sampler"):
        sampler.rhat()
    sampler.run(1200, directory=tmp_path / "run", every=700, keep=True)
    run = epsie.open_run(tmp_path / "run")
    assert sampler.adaptation_end == run.adaptation_end == 200
    for name in (*ALL, "autocorrelation_length", "acceptance_rate", "stuck_chains"):
        mine, theirs = getattr(sampler, name)(), getattr(run, name)()
        np.testing.assert_equal(mine, theirs, err_msg=name)
    assert str(sampler.summary()) == str(run.summary())
    assert "after iteration 200 (the end of adaptation)" in str(run.summary())
    assert sampler.nested_rhat([0, 0, 1, 1]).keys() == {"x", "y"}
    positions = sampler.positions if cls is MetropolisHastingsSampler else sampler.positions[0]
    assert sampler.rhat() == diagnostics.rhat(positions[:, 200:])
    assert sampler.rhat(300) == diagnostics.rhat(positions[:, 300:])
    if cls is ParallelTemperedSampler:
        hot = diagnostics.rhat(sampler.positions[1][:, 200:])
        assert sampler.rhat(temperature=1) == run.rhat(temperature=1) == hot
    with pytest.raises(ValueError, match="temperature must be"):
        sampler.rhat(temperature=2)
    thinned = epsie.open_run(tmp_path / "run", thin=5, burn_in=400)
    assert thinned.summary().ndraws == 160
    assert thinned.summary().burn_in == 400
    lengths = thinned.autocorrelation_length()["x"]
    expected = 5 * diagnostics.autocorrelation_length(positions[:, 404::5])["x"]
    np.testing.assert_allclose(lengths, expected)


def test_the_burn_in_of_a_sampler():
    sampler = made(duration=None)
    sampler.run(2000)
    assert sampler.adaptation_end is None
    summary = sampler.summary()
    assert summary.burn_in == sampler.suggest_burn_in() < 500
    assert summary.burn_in_is == "by when the chains have settled"
    adapting = made(duration=5000)
    adapting.run(300)
    assert adapting.summary().burn_in < 300
    assert any("adapt until iteration 5000" in line for line in adapting.summary().warnings)
    adapting.clear()
    with pytest.raises(ValueError, match="run the sampler"):
        adapting.summary()
    adapting.run(20)
    assert adapting.summary().ndraws <= 20


def test_words_are_logged(caplog):
    sampler = made()
    sampler.run(210)
    with caplog.at_level(logging.WARNING, "epsie"):
        warnings = sampler.summary().warnings
    assert [record.getMessage() for record in caplog.records] == [f"summary: {w}" for w in warnings]
    assert warnings


def test_angles_are_known_from_their_proposals(tmp_path):
    def model(a, ra, dec):
        return 2 * np.cos(a) + np.cos(ra - 6) + np.sin(dec), 0.0

    sampler = MetropolisHastingsSampler(
        ["a", "ra", "dec"],
        model,
        4,
        proposals=[Angular("a"), IsotropicSolidAngle("ra", "dec", radec=True)],
        seed=2,
    )
    start = np.zeros(4)
    sampler.start_position = {"a": start, "ra": start, "dec": start}
    sampler.run(800, directory=tmp_path / "run", keep=True)
    for source in (sampler, epsie.open_run(tmp_path / "run")):
        assert source.rhat(50) == diagnostics.rhat(sampler.positions[:, 50:], ["a", "ra"])
        assert source.summary(50).sd["a"] < 1.2
        # The prior on the polar angle is real, but may be called angular.
        assert source.rhat(50, angular={"dec": 2.0})["dec"] != source.rhat(50)["dec"]


def test_blocks_that_rest():
    sampler = MetropolisHastingsSampler(
        ["x", "y"],
        gauss,
        3,
        proposals=[Normal("x", [9.0]), Normal("y", [400.0], 5, 500)],
        seed=3,
    )
    sampler.start_position = {"x": np.zeros(3), "y": np.zeros(3)}
    sampler.run(600)
    rates = sampler.block_acceptance_rate()
    accepted = sampler.acceptance["accepted"]
    np.testing.assert_array_equal(rates["x"], accepted.mean(-1))
    due = [i for i in range(600) if (i + 1) % 5 == 0 or i >= 500]
    np.testing.assert_array_equal(rates["y"], accepted[:, due].mean(-1))
    # What moved says the same: y moves if and only if its jump was accepted.
    y = np.concatenate([np.zeros((3, 1)), sampler.positions["y"]], axis=1)
    np.testing.assert_array_equal(rates["y"], (np.diff(y) != 0).sum(-1) / len(due))
    assert (rates["y"] < 0.6 * rates["x"]).all()
    np.testing.assert_array_equal(sampler.acceptance_rate(), accepted.mean(-1))


def test_iterations_without_a_jump_do_not_count():
    sampler = MetropolisHastingsSampler(
        "x", lambda x: (-x * x / 2, 0.0), 2, proposals=[Normal("x", [0.01], 3, 300)], seed=4
    )
    sampler.start_position = {"x": np.zeros(2)}
    sampler.run(300)
    assert (sampler.acceptance_rate() > 0.8).all()
    assert (sampler.acceptance["accepted"].mean(-1) < 0.34).all()


def test_transdimensional_chains():
    names = ["k", "a", "b"]
    components = [Normal("a"), Normal("b")]
    births = [NormalBirth("a", {"a": 0.0}, {"a": 1.0}), NormalBirth("b", {"b": 0.0}, {"b": 1.0})]

    def model(k, a, b):
        return 0.0, sum(-x * x / 2 - 0.919 for x in (a, b) if x == x)

    nested = NestedTransdimensional(
        names, BoundedDiscrete("k", {"k": (0, 2)}, successive={"k": True}), components, births
    )
    sampler = MetropolisHastingsSampler(names, model, 4, proposals=[nested], seed=5)
    none = np.full(4, np.nan)
    sampler.start_position = {"k": np.zeros(4, int), "a": none, "b": none}
    sampler.run(4000)
    summary = sampler.summary()
    assert summary.parameters == ("k", "a", "active(a)", "b", "active(b)")
    # k is uniform on 0, 1, 2, so each component is active half of the time; a is standard normal.
    for name in ("a", "b"):
        share = summary.mean[f"active({name})"]
        assert abs(share - 0.5) < 5 * summary.mcse_mean[f"active({name})"]
        assert abs(summary.mean[name]) < 5 * summary.mcse_mean[name]
        assert abs(summary.sd[name] - 1) < 5 * summary.mcse_sd[name]
        assert summary.ess_bulk[name] < 8000


def test_diagnosing_needs_no_xarray():
    code = (
        "import sys, numpy as np\n"
        "sys.modules.update(dict.fromkeys(['xarray', 'arviz', 'matplotlib', 'pandas']))\n"
        "import epsie, epsie.samplers\n"
        "assert 'epsie.diagnostics' not in sys.modules and 'arviz_stats' not in sys.modules\n"
        "from epsie import diagnostics\n"
        "assert 'arviz_stats' not in sys.modules and 'scipy.stats' not in sys.modules\n"
        "print(diagnostics.summarise({'x': np.random.default_rng(1).normal(size=(4, 100))}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "ess_bulk" in done.stdout
