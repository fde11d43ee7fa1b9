"""Derived quantities, and what is known of tempered runs: in tables, pictures and commands."""

import numpy as np
import pytest

from epsie import open_run
from epsie.cli import main
from epsie.errors import CheckpointError
from epsie.proposals import Normal
from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from epsie.storage.rundir.source import DirectorySource
from tests.statistical import seed

LOG_Z = -0.5 * np.log(2 * np.pi) * 2 - 0.5 * np.log(2) * 2
"""Of a unit normal likelihood's square, normalised, under a unit normal prior, at data 0."""


def model(a, b):
    logl = -0.5 * (a * a + b * b) - np.log(2 * np.pi)
    blob = {
        "sum": a + b,
        "ratio[0]": 1.0,
        "positive": a > 0,
        "pair": np.array([a - b, a * b]),
        "matrix": np.array([[1, 2], [3, a]]),
        "a": 2 * a,
        "name": "text",
        "z": a + 1j * b,
        "long": np.full(17, b),
    }
    return logl, logl, blob


def started(sampler, *shape):
    rng = np.random.default_rng(seed())
    sampler.start_position = {name: rng.normal(size=shape) for name in ("a", "b")}
    return sampler


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    where = tmp_path_factory.mktemp("plain") / "run"
    names = ["a", "b"]
    sampler = started(MetropolisHastingsSampler(names, model, 4, Normal(names), seed=seed()), 4)
    sampler.run(400, directory=where, every=150, keep=True)
    return sampler, where


@pytest.fixture(scope="module")
def tempered(tmp_path_factory):
    where = tmp_path_factory.mktemp("tempered") / "run"
    betas = [1, 0.5, 0.2, 0]
    sampler = started(ParallelTemperedSampler(("a", "b"), model, 3, betas, seed=seed()), 4, 3)
    sampler.run(2000, directory=where)
    return sampler, where


def told(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([*map(str, arguments)])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def test_derived_numbers_are_in_the_summary(plain):
    sampler, where = plain
    found = sampler.summary(100, blobs=True)
    assert found.parameters == (
        *("a", "b", "sum", "ratio[0]", "positive", "pair[0]", "pair[1]"),
        *("matrix[0,0]", "matrix[0,1]", "matrix[1,0]", "matrix[1,1]", "a (blob)"),
    )
    draws, blobs = sampler.positions[:, 100:], sampler.blobs[:, 100:]
    assert found.mean["sum"] == pytest.approx((draws["a"] + draws["b"]).mean(), rel=1e-12)
    assert found.mean["pair[1]"] == pytest.approx((draws["a"] * draws["b"]).mean(), rel=1e-12)
    assert found.mean["positive"] == pytest.approx((draws["a"] > 0).mean(), rel=1e-12)
    assert found.mean["a (blob)"] == pytest.approx(2 * found.mean["a"], rel=1e-12)
    assert found.mean["matrix[1,1]"] == blobs["matrix"][..., 1, 1].mean()
    assert found.ess_bulk["sum"] > 10
    (out,) = [text for text in found.warnings if "left out" in text]
    assert out.endswith("name (text), z (complex), long (17 numbers; shown if named)")
    assert str(open_run(where).summary(100, blobs=True)) == str(found)


def test_without_being_asked_for_they_are_not(plain):
    assert plain[0].summary(100).parameters == ("a", "b")


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"blobs": "sum"}, ("a", "b", "sum")),
        ({"blobs": ["pair"]}, ("a", "b", "pair[0]", "pair[1]")),
        ({"parameters": ["sum", "b"]}, ("sum", "b")),
        ({"parameters": "pair[1]"}, ("pair[1]",)),
        ({"parameters": "a", "blobs": "a (blob)"}, ("a", "a (blob)")),
        ({"parameters": "ratio[0]", "blobs": ["matrix[1,1]"]}, ("ratio[0]", "matrix[1,1]")),
        ({"blobs": "long"}, ("a", "b", *[f"long[{i}]" for i in range(17)])),
    ],
)
def test_by_name(plain, settings, names):
    sampler, where = plain
    for source in (sampler, open_run(where)):
        assert source.summary(0, **settings).parameters == names


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"blobs": "name"}, "the blob 'name' is text"),
        ({"parameters": ["a", "z"]}, "the blob 'z' is complex"),
        ({"blobs": "nothing"}, "there is no blob 'nothing'; there are sum, "),
        ({"parameters": "pair[2]"}, r"parameters must be of a, b; got pair\[2\]"),
    ],
)
def test_what_is_no_number_is_refused(plain, settings, text):
    for source in (plain[0], open_run(plain[1])):
        with pytest.raises(ValueError, match=text):
            source.summary(0, **settings)


def test_a_derived_angle(plain):
    found = plain[0].summary(0, parameters=["sum", "a"], angular={"sum": 360.0, "b": 7.0})
    assert 0 <= found.mean["sum"] < 360


def test_a_run_without_blobs():
    sampler = MetropolisHastingsSampler("x", lambda x: (-x * x, 0.0), 2, seed=1)
    sampler.start_position = {"x": [0.0, 1.0]}
    sampler.run(50)
    assert sampler.summary(0, blobs=True).parameters == ("x",)
    with pytest.raises(ValueError, match="there is no blob 'y'; there are none"):
        sampler.summary(0, blobs=["y"])


def test_pictures_of_derived_numbers(plain):
    plots = pytest.importorskip("epsie.plots")
    names = ["a", "sum", "pair"]
    for source in (plain[0], open_run(plain[1])):
        corner = plots.corner(source, names, burn_in=100, labels={"sum": "a plus b"})
        assert len(corner.axes) == 10
        assert [axes.get_xlabel() for axes in corner.axes[-4:]] == [
            *("a", "a plus b", "pair[0]", "pair[1]")
        ]
        assert len(plots.trace(source, names).axes) == 10
        with pytest.raises(ValueError, match="is text"):
            plots.corner(source, ["name"])


def test_at_the_command_line(plain, tmp_path, capsys):
    code, out, _ = told(capsys, "summary", plain[1], "--burn-in", 100, "--blobs")
    assert (code, out) == (0, f"{plain[0].summary(100, blobs=True)}\n")
    names = "b,matrix[1,1],sum"
    code, out, _ = told(capsys, "summary", plain[1], "--burn-in", 9, "--parameters", names)
    assert (code, out) == (0, f"{plain[0].summary(9, parameters=['b', 'matrix[1,1]', 'sum'])}\n")
    code, _, err = told(capsys, "summary", plain[1], "--parameters", "name")
    assert code == 1
    assert "is text" in err
    pytest.importorskip("matplotlib")
    pictures = ("--only", "corner", "trace", "--parameters", "b,sum", "--blobs")
    code, out, _ = told(capsys, "plot", plain[1], "-o", tmp_path / "pictures", *pictures)
    assert code == 0
    assert len(out.splitlines()) == 2


def test_a_tempered_run_tells_its_evidence_and_round_trips(tempered, capsys):
    sampler, where = tempered
    found = sampler.log_evidence(burn_in=500)
    assert abs(found.log_z - LOG_Z) < 5 * found.standard_error
    facts = dict(sampler.summary(500).facts)
    assert "(mbar, draws after iteration 500" in facts["log Z"]
    value, _, error = facts["log Z"].split()[:3]
    assert float(value) == pytest.approx(found.log_z, abs=0.1 * found.standard_error)
    assert float(error) == pytest.approx(found.standard_error, rel=0.1)
    trips = sampler.round_trips
    assert facts["swaps"].startswith(
        f"{trips.sum()} round trips, {trips.min()} to {trips.max()} of"
    )
    assert open_run(where).summary(500).facts == sampler.summary(500).facts
    for command in ("summary", "info"):
        _, out, _ = told(capsys, command, where)
        assert dict(sampler.summary().facts)["log Z"] in out
        assert f"{trips.sum()} round trips, " in out


def test_hot_derived_numbers(tempered):
    sampler, where = tempered
    hot = sampler.summary(500, temperature=3, parameters="sum")
    assert hot.sd["sum"] == pytest.approx(np.sqrt(2), rel=0.2)
    assert str(open_run(where).summary(500, temperature=3, parameters="sum")) == str(hot)


@pytest.mark.parametrize(
    ("betas", "iterations", "text"),
    [
        ([1, 0.5, 0.1], 100, "not known: the evidence needs a ladder from beta = 1"),
        ([1, 0.5, 0], 9, "not known: too few samples are left"),
    ],
)
def test_why_there_is_no_evidence(betas, iterations, text, tmp_path, capsys):
    sampler = started(ParallelTemperedSampler(("a", "b"), model, 2, betas, seed=1), 3, 2)
    sampler.run(iterations, directory=tmp_path / "run")
    assert dict(sampler.summary(0).facts)["log Z"].startswith(text)
    for command in ("summary", "info"):
        code, out, _ = told(capsys, command, tmp_path / "run")
        assert code == 0
        assert text in out


def test_info_of_a_run_that_cannot_be_read_whole(tempered, capsys, monkeypatch):
    def damaged(*args):
        raise CheckpointError("damaged")

    monkeypatch.setattr(DirectorySource, "sweeps", damaged)
    code, out, _ = told(capsys, "info", tempered[1])
    assert code == 0
    assert "log Z       not known: damaged" in out


def test_a_plain_run_tells_neither(plain, capsys):
    assert [name for name, _ in plain[0].summary(0).facts] == ["evaluations"]
    for command in ("summary", "info"):
        assert "log Z" not in told(capsys, command, plain[1])[1]
