"""What adaptation did, noted at iterations that depend on nothing else."""

import numpy as np
import pytest

import epsie
from epsie.chain.adaptation_history import noted
from epsie.proposals import ATAdaptiveNormal, Normal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.storage.rundir import segments
from epsie.tempering.annealing import BarrierAnnealer
from tests.examples import EXAMPLES, gaussian
from tests.test_invariance import Drift

NAMES = ("x", "y")


def sampler(cls, *args, proposals=None, **kwargs):
    made = cls(NAMES, gaussian, 2, *args, proposals=proposals, seed=5, **kwargs)
    shape = (2,) if cls is MetropolisHastingsSampler else (made.ntemps, 2)
    made.start_position = dict.fromkeys(NAMES, np.full(shape, 0.5))
    return made


def adaptive(cls=MetropolisHastingsSampler, *args, **kwargs):
    return sampler(cls, *args, proposals=ATAdaptiveNormal(NAMES, 150), **kwargs)


def same(a, b):
    return all(x.shape == y.shape and x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


def test_what_is_noted():
    whole = list(noted(0, 10**6))
    assert whole[:10] == [1, 2, 3, 4, 5, 6, 7, 8, 10, 11]
    assert len(whole) == 75
    for start in range(60):
        assert list(noted(start, start + 9)) == [i for i in whole if start < i <= start + 9]
    assert list(noted(10**9, 10**9 + 3)) == []


def test_the_widths_of_each_iteration():
    """The notes of a run are what a run of single steps has at these iterations."""
    made, stepped = adaptive(), adaptive()
    made.run(100)
    iterations, widths, betas = made.adaptation_history
    assert widths.shape == (len(iterations), 2, 1, 2) and (betas == 1).all()
    for row, iteration in zip(widths, iterations, strict=True):
        stepped.run(iteration - stepped.niterations)
        for chain, values in zip(stepped.chains, row[:, 0], strict=True):
            cov = chain.proposal_dist.proposals[0].cov
            np.testing.assert_allclose(values, np.sqrt(np.diagonal(cov)), rtol=1e-12)
    assert len(np.unique(widths[..., 0])) > len(iterations)


@pytest.mark.parametrize("tempered", [False, True])
def test_they_do_not_depend_on_how_a_run_is_made(tempered, tmp_path, monkeypatch):
    def made():
        if not tempered:
            return adaptive()
        ladder = [1, 0.5, 0.2]
        return adaptive(ParallelTemperedSampler, ladder, adaptive_annealer=BarrierAnnealer(80))

    whole = made()
    whole.run(200)
    assert len(whole.adaptation_history.iterations) == 26
    assert (np.ptp(whole.adaptation_history.betas, axis=0).max() > 0) == tempered
    other = made()
    for n in (1, 6, 50, 0, 60, 83):
        other.run(n)
        other.clear()
    assert same(other.adaptation_history, whole.adaptation_history)
    monkeypatch.setattr(segments, "_MOST_SMALL", 3)
    on_disk = made()
    on_disk.pool = 2
    on_disk.run(120, directory=tmp_path / "run", every=17)
    again = type(on_disk).resume(tmp_path / "run", gaussian)
    again.run(80)
    run = epsie.open_run(tmp_path / "run", burn_in=60)
    assert same(run.adaptation_history, whole.adaptation_history)
    assert again.adaptation_history.iterations.tolist() == [128, 152, 181]
    again.start_position = dict.fromkeys(NAMES, whole.current_positions["x"])
    assert len(again.adaptation_history.iterations) == 0


def test_without_learning_there_is_nothing_to_note():
    made = sampler(MetropolisHastingsSampler)
    made.run(20)
    assert made.adaptation_history.widths.shape == (0, 2, 1, 2)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_proposal_tells_the_width_of_its_jumps(name):
    """Of many jumps from one position, where neither bounds nor a circle are felt."""
    for example in EXAMPLES[name]:
        proposal = example.make()
        for leaf in proposal.leaves():
            stds = np.array(list(leaf.jump_stds()))
            assert stds.shape == (leaf.ndim,) and (stds > 0).all()


@pytest.mark.parametrize("name", ["normal", "adaptive_normal", "ss_adaptive_normal", "eigenvector"])
def test_the_widths_are_those_of_the_jumps(name):
    for example in EXAMPLES[name]:
        proposal = example.make()
        proposal.bit_generator = 7
        x = proposal._position(example.start)
        jumps = np.array([proposal.draw(x) for _ in range(4000)])
        # A relative error of 1/sqrt(2 * 4000) for normal jumps, somewhat more along eigenvectors.
        np.testing.assert_allclose(jumps.std(axis=0), list(proposal.jump_stds()), rtol=0.1)


def test_a_proposal_of_ones_own():
    made = sampler(MetropolisHastingsSampler, proposals=[Drift("x"), ATAdaptiveNormal("y", 50)])
    made.run(10)
    widths = made.adaptation_history.widths
    assert np.isfinite(widths[..., 1]).all()

    class Bare(Normal):
        def __init__(self):
            self.parameters = "x"

        def _jump(self, fromx):
            return {"x": fromx["x"] + 1}

    made = sampler(MetropolisHastingsSampler, proposals=[Bare(), ATAdaptiveNormal("y", 50)])
    made.run(10)
    assert np.isnan(made.adaptation_history.widths[..., 0]).all()
