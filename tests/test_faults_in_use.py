"""A sampler does one thing at a time: who asks meanwhile is refused, and disturbs nothing."""

import concurrent.futures
import threading

import numpy as np
import pytest

from epsie import InUseError, ModelError
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler


class Model:
    """Does something once, in the middle of a run."""

    def __init__(self, action=None):
        self.action, self.calls, self.error = action, 0, None

    def __call__(self, x):
        self.calls += 1
        if self.calls == 9 and self.action is not None:
            try:
                self.action()
            except Exception as error:
                self.error = error
        return -x * x / 2, 0.0


def sampler(model, kind="mh", pool=None):
    if kind == "pt":
        made = ParallelTemperedSampler("x", model, 2, [1, 0.5], seed=1, pool=pool)
        made.start_position = {"x": np.zeros((2, 2))}
    else:
        made = MetropolisHastingsSampler("x", model, 2, seed=1, pool=pool)
        made.start_position = {"x": np.zeros(2)}
    return made


ACTIONS = {
    "run": lambda made: made.run(5),
    "clear": lambda made: made.clear(),
    "state": lambda made: made.set_state(made.state),
    "start": lambda made: setattr(made, "start_position", made.start_position),
    "draw": lambda made: made.draw_start(lambda rng: {"x": 0.0}),
    "model": lambda made: setattr(made, "model", lambda x: (0.0, 0.0)),
    "pool": lambda made: setattr(made, "pool", None),
}


def in_thread(action):
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(action).result()


@pytest.mark.parametrize("kind", ["mh", "pt"])
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("way", ["another thread", "its model"])
def test_a_second_caller_is_refused_and_the_first_not_disturbed(kind, action, way, tmp_path):
    alone = sampler(Model(), kind)
    alone.run(20)
    for settings in ({}, {"directory": tmp_path / "run"}):
        model = Model()
        made = sampler(model, kind)

        def ask(made=made):
            ACTIONS[action](made)

        model.action = (lambda ask=ask: in_thread(ask)) if way == "another thread" else ask
        made.run(20, **settings)
        assert isinstance(model.error, InUseError)
        assert ("while run goes on" if way == "another thread" else "own model") in str(model.error)
        assert made.niterations == 20
        np.testing.assert_equal(made.state, alone.state)
        np.testing.assert_array_equal(made.positions, alone.positions)
        made.run(1)
        ACTIONS[action](made)


def test_a_model_that_lets_the_error_pass_ends_its_run():
    model = Model()
    made = sampler(model)

    def once(x):
        made.run(1)

    made.model = lambda x: once(x) if x else (0.0, 0.0)
    with pytest.raises(ModelError, match=r"InUseError.*own model"):
        made.run(1)
    assert made.niterations == 0


def test_a_start_that_is_being_evaluated():
    model = Model()
    made = sampler(model)
    for action in ACTIONS.values():
        model.calls, model.error = 7, None
        model.action = lambda action=action: in_thread(lambda: action(made))
        made.start_position = {"x": np.full(2, 0.5)}
        assert isinstance(model.error, InUseError)
        assert made.start_position["x"].tolist() == [0.5, 0.5]


def test_in_threads_of_a_pool_too():
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        model = Model()
        made = sampler(model, pool=pool)
        model.action = lambda: made.run(3)
        made.run(20)
    assert isinstance(model.error, InUseError)
    assert made.niterations == 20


def test_samplers_inside_of_models_of_others():
    def outer(x):
        inner = sampler(Model())
        inner.run(2)
        inner.clear()
        return -x * x, float(inner.current_positions["x"][0]) * 0

    made = sampler(outer)
    made.run(3)
    assert made.niterations == 3


def test_it_is_free_again_whatever_ended_the_run():
    for error in (KeyboardInterrupt, ValueError, SystemExit):
        made = sampler(Model())

        def fail(error=error):
            raise error

        def model(x, fail=fail):
            return fail() if x else (0.0, 0.0)

        made.model = model
        with pytest.raises((KeyboardInterrupt, ModelError)):
            made.run(2)
        made.model = Model()
        made.run(2)
        assert made.niterations == 2


def test_one_of_many_threads_wins():
    gate = threading.Barrier(4)
    made = sampler(Model())
    entered = threading.Event()

    def model(x):
        entered.wait()
        return -x * x / 2, 0.0

    entered.set()
    made.model = model
    made.run(1)
    entered.clear()

    def ask():
        gate.wait()
        try:
            made.run(10)
        except InUseError:
            entered.set()
            return 0
        return 10

    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        done = [future.result() for future in [threads.submit(ask) for _ in range(4)]]
    assert made.niterations == 1 + sum(done)
    assert sum(done) >= 10
