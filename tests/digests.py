"""Fixed-seed samples of every registered proposal, as digests: they may change only on purpose.

`python -m tests.digests` writes them anew, to `tests/data/digests.json`.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from epsie.samplers import MetropolisHastingsSampler, ParallelTemperedSampler
from tests.examples import Example, every_example, gaussian

PATH = Path(__file__).parent / "data" / "digests.json"
SEED = 20261127
NCHAINS, NITERATIONS = 2, 150
BETAS = [1.0, 0.4, 0.1, 0.0]


def metropolis_hastings(example: Example) -> Any:
    """Two chains with a proposal."""
    sampler = MetropolisHastingsSampler(
        example.names, gaussian, NCHAINS, proposals=[example.make()], seed=SEED
    )
    sampler.start_position = {name: [x] * NCHAINS for name, x in example.start.items()}
    sampler.run(NITERATIONS)
    return sampler


def tempered(example: Example, **settings: Any) -> Any:
    """Two tempered chains with a proposal."""
    sampler = ParallelTemperedSampler(
        example.names, gaussian, NCHAINS, BETAS, 3, [example.make()], seed=SEED, **settings
    )
    shape = (len(BETAS), NCHAINS)
    sampler.start_position = {name: np.full(shape, x) for name, x in example.start.items()}
    sampler.run(NITERATIONS)
    return sampler


def annealed(example: Example) -> Any:
    """Tempered chains of which an annealer moves the ladder, swept even and odd pairs in turn."""
    from epsie.tempering.annealing import BarrierAnnealer

    return tempered(example, adaptive_annealer=BarrierAnnealer(120, 8), swap_scheme="deo")


def dynamical(example: Example) -> Any:
    """Tempered chains whose ladder moves at each sweep; proposals are reset after swaps."""
    from epsie.tempering.annealing import DynamicalAnnealer

    return tempered(example, adaptive_annealer=DynamicalAnnealer(), reset_after_swap=True)


KINDS: dict[str, Callable[[Example], Any]] = {"mh": metropolis_hastings, "pt": tempered}
MOVED: dict[str, Callable[[Example], Any]] = {"annealed": annealed, "dynamical": dynamical}


def cases() -> list[tuple[str, Callable[[Example], Any], Example]]:
    """All examples with both samplers, and some with a ladder that moves."""
    examples = every_example()
    found = [
        (f"{kind} {name}", run, example)
        for kind, run in KINDS.items()
        for name, example in examples
    ]
    some = [(name, e) for name, e in examples if name in ("at_adaptive_normal-0", "normal-0")]
    return found + [
        (f"{kind} {name}", run, example) for kind, run in MOVED.items() for name, example in some
    ]


def sha256_of(sampler: Any) -> str:
    """The digest of all that was visited."""
    digest = hashlib.sha256()
    tables = [sampler.positions, sampler.stats, sampler.acceptance, sampler.blobs]
    tables += [getattr(sampler, name, None) for name in ("temperature_swaps", "betas")]
    for table in tables:
        if table is not None:
            digest.update(np.ascontiguousarray(table).tobytes())
    return digest.hexdigest()


def stands_of(sampler: Any) -> dict[str, list[float]]:
    """Where the chains stand."""
    return {name: np.asarray(x).ravel().tolist() for name, x in sampler.current_positions.items()}


def machine() -> str:
    """What the bits depend on, beside the code."""
    import threadpoolctl

    blas = [
        f"{lib['internal_api']} {lib.get('architecture')}"
        for lib in threadpoolctl.threadpool_info()
    ]
    return ", ".join([platform.machine(), np.__version__, scipy.__version__, *sorted(set(blas))])


def write() -> None:
    """Record all of them on this machine; what changed here is not known of others any more."""
    known = json.loads(PATH.read_text())
    found = {name: run(example) for name, run, example in cases()}
    here = {name: sha256_of(sampler) for name, sampler in found.items()}
    former = known["sha256"].get(machine(), here)
    for of_other in known["sha256"].values():
        for name in set(of_other) - {name for name in here if here[name] == former.get(name)}:
            del of_other[name]
    known["sha256"][machine()] = here
    stands = {name: stands_of(sampler) for name, sampler in found.items()}
    PATH.write_text(json.dumps({"sha256": known["sha256"], "stands": stands}, indent=1) + "\n")


if __name__ == "__main__":
    write()
