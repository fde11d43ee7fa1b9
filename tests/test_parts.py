"""Several runs as one: parts of one run bit for bit, and independent runs side by side."""

import numpy as np
import pytest
from scipy import stats

import epsie
from epsie import MetropolisHastingsSampler, ParallelTemperedSampler, Posterior, Prior
from epsie.cli.commands import main
from epsie.errors import RunDirectoryError
from epsie.proposals import ATAdaptiveNormal, Learned, NormalDiscrete, SSAdaptiveBoundedDiscrete
from epsie.storage.rundir.merging import merge
from epsie.storage.rundir.source import DirectorySource
from epsie.storage.rundir.states import last_state
from epsie.storage.statetree import encode
from epsie.tempering.annealing import DynamicalAnnealer

POSTERIOR = Posterior(
    lambda x, y, k: -x * x / 2 - (y - k) ** 2,
    Prior(x=(-5, 5), y=stats.norm(0, 3), k=stats.randint(0, 4)),
)


def with_blob(x, y, k):
    """The posterior with a blob whose text has other lengths in other chains."""
    logl, logp = POSTERIOR(x=x, y=y, k=k)
    return logl, logp, {"sum": x + y, "sign": "positive" if x > 0 else "no"}


def alone(settings):
    """Settings with which each chain learns alone, as in a part of a run it must."""
    parts = [ATAdaptiveNormal(["x", "y"], None), NormalDiscrete("k")]
    return {"proposals": parts, **settings}


def plain(nchains=8, seed=5, model=POSTERIOR, **settings):
    return MetropolisHastingsSampler(
        POSTERIOR.parameters, model, nchains, seed=seed, **alone(settings)
    )


def tempered(nchains=8, seed=5, model=POSTERIOR, **settings):
    ladder = {"betas": [1, 0.3, 0], "adaptive_annealer": DynamicalAnnealer(50, duration=60)}
    settings = alone({**ladder, "swap_interval": 3, **settings})
    return ParallelTemperedSampler(POSTERIOR.parameters, model, nchains, seed=seed, **settings)


def run(made, directory, n=90, prior=None):
    if prior is not None:
        made.draw_start(prior)
    made.run(total=n, directory=directory, every=32)
    return made


def same(a, b):
    for table in ("positions", "stats", "acceptance", "blobs"):
        x, y = getattr(a, table), getattr(b, table)
        assert (x is None) == (y is None)
        assert x is None or (x.dtype == y.dtype and np.array_equal(x, y)) or nan_equal(x, y)
    history = zip(a.adaptation_history, b.adaptation_history, strict=True)
    assert all(np.array_equal(x, y, equal_nan=True) for x, y in history)
    if a.ntemps:
        assert np.array_equal(a.temperature_swaps, b.temperature_swaps)
        assert np.array_equal(a.temperature_acceptance, b.temperature_acceptance)
        assert np.array_equal(a.betas, b.betas)


def nan_equal(x, y):
    return all(
        np.array_equal(x[name], y[name], equal_nan=x[name].dtype.kind == "f")
        for name in x.dtype.names
    )


@pytest.mark.parametrize(("sampler", "model"), [(plain, POSTERIOR), (tempered, with_blob)])
def test_parts_are_bit_for_bit_one_run(tmp_path, sampler, model):
    prior = None if model is POSTERIOR else POSTERIOR.prior
    whole, parts = tmp_path / "whole", [tmp_path / "a", tmp_path / "b"]
    run(sampler(model=model), whole, prior=prior)
    for directory, chains in zip(parts, [(5, 0, 2), [1, 3, 4, 6, 7]], strict=True):
        run(sampler(model=model, chains=chains), directory, prior=prior)
    expected, found = epsie.open_run(whole), epsie.open_run(parts[::-1])
    same(expected, found)
    assert str(found.summary()) == str(expected.summary())
    merge(tmp_path / "merged", parts)
    merged = epsie.open_run(tmp_path / "merged")
    same(expected, merged)
    assert encode(last_state(tmp_path / "merged")[1]) == encode(last_state(whole)[1])
    other = {"run"} | {"every"}
    assert {k: encode(v) for k, v in merged.manifest.items() if k not in other} == {
        k: encode(v) for k, v in expected.manifest.items() if k not in other
    }
    # Both go on alike, and so does a part.
    ends = [type(sampler(1)).resume(directory, model) for directory in (whole, tmp_path / "merged")]
    for again in (*ends, part := type(sampler(1)).resume(parts[0], model)):
        again.run(20)
    assert encode(ends[0].state) == encode(ends[1].state)
    assert part.chain_ids == (0, 2, 5) and part.nchains == 3
    assert encode(part.state) == encode({i: ends[0].state[i] for i in part.chain_ids})


@pytest.mark.parametrize("sampler", [plain, tempered])
def test_starts_are_given_for_all_chains(tmp_path, sampler):
    shape = (8,) if sampler is plain else (3, 8)
    rng = np.random.default_rng(1)
    starts = {"x": rng.normal(size=shape), "y": rng.normal(size=shape), "k": np.full(shape, 2)}
    whole, part = sampler(), sampler(chains=range(4, 8))
    whole.start_position = part.start_position = starts
    for made in (whole, part):
        made.run(50)
    assert np.array_equal(part.positions, whole.positions[..., 4:, :])
    with pytest.raises(ValueError, match=r"those of all 8 chains of the run"):
        part.start_position = {name: values[..., 4:] for name, values in starts.items()}


def test_a_start_that_only_others_have_is_theirs_to_refuse():
    part = plain(chains=[0, 1])
    starts = {"x": np.array([0.0] * 7 + [9.0]), "y": np.zeros(8), "k": np.ones(8, int)}
    part.start_position = starts
    with pytest.raises(ValueError, match="chain 7"):
        plain(chains=[7]).start_position = starts


@pytest.mark.parametrize(
    ("chains", "error"),
    [([], ValueError), ([8], ValueError), ([1, 1], ValueError), ([-1], ValueError),
     ([0.5], (TypeError, ValueError)), (4, TypeError), ("01", TypeError)],
)  # fmt: skip
def test_chains_that_there_are_not_are_refused(chains, error):
    with pytest.raises(error, match="chains"):
        plain(chains=chains)


def test_what_does_not_go_together_is_refused_by_name(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    run(plain(chains=range(4)), a, 10)

    def refused(made, words, n=10, prior=None):
        directory = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        run(made, directory, n, prior)
        with pytest.raises(RunDirectoryError, match=words):
            epsie.open_run([a, directory])
        with pytest.raises(RunDirectoryError, match=words):
            merge(b, [a, directory])

    refused(plain(chains=range(3, 8)), "chains 3 are in .* and in .*, which have the same seed")
    refused(plain(chains=range(5, 8)), "chains 4 are missing")
    refused(plain(nchains=9, chains=range(4, 9)), "a run of 8 chains, .* one of 9")
    refused(plain(seed=6), "chains 4, 5, 6, 7 are missing")
    refused(plain(chains=range(4, 8), nan="reject"), "nan: .* has 'raise', .* 'reject'")
    elsewhere = Prior(x=(0, 1), y=(0, 1), k=stats.randint(0, 2))
    refused(plain(chains=range(4, 8)), "given other starts", prior=elsewhere)
    other = Posterior(POSTERIOR.log_likelihood, Prior(x=(-5, 6), y=(0, 1), k=stats.randint(0, 4)))
    refused(plain(model=other, chains=range(4, 8)), "prior")
    c = tmp_path / "c"
    run(plain(chains=range(4, 8)), c, 20)
    assert epsie.open_run([a, c]).positions.shape == (8, 10)
    assert any("up to 10" in text for text in epsie.open_run([a, c]).summary(0).warnings)
    with pytest.raises(RunDirectoryError, match=r"at different iterations.*total="):
        merge(b, [a, c])
    with pytest.raises(ValueError, match="got none"):
        epsie.open_run([])
    assert not b.exists()


def test_a_part_is_no_run_of_as_many_chains(tmp_path):
    run(plain(chains=range(4, 8)), tmp_path / "a", 10)
    with pytest.raises(RunDirectoryError, match="part"):
        run(plain(nchains=4), tmp_path / "a", 20)
    with pytest.raises(RunDirectoryError, match="part"):
        run(plain(chains=range(4)), tmp_path / "a", 20)
    with pytest.raises(ValueError, match="chains 4 to 7"):
        plain(chains=range(4, 8)).set_state(run(plain(4), tmp_path / "b", 10).state)
    run(plain(chains=range(4, 8)), tmp_path / "a", 20)


def test_independent_runs_are_side_by_side(tmp_path, capsys):
    directories = [tmp_path / name for name in "abc"]
    made = [run(tempered(2, seed), directory) for seed, directory in enumerate(directories)]
    together = epsie.open_run(directories)
    assert together.nchains == 6 and together.manifest["seeds"] == [0, 1, 2]
    apart = [epsie.open_run(directory).positions for directory in directories]
    assert np.array_equal(together.positions, np.concatenate(apart, axis=1))
    evidence = together.log_evidence(burn_in=60)
    each = np.concatenate([of.log_evidence(burn_in=60).per_chain for of in made])
    assert np.array_equal(evidence.per_chain, each)
    out = tmp_path / "merged"
    for command in (["summary", *directories], ["merge", out, *directories], ["verify", out]):
        with pytest.raises(SystemExit) as end:
            main([*map(str, command)])
        assert end.value.code == 0, capsys.readouterr()
    assert "6 chains x" in capsys.readouterr().out
    same(epsie.open_run(out), together)
    again = ParallelTemperedSampler.resume(out, POSTERIOR)
    again.run(10)
    for of in made:
        of.run(10)
    expected = np.concatenate([of.current_positions["x"] for of in made], axis=1)
    assert np.array_equal(again.current_positions["x"], expected)
    with pytest.raises(RunDirectoryError, match="there already"):
        merge(out, directories)


def test_a_run_and_itself_are_not_two(tmp_path):
    run(plain(2), tmp_path / "a", 10)
    with pytest.raises(RunDirectoryError, match="independent runs different seeds"):
        epsie.open_run([tmp_path / "a", tmp_path / "a"])


def test_a_merged_run_is_cut_into_segments_of_bounded_size(tmp_path, monkeypatch):
    monkeypatch.setattr("epsie.storage.rundir.merging.MERGED_SIZE", 4000)
    for name, chains in (("a", range(3)), ("b", range(3, 8))):
        run(tempered(chains=chains), tmp_path / name)
    merge(tmp_path / "merged", [tmp_path / "a", tmp_path / "b"])
    assert len(list((tmp_path / "merged").glob("segment-*"))) > 5
    same(epsie.open_run(tmp_path / "merged"), epsie.open_run([tmp_path / "a", tmp_path / "b"]))
    assert DirectorySource(tmp_path / "merged").niterations == 90


def test_runs_that_learned_each_by_itself_are_merged_to_be_looked_at(tmp_path, capsys):
    proposals = [Learned(["x", "y"]), SSAdaptiveBoundedDiscrete(["k"], {"k": (0, 3)})]
    directories = [tmp_path / name for name in "ab"]
    for seed, directory in enumerate(directories):
        run(plain(4, seed, proposals=proposals), directory, 20)
    merge(out := tmp_path / "merged", directories)
    same(epsie.open_run(out), epsie.open_run(directories))
    with pytest.raises(RunDirectoryError, match="each has learned from its own chains"):
        MetropolisHastingsSampler.resume(out, POSTERIOR)
    with pytest.raises(SystemExit) as end:
        main(["verify", str(out)])
    assert end.value.code == 0 and "is whole; it was merged" in capsys.readouterr().out
    with pytest.raises(ValueError, match="learn together"):
        plain(4, proposals=proposals, chains=[0, 1])


def test_the_evidence_of_runs_that_learned_each_by_itself_is_averaged(tmp_path):
    directories = [tmp_path / name for name in "ab"]
    each = [
        epsie.sample(
            lambda x: -x * x / 2, {"x": (-10, 10)}, seed=seed, directory=directory, progress=False
        ).log_evidence()
        for seed, directory in enumerate(directories)
    ]
    found = epsie.open_run(directories).log_evidence()
    assert found.log_z == pytest.approx(np.mean([of.log_z for of in each]), abs=1e-12)
    within = np.hypot(*[of.standard_error for of in each]) / 2
    between = abs(each[0].log_z - each[1].log_z) / 2
    assert found.standard_error == pytest.approx(max(within, between))
    assert len(found.per_chain) == sum(len(of.per_chain) for of in each)
