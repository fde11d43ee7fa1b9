"""Draws as arrays, and the best point."""

import numpy as np
import pytest

import epsie
from epsie.proposals import Normal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler


def model(x, y):
    return -0.5 * (x * x + y * y), 0.0, {"sum": x + y, "pair": np.array([x, y])}


def made(tmp_path=None):
    proposals = [Normal(["x", "y"], cov=2.0)]
    sampler = MetropolisHastingsSampler(["x", "y"], model, 3, proposals=proposals, seed=2)
    sampler.start_position = {"x": [0.0, 1.0, 2.0], "y": [0.0, 1.0, 2.0]}
    sampler.run(400, **({} if tmp_path is None else {"directory": tmp_path / "run", "keep": True}))
    return sampler


def test_draws_of_a_sampler_and_of_its_directory_are_the_same(tmp_path):
    sampler = made(tmp_path)
    opened = epsie.open_run(tmp_path / "run")
    for settings in (
        {},
        {"burn_in": 100},
        {"burn_in": 100, "thin": 7},
        {"burn_in": 50, "thin": "acl", "flat": True},
        {"burn_in": 10, "blobs": True, "parameters": "x"},
    ):
        mine, theirs = sampler.draws(**settings), opened.draws(**settings)
        assert list(mine) == list(theirs)
        for name, column in mine.items():
            assert (column == theirs[name]).all()
        assert (mine.logl == theirs.logl).all()
        assert mine.burn_in == theirs.burn_in


def test_they_are_the_rows_that_were_asked_for():
    sampler = made()
    positions = sampler.positions
    draws = sampler.draws(burn_in=100)
    assert draws["x"].shape == (3, 300)
    assert (draws["x"] == positions["x"][:, 100:]).all()
    assert (draws.logl == sampler.stats["logl"][:, 100:]).all()
    thinned = sampler.draws(burn_in=100, thin=7)
    assert (thinned["x"] == positions["x"][:, 104::7]).all()
    assert thinned.spacing == 7
    flat = sampler.draws(burn_in=100, flat=True, blobs=True)
    assert list(flat) == ["x", "y", "sum", "pair[0]", "pair[1]"]
    assert flat.array().shape == (900, 5)
    assert (flat["sum"] == flat["x"] + flat["y"]).all()
    assert sampler.draws(burn_in=100).array().shape == (3, 300, 2)
    longest = max(float(of.max()) for of in sampler.autocorrelation_length(100).values())
    assert sampler.draws(burn_in=100, thin="acl").spacing == int(np.ceil(longest))


def test_the_hotter_draws_on_demand():
    sampler = ParallelTemperedSampler(["x", "y"], model, 2, [1, 0.1], seed=2)
    sampler.draw_start({"x": (-1, 1), "y": (-1, 1)})
    sampler.run(200)
    hot = sampler.draws(burn_in=20, temperature=1)
    assert (hot["x"] == sampler.positions["x"][1, :, 20:]).all()


def test_tables_of_pandas():
    pandas = pytest.importorskip("pandas")
    table = made().draws(burn_in=100).to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert table.index.names == ["chain", "draw"]
    assert len(table) == 900
    assert list(made().draws(burn_in=100, flat=True).to_pandas().columns) == ["x", "y"]


def test_the_best_point():
    sampler = made()
    best = sampler.maximum_a_posteriori()
    total = sampler.stats["logl"] + sampler.stats["logp"]
    at = np.unravel_index(total.argmax(), total.shape)
    assert best["x"] == sampler.positions["x"][at]
    assert best["logl"] == sampler.stats["logl"][at]
    assert type(best["x"]) is float


def test_what_is_refused():
    sampler = made()
    with pytest.raises(ValueError, match="thin must be a number of iterations or 'acl'"):
        sampler.draws(thin="all")
    with pytest.raises(ValueError, match="no samples are left"):
        sampler.draws(burn_in=400)
    with pytest.raises(ValueError, match="no draw is left"):
        sampler.draws(burn_in=100, thin=1000)
    with pytest.raises(ValueError, match="must be of x, y"):
        sampler.draws(parameters="z")
