"""What samplers, chains, runs and proposals say of themselves, at any time."""

import re

import numpy as np
import pytest

import epsie
from epsie.chain import Chain, ParallelTemperedChain
from epsie.proposals import Normal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests.examples import EXAMPLES, gaussian

NAMES = ["x", "y"]


@pytest.mark.parametrize("cls", [MetropolisHastingsSampler, ParallelTemperedSampler])
def test_a_sampler_at_any_time(cls, tmp_path):
    args = ([1, 0.5],) if cls is ParallelTemperedSampler else ()
    made = cls(NAMES, gaussian, 3, *args, seed=1)
    half = cls.__new__(cls)
    for thing in (half, half.__class__.__new__(cls)):
        assert repr(thing) == f"<{cls.__name__}>" and "<table>" in thing._repr_html_()
    assert "3 chains" in repr(made) and "no start position yet" in repr(made)
    assert "no start position yet" in repr(made.chains[0])
    made.start_position = dict.fromkeys(NAMES, np.zeros((2, 3) if args else 3))
    assert "0 iterations" in repr(made) and "acceptance" not in repr(made)
    made.run(20, directory=tmp_path / "run")
    rate = made.acceptance["accepted"].reshape(-1, 3, 20)[0].mean()
    assert f"20 iterations, acceptance {rate:.2f}" in repr(made)
    assert ("2 temperatures" in repr(made)) == bool(args)
    assert "at x=" in repr(made.chains[1]) and "iteration 20" in repr(made.chains[1])
    made.clear()
    for thing in (made, made.chains[0]):
        assert "\n" not in repr(thing) and "<td" in thing._repr_html_()
    run = epsie.open_run(tmp_path / "run")
    assert "niterations=20" in repr(run) and "at rest" in run._repr_html_()
    for path in (tmp_path / "run").iterdir():
        path.unlink()
    assert "niterations=20" in run._repr_html_()


def test_chains():
    assert repr(Chain("x", gaussian, Normal("x"), chain_id=4, beta=0.5)).startswith(
        "<Chain: chain 4, beta 0.5, no start"
    )
    assert "2 temperatures" in repr(ParallelTemperedChain("x", gaussian, Normal("x"), [1, 0]))
    assert repr(Chain.__new__(Chain)) == "<Chain>"


def test_many_parameters_are_cut():
    names = [f"p{i}" for i in range(40)]
    made = MetropolisHastingsSampler(names, gaussian, 1)
    assert "p0, p1, p2, p3, p4, p5, ... (40)" in repr(made) and len(repr(made)) < 150


@pytest.mark.parametrize("name", EXAMPLES)
def test_proposals(name):
    for example in EXAMPLES[name]:
        proposal = example.make()
        assert repr(proposal).startswith(f"{type(proposal).__name__}(")
        assert re.search(r"<caption>\w+</caption>", proposal._repr_html_())


def test_large_and_half_made_proposals():
    assert "<array of shape (20, 20)>" in repr(Normal([f"p{i}" for i in range(20)], np.eye(20)))
    assert "&lt;array" in Normal([f"p{i}" for i in range(20)], np.eye(20))._repr_html_()

    class Odd(Normal):
        config = property(lambda self: 1 / 0)

    assert repr(Odd("x")) == "Odd(x)" and "Odd" in Odd("x")._repr_html_()
    hostile = Normal("<b>")
    assert "<b>" not in hostile._repr_html_()
