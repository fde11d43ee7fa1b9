"""What many chains cost, and that it is the same as of each by itself."""

import sys

import numpy as np
import pytest

from epsie import diagnostics, open_run
from epsie.diagnostics import facets, words
from epsie.diagnostics.draws import Parameter
from epsie.samplers import MetropolisHastingsSampler
from tests.statistical import seed


def calls_of(action):
    """The number of functions that are called, of numpy too: unlike seconds always the same."""
    count = 0

    def counted(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    action()  # imports
    sys.setprofile(counted)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


def apart(nchains, n=10):
    """Chains that do not agree, and of which some are stuck."""
    rng = np.random.default_rng(seed())
    draws = {
        "x": rng.normal(size=(nchains, n)) + 3 * rng.normal(size=(nchains, 1)),
        "angle": rng.uniform(0, 2 * np.pi, (nchains, n)),
    }
    draws["angle"][: nchains // 2] *= 0.1
    draws["x"][: nchains // 10] = 1.0
    return draws


@pytest.mark.parametrize("angular", [(), ("angle",)])
def test_calls_do_not_grow_with_the_number_of_chains(angular):
    few, many = (
        calls_of(lambda n=n: diagnostics.summarise(apart(n), angular)) for n in (100, 1600)
    )
    assert many < 1.5 * few


def test_superchains_do_not_grow_either():
    few, many = (
        calls_of(lambda n=n: diagnostics.nested_rhat(apart(n), np.arange(n) // 4))
        for n in (100, 1600)
    )
    assert many < 1.5 * few


def one_by_one(parameter, rhat):
    """The chain without which the others agree, by leaving out each."""
    nchains, without = len(parameter.values), []
    for i in range(nchains):
        kept = [
            np.delete(z, [i, i + nchains], axis=0)
            for facet in parameter.facets
            for z in facets.both_scores(facet)
        ]
        without.append(
            max(facets.rhat_of(z.shape[-1], z.mean(-1), z.var(-1, ddof=1)) for z in kept)
        )
    best = int(np.argmin(without))
    return best if without[best] - 1 < 0.2 * (rhat - 1) else None


@pytest.mark.parametrize("period", [None, 2 * np.pi])
@pytest.mark.parametrize("case", ["apart", "all apart", "still", "all still", "inactive", "narrow"])
def test_the_chain_that_is_apart_is_that_of_leaving_out_each(case, period):
    rng = np.random.default_rng(seed())
    values = rng.normal(size=(7, 60))
    if case == "apart":
        values[4] += 2.5
    elif case == "all apart":
        values += 3 * rng.normal(size=(7, 1))
    elif case == "still":
        values[4] = 9.0
    elif case == "all still":
        values[:] = [[0.0]] * 6 + [[1.0]]
    elif case == "inactive":
        values[4, :40] = np.nan
    else:
        values *= 1e-9
        values[4] += 1e-6
    parameter = Parameter(values, period)
    rhat = max(map(facets.rhat, parameter.facets))
    found = words.chain_apart(parameter, rhat)
    assert found == one_by_one(parameter, rhat)
    if case != "inactive":
        assert (found == 4) == (case in ("apart", "still", "narrow"))


@pytest.mark.parametrize("n", [8, 9, 12, 101])
def test_lengths_of_many_chains_are_those_of_each(n, monkeypatch):
    rng = np.random.default_rng(seed())
    values = rng.normal(size=(30, n))
    for i in range(1, n):
        values[:10, i] += 0.8 * values[:10, i - 1]
        values[10:20, i] -= 0.6 * values[10:20, i - 1]
    values[3], values[4], values[5] = 2.0, values[4] * 1e-200, values[5] * 1e150
    values[6, n // 2 :] = np.nan
    alone = [n / facets.ess(facets.centred(chain[None])) for chain in np.delete(values, 3, axis=0)]
    monkeypatch.setattr(facets, "_MOST_DRAWS", 4 * n)
    found = facets.lengths(values)
    assert found[3] == np.inf
    np.testing.assert_allclose(np.delete(found, 3), alone, rtol=1e-12)


def normal(x):
    return -0.5 * x * x, 0.0


def test_many_stuck_chains_are_said_in_few_lines(tmp_path):
    sampler = MetropolisHastingsSampler("x", lambda x: (0.0 if x == 1 else normal(x)[0], 0.0), 40)
    sampler.start_position = {"x": np.ones(40)}
    sampler.model = lambda x: (0.0 if x == 1 else -np.inf, 0.0)
    sampler.run(100, directory=tmp_path / "run")
    for summary in (sampler.summary(0), open_run(tmp_path / "run").summary(0)):
        said = [warning for warning in summary.warnings if "stuck" in warning]
        assert said[0] == "chain 0 is stuck since iteration 1"
        assert said[5:] == ["35 more chains are stuck"]
        assert len(summary.stuck) == 40
