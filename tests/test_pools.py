"""Any pool is one ordered, eager map: what it gives is recognised, what it lacks is said."""

import asyncio
import concurrent.futures
import multiprocessing
import multiprocessing.pool
import multiprocessing.popen_forkserver as popen_forkserver
import os
import platform
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import schwimmbad

from epsie import PoolError
from epsie.execution.utilisation import Utilisation
from epsie.pools import InterruptiblePool
from epsie.proposals import ATAdaptiveNormal, BaseProposal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests import interrupting
from tests.interrupting import Dies
from tests.statistical import seed

NCHAINS = 3


def closure(shift=0.3):
    def model(x, y):
        return -((x - shift) ** 2) - y * y, 0.0

    return model


def sampler(pool=None, model=None, kind="mh", nchains=NCHAINS, **settings):
    start = np.zeros(nchains)
    if kind == "pt":
        start, settings["betas"] = np.zeros((2, nchains)), [1.0, 0.3]
    made = (ParallelTemperedSampler if kind == "pt" else MetropolisHastingsSampler)(
        ["x", "y"],
        model or closure(),
        nchains,
        proposals=[ATAdaptiveNormal(["x", "y"], 100)],
        seed=seed(),
        pool=pool,
        **settings,
    )
    made.start_position = {"x": start, "y": start}
    return made


def bits(made):
    return made.positions.tobytes() + made.stats.tobytes() + made.acceptance.tobytes()


def assert_serial_bits(pool, kinds=("mh", "pt")):
    for kind in kinds:
        one, other = sampler(pool, kind=kind), sampler(kind=kind)
        for made in (one, other):
            made.run(15)
            made.run(20)
        assert bits(one) == bits(other)


# ---- what a map may give

GIVES = {
    "list": lambda f, items: [f(item) for item in items],
    "tuple": lambda f, items: tuple(f(item) for item in items),
    "iterator": map,
    "futures": lambda f, items: [done(f(item)) for item in items],
    "a future of a list": lambda f, items: done([f(item) for item in items]),
    "an AsyncResult": lambda f, items: Ready([f(item) for item in items]),
    "AsyncResults": lambda f, items: (Ready(f(item)) for item in items),
}


def done(value):
    future = concurrent.futures.Future()
    future.set_result(value)
    return future


class Ready:
    def __init__(self, value):
        self.value = value

    def ready(self):
        return True

    def get(self):
        return self.value


class Gives:
    def __init__(self, map_):
        self.map_ = map_

    def map(self, function, items):
        return self.map_(function, items)


@pytest.mark.parametrize("what", GIVES)
def test_what_a_map_may_give(what):
    assert_serial_bits(Gives(GIVES[what]), ["mh"])


async def a_coroutine(function, items):
    return [function(item) for item in items]


async def an_async_generator(function, items):
    for item in items:
        yield function(item)


def asyncio_futures(function, items):
    loop = asyncio.new_event_loop()
    futures = [loop.create_future() for _ in items]
    loop.close()
    return futures


REFUSED = {
    "nothing": (lambda f, items: [f(item) for item in items] and None, "gave None of type NoneTyp"),
    "a coroutine": (a_coroutine, "asynchronous: it gave a coroutine"),
    "an async generator": (an_async_generator, "gave .* async_generator"),
    "too few": (lambda f, items: [f(item) for item in items[1:]], "2 results for 3 tasks"),
    "too many": (lambda f, items: [f(item) for item in [*items, items[0]]], "4 results for 3"),
    "another order": (
        lambda f, items: [f(item) for item in items[::-1]],
        r"items \[2, 1, 0\].*ord",
    ),
    "strings": (lambda f, items: "done", "gave 'done'"),
    "an error": (lambda f, items: {}["closed"], "the Gives failed: KeyError.*sampler.pool"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_map_may_not_give(what):
    map_, said = REFUSED[what]
    made = sampler(check_workers=False)
    before = made.state
    made.pool = Gives(map_)
    with pytest.raises(PoolError, match=said):
        made.run(3)
    np.testing.assert_equal(made.state, before)
    made.pool = None
    made.run(3)


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (0, "processes.*must be.* 0"),
        (-2, "-2"),
        (True, "True of type bool"),
        (1.5, "1.5"),
        ("mpi", "'mpi'"),
        (concurrent.futures.ProcessPoolExecutor, "class ProcessPoolExecutor: make one"),
        (schwimmbad.MultiPool, "class MultiPool"),
        (object(), "method `map`"),
    ],
)
def test_what_is_no_pool(pool, said):
    with pytest.raises((TypeError, ValueError), match=said):
        sampler(pool)


def closed_pools():
    own = InterruptiblePool(2)
    executor = concurrent.futures.ThreadPoolExecutor(2)
    foreign = multiprocessing.pool.ThreadPool(2)
    forked = multiprocessing.get_context("fork").Pool(1)
    for pool in (own, executor, foreign, forked):
        (pool.shutdown if hasattr(pool, "shutdown") else pool.close)()
    forked.join()
    return own, executor, foreign, forked


def test_pools_that_are_closed():
    made = sampler()
    for pool in closed_pools():
        made.pool = pool
        with pytest.raises(PoolError, match=r"closed.*(another|new one)"):
            made.run(3)
    made.pool = None
    made.run(3)


def test_what_cannot_be_sent_is_no_fault_of_the_pool():
    class Locked(BaseProposal):
        name, symmetric = "locked", True

        def __init__(self, parameters):
            self.parameters, self.lock = parameters, None

        def _jump(self, fromx):
            return dict(fromx)

        def _logpdf(self, xi, givenx):
            return 0.0

    made = MetropolisHastingsSampler(["x"], lambda x: (0.0, 0.0), 2, Locked(["x"]), seed=1)
    made.start_position = {"x": [0.0, 0.0]}
    for chain in made.chains:
        next(chain.leaves()).lock = threading.Lock()
    for pool in (InterruptiblePool(2), Gives(map)):
        made.pool = pool
        with pytest.raises(TypeError, match="cannot be sent to the workers.*lock"):
            made.run(1)


# ---- kinds of pools that the tests of invariance do not have


def test_thread_pools_and_one_of_another_package():
    multiprocess = pytest.importorskip("multiprocess")
    with multiprocessing.pool.ThreadPool(2) as pool:
        assert_serial_bits(pool)
    pool = multiprocess.Pool(2)
    assert_serial_bits(pool)
    pool.close()
    pool.join()


@pytest.mark.slow
def test_joblib():
    pytest.importorskip("joblib")
    assert_serial_bits(schwimmbad.JoblibPool(2))


# ---- dead workers


def kill(pid):
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("replaced", [None, 100])
@pytest.mark.parametrize("locked", [False, True])
def test_an_idle_worker_of_a_foreign_pool_dies(replaced, locked):
    made = sampler()
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=replaced) as pool:
        made.pool = pool
        made.run(5)
        before = made.state
        if locked:
            # As if it had just written a result, and died before it gave up the lock.
            pool._outqueue._wlock.acquire()
        victim = pool._pool[0]
        kill(victim.pid)
        # Until the pool has seen it: before, the other one may do all that is asked.
        while victim in pool._pool:
            time.sleep(0.01)
        with pytest.raises(PoolError, match=r"died.*give the sampler a new one"):
            made.run(5)
        np.testing.assert_equal(made.state, before)


@pytest.mark.parametrize("replaced", [None, 100])
def test_idle_workers_of_a_foreign_pool_die_unseen(replaced):
    """One of them has the lock of the tasks, which nobody else can take from then on."""
    made = sampler()
    before = made.state
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=replaced) as pool:
        pool.apply(int)
        victims = list(pool._pool)
        for victim in victims:
            kill(victim.pid)
        while set(victims) & set(pool._pool):
            time.sleep(0.01)
        made.pool = pool
        with pytest.raises(PoolError, match=r"died.*give the sampler a new one"):
            made.run(5)
        np.testing.assert_equal(made.state, before)


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_an_idle_worker_of_a_foreign_pool_does_not_hear_ctrl_c(method):
    """It could end with the lock for which the end of the pool waits."""
    made = sampler()
    with multiprocessing.get_context(method).Pool(2) as pool:
        made.pool = pool
        made.run(5)
        workers = list(pool._pool)
        for worker in workers:
            os.kill(worker.pid, signal.SIGINT)
        made.run(5)
        assert pool._pool == workers
        assert all(worker.is_alive() for worker in workers)


def replacing(after):
    """A pool that replaces its workers. Not forked from here, where threads may hold locks."""
    return multiprocessing.get_context("forkserver").Pool(2, maxtasksperchild=after)


@pytest.mark.parametrize(
    "replaced", [None, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))]
)
def test_a_worker_of_a_foreign_pool_dies_at_work(tmp_path, replaced, capfd):
    with replacing(replaced) as pool:
        made = sampler(pool, Dies(tmp_path, 1))
        before = made.state
        for _ in range(2):
            # It cannot be used any more, and says so again.
            with pytest.raises(PoolError, match=r"died.*give the sampler a new one"):
                made.run(60)
        np.testing.assert_equal(made.state, before)
        assert len(os.listdir(tmp_path)) == 1
    assert capfd.readouterr().err == ""


def test_a_foreign_pool_that_replaces_its_workers(monkeypatch):
    """The exit code of a worker is there once, for the pool: a second reader would get 255."""
    workers, readers, poll = set(), set(), popen_forkserver.Popen.poll

    def noted(process, *args):
        if process.returncode is None:
            readers.add(threading.current_thread())
        return poll(process, *args)

    with replacing(2) as pool:
        monkeypatch.setattr(popen_forkserver.Popen, "poll", noted)
        made, other = sampler(pool), sampler()
        for _ in range(6):
            made.run(10)
            workers.update(made.utilisation.workers)
        other.run(60)
        assert bits(made) == bits(other)
        assert readers == {pool._worker_handler}
    assert len(workers) > 4


@pytest.mark.slow
def test_after_repeated_deaths_the_error_names_the_chain(tmp_path):
    made = sampler(InterruptiblePool(2), Dies(tmp_path, 0))
    made.model = Dies(tmp_path, 1000)
    before = made.state
    with pytest.raises(PoolError, match=r"3 workers died.*on chain \d, the last with signal 9"):
        made.run(200)
    np.testing.assert_equal(made.state, before)
    # Each chain dies twice, one a third time; the other worker may die beside it.
    assert 3 <= len(os.listdir(tmp_path)) <= 2 * NCHAINS + 2
    made.pool.close()


def test_a_pool_survives_what_its_workers_do_not(tmp_path):
    with InterruptiblePool(2) as pool:
        made, other = sampler(pool, Dies(tmp_path, 2)), sampler(None, Dies(tmp_path, 0))
        made.run(60)
        other.run(60)
        assert len(os.listdir(tmp_path)) == 2
        assert bits(made) == bits(other)
        with pytest.raises(ZeroDivisionError) as caught:
            pool.map(lambda x: 1 / x, [1, 0, 2])
        assert "in <lambda>" in str(caught.value.__notes__)
        assert pool.map(lambda x: x * x, range(9)) == [x * x for x in range(9)]
        # An idle worker that was killed is replaced.
        for pid in pool.map(lambda _: (time.sleep(0.1), os.getpid())[1], range(2)):
            kill(pid)
        assert pool.map(lambda x: x + 1, range(9)) == list(range(1, 10))


def test_large_messages_and_unpicklable_answers():
    with InterruptiblePool(2) as pool:
        arrays = [np.full(3_000_000, i, float) for i in range(3)]
        for given, array in zip(pool.map(lambda a: a * 2, arrays), arrays, strict=True):
            np.testing.assert_array_equal(given, 2 * array)
        with pytest.raises(TypeError, match="pickle"):
            pool.map(lambda _: threading.Lock(), [0])

        class Odd(Exception):
            def __init__(self, one, two):
                super().__init__(one)

        def fail(x):
            raise Odd(1, 2)

        with pytest.raises(Exception, match="Odd: 1"):
            pool.map(fail, [0])


def test_a_forked_process_has_workers_of_its_own():
    with InterruptiblePool(1) as pool:
        (theirs,) = pool.map(lambda _: os.getpid(), [0])
        reader, writer = multiprocessing.Pipe(duplex=False)

        def child():
            writer.send(pool.map(lambda _: os.getpid(), [0])[0])
            pool.close()

        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        assert reader.poll(60)
        assert reader.recv() != theirs
        process.join()
        assert process.exitcode == 0
        assert pool.map(lambda _: os.getpid(), [0]) == [theirs]


# ---- who is interrupted


@pytest.mark.parametrize("kind", ["own", "executor"])
def test_ctrl_c(tmp_path, kind):
    interrupted_well(interrupting.outcome(tmp_path, kind, signal.SIGINT, 0.2, group=True), kind)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["None", "int", "threads", "thread pool", "spawned executor", "fork", "spawn", "forkserver"]
    + ["schwimmbad"],
)
def test_ctrl_c_on_other_pools(tmp_path, kind):
    interrupted_well(interrupting.outcome(tmp_path, kind, signal.SIGINT, 0.2, group=True), kind)


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_ctrl_c_between_tasks_is_nothing_to_a_worker_of_an_executor(method):
    """Interrupted while it hands over a result it might keep the lock for which all wait."""
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(2, context) as executor:
        made = sampler(executor)
        made.run(20)
        for process in executor._processes.values():
            os.kill(process.pid, signal.SIGINT)
        made.run(20)
    other = sampler()
    other.run(40)
    assert bits(made) == bits(other)


def interrupted_well(outcome, kind):
    """Whether a process was gone after Ctrl-C, with its workers; on our own pool, quietly."""
    assert outcome.code == -signal.SIGINT, outcome
    assert not outcome.orphans, outcome
    assert outcome.out.startswith("ended by KeyboardInterrupt True"), outcome
    if kind in ("own", "int"):
        assert outcome.error.count("Traceback") == 1, outcome.error
        assert outcome.error.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)]
)
def test_no_orphans_of_our_own_pool(tmp_path, number):
    outcome = interrupting.outcome(tmp_path, "own", number, 0.2, group=False)
    assert outcome.code == -number
    assert not outcome.orphans
    assert outcome.error == ""


def test_threads_stop_within_a_step():
    steps = []

    def model(x, y):
        time.sleep(0.01)
        steps.append(x)
        return -x * x - y * y, 0.0

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = sampler(pool, model)
        pressed = interrupting.press_when(lambda: len(steps) > 20)
        with pytest.raises(KeyboardInterrupt):
            made.run(100_000)
        pressed.join()
    # The executor has waited for its threads, of 300,000 steps.
    assert len(steps) < 10_000
    assert made.niterations == 0
    made.pool = None
    made.run(2)


def test_processes_stop_within_a_step(tmp_path):
    def model(x, y):
        time.sleep(0.01)
        (tmp_path / "stepping").touch()
        return -x * x - y * y, 0.0

    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        made = sampler(pool, model)
        # Only this process is told; a worker would have to do its 100,000 steps.
        (tmp_path / "stepping").unlink()
        pressed = interrupting.press_when((tmp_path / "stepping").exists)
        with pytest.raises(KeyboardInterrupt):
            made.run(100_000)
        pressed.join()
        assert pool.submit(os.getpid).result()
        made.run(2)
        assert made.niterations == 2


# ---- what workers can import

NO_GUARD = """
import concurrent.futures, multiprocessing, sys
from epsie.samplers import MetropolisHastingsSampler

def model(x):
    return -x * x, 0.0

context = multiprocessing.get_context("spawn")
kind = sys.argv[1]
pool = 2
if kind == "pool":
    pool = context.Pool(2)
if kind == "executor":
    pool = concurrent.futures.ProcessPoolExecutor(2, mp_context=context)
made = MetropolisHastingsSampler(["x"], model, 2, seed=1, pool=pool)
made.start_position = {"x": [0.0, 0.0]}
made.run(5)
print(made.positions.shape)
"""


def run_script(tmp_path, text, *arguments):
    script = tmp_path / "script.py"
    script.write_text(text)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_a_script_without_a_guard(tmp_path):
    ended = run_script(tmp_path, NO_GUARD, "own")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "(2, 5)\n", "")
    ended = run_script(tmp_path, NO_GUARD, "executor")
    assert ended.returncode == 1
    assert "script.py has no guard: what it does must stand under `if __name__" in ended.stderr
    assert "a worker that imports the main script, which starts a pool in turn" in ended.stderr


@pytest.mark.slow
def test_a_script_without_a_guard_that_makes_a_pool(tmp_path):
    ended = run_script(tmp_path, NO_GUARD, "pool")
    assert ended.returncode == 1
    assert "script.py has no guard: what it does must stand under `if __name__" in ended.stderr
    guarded = NO_GUARD + "\nif __name__ == '__main__':\n    pass\n"
    assert "no guard" not in run_script(tmp_path, guarded, "pool").stderr


def test_workers_that_cannot_import_the_model(tmp_path, monkeypatch):
    (tmp_path / "their_likelihood.py").write_text("def model(x, y):\n    return -x * x, -y * y\n")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        made = sampler(pool)
        monkeypatch.syspath_prepend(str(tmp_path))
        import their_likelihood

        made.model = their_likelihood.model
        with pytest.raises(PoolError) as caught:
            made.run(3)
        text = str(caught.value)
        for word in ("cannot import", "'their_likelihood'", "PYTHONPATH", "register_pickle_by_val"):
            assert word in text
        # Our own workers have the paths of the parent.
        made.pool = 2
        made.run(3)


# ---- threads of linear algebra


def threads_here(_=None):
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones(3) @ np.ones(3)
    return os.environ["OMP_NUM_THREADS"], {part["num_threads"] for part in threadpool_info()}


def test_threads_per_worker():
    def model(x, y):
        import threadpoolctl

        counts = {part["num_threads"] for part in threadpoolctl.threadpool_info()}
        return -x * x - y * y, 0.0, {"threads": max(counts)}

    def seen(pool):
        made = sampler(pool, model)
        made.run(2)
        return set(made.blobs["threads"].ravel())

    assert seen(None) == {1}
    with InterruptiblePool(1, threads_per_worker=2) as pool:
        assert pool.map(threads_here, [0]) == [("2", {2})]
        assert seen(pool) == {2}
    with InterruptiblePool(1) as pool:
        assert pool.map(threads_here, [0]) == [("1", {1})]
        assert seen(pool) == {1}
    with pytest.raises(ValueError, match="threads_per_worker"):
        InterruptiblePool(1, threads_per_worker=0)


def test_a_forked_child_does_not_wait_for_a_lock_of_a_thread():
    from epsie import threads

    taken, done_ = threading.Event(), threading.Event()

    def hold():
        with threads._lock:
            taken.set()
            done_.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait()

    def child():
        with threads.capped():
            pass

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(200)
    done_.set()
    holder.join()
    assert process.exitcode == 0


# ---- how busy workers are


def test_utilisation(caplog):
    def model(x, y):
        time.sleep(0.01)
        return -x * x - y * y, 0.0

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        made = sampler(pool, model, nchains=3)
        with caplog.at_level("INFO", "epsie"):
            made.run(10)
        parts = list(made.utilisation.workers.values())
    assert len(parts) == 2
    assert all(0 < part <= 1 for part in parts)
    assert str(made.utilisation).startswith("2 workers busy")
    assert str(made.utilisation) in caplog.text


def test_utilisation_is_the_part_of_the_time_that_was_spent_in_tasks():
    spent = Utilisation()
    spent.add(1.0, [("one", 0.25), ("other", 0.25), ("one", 0.5)])
    assert spent.workers == {"one": 0.75, "other": 0.25}


def test_utilisation_names_other_hosts(monkeypatch):
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        made = sampler(pool)
        made.run(2)
        (alike,) = made.utilisation.workers
        # To a parent on another host the workers are elsewhere, also one with its own number.
        pid = pool.submit(os.getpid).result()
        monkeypatch.setattr("epsie.execution.dealing.host_and_pid", lambda: ("login", pid))
        made.run(2)
        (other,) = made.utilisation.workers
    assert (alike, other) == (f"process {pid}", f"process {pid} on {platform.node()}")


def test_items_are_dealt_one_at_a_time(tmp_path):
    def work(item):
        # The first takes as long as all others together.
        while item == 0 and len(os.listdir(tmp_path)) < 8:
            time.sleep(0.01)
        (tmp_path / f"{item}").touch()
        return os.getpid()

    with InterruptiblePool(2) as pool:
        who = pool.map(work, range(9))
    assert len(set(who[1:])) == 1 and who[0] != who[1]
