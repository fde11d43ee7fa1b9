"""bilby, as it is on PyPI, samples with this package: ``run_sampler(..., sampler="epsie")``.

It runs in an environment of its own, made once a session. ``EPSIE_BILBY`` may name one that has
bilby and this package already. Posteriors are known, and runs are compared bit for bit.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
from math import log
from pathlib import Path

import numpy as np
import pytest
from scipy import special, stats

from tests.statistical import seed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent

BEGIN = """
import json, sys, warnings
from math import cos
import bilby, numpy as np
from bilby.core import prior as of

where, seed, *rest = sys.argv[1:]
bilby.core.utils.random.seed(int(seed))


class Likelihood(bilby.Likelihood):
    def log_likelihood(self, parameters):
        return self.of(**parameters)


def run(likelihood, priors, label="it", sampler="epsie", **settings):
    result = bilby.run_sampler(
        likelihood, priors, sampler=sampler, outdir=where, label=label, **settings)
    names = (*result.search_parameter_keys, "log_likelihood", "log_prior")
    return {
        "draws": {name: result.posterior[name].tolist() for name in names},
        "log_z": result.log_evidence, "error": result.log_evidence_err,
        "evaluations": result.num_likelihood_evaluations, "time": str(result.sampling_time),
        **result.meta_data.get("epsie", {})}
"""

LINE = """
x = np.linspace(0, 10, 30)
y = 0.5 * x + 1 + np.random.default_rng(1).normal(0, 1, 30)
likelihood = bilby.core.likelihood.GaussianLikelihood(x, y, lambda x, m, c: m * x + c, sigma=1.0)
priors = dict(m=of.Gaussian(0, 2), c=of.Gaussian(0, 3))
until = {"ess": 200}
found = [run(likelihood, priors, until=until, nchains=4)]
found.append(run(likelihood, priors, until=until, nchains=4))
bilby.core.utils.random.seed(int(seed))
found.append(run(likelihood, priors, "again", until=None, nchains=4, max_evaluations=5_000))
bilby.core.utils.random.seed(int(seed))
found.append(run(likelihood, priors, "again", until=None, nchains=4, max_evaluations=5_000,
                 clean=True))
print(json.dumps(found))
"""

RING = """
class Ring(Likelihood):
    def of(self, phase, m1, q, width):
        return 4 * cos(phase - 6.2) - 0.5 * ((m1 - 1.5) / width) ** 2 - 0.5 * ((q - 0.6) / 0.2) ** 2


def converted(values):
    return {**values, "m2": values["q"] * values["m1"]}


priors = of.PriorDict(
    dict(phase=of.Uniform(0, 2 * np.pi, boundary="periodic"), m1=of.Uniform(1, 3),
         q=of.Uniform(0.2, 1), width=0.3, m2=of.Constraint(0.8, 1.2)),
    conversion_function=converted)
"""
RING_RUN = """
found = [run(Ring(), priors, until={"ess": 300}, npool=2),
         run(Ring(), priors, "nested", "dynesty", nlive=100, sample="unif", bound="multi")]
print(json.dumps(found))
"""
BUDGET = """
import os, signal

number, *budgets = map(int, rest)


class Ended(Ring):
    asked = 0

    def of(self, **parameters):
        self.asked += 1
        if number and self.asked == 4000:
            os.kill(os.getpid(), number)
        return super().of(**parameters)


priors = of.PriorDict({name: prior for name, prior in priors.items() if name != "m2"})
settings = dict(until=None, nchains=4, seed=3)
found = [run(Ended(), priors, max_evaluations=budget, **settings) for budget in budgets]
print(json.dumps([*found, run(Ended(), priors, "whole", max_evaluations=budgets[0], **settings)]))
"""
PRIORS = """
from epsie.clients.bilby_priors import prior_of


def bounds(reference, x):
    return dict(minimum=0, maximum=x)


normal = of.MultivariateGaussianDist(["a", "b"], mus=[0, 1], sigmas=[1, 2],
                                     corrcoefs=[[1, 0.5], [0.5, 1]])
priors = of.ConditionalPriorDict(dict(
    y=of.ConditionalUniform(bounds, minimum=0, maximum=1), x=of.Uniform(1, 2), fixed=3.0,
    k=of.WeightedCategorical(3, weights=[1, 2, 1]), s=of.Sine(), l=of.LogUniform(1, 100),
    g=of.TruncatedGaussian(0, 1, -1, 2), angle=of.Uniform(0, 2, boundary="periodic"),
    a=of.MultivariateGaussian(normal, "a"), b=of.MultivariateGaussian(normal, "b")))
prior = prior_of(priors)
drawn = prior.draw(1, 200)
rows = [{name: column[i] for name, column in drawn.items()} for i in range(200)]
found = [[prior.logp(**row), float(priors.ln_prob(row))] for row in rows]
constrained = of.PriorDict(dict(u=of.Uniform(0, 1), v=of.Uniform(0, 1), w=of.Constraint(0, 0.5)),
    conversion_function=lambda x: {**x, "w": x["u"] * x["v"]})
inside = {"u": 0.5, "v": 0.5}
density = [prior_of(constrained).logp(**inside), float(constrained.ln_prob(inside))]
errors = []
for wrong in (dict(x=of.DiscreteValues([0.5, 1])), dict(x=of.Gaussian(0, 1, boundary="periodic")),
              dict(a=of.MultivariateGaussian(normal, "a"))):
    try:
        prior_of(of.PriorDict(wrong))
    except ValueError as error:
        errors.append(str(error))
kinds = {name: prior.kinds[name] for name in prior.parameters}
print(json.dumps([found, density, errors, kinds, [name for name in prior.known]]))
"""


@pytest.fixture(scope="session")
def python(folder):
    """The Python of an environment with bilby."""
    given = os.environ.get("EPSIE_BILBY")
    if given:
        return Path(given) / "bin" / "python"
    environment = folder / "bilby"
    found = environment / "bin" / "python"
    with open(folder / "bilby.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (environment / "made").exists():
            subprocess.run([sys.executable, "-m", "venv", environment], check=True)
            # -I: what another path brings must not count as installed.
            install = ["-I", "-m", "pip", "install", "--quiet", f"{ROOT}[bilby]"]
            subprocess.run([found, *install], check=True)
            (environment / "made").touch()
    return found


def started(python, where, text, *arguments):
    where.mkdir(exist_ok=True)
    script = where / f"script_{len(list(where.iterdir()))}.py"
    script.write_text(BEGIN + text)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [python, "-W", "ignore", script, where / "out", str(seed()), *map(str, arguments)]
    with open(where / "log.txt", "a") as log_file:
        return subprocess.Popen(
            command, cwd=where, stdout=subprocess.PIPE, stderr=log_file, text=True, env=clean
        )


def finished(python, where, text, *arguments):
    process = started(python, where, text, *arguments)
    out, _ = process.communicate()
    assert process.returncode == 0, (where / "log.txt").read_text()[-4000:]
    return json.loads(out.splitlines()[-1])


def off(draws, mean, sd):
    """By how many errors the mean of draws is off; half of them count as independent."""
    return abs(np.mean(draws) - mean) / (sd / np.sqrt(len(draws) / 2))


def test_a_linear_regression(python, tmp_path):
    """Of two means and log Z one beyond 5 errors has a probability of 2e-6."""
    found, cached, first, second = finished(python, tmp_path / "line", LINE)
    x = np.linspace(0, 10, 30)
    y = 0.5 * x + 1 + np.random.default_rng(1).normal(0, 1, 30)
    design, variances = np.stack([x, np.ones(30)], axis=1), np.diag([4.0, 9.0])
    covariance = np.eye(30) + design @ variances @ design.T
    exact = stats.multivariate_normal(np.zeros(30), covariance).logpdf(y)
    spread = np.linalg.inv(design.T @ design + np.linalg.inv(variances))
    means = spread @ design.T @ y
    print(found["log_z"], found["error"], exact, len(found["draws"]["m"]))
    assert 0 < found["error"] < 0.4 and abs(found["log_z"] - exact) < 5 * found["error"]
    assert abs(found["log_z"] + log(8) - exact) > 5 * found["error"]
    for name, mean, sd in zip("mc", means, np.sqrt(np.diag(spread)), strict=True):
        assert off(found["draws"][name], mean, sd) < 5 < off(found["draws"][name], mean + sd, sd)
    logp = stats.norm(0, 2).logpdf(found["draws"]["m"]) + stats.norm(0, 3).logpdf(
        found["draws"]["c"]
    )
    np.testing.assert_allclose(found["draws"]["log_prior"], logp, rtol=1e-9)
    assert found["evaluations"] > len(logp) >= 50 and found["time"] > "0"
    # The result that was saved is the answer to the same question.
    assert cached["draws"] == found["draws"] and found["stopped_by"] == "until"
    # bilby's seed decides.
    assert first["draws"] == second["draws"] != found["draws"] and first["evaluations"] <= 5_000


def grid():
    """Log Z and the means of m1 and q, by quadrature; the phase by itself."""
    m1, q = np.meshgrid(np.linspace(1, 3, 2001), np.linspace(0.2, 1, 2001))
    allowed = (m1 * q > 0.8) & (m1 * q < 1.2)
    likelihood = np.exp(-0.5 * ((m1 - 1.5) / 0.3) ** 2 - 0.5 * ((q - 0.6) / 0.2) ** 2)[allowed]
    moments = {}
    for name, at in (("m1", m1[allowed]), ("q", q[allowed])):
        mean = np.average(at, weights=likelihood)
        moments[name] = mean, np.average((at - mean) ** 2, weights=likelihood) ** 0.5
    return log(special.i0(4) * likelihood.mean()), moments


def test_periodic_fixed_and_constrained(python, tmp_path):
    """Also by dynesty. Of five values one beyond 5 errors has a probability of 3e-6."""
    found, nested = finished(python, tmp_path / "ring", RING + RING_RUN)
    exact, moments = grid()
    print(found["log_z"], found["error"], nested["log_z"], nested["error"], exact)
    assert found["error"] < 0.2 and abs(found["log_z"] - exact) < 5 * found["error"]
    both = np.hypot(found["error"], nested["error"])
    assert abs(found["log_z"] - nested["log_z"]) < 5 * both
    draws = {name: np.array(column) for name, column in found["draws"].items()}
    for name, (mean, sd) in moments.items():
        assert off(draws[name], mean, sd) < 5
    # The density is nowhere 0 on the circle, but at its seam it is highest.
    away = np.sin(draws["phase"] - 6.2)
    mean_cosine = special.i1(4) / special.i0(4)
    assert off(away, 0, (mean_cosine / 4) ** 0.5) < 5
    assert 0 <= draws["phase"].min() < 0.3 and 6 < draws["phase"].max() < 2 * np.pi
    products = draws["m1"] * draws["q"]
    assert products.min() > 0.8 and products.max() < 1.2


def test_killed_stopped_and_resumed(python, tmp_path):
    """In three goes as in one, bit for bit."""
    where = tmp_path / "parts"
    for number, code in ((signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)):
        process = started(python, where, RING + BUDGET, int(number), 2_000_000_000)
        process.communicate()
        assert process.returncode == code, (where / "log.txt").read_text()[-4000:]
    resumed, longer, whole = finished(python, where, RING + BUDGET, 0, 40_000, 50_000)
    assert resumed["draws"] == whole["draws"]
    assert (resumed["evaluations"], resumed["seed"]) == (whole["evaluations"], 3)
    # A result of a run that was cut short is not the answer: the same call goes on.
    assert 40_000 < longer["evaluations"] <= 50_000


def test_priors(python, tmp_path):
    """Conditional, joint, discrete, fixed and constrained ones have bilby's density."""
    densities, constrained, errors, kinds, known = finished(python, tmp_path / "priors", PRIORS)
    own, theirs = np.transpose(densities)
    np.testing.assert_allclose(own, theirs, rtol=1e-9, atol=1e-9)
    assert kinds["k"] == "integer" and kinds["angle"] == "angle" and known == ["fixed"]
    # Both count by draws what is allowed: it is (1 + log 2) / 2.
    assert abs(constrained[0] + log((1 + log(2)) / 2)) < 0.01 > abs(np.subtract(*constrained))
    for error, word in zip(errors, ("no integers", "no finite bounds", "joint prior"), strict=True):
        assert word in error
