"""A point is valid only for the model that made it."""

import h5py
import numpy as np
import pytest

from epsie import ModelError, RunDirectoryError, open_run
from epsie.chain import Chain, ParallelTemperedChain
from epsie.proposals import ATAdaptiveNormal, Normal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler


class Bump:
    """A normal around `mean`; another normalisation; counts its calls."""

    def __init__(self, mean=0.0, offset=0.0, blob="v"):
        self.mean, self.offset, self.blob, self.calls = mean, offset, blob, 0

    def __call__(self, x, y):
        self.calls += 1
        value = self.offset - ((x - self.mean) ** 2 + y * y) / 2
        return (value, 0.0, {self.blob: x + y}) if self.blob else (value, 0.0)


class Narrow(Bump):
    def __call__(self, x, y):
        answer = super().__call__(x, y)
        return answer if abs(x - self.mean) < 1e-3 else (answer[0], -np.inf, *answer[2:])


def sampler(model, kind="mh", pool=None, nchains=2, start=0.0):
    proposals = [ATAdaptiveNormal(["x", "y"], 200)]
    if kind == "pt":
        made = ParallelTemperedSampler(
            ["x", "y"], model, nchains, [1.0, 0.3, 0.1], proposals=proposals, seed=3, pool=pool
        )
        shape = (3, nchains)
    else:
        made = MetropolisHastingsSampler(["x", "y"], model, nchains, proposals, seed=3, pool=pool)
        shape = (nchains,)
    if start is not None:
        made.start_position = {"x": np.full(shape, start), "y": np.zeros(shape)}
    return made


def change(made, how, model, tmp_path):
    """The sampler with another model, and a state of the former one, in one of many ways."""
    other = sampler(model, "pt" if hasattr(made, "ntemps") else "mh", made.pool, start=None)
    if how == "assigned":
        made.model = model
        return made
    if how == "same object":
        vars(made.model).update(vars(model))
        made.model = made.model
        return made
    if how == "state":
        other.set_state(made.state)
        return other
    with h5py.File(tmp_path / "state.h5", "w") as file:
        made.checkpoint(file)
        if how == "start first":
            shape = (3, 2) if hasattr(made, "ntemps") else (2,)
            other.start_position = {"x": np.full(shape, 1.0), "y": np.zeros(shape)}
        other.set_state_from_checkpoint(file)
    return other


@pytest.mark.parametrize("how", ["assigned", "same object", "state", "checkpoint", "start first"])
@pytest.mark.parametrize(("kind", "pool"), [("mh", "None"), ("pt", "None"), ("mh", "own")])
def test_present_points_are_those_of_the_model(how, kind, pool, pools, tmp_path):
    made = sampler(Bump(), kind, pools[pool])
    made.run(50)
    made = change(made, how, Bump(3.0, -1000.0), tmp_path)
    made.clear()
    made.run(300)
    positions, stats = made.positions, made.stats
    right = -1000 - ((positions["x"] - 3) ** 2 + positions["y"] ** 2) / 2
    np.testing.assert_array_equal(stats["logl"], right)
    assert (made.acceptance["accepted"].mean(axis=-1) > 0.02).all()
    np.testing.assert_array_equal(
        made.current_stats["logl"],
        -1000 - ((made.current_positions["x"] - 3) ** 2 + made.current_positions["y"] ** 2) / 2,
    )


@pytest.mark.parametrize("kind", ["mh", "pt"])
def test_the_same_model_goes_on_bit_for_bit_and_is_asked_once_a_point(kind, tmp_path):
    whole = sampler(Bump(), kind)
    whole.run(40)
    for how in ("assigned", "state", "checkpoint"):
        first = sampler(Bump(), kind)
        first.run(20)
        model = Bump()
        made = change(first, how, model, tmp_path)
        made.run(20)
        np.testing.assert_equal(made.state, whole.state)
        points = (3 if kind == "pt" else 1) * 2
        assert model.calls == 21 * points
        made.run(5)
        assert model.calls == 26 * points


def test_nothing_is_asked_again_without_need():
    model = Bump()
    made = sampler(model, "pt")
    for _ in range(3):
        made.run(5)
        made.clear()
    assert model.calls == 6 * 16


@pytest.mark.parametrize("cls", [Chain, ParallelTemperedChain])
def test_chains_alone(cls):
    chain = cls(["x", "y"], Bump(), [Normal(["x", "y"])], bit_generator=1)
    many = {"x": np.zeros(1), "y": np.zeros(1)}
    chain.start_position = {"x": 0.0, "y": 0.0} if cls is Chain else many
    chain.run(5)
    state = chain.state
    for how in ("assigned", "state"):
        model = Bump(2.0, -50.0)
        if how == "assigned":
            chain.model = model
        else:
            chain = cls(["x", "y"], model, [Normal(["x", "y"])], bit_generator=1)
            chain.set_state(state)
        chain.clear()
        chain.run(100)
        positions, stats = chain.positions, chain.stats
        right = -50 - ((positions["x"] - 2) ** 2 + positions["y"] ** 2) / 2
        np.testing.assert_array_equal(stats["logl"], right)
        assert model.calls == 101
        assert chain.acceptance["accepted"].any()


def test_a_position_that_the_new_model_refuses():
    made = sampler(Bump())
    made.run(20)
    before = made.current_positions
    made.model = Narrow(50.0)
    with pytest.raises(ModelError, match=r"(?s)outside of the prior.*model that was set.*chain: 0"):
        made.run(5)
    assert made.niterations == 20
    np.testing.assert_equal(made.current_positions, before)
    made.model = Bump()
    made.run(5)
    assert made.niterations == 25


def test_other_blobs_of_the_new_model():
    made = sampler(Bump())
    made.run(10)
    made.model = Bump(blob="other")
    with pytest.raises(ModelError, match="blob changed"):
        made.run(1)
    made.clear()
    made.run(10)
    assert made.blobs.dtype.names == ("other",)
    made.clear()
    made.model = Bump(blob=None)
    made.run(10)
    assert made.blobs is None


@pytest.mark.parametrize("kind", ["mh", "pt"])
def test_a_run_directory_refuses_another_model(kind, tmp_path):
    made = sampler(Bump(), kind)
    made.run(10, directory=tmp_path / "run")
    for other in (Bump(3.0), Narrow(70.0)):
        made.model = other
        with pytest.raises(RunDirectoryError, match="not that of the run"):
            made.run(10)
        assert open_run(tmp_path / "run").niterations == 10
    made.model = Bump()
    made.run(10)
    assert open_run(tmp_path / "run").niterations == 20
    whole = sampler(Bump(), kind)
    whole.run(20)
    np.testing.assert_equal(made.state, whole.state)


def test_a_new_directory_begins_with_the_points_of_the_model(tmp_path):
    made = sampler(Bump())
    made.run(10)
    made.model = Bump(1.0, -7.0)
    made.run(0, directory=tmp_path / "run")
    again = MetropolisHastingsSampler.resume(tmp_path / "run", made.model)
    where = again.current_positions
    right = -7 - ((where["x"] - 1) ** 2 + where["y"] ** 2) / 2
    np.testing.assert_array_equal(again.current_stats["logl"], right)
    calls = made.model.calls
    again.run(5)
    assert made.model.calls == calls + 10


def test_rounds_and_verification_ask_no_more():
    model = Bump()
    made = sampler(model)
    made.set_state(made.state)
    made.run(30, progress=True)
    assert model.calls == 2 * (1 + 1 + 30)
    made.run(3, verify=True)
