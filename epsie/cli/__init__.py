"""The command line: ``epsie``."""

from __future__ import annotations

from epsie.cli.commands import main

__all__ = ["main"]
