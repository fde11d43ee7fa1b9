"""What a summary advises knows what it advises: to run longer, where that helps."""

import logging
import re

import numpy as np
import pytest

import epsie
from epsie import proposals as p
from epsie.cli import main
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler


def normal(**values):
    return -0.5 * sum(v * v for v in values.values()), 0.0


LEARN = 20


def made(*proposals, nchains=3, names=("x", "y"), model=normal, **settings):
    kind = ParallelTemperedSampler if "betas" in settings else MetropolisHastingsSampler
    sampler = kind(names, model, nchains, proposals=list(proposals), seed=5, **settings)
    shape = (len(settings["betas"]), nchains) if "betas" in settings else nchains
    values = np.random.default_rng(1).normal(size=(len(names), *np.atleast_1d(shape)))
    sampler.start_position = dict(zip(names, values, strict=True))
    return sampler


def said(thing, **settings):
    return [text for text in thing.summary(**settings).warnings if "accept" in text]


def advises_to_run_longer(thing):
    return any(text.endswith("Run longer") for text in thing.summary().warnings)


def short(cov, names=("x", "y")):
    """Learning that ends long before it arrives."""
    return p.ATAdaptiveNormal(list(names), LEARN, cov=cov)


@pytest.mark.parametrize(
    ("cov", "rates"), [(1e10, "0.00"), (30.0, "0.0[2-6]"), (1e-14, "(0.9[0-9]|1.00)")]
)
def test_learning_that_ended_before_it_arrived(cov, rates):
    sampler = made(short(cov))
    sampler.run(1500)
    (text,) = said(sampler)
    assert text.startswith("chains 0, 1, 2 accept ")
    pattern = rf"accept {rates}( to {rates})? \(aim 0.234\): learning ended before it arrived"
    assert re.search(pattern, text), text
    assert "longer adaptation_duration" in text and not advises_to_run_longer(sampler)


def test_the_same_in_memory_on_disk_on_the_command_line_and_in_the_log(tmp_path, capsys, caplog):
    sampler = made(short(1e10))
    with caplog.at_level(logging.WARNING, "epsie"):
        sampler.run(1000, directory=tmp_path / "run")
        (text,) = said(sampler)
        assert said(epsie.open_run(tmp_path / "run")) == [text]
    assert f"summary: {text}" in caplog.messages
    with pytest.raises(SystemExit):
        main(["summary", str(tmp_path / "run")])
    out = capsys.readouterr().out
    assert text in out and "Run longer" not in out


def test_one_chain_of_many():
    """Three start where they can learn; what the other learned is far too wide for where it is."""
    sampler = made(p.ATAdaptiveNormal(["x", "y"], 2000), nchains=4)
    sampler.run(2000)
    part = sampler.chains[2].proposal_dist.proposals[0]
    part.factor = 4.0 * part.factor
    sampler.clear()
    sampler.run(1000)
    (text,) = said(sampler)
    assert text.startswith("chain 2 accepts 0.0") and "(aim 0.234): learning ended" in text


def test_it_is_that_after_the_end_of_learning():
    """What was accepted before does not count, though the draws do."""
    sampler = made(p.ATAdaptiveNormal(["x", "y"], 300))
    sampler.run(300)
    for chain in sampler.chains:
        part = chain.proposal_dist.proposals[0]
        part.factor = 1e6 * part.factor
    sampler.run(300)
    (text,) = said(sampler, burn_in=0)
    assert "accept 0.00 (aim 0.234): learning ended" in text


def test_learning_that_goes_on():
    until = made(p.ATAdaptiveNormal(["x", "y"], 10**6, cov=1e6, start_step=5000))
    until.run(1000)
    (text,) = said(until)
    assert "learning goes on until iteration 1004999. Run on to well beyond that" in text
    ever = made(p.ATAdaptiveNormal(["x", "y"], None, cov=1e6, start_step=5000))
    ever.run(1000)
    assert "goes on ever more slowly, has not arrived. Run longer, or start anew" in said(ever)[0]


@pytest.mark.parametrize(
    ("make", "aim"),
    [
        (lambda: p.AdaptiveEigenvector(["x", "y"], LEARN, 1e8 * np.eye(2)), "0.44"),
        (lambda: p.AdaptiveNormal(["x", "y"], {"x": 1e6, "y": 1e6}, LEARN), "0.234"),
        (lambda: p.ATAdaptiveNormal(["x", "y"], 2, componentwise=True, cov=1e8), "0.234"),
        (
            lambda: p.ATAdaptiveBoundedNormal(
                ["x", "y"], dict.fromkeys("xy", (-1e9, 1e9)), 2, cov=1e8, target_rate=0.3
            ),
            "0.3",
        ),
    ],
)
def test_every_aim(make, aim):
    sampler = made(make())
    sampler.run(800)
    (text,) = said(sampler)
    assert f"accept 0.00 (aim {aim}): learning ended" in text


@pytest.mark.parametrize(("std", "size"), [(1e5, "large"), (1e-3, "small")])
def test_jumps_that_do_not_learn(std, size):
    sampler = made(p.Normal(["x", "y"], [std**2, 1.0]) if std > 1 else p.Normal(["x", "y"], std**2))
    sampler.run(1000)
    (text,) = said(sampler)
    assert f": jumps are far too {size} (" in text and "ATAdaptiveNormal" in text
    assert f"jumps by {std:.2g}, its draws are spread by" in text
    assert "(aim" not in text and not advises_to_run_longer(sampler)


def test_a_block_that_does_not_learn_beside_one_that_does():
    sampler = made(p.ATAdaptiveNormal(["x", "z"], LEARN), p.Normal("y", 1e8), names=("x", "y", "z"))
    sampler.run(2000)
    (text,) = said(sampler)
    assert "(aim 0.234): learning ended" in text
    assert "The jumps of y do not learn, and may be too large (y jumps by 1e+04" in text


def test_tempered():
    sampler = made(short(1e10), betas=[1.0, 0.1, 0.0])
    sampler.run(1000)
    assert "accept 0.00 (aim 0.234): learning ended" in said(sampler)[0]
    assert "accept 0.0" in said(sampler, temperature=1)[0]
    assert said(sampler, temperature=2) == []


def test_where_nothing_is_wrong_it_is_silent():
    """Flat posteriors accept all, rightly; good ones need but more draws."""
    flat = made(
        p.ATAdaptiveBoundedNormal(["x", "y"], dict.fromkeys("xy", (-9, 9)), 500),
        model=lambda **_: (0.0, 0.0),
    )
    flat.run(4000)
    assert flat.acceptance_rate(500).min() > 0.8 and flat.summary().warnings == ()
    good = made(p.ATAdaptiveNormal(["x", "y"], 500))
    good.run(700)
    assert said(good) == [] and advises_to_run_longer(good)
    few = made(p.Normal(["x", "y"], 1e8))
    few.run(50)
    assert said(few) == [], "fifty jumps tell nothing"


def test_hundreds_of_chains_in_a_line():
    sampler = made(short(1e10), nchains=200)
    sampler.run(150)
    (text,) = said(sampler)
    assert text.startswith("chains 0, 1, 2, 3, 4 and 19") and len(text) < 300


def test_components_that_come_and_go_are_left_out():
    nested = p.NestedTransdimensional(
        ["k", "x"],
        p.BoundedDiscrete("k", {"k": (0, 1)}, successive={"k": True}),
        [p.ATAdaptiveNormal("x", 9, cov=1e10)],
        [p.NormalBirth(["x"], {"x": 0}, {"x": 1e5})],
    )
    sampler = MetropolisHastingsSampler(
        ["k", "x"],
        lambda k, x: (0.0 if k == 0 else -0.5 * x * x, 0.0),
        2,
        [nested],
        seed=1,
    )
    sampler.start_position = {"k": [0, 1], "x": [np.nan, 0.1]}
    sampler.run(500)
    assert said(sampler) == []
