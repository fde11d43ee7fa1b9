"""What ArviZ gets of samplers and runs, and what it can do with it: ArviZ 0.x and 1.x."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest

import epsie
from epsie.proposals import (
    Angular,
    ATAdaptiveNormal,
    NestedTransdimensional,
    Normal,
    NormalBirth,
    NormalDiscrete,
)
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

ROOT = Path(__file__).parent.parent

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what ArviZ says of itself when it is imported
    arviz = pytest.importorskip("arviz")
    import xarray

from epsie.results.arviz import save_arviz  # noqa: E402


def model(x, y):
    pointwise = np.array([-0.5 * x * x, -0.5 * y * y])
    return pointwise.sum(), 0.0, {"sum": x + y, "pointwise": pointwise, "right": x > 0}


def nested_model(k, a, b):
    return 0.0, -0.5 * sum(x * x for x in (a, b) if x == x)


@pytest.fixture(scope="module")
def plain():
    names = ["x", "y"]
    made = MetropolisHastingsSampler(names, model, 4, ATAdaptiveNormal(names, 100), seed=2)
    made.start_position = {"x": [-1.0, 0.0, 1.0, 2.0], "y": [0.0, 1.0, 2.0, -1.0]}
    made.run(500)
    return made


@pytest.fixture(scope="module")
def nested():
    births = [NormalBirth(name, {name: 0}, {name: 1}) for name in "ab"]
    proposal = NestedTransdimensional(
        list("kab"), NormalDiscrete("k"), [Normal("a"), Normal("b")], births
    )
    made = MetropolisHastingsSampler(list("kab"), nested_model, 4, proposal, seed=2)
    made.start_position = {"k": [1, 1, 2, 0], "a": [0, nan, 0, nan], "b": [nan, 0, 0, nan]}
    made.run(300)
    return made


@pytest.fixture(scope="module")
def tempered(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tempered") / "run"
    betas = [1, 0.3]
    proposals = [ATAdaptiveNormal("x", 50), Angular("y")]
    made = ParallelTemperedSampler(["x", "y"], model, 4, betas, 2, proposals, seed=2**100)
    made.start_position = dict.fromkeys("xy", np.ones((2, 4)))
    made.run(150, directory=directory, every=40, thin=2)
    return epsie.open_run(directory)


def groups(tree):
    """The names of all groups."""
    names = tree.groups() if callable(tree.groups) else tree.groups
    return {name.strip("/") for name in names} - {""}


def same(a, b):
    """Whether two trees hold the same, bit for bit."""
    assert groups(a) == groups(b)
    for name in groups(a):
        mine, other = a[name], b[name]
        assert set(mine.data_vars) == set(other.data_vars)
        for variable in (*mine.data_vars, *mine.coords):
            x, y = mine[variable], other[variable]
            assert x.dims == y.dims and x.dtype == y.dtype
            if x.values.tobytes() != y.values.tobytes():
                return False
    return True


def test_the_groups_of_a_sampler(plain):
    tree = plain.to_arviz()
    kinds = ["posterior", "sample_stats", "blobs"]
    assert groups(tree) == {*kinds, *(f"warmup_{kind}" for kind in kinds)}
    assert type(tree) is (
        arviz.InferenceData if arviz.__version__.startswith("0.") else xarray.DataTree
    )
    posterior, warmup = tree["posterior"], tree["warmup_posterior"]
    assert posterior["x"].dims == ("chain", "draw")
    assert posterior["draw"].values.tolist() == list(range(101, 501))
    assert warmup["draw"].values.tolist() == list(range(1, 101))
    whole = np.concatenate([warmup["y"], posterior["y"]], axis=1)
    assert whole.tobytes() == plain.positions["y"].tobytes()
    stats = tree["sample_stats"]
    assert set(stats.data_vars) == {"lp", "logl", "logp", "acceptance_rate", "accepted"}
    np.testing.assert_array_equal(stats["lp"], plain.stats["logl"][:, 100:])
    np.testing.assert_array_equal(stats["accepted"], plain.acceptance["accepted"][:, 100:])
    assert stats["accepted"].dtype == bool
    assert tree["blobs"]["pointwise"].shape == (4, 400, 2)
    assert tree["blobs"]["sum"].dims == ("chain", "draw")
    assert tree.attrs["seed"] == "2" and tree.attrs["tuning_steps"] == 100
    assert json.loads(tree.attrs["proposals"])[0]["class"] == "ATAdaptiveNormal"
    assert json.loads(tree.attrs["versions"])["numpy"] == np.__version__
    assert tree["posterior"].attrs["inference_library"] == "epsie"


def test_burn_in(plain):
    assert plain.to_arviz(burn_in=0)["posterior"].sizes["draw"] == 500
    assert "warmup_posterior" not in groups(plain.to_arviz(burn_in=0))
    assert plain.to_arviz(burn_in=499)["posterior"].sizes["draw"] == 1
    with pytest.raises(ValueError, match="no samples are left: burn_in is iteration 500"):
        plain.to_arviz(burn_in=500)
    with pytest.raises(ValueError, match="burn_in must be at least 0"):
        plain.to_arviz(burn_in=-1)
    early = MetropolisHastingsSampler("x", lambda x: (0.0, 0.0), 1, ATAdaptiveNormal("x", 99))
    early.start_position = {"x": [0.0]}
    early.run(99)
    tree, summary = early.to_arviz(), early.summary()
    assert tree["posterior"].sizes["draw"] == summary.ndraws == 99 - summary.burn_in
    assert tree.attrs["burn_in"] == summary.burn_in < 99
    assert tree.attrs["burn_in_is"] == summary.burn_in_is


def test_groups_of_blobs(plain):
    tree = plain.to_arviz(blob_groups={"pointwise": "log_likelihood", "sum": "posterior"})
    assert set(tree["blobs"].data_vars) == {"right"}
    assert set(tree["posterior"].data_vars) == {"x", "y", "sum"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # made-up likelihoods
        assert np.isfinite(arviz.loo(tree).se)
    with pytest.raises(ValueError, match="no blobs z; there are sum, pointwise, right"):
        plain.to_arviz(blob_groups={"z": "posterior"})


def test_names_that_clash():
    def odd(draw):
        return 0.0, 0.0, {"draw": draw}

    made = MetropolisHastingsSampler("draw", odd, 2, seed=1)
    made.start_position = {"draw": [0.0, 1.0]}
    made.run(5)
    with pytest.raises(ValueError, match="has the name of something else in its group"):
        made.to_arviz(blob_groups={"draw": "posterior"})


def test_hot_temperatures(tempered):
    tree = tempered.to_arviz()
    cold = {"posterior", "sample_stats", "blobs"}
    hot = {f"{group}_t1" for group in cold}
    assert groups(tree) == {prefix + name for prefix in ("", "warmup_") for name in cold | hot}
    assert groups(tempered.to_arviz(hot=False)) == {*cold, *(f"warmup_{name}" for name in cold)}
    assert tree["posterior"]["draw"].values.tolist() == list(range(52, 151, 2))
    assert tree["posterior_t1"]["beta"].values.tolist() == [0.3] * 4
    np.testing.assert_array_equal(tree["posterior_t1"]["x"], tempered.positions["x"][1, :, 25:])
    assert "lp" not in tree["sample_stats_t1"].data_vars
    assert json.loads(tree.attrs["betas"]) == [[1, 0.3]] * 4
    assert tree.attrs["seed"] == str(2**100) and tree.attrs["thin"] == 2


@pytest.mark.filterwarnings("ignore")  # of what ArviZ itself uses
def test_what_arviz_makes_of_it(plain, nested, tempered):
    import matplotlib

    matplotlib.use("Agg")
    for source, names in ((plain, "xy"), (nested, "k"), (tempered, "xy")):
        tree = source.to_arviz()
        table = arviz.summary(tree, var_names=list(names), round_to="none")
        assert list(table.index) == list(names)
        mean = tree["posterior"][names[0]].values.mean()
        assert float(table["mean"].iloc[0]) == pytest.approx(mean)
        assert arviz.plot_trace(tree, var_names=list(names)) is not None
        assert arviz.plot_rank(tree, var_names=list(names)) is not None
    assert len(arviz.summary(tree, group="posterior_t1")) == 2
    matplotlib.pyplot.close("all")


@pytest.mark.in_part(2, "slow")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["nc", "zarr"])
def test_round_trips(tmp_path, nested, tempered, kind):
    if kind == "zarr":
        pytest.importorskip("zarr")
    for i, source in enumerate((nested, tempered)):
        tree, path = source.to_arviz(), str(tmp_path / f"{i}.{kind}")
        save_arviz(tree, path)
        back = xarray.open_datatree(path, engine="zarr" if kind == "zarr" else "h5netcdf")
        assert same(tree, back)
        for name, value in tree.attrs.items():
            assert back.attrs[name] == value
        if kind == "nc":
            assert same(tree, arviz.from_netcdf(path))
        spoilt = back.copy(deep=True) if hasattr(back, "copy") else back
        spoilt["posterior"][source.parameters[0]].values[0, 0] += 1
        assert not same(tree, spoilt)


def test_inactive_parameters_stay_nan(nested, tmp_path):
    tree = nested.to_arviz(burn_in=0)
    a = nested.positions["a"]
    assert 0.1 < np.isnan(a).mean() < 0.9
    assert tree["posterior"]["k"].dtype == np.int64
    save_arviz(tree, str(tmp_path / "a.nc"))
    back = xarray.open_datatree(str(tmp_path / "a.nc"), engine="h5netcdf")
    np.testing.assert_array_equal(np.isnan(back["posterior"]["a"].values), np.isnan(a))
    active = (~np.isnan(back["posterior"]["a"])).astype(int) + ~np.isnan(back["posterior"]["b"])
    np.testing.assert_array_equal(active, back["posterior"]["k"])


def test_without_likelihood_at_beta_zero():
    made = ParallelTemperedSampler("x", lambda x: (0.0 if x > 0 else -inf, 0.0), 2, [1, 0], seed=1)
    made.start_position = {"x": [[1.0, 1.0], [-1.0, -1.0]]}
    made.run(50)
    assert np.isinf(made.to_arviz()["sample_stats_t1"]["logl"]).any()


def test_what_is_no_source():
    with pytest.raises(TypeError, match="takes a sampler or what epsie.open_run gives; got 'run'"):
        epsie.results.arviz.to_arviz("run")


def other_python():
    """An interpreter with the other kind of ArviZ: 1.x needs Python 3.12."""
    wanted = ["3.12", "3.13", "3.14"] if sys.version_info < (3, 12) else ["3.11"]
    given = os.environ.get("EPSIE_OTHER_PYTHON")
    found = [given] if given else [shutil.which(f"python{version}") for version in wanted]
    # A shim may be there without what it stands for.
    return next(filter(works, found), "")


def works(python):
    return (
        python and not subprocess.run([python, "-m", "venv", "-h"], capture_output=True).returncode
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_other_arviz(tmp_path):
    python = other_python()
    if not python:
        pytest.skip("no Python of the other kind at hand; name one in EPSIE_OTHER_PYTHON")
    subprocess.run([python, "-m", "venv", str(tmp_path / "env")], check=True)
    inside = tmp_path / "env" / "bin" / "python"
    subprocess.run([inside, "-m", "pip", "install", "-q", f"{ROOT}[test]"], check=True)
    code = "import arviz; print(arviz.__version__[:2])"
    asked = [inside, "-W", "ignore", "-c", code]
    other = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    assert (other == "0.\n") != arviz.__version__.startswith("0.")
    tests = [inside, "-m", "pytest", "-n", "0", "tests/test_arviz.py"]
    done = subprocess.run(tests, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
