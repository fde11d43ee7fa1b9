"""Where bounds count as too far to matter, they do not: the same bits as if they did count."""

import math

import pytest

from epsie.proposals import bounded_discrete, bounded_eigenvector, bounded_normal

BOUNDS = {"a": (0.0, 1000.0), "b": (0, 1000)}
COV = {
    "normal": [9.0, 0.25],
    "discrete": [9.0, 0.25],
    "eigenvector": [[9.0, 1.0], [1.0, 0.25]],
}
CASES = [
    ("normal", bounded_normal, bounded_normal.BoundedNormal),
    ("discrete", bounded_discrete, bounded_discrete.BoundedDiscrete),
    ("eigenvector", bounded_eigenvector, bounded_eigenvector.BoundedEigenvector),
]


def moves(kind, proposal):
    """Jumps from places ever farther from each of the bounds: far in one direction, in both."""
    for near in range(160):
        for x in ((near / 2, 500.0), (1000 - near / 2, near / 4), (500.0, 1000 - near / 4)):
            if kind == "discrete":
                x = tuple(map(math.floor, x))
            for _ in range(3):
                yield x, proposal.draw(x)


@pytest.mark.parametrize(("kind", "module", "cls"), CASES)
def test_far_bounds_change_no_bit(kind, module, cls, monkeypatch):
    proposal = cls(["a", "b"], BOUNDS, COV[kind])
    proposal.bit_generator = 1
    found = []
    for x, y in moves(kind, proposal):
        term = proposal.log_hastings(x, y)
        found.append((x, y, term, proposal.ind if kind == "eigenvector" else None))

    def others(far):
        """How many terms are others if bounds beyond so many widths do not count."""
        monkeypatch.setattr(module, "FAR", far)
        changed = 0
        for x, y, term, ind in found:
            if ind is not None:
                proposal.ind = ind
            changed += proposal.log_hastings(x, y) != term
        return changed

    assert 100 < sum(term == 0 for *_, term, _ in found) < len(found) - 100
    assert others(math.inf) == 0
    # The defect: bounds that matter taken for far.
    assert others(5.0) > 0
