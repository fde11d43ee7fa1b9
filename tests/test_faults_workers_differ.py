"""Workers whose model gives something else than it does in the process that asks."""

import concurrent.futures
import decimal
import logging
import multiprocessing
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from epsie import PoolError
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

ROOT = Path(__file__).parent.parent
START = {"x": [0.5, -0.5, 1.0], "y": [0.25, 0.5, -1.0]}

scale = 1.0
"""What a script sets after this module was imported."""


def of_module(x, y):
    return -scale * (x * x + y * y), 0.0


def of_environment(x, y):
    return -float(os.environ.get("EPSIE_TEST_SCALE", "1")) * (x * x + y * y), 0.0


def of_decimal(x, y):
    return -float(abs(decimal.Decimal(x)) / 3 + decimal.Decimal(y) ** 2), 0.0


def of_errstate(x, y):
    """NaN unless numpy is told to raise instead."""
    return -x * x - y * y if np.geterr()["invalid"] == "raise" else np.nan, 0.0


def prior_of_module(x, y):
    return -x * x, -scale * y * y


def blob_of_module(x, y):
    return -x * x - y * y, 0.0, {"z": scale * x}


def last_bits_of_module(x, y):
    return -x * x - y * y - 1e-10 * (scale - 1), 0.0


def only_in_workers(x, y):
    return -x * x - y * y + number, 0.0


def set_number():
    global number
    number = 1.0


def sampler(model, pool, kind="mh", **settings):
    kinds = {"mh": MetropolisHastingsSampler, "pt": ParallelTemperedSampler}
    if kind == "pt":
        settings["betas"] = [1.0, 0.5]
    return kinds[kind](["x", "y"], model, 3, seed=1, pool=pool, **settings)


def start(made, values=None):
    shape = (2, 3) if isinstance(made, ParallelTemperedSampler) else 3
    values = values or START
    made.start_position = {name: np.broadcast_to(column, shape) for name, column in values.items()}


def changed(monkeypatch):
    """Change all that the models depend on; workers that were there before do not see it."""
    monkeypatch.setattr(sys.modules[__name__], "scale", 2.0)
    monkeypatch.setenv("EPSIE_TEST_SCALE", "2")
    monkeypatch.setattr(decimal.getcontext(), "prec", 6)


@pytest.fixture(params=["own", "fork", "spawn", "executor"])
def pool(request, importable, monkeypatch):
    context = multiprocessing.get_context("spawn" if request.param == "spawn" else "fork")
    from epsie.pools import InterruptiblePool

    made = {
        "own": lambda: InterruptiblePool(2),
        "fork": lambda: context.Pool(2),
        "spawn": lambda: context.Pool(2),
        "executor": lambda: concurrent.futures.ProcessPoolExecutor(2, mp_context=context),
    }[request.param]()
    list(made.map(abs, range(4)))
    changed(monkeypatch)
    yield made
    getattr(made, "terminate", getattr(made, "shutdown", getattr(made, "close", None)))()


SAID = "in a worker and .* in this process.*jax_enable_x64.*environment.*BLAS.*check_workers=False"


@pytest.mark.parametrize("model", [of_module, of_environment, of_decimal, prior_of_module])
@pytest.mark.parametrize("kind", ["mh", "pt"])
@pytest.mark.in_part(3)
def test_another_value_is_an_error_that_names_the_causes(pool, model, kind):
    made = sampler(model, pool, kind)
    for _ in range(2):
        with pytest.raises(PoolError, match=SAID):
            start(made)


def test_nan_there_alone_is_an_error(pool):
    made = sampler(of_errstate, pool)
    with np.errstate(all="raise"), pytest.raises(PoolError, match=r"in a worker alone.*numpy\.se"):
        start(made)


def test_other_last_bits_warn(pool):
    with pytest.warns(RuntimeWarning, match="logl .* in their last bits"):
        start(sampler(last_bits_of_module, pool))


def test_other_blobs_warn(pool):
    with pytest.warns(RuntimeWarning, match="the blob is {'z': 0.5} in a worker and {'z': 1.0}"):
        start(sampler(blob_of_module, pool))


def test_it_can_be_switched_off(pool, tmp_path):
    made = sampler(of_module, pool, check_workers=False)
    start(made)
    made.run(5, directory=tmp_path / "run")
    again = MetropolisHastingsSampler.resume
    again(tmp_path / "run", of_module, pool=pool, check_workers=False).run(5)
    with pytest.raises(PoolError, match=SAID):
        again(tmp_path / "run", of_module, pool=pool)


@pytest.mark.parametrize("how", ["draw_start", "set_state", "pool", "pool, saved", "model"])
@pytest.mark.in_part(3)
def test_however_the_chains_came_where_they_stand(pool, tmp_path, how):
    made = sampler(of_module, None)
    start(made)
    made.run(3)
    if how == "draw_start":
        made.pool = pool
        with pytest.raises(PoolError, match=SAID):
            made.draw_start(lambda rng: {"x": rng.normal(), "y": rng.normal()})
        return
    if how == "set_state":
        other = sampler(of_module, pool)
        other.set_state(made.state)
        made = other
    elif how == "model":
        made.pool = pool
        made.model = prior_of_module
    else:
        made.pool = pool
    before = made.state
    with pytest.raises(PoolError, match=SAID):
        made.run(3, directory=tmp_path / "run" if "saved" in how else None)
    np.testing.assert_equal(made.state, before)


def test_a_model_that_needs_what_only_workers_have(caplog):
    with multiprocessing.get_context("fork").Pool(2, set_number) as pool:
        made = sampler(only_in_workers, pool)
        with caplog.at_level(logging.INFO, "epsie"):
            start(made)
        made.run(5)
    assert "the workers are not checked" in caplog.text and "NameError" in caplog.text


class Counted:
    """Notes who asks."""

    def __init__(self, path):
        self.path = path

    def __call__(self, x, y):
        with open(self.path, "a") as file:
            file.write(f"{os.getpid()}\n")
        return -x * x - y * y, 0.0

    def asked_here(self):
        return Path(self.path).read_text().split().count(str(os.getpid()))


@pytest.mark.parametrize("kind", ["mh", "pt"])
@pytest.mark.parametrize("checked", [True, False])
def test_it_costs_one_evaluation(pools, tmp_path, kind, checked):
    for name in ("own", "fork", "executor", "map only", "threads"):
        model = Counted(tmp_path / name)
        made = sampler(model, pools[name], kind, check_workers=checked)
        start(made)
        for _ in range(3):
            made.run(2)
        elsewhere = name in ("own", "fork", "executor")
        nlevels = 6 if kind == "pt" else 3
        assert model.asked_here() == (checked if elsewhere else nlevels * 7)


def test_equal_workers_say_nothing(pools):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("own", "spawn", "threads", "None"):
            made = sampler(blob_of_module, pools[name])
            start(made)
            made.run(3)


JAX = """
import sys
import numpy as np
import jax
import jax.numpy as jnp
from epsie.samplers import MetropolisHastingsSampler

def model(x, y):
    return -0.5 * jnp.sum(jnp.array([x, y]) ** 2 / 3.0), 0.0

if {inside}:
    from functools import wraps
    of_script = model

    @wraps(of_script)
    def model(x, y):
        jax.config.update("jax_enable_x64", True)
        return of_script(x, y)

jax.config.update("jax_enable_x64", True)
made = MetropolisHastingsSampler(["x", "y"], model, 2, seed=1, pool=2)
made.start_position = {{"x": [0.1, 0.2], "y": [0.3, 0.4]}}
made.run(3)
other = MetropolisHastingsSampler(["x", "y"], model, 2, seed=1)
other.start_position = {{"x": [0.1, 0.2], "y": [0.3, 0.4]}}
other.run(3)
assert made.stats.tobytes() == other.stats.tobytes()
"""


@pytest.mark.parametrize("inside", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_jax(inside):
    pytest.importorskip("jax")
    found = subprocess.run(
        [sys.executable, "-c", JAX.format(inside=inside)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    assert found.returncode == (0 if inside else 1), found.stderr
    assert inside or "PoolError: at (0.1, 0.3) logl is" in found.stderr
    assert inside or "jax.config.update('jax_enable_x64', True)" in found.stderr
