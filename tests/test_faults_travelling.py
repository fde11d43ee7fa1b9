"""What a script or a notebook defines travels to workers: caches, dispatch, and source lines."""

import functools
import linecache
import pickle
import subprocess
import sys
import textwrap

import pytest

from epsie import ModelError
from epsie.execution.dealing import with_lines
from epsie.pools.pickling import dumps
from epsie.samplers import MetropolisHastingsSampler

SCRIPT = """
import functools
import sys

sys.path[:0] = {path!r}
from epsie.samplers import MetropolisHastingsSampler

{model}

made = MetropolisHastingsSampler("x", model, 2, seed=1, pool=2)
made.start_position = {{"x": [0.5, 1.5]}}
made.run(20)
alone = MetropolisHastingsSampler("x", model, 2, seed=1)
alone.start_position = {{"x": [0.5, 1.5]}}
alone.run(20)
assert (made.positions == alone.positions).all()
print("works")
"""

MODELS = {
    "lru_cache": """
        @functools.lru_cache(maxsize=64)
        def square(x):
            return x * x

        def model(x):
            return -square(x), 0.0
    """,
    "cached model": """
        @functools.cache
        def model(x):
            return -x * x, 0.0
    """,
    "recursive": """
        @functools.lru_cache(maxsize=None, typed=True)
        def power(x, n):
            return x * power(x, n - 1) if n else 1.0

        power.note = "kept"

        def model(x):
            assert power.note == "kept"
            assert power.cache_parameters() == {"maxsize": None, "typed": True}
            assert power.__name__ == "power"
            return -power(x, 4), 0.0
    """,
    "methods": """
        class Model:
            def __init__(self):
                self.cached = functools.lru_cache(self.plain)

            @functools.cached_property
            def scale(self):
                return 2.0

            @functools.lru_cache
            def square(self, x):
                return x * x / self.scale

            def plain(self, x):
                return 0.0

            def __call__(self, x):
                return -self.square(x) + self.cached(x), 0.0

        model = Model()
    """,
    "singledispatch": """
        class Own:
            pass

        @functools.singledispatch
        def energy(x):
            raise TypeError

        @energy.register
        def _(x: float):
            return energy((x,))

        @energy.register(tuple)
        def _(x):
            return x[0] ** 2

        @energy.register
        def _(x: Own):
            return 1.0

        def model(x):
            assert energy.dispatch(float) is energy.registry[float]
            return -energy(x) * energy(Own()), 0.0
    """,
    "singledispatchmethod": """
        class Model:
            @functools.singledispatchmethod
            def energy(self, x):
                raise TypeError

            @energy.register
            def _(self, x: float):
                return x * x

            def __call__(self, x):
                return -self.energy(x), 0.0

        model = Model()
    """,
}


@pytest.mark.in_part(3, "slow")
@pytest.mark.parametrize("kind", MODELS)
def test_what_functools_makes_of_functions_of_a_script(kind, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(path=sys.path, model=textwrap.dedent(MODELS[kind])))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert done.stdout == "works\n", done.stderr


def test_what_can_be_imported_travels_by_name():
    for function in (linecache.getline, functools.wraps, imported, dispatched):
        assert pickle.loads(dumps(function)) is function
    assert b"imported" in dumps(imported)


@functools.lru_cache
def imported(x):
    return x


@functools.singledispatch
def dispatched(x):
    return x


def test_a_culprit_is_named_still():
    import threading

    lock = threading.Lock()

    @functools.lru_cache
    def held(x):
        with lock:
            return x

    with pytest.raises(TypeError, match="cannot be sent to the workers"):
        MetropolisHastingsSampler("x", lambda x: (-held(x), 0.0), 1, pool=2)


FAILS = """
def helper(x):
    return 1 / (x * 0)  # the culprit

def model(x):
    return (helper(x), 0.0) if x else (0.0, 0.0)
"""


@pytest.mark.parametrize("pool", ["own", "executor", "spawn", "map only"])
@pytest.mark.parametrize("name", ["<ipython-input-3>", "/tmp/ipykernel_17/4.py", "<string>"])
def test_the_line_of_a_cell_is_in_the_error_of_a_worker(pool, name, pools, importable):
    space = {"__name__": "__main__"}
    exec(compile(FAILS, name, "exec"), space)
    linecache.cache[name] = (len(FAILS), None, FAILS.splitlines(keepends=True), name)
    try:
        made = MetropolisHastingsSampler("x", space["model"], 2, seed=1, pool=pools[pool])
        made.start_position = {"x": [0.0, 0.0]}
        with pytest.raises(ModelError, match="ZeroDivisionError") as caught:
            made.run(2)
    finally:
        del linecache.cache[name]
    if pool != "map only":
        text = str(caught.value.__cause__)
        assert f'File "{name}", line 3, in helper\n    return 1 / (x * 0)  # the culprit' in text
        assert "line 6, in model\n    return (helper(x), 0.0) if x" in text


def test_the_line_of_a_script_is_in_the_error_of_a_worker(tmp_path):
    script = tmp_path / "script.py"
    model = "import numpy\n" + FAILS + "\n"
    script.write_text(SCRIPT.format(path=sys.path, model=model).replace("[0.5, 1.5]", "[0.0, 0.0]"))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False
    )
    assert f'File "{script}", line' in done.stderr
    assert "return 1 / (x * 0)  # the culprit" in done.stderr


def test_lines_that_are_there_are_left_alone():
    try:
        raise ValueError("two\nlines")
    except ValueError:
        import traceback

        trace = traceback.format_exc()
    assert with_lines(trace) == trace.rstrip("\n")
    unknown = '  File "<nowhere>", line 3, in f\nValueError: no'
    assert with_lines(unknown) == unknown


def test_the_line_is_in_the_error_where_causes_travel(importable):
    pytest.importorskip("tblib")
    code = (
        "import tblib.pickling_support; tblib.pickling_support.install()\n"
        "import multiprocessing\n"
        "from epsie.samplers import MetropolisHastingsSampler\n"
        "def model(x):\n"
        "    return 1 / (x * 0), 0.0\n"
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    made = MetropolisHastingsSampler('x', model, 2, seed=1, pool=pool)\n"
        "    try:\n"
        "        made.start_position = {'x': [0.0, 0.0]}\n"
        "    except Exception as error:\n"
        "        print(type(error).__name__, error.__cause__)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ModelError") and "in model" in done.stdout
