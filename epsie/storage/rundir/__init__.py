"""Runs on disk: what was sampled, and what it takes to go on.

A run directory holds

* ``manifest.epsie``: the settings of the sampler, as plain data;
* ``segment-A-B.epsie``: what the chains visited after iteration A up to B. Never changed; small
  ones are merged into larger ones;
* ``state-N.epsie``: the state at iteration N; the last two are kept;
* ``lock``: who writes to it.

Every file but the lock is written under another name, brought to the disk, and renamed. A segment
is there before the state that ends with it. Nothing is executed by reading.
"""

from __future__ import annotations

from epsie.storage.rundir.reader import Run, open_run

__all__ = ["Run", "open_run"]
