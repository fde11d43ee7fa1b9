"""What is mixed: the arguments of a mixture of proposals, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsie.checks import as_floats
from epsie.proposals.base import BaseProposal


def as_parts(parts: tuple[BaseProposal, ...]) -> tuple[BaseProposal, ...]:
    """The parts of a mixture.

    Raises
    ------
    ValueError
        If they cannot be mixed.
    TypeError
        If one is no proposal.
    """
    for part in parts:
        if not isinstance(part, BaseProposal):
            raise TypeError(
                f"Mixture takes proposals, one after the other, as Mixture(Normal(['x', 'y']), "
                f"RobustAdaptive(['x', 'y'])); got {part!r} of type {type(part).__name__}"
            )
    if len(parts) < 2:
        raise ValueError(f"Mixture needs at least two proposals; got {len(parts)}")
    first = parts[0]
    for part in parts:
        if sorted(part.parameters) != sorted(first.parameters):
            raise ValueError(
                f"the proposals of a Mixture must be for the same parameters; got "
                f"{', '.join(first.parameters)} and {', '.join(part.parameters)}. For different "
                "ones give them to the sampler side by side"
            )
        if part.transdimensional or part._dtypes() != first._dtypes():
            raise ValueError(
                f"the proposals of a Mixture must be for the same kind of parameters; got {part!r} "
                f"beside {first!r}"
            )
        if part.jump_interval != 1:
            raise ValueError(
                f"a proposal of a Mixture jumps when it is drawn; leave out the jump_interval of "
                f"{part!r}"
            )
    if len({id(part) for part in parts}) < len(parts):
        raise ValueError("the proposals of a Mixture must be different objects; give weights")
    return parts


def as_weights(weights: ArrayLike | None, n: int) -> NDArray[np.float64]:
    """Probabilities of n parts.

    Raises
    ------
    ValueError
        If there are not n, or one is not positive.
    """
    found = np.ones(n) if weights is None else as_floats(weights, "weights")
    if found.shape != (n,) or not (np.isfinite(found) & (found > 0)).all():
        raise ValueError(f"weights must be {n} positive numbers, one a proposal; got {weights!r}")
    probabilities: NDArray[np.float64] = found / found.sum()
    return probabilities
