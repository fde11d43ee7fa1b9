"""Our samplers and others on the same targets: what `efficiency` and `tempered` have in common.

Rows are kept when they are done, in ``cached/rows.jsonl``: a command that was stopped goes on, and
prints what others gave without having them installed. Rows of a target that has changed since, and
of ours those of other sources, are made anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from known_targets import TARGETS
from measured import Drawn, Row, judged, keep, read
from peers import HERE, environment, reason, run_there
from sharp_targets import Target

PATIENCE = 300
"""Seconds of processor time that a run of another sampler may take."""

ENDS_BY_ITSELF = ("nautilus", "pocoMC", "dynesty", "dynesty, dynamic", "nutpie")

Run = Callable[[Target, int, int], Drawn]
"""Samples a target with a budget of evaluations and a seed."""


@dataclass(frozen=True)
class Comparison:
    """What is compared, and how it is told.

    Parameters
    ----------
    budgets : dict
        The targets, and the evaluations on each.
    ours : dict
        Our samplers.
    peers : tuple of str
        The names of others.
    columns : dict
        Headings, and what they tell of rows of all seeds.
    misses : callable
        Of a target, one of our samplers and its rows: what is not as it has to be.
    """

    budgets: dict[str, int]
    ours: dict[str, Run]
    peers: tuple[str, ...]
    columns: dict[str, Callable[[list[Row]], str]]
    misses: Callable[[str, str, list[Row]], Iterator[str]]

    def main(self, about: str | None) -> int:
        """Run what the command line asks for and print the table; 1 if ours misses something."""
        parser = argparse.ArgumentParser(description=about)
        parser.add_argument("names", nargs="*", metavar="target", help=", ".join(self.budgets))
        parser.add_argument("--seeds", type=int, default=3, help="how many runs of each")
        parser.add_argument("--cached", action="store_true", help="run nothing, print what is kept")
        parser.add_argument(
            "--peers", nargs="*", metavar="name", help=f"run others, too: {', '.join(self.peers)}"
        )
        options = parser.parse_args()
        names = options.names or list(self.budgets)
        peers = self.peers if options.peers == [] else tuple(options.peers or ())
        for what, known, asked in (("target", self.budgets, names), ("peer", self.peers, peers)):
            if unknown := sorted(set(asked) - set(known)):
                parser.error(f"unknown {what}: {unknown}; choose from {', '.join(known)}")
        if not options.cached:
            self.run(names, peers, options.seeds)
        print("\n".join(self.table(names, options.seeds)))
        missed = list(self.missed(names, options.seeds))
        print(f"\nMissed: {'; '.join(missed) or 'nothing'}.")
        return 1 if missed else 0

    def run(self, names: list[str], peers: tuple[str, ...], seeds: int) -> None:
        """Make the rows that are missing, first one of each."""
        for seed in range(seeds):
            for name in names:
                for sampler in (*self.ours, *peers):
                    self._run_one(sampler, name, seed)

    def _run_one(self, sampler: str, name: str, seed: int) -> None:
        target, mine, budget = target_of(name), sampler in self.ours, self._budget(sampler, name)
        kept = read().get((sampler, name, budget, seed))
        current = not mine or (kept is not None and kept.version == sources())
        if kept is not None and kept.definition == target.definition() and current:
            return
        head = (name, target.definition(), seed, budget)
        if mine:
            found = judged(target, self.ours[sampler](target, budget, seed))
            keep([Row(sampler, sources(), *head, **found)])
        else:
            keep([theirs(sampler, target, *head)])

    def missed(self, names: list[str], seeds: int) -> Iterator[str]:
        """What of ours is not as it has to be."""
        for name in names:
            for sampler in self.ours:
                if rows := self.rows_of(sampler, name, seeds):
                    yield from self.misses(name, sampler, rows)

    def _budget(self, sampler: str, name: str) -> int:
        return 0 if sampler in ENDS_BY_ITSELF else self.budgets[name]

    def rows_of(self, sampler: str, name: str, seeds: int = 3) -> list[Row]:
        """What is kept of a target as it is now."""
        kept = read()
        definition, budget = target_of(name).definition(), self._budget(sampler, name)
        found = (kept.get((sampler, name, budget, seed)) for seed in range(seeds))
        return [row for row in found if row is not None and row.definition == definition]

    def table(self, names: list[str], seeds: int) -> Iterator[str]:
        """All that is known, as lines of markdown, and what it is of."""
        yield f"| target | sampler | seeds | {' | '.join(self.columns)} |"
        yield "|---" * (3 + len(self.columns)) + "|"
        versions = {}
        for name in names:
            title, lacking = f"{name}, {self.budgets[name]:,}", defaultdict(list)
            for sampler in (*self.ours, *self.peers):
                rows = self.rows_of(sampler, name, seeds)
                done = [row for row in rows if not row.failed]
                if not done:
                    lacking[rows[0].failed if rows else "not run"].append(sampler)
                    continue
                told = [tell(done) for tell in self.columns.values()]
                yield f"| {title} | {sampler} | {len(done)} | {' | '.join(told)} |"
                title = ""
                versions[sampler] = f"{sampler} {done[-1].version} ({done[-1].date})"
            for why, samplers in lacking.items():
                yield f"| {title} | {why}: {'; '.join(samplers)} |{' |' * (1 + len(self.columns))}"
                title = ""
        yield f"\nVersions: {', '.join(versions.values())}."


@cache
def target_of(name: str) -> Target:
    """The target of that name, made once."""
    return TARGETS[name]()


@cache
def sources() -> str:
    """The digest of our sources."""
    files = sorted((HERE.parent / "epsie").rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def theirs(sampler: str, target: Target, name: str, definition: str, seed: int, budget: int) -> Row:
    """What another sampler gave, in an environment of its own."""
    python = environment("samplers", tuple((HERE / "peers.txt").read_text().split()))
    job: dict[str, Any] = {"sampler": sampler, "target": name, "seed": seed, "budget": budget}
    head = (name, definition, seed, budget)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "drawn.npz"
        text = json.dumps({**job, "path": str(path), "seconds": PATIENCE})
        try:
            version = run_there(python, "peer_samplers.py", text, None, OMP_NUM_THREADS="1")
        except subprocess.CalledProcessError as error:
            late = error.returncode < 0
            why = f"not done in {PATIENCE // 60} minutes" if late else f"failed: {reason(error)}"
            return Row(sampler, "", *head, failed=why)
        with np.load(path) as file:
            parts = {key: file[key] if file[key].ndim else file[key].item() for key in file}
    return Row(sampler, version, *head, **judged(target, Drawn(**parts)))


def median(values: list[float]) -> str:
    """The median, and the smallest and largest if there are several."""
    spread = f" ({few(min(values))} to {few(max(values))})" if len(values) > 1 else ""
    return few(float(np.median(values))) + spread


def rms(values: Any) -> float:
    """The root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


def few(value: float) -> str:
    """Two digits, or all before the point."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
