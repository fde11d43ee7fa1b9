"""Functions of arrays: the bits of `math`, by whatever they are computed."""

import math

import numpy as np
import pytest

from epsie.rng import elementwise
from epsie.rng.elementwise import OfEach, each, exps, logs

X = np.random.default_rng(1).normal(size=500) * np.logspace(-6, 2, 500)


def after_many(of, monkeypatch):
    """The same function, that is going to look for a faster one."""
    monkeypatch.setattr(elementwise, "_MANY", 1)
    made = OfEach(of._function, of._of_scipy, of._probes)
    made(np.ones(1))
    return made


@pytest.mark.parametrize(("of", "function", "x"), [(exps, math.exp, X), (logs, math.log, abs(X))])
def test_has_the_bits_of_math(of, function, x, monkeypatch):
    expected = [function(value) for value in x.tolist()]
    assert each(function, x).tolist() == expected
    fast = after_many(of, monkeypatch)
    assert of(x).tolist() == fast(x).tolist() == expected
    assert fast(x[::-2]).tolist() == expected[::-2]


def test_ends_are_those_of_math(monkeypatch):
    fast = after_many(exps, monkeypatch)
    assert fast(np.array([-math.inf, -0.0])).tolist() == [0.0, 1.0]
    assert np.isnan(fast(np.array([math.nan, 0.0]))[0])
    with pytest.raises(OverflowError):
        fast(np.array([1.0, 800.0]))
    with pytest.raises(ValueError, match="domain|positive"):
        after_many(logs, monkeypatch)(np.array([1.0, 0.0]))


def test_another_function_in_a_last_bit_is_not_taken(monkeypatch):
    def nearly(special):
        def found(x):
            exact = special.inv_boxcox(x, 0.0)
            exact[np.argmax(exact)] *= 1 + 2e-16
            return exact

        return found

    broken = after_many(OfEach(math.exp, nearly, exps._probes), monkeypatch)
    assert broken._fast is None
    assert broken(X).tolist() == exps(X).tolist()
