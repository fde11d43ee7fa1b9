"""What an import costs, and what it drags in."""

import subprocess
import sys

HEAVY = ("scipy", "h5py", "mpi4py", "matplotlib", "arviz_stats", "randomgen", "tqdm")


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_heavy_packages_are_imported_where_they_are_used():
    found = run(
        "import sys, epsie, epsie.samplers, epsie.chain, epsie.proposals\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert found == "[]"


def test_a_run_imports_none_of_the_heaviest():
    found = run(
        "import sys\n"
        "from epsie.samplers import MetropolisHastingsSampler as S\n"
        "s = S('x', lambda x: (-x * x, 0.0), 2); s.start_position = {'x': [0, 0]}; s.run(5)\n"
        "print([name for name in ('scipy.stats', 'matplotlib', 'h5py') if name in sys.modules])"
    )
    assert found == "[]"


def test_names_are_found_from_the_top():
    import epsie

    for name in epsie.__all__:
        assert getattr(epsie, name) is not None
        assert name in dir(epsie)
    assert run("import epsie; print(epsie.samplers.MetropolisHastingsSampler.name)")
    assert run("import epsie; print(hasattr(epsie, 'nothing'))") == "False"
