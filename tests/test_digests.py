"""The samples of a seed are those of the versions before, for every registered proposal."""

import json

import numpy as np
import pytest

from tests.digests import PATH, cases, machine, sha256_of, stands_of

KNOWN = json.loads(PATH.read_text())
HERE = KNOWN["sha256"].get(machine(), {})
CASES = {name: (run, example) for name, run, example in cases()}


@pytest.mark.parametrize("name", [name for name in CASES if name in HERE])
def test_samples_are_those_of_before(name):
    run, example = CASES[name]
    assert sha256_of(run(example)) == HERE[name]


def test_elsewhere_they_are_as_good_as_the_same():
    """On other machines the last bits differ, and chains part where a decision was that close.

    Between two kinds of processors two of 130 cases do.
    """
    others = [name for name in CASES if name not in HERE]
    parted = [name for name in others if not _is_close(name)]
    assert len(parted) <= 0.05 * len(CASES), parted


def _is_close(name):
    run, example = CASES[name]
    found, expected = stands_of(run(example)), KNOWN["stands"][name]
    return all(np.allclose(found[p], expected[p], rtol=1e-6, atol=1e-9) for p in expected)


def test_every_record_is_of_a_case():
    assert set(KNOWN["stands"]) == set(CASES)
    assert all(set(records) <= set(CASES) for records in KNOWN["sha256"].values())


def test_another_seed_gives_another_digest(monkeypatch):
    name = next(iter(CASES))
    run, example = CASES[name]
    former = sha256_of(run(example))
    monkeypatch.setattr("tests.digests.SEED", 1)
    assert sha256_of(run(example)) != former
