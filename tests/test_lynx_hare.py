"""The tutorial's model, table and command."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import termios
from functools import partial
from math import exp, inf, sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats

import epsie
from tests.statistical import generator

SCRIPT = Path(__file__).parents[1] / "tutorials" / "lynx_hare.py"


@pytest.fixture(scope="module")
def tutorial():
    spec = importlib.util.spec_from_file_location("lynx_hare", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def counts(tutorial):
    return tutorial.COUNTS


@pytest.fixture(scope="module")
def reference(tutorial):
    return tutorial.REFERENCE


def exact_density(counts, alpha, beta, gamma, delta, hare0, lynx0, sigma_hare, sigma_lynx):
    """Log-likelihood and log-prior of the natural parameters, from scipy alone."""

    def derivatives(_, z):
        return [(alpha - beta * z[1]) * z[0], (-gamma + delta * z[0]) * z[1]]

    z = integrate.solve_ivp(
        derivatives, (0, 20), (hare0, lynx0), "DOP853", range(21), rtol=1e-10, atol=1e-10
    ).y.T
    logl = stats.lognorm.logpdf(counts, [sigma_hare, sigma_lynx], scale=z).sum()
    rates = stats.truncnorm.logpdf([alpha, gamma], -2, inf, 1, 0.5)
    rates = np.append(rates, stats.truncnorm.logpdf([beta, delta], -1, inf, 0.05, 0.05))
    start = stats.lognorm.logpdf([hare0, lynx0], 1, scale=10)
    noise = stats.lognorm.logpdf([sigma_hare, sigma_lynx], 1, scale=np.exp(-1))
    return logl, rates.sum() + start.sum() + noise.sum()


def test_density_equals_that_of_scipy_throughout_the_posterior(tutorial, counts, reference):
    means = np.array([reference[name]["mean"] for name in tutorial.PRIOR.parameters])
    spread = np.array([reference[name]["sd"] for name in tutorial.PRIOR.parameters]) / means
    # Independent of one another, so that many points are far outside of the posterior.
    away = np.vstack([np.zeros(8), generator("lynx_hare").normal(size=(40, 8))])
    for point in (means * np.exp(1.5 * spread * away)).tolist():
        values = dict(zip(tutorial.PRIOR.parameters, point, strict=True))
        exact_logl, exact_logp = exact_density(counts, *point)
        assert tutorial.log_likelihood(**values) == pytest.approx(exact_logl, rel=3e-5)
        assert tutorial.PRIOR.logp(**values) == pytest.approx(exact_logp, rel=1e-10)


def test_a_coarser_solution_would_be_found_out(tutorial, counts, reference, monkeypatch):
    monkeypatch.setattr(tutorial, "STEPS", 3)
    means = {name: reference[name]["mean"] for name in tutorial.PRIOR.parameters}
    exact_logl, _ = exact_density(counts, *means.values())
    assert tutorial.log_likelihood(**means) != pytest.approx(exact_logl, rel=3e-5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [-700.0, -300.0, -30.0, 7.0, 30.0, 300.0, 700.0])
def test_absurd_parameters_are_rejected_quietly(tutorial, reference, value):
    means = {name: of["mean"] for name, of in reference.items()}
    for values in [means | {name: exp(value)} for name in means] + [
        dict.fromkeys(means, exp(value))
    ]:
        assert tutorial.log_likelihood(**values) < 0  # neither NaN nor +inf


@pytest.mark.filterwarnings("error")
def test_populations_that_become_nan_have_no_likelihood(tutorial):
    logs = (-1.0, -800.0, -30.0, 30.0, 709.0, 7.0, -1.0, -1.0)
    assert tutorial.log_likelihood(*np.exp(logs).tolist()) == -inf


def exact_draws(reference, names):
    """Independent draws, 4 chains of 2500, whose means are exactly those of the reference."""
    draws = {}
    for name in names:
        z = generator(f"draws of {name}").normal(size=(4, 2500))
        draws[name] = reference[name]["mean"] + reference[name]["sd"] * (z - z.mean())
    return draws


def marked(text):
    return [line.split()[0] for line in text.splitlines() if line.endswith("<--")]


def test_table_trusts_what_is_right(tutorial, reference):
    text = tutorial.table(
        tutorial.compare(exact_draws(reference, tutorial.PRIOR.parameters), reference)
    )
    assert marked(text) == []
    assert text.splitlines()[-1].startswith("All means agree")


def test_table_marks_a_mean_that_is_off(tutorial, reference):
    draws = exact_draws(reference, tutorial.PRIOR.parameters)
    draws["beta"] += 6 * reference["beta"]["sd"] * sqrt(1 / 10_000 + 1 / 10_000)
    rows = tutorial.compare(draws, reference)
    differences = {name: difference for name, *_, difference, _, _ in rows}
    assert differences["beta"] == pytest.approx(6, abs=0.3)
    text = tutorial.table(rows)
    assert marked(text) == ["beta"]
    assert text.splitlines()[-1].startswith("Not to be trusted")


def test_table_marks_chains_that_disagree_and_chains_that_never_moved(tutorial, reference):
    draws = exact_draws(reference, tutorial.PRIOR.parameters)
    sd = reference["gamma"]["sd"]
    draws["gamma"] += np.array([[sd], [-sd], [sd], [-sd]])
    draws["hare0"] = np.full((4, 2500), reference["hare0"]["mean"])
    with np.errstate(all="ignore"):
        rows = tutorial.compare(draws, reference)
    assert marked(tutorial.table(rows)) == ["gamma", "hare0"]


@pytest.mark.slow
def test_main_job(tutorial, reference, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(epsie, "sample", partial(epsie.sample, max_evaluations=22_000))
    where = tmp_path / "new" / "directory"
    tutorial.main(["--processes", "2", "--output", str(where)])
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line.split() for line in lines[2:10]}
    assert list(rows) == list(tutorial.PRIOR.parameters)
    for name, row in rows.items():
        # Cut short, so that there are a few hundred effective draws.
        assert float(row[1]) == pytest.approx(reference[name]["mean"], abs=reference[name]["sd"])
    assert " evaluations in " in lines[-2]
    assert (where / "lynx_hare.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.rest  # continuous integration asks the same of the README's first command
def test_main_job_agrees_with_the_reference(tutorial, tmp_path, capsys):
    """Eight means within 4 of their errors: false alarm 5e-4."""
    tutorial.main(["--processes", "2", "--output", str(tmp_path)])
    assert "All means agree within 4 Monte Carlo errors" in capsys.readouterr().out


def test_impossible_options_are_refused(tutorial, capsys):
    with pytest.raises(SystemExit, match="2"):
        tutorial.main(["--processes", "0"])
    assert "at least 1 process and" in capsys.readouterr().err


@pytest.mark.parametrize("when", [b"annealed start", pytest.param(b"it/s", marks=pytest.mark.slow)])
def test_interrupt_gives_one_line_and_exit_code_130(tmp_path, when):
    terminal, stderr = os.openpty()  # a progress bar is drawn on terminals only
    termios.tcsetwinsize(stderr, (24, 80))
    command = [sys.executable, str(SCRIPT), "--processes", "2", "--output", str(tmp_path)]
    env = os.environ | {"PYTHONPATH": str(SCRIPT.parents[1])}
    with subprocess.Popen(command, stderr=stderr, env=env, start_new_session=True) as process:
        os.close(stderr)
        shown = b""
        while when not in shown:
            shown += os.read(terminal, 1000)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the workers too
        assert process.wait() == 130
    with contextlib.suppress(OSError):  # at the end
        while chunk := os.read(terminal, 1000):
            shown += chunk
    os.close(terminal)
    assert b"Traceback" not in shown
    after_bar = shown.splitlines()[-1]
    assert after_bar == b"Interrupted. Run it again to go on."
