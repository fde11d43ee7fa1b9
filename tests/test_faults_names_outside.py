"""Names that libraries, files, pictures and terminals do not take are changed on the way out."""

import json
import logging

import numpy as np
import pytest

import epsie
from epsie.cli import main
from epsie.results.naming import outward
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler

ODD = [
    *(
        "chain",
        "draw",
        "beta",
        "chain_",
        "a/b",
        "a_b",
        "a\\b",
        r"$\foo$",
        "$",
        "x$y$z$",
        r"$\alpha$",
    ),
    *(" ", ".", "..", ".zattrs", "zarr.json", "__x", "a\nb", "a\x00b", "\x1b[31mred", "a\ud800"),
    *(
        "é" * 150,
        "é" * 151,
        "日本",
        "x_dim_0",
        "active(x)",
        "log Z",
        "iterations",
        "positions",
        "%s{}",
    ),
]


def model(**x):
    values = list(x.values())
    blob = {name: values[0] + i for i, name in enumerate(ODD)}
    # Its own dimensions have the name of a parameter and of a blob.
    return -0.5 * sum(v * v for v in values), 0.0, {**blob, "x": np.array([values[0], 1.0])}


def run_of(names, directory, tempered=False, n=60):
    cls, args = MetropolisHastingsSampler, ()
    shape = (2,)
    if tempered:
        cls, args, shape = ParallelTemperedSampler, ([1, 0],), (2, 2)
    sampler = cls(names, model, 2, *args, seed=1)
    sampler.start_position = {name: np.zeros(shape) + 0.1 * i for i, name in enumerate(names)}
    sampler.run(n, directory=directory, keep=True)
    return sampler


@pytest.fixture(scope="module", params=[False, True])
def odd(request, tmp_path_factory):
    directory = tmp_path_factory.mktemp("odd") / "run"
    return run_of(ODD, directory, request.param), directory


def test_what_they_become():
    names = ["a/b", "a_b", "a\\b", "chain", "chain_", ".", "m", "M"]
    assert list(outward(names, ("chain",)).values()) == [
        *("a_b_", "a_b", "a_b__", "chain__", "chain_", "_.", "m", "M")
    ]
    found = outward(ODD)
    assert len(set(found.values())) == len(ODD)
    assert all(len(name.encode()) < 255 for name in found.values())


def test_arviz(odd, caplog):
    pytest.importorskip("arviz")
    sampler, directory = odd
    for source in (sampler, epsie.open_run(directory)):
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="epsie"):
            tree = source.to_arviz(10)
        renamed = json.loads(tree.attrs["renamed"])
        assert renamed["posterior"]["chain"] == "chain__"
        assert renamed["posterior"]["a/b"] == "a_b_"
        assert renamed["blobs"] == renamed["posterior"]
        assert ("beta" in renamed["posterior"]) == (sampler.positions.ndim == 3)
        assert "a/b of the posterior is called a_b_ there" in caplog.messages
        cold = sampler.positions[0] if sampler.positions.ndim == 3 else sampler.positions
        for name in ODD:
            outside = renamed["posterior"].get(name, name)
            np.testing.assert_array_equal(tree["posterior"][outside], cold[name][:, 10:])
            np.testing.assert_array_equal(
                tree["warmup_blobs"][outside], cold[ODD[0]][:, :10] + ODD.index(name)
            )
        assert tree["blobs"]["x"].dims == ("chain", "draw", "x_dim_0_")


@pytest.mark.parametrize("ending", [".nc", ".zarr", ".h5"])
@pytest.mark.in_part(2)
def test_export(odd, ending, tmp_path, capsys):
    sampler, directory = odd
    pytest.importorskip("h5py" if ending == ".h5" else "arviz")
    if ending == ".zarr":
        pytest.importorskip("zarr")
    path = tmp_path / f"out{ending}"
    with pytest.raises(SystemExit) as ended:
        main(["export", str(directory), str(path), "--burn-in", "10"])
    out, err = capsys.readouterr()
    assert ended.value.code == 0
    assert out == f"{path}\n"
    assert "a_b_" in err
    assert err.startswith("epsie: renamed: {")
    if ending == ".h5":
        import h5py

        with h5py.File(path) as file:
            renamed = json.loads(file.attrs["renamed"])["positions"]
            found = {name: file["positions"][renamed.get(name, name)][()] for name in ODD}
            assert len(file["blobs"]) == len(ODD) + 1
        assert "chain" not in renamed
    else:
        import xarray

        tree = xarray.open_datatree(path, engine="zarr" if ending == ".zarr" else None)
        renamed = json.loads(tree.attrs["renamed"])["posterior"]
        found = {name: tree["posterior"][renamed.get(name, name)].values for name in ODD}
        tree.close()
    for name in ODD:
        kept = sampler.positions[name]
        if ending != ".h5":
            kept = (kept[0] if kept.ndim == 3 else kept)[:, 10:]
        np.testing.assert_array_equal(found[name], kept)


def test_nothing_is_said_of_other_names(tmp_path, caplog):
    pytest.importorskip("arviz")
    sampler = MetropolisHastingsSampler("x", lambda x: (-x * x, 0.0, {"s b": 1}), 2, seed=1)
    sampler.start_position = {"x": [0.0, 1.0]}
    sampler.run(20)
    assert "renamed" not in sampler.to_arviz(0).attrs
    assert not caplog.records


def test_pictures(tmp_path):
    plots = pytest.importorskip("epsie.plots")
    sampler = run_of(ODD, tmp_path / "run")
    some = [
        "a/b",
        r"$\foo$",
        "$",
        "x$y$z$",
        r"$\alpha$",
        "a\nb",
        "a\x00b",
        "a\ud800",
        "\x1b[31mred",
    ]
    labels = {"a/b": r"$\frac{a}$", "$": r"$\frac{a}{b}$"}
    for draw in (plots.corner, plots.adaptation, plots.trace):
        figure = draw(sampler, some, labels=labels)
        figure.savefig(tmp_path / "picture.png")
    titles = [axes.get_title(loc="left") for axes in figure.axes[::2]]
    assert titles[0] == r"\$\frac{a}\$"
    assert titles[1:5] == [r"\$\foo\$", r"$\frac{a}{b}$", r"x\$y\$z\$", r"$\alpha$"]
    assert titles[5:9] == [r"a\nb", r"a\x00b", r"a\ud800", r"\x1b[31mred"]


def test_tables_and_commands(odd, capsys):
    sampler, directory = odd
    table = str(sampler.summary(0, blobs=True))
    assert "\x1b" not in table
    assert len(table.split("\n\n")[1].splitlines()) == 1 + 2 * len(ODD) + 2
    assert table == str(epsie.open_run(directory).summary(0, blobs=True))
    for command in (["info"], ["summary", "--blobs"], ["summary", "--parameters", "a/b,chain"]):
        with pytest.raises(SystemExit) as ended:
            main([command[0], str(directory), *command[1:]])
        out, _ = capsys.readouterr()
        assert ended.value.code == 0
        assert "chain" in out
        assert "\x1b" not in out
        assert "a\nb" not in out
    assert "\n" not in repr(sampler)


def test_activity_has_a_name_of_its_own():
    draws = {"x": np.array([[1.0, np.nan] * 10] * 2), "active(x)": np.ones((2, 20))}
    found = epsie.diagnostics.summarise(draws)
    assert found.parameters == ("x", "active(x)'", "active(x)")
    assert found.mean["active(x)'"] == 0.5
    assert found.mean["active(x)"] == 1.0
