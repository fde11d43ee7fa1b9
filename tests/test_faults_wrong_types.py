"""What is of another type, empty or not heeded: refused at once, in words that name it."""

import h5py
import numpy as np
import pytest

import epsie
from epsie import plots
from epsie.chain import Chain
from epsie.cli.commands import main
from epsie.ensembles import DifferentialEvolution, Snooker, Stretch
from epsie.ensembles.proposal import EnsembleMoves
from epsie.proposals import (
    AdaptiveNormal,
    Boundaries,
    IsotropicSolidAngle,
    Learned,
    Normal,
    SSAdaptiveNormal,
)
from epsie.samplers import EnsembleSampler, MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.tempering import find_swap_scheme, geometric_ladder, make_betas_ladder
from epsie.tempering.annealing import DynamicalAnnealer


def model(x, y):
    return -(x * x + y * y) / 2, 0.0


XY = ["x", "y"]
NO_NUMBERS = ["10", "hot", b"1", [], [1, 2], {}, 1j, object(), np.array(["1"]), len]
NUMBERS = {
    "maxtemp": lambda bad: make_betas_ladder(4, bad),
    "ntemps": lambda bad: make_betas_ladder(bad, 10.0),
    "ndim": lambda bad: geometric_ladder(4, bad),
    "with_prior": lambda bad: geometric_ladder(4, 2, bad),
    "beta": lambda bad: Chain("x", lambda x: (0.0, 0.0), Normal("x"), beta=bad),
    "swap_scheme": lambda bad: find_swap_scheme(bad),
    "tau": lambda bad: DynamicalAnnealer(bad),
    "nu": lambda bad: DynamicalAnnealer(30, bad),
    "the greatest stretch": lambda bad: Stretch(bad),
    "gamma": lambda bad: DifferentialEvolution(bad),
    "sigma": lambda bad: DifferentialEvolution(1.0, bad),
    "low": lambda bad: Snooker(bad),
    "high": lambda bad: Snooker(1.2, bad),
    "period of 'x'": lambda bad: EnsembleMoves(XY, None, {"x": bad}),
    "the period of 'y'": lambda bad: Learned(XY, periods={"y": bad}),
    "kappa": lambda bad: IsotropicSolidAngle("x", "y", kappa=bad),
    "target_rate": lambda bad: SSAdaptiveNormal("x", target_rate=bad),
}


@pytest.mark.parametrize("bad", NO_NUMBERS)
@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_is_named(name, bad):
    with pytest.raises((TypeError, ValueError), match=f"{name}.* must .*got "):
        NUMBERS[name](bad)


def test_texts_are_no_numbers():
    for bad in ("0.5", ["1", "0.5"], np.array(["1", "0.5"])):
        with pytest.raises(ValueError, match="betas must be numbers; got"):
            ParallelTemperedSampler(XY, model, 2, bad)
    with pytest.raises(ValueError, match="cov must be numbers"):
        Normal("x", "2")
    with pytest.raises(TypeError, match="default_proposal_args must be a dict"):
        MetropolisHastingsSampler(XY, model, 2, default_proposal_args=[1, 2])


def test_prior_widths_are_numbers_or_have_an_absolute_value():
    for width in (8, -8.0, np.array(8), Boundaries((-3, 5))):
        assert AdaptiveNormal("x", {"x": width}, 50).prior_widths == {"x": 8.0}
    for bad in ("8", [8], None, np.array(["8"])):
        with pytest.raises(TypeError, match="the prior width of x must be a number; got"):
            AdaptiveNormal("x", {"x": bad}, 50)


def test_walkers_do_not_rest():
    moves = EnsembleMoves(XY)
    with pytest.raises(ValueError, match=r"move at every step: leave out the jump_interval; got 5"):
        moves.set_jump_interval(5, 100)
    moves.set_jump_interval(1)
    sampler = EnsembleSampler(XY, model, 2, 8, seed=1)
    with pytest.raises(ValueError, match="leave out the jump_interval"):
        sampler.chains[0].moves.set_jump_interval(2, 10)
    with pytest.raises(ValueError, match="periods.*z"):
        EnsembleMoves(XY, periods={"z": 6.0})


@pytest.fixture(scope="module")
def runs():
    def of(tempered):
        return epsie.sample(
            lambda x, y: -(x * x + y * y) / 2,
            dict.fromkeys(XY, (-5, 5)),
            nchains=4,
            seed=1,
            until=None,
            max_evaluations=6000,
            tempered=tempered,
        )

    return of(False), of(True)


_TAKE_BURN_IN = (
    "draws summary ess_bulk ess_tail rhat mcse_mean mcse_sd autocorrelation_length "
    "acceptance_rate block_acceptance_rate"
)


@pytest.mark.parametrize("given", ["x", ["x", "y"]])
def test_a_name_is_no_burn_in(runs, given):
    for run in runs:
        calls = [getattr(run, name) for name in _TAKE_BURN_IN.split()]
        calls += [lambda bad, run=run: run.log_evidence(burn_in=bad)]
        calls += [lambda bad, run=run: plots.evidence(run, burn_in=bad)]
        calls += [lambda bad, run=run: plots.corner(run, burn_in=bad)]
        for call in calls:
            with pytest.raises(TypeError, match=r"burn_in must be .*To pick .*draws\(\)\['x'\]"):
                call(given)
    with pytest.raises(TypeError, match="To pick a parameter"):
        runs[1].draws(given, weighted=True)


@pytest.mark.parametrize("name", _TAKE_BURN_IN.split())
def test_a_burn_in_leaves_draws(runs, name):
    for run in runs:
        last = run.niterations
        with pytest.raises(ValueError, match=f"no samples are left.*the chains are at {last}"):
            getattr(run, name)(last)
        getattr(run, name)(last - 50)


def test_a_burn_in_is_no_method(runs):
    for run in runs:
        with pytest.raises(ValueError, match=r"method must be one of .*got 100.*burn_in="):
            run.log_evidence(100)
        with pytest.raises(ValueError, match=r"method must be one of .*got 'x'$"):
            run.log_evidence("x")


def test_an_empty_path_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    posterior = epsie.Posterior(lambda x: -x * x, {"x": (-5, 5)})
    made = MetropolisHastingsSampler(posterior, nchains=2, seed=1)
    made.run(4)
    sample = {"max_evaluations": 500, "until": None, "progress": False}
    for call in (
        lambda bad: epsie.SaveTo(bad),
        lambda bad: made.run(4, directory=bad),
        lambda bad: MetropolisHastingsSampler.resume(bad, posterior),
        lambda bad: epsie.open_run(bad),
        lambda bad: epsie.open_run([bad]),
        lambda bad: epsie.sample(lambda x: -x * x, {"x": (-5, 5)}, directory=bad, **sample),
    ):
        with pytest.raises(ValueError, match="directory is an empty path"):
            call("")
        with pytest.raises(TypeError, match=r"directory must be a path|must be several"):
            call(0)
    assert made.niterations == 4
    for command in (["summary", ""], ["merge", "", "run"]):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 2
    assert not any(tmp_path.iterdir())
    with h5py.File(tmp_path / "state.h5", "w") as file:
        for names in (("",), (None, "")):
            with pytest.raises(ValueError, match="must not be empty"):
                made.checkpoint(file, *names)
            with pytest.raises(ValueError, match="must not be empty"):
                made.set_state_from_checkpoint(file, *names)
        assert not file.keys()
