"""Samplers that begin with an annealed start: what they find, and that nothing of it is lost."""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import epsie
from epsie.cli.verify import problems
from epsie.copying import same
from epsie.errors import EpsieError, MalformedStateError, NoLikelihoodError
from epsie.proposals import ATAdaptiveNormal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.storage.statetree import decode, encode
from tests.statistical import seed

ROOT = Path(__file__).parent.parent
PRIOR = dict.fromkeys("abcd", (-20, 20))
LOG_Z = -4 * math.log(40)
"""Of two normalised peaks, well inside of the prior."""


def two_peaks(a, b, c, d):
    """Ten standard deviations apart, with 0.3 and 0.7 of the mass."""
    x = np.array([a, b, c, d])
    below = math.log(0.3) - 0.5 * float(np.square(x + 2.5).sum())
    above = math.log(0.7) - 0.5 * float(np.square(x - 2.5).sum())
    return float(np.logaddexp(below, above)) - 2 * math.log(2 * math.pi)


POSTERIOR = epsie.Posterior(two_peaks, PRIOR)


def sampler(nchains=8, pool=None, posterior=POSTERIOR, **settings):
    settings = {"seed": seed(), "pool": pool, "start": "annealed", **settings}
    return MetropolisHastingsSampler(posterior, nchains=nchains, **settings)


def test_both_modes_and_the_evidence():
    made = sampler(16)
    made.run(1500)
    assert made.annealed.done
    assert 1000 < made.annealed.evaluations < 8000
    assert made.annealed.betas[0] == 0 and made.annealed.betas[-1] == 1
    calls = made.annealed.evaluations + sum(chain.evaluations for chain in made.chains)
    assert made.evaluations == calls
    share = (made.positions["a"][:, 500:] < 0).mean()
    # At least 3,000 effective draws: a false alarm is less than 1e-6 probable.
    assert share == pytest.approx(0.3, abs=0.04)
    found = made.log_evidence()
    assert found.method == "mixture"
    assert found.per_chain.shape == (16,)
    assert found.standard_error < 0.02
    assert abs(found.log_z - LOG_Z) < 5 * found.standard_error
    text = str(made.summary())
    assert "annealed" in text and "log Z" in text


@pytest.mark.parametrize("burn_in", [-1, 1.5, "a", True])
def test_a_burn_in_of_the_evidence_that_is_none(burn_in):
    made = sampler(4)
    made.run(150)
    with pytest.raises((TypeError, ValueError), match="burn_in must be"):
        made.log_evidence(burn_in=burn_in)


def test_several_runs_have_one_normalisation_of_the_prior(tmp_path):
    """Its error is that of the same draws, and does not average out."""
    prior = epsie.Prior(x=(0, 1), y=(0, 1), where=lambda x, y: x + y < 0.05)
    for number in range(4):
        epsie.sample(
            lambda x, y: 0.0,
            prior,
            nchains=4,
            seed=number,
            until=None,
            max_evaluations=1500,
            directory=tmp_path / str(number),
        )
    joined = epsie.open_run([tmp_path / str(number) for number in range(4)])
    assert joined.log_evidence().standard_error > prior.normalisation_error


@pytest.mark.slow
def test_the_error_of_the_evidence_is_honest():
    """The rms pull of 8 runs is within chi-square's 1e-5 limits for 8."""
    pulls = []
    for number in range(8):
        made = sampler(8, seed=number)
        made.run(1500)
        found = made.log_evidence()
        pulls.append((found.log_z - LOG_Z) / found.standard_error)
    assert 0.178 < np.sqrt(np.mean(np.square(pulls))) < 2.161


def ripples(**position):
    """Hundreds of modes."""
    x = np.array([*position.values()])
    return float((10 * np.cos(2 * math.pi * x) - x * x).sum())


@pytest.mark.slow
@pytest.mark.in_part(2)
@pytest.mark.parametrize("tempered", [None, True])
def test_more_modes_than_can_be_learned_are_warned_of(tempered):
    """In two of three runs: three starts of 48 were left with so few that all could be learned.

    False alarm: 0.005.
    """
    box = {f"x{i}": (-5.12, 5.12) for i in range(5)}
    budget = {"until": None, "max_evaluations": 30_000}
    told = 0
    for number in range(3):
        made = epsie.sample(ripples, box, tempered=tempered, seed=number, **budget)
        words = str(made.summary())
        warned = "it may be wrong, and modes be missing" in words
        told += warned
        assert ("sample with tempering, or more" in words) == (warned and tempered is None)
    assert told >= 2


def test_pools_splits_and_resumes_in_any_phase(tmp_path):
    whole = sampler()
    whole.run(200)
    made = sampler(pool=2)
    made.run(200)
    assert same(made.state, whole.state)
    most = whole.annealed.evaluations
    for number, budget in enumerate((most // 2, most + 8 * 30)):
        directory = tmp_path / str(number)
        first = sampler()
        first.run(10_000, directory=directory, max_evaluations=budget)
        assert first.stopped_by == "max_evaluations"
        assert first.evaluations <= max(budget, 256)
        again = MetropolisHastingsSampler.resume(directory, POSTERIOR, pool=2 if number else None)
        assert again.evaluations == first.evaluations
        again.run(total=200)
        assert same(again.state, whole.state)
        opened = epsie.open_run(directory)
        assert repr(opened.log_evidence()) == repr(whole.log_evidence())
        assert np.array_equal(opened.positions["a"], whole.positions["a"])


SCRIPT = """
import sys, time
from tests.test_annealed_sampler import sampler, two_peaks, PRIOR
import epsie
def slow(a, b, c, d):
    time.sleep(2e-4)
    return two_peaks(a, b, c, d)
made = sampler(posterior=epsie.Posterior(slow, PRIOR), seed=7)
made.run(total=150, directory=sys.argv[1], every="1s")
"""


def test_a_killed_start_goes_on(tmp_path):
    """SIGKILL while particles move, and SIGTERM."""
    whole = sampler(seed=7)
    whole.run(150)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-c", SCRIPT, str(tmp_path / "run")]
    for sign in (signal.SIGKILL, signal.SIGTERM):
        process = subprocess.Popen(run, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while not (tmp_path / "run" / "manifest.epsie").exists() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.4)
        process.send_signal(sign)
        process.wait(60)
    again = MetropolisHastingsSampler.resume(tmp_path / "run", POSTERIOR)
    again.run(total=150)
    assert same(again.state, whole.state)


def test_its_recipe_makes_it_again():
    made = sampler()
    made.run(40)
    known = {"log_likelihood": two_peaks, "prior": PRIOR}
    exec(made.recipe(), known)
    assert same(known["sampler"].state, made.state)


def test_a_failure_keeps_what_was_told(tmp_path):
    failing = [True]

    def fragile(a, b, c, d):
        if failing and abs(a) < 1:
            raise RuntimeError("no")
        return two_peaks(a, b, c, d)

    made = sampler(posterior=epsie.Posterior(fragile, PRIOR), pool=None)
    with pytest.raises(epsie.ModelError, match="no"):
        made.run(100, directory=tmp_path / "run")
    failing.clear()
    made.run(100, directory=tmp_path / "run")
    whole = sampler()
    whole.run(100)
    assert same(made.state, whole.state)


class FailsNear:
    """A likelihood that does something wrong near a = 1, of one point or many."""

    def __init__(self, what):
        self.what = what

    def __call__(self, a, b, c, d):
        logl = -(a * a + b * b + c * c + d * d) / 2
        near = abs(a - 1) < 0.5
        if not np.any(near):
            return logl
        if self.what == "raises":
            raise ZeroDivisionError("a bug")
        if self.what == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return {"nan": np.where(near, np.nan, logl)[()], "none": None}[self.what]


@pytest.mark.parametrize("vectorize", [False, 32])
@pytest.mark.parametrize("pool", [None, 2])
@pytest.mark.parametrize("what", ["raises", "nan", "none"])
def test_a_failure_is_of_a_point_and_of_no_chain(what, pool, vectorize):
    posterior = epsie.Posterior(FailsNear(what), PRIOR, vectorize=vectorize)
    with pytest.raises(epsie.ModelError, match="annealed start: level 0, beta 0") as caught:
        sampler(posterior=posterior, pool=pool).run(10)
    # Where many points are asked about at once it is not known which is to blame.
    named = {"annealed start"} if vectorize and what != "nan" else {"annealed start", "position"}
    assert caught.value.where.keys() == named
    assert (what == "raises") == ("a bug" in str(caught.value))


def test_lost_workers_are_of_points_and_of_no_chain():
    made = sampler(posterior=epsie.Posterior(FailsNear("dies"), PRIOR), pool=2)
    with pytest.raises(epsie.PoolError, match="worked on .* points of the start, the last with"):
        made.run(10)


def test_tempered_chains_begin_at_their_own_levels():
    ladder = [1.0, 0.2, 0.02, 0.0]
    made = ParallelTemperedSampler(POSTERIOR, 4, ladder, seed=seed(), start="annealed")
    made.run(50)
    assert made.annealed.done
    spread = np.abs(np.array(made.start_position["a"])).mean(axis=1)
    assert spread[0] < spread[-1]


def test_other_proposals_begin_there_too():
    made = sampler(proposals=[ATAdaptiveNormal(list("abcd"), None)])
    made.run(100)
    assert np.abs(made.start_position["a"]).max() < 8
    with pytest.raises(ValueError, match="learn together"):
        made.log_evidence()


def test_a_start_that_is_given_is_taken():
    made = sampler(2)
    made.start_position = {name: [0.0, 1.0] for name in "abcd"}
    made.run(10)
    assert made.annealed is None


def test_what_a_person_sets_ends_a_start_on_its_way():
    made = sampler(2)
    made.run(10, max_evaluations=300)
    with pytest.raises(ValueError, match="is not done"):
        made.model = POSTERIOR
    starts = {name: [0.25, 1.25] for name in "abcd"}
    made.start_position = starts
    assert made.annealed is None
    made.run(1)
    assert made.start_position["a"].tolist() == starts["a"]
    assert made.evaluations == 4


def test_a_budget_counts_before_any_draw_has_a_likelihood():
    asked = []

    def nowhere(x):
        asked.append(x)
        return -np.inf

    made = MetropolisHastingsSampler(epsie.Posterior(nowhere, {"x": (0, 1)}), 2, start="annealed")
    with pytest.raises(ValueError, match="of 256 draws .* max_evaluations=1000. Give more"):
        made.run(10, max_evaluations=1000)
    assert len(asked) == 256
    assert made.annealed is None
    with pytest.raises(NoLikelihoodError):
        made.run(10)


def test_a_budget_that_ends_during_the_start_says_so(caplog):
    made = sampler()
    with caplog.at_level("INFO", logger="epsie"):
        made.run(100, max_evaluations=1000)
    assert made.niterations == 0
    assert made.stopped_by == "max_evaluations"
    assert "the annealed start is at beta = 0." in caplog.text
    assert repr(made.annealed).startswith("<StartProgress: at beta = 0.")
    with pytest.raises(ValueError, match="its annealed start is not done"):
        made.summary()
    made.run(100)
    whole = sampler()
    whole.run(100)
    assert same(made.state, whole.state)


@pytest.mark.parametrize("pool", [None, 2])
def test_a_budget_counts_the_starts_of_the_chains(pool, tmp_path):
    whole = sampler()
    whole.run(100)
    start = whole.annealed.evaluations
    made = sampler()
    made.run(100, max_evaluations=start + 7, directory=tmp_path / "run")
    assert (made.evaluations, made.niterations) == (start, 0)
    assert made.stopped_by == "max_evaluations"
    again = MetropolisHastingsSampler.resume(tmp_path / "run", POSTERIOR, pool=pool)
    again.run(100, max_evaluations=start + 8)
    assert (again.evaluations, again.niterations) == (start + 8, 0)
    again.run(100)
    assert same(again.state, whole.state)


def test_a_found_ladder_counts_its_starts():
    made = ParallelTemperedSampler(POSTERIOR, 4, seed=seed())
    made.run(10)
    made, start = ParallelTemperedSampler(POSTERIOR, 4, seed=seed()), made.annealed.evaluations
    made.run(10, max_evaluations=start + 4)
    assert (made.evaluations, made.niterations) == (start, 0)
    assert made.stopped_by == "max_evaluations"


def test_a_budget_of_fewer_than_the_chains_is_refused():
    made = sampler(start=None)
    with pytest.raises(ValueError, match="max_evaluations=7 is less than the 8 starts of the ch"):
        made.run(10, max_evaluations=7)
    made.run(10, max_evaluations=8)
    assert (made.evaluations, made.niterations) == (8, 0)


def test_what_is_refused():
    with pytest.raises(ValueError, match="start must be 'annealed' or None; got 'warm'"):
        sampler(start="warm")
    with pytest.raises(ValueError, match="needs both: give epsie.Posterior"):
        MetropolisHastingsSampler(["x"], lambda x: (0.0, 0.0), 2, start="annealed")
    nowhere = epsie.Posterior(lambda x: -math.inf, {"x": (0, 1)})
    with pytest.raises(EpsieError, match="draws from the prior 0 have a likelihood"):
        sampler(posterior=nowhere).run(1)


@pytest.mark.parametrize(
    ("key", "value"), [("seed", 1.0), ("betas", None), ("progress", 3), ("evaluations", "1")]
)
def test_a_malformed_start_is_refused(key, value):
    made = sampler()
    made.run(10, max_evaluations=700)
    state = made.state
    state["shared"]["annealed"][key] = value
    with pytest.raises(MalformedStateError):
        sampler().set_state(state)


def test_a_state_without_its_start_is_refused(tmp_path):
    directory = tmp_path / "run"
    made = sampler(4)
    made.run(60, directory=directory)
    path = sorted(directory.glob("state-*.epsie"))[-1]
    tree, number = decode(path.read_bytes())
    del tree["state"]["shared"]["annealed"]
    path.write_bytes(encode(tree, number))
    with pytest.raises(epsie.CheckpointError, match="without the annealed start"):
        MetropolisHastingsSampler.resume(directory, POSTERIOR)
    assert any("without the annealed start" in text for text in problems(directory))
